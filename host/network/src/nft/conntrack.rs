//! Forgetting UDP flows of a published port, linux/netfilter/nfnetlink_conntrack.h.
//!
//! The kernel translates a flow as it did the flow's first packet. UDP has no end of connection, so a client that keeps sending
//! would keep reaching an instance that is gone, or the host where an instance has come.

use super::{HEADER, Table};
use crate::netlink::{Batch, Message, NetlinkError, find};

/// `NFNL_SUBSYS_CTNETLINK` with `IPCTNL_MSG_CT_GET` and `IPCTNL_MSG_CT_DELETE`.
const GET: u16 = 1 << 8 | 1;
const DELETE: u16 = 1 << 8 | 2;
/// `enum ctattr_type`, `ctattr_tuple`, `ctattr_l4proto`.
const TUPLE_ORIGINAL: u16 = 1;
const TUPLE_PROTOCOL: u16 = 2;
const PROTOCOL_NUMBER: u16 = 1;
const PROTOCOL_DESTINATION_PORT: u16 = 3;
/// The protocol number of UDP.
const UDP: u8 = 17;

impl Table<'_> {
    /// Makes the kernel look at the published ports anew for all UDP flows to these ports of the host.
    pub(crate) fn forget_udp_flows(&self, ports: &[u16]) -> Result<(), NetlinkError> {
        if ports.is_empty() {
            return Ok(());
        }
        let flows = match self.socket.dump("list the tracked connections", GET, &HEADER, |_| ()) {
            // A kernel without CONFIG_NF_CT_NETLINK: ports work all the same, only such clients have to wait 30 s.
            Err(error) if error.refusal().is_some() => return Ok(()),
            result => result?,
        };
        for tuple in flows.iter().filter_map(|flow| udp_tuple(flow, ports)) {
            let mut batch = Batch::new();
            batch.message("forget a tracked connection", DELETE, 0, &HEADER, |m| m.nested_bytes(TUPLE_ORIGINAL, tuple));
            batch.acknowledge_last();
            match self.socket.execute(&batch, batch.last_sequence()) {
                // It ended by itself.
                Err(error) if error.refusal() == Some(rustix::io::Errno::NOENT) => {}
                result => result?,
            }
        }
        Ok(())
    }
}

/// The direction of the first packet, if that was a UDP packet to one of the ports.
fn udp_tuple<'a>(flow: &'a Message, ports: &[u16]) -> Option<&'a [u8]> {
    let tuple = find(flow.payload.get(HEADER.len()..)?, TUPLE_ORIGINAL)?;
    let protocol = find(tuple, TUPLE_PROTOCOL)?;
    let port = u16::from_be_bytes(find(protocol, PROTOCOL_DESTINATION_PORT)?.try_into().ok()?);
    let is_udp = find(protocol, PROTOCOL_NUMBER)? == [UDP];
    (is_udp && ports.contains(&port)).then_some(tuple)
}
