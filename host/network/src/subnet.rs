use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

/// A range of IPv4 addresses in CIDR notation, RFC 4632. The bits behind the prefix are always zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Subnet {
    network: u32,
    prefix: u8,
}

/// The text is no IPv4 subnet.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not an IPv4 subnet; write ADDRESS/PREFIX, for example 10.88.0.0/16")]
pub struct SubnetParseError(String);

impl Subnet {
    /// The subnet that contains `address` and has this prefix length; `None` if the length is above 32.
    pub fn containing(address: Ipv4Addr, prefix: u8) -> Option<Self> {
        let mask = match prefix {
            0 => 0,
            1..=32 => u32::MAX << (32 - prefix),
            _ => return None,
        };
        Some(Self { network: address.to_bits() & mask, prefix })
    }

    /// The number of leading bits that all addresses have in common.
    pub fn prefix(self) -> u8 {
        self.prefix
    }

    /// The first address, which names the subnet.
    pub fn network(self) -> Ipv4Addr {
        Ipv4Addr::from_bits(self.network)
    }

    /// The netmask.
    pub fn mask(self) -> Ipv4Addr {
        Ipv4Addr::from_bits(!(self.last() - self.network))
    }

    /// The bridge's own address: the first one that a host may have.
    pub fn gateway(self) -> Ipv4Addr {
        Ipv4Addr::from_bits(self.network + 1)
    }

    /// The last address, which is the broadcast address.
    pub fn broadcast(self) -> Ipv4Addr {
        Ipv4Addr::from_bits(self.last())
    }

    /// Tells whether the two have an address in common.
    pub fn overlaps(self, other: Self) -> bool {
        self.network <= other.last() && other.network <= self.last()
    }

    /// Tells whether the address lies inside.
    pub fn contains(self, address: Ipv4Addr) -> bool {
        (self.network..=self.last()).contains(&address.to_bits())
    }

    /// The number of addresses for instances: all but network, gateway and broadcast.
    pub(crate) fn pool_size(self) -> u32 {
        (self.last() - self.network).saturating_sub(2)
    }

    /// The `index`-th address for instances; the index wraps around. The pool must not be empty.
    pub(crate) fn pool_address(self, index: u32) -> Ipv4Addr {
        Ipv4Addr::from_bits(self.network + 2 + index % self.pool_size().max(1))
    }

    /// Tells whether it is an address for instances.
    pub(crate) fn is_in_pool(self, address: Ipv4Addr) -> bool {
        self.contains(address) && ![self.network(), self.gateway(), self.broadcast()].contains(&address)
    }

    fn last(self) -> u32 {
        self.network | u32::MAX.checked_shr(self.prefix.into()).unwrap_or(0)
    }
}

impl fmt::Display for Subnet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.network(), self.prefix)
    }
}

impl FromStr for Subnet {
    type Err = SubnetParseError;

    fn from_str(text: &str) -> Result<Self, SubnetParseError> {
        let parse = || {
            let (address, prefix) = text.split_once('/')?;
            let address: Ipv4Addr = address.parse().ok()?;
            let subnet = Self::containing(address, prefix.parse().ok()?)?;
            (subnet.network() == address).then_some(subnet)
        };
        parse().ok_or_else(|| SubnetParseError(text.to_owned()))
    }
}

/// The first subnet of our candidates that overlaps nothing in `used`.
pub(crate) fn choose(used: &[Subnet]) -> Option<Subnet> {
    candidates().find(|candidate| !used.iter().any(|other| candidate.overlaps(*other)))
}

/// Private ranges of RFC 1918 that are rarely in use on company and home networks.
fn candidates() -> impl Iterator<Item = Subnet> {
    let sixteen = |a: u8, b: u8| Subnet { network: u32::from_be_bytes([a, b, 0, 0]), prefix: 16 };
    let ten = (88..=127).map(move |b| sixteen(10, b));
    let private_b = (20..=31).map(move |b| sixteen(172, b));
    let private_c = (200..=250).map(|c| Subnet { network: u32::from_be_bytes([192, 168, c, 0]), prefix: 24 });
    ten.chain(private_b).chain(private_c)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subnet(text: &str) -> Subnet {
        text.parse().unwrap()
    }

    #[test]
    fn parts_of_a_subnet() {
        let s = subnet("10.88.0.0/16");
        assert_eq!(s.gateway().to_string(), "10.88.0.1");
        assert_eq!(s.broadcast().to_string(), "10.88.255.255");
        assert_eq!(s.mask().to_string(), "255.255.0.0");
        assert_eq!(s.pool_size(), 65533);
        assert_eq!(s.pool_address(0).to_string(), "10.88.0.2");
        assert_eq!(s.pool_address(65533).to_string(), "10.88.0.2", "wraps");
        assert_eq!(subnet("192.168.7.0/30").pool_size(), 1);
        assert_eq!((subnet("1.2.3.4/32").pool_size(), subnet("1.2.3.4/31").pool_size()), (0, 0));
        let in_pool = |text: &str| s.is_in_pool(text.parse().unwrap());
        assert!(in_pool("10.88.0.2") && in_pool("10.88.255.254"));
        assert!(["10.88.0.0", "10.88.0.1", "10.88.255.255", "10.89.0.2"].iter().all(|text| !in_pool(text)));
        assert!(subnet("0.0.0.0/0").contains(Ipv4Addr::BROADCAST));
    }

    #[test]
    fn what_is_no_subnet_is_refused() {
        for bad in ["", "10.0.0.0", "10.0.0.1/24", "10.0.0.0/33", "10.0.0.0/-1", "::/64", "10.0.0/24"] {
            assert!(bad.parse::<Subnet>().is_err(), "{bad}");
        }
    }

    #[test]
    fn the_choice_avoids_what_is_used() {
        assert_eq!(choose(&[]), Some(subnet("10.88.0.0/16")));
        assert_eq!(choose(&[subnet("10.88.7.0/24")]), Some(subnet("10.89.0.0/16")));
        assert_eq!(choose(&[subnet("10.0.0.0/8")]), Some(subnet("172.20.0.0/16")));
        assert_eq!(choose(&[subnet("0.0.0.0/0")]), None);
    }
}
