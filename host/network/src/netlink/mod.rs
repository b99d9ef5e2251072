//! The little of netlink(7) that the network needs: several requests in one send, their answers, dumps.
//!
//! Interfaces, addresses and routes (rtnetlink(7)) and nftables (nfnetlink) share this layer.

mod attribute;
mod batch;
mod socket;

pub(crate) use attribute::{Attributes, find, text, u32_ne};
pub(crate) use batch::{Batch, Nest};
pub use socket::NetlinkError;
pub(crate) use socket::{Message, Socket};
