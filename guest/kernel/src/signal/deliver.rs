//! What happens to pending signals on the way back to the application.

use linux_abi::Errno;
use linux_abi::signal::*;
use platform::{Trap, TrapKind, UserContext};

use crate::machine::machine;
use crate::signal::send::{deliverable, take_next};
use crate::signal::{Disposition, Info, SigSet, frame};
use crate::task::{Thread, current, exit_process};
use crate::time::service;

/// A call that a signal interrupted: its number and whether it wants to be made again.
#[derive(Clone, Copy)]
pub(crate) struct Interrupted {
    /// The number in `rax`.
    pub(crate) number: u64,
    /// `ERESTARTSYS` or `ERESTARTNOHAND`.
    pub(crate) error: Errno,
}

/// Delivers what the current thread does not block. Called last before the return to the application.
pub(crate) fn deliver(context: &mut UserContext, interrupted: Option<Interrupted>, trap: Option<&Trap>) {
    let thread = current();
    let (mut interrupted, mut trap) = (interrupted, trap);
    super::drain_external();
    while !deliverable(&thread).is_empty() {
        let Some(info) = take_next(&thread) else { break };
        match thread.process.signals.disposition(info.signal()) {
            Disposition::Ignore | Disposition::Stop => {}
            Disposition::Terminate => die(&info, context),
            Disposition::Handle(action) => {
                if let Some(call) = interrupted.take() {
                    let again = call.error == Errno::ERESTARTSYS && action.flags & SA_RESTART != 0;
                    finish_call(context, call, again);
                }
                handle(&thread, context, &action, &info, trap.take());
            }
        }
    }
    // No handler ran: the call is made again as if nothing had happened.
    if let Some(call) = interrupted {
        finish_call(context, call, true);
    }
    if let Some(mask) = thread.signals.take_saved() {
        thread.signals.set_mask(mask);
    }
}

fn finish_call(context: &mut UserContext, call: Interrupted, again: bool) {
    if again {
        context.regs.rip = machine().restart_rip(context.regs.rip);
        context.regs.rax = call.number;
    } else {
        context.regs.rax = Errno::EINTR.to_return() as u64;
    }
    context.full_restore = 1;
}

fn handle(thread: &Thread, context: &mut UserContext, action: &SigAction, info: &Info, trap: Option<&Trap>) {
    let return_mask = thread.signals.take_saved().unwrap_or_else(|| thread.signals.mask());
    if frame::push(thread, context, action, info, return_mask, trap).is_err() {
        die(&Info::kernel(SIGSEGV), context);
    }
    let own = if action.flags & SA_NODEFER == 0 { SigSet::of(info.signal()) } else { SigSet::EMPTY };
    // With a temporary mask (sigsuspend(2)) the handler runs under that one, as in Linux.
    thread.signals.set_mask(thread.signals.mask().with(SigSet(action.mask)).with(own));
    if action.flags & SA_RESETHAND != 0 {
        thread.process.signals.actions.lock()[info.signal() as usize - 1].handler = SIG_DFL;
    }
}

/// The default action that ends the process.
fn die(info: &Info, context: &UserContext) -> ! {
    let signal = info.signal();
    if matches!(signal, SIGSEGV | SIGBUS | SIGILL | SIGFPE | SIGTRAP | SIGSYS | SIGABRT) {
        let (rip, addr) = (machine().original_rip(context.regs.rip), info.0.fields[0]);
        let name = NAMES[signal as usize - 1];
        machine().log(&alloc::format!("coracle: the program was ended by {name} at {rip:#x} (address {addr:#x})\n"));
    }
    exit_process(128 + signal as u8)
}

/// Turns an exception into a signal and delivers it.
pub(crate) fn trapped(context: &mut UserContext, trap: &Trap) {
    let thread = current();
    if service::is_service(&thread) {
        service::run();
    }
    let info = info_of(trap);
    let signal = info.signal();
    // A fault cannot be ignored or put off (signal(7)).
    let ignored = thread.process.signals.disposition(signal) == Disposition::Ignore;
    if ignored || thread.signals.mask().has(signal) {
        die(&info, context);
    }
    super::send_to_thread(&thread.arc(), info);
    deliver(context, None, Some(trap));
}

fn info_of(trap: &Trap) -> Info {
    let addr = trap.addr.0;
    match trap.kind {
        TrapKind::NotMapped | TrapKind::Protection => fault_info(trap),
        TrapKind::Bus => Info::fault(SIGBUS, BUS_ADRERR, addr),
        TrapKind::IllegalInstruction => Info::fault(SIGILL, ILL_ILLOPN, addr),
        TrapKind::Arithmetic => Info::fault(SIGFPE, FPE_INTDIV, addr),
        TrapKind::Debug => Info::fault(SIGTRAP, TRAP_BRKPT, addr),
        TrapKind::Other => Info::kernel(SIGSEGV),
    }
}

/// The processor's error code: the access was a write, or an instruction fetch.
const WRITE_ACCESS: u64 = 2;
const FETCH: u64 = 16;

fn fault_info(trap: &Trap) -> Info {
    let addr = trap.addr.0;
    let allowed = current().process.mm.protection(addr).map(|prot| match trap.error_code {
        code if code & FETCH != 0 => prot.exec,
        code if code & WRITE_ACCESS != 0 => prot.write,
        _ => prot.read,
    });
    match allowed {
        None => Info::fault(SIGSEGV, SEGV_MAPERR, addr),
        Some(false) => Info::fault(SIGSEGV, SEGV_ACCERR, addr),
        // The mapping allows it, so the page lies behind the end of the mapped file.
        Some(true) => Info::fault(SIGBUS, BUS_ADRERR, addr),
    }
}
