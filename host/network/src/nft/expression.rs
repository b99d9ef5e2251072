//! The expressions of a rule, `enum nft_*_attributes` of linux/netfilter/nf_tables.h, in the notation of nft(8).

use crate::netlink::Nest;

const NFTA_LIST_ELEM: u16 = 1;
const NFTA_EXPR_NAME: u16 = 1;
const NFTA_EXPR_DATA: u16 = 2;
const NFTA_DATA_VALUE: u16 = 1;
const NFTA_DATA_VERDICT: u16 = 2;
const NFTA_VERDICT_CODE: u16 = 1;
const NFTA_VERDICT_CHAIN: u16 = 2;

/// The first of the sixteen 4-byte registers, `NFT_REG32_00`; `NFT_REG_VERDICT` is the verdict's.
const REGISTER: u32 = 8;
const VERDICT_REGISTER: u32 = 0;
/// `NFT_CMP_EQ` and `NFT_CMP_NEQ`.
const EQUAL: u32 = 0;
const NOT_EQUAL: u32 = 1;
/// Keys of meta and ct expressions.
const META_IIFNAME: u32 = 6;
const META_OIFNAME: u32 = 7;
const META_L4PROTO: u32 = 16;
const CT_STATE: u32 = 0;
const CT_STATUS: u32 = 2;
/// `NFT_PAYLOAD_NETWORK_HEADER` and `NFT_PAYLOAD_TRANSPORT_HEADER`.
const NETWORK_HEADER: u32 = 1;
const TRANSPORT_HEADER: u32 = 2;
/// Offsets in the IPv4 header (RFC 791) and of the destination port (RFC 9293, RFC 768).
const SOURCE_OFFSET: u32 = 12;
const DESTINATION_OFFSET: u32 = 16;
const PORT_OFFSET: u32 = 2;
/// `NFT_FIB_RESULT_ADDRTYPE`, `NFTA_FIB_F_DADDR`, `RTN_LOCAL`.
const FIB_ADDRESS_TYPE: u32 = 3;
const FIB_DESTINATION: u32 = 2;
const LOCAL: u32 = 2;
/// `NFT_NAT_DNAT` and `NFPROTO_IPV4`.
const DNAT: u32 = 1;
const IPV4: u32 = 2;

/// `established,related` as bits of ct state, and `dnat` as a bit of ct status.
pub(super) const ESTABLISHED_OR_RELATED: u32 = 2 | 4;
pub(super) const STATUS_DNAT: u32 = 1 << 5;

/// What a rule does with a packet that reaches its end.
#[derive(Debug, Clone, Copy)]
pub(super) enum Verdict<'a> {
    Drop,
    Accept,
    Jump(&'a str),
}

/// A rule's expressions, in order.
pub(super) struct Rule<'a, 'b> {
    list: &'a mut Nest<'b>,
}

impl<'a, 'b> Rule<'a, 'b> {
    pub(super) fn new(list: &'a mut Nest<'b>) -> Self {
        Self { list }
    }

    /// `iifname NAME`
    pub(super) fn input_is(&mut self, name: &str) -> &mut Self {
        self.load_meta(META_IIFNAME, 0).compare(EQUAL, &interface(name))
    }

    /// `oifname NAME`
    pub(super) fn output_is(&mut self, name: &str) -> &mut Self {
        self.load_meta(META_OIFNAME, 0).compare(EQUAL, &interface(name))
    }

    /// `oifname != NAME`
    pub(super) fn output_is_not(&mut self, name: &str) -> &mut Self {
        self.load_meta(META_OIFNAME, 0).compare(NOT_EQUAL, &interface(name))
    }

    /// `ip saddr NETWORK/PREFIX`
    pub(super) fn source_in(&mut self, subnet: crate::Subnet) -> &mut Self {
        self.address_in(SOURCE_OFFSET, subnet)
    }

    /// `ip daddr NETWORK/PREFIX`
    pub(super) fn destination_in(&mut self, subnet: crate::Subnet) -> &mut Self {
        self.address_in(DESTINATION_OFFSET, subnet)
    }

    /// `fib daddr type local`
    pub(super) fn destination_is_local(&mut self) -> &mut Self {
        self.expression("fib", |e| {
            e.be32(1, REGISTER);
            e.be32(2, FIB_ADDRESS_TYPE);
            e.be32(3, FIB_DESTINATION);
        });
        self.compare(EQUAL, &LOCAL.to_ne_bytes())
    }

    /// `ct state BITS`
    pub(super) fn state_in(&mut self, bits: u32) -> &mut Self {
        self.connection_has(CT_STATE, bits)
    }

    /// `ct status BITS`
    pub(super) fn status_in(&mut self, bits: u32) -> &mut Self {
        self.connection_has(CT_STATUS, bits)
    }

    /// `dnat to meta l4proto . th dport map @MAP`, with `ip daddr .` in front of the key when `with_address`.
    pub(super) fn dnat_by_map(&mut self, map: &str, with_address: bool) -> &mut Self {
        let protocol = u32::from(with_address);
        if with_address {
            self.load_payload(NETWORK_HEADER, DESTINATION_OFFSET, 4, 0);
        }
        self.load_meta(META_L4PROTO, protocol).load_payload(TRANSPORT_HEADER, PORT_OFFSET, 2, protocol + 1);
        // The result goes behind the key: an address in one register, a port in the next.
        let result = REGISTER + 4;
        self.expression("lookup", |e| {
            e.text(1, map);
            e.be32(2, REGISTER);
            e.be32(3, result);
        });
        self.expression("nat", |e| {
            e.be32(1, DNAT);
            e.be32(2, IPV4);
            e.be32(3, result);
            e.be32(5, result + 1);
        })
    }

    /// `masquerade`
    pub(super) fn masquerade(&mut self) {
        self.expression("masq", |_| ());
    }

    pub(super) fn verdict(&mut self, verdict: Verdict<'_>) {
        self.expression("immediate", |e| {
            e.be32(1, VERDICT_REGISTER);
            e.nest(2, |data| {
                data.nest(NFTA_DATA_VERDICT, |v| match verdict {
                    Verdict::Drop => v.be32(NFTA_VERDICT_CODE, 0),
                    Verdict::Accept => v.be32(NFTA_VERDICT_CODE, 1),
                    Verdict::Jump(chain) => {
                        v.be32(NFTA_VERDICT_CODE, (-3_i32) as u32);
                        v.text(NFTA_VERDICT_CHAIN, chain);
                    }
                });
            });
        });
    }

    fn expression(&mut self, name: &str, data: impl FnOnce(&mut Nest<'_>)) -> &mut Self {
        self.list.nest(NFTA_LIST_ELEM, |element| {
            element.text(NFTA_EXPR_NAME, name);
            element.nest(NFTA_EXPR_DATA, data);
        });
        self
    }

    fn load_meta(&mut self, key: u32, register: u32) -> &mut Self {
        self.expression("meta", |e| {
            e.be32(1, REGISTER + register);
            e.be32(2, key);
        })
    }

    fn load_payload(&mut self, base: u32, offset: u32, length: u32, register: u32) -> &mut Self {
        self.expression("payload", |e| {
            e.be32(1, REGISTER + register);
            e.be32(2, base);
            e.be32(3, offset);
            e.be32(4, length);
        })
    }

    fn compare(&mut self, operator: u32, value: &[u8]) -> &mut Self {
        self.expression("cmp", |e| {
            e.be32(1, REGISTER);
            e.be32(2, operator);
            e.nest(3, |data| data.bytes(NFTA_DATA_VALUE, value));
        })
    }

    fn mask(&mut self, mask: [u8; 4]) -> &mut Self {
        self.expression("bitwise", |e| {
            e.be32(1, REGISTER);
            e.be32(2, REGISTER);
            e.be32(3, 4);
            e.nest(4, |data| data.bytes(NFTA_DATA_VALUE, &mask));
            e.nest(5, |data| data.bytes(NFTA_DATA_VALUE, &[0; 4]));
        })
    }

    fn address_in(&mut self, offset: u32, subnet: crate::Subnet) -> &mut Self {
        self.load_payload(NETWORK_HEADER, offset, 4, 0)
            .mask(subnet.mask().octets())
            .compare(EQUAL, &subnet.network().octets())
    }

    fn connection_has(&mut self, key: u32, bits: u32) -> &mut Self {
        self.expression("ct", |e| {
            e.be32(1, REGISTER);
            e.be32(2, key);
        });
        self.mask(bits.to_ne_bytes()).compare(NOT_EQUAL, &[0; 4])
    }
}

/// An interface's name as the kernel compares it: 16 bytes, padded with zeros.
fn interface(name: &str) -> [u8; 16] {
    let mut padded = [0; 16];
    padded.iter_mut().zip(name.bytes().take(15)).for_each(|(to, from)| *to = from);
    padded
}
