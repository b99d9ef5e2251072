//! Access to the application's memory. A pointer from the application is an allegation: making one of these types checks
//! nothing but wrap-around; each access is a step of its own that can fail with `EFAULT`.

mod iovec;
mod user;

pub(crate) use iovec::{Sink, Source};
pub(crate) use linux_abi::Pod;
pub(crate) use user::{read_cstr, read_slice, read_value, write_slice, write_value};
