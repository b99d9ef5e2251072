use platform::{UserAddr, UserContext};

/// One system call being served: its arguments and the thread that made it.
pub(crate) struct Call<'a> {
    /// The six argument registers.
    pub(crate) args: [u64; 6],
    /// The registers of the thread, for the few calls that change more than the result (rt_sigreturn, clone, execve).
    pub(crate) context: &'a mut UserContext,
}

impl Call<'_> {
    /// Argument `n` as an address.
    pub(crate) fn addr(&self, n: usize) -> UserAddr {
        UserAddr(self.args[n])
    }

    /// Argument `n` as an `int`.
    pub(crate) fn int(&self, n: usize) -> i32 {
        self.args[n] as i32
    }

    /// Argument `n` as an `unsigned int` (flags, modes).
    pub(crate) fn uint(&self, n: usize) -> u32 {
        self.args[n] as u32
    }

    /// Argument `n` as a `size_t`.
    pub(crate) fn size(&self, n: usize) -> usize {
        self.args[n] as usize
    }
}
