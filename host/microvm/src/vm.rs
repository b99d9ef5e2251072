use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::{Duration, Instant};

use agent_proto::{FailureKind, Start, ToGuest, VERSION};
use network::Attachment;
use plan::{ExitStatus, LaunchPlan, Stdio};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open};
use rustix::time::{Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, timerfd_create, timerfd_settime};

use crate::boot::{self, Booting, QEMU_LOG};
use crate::console::{Console, last_lines};
use crate::destroy::remember;
use crate::error::ProtocolError;
use crate::group::Group;
use crate::pump::{Event, Pump};
use crate::volumes::{self, VolumeServer};
use crate::{Error, Kernel, guest_network, size};

/// An idle host needs 2 s; a very busy one many times that.
const BOOT_TIMEOUT: Duration = Duration::from_secs(90);

/// How long a guest with writable volumes may take to end its program and write everything back after `SIGKILL`.
const KILL_GRACE: i64 = 3;

/// A running microVM. It ends when this value is dropped, and when the thread that started it ends.
pub struct Vm {
    qemu: Child,
    pidfd: OwnedFd,
    pump: Pump,
    console: Console,
    volumes: Option<VolumeServer>,
    writable_volumes: bool,
    cgroup: Option<Group>,
    state_dir: PathBuf,
    exit: Option<ExitStatus>,
    /// Set by [`Vm::signal`] with `SIGKILL`.
    killed: bool,
    kill_timer: Option<OwnedFd>,
    qemu_ended: bool,
}

/// Starts a microVM and the program in it; returns when the program's execve(2) has succeeded.
///
/// `io` is taken over and made non-blocking: its descriptors must not share their open file description with anybody
/// (see [`Stdio`]). `agent` is the agent's executable. The plan's state directory must exist.
///
/// # Errors
/// [`Error::class`] tells a program that is missing or not executable from all other failures. Whatever had been started is
/// ended; files in the state directory (the guest's console) stay until [`crate::destroy`].
pub fn start(
    plan: &LaunchPlan,
    io: Stdio,
    network: Option<Attachment>,
    kernel: &Kernel,
    agent: &Path,
) -> Result<Vm, Error> {
    size::check(plan)?;
    let volumes = volumes::for_agent(&plan.volumes)?;
    let terminal = boot::prepare_terminal(plan, &io)?;
    let booting = boot::boot(plan, network.as_ref(), kernel, agent)?;
    let mut vm = Vm::new(plan, booting, io)?;
    let network = network.as_ref().map(guest_network::for_agent);
    vm.bring_up(boot::start_message(plan, network, volumes, terminal))?;
    Ok(vm)
}

impl Vm {
    fn new(plan: &LaunchPlan, booting: Booting, io: Stdio) -> Result<Self, Error> {
        let Booting { mut qemu, agent, console, volumes, cgroup } = booting;
        // From here on an early return drops the group after QEMU has ended.
        let parts = Self::watch(&qemu, agent, console, io, &plan.state_dir);
        let (pidfd, pump, console) = parts.inspect_err(|_| {
            let _ = qemu.kill();
            let _ = qemu.wait();
        })?;
        let vm = Self {
            qemu,
            pidfd,
            pump,
            console,
            volumes,
            cgroup,
            writable_volumes: plan.volumes.iter().any(|volume| !volume.read_only),
            state_dir: plan.state_dir.clone(),
            exit: None,
            killed: false,
            kill_timer: None,
            qemu_ended: false,
        };
        let server = vm.volumes.as_ref().map(VolumeServer::pid);
        let pids: Vec<u32> = std::iter::once(vm.qemu.id()).chain(server).collect();
        remember(&vm.state_dir, &pids)?;
        Ok(vm)
    }

    fn watch(
        qemu: &Child,
        agent: OwnedFd,
        console: OwnedFd,
        io: Stdio,
        state_dir: &Path,
    ) -> Result<(OwnedFd, Pump, Console), Error> {
        let watch = Error::system("watching the virtual machine");
        let pid = Pid::from_raw(qemu.id().cast_signed()).ok_or(Errno::SRCH);
        let pidfd = pid.and_then(|pid| pidfd_open(pid, PidfdFlags::empty())).map_err(watch)?;
        rustix::io::ioctl_fionbio(&console, true).map_err(Error::system("making a stream non-blocking"))?;
        Ok((pidfd, Pump::new(agent, io)?, Console::new(console, state_dir)?))
    }

    /// Waits for the agent, gives it its orders and waits for the program to run.
    fn bring_up(&mut self, start: Start) -> Result<(), Error> {
        let deadline = Instant::now() + BOOT_TIMEOUT;
        match self.wait_for_event(deadline)? {
            Event::Hello { version: VERSION } => {}
            Event::Hello { version } => return Err(Error::Protocol(ProtocolError::Version { theirs: version })),
            _ => return Err(Error::Protocol(ProtocolError::Order)),
        }
        self.pump.send(&ToGuest::Start(Box::new(start)));
        match self.wait_for_event(deadline)? {
            Event::Started => Ok(()),
            Event::Failed(failure) => Err(match failure.kind {
                FailureKind::NotFound => Error::NotFound(printable(&failure.message)),
                FailureKind::NotExecutable => Error::NotExecutable(printable(&failure.message)),
                FailureKind::Setup => Error::Setup(printable(&failure.message)),
            }),
            _ => Err(Error::Protocol(ProtocolError::Order)),
        }
    }

    fn wait_for_event(&mut self, deadline: Instant) -> Result<Event, Error> {
        loop {
            self.console.drain();
            if let Some(event) = self.pump.turn(false)? {
                return Ok(event);
            }
            if self.has_ended() {
                return Err(self.died());
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                let (console, log) = self.last_words();
                return Err(Error::Timeout { seconds: BOOT_TIMEOUT.as_secs(), console, log });
            }
            let timeout = Timespec { tv_sec: left.as_secs().cast_signed(), tv_nsec: left.subsec_nanos().into() };
            match poll(&mut self.wait_for(false), Some(&timeout)) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(source) => return Err(Error::System { what: "waiting for the virtual machine", source }),
            }
        }
    }

    fn wait_for(&self, running: bool) -> Vec<PollFd<'_>> {
        let mut fds = self.pump.poll_fds(running);
        if !self.qemu_ended {
            fds.push(PollFd::new(&self.pidfd, PollFlags::IN));
        }
        fds.extend(self.console.fd().map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)));
        fds.extend(self.kill_timer.as_ref().map(|fd| PollFd::new(fd, PollFlags::IN)));
        fds
    }

    /// What to wait for before the next [`Vm::handle_ready`]. The set changes with every call.
    pub fn poll_fds(&self) -> Vec<PollFd<'_>> {
        self.wait_for(self.exit.is_none())
    }

    /// Does everything that can be done without waiting: output, input, exit. May be called at any time.
    ///
    /// Returns the exit status once, when the program has ended, all of its output has been written and the virtual machine
    /// is gone.
    ///
    /// # Errors
    /// If the virtual machine ends without a status, or its guest breaks the protocol. It is gone then.
    pub fn handle_ready(&mut self) -> Result<Option<ExitStatus>, Error> {
        self.console.drain();
        match self.pump.turn(self.exit.is_none()) {
            Ok(None) => {}
            Ok(Some(Event::Exited(status))) if self.exit.is_none() => {
                self.exit = Some(status);
                self.end();
            }
            Ok(Some(_)) => {
                self.end();
                return Err(Error::Protocol(ProtocolError::Order));
            }
            Err(error) => {
                self.end();
                return Err(error);
            }
        }
        if self.kill_timer.as_ref().is_some_and(has_fired) {
            self.end();
        }
        if self.exit.is_none() && self.has_ended() {
            self.exit = Some(self.status_without_report()?);
        }
        Ok(self.exit.filter(|_| self.pump.is_flushed()))
    }

    /// QEMU is gone. What the agent had said before may still lie in the socket.
    fn status_without_report(&mut self) -> Result<ExitStatus, Error> {
        while let Some(event) = self.pump.turn(false)? {
            if let Event::Exited(status) = event {
                return Ok(status);
            }
        }
        if self.killed {
            return Ok(ExitStatus::Signaled(Signal::KILL.as_raw() as u8));
        }
        Err(self.died())
    }

    /// Sends the program a signal. `SIGKILL` ends the whole virtual machine, at once or, if it has writable volumes, after a
    /// few seconds at the latest.
    pub fn signal(&mut self, signal: i32) {
        let Ok(number) = u8::try_from(signal) else { return };
        if signal != Signal::KILL.as_raw() {
            self.pump.send(&ToGuest::Signal(number));
        } else if self.exit.is_none() && !self.killed {
            self.killed = true;
            self.kill_timer = if self.writable_volumes { timer(KILL_GRACE).ok() } else { None };
            match self.kill_timer {
                Some(_) => self.pump.send(&ToGuest::Signal(number)),
                None => self.end(),
            }
        }
    }

    /// Tells the program's terminal its new size.
    pub fn resize(&mut self, cols: u16, rows: u16) {
        self.pump.send(&ToGuest::Resize(cols, rows));
    }

    /// QEMU's process id.
    pub fn pid(&self) -> u32 {
        self.qemu.id()
    }

    /// QEMU's process descriptor, readable when it has ended.
    pub fn pidfd(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }

    fn has_ended(&mut self) -> bool {
        if !self.qemu_ended
            && let Ok(Some(status)) = self.qemu.try_wait()
        {
            self.qemu_ended = true;
            // Killed by somebody else (a person, the kernel for want of memory): the program's end as much as QEMU's.
            self.killed |= status.signal() == Some(Signal::KILL.as_raw());
        }
        self.qemu_ended
    }

    /// Ends QEMU and the volumes' server, reaps both, and removes the control group.
    fn end(&mut self) {
        if !self.qemu_ended {
            let _ = self.qemu.kill();
            let _ = self.qemu.wait();
            self.qemu_ended = true;
        }
        self.kill_timer = None;
        if let Some(mut server) = self.volumes.take() {
            server.stop();
        }
        self.cgroup = None;
    }

    fn died(&mut self) -> Error {
        self.console.drain();
        let (console, log) = self.last_words();
        Error::Died { console, log }
    }

    fn last_words(&self) -> (String, String) {
        let log = std::fs::read(self.state_dir.join(QEMU_LOG)).unwrap_or_default();
        (self.console.tail(), last_lines(&String::from_utf8_lossy(&log)))
    }
}

impl Drop for Vm {
    fn drop(&mut self) {
        self.end();
    }
}

/// The guest's words go to the user's terminal.
fn printable(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(1000).collect()
}

fn timer(seconds: i64) -> rustix::io::Result<OwnedFd> {
    let timer = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC)?;
    let zero = Timespec { tv_sec: 0, tv_nsec: 0 };
    let once = Itimerspec { it_interval: zero, it_value: Timespec { tv_sec: seconds, tv_nsec: 0 } };
    timerfd_settime(&timer, TimerfdTimerFlags::empty(), &once)?;
    Ok(timer)
}

fn has_fired(timer: &OwnedFd) -> bool {
    rustix::io::read(timer, &mut [0u8; 8]).is_ok()
}
