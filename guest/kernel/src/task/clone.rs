//! New threads (clone(2), clone3(2)).

use core::sync::atomic::{AtomicBool, Ordering};

use linux_abi::task::*;
use linux_abi::{Errno, Pod};
use platform::{ThreadStart, UserAddr};

use crate::machine::machine;
use crate::mem::write_value;
use crate::syscall::Call;
use crate::task::current::{abandon, adopt};
use crate::task::{Thread, current};

/// What makes a child a thread of this process.
const THREAD: u64 = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD;
/// What a thread may have besides.
const OPTIONAL: u64 = CLONE_SYSVSEM
    | CLONE_SETTLS
    | CLONE_PARENT_SETTID
    | CLONE_CHILD_CLEARTID
    | CLONE_CHILD_SETTID
    | CLONE_DETACHED
    | CSIGNAL;

/// clone(2).
pub(super) fn clone(call: &mut Call<'_>) -> Result<i64, Errno> {
    let [flags, stack, parent_tid, child_tid, tls, _] = call.args;
    spawn(call, &CloneArgs { flags, stack, parent_tid, child_tid, tls, ..CloneArgs::zeroed() })
}

/// clone3(2). Later versions of the structure are longer; what they add must be zero.
pub(super) fn clone3(call: &mut Call<'_>) -> Result<i64, Errno> {
    const FIRST_VERSION: usize = 64;
    let size = call.size(1);
    if size < FIRST_VERSION {
        return Err(Errno::EINVAL);
    }
    if size > platform::PAGE_SIZE as usize {
        return Err(Errno::E2BIG);
    }
    let mut args = CloneArgs::zeroed();
    let known = size.min(size_of::<CloneArgs>());
    machine().copy_from_user(call.addr(0), &mut args.bytes_mut()[..known])?;
    let beyond: alloc::vec::Vec<u8> = crate::mem::read_slice(call.addr(0).add(known as u64), size - known)?;
    if beyond.iter().any(|byte| *byte != 0) {
        return Err(Errno::E2BIG);
    }
    if args.set_tid_size != 0 || (args.stack == 0) != (args.stack_size == 0) {
        return Err(Errno::EINVAL);
    }
    args.stack = args.stack.wrapping_add(args.stack_size);
    spawn(call, &args)
}

/// fork(2), vfork(2).
pub(super) fn fork(_: &mut Call<'_>) -> Result<i64, Errno> {
    no_processes("start another process");
    Err(Errno::ENOSYS)
}

/// Says once why the program's attempt to start another one fails.
pub(super) fn no_processes(what: &str) {
    static SAID: AtomicBool = AtomicBool::new(false);
    if !SAID.swap(true, Ordering::Relaxed) {
        machine().log(&alloc::format!(
            "coracle: the program wants to {what}, which a unikernel of this version cannot: \
             run it with `--as container` or `--as microvm`\n",
        ));
    }
}

fn spawn(call: &mut Call<'_>, args: &CloneArgs) -> Result<i64, Errno> {
    if args.flags & CLONE_THREAD == 0 {
        no_processes("start another process");
        return Err(Errno::ENOSYS);
    }
    if args.flags & THREAD != THREAD || args.flags & !(THREAD | OPTIONAL) != 0 {
        return Err(Errno::EINVAL);
    }
    let parent = current();
    let process = &parent.process;
    let limit = machine().boot_info().max_threads;
    let tid = process.next_tid.fetch_add(1, Ordering::Relaxed);
    let thread = Thread::new(tid, process.clone(), *parent.name.lock(), parent.signals.mask().0);
    if args.flags & CLONE_CHILD_CLEARTID != 0 {
        thread.clear_tid.store(args.child_tid, Ordering::Relaxed);
    }
    for (flag, at) in [(CLONE_PARENT_SETTID, args.parent_tid), (CLONE_CHILD_SETTID, args.child_tid)] {
        if args.flags & flag != 0 {
            write_value(UserAddr(at), &tid)?;
        }
    }
    let mut context = *call.context;
    context.regs.rax = 0;
    if args.stack != 0 {
        context.regs.rsp = args.stack;
    }
    if args.flags & CLONE_SETTLS != 0 {
        context.fs_base = args.tls;
    }
    {
        let mut threads = process.threads.lock();
        if limit != 0 && threads.len() >= limit as usize {
            return Err(Errno::EAGAIN);
        }
        threads.insert(tid, thread.clone());
    }
    let token = adopt(thread.clone());
    thread.token.store(token, Ordering::Release);
    if let Err(error) = machine().start_thread(&ThreadStart { context, token }) {
        process.threads.lock().remove(&tid);
        abandon(&thread);
        return Err(error);
    }
    Ok(tid.into())
}
