use core::fmt;

/// The size of a page in bytes.
pub const PAGE_SIZE: u64 = 4096;

/// Rounds down to a page boundary.
pub const fn page_down(value: u64) -> u64 {
    value & !(PAGE_SIZE - 1)
}

/// Rounds up to a page boundary; `None` where that leaves 64 bits.
pub const fn page_up(value: u64) -> Option<u64> {
    match value.checked_add(PAGE_SIZE - 1) {
        Some(v) => Some(page_down(v)),
        None => None,
    }
}

/// An address as the application gave it: an allegation, not yet known to be mapped or even to be the application's.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[repr(transparent)]
pub struct UserAddr(pub u64);

impl UserAddr {
    /// The null pointer.
    pub const NULL: Self = Self(0);

    /// Whether it is the null pointer.
    pub const fn is_null(self) -> bool {
        self.0 == 0
    }

    /// The address `offset` bytes further on; wraps to one that no access accepts.
    pub const fn add(self, offset: u64) -> Self {
        Self(self.0.wrapping_add(offset))
    }
}

impl fmt::Debug for UserAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}", self.0)
    }
}

/// A half-open range of page-aligned application addresses.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct UserRange {
    /// First address.
    pub start: u64,
    /// First address behind it.
    pub end: u64,
}

impl UserRange {
    /// The range of `len` bytes from `start`; `None` if it is empty, unaligned or wraps. `len` is rounded up to whole pages.
    pub const fn new(start: u64, len: u64) -> Option<Self> {
        if start != page_down(start) || len == 0 {
            return None;
        }
        match page_up(len) {
            None => None,
            Some(len) => match start.checked_add(len) {
                Some(end) => Some(Self { start, end }),
                None => None,
            },
        }
    }

    /// Its length in bytes.
    pub const fn len(self) -> u64 {
        self.end - self.start
    }

    /// Whether it holds nothing (never true of a range made by [`UserRange::new`]).
    pub const fn is_empty(self) -> bool {
        self.start == self.end
    }

    /// Whether the address lies in it.
    pub const fn contains(self, addr: u64) -> bool {
        self.start <= addr && addr < self.end
    }
}

impl fmt::Debug for UserRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}..{:#x}", self.start, self.end)
    }
}
