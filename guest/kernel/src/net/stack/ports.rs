//! Which addresses and ports are taken (bind(2), socket(7): `SO_REUSEADDR`, `SO_REUSEPORT`).

use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};

use hashbrown::HashMap;
use linux_abi::Errno;

/// The range of ports for those who name none (`net.ipv4.ip_local_port_range`).
const EPHEMERAL: core::ops::Range<u16> = 32768..61000;

/// What a binding allows others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sharing {
    /// `SO_REUSEADDR`.
    pub(crate) address: bool,
    /// `SO_REUSEPORT`.
    pub(crate) port: bool,
    /// An IPv6 wildcard that does not stand for IPv4 (`IPV6_V6ONLY`).
    pub(crate) v6only: bool,
}

#[derive(Clone, Copy)]
struct Binding {
    address: IpAddr,
    sharing: Sharing,
    listening: bool,
    token: u64,
}

/// The bindings of one protocol.
#[derive(Default)]
pub(crate) struct Ports {
    taken: HashMap<u16, Vec<Binding>>,
    next_token: u64,
    next_port: u16,
}

/// A binding that was made; give it back with [`Ports::release`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Token {
    id: u64,
    port: u16,
}

impl Ports {
    /// Starts looking for ephemeral ports at a random place.
    pub(crate) fn seed(&mut self, random: u16) {
        self.next_port = EPHEMERAL.start + random % EPHEMERAL.len() as u16;
    }

    /// Takes an address and port, or a free port where it is 0. `EADDRINUSE` if it is taken.
    pub(crate) fn bind(&mut self, at: SocketAddr, sharing: Sharing) -> Result<(SocketAddr, Token), Errno> {
        let port = if at.port() == 0 { self.ephemeral(at.ip(), sharing)? } else { at.port() };
        if self.conflict(at.ip(), port, sharing) {
            return Err(Errno::EADDRINUSE);
        }
        self.next_token += 1;
        let binding = Binding { address: at.ip(), sharing, listening: false, token: self.next_token };
        self.taken.entry(port).or_default().push(binding);
        Ok((SocketAddr::new(at.ip(), port), Token { id: self.next_token, port }))
    }

    /// Notes that the binding listens, which no other may do unless both share the port.
    pub(crate) fn listen(&mut self, token: Token) -> Result<(), Errno> {
        let Some(bindings) = self.taken.get_mut(&token.port) else { return Err(Errno::EINVAL) };
        let Some(own) = bindings.iter().find(|b| b.token == token.id).copied() else { return Err(Errno::EINVAL) };
        let rival = |b: &Binding| b.token != own.token && b.listening && overlap(b, own.address, own.sharing);
        if bindings.iter().any(|b| rival(b) && !(b.sharing.port && own.sharing.port)) {
            return Err(Errno::EADDRINUSE);
        }
        bindings.iter_mut().filter(|b| b.token == token.id).for_each(|b| b.listening = true);
        Ok(())
    }

    /// Gives a binding back.
    pub(crate) fn release(&mut self, token: Token) {
        if let Some(bindings) = self.taken.get_mut(&token.port) {
            bindings.retain(|b| b.token != token.id);
            if bindings.is_empty() {
                self.taken.remove(&token.port);
            }
        }
    }

    fn conflict(&self, address: IpAddr, port: u16, sharing: Sharing) -> bool {
        let allowed =
            |b: &Binding| (b.sharing.port && sharing.port) || (b.sharing.address && sharing.address && !b.listening);
        self.taken.get(&port).is_some_and(|bs| bs.iter().any(|b| overlap(b, address, sharing) && !allowed(b)))
    }

    fn ephemeral(&mut self, address: IpAddr, sharing: Sharing) -> Result<u16, Errno> {
        // Only a port that nobody has: sharing is for those who name one.
        let alone = Sharing { v6only: sharing.v6only, ..Sharing::default() };
        for _ in EPHEMERAL {
            let port = self.next_port.max(EPHEMERAL.start);
            self.next_port = if port + 1 < EPHEMERAL.end { port + 1 } else { EPHEMERAL.start };
            if !self.conflict(address, port, alone) {
                return Ok(port);
            }
        }
        Err(Errno::EADDRINUSE)
    }
}

fn overlap(binding: &Binding, address: IpAddr, sharing: Sharing) -> bool {
    let same_family = binding.address.is_ipv4() == address.is_ipv4();
    if same_family {
        return binding.address == address || binding.address.is_unspecified() || address.is_unspecified();
    }
    // An IPv6 wildcard stands for IPv4 too unless it says otherwise.
    let both = |ip: IpAddr, v6only: bool| ip.is_ipv6() && ip.is_unspecified() && !v6only;
    both(binding.address, binding.sharing.v6only) || both(address, sharing.v6only)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_taken_port_is_refused_until_it_is_released() {
        let mut ports = Ports::default();
        let (_, token) = ports.bind(at("0.0.0.0:80"), Sharing::default()).unwrap();
        assert_eq!(ports.bind(at("127.0.0.1:80"), Sharing::default()), Err(Errno::EADDRINUSE));
        assert_eq!(ports.bind(at("[::]:80"), Sharing::default()), Err(Errno::EADDRINUSE));
        assert!(ports.bind(at("[::]:80"), Sharing { v6only: true, ..Sharing::default() }).is_ok());
        ports.release(token);
        assert!(ports.bind(at("127.0.0.1:80"), Sharing::default()).is_ok());
    }

    #[test]
    fn reuse_address_yields_to_a_listener_and_reuse_port_does_not() {
        let mut ports = Ports::default();
        let reuse = Sharing { address: true, ..Sharing::default() };
        let (_, first) = ports.bind(at("0.0.0.0:80"), reuse).unwrap();
        let (_, second) = ports.bind(at("0.0.0.0:80"), reuse).unwrap();
        ports.listen(first).unwrap();
        assert_eq!(ports.listen(second), Err(Errno::EADDRINUSE));
        assert_eq!(ports.bind(at("0.0.0.0:80"), reuse), Err(Errno::EADDRINUSE));
        let share = Sharing { port: true, ..Sharing::default() };
        let (_, a) = ports.bind(at("0.0.0.0:81"), share).unwrap();
        let (_, b) = ports.bind(at("0.0.0.0:81"), share).unwrap();
        assert_eq!((ports.listen(a), ports.listen(b)), (Ok(()), Ok(())));
    }

    #[test]
    fn ephemeral_ports_are_given_once_and_run_out() {
        let mut ports = Ports::default();
        ports.seed(5);
        let (first, _) = ports.bind(at("10.0.0.1:0"), Sharing::default()).unwrap();
        assert_eq!(first.port(), EPHEMERAL.start + 5);
        for _ in 1..EPHEMERAL.len() {
            ports.bind(at("10.0.0.1:0"), Sharing::default()).unwrap();
        }
        assert_eq!(ports.bind(at("10.0.0.1:0"), Sharing::default()), Err(Errno::EADDRINUSE));
    }
}
