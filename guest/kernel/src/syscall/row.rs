use linux_abi::Errno;

use crate::syscall::Call;

/// Serves one call; the result is what the application sees in `rax`.
pub(crate) type Handler = fn(&mut Call<'_>) -> Result<i64, Errno>;

/// How far a call is supported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Support {
    /// As the manual page says.
    Full,
    /// With what is missing.
    Partial(&'static str),
    /// Not at all, with the reason; the handler gives the error that Linux would give.
    Refused(&'static str),
}

/// One line of the table.
#[derive(Clone, Copy)]
pub(crate) struct Row {
    pub(crate) number: u32,
    pub(crate) handler: Handler,
    pub(crate) support: Support,
}

/// A [`Row`]: `row(nr::READ, read, Support::Full)`.
pub(crate) const fn row(number: u32, handler: Handler, support: Support) -> Row {
    Row { number, handler, support }
}
