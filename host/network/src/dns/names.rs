use std::net::Ipv4Addr;
use std::time::{Duration, SystemTime};

use super::answer::{CLASS_IN, Code, Record, TYPE_A, TYPE_AAAA, TYPE_PTR};
use super::message::Query;
use crate::store::Store;
use crate::{Lease, Subnet};

/// The domain of all instances.
const DOMAIN: &str = ".coracle";
/// Directory times have the granularity of the kernel's tick. A directory that changed this recently may change again
/// without a new time.
const SETTLED: Duration = Duration::from_millis(50);

/// What to do with a question.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Decision {
    Answer(Code, Option<Record>),
    Forward,
}

/// The names of all instances, read again when the directory of leases changes.
#[derive(Debug)]
pub(super) struct Names {
    store: Store,
    leases: Vec<Lease>,
    /// The directory's time for which `leases` is right.
    as_of: Option<SystemTime>,
}

impl Names {
    pub(super) fn new(store: Store) -> Self {
        Self { store, leases: Vec::new(), as_of: None }
    }

    /// Decides about a question. Names of instances are ours, and addresses of the subnet.
    pub(super) fn decide(&mut self, query: &Query<'_>, subnet: Subnet) -> Decision {
        let Some(name) = query.name.as_deref().filter(|_| query.class == CLASS_IN) else { return Decision::Forward };
        self.refresh();
        decide(&self.leases, name, query.kind, subnet)
    }

    fn refresh(&mut self) {
        let modified = std::fs::metadata(self.store.directory().join("leases")).and_then(|m| m.modified()).ok();
        if modified.is_some() && modified == self.as_of {
            return;
        }
        self.as_of = modified.filter(|time| time.elapsed().is_ok_and(|age| age > SETTLED));
        self.leases = self.store.leases().unwrap_or_default();
    }
}

fn decide(leases: &[Lease], name: &str, kind: u16, subnet: Subnet) -> Decision {
    if let Some(address) = reverse(name) {
        let lease = leases.iter().find(|lease| lease.address == address);
        return match lease {
            Some(lease) if kind == TYPE_PTR => {
                Decision::Answer(Code::Ok, Some(Record::Name(format!("{}{DOMAIN}", lease.name))))
            }
            Some(_) => Decision::Answer(Code::Ok, None),
            None if subnet.contains(address) => Decision::Answer(Code::NoSuchName, None),
            None => Decision::Forward,
        };
    }
    let own = name.strip_suffix(DOMAIN).unwrap_or(name);
    let found = leases
        .iter()
        .find(|lease| lease.name.eq_ignore_ascii_case(own) || lease.id.short() == own || lease.id.as_str() == own);
    match found {
        Some(lease) if kind == TYPE_A => Decision::Answer(Code::Ok, Some(Record::Address(lease.address))),
        Some(_) => Decision::Answer(Code::Ok, None),
        None if own.len() != name.len() => Decision::Answer(Code::NoSuchName, None),
        // Host names of one label mean nothing to the world's name servers.
        None if !name.is_empty() && !name.contains('.') && matches!(kind, TYPE_A | TYPE_AAAA) => {
            Decision::Answer(Code::NoSuchName, None)
        }
        None => Decision::Forward,
    }
}

/// The address in a name such as `2.0.88.10.in-addr.arpa`, RFC 1035 section 3.5.
fn reverse(name: &str) -> Option<Ipv4Addr> {
    let address: Ipv4Addr = name.strip_suffix(".in-addr.arpa")?.parse().ok()?;
    let [a, b, c, d] = address.octets();
    Some(Ipv4Addr::new(d, c, b, a))
}

#[cfg(test)]
mod tests {
    use plan::InstanceId;

    use super::*;
    use crate::lease::mac_of;

    #[test]
    fn names_of_instances_are_ours() {
        let id = InstanceId::from_bytes([0xab; 32]);
        let address = Ipv4Addr::new(10, 88, 0, 2);
        let lease = Lease {
            interface: id.interface_name(),
            id,
            name: "Web".to_owned(),
            address,
            prefix: 16,
            gateway: Ipv4Addr::new(10, 88, 0, 1),
            mac: mac_of(address),
            dns: Vec::new(),
            mtu: 1500,
            published: Vec::new(),
        };
        let ask = |name: &str, kind| decide(std::slice::from_ref(&lease), name, kind, "10.88.0.0/16".parse().unwrap());
        let found = Decision::Answer(Code::Ok, Some(Record::Address(address)));
        let unknown = Decision::Answer(Code::NoSuchName, None);
        for name in ["web", "web.coracle", "abababababab"] {
            assert_eq!(ask(name, TYPE_A), found, "{name}");
        }
        assert_eq!(ask("web", TYPE_AAAA), Decision::Answer(Code::Ok, None), "exists, but has no IPv6 address");
        assert_eq!(
            (ask("nobody", TYPE_A), ask("nobody.coracle", 16)),
            (unknown, Decision::Answer(Code::NoSuchName, None))
        );
        assert_eq!((ask("debian.org", TYPE_A), ask("", 2)), (Decision::Forward, Decision::Forward));
        let name = Decision::Answer(Code::Ok, Some(Record::Name("Web.coracle".to_owned())));
        assert_eq!(ask("2.0.88.10.in-addr.arpa", TYPE_PTR), name);
        assert_eq!(ask("3.0.88.10.in-addr.arpa", TYPE_PTR), Decision::Answer(Code::NoSuchName, None));
        assert_eq!(ask("1.1.1.1.in-addr.arpa", TYPE_PTR), Decision::Forward);
    }
}
