//! Writing answers, RFC 1035 section 4.1.

use std::net::Ipv4Addr;

use super::message::Query;

/// Types of records, section 3.2.2 and RFC 3596, and the class IN.
pub(super) const TYPE_A: u16 = 1;
pub(super) const TYPE_PTR: u16 = 12;
pub(super) const TYPE_AAAA: u16 = 28;
pub(super) const CLASS_IN: u16 = 1;
/// For how many seconds a client may remember an answer: short, since instances come and go.
const TIME_TO_LIVE: u32 = 5;

/// Response codes, section 4.1.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Code {
    Ok = 0,
    FormatError = 1,
    ServerFailure = 2,
    NoSuchName = 3,
    NotImplemented = 4,
}

/// What a name stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Record {
    Address(Ipv4Addr),
    Name(String),
}

/// An answer without a question, for packets that could not be read.
pub(super) fn bare(id: u16, code: Code) -> Vec<u8> {
    let [high, low] = id.to_be_bytes();
    vec![high, low, 0x80, code as u8, 0, 0, 0, 0, 0, 0, 0, 0]
}

/// An answer with no record, or with one.
pub(super) fn answer(query: &Query<'_>, code: Code, record: Option<&Record>) -> Vec<u8> {
    let mut packet = query.id.to_be_bytes().to_vec();
    // Response, authoritative; recursion available.
    packet.push(0x84 | u8::from(query.recursion_desired));
    packet.push(0x80 | code as u8);
    packet.extend([0, 1, 0, u8::from(record.is_some()), 0, 0, 0, 0]);
    packet.extend(query.question);
    if let Some(record) = record {
        // The name: a pointer to the question's, section 4.1.4.
        packet.extend([0xc0, 12]);
        let (kind, data) = match record {
            Record::Address(address) => (TYPE_A, address.octets().to_vec()),
            Record::Name(name) => (TYPE_PTR, encode_name(name)),
        };
        packet.extend(kind.to_be_bytes());
        packet.extend(CLASS_IN.to_be_bytes());
        packet.extend(TIME_TO_LIVE.to_be_bytes());
        packet.extend((data.len() as u16).to_be_bytes());
        packet.extend(data);
    }
    packet
}

fn encode_name(name: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(name.len() + 2);
    for label in name.split('.').filter(|label| !label.is_empty()) {
        let label = &label.as_bytes()[..label.len().min(63)];
        bytes.push(label.len() as u8);
        bytes.extend(label);
    }
    bytes.push(0);
    bytes
}

#[cfg(test)]
mod tests {
    use super::super::message::{parse_query, tests::query};
    use super::*;

    #[test]
    fn an_address_is_answered() {
        let packet = query(0x0102, "web", TYPE_A);
        let reply = answer(&parse_query(&packet).unwrap(), Code::Ok, Some(&Record::Address([10, 88, 0, 2].into())));
        assert_eq!(reply[..12], [1, 2, 0x85, 0x80, 0, 1, 0, 1, 0, 0, 0, 0]);
        assert_eq!(reply[12..packet.len()], packet[12..]);
        assert_eq!(reply[packet.len()..], [0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 5, 0, 4, 10, 88, 0, 2]);
    }

    #[test]
    fn no_record() {
        let packet = query(1, "web", TYPE_AAAA);
        let reply = answer(&parse_query(&packet).unwrap(), Code::NoSuchName, None);
        assert_eq!((reply[3] & 0x0f, reply[7], reply.len()), (3, 0, packet.len()));
        assert_eq!(encode_name("a.bc"), [1, b'a', 2, b'b', b'c', 0]);
    }
}
