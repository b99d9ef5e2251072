//! Reading questions, RFC 1035 section 4.

/// The length of the header, section 4.1.1.
const HEADER_LENGTH: usize = 12;
/// The longest name, section 3.1, and the longest label.
const LONGEST_NAME: usize = 255;
const LONGEST_LABEL: u8 = 63;

/// A standard query with its one question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query<'a> {
    /// The number that the answer repeats.
    pub id: u16,
    /// The client wants its question passed on.
    pub recursion_desired: bool,
    /// The name in lower case, without the last dot; `None` if it has bytes that no host name has.
    pub name: Option<String>,
    /// The type of record, section 3.2.2.
    pub kind: u16,
    /// The class, section 3.2.4.
    pub class: u16,
    /// The question's bytes, which the answer repeats.
    pub question: &'a [u8],
}

/// Why a packet is no query to answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// Too short for a header, or a response: nobody waits for an answer.
    #[error("not a DNS query")]
    Junk,
    /// Something else than a standard query, or not one question.
    #[error("a DNS operation that is not implemented")]
    NotImplemented {
        /// The number that the answer repeats.
        id: u16,
    },
    /// The question is cut off or its name has a wrong form.
    #[error("a malformed DNS question")]
    Malformed {
        /// The number that the answer repeats.
        id: u16,
    },
}

/// Reads a query. What follows the question (EDNS, RFC 6891) is not looked at.
pub fn parse_query(packet: &[u8]) -> Result<Query<'_>, QueryError> {
    let (header, rest) = packet.split_first_chunk::<HEADER_LENGTH>().ok_or(QueryError::Junk)?;
    let id = u16::from_be_bytes([header[0], header[1]]);
    if header[2] & 0x80 != 0 {
        return Err(QueryError::Junk);
    }
    let operation = header[2] >> 3 & 0x0f;
    let questions = u16::from_be_bytes([header[4], header[5]]);
    if operation != 0 || questions != 1 {
        return Err(QueryError::NotImplemented { id });
    }
    let malformed = QueryError::Malformed { id };
    let (name, length) = parse_name(rest).ok_or(malformed)?;
    let fixed = rest.get(length..length + 4).ok_or(malformed)?;
    Ok(Query {
        id,
        recursion_desired: header[2] & 1 != 0,
        name,
        kind: u16::from_be_bytes([fixed[0], fixed[1]]),
        class: u16::from_be_bytes([fixed[2], fixed[3]]),
        question: &rest[..length + 4],
    })
}

/// The name at the start of the bytes, and its length there. Compression makes no sense in the first name of a message.
fn parse_name(bytes: &[u8]) -> Option<(Option<String>, usize)> {
    let mut name = String::new();
    let mut is_host_name = true;
    let mut at = 0;
    loop {
        let length = *bytes.get(at)?;
        at += 1;
        if length == 0 {
            return Some((is_host_name.then_some(name), at));
        }
        let label = bytes.get(at..at + usize::from(length)).filter(|_| length <= LONGEST_LABEL)?;
        at += label.len();
        if at >= LONGEST_NAME {
            return None;
        }
        if !name.is_empty() {
            name.push('.');
        }
        for byte in label {
            is_host_name &= byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
            name.push(char::from(byte.to_ascii_lowercase()));
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Makes a query as a client does.
    pub(crate) fn query(id: u16, name: &str, kind: u16) -> Vec<u8> {
        let mut packet = id.to_be_bytes().to_vec();
        packet.extend([1, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
        for label in name.split('.').filter(|label| !label.is_empty()) {
            packet.push(label.len() as u8);
            packet.extend(label.bytes());
        }
        packet.push(0);
        packet.extend(kind.to_be_bytes());
        packet.extend([0, 1]);
        packet
    }

    #[test]
    fn a_question_is_read() {
        let packet = query(0xabcd, "Web.Coracle", 1);
        let q = parse_query(&packet).unwrap();
        assert_eq!((q.id, q.name.as_deref(), q.kind, q.class), (0xabcd, Some("web.coracle"), 1, 1));
        assert_eq!(q.question, &packet[12..]);
        assert!(q.recursion_desired);
        assert_eq!(parse_query(&query(1, "", 2)).unwrap().name.as_deref(), Some(""));
    }

    #[test]
    fn junk_is_told_from_mistakes() {
        let good = query(7, "web", 1);
        assert_eq!(parse_query(&good[..11]), Err(QueryError::Junk));
        let mut response = good.clone();
        response[2] |= 0x80;
        assert_eq!(parse_query(&response), Err(QueryError::Junk));
        for length in 12..good.len() {
            assert_eq!(parse_query(&good[..length]), Err(QueryError::Malformed { id: 7 }), "{length}");
        }
        let mut update = good.clone();
        update[2] = 5 << 3;
        assert_eq!(parse_query(&update), Err(QueryError::NotImplemented { id: 7 }));
        let mut compressed = good.clone();
        compressed[12] = 0xc0;
        assert_eq!(parse_query(&compressed), Err(QueryError::Malformed { id: 7 }));
        let long = query(7, &["a".repeat(63).as_str(); 4].join("."), 1);
        assert_eq!(parse_query(&long), Err(QueryError::Malformed { id: 7 }));
    }

    #[test]
    fn a_dot_inside_a_label_is_no_host_name() {
        let mut packet = query(7, "a-b", 1);
        packet[14] = b'.';
        assert_eq!(parse_query(&packet).unwrap().name, None);
    }
}
