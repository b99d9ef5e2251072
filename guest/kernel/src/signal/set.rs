use linux_abi::signal::{SIGKILL, SIGSTOP};

/// A set of signals, as the 64-bit `sigset_t` of the kernel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct SigSet(pub(crate) u64);

impl SigSet {
    /// No signal.
    pub(crate) const EMPTY: Self = Self(0);

    /// One signal (1 to 64).
    pub(crate) const fn of(signal: u32) -> Self {
        Self(1 << (signal - 1))
    }

    /// Whether a signal is in it.
    pub(crate) const fn has(self, signal: u32) -> bool {
        self.0 & Self::of(signal).0 != 0
    }

    /// The signals of either set.
    pub(crate) const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The signals of this set that are not in the other.
    pub(crate) const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// A mask: what cannot be blocked is taken out.
    pub(crate) const fn maskable(self) -> Self {
        self.without(Self::of(SIGKILL)).without(Self::of(SIGSTOP))
    }

    /// Whether there is none.
    pub(crate) const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The signal that is delivered first: synchronous ones before the rest, then by number.
    pub(crate) const fn first(self) -> Option<u32> {
        /// SIGSEGV, SIGBUS, SIGILL, SIGTRAP, SIGFPE, SIGSYS: what the thread's own instruction caused.
        const SYNCHRONOUS: u64 = (1 << 10) | (1 << 6) | (1 << 3) | (1 << 4) | (1 << 7) | (1 << 30);
        let set = if self.0 & SYNCHRONOUS != 0 { self.0 & SYNCHRONOUS } else { self.0 };
        if set == 0 { None } else { Some(set.trailing_zeros() + 1) }
    }
}
