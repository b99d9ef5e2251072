//! The packet filter: one nftables table per bridge, built over netlink in one transaction, linux/netfilter/nf_tables.h.
//!
//! Printed by nft(8) the table reads:
//!
//! ```text
//! table ip coracle0 {
//!     map at_any     { type inet_proto . inet_service : ipv4_addr . inet_service }
//!     map at_address { type ipv4_addr . inet_proto . inet_service : ipv4_addr . inet_service }
//!     chain guard       { type filter hook prerouting priority raw
//!                         iifname coracle0 ip daddr 127.0.0.0/8 drop
//!                         iifname coracle0 ip saddr 127.0.0.0/8 drop }
//!     chain prerouting  { type nat hook prerouting priority dstnat;  fib daddr type local jump published }
//!     chain output      { type nat hook output priority dstnat;      fib daddr type local jump published }
//!     chain published   { dnat to ip daddr . meta l4proto . th dport map @at_address
//!                         dnat to meta l4proto . th dport map @at_any }
//!     chain postrouting { type nat hook postrouting priority srcnat
//!                         oifname != coracle0 ip saddr SUBNET masquerade
//!                         oifname coracle0 ip saddr 127.0.0.0/8 masquerade
//!                         oifname coracle0 ip saddr SUBNET ct status dnat masquerade }
//!     chain forward     { type filter hook forward priority filter
//!                         oifname coracle0 iifname coracle0 accept
//!                         oifname coracle0 ct state established,related accept
//!                         oifname coracle0 ct status dnat accept
//!                         oifname coracle0 drop }
//! }
//! ```
//!
//! `guard` is there because a published port on the host's loopback needs `route_localnet` on the bridge, which would
//! otherwise let instances reach services that listen on the host's 127.0.0.1 only (CVE-2020-8558). `forward` keeps other hosts
//! from reaching ports that are not published. The last masquerade is for an instance that uses a published port of another
//! one (or its own): the answer must come back through the host.

mod conntrack;
mod expression;
mod published;
mod sockets;

use std::sync::Arc;

use rustix::io::Errno;

use self::expression::{ESTABLISHED_OR_RELATED, Rule, STATUS_DNAT, Verdict};
use crate::netlink::{Batch, NetlinkError, Socket};
use crate::{Lease, Subnet};

pub(crate) use published::{Element, PublishedMap};
pub(crate) use sockets::LateClosedSockets;

/// Message types: `NFNL_SUBSYS_NFTABLES` in the high byte, `enum nf_tables_msg_types` in the low one.
const SUBSYSTEM: u16 = 10;
const NEW_TABLE: u16 = SUBSYSTEM << 8;
const GET_TABLE: u16 = NEW_TABLE | 1;
const DELETE_TABLE: u16 = NEW_TABLE | 2;
const NEW_CHAIN: u16 = NEW_TABLE | 3;
const NEW_RULE: u16 = NEW_TABLE | 6;
const NEW_SET: u16 = NEW_TABLE | 9;
const NEW_ELEMENT: u16 = NEW_TABLE | 12;
const GET_ELEMENT: u16 = NEW_TABLE | 13;
const DELETE_ELEMENT: u16 = NEW_TABLE | 14;
/// `NFNL_MSG_BATCH_BEGIN` and `NFNL_MSG_BATCH_END` of linux/netfilter/nfnetlink.h.
const BATCH_BEGIN: u16 = 0x10;
const BATCH_END: u16 = 0x11;
const NLM_F_CREATE: u16 = 0x400;
const NLM_F_APPEND: u16 = 0x800;
/// `struct nfgenmsg`: `NFPROTO_IPV4`, version 0, no resource.
const HEADER: [u8; 4] = [2, 0, 0, 0];
/// Hooks of linux/netfilter.h with their priorities of linux/netfilter_ipv4.h.
const PREROUTING: u32 = 0;
const FORWARD: u32 = 2;
const LOCAL_OUT: u32 = 3;
const POSTROUTING: u32 = 4;
const PRIORITY_RAW: i32 = -300;
const PRIORITY_DSTNAT: i32 = -100;
const PRIORITY_FILTER: i32 = 0;
const PRIORITY_SRCNAT: i32 = 100;

/// The table of a bridge; it has the bridge's name.
#[derive(Debug)]
pub(crate) struct Table<'a> {
    socket: Arc<Socket>,
    bridge: &'a str,
}

impl<'a> Table<'a> {
    pub(crate) fn open(bridge: &'a str, sockets: &LateClosedSockets) -> Result<Self, NetlinkError> {
        Ok(Self { socket: sockets.open()?, bridge })
    }

    pub(crate) fn exists(&self) -> Result<bool, NetlinkError> {
        let mut batch = Batch::new();
        batch.message("look up the nftables table", GET_TABLE, 0, &HEADER, |m| m.text(1, self.bridge));
        match self.socket.get(&batch) {
            Ok(_) => Ok(true),
            Err(error) if error.refusal() == Some(Errno::NOENT) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Creates the table anew, with the ports of these leases, in one transaction.
    pub(crate) fn create(&self, subnet: Subnet, leases: &[Lease]) -> Result<(), NetlinkError> {
        let loopback = Subnet::containing(std::net::Ipv4Addr::LOCALHOST, 8).ok_or(NetlinkError::Malformed)?;
        let bridge = self.bridge;
        self.transaction(|batch| {
            // Creating an existing table is no error, so the pair deletes it whether it was there or not.
            for kind in [NEW_TABLE, DELETE_TABLE, NEW_TABLE] {
                let flags = if kind == NEW_TABLE { NLM_F_CREATE } else { 0 };
                batch.message("create the nftables table", kind, flags, &HEADER, |m| m.text(1, bridge));
            }
            for map in PublishedMap::ALL {
                self.map(batch, map);
            }
            self.chain(batch, "published", None);
            self.chain(batch, "guard", Some((PREROUTING, PRIORITY_RAW, "filter")));
            self.chain(batch, "prerouting", Some((PREROUTING, PRIORITY_DSTNAT, "nat")));
            self.chain(batch, "output", Some((LOCAL_OUT, PRIORITY_DSTNAT, "nat")));
            self.chain(batch, "postrouting", Some((POSTROUTING, PRIORITY_SRCNAT, "nat")));
            self.chain(batch, "forward", Some((FORWARD, PRIORITY_FILTER, "filter")));
            self.destination_rules(batch, loopback);
            self.source_rules(batch, subnet, loopback);
            self.forward_rules(batch);
            for lease in leases {
                self.elements(batch, NEW_ELEMENT, &Element::of(lease));
            }
        })
    }

    /// Deletes the table; not being there is no error.
    pub(crate) fn delete(&self) -> Result<(), NetlinkError> {
        self.transaction(|batch| {
            batch.message("create the nftables table", NEW_TABLE, NLM_F_CREATE, &HEADER, |m| m.text(1, self.bridge));
            batch.message("delete the nftables table", DELETE_TABLE, 0, &HEADER, |m| m.text(1, self.bridge));
        })
    }

    /// Adds a lease's published ports.
    pub(crate) fn publish(&self, lease: &Lease) -> Result<(), NetlinkError> {
        self.transaction(|batch| self.elements(batch, NEW_ELEMENT, &Element::of(lease)))
    }

    /// Removes published ports whether they are there or not.
    pub(crate) fn unpublish(&self, elements: &[Element]) -> Result<(), NetlinkError> {
        let result = self.transaction(|batch| {
            // Deleting what is not there would undo the whole transaction; adding what is there already is no error.
            self.elements(batch, NEW_ELEMENT, elements);
            self.elements(batch, DELETE_ELEMENT, elements);
        });
        match (result, elements) {
            // One of the ports is another instance's by now: that one stays.
            (Err(error), [_, _, ..]) if error.refusal() == Some(Errno::EXIST) => {
                elements.iter().try_for_each(|element| self.unpublish(std::slice::from_ref(element)))
            }
            (Err(error), _) if matches!(error.refusal(), Some(Errno::NOENT | Errno::EXIST)) => Ok(()),
            (result, _) => result,
        }
    }

    fn destination_rules(&self, batch: &mut Batch, loopback: Subnet) {
        let bridge = self.bridge;
        self.rule(batch, "guard", |r| r.input_is(bridge).destination_in(loopback).verdict(Verdict::Drop));
        self.rule(batch, "guard", |r| r.input_is(bridge).source_in(loopback).verdict(Verdict::Drop));
        for chain in ["prerouting", "output"] {
            self.rule(batch, chain, |r| r.destination_is_local().verdict(Verdict::Jump("published")));
        }
        for map in PublishedMap::ALL {
            self.rule(batch, "published", |r| {
                r.dnat_by_map(map.name(), map == PublishedMap::AtAddress);
            });
        }
    }

    fn source_rules(&self, batch: &mut Batch, subnet: Subnet, loopback: Subnet) {
        let bridge = self.bridge;
        self.rule(batch, "postrouting", |r| r.output_is_not(bridge).source_in(subnet).masquerade());
        self.rule(batch, "postrouting", |r| r.output_is(bridge).source_in(loopback).masquerade());
        self.rule(batch, "postrouting", |r| {
            r.output_is(bridge).source_in(subnet).status_in(STATUS_DNAT).masquerade();
        });
    }

    fn forward_rules(&self, batch: &mut Batch) {
        let bridge = self.bridge;
        self.rule(batch, "forward", |r| r.output_is(bridge).input_is(bridge).verdict(Verdict::Accept));
        self.rule(batch, "forward", |r| {
            r.output_is(bridge).state_in(ESTABLISHED_OR_RELATED).verdict(Verdict::Accept);
        });
        self.rule(batch, "forward", |r| r.output_is(bridge).status_in(STATUS_DNAT).verdict(Verdict::Accept));
        self.rule(batch, "forward", |r| r.output_is(bridge).verdict(Verdict::Drop));
    }

    fn chain(&self, batch: &mut Batch, name: &str, hook: Option<(u32, i32, &str)>) {
        batch.message(
            "create an nftables chain (is NAT built into the kernel?)",
            NEW_CHAIN,
            NLM_F_CREATE,
            &HEADER,
            |m| {
                m.text(1, self.bridge);
                m.text(3, name);
                if let Some((number, priority, kind)) = hook {
                    m.nest(4, |hook| {
                        hook.be32(1, number);
                        hook.be32(2, priority as u32);
                    });
                    m.text(7, kind);
                }
            },
        );
    }

    fn rule(&self, batch: &mut Batch, chain: &str, write: impl FnOnce(&mut Rule<'_, '_>)) {
        let flags = NLM_F_CREATE | NLM_F_APPEND;
        batch.message("add an nftables rule (are nft_fib, nft_ct, nft_masq there?)", NEW_RULE, flags, &HEADER, |m| {
            m.text(1, self.bridge);
            m.text(2, chain);
            m.nest(4, |list| write(&mut Rule::new(list)));
        });
    }

    /// Makes a transaction of the requests: all or nothing.
    fn transaction(&self, write: impl FnOnce(&mut Batch)) -> Result<(), NetlinkError> {
        let mut batch = Batch::new();
        let mark = [0, 0, 0, SUBSYSTEM as u8];
        batch.message("begin an nftables transaction", BATCH_BEGIN, 0, &mark, |_| ());
        write(&mut batch);
        batch.acknowledge_last();
        let last = batch.last_sequence();
        batch.message("end an nftables transaction", BATCH_END, 0, &mark, |_| ());
        self.socket.execute(&batch, last)
    }
}
