//! From nothing to the first thread of the program.

use platform::{Kernel, Machine, Trap, UserContext};

struct Coracle;

static KERNEL: Coracle = Coracle;

/// Tells the kernel its machine and gives the machine its kernel. Called once, before anything else.
pub fn start(machine: &'static dyn Machine) -> &'static dyn Kernel {
    crate::machine::install(machine);
    &KERNEL
}

impl Kernel for Coracle {
    fn syscall(&self, context: &mut UserContext) {
        let result = crate::syscall::dispatch(context);
        context.regs.rax = match result {
            Ok(value) => value as u64,
            Err(error) => error.to_return() as u64,
        };
    }

    fn trap(&self, _context: &mut UserContext, _trap: &Trap) {}

    fn interrupt(&self, _context: &mut UserContext) {}

    fn post_signal(&self, signal: u32) {
        crate::signal::post_external(signal);
    }

    fn boot(&self) -> UserContext {
        UserContext::default()
    }
}
