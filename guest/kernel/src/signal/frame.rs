//! Signal frames: what a handler finds on its stack, and the way back (sigreturn(2); `arch/x86/kernel/signal_64.c`).

use linux_abi::Errno;
use linux_abi::signal::*;
use platform::{Trap, UserAddr, UserContext};

use crate::machine::machine;
use crate::mem::{read_value, write_value};
use crate::signal::{Info, SigSet};
use crate::task::Thread;

/// The bytes below the stack pointer that belong to the interrupted function (System V ABI).
const RED_ZONE: u64 = 128;
/// Flags that programs may change: CF PF AF ZF SF TF DF OF NT AC.
const USER_FLAGS: u64 = 0x0004_4dd5;
/// DF, TF and RF are clear when a handler starts.
const HANDLER_CLEARS: u64 = 0x0001_0500;
/// The selectors of 64-bit programs.
const USER_CS: u16 = 0x33;
const USER_SS: u16 = 0x2b;

/// The smallest stack on which a signal can be delivered (`AT_MINSIGSTKSZ`).
pub(crate) fn min_stack(vector_state: usize) -> u64 {
    (size_of::<RtSigFrame>() + vector_state + 64 + 16) as u64
}

/// Whether an address lies on the alternate stack.
pub(super) fn on_stack(stack: &Stack, sp: u64) -> bool {
    stack.flags & SS_AUTODISARM == 0 && sp > stack.sp && sp - stack.sp <= stack.size
}

/// Makes the frame of a handler and turns the context to it. The error means that there is no room for it: SIGSEGV.
pub(super) fn push(
    thread: &Thread,
    context: &mut UserContext,
    action: &SigAction,
    info: &Info,
    return_mask: SigSet,
    trap: Option<&Trap>,
) -> Result<(), Errno> {
    if action.flags & SA_RESTORER == 0 {
        return Err(Errno::EFAULT);
    }
    let mut stack = thread.signals.stack.lock();
    let sp = context.regs.rsp;
    let enabled = stack.size > 0 && stack.flags & SS_DISABLE == 0;
    let top = match action.flags & SA_ONSTACK != 0 && enabled && !on_stack(&stack, sp) {
        true => stack.sp + stack.size,
        false => sp.wrapping_sub(RED_ZONE),
    };
    let m = machine();
    let state = top.wrapping_sub(m.vector_state_size() as u64) & !63;
    let at = (state.wrapping_sub(size_of::<RtSigFrame>() as u64) & !15).wrapping_sub(8);
    m.save_vector_state(UserAddr(state))?;
    let mcontext = registers(context, state, return_mask, trap);
    let flags = UC_FP_XSTATE | UC_SIGCONTEXT_SS | UC_STRICT_RESTORE_SS;
    let uc = UContext { flags, link: 0, stack: *stack, mcontext, sigmask: return_mask.0 };
    write_value(UserAddr(at), &RtSigFrame { restorer: action.restorer, uc, info: info.0 })?;
    if stack.flags & SS_AUTODISARM != 0 {
        *stack = Stack { sp: 0, flags: SS_DISABLE, pad: 0, size: 0 };
    }
    enter(context, action.handler, info.signal(), at);
    Ok(())
}

fn registers(context: &UserContext, fpstate: u64, mask: SigSet, trap: Option<&Trap>) -> SigContext {
    let r = &context.regs;
    SigContext {
        r8: r.r8,
        r9: r.r9,
        r10: r.r10,
        r11: r.r11,
        r12: r.r12,
        r13: r.r13,
        r14: r.r14,
        r15: r.r15,
        di: r.rdi,
        si: r.rsi,
        bp: r.rbp,
        bx: r.rbx,
        dx: r.rdx,
        ax: r.rax,
        cx: r.rcx,
        sp: r.rsp,
        ip: machine().original_rip(r.rip),
        flags: r.rflags,
        cs: USER_CS,
        gs: 0,
        fs: 0,
        ss: USER_SS,
        err: trap.map_or(0, |t| t.error_code),
        trapno: trap.map_or(0, |t| t.number),
        oldmask: mask.0,
        cr2: trap.map_or(0, |t| t.addr.0),
        fpstate,
        reserved: [0; 8],
    }
}

fn enter(context: &mut UserContext, handler: u64, signal: u32, frame: u64) {
    let r = &mut context.regs;
    r.rdi = signal.into();
    r.rsi = frame + core::mem::offset_of!(RtSigFrame, info) as u64;
    r.rdx = frame + core::mem::offset_of!(RtSigFrame, uc) as u64;
    r.rax = 0;
    r.rip = handler;
    r.rsp = frame;
    r.rflags &= !HANDLER_CLEARS;
    context.full_restore = 1;
}

/// Goes back to what the frame above the stack pointer holds. The error means a malformed frame: SIGSEGV.
pub(super) fn pop(thread: &Thread, context: &mut UserContext) -> Result<(), Errno> {
    let uc: UContext = read_value(UserAddr(context.regs.rsp))?;
    let c = &uc.mcontext;
    if c.fpstate != 0 {
        machine().load_vector_state(UserAddr(c.fpstate))?;
    }
    let r = &mut context.regs;
    (r.r8, r.r9, r.r10, r.r11) = (c.r8, c.r9, c.r10, c.r11);
    (r.r12, r.r13, r.r14, r.r15) = (c.r12, c.r13, c.r14, c.r15);
    (r.rdi, r.rsi, r.rbp, r.rbx) = (c.di, c.si, c.bp, c.bx);
    (r.rdx, r.rax, r.rcx, r.rsp) = (c.dx, c.ax, c.cx, c.sp);
    r.rip = machine().resume_rip(c.ip);
    r.rflags = r.rflags & !USER_FLAGS | c.flags & USER_FLAGS;
    context.full_restore = 1;
    thread.signals.set_mask(SigSet(uc.sigmask));
    let mut stack = thread.signals.stack.lock();
    if uc.stack.flags & !SS_AUTODISARM == 0 || uc.stack.flags & SS_DISABLE != 0 {
        *stack = Stack { flags: uc.stack.flags & (SS_DISABLE | SS_AUTODISARM), ..uc.stack };
    }
    Ok(())
}

const _: () = assert!(core::mem::offset_of!(RtSigFrame, info) == 312);
const _: () = assert!(size_of::<SigContext>() == 256);

#[cfg(test)]
mod tests {
    use linux_abi::Pod as _;

    use super::*;

    #[test]
    fn registers_survive_the_frame() {
        crate::testing::setup();
        let mut context = UserContext::default();
        context.regs.rax = 1;
        context.regs.rsp = 2;
        context.regs.rflags = 0x246;
        let trap = Trap { kind: platform::TrapKind::NotMapped, addr: UserAddr(0xdead), number: 14, error_code: 6 };
        let saved = registers(&context, 0x40, SigSet::of(SIGUSR1), Some(&trap));
        assert_eq!((saved.ax, saved.sp, saved.flags, saved.cr2, saved.trapno, saved.err), (1, 2, 0x246, 0xdead, 14, 6));
        assert_eq!(saved.oldmask, 1 << 9);
        assert_eq!(SigContext::zeroed().ip, 0);
    }

    #[test]
    fn handlers_start_with_an_aligned_stack_and_three_arguments() {
        let mut context = UserContext::default();
        context.regs.rflags = 0x10746;
        enter(&mut context, 0x1234, SIGUSR2, 0x7000_0008);
        let r = &context.regs;
        assert_eq!((r.rdi, r.rsi, r.rdx, r.rip, r.rsp), (12, 0x7000_0008 + 312, 0x7000_0010, 0x1234, 0x7000_0008));
        assert_eq!(r.rflags, 0x246);
        // As after a `call`: the return address is at the top.
        assert_eq!((r.rsp + 8) % 16, 0);
    }
}
