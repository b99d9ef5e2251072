use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use crate::netlink::{NetlinkError, Socket};

/// How many sockets are kept.
const KEPT: usize = 8;

/// Sockets to the packet filter that are closed late.
///
/// Closing one waits until the kernel has freed every element deleted meanwhile (`nft_rcv_nl_event` of the kernel's
/// nf_tables_api.c), some 15 ms. Kept until the network's owner ends, they have nothing to wait for any more, or nobody to wait.
/// A socket is never used a second time, so a forked process cannot take another one's answers.
#[derive(Debug, Clone, Default)]
pub(crate) struct LateClosedSockets(Arc<Mutex<VecDeque<Arc<Socket>>>>);

impl LateClosedSockets {
    pub(super) fn open(&self) -> Result<Arc<Socket>, NetlinkError> {
        let socket = Arc::new(Socket::netfilter()?);
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.push_back(Arc::clone(&socket));
        let oldest = if kept.len() > KEPT { kept.pop_front() } else { None };
        drop(kept);
        drop(oldest);
        Ok(socket)
    }
}
