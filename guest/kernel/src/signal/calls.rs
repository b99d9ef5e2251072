//! The system calls of signals.

use core::sync::atomic::Ordering;

use linux_abi::signal::*;
use linux_abi::{Errno, Pod, nr};

use crate::mem::{read_value, write_value};
use crate::signal::{Info, SigSet, frame, send_to_process, send_to_thread, take_for_fd};
use crate::syscall::Support::{Full, Partial, Refused};
use crate::syscall::{Call, Row, refuse, row};
use crate::task::{current, exit_process};
use crate::wait::block_on;

/// The calls of signals.
pub(crate) const SYSCALLS: &[Row] = &[
    row(nr::RT_SIGACTION, rt_sigaction, Full),
    row(nr::RT_SIGPROCMASK, rt_sigprocmask, Full),
    row(nr::RT_SIGRETURN, rt_sigreturn, Full),
    row(nr::RT_SIGPENDING, rt_sigpending, Full),
    row(nr::RT_SIGSUSPEND, rt_sigsuspend, Full),
    row(nr::RT_SIGTIMEDWAIT, rt_sigtimedwait, Full),
    row(nr::RT_SIGQUEUEINFO, rt_sigqueueinfo, Partial("only to the process itself")),
    row(nr::RT_TGSIGQUEUEINFO, rt_tgsigqueueinfo, Partial("only to threads of the process itself")),
    row(nr::SIGALTSTACK, sigaltstack, Full),
    row(nr::PAUSE, pause, Full),
    row(nr::KILL, kill, Partial("one process: itself; stopping is ignored")),
    row(nr::TKILL, tkill, Partial("as tgkill")),
    row(nr::TGKILL, tgkill, Partial("threads of the process itself; stopping is ignored")),
    row(nr::PIDFD_SEND_SIGNAL, refuse, Refused("no process descriptors")),
];

fn signal_of(number: i32) -> Result<u32, Errno> {
    u32::try_from(number).ok().filter(|n| (1..=NSIG).contains(n)).ok_or(Errno::EINVAL)
}

fn check_set_size(call: &Call<'_>, n: usize) -> Result<(), Errno> {
    if call.size(n) == 8 { Ok(()) } else { Err(Errno::EINVAL) }
}

/// sigaction(2).
fn rt_sigaction(call: &mut Call<'_>) -> Result<i64, Errno> {
    check_set_size(call, 3)?;
    let signal = signal_of(call.int(0))?;
    let (new, old) = (call.addr(1), call.addr(2));
    let action = if new.is_null() { None } else { Some(read_value::<SigAction>(new)?) };
    if action.is_some() && (signal == SIGKILL || signal == SIGSTOP) {
        return Err(Errno::EINVAL);
    }
    let process = &current().process;
    let before = {
        let mut actions = process.signals.actions.lock();
        let slot = &mut actions[signal as usize - 1];
        let before = *slot;
        if let Some(action) = action {
            *slot = SigAction { mask: SigSet(action.mask).maskable().0, ..action };
        }
        before
    };
    if action.is_some() && process.signals.disposition(signal) == super::Disposition::Ignore {
        // A signal that is now ignored is dropped even if it is pending (POSIX, sigaction).
        discard(signal);
    }
    if !old.is_null() {
        write_value(old, &before)?;
    }
    Ok(0)
}

fn discard(signal: u32) {
    let process = &current().process;
    let threads: alloc::vec::Vec<_> = process.threads.lock().values().cloned().collect();
    let set = SigSet::of(signal);
    let mut pending = process.signals.pending.lock();
    pending.discard(set);
    process.signals.bits.store(pending.set().0, Ordering::Release);
    drop(pending);
    for thread in threads {
        let mut pending = thread.signals.pending.lock();
        pending.discard(set);
        thread.signals.bits.store(pending.set().0, Ordering::Release);
    }
}

/// sigprocmask(2).
fn rt_sigprocmask(call: &mut Call<'_>) -> Result<i64, Errno> {
    check_set_size(call, 3)?;
    let thread = current();
    let before = thread.signals.mask();
    if !call.addr(1).is_null() {
        let set = SigSet(read_value::<u64>(call.addr(1))?);
        thread.signals.set_mask(match call.uint(0) {
            SIG_BLOCK => before.with(set),
            SIG_UNBLOCK => before.without(set),
            SIG_SETMASK => set,
            _ => return Err(Errno::EINVAL),
        });
    }
    if !call.addr(2).is_null() {
        write_value(call.addr(2), &before.0)?;
    }
    Ok(0)
}

/// sigreturn(2).
fn rt_sigreturn(call: &mut Call<'_>) -> Result<i64, Errno> {
    if frame::pop(&current(), call.context).is_err() {
        exit_process(128 + SIGSEGV as u8);
    }
    Ok(call.context.regs.rax as i64)
}

/// sigpending(2).
fn rt_sigpending(call: &mut Call<'_>) -> Result<i64, Errno> {
    if call.size(1) > 8 {
        return Err(Errno::EINVAL);
    }
    let thread = current();
    let waiting = thread.signals.bits.load(Ordering::Acquire) | thread.process.signals.bits.load(Ordering::Acquire);
    let blocked = waiting & thread.signals.mask().0;
    write_value(call.addr(0), &blocked)?;
    Ok(0)
}

/// sigsuspend(2).
fn rt_sigsuspend(call: &mut Call<'_>) -> Result<i64, Errno> {
    check_set_size(call, 1)?;
    let mask = SigSet(read_value::<u64>(call.addr(0))?);
    current().signals.set_temporary_mask(mask);
    wait_for_signal()
}

/// pause(2).
fn pause(_: &mut Call<'_>) -> Result<i64, Errno> {
    wait_for_signal()
}

fn wait_for_signal() -> Result<i64, Errno> {
    let thread = current();
    while !crate::task::signal_pending() {
        thread.parker.park(None);
    }
    Err(Errno::ERESTARTNOHAND)
}

/// sigtimedwait(2).
fn rt_sigtimedwait(call: &mut Call<'_>) -> Result<i64, Errno> {
    check_set_size(call, 3)?;
    let wanted = SigSet(read_value::<u64>(call.addr(0))?).maskable();
    let deadline = crate::time::deadline_from_user(call.addr(2))?;
    let thread = current();
    let attempt = || {
        super::drain_external();
        take_for_fd(&thread, wanted).ok_or(Errno::EAGAIN)
    };
    let info = match block_on(super::watch(&thread.process), deadline, attempt) {
        Err(Errno::ERESTARTSYS) => return Err(Errno::EINTR),
        other => other?,
    };
    if !call.addr(1).is_null() {
        write_value(call.addr(1), &info.0)?;
    }
    Ok(info.signal().into())
}

/// Reads the information that a program sends along; it may not pretend to come from the kernel.
fn read_info(call: &Call<'_>, n: usize, signal: i32) -> Result<Info, Errno> {
    let mut info: SigInfo = read_value(call.addr(n))?;
    if info.code >= 0 || info.code == SI_TKILL {
        return Err(Errno::EPERM);
    }
    info.signo = signal;
    Ok(Info(info))
}

/// rt_sigqueueinfo(2).
fn rt_sigqueueinfo(call: &mut Call<'_>) -> Result<i64, Errno> {
    let signal = signal_of(call.int(1))?;
    let info = read_info(call, 2, signal as i32)?;
    let process = &current().process;
    if call.uint(0) != process.pid {
        return Err(Errno::ESRCH);
    }
    send_to_process(process, info);
    Ok(0)
}

/// rt_tgsigqueueinfo(2).
fn rt_tgsigqueueinfo(call: &mut Call<'_>) -> Result<i64, Errno> {
    let signal = signal_of(call.int(2))?;
    let info = read_info(call, 3, signal as i32)?;
    send_in(call.int(0), call.int(1), Some(info))
}

/// kill(2).
fn kill(call: &mut Call<'_>) -> Result<i64, Errno> {
    let (pid, number) = (call.int(0), call.int(1));
    let process = &current().process;
    let own = process.pid as i32;
    if number != 0 {
        signal_of(number)?;
    }
    if pid != own && pid != 0 && pid != -own {
        return Err(Errno::ESRCH);
    }
    if number != 0 {
        let uid = process.creds.lock().ruid;
        send_to_process(process, Info::user(number as u32, process.pid, uid));
    }
    Ok(0)
}

/// tkill(2).
fn tkill(call: &mut Call<'_>) -> Result<i64, Errno> {
    let pid = current().process.pid as i32;
    send_numbered(pid, call.int(0), call.int(1))
}

/// tgkill(2).
fn tgkill(call: &mut Call<'_>) -> Result<i64, Errno> {
    send_numbered(call.int(0), call.int(1), call.int(2))
}

fn send_numbered(tgid: i32, tid: i32, number: i32) -> Result<i64, Errno> {
    let info = if number == 0 { None } else { Some(Info::tkill(signal_of(number)?)) };
    send_in(tgid, tid, info)
}

fn send_in(tgid: i32, tid: i32, info: Option<Info>) -> Result<i64, Errno> {
    if tgid <= 0 || tid <= 0 {
        return Err(Errno::EINVAL);
    }
    let process = &current().process;
    let thread = process.threads.lock().get(&(tid as u32)).cloned();
    let thread = thread.filter(|_| tgid as u32 == process.pid).ok_or(Errno::ESRCH)?;
    if let Some(info) = info {
        send_to_thread(&thread, info);
    }
    Ok(0)
}

/// sigaltstack(2).
fn sigaltstack(call: &mut Call<'_>) -> Result<i64, Errno> {
    let thread = current();
    let sp = call.context.regs.rsp;
    let mut stack = thread.signals.stack.lock();
    let on = stack.size > 0 && frame::on_stack(&stack, sp);
    let before = Stack { flags: stack.flags | if on { SS_ONSTACK } else { 0 }, ..*stack };
    if !call.addr(0).is_null() {
        let new: Stack = read_value(call.addr(0))?;
        if on {
            return Err(Errno::EPERM);
        }
        *stack = match new.flags & !SS_AUTODISARM {
            SS_DISABLE => Stack { flags: SS_DISABLE, ..Stack::zeroed() },
            0 | SS_ONSTACK if new.size < MINSIGSTKSZ => return Err(Errno::ENOMEM),
            0 | SS_ONSTACK => Stack { flags: new.flags & SS_AUTODISARM, pad: 0, ..new },
            _ => return Err(Errno::EINVAL),
        };
    }
    drop(stack);
    if !call.addr(1).is_null() {
        write_value(call.addr(1), &before)?;
    }
    Ok(0)
}
