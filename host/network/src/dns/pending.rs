use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// How long a name server may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// How many questions may be open: a bound for memory, not a target.
const LIMIT: usize = 256;

/// A question that was passed on.
#[derive(Debug)]
pub(super) struct Pending {
    /// Who asked, and with which number.
    pub(super) client: SocketAddr,
    pub(super) client_id: u16,
    /// Who was asked.
    pub(super) server: SocketAddr,
    /// What was asked; an answer to something else is a forgery.
    pub(super) question: Vec<u8>,
    pub(super) since: Instant,
}

/// Questions that were passed on and are not answered yet, by the number with which they were passed on.
#[derive(Debug, Default)]
pub(super) struct PendingTable {
    open: HashMap<u16, Pending>,
}

impl PendingTable {
    /// Remembers a question under this number; `false` if the number is taken or there are too many.
    pub(super) fn insert(&mut self, id: u16, pending: Pending) -> bool {
        if self.open.len() >= LIMIT || self.open.contains_key(&id) {
            return false;
        }
        self.open.insert(id, pending);
        true
    }

    /// Forgets questions that nobody answered in time, and tells whether the server `current` was among those who did not.
    pub(super) fn expire(&mut self, now: Instant, current: SocketAddr) -> bool {
        let mut is_silent = false;
        self.open.retain(|_, pending| {
            let keep = now.duration_since(pending.since) < PATIENCE;
            is_silent |= !keep && pending.server == current;
            keep
        });
        is_silent
    }

    /// Takes the question that this packet from `server` answers.
    pub(super) fn take(&mut self, packet: &[u8], server: SocketAddr) -> Option<Pending> {
        let id = u16::from_be_bytes(*packet.first_chunk()?);
        let is_response = packet.get(2)? & 0x80 != 0;
        let pending = self.open.get(&id)?;
        let asked = packet.get(12..12 + pending.question.len())?;
        let matches = is_response && pending.server == server && asked.eq_ignore_ascii_case(&pending.question);
        if matches { self.open.remove(&id) } else { None }
    }
}

#[cfg(test)]
mod tests {
    use super::super::message::tests::query;
    use super::*;

    #[test]
    fn only_the_server_that_was_asked_may_answer() {
        let server = "192.0.2.1:53".parse().unwrap();
        let mut packet = query(9, "debian.org", 1);
        let question = packet[12..].to_vec();
        let client = "10.88.0.2:4000".parse().unwrap();
        let now = Instant::now();
        let pending = || Pending { client, client_id: 5, server, question: question.clone(), since: now };
        let mut table = PendingTable::default();
        assert!(table.insert(9, pending()));
        assert!(!table.insert(9, pending()), "the number is taken");
        assert!(table.take(&packet, server).is_none(), "a question is no answer");
        packet[2] |= 0x80;
        assert!(table.take(&packet, "192.0.2.2:53".parse().unwrap()).is_none());
        let mut other = query(9, "debian.com", 1);
        other[2] |= 0x80;
        assert!(table.take(&other, server).is_none());
        assert!(table.take(&packet[..20], server).is_none());
        assert_eq!(table.take(&packet, server).unwrap().client_id, 5);
        assert!(table.take(&packet, server).is_none(), "once");
    }

    #[test]
    fn silence_is_noticed() {
        let server: SocketAddr = "192.0.2.1:53".parse().unwrap();
        let now = Instant::now();
        let pending = Pending { client: server, client_id: 5, server, question: Vec::new(), since: now };
        let mut table = PendingTable::default();
        assert!(table.insert(1, pending));
        assert!(!table.expire(now, server));
        assert!(table.expire(now + PATIENCE, server));
        assert!(!table.expire(now + PATIENCE, server), "forgotten");
    }
}
