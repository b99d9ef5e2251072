//! Delivery into frames on real pages, and back.

use linux_abi::signal::*;
use linux_abi::{Errno, Pod, nr};
use platform::{UserAddr, UserContext};

use crate::mem::{read_value, write_value};
use crate::signal::{Interrupted, SigSet, deliver};
use crate::task::current;
use crate::testing::page;
use crate::vfs::testing::{call, process};

const HANDLER: u64 = 0x1234_5678;
const RESTORER: u64 = 0x8765_4321;

fn install(signal: u32, flags: u64, mask: u64) {
    let at = page();
    let action = SigAction { handler: HANDLER, flags: flags | SA_RESTORER, restorer: RESTORER, mask };
    write_value(at, &action).unwrap();
    assert_eq!(call(nr::RT_SIGACTION, &[signal.into(), at.0, 0, 8]), Ok(0));
}

/// A thread in the application with a stack.
fn context() -> UserContext {
    let mut context = UserContext::default();
    context.regs.rsp = page().0 + 4096;
    context.regs.rip = 0x40_1000;
    context.regs.rbx = 77;
    context
}

fn raise(signal: u32) {
    let thread = current();
    let args = [thread.process.pid.into(), thread.tid.into(), signal.into()];
    assert_eq!(call(nr::TGKILL, &args), Ok(0));
}

/// What sigreturn leaves.
fn go_back(context: &mut UserContext) {
    // The handler's `ret` takes the return address away.
    context.regs.rsp += 8;
    context.regs.rax = nr::RT_SIGRETURN.into();
    crate::syscall::dispatch(context).unwrap();
}

#[test]
fn a_handler_runs_and_returns() {
    process();
    install(SIGUSR1, 0, SigSet::of(SIGUSR2).0);
    let before = context();
    let mut context = before;
    raise(SIGUSR1);
    deliver(&mut context, None, None);
    assert_eq!((context.regs.rip, context.regs.rdi), (HANDLER, SIGUSR1.into()));
    let frame: RtSigFrame = read_value(UserAddr(context.regs.rsp)).unwrap();
    assert_eq!((frame.restorer, frame.info.signo, frame.info.code), (RESTORER, SIGUSR1 as i32, SI_TKILL));
    assert!(context.regs.rsp + 128 + 440 < before.regs.rsp, "below the red zone");
    let mask = current().signals.mask();
    assert!(mask.has(SIGUSR1) && mask.has(SIGUSR2));
    go_back(&mut context);
    assert_eq!(context.regs, before.regs);
    assert_eq!(current().signals.mask(), SigSet::EMPTY);
}

#[test]
fn what_a_handler_does_to_an_interrupted_call() {
    process();
    let call_of = |error| Some(Interrupted { number: nr::READ.into(), error });
    let cases = [
        (0, Errno::ERESTARTSYS, false),
        (SA_RESTART, Errno::ERESTARTSYS, true),
        (SA_RESTART, Errno::ERESTARTNOHAND, false),
    ];
    for (flags, error, again) in cases {
        install(SIGUSR1, flags, 0);
        let mut context = context();
        raise(SIGUSR1);
        deliver(&mut context, call_of(error), None);
        go_back(&mut context);
        let expected = if again { (0x40_0ffe, nr::READ.into()) } else { (0x40_1000, Errno::EINTR.to_return() as u64) };
        assert_eq!((context.regs.rip, context.regs.rax), expected, "{flags:#x} {error}");
    }
    let mut context = context();
    deliver(&mut context, call_of(Errno::ERESTARTNOHAND), None);
    assert_eq!((context.regs.rip, context.regs.rax), (0x40_0ffe, nr::READ.into()), "no handler");
}

#[test]
fn blocked_signals_wait_and_real_time_ones_queue() {
    process();
    install(SIGUSR1, 0, 0);
    install(40, 0, 0);
    let thread = current();
    thread.signals.set_mask(SigSet(u64::MAX));
    assert!(!thread.signals.mask().has(SIGKILL) && !thread.signals.mask().has(SIGSTOP));
    for signal in [SIGUSR1, SIGUSR1, 40, 40] {
        raise(signal);
    }
    assert!(!crate::task::signal_pending());
    let mut context = context();
    let start = context.regs.rip;
    deliver(&mut context, None, None);
    assert_eq!(context.regs.rip, start);
    let mut taken = std::vec::Vec::new();
    while let Some(info) = crate::signal::take_for_fd(&thread, SigSet(u64::MAX)) {
        taken.push(info.signal());
    }
    assert_eq!(taken, [SIGUSR1, 40, 40]);
}

#[test]
fn a_temporary_mask_is_gone_after_the_call() {
    process();
    install(SIGUSR1, 0, 0);
    let thread = current();
    thread.signals.set_mask(SigSet::of(SIGUSR1));
    raise(SIGUSR1);
    thread.signals.set_temporary_mask(SigSet::EMPTY);
    let mut context = context();
    deliver(&mut context, None, None);
    assert_eq!(context.regs.rip, HANDLER);
    go_back(&mut context);
    assert_eq!(thread.signals.mask(), SigSet::of(SIGUSR1));
}

#[test]
fn damaged_frames_are_refused() {
    process();
    install(SIGUSR1, 0, 0);
    let mut context = context();
    raise(SIGUSR1);
    deliver(&mut context, None, None);
    let frame: RtSigFrame = read_value(UserAddr(context.regs.rsp)).unwrap();
    // Flags that programs must not set, and vector state that is none.
    let mut wild = frame;
    wild.uc.mcontext.flags = u64::MAX;
    write_value(UserAddr(context.regs.rsp), &wild).unwrap();
    let sp = context.regs.rsp;
    go_back(&mut context);
    assert_eq!(context.regs.rflags & (3 << 12 | 1 << 9 | 1 << 17), 0, "I/O privilege, interrupts, virtual 8086");
    write_value(UserAddr(frame.uc.mcontext.fpstate), &[0u8; 64]).unwrap();
    context.regs.rsp = sp + 8;
    assert_eq!(crate::signal::frame::pop(&current(), &mut context), Err(Errno::EFAULT));
    context.regs.rsp = 16;
    assert_eq!(crate::signal::frame::pop(&current(), &mut context), Err(Errno::EFAULT));
    assert_eq!(Stack::zeroed().size, 0);
}
