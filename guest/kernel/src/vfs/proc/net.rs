//! /proc/net: the tables that libraries look for. Sockets are not listed.

use alloc::format;
use alloc::string::String;

use linux_abi::Errno;

use super::{Node, Subject};
use crate::machine::machine;

macro_rules! table {
    ($header:expr) => {
        Node::Text(|_| Ok(concat!($header, "\n").into()))
    };
}

pub(super) const ROOT: Node = Node::Fixed(&[
    ("arp", table!("IP address       HW type     Flags       HW address            Mask     Device")),
    ("dev", Node::Text(dev)),
    ("if_inet6", Node::Text(|_| Ok(String::new()))),
    (
        "raw",
        table!(
            "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops"
        ),
    ),
    ("route", Node::Text(route)),
    ("tcp", table!("  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode")),
    (
        "tcp6",
        table!(
            "  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode"
        ),
    ),
    (
        "udp",
        table!(
            "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops"
        ),
    ),
    (
        "udp6",
        table!(
            "  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops"
        ),
    ),
    ("unix", table!("Num       RefCount Protocol Flags    Type St Inode Path")),
]);

fn dev(_: &Subject) -> Result<String, Errno> {
    let mut text = String::from(
        "Inter-|   Receive                                                |  Transmit\n \
         face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed\n",
    );
    let zeros = "       0       0    0    0    0     0          0         0        0       0    0    0    0     0       0          0\n";
    text.push_str(&format!("    lo: {zeros}"));
    if machine().boot_info().network.is_some() {
        text.push_str(&format!("  eth0: {zeros}"));
    }
    Ok(text)
}

fn route(_: &Subject) -> Result<String, Errno> {
    let mut text =
        String::from("Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n");
    if let Some(network) = machine().boot_info().network {
        let mask = u32::MAX.checked_shl(32 - u32::from(network.prefix.min(32))).unwrap_or(0);
        let number = |address: u32| u32::from_le_bytes(address.to_be_bytes());
        let gateway = number(u32::from_be_bytes(network.gateway));
        let subnet = number(u32::from_be_bytes(network.address) & mask);
        let mask = number(mask);
        text.push_str(&format!("eth0\t00000000\t{gateway:08X}\t0003\t0\t0\t0\t00000000\t0\t0\t0\n"));
        text.push_str(&format!("eth0\t{subnet:08X}\t00000000\t0001\t0\t0\t0\t{mask:08X}\t0\t0\t0\n"));
    }
    Ok(text)
}
