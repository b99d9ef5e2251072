//! The system call table and its dispatcher.
//!
//! Each family has its own table of [`Row`]s beside its handlers; [`dispatch::TABLE`] is merged from them when the kernel is
//! compiled, and the published compatibility page is printed from the same rows.

mod call;
mod dispatch;
mod row;
pub(crate) mod trace;

pub(crate) use call::Call;
pub use dispatch::table;
pub(crate) use dispatch::{dispatch, refuse, unknown_calls};
pub use row::Support;
pub(crate) use row::{Handler, Row, row};
