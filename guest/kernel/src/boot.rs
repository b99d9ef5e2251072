//! From nothing to the first thread of the program, and what the machine calls afterwards.

use alloc::string::ToString;
use alloc::sync::Arc;
use alloc::vec::Vec;

use boot_info::BootInfo;
use linux_abi::Errno;
use platform::{Kernel, Machine, StartFailure, Trap, UserContext};

use crate::loader::{self, LoadError, Loaded};
use crate::machine::machine;
use crate::signal;
use crate::syscall::{dispatch, trace};
use crate::task::{Credentials, Process, Thread, adopt, current};
use crate::vfs::{self, FsContext};

struct Coracle;

static KERNEL: Coracle = Coracle;

/// The process id of the program, as in a container.
const FIRST_PID: u32 = 1;

/// Tells the kernel its machine and gives the machine its kernel. Called once, before anything else.
pub fn start(machine: &'static dyn Machine) -> &'static dyn Kernel {
    crate::machine::install(machine);
    &KERNEL
}

impl Kernel for Coracle {
    fn syscall(&self, context: &mut UserContext) {
        let number = context.regs.rax;
        let result = if crate::machine::tracing() { trace::traced(context) } else { dispatch(context) };
        let mut interrupted = None;
        context.regs.rax = match result {
            Ok(value) => value as u64,
            Err(error @ (Errno::ERESTARTSYS | Errno::ERESTARTNOHAND)) => {
                interrupted = Some(signal::Interrupted { number, error });
                Errno::EINTR.to_return() as u64
            }
            Err(error) => error.to_return() as u64,
        };
        if interrupted.is_some() || signal::attention(&current()) {
            signal::deliver(context, interrupted, None);
        }
    }

    fn trap(&self, context: &mut UserContext, trap: &Trap) {
        signal::trapped(context, trap);
    }

    fn interrupt(&self, context: &mut UserContext) {
        // A program that computes gives nobody the time to run timers but here.
        crate::time::run_expired();
        signal::deliver(context, None, None);
    }

    fn post_signal(&self, signal: u32) {
        signal::post_external(signal);
    }

    fn boot(&self) -> UserContext {
        match boot(machine().boot_info()) {
            Ok(context) => context,
            Err(error) => machine().fail_start(error.class(), &error.to_string()),
        }
    }
}

/// Why the instance did not start.
enum BootError {
    /// The file systems could not be mounted.
    Mount(Errno),
    /// The working directory is missing or no directory.
    WorkingDirectory(Errno),
    /// The program could not be loaded.
    Load(LoadError),
}

impl BootError {
    fn class(&self) -> StartFailure {
        match self {
            Self::Mount(_) | Self::WorkingDirectory(_) => StartFailure::Instance,
            Self::Load(error) => error.class(),
        }
    }
}

impl core::fmt::Display for BootError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Mount(error) => write!(f, "the image or a volume could not be mounted: {error}"),
            Self::WorkingDirectory(error) => {
                write!(f, "the working directory `{}`: {error}; give another with -w", machine().boot_info().cwd)
            }
            Self::Load(error) => error.fmt(f),
        }
    }
}

fn boot(info: &BootInfo<'_>) -> Result<UserContext, BootError> {
    crate::time::init();
    vfs::init(info).map_err(BootError::Mount)?;
    crate::net::init(info.network.as_ref());
    let groups = info.groups.chunks_exact(4).map(|g| u32::from_le_bytes([g[0], g[1], g[2], g[3]])).collect();
    let creds = Credentials::new(info.uid, info.gid, groups);
    let process = Process::new(FIRST_PID, creds, vfs::initial_descriptors(), FsContext::new());
    let thread = Thread::new(FIRST_PID, process.clone(), [0; 16], 0);
    process.threads.lock().insert(FIRST_PID, thread.clone());
    let token = adopt(thread.clone());
    thread.token.store(token, core::sync::atomic::Ordering::Release);
    machine().set_current(token);
    if !info.cwd.is_empty() {
        let directory = vfs::directory(info.cwd.as_bytes()).map_err(BootError::WorkingDirectory)?;
        process.fs.set_cwd(directory);
    }
    let loaded = load_first(info, &process).map_err(BootError::Load)?;
    Ok(crate::task::begin(&thread, loaded))
}

fn load_first(info: &BootInfo<'_>, process: &Arc<Process>) -> Result<Loaded, LoadError> {
    let args: Vec<Vec<u8>> = info.args.iter().map(<[u8]>::to_vec).collect();
    let env: Vec<Vec<u8>> = info.env.iter().map(<[u8]>::to_vec).collect();
    let name = args.first().filter(|name| !name.is_empty()).ok_or(LoadError::NoCommand)?;
    let cwd = process.fs.cwd();
    let found = loader::find(&cwd, name, &env)?;
    let creds = process.creds.lock().clone();
    let stack_size = process.limit(crate::task::Resource::Stack);
    let prepared = loader::prepare(&cwd, found, args)?;
    loader::check_arguments(&prepared, &env, stack_size)?;
    loader::load(&process.mm, &creds, &prepared, &env, stack_size)
}
