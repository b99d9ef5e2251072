//! A health check: a program that is run inside every now and then.

use std::os::fd::OwnedFd;
use std::time::{Duration, Instant, SystemTime};

use plan::{ExitStatus, HealthCheck, Stdio};
use rustix::event::{PollFd, PollFlags};
use rustix::fs::{Mode, OFlags, open};
use rustix::pipe::{PipeFlags, pipe_with};

use super::event_loop::Supervisor;
use crate::error::chain;
use crate::instance::{CheckLog, Checked, Instance};
use crate::{Error, events};

/// How much of a check's output is kept, as Docker's.
const MAX_OUTPUT: usize = 4096;
/// How many checks are kept.
const MAX_LOG: usize = 5;

/// The checks of one run.
pub(super) struct Checker {
    check: HealthCheck,
    started: Instant,
    next: Instant,
    current: Option<Current>,
}

/// A check that runs.
struct Current {
    running: container::Running,
    output: OwnedFd,
    text: Vec<u8>,
    began: SystemTime,
    deadline: Instant,
    late: bool,
}

/// What is recorded before the first check.
pub(super) fn starting() -> Checked {
    Checked { status: "starting".to_owned(), failing_streak: 0, log: Vec::new() }
}

impl Checker {
    pub(super) fn new(check: HealthCheck) -> Self {
        let now = Instant::now();
        let next = now + Duration::from_millis(check.interval_ms);
        Self { check, started: now, next, current: None }
    }

    /// When to look again without being woken.
    pub(super) fn deadline(&self) -> Instant {
        match &self.current {
            Some(current) if current.late => Instant::now() + Duration::from_secs(1),
            Some(current) => current.deadline,
            None => self.next,
        }
    }

    pub(super) fn poll_fds(&self) -> impl Iterator<Item = PollFd<'_>> {
        self.current.iter().flat_map(|current| {
            let ended = PollFd::from_borrowed_fd(current.running.pidfd(), PollFlags::IN);
            // A full pipe would keep the check from ending.
            [ended, PollFd::new(&current.output, PollFlags::IN)]
        })
    }

    /// Does what is due; the result of a check that has ended.
    fn turn(&mut self, instance: &Instance) -> Option<CheckLog> {
        let done = match &mut self.current {
            Some(current) => current.turn(&self.check),
            None if Instant::now() >= self.next && !instance.record.paused => {
                let began = SystemTime::now();
                match Current::start(&self.check, instance) {
                    Ok(current) => {
                        self.current = Some(current);
                        None
                    }
                    Err(error) => Some(log(began, -1, chain(&error))),
                }
            }
            None if Instant::now() >= self.next => {
                self.next = Instant::now() + Duration::from_millis(self.check.interval_ms);
                None
            }
            None => None,
        };
        if done.is_some() {
            self.current = None;
            self.next = Instant::now() + Duration::from_millis(self.check.interval_ms);
        }
        done
    }

    /// Adds a result to the record; whether the status has changed.
    fn judge(&self, checked: &mut Checked, result: CheckLog) -> bool {
        let before = checked.status.clone();
        if result.exit_code == 0 {
            checked.failing_streak = 0;
            checked.status = "healthy".to_owned();
        } else if before != "starting" || self.started.elapsed().as_millis() >= u128::from(self.check.start_period_ms) {
            checked.failing_streak = checked.failing_streak.saturating_add(1);
            if checked.failing_streak >= self.check.retries {
                checked.status = "unhealthy".to_owned();
            }
        }
        checked.log.push(result);
        let extra = checked.log.len().saturating_sub(MAX_LOG);
        checked.log.drain(..extra);
        checked.status != before
    }
}

impl Current {
    fn start(check: &HealthCheck, instance: &Instance) -> Result<Self, Error> {
        let system = |errno: rustix::io::Errno| Error::System("preparing a health check", errno.into());
        let stdin = open("/dev/null", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).map_err(system)?;
        let (output, stdout) = pipe_with(PipeFlags::CLOEXEC).map_err(system)?;
        rustix::io::ioctl_fionbio(&output, true).map_err(system)?;
        let stderr = rustix::io::fcntl_dupfd_cloexec(&stdout, 3).map_err(system)?;
        let process = plan::Process { args: check.command.clone(), terminal: false, ..instance.plan.process.clone() };
        let began = SystemTime::now();
        let running =
            crate::exec::exec_in(instance, &process, container::Io::Given(Stdio { stdin, stdout, stderr }), false)?;
        let deadline = Instant::now() + Duration::from_millis(check.timeout_ms);
        Ok(Self { running, output, text: Vec::new(), began, deadline, late: false })
    }

    fn turn(&mut self, check: &HealthCheck) -> Option<CheckLog> {
        self.read();
        if !self.late && Instant::now() >= self.deadline {
            self.late = true;
            let _ = self.running.signal(libc::SIGKILL);
        }
        let status = match self.running.try_wait() {
            Ok(None) => return None,
            Ok(Some(status)) => status,
            Err(error) => return Some(log(self.began, -1, chain(&error))),
        };
        self.read();
        if self.late {
            let text = format!("the check took longer than {} ms", check.timeout_ms);
            return Some(log(self.began, -1, text));
        }
        let text = String::from_utf8_lossy(&self.text).into_owned();
        let code = match status {
            ExitStatus::Exited(code) => i32::from(code),
            ExitStatus::Signaled(signal) => 128 + i32::from(signal),
        };
        Some(log(self.began, code, text))
    }

    /// Reads what was printed, and keeps its beginning.
    fn read(&mut self) {
        let mut buffer = [0u8; 1024];
        while let Ok(n @ 1..) = rustix::io::read(&self.output, &mut buffer) {
            let room = MAX_OUTPUT - self.text.len().min(MAX_OUTPUT);
            self.text.extend_from_slice(&buffer[..n.min(room)]);
        }
    }
}

fn log(began: SystemTime, exit_code: i32, output: String) -> CheckLog {
    let time = |t| humantime::format_rfc3339_nanos(t).to_string();
    CheckLog { start: time(began), end: time(SystemTime::now()), exit_code, output }
}

impl Supervisor<'_> {
    /// Starts a check that is due, or notes the result of one that has ended.
    pub(super) fn check_health(&mut self) {
        let Some(checker) = &mut self.checker else { return };
        let idle = checker.current.is_none();
        let result = checker.turn(&self.instance);
        if idle && (checker.current.is_some() || result.is_some()) {
            self.unsettle();
        }
        let (Some(result), Some(checker)) = (result, &self.checker) else { return };
        let checked = self.instance.record.checked.get_or_insert_with(starting);
        let changed = checker.judge(checked, result);
        let status = checked.status.clone();
        // What cannot be written is tried again with the next check.
        let _ = self.instance.save();
        if changed {
            events::write(self.paths, &self.instance.plan, &format!("health_status: {status}"), &[]);
        }
    }
}
