//! Replacing the program (execve(2)).

use alloc::vec::Vec;
use core::sync::atomic::Ordering;

use linux_abi::signal::{SIG_DFL, SIG_IGN, SIGKILL, SS_DISABLE, SigAction, Stack};
use linux_abi::{Errno, Pod};
use platform::{UserAddr, UserContext};

use crate::loader::{self, Loaded};
use crate::machine::machine;
use crate::mem::{read_cstr, read_value};
use crate::syscall::Call;
use crate::task::{Process, Resource, Thread, current, exit_process};
use crate::vfs::open_for_exec;

/// Interrupts enabled, and the bit that is always set: the flags of a new program.
const INITIAL_FLAGS: u64 = 0x202;
/// The longest path, and the longest argument (`MAX_ARG_STRLEN`).
const PATH_MAX: usize = 4096;
const ARGUMENT_MAX: usize = 128 << 10;
/// More strings than fit on the largest stack are refused while they are read.
const STRINGS_MAX: usize = 1 << 20;

/// execve(2), from a process with one thread.
pub(super) fn execve(call: &mut Call<'_>) -> Result<i64, Errno> {
    let path = read_cstr(call.addr(0), PATH_MAX)?;
    let mut args = read_strings(call.addr(1))?;
    let env = read_strings(call.addr(2))?;
    if args.is_empty() {
        // Linux gives such a program one empty argument.
        args.push(Vec::new());
    }
    let thread = current();
    let process = &thread.process;
    if process.threads.lock().len() > 1 {
        super::clone::no_processes("replace itself by another program while it has several threads");
        return Err(Errno::ENOSYS);
    }
    let cwd = process.fs.cwd();
    let file = open_for_exec(&cwd, &path)?;
    let prepared = loader::prepare(&cwd, (path, file), args).map_err(|error| error.errno())?;
    let stack_size = process.limit(Resource::Stack);
    loader::check_arguments(&prepared, &env, stack_size).map_err(|error| error.errno())?;
    // From here on the old program is gone: an error can only end the process.
    forget_program(&thread, process);
    let creds = process.creds.lock().clone();
    let loaded = match loader::load(&process.mm, &creds, &prepared, &env, stack_size) {
        Ok(loaded) => loaded,
        Err(error) => {
            machine().log(&alloc::format!("coracle: {error}\n"));
            exit_process(128 + SIGKILL as u8)
        }
    };
    *call.context = begin(&thread, loaded);
    machine().set_fs_base(0);
    Ok(0)
}

fn read_strings(at: UserAddr) -> Result<Vec<Vec<u8>>, Errno> {
    let mut strings = Vec::new();
    while !at.is_null() {
        let text: u64 = read_value(at.add(strings.len() as u64 * 8))?;
        if text == 0 {
            break;
        }
        if strings.len() == STRINGS_MAX {
            return Err(Errno::E2BIG);
        }
        strings.push(read_cstr(UserAddr(text), ARGUMENT_MAX).map_err(|error| match error {
            Errno::ENAMETOOLONG => Errno::E2BIG,
            error => error,
        })?);
    }
    Ok(strings)
}

/// Takes away what a program does not hand on (execve(2), "Effect on process attributes").
fn forget_program(thread: &Thread, process: &Process) {
    process.files.close_on_exec();
    crate::time::delete_timers();
    for action in process.signals.actions.lock().iter_mut() {
        let handler = if action.handler == SIG_IGN { SIG_IGN } else { SIG_DFL };
        *action = SigAction { handler, ..SigAction::zeroed() };
    }
    *thread.signals.stack.lock() = Stack { flags: SS_DISABLE, ..Stack::zeroed() };
    thread.clear_tid.store(0, Ordering::Relaxed);
    thread.robust_list.store(0, Ordering::Relaxed);
    process.mm.clear();
}

/// Makes a loaded program the thread's: its names, and the registers with which it starts.
pub(crate) fn begin(thread: &Thread, loaded: Loaded) -> UserContext {
    *thread.name.lock() = short_name(&loaded.program.path);
    let mut context = UserContext { full_restore: 1, ..UserContext::default() };
    context.regs.rip = loaded.entry;
    context.regs.rsp = loaded.sp;
    context.regs.rflags = INITIAL_FLAGS;
    *thread.process.program.lock() = loaded.program;
    context
}

/// The name of a thread that runs a program: the last part of its path, at most 15 bytes.
fn short_name(path: &[u8]) -> [u8; 16] {
    let last = path.rsplit(|b| *b == b'/').next().unwrap_or(path);
    let mut name = [0; 16];
    let len = last.len().min(15);
    name[..len].copy_from_slice(&last[..len]);
    name
}
