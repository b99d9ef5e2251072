//! The process that stands for an instance of the OCI runtime: it makes everything ready, waits for the start, and then stays
//! beside the program until that ends.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::Path;

use ::plan::{ExitStatus, FailureClass, Isolation, Stdio};
use container::waiting::{self, Starter};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{FileType, Mode, OFlags};
use rustix::pipe::{PipeFlags, pipe_with};

use super::plan::BundlePlan;
use super::{Bundle, BundleError, interface, sites_file, terminal};
use crate::error::chain;
use crate::launch::Running;
use crate::sys::{self, SignalFd};
use crate::{Paths, rewrite};

/// What ends or interrupts a process by default and makes sense to a program inside.
const FORWARDED: [i32; 15] = [
    libc::SIGHUP,
    libc::SIGINT,
    libc::SIGQUIT,
    libc::SIGTERM,
    libc::SIGUSR1,
    libc::SIGUSR2,
    libc::SIGALRM,
    libc::SIGCONT,
    libc::SIGTSTP,
    libc::SIGTTIN,
    libc::SIGTTOU,
    libc::SIGIO,
    libc::SIGPWR,
    libc::SIGWINCH,
    libc::SIGURG,
];

/// Longer messages are cut: they come from our own errors, which hold paths at most.
const MAX_REPORT: u64 = 16 << 10;

/// How the supervisor tells its maker that it is ready: by closing the pipe, or by a message first if it is not.
pub(super) fn report_pipe() -> Result<(OwnedFd, OwnedFd), BundleError> {
    pipe_with(PipeFlags::CLOEXEC).map_err(|e| BundleError::Supervisor("make a pipe", e.into()))
}

/// Waits until everything but the program is ready.
pub(super) fn wait_ready(report: OwnedFd) -> Result<(), BundleError> {
    let mut text = Vec::new();
    let read = File::from(report).take(MAX_REPORT).read_to_end(&mut text);
    read.map_err(|e| BundleError::Supervisor("hear from the supervisor", e))?;
    match text.split_first() {
        Some((b'R', [])) => Ok(()),
        Some((b'E', message)) => Err(BundleError::Failed(String::from_utf8_lossy(message).into_owned())),
        _ => Err(BundleError::Failed("the supervisor ended while it made the instance ready".to_owned())),
    }
}

/// The supervisor's life.
pub(super) fn run(bundle: Bundle<'_>, plan: BundlePlan, listener: OwnedFd, report: OwnedFd) -> ! {
    let mut report = File::from(report);
    let signals = SignalFd::new(&FORWARDED);
    let ready = signals.map_err(|e| BundleError::Supervisor("receive signals", e)).and_then(|signals| {
        let stdio = prepare(&bundle, &plan)?;
        Ok((signals, stdio))
    });
    let (signals, stdio) = match ready {
        Ok(ready) => ready,
        Err(error) => {
            let _ = report.write_all(format!("E{}", chain(&error)).as_bytes());
            sys::exit_now(FailureClass::Engine.exit_code().into())
        }
    };
    // The streams are the program's now; a reader of them waits for its end, not for ours.
    sys::release_streams();
    let _ = report.write_all(b"R");
    drop(report);
    let Some(starter) = wait_for_start(listener, &signals) else { sys::exit_now(128 + libc::SIGTERM) };
    sys::exit_now(i32::from(serve(&bundle, &plan, stdio, starter, &signals)))
}

/// Waits for the start; none if a signal that ends processes came first.
fn wait_for_start(listener: OwnedFd, signals: &SignalFd) -> Option<Starter> {
    loop {
        let mut fds = [PollFd::new(&listener, PollFlags::IN), PollFd::new(signals, PollFlags::IN)];
        let polled = poll(&mut fds, None);
        let wanted = polled.is_ok() && fds[0].revents().contains(PollFlags::IN);
        while let Some(signal) = signals.next() {
            if matches!(signal, libc::SIGTERM | libc::SIGINT | libc::SIGQUIT | libc::SIGHUP) {
                return None;
            }
        }
        if wanted {
            return waiting::accept(listener).ok();
        }
    }
}

/// Everything that can fail for other reasons than the program's.
fn prepare(bundle: &Bundle<'_>, plan: &BundlePlan) -> Result<Stdio, BundleError> {
    let _ = rustix::process::setsid();
    interface::enter_namespace(bundle.spec)?;
    if bundle.level == Isolation::Microvm {
        // Found again at the start; what is missing is to be known before.
        microvm::kernel::locate(&Paths::from_environment().kernels())?;
    }
    make_image(bundle, &plan.launch.rootfs.erofs)?;
    if bundle.level == Isolation::Unikernel {
        let sites = sites_file(&plan.launch.state_dir);
        let table = rewrite::build(&plan.launch.rootfs.erofs)?;
        std::fs::write(&sites, table).map_err(|source| BundleError::File { action: "writing", path: sites, source })?;
    }
    let streams = match &bundle.console {
        Some(socket) if plan.launch.process.terminal => terminal::open_and_send(socket),
        _ => own_streams(bundle.level),
    };
    streams.map_err(|e| BundleError::Supervisor("take the standard streams over", e))
}

fn make_image(bundle: &Bundle<'_>, image: &Path) -> Result<(), BundleError> {
    let root = bundle.spec.root().as_ref().ok_or(BundleError::Missing("root"))?;
    let path = if root.path().is_absolute() { root.path().clone() } else { bundle.dir.join(root.path()) };
    let directory = image.parent().unwrap_or(Path::new("/"));
    std::fs::create_dir_all(directory).map_err(|source| BundleError::File {
        action: "creating",
        path: directory.to_owned(),
        source,
    })?;
    Ok(image::write_directory(&path, image)?)
}

/// Copies of our own streams. A microVM's are made non-blocking, so they must be opened anew: others hold the same ones.
fn own_streams(level: Isolation) -> io::Result<Stdio> {
    let copy = |number: u32, flags: OFlags, own: BorrowedFd<'_>| match level {
        Isolation::Microvm => open_anew(number, flags, own),
        _ => own.try_clone_to_owned(),
    };
    Ok(Stdio {
        stdin: copy(0, OFlags::RDONLY, rustix::stdio::stdin())?,
        stdout: copy(1, OFlags::WRONLY, rustix::stdio::stdout())?,
        stderr: copy(2, OFlags::WRONLY, rustix::stdio::stderr())?,
    })
}

/// The same pipe or device with an open file description of its own. A regular file stays the same: there is no waiting for
/// it, and a new description would begin at its start. So does a socket, which cannot be opened.
fn open_anew(number: u32, flags: OFlags, own: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    let kind = FileType::from_raw_mode(rustix::fs::fstat(own)?.st_mode);
    if matches!(kind, FileType::RegularFile | FileType::Socket) {
        return own.try_clone_to_owned();
    }
    let flags = flags | OFlags::CLOEXEC | OFlags::NOCTTY;
    Ok(rustix::fs::open(format!("/proc/self/fd/{number}"), flags, Mode::empty())?)
}

/// Starts the program and stays until it ends; the exit status that stands for its end.
fn serve(bundle: &Bundle<'_>, plan: &BundlePlan, stdio: Stdio, starter: Starter, signals: &SignalFd) -> u8 {
    let terminal = if plan.launch.process.terminal { stdio.stdin.try_clone().ok() } else { None };
    match launch(bundle, plan, stdio) {
        Ok(mut running) => {
            starter.started();
            let status = follow(&mut running, signals, terminal.as_ref())
                .unwrap_or(ExitStatus::Exited(FailureClass::Engine.exit_code()));
            // A process that is ended by signal n is what the engine's shell shows as 128 + n.
            status.code()
        }
        Err(error) => {
            starter.failed(error.class(), &chain(&error));
            error.class().exit_code()
        }
    }
}

fn launch(bundle: &Bundle<'_>, plan: &BundlePlan, stdio: Stdio) -> Result<Running, BundleError> {
    let paths = Paths::from_environment();
    Ok(match bundle.level {
        Isolation::Microvm => {
            let kernel = microvm::kernel::locate(&paths.kernels())?;
            let tap = interface::take_over(bundle.level)?;
            Running::Microvm(Box::new(microvm::start(&plan.launch, stdio, tap, &kernel, &paths.agent())?))
        }
        _ => {
            let extra = unikernel::Extra {
                etc_hosts: plan.etc_hosts.clone(),
                resolv_conf: plan.resolv_conf.clone(),
                rewrite_table: Some(sites_file(&plan.launch.state_dir)),
            };
            let tap = interface::take_over(bundle.level)?;
            let instance = unikernel::start(&plan.launch, stdio, tap, &paths.unikernel(), &extra)?;
            Running::Unikernel(instance, None)
        }
    })
}

fn follow(running: &mut Running, signals: &SignalFd, terminal: Option<&OwnedFd>) -> Option<ExitStatus> {
    loop {
        let mut fds = running.poll_fds();
        fds.push(PollFd::new(signals, PollFlags::IN));
        match poll(&mut fds, None) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(_) => return None,
        }
        while let Some(signal) = signals.next() {
            if signal == libc::SIGWINCH
                && let Some(size) = terminal.and_then(|terminal| rustix::termios::tcgetwinsize(terminal).ok())
            {
                running.resize(size.ws_col, size.ws_row);
                continue;
            }
            // One that cannot be delivered has nobody to tell but the program, which has ended then.
            let _ = running.signal(signal);
        }
        match running.handle_ready() {
            Ok(None) => {}
            Ok(status) => return status,
            Err(_) => return None,
        }
    }
}
