/// `struct nlmsghdr` of linux/netlink.h: length, type, flags, sequence, port.
const HEADER_LENGTH: usize = 16;
/// Flags of linux/netlink.h.
const NLM_F_REQUEST: u16 = 1;
const NLM_F_ACK: u16 = 4;
const NLA_F_NESTED: u16 = 1 << 15;

/// Several requests that the kernel receives in one send and carries out in order.
///
/// Each request has a name for the error message. The first has the sequence number 1.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    bytes: Vec<u8>,
    operations: Vec<&'static str>,
    last_start: usize,
}

impl Batch {
    pub(crate) fn new() -> Self {
        Self { bytes: Vec::with_capacity(512), ..Self::default() }
    }

    /// Appends a request: its type, flags beside `NLM_F_REQUEST`, the family's fixed header, and attributes.
    pub(crate) fn message(
        &mut self,
        operation: &'static str,
        kind: u16,
        flags: u16,
        header: &[u8],
        attributes: impl FnOnce(&mut Nest<'_>),
    ) {
        self.operations.push(operation);
        let start = self.bytes.len();
        self.last_start = start;
        let sequence = self.last_sequence();
        self.bytes.extend_from_slice(&[0; 4]);
        self.bytes.extend_from_slice(&kind.to_ne_bytes());
        self.bytes.extend_from_slice(&(flags | NLM_F_REQUEST).to_ne_bytes());
        self.bytes.extend_from_slice(&sequence.to_ne_bytes());
        self.bytes.extend_from_slice(&[0; 4]);
        self.bytes.extend_from_slice(header);
        pad(&mut self.bytes);
        attributes(&mut Nest { bytes: &mut self.bytes });
        let length = (self.bytes.len() - start) as u32;
        self.bytes[start..start + 4].copy_from_slice(&length.to_ne_bytes());
    }

    /// Asks the kernel to confirm the last request. The requests before it answer only when they fail.
    pub(crate) fn acknowledge_last(&mut self) {
        if self.bytes.len() >= self.last_start + HEADER_LENGTH {
            self.bytes[self.last_start + 6] |= NLM_F_ACK as u8;
        }
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The sequence number of the last request.
    pub(crate) fn last_sequence(&self) -> u32 {
        self.operations.len() as u32
    }

    /// The name of a request.
    pub(crate) fn operation(&self, sequence: u32) -> &'static str {
        let index = (sequence as usize).wrapping_sub(1);
        self.operations.get(index).copied().unwrap_or("talk to the kernel's network configuration")
    }
}

/// Where attributes are written: a message, or an attribute that holds attributes.
pub(crate) struct Nest<'a> {
    bytes: &'a mut Vec<u8>,
}

impl Nest<'_> {
    pub(crate) fn bytes(&mut self, kind: u16, payload: &[u8]) {
        let length = (4 + payload.len()) as u16;
        self.bytes.extend_from_slice(&length.to_ne_bytes());
        self.bytes.extend_from_slice(&kind.to_ne_bytes());
        self.bytes.extend_from_slice(payload);
        pad(self.bytes);
    }

    /// A number in the machine's byte order, as rtnetlink wants it.
    pub(crate) fn u32(&mut self, kind: u16, value: u32) {
        self.bytes(kind, &value.to_ne_bytes());
    }

    /// A number in network byte order, as nfnetlink wants it.
    pub(crate) fn be32(&mut self, kind: u16, value: u32) {
        self.bytes(kind, &value.to_be_bytes());
    }

    /// A string with its terminating zero.
    pub(crate) fn text(&mut self, kind: u16, value: &str) {
        let mut bytes = value.as_bytes().to_vec();
        bytes.push(0);
        self.bytes(kind, &bytes);
    }

    /// An attribute that holds attributes.
    pub(crate) fn nest(&mut self, kind: u16, inner: impl FnOnce(&mut Nest<'_>)) {
        self.nest_after(kind, &[], inner);
    }

    /// An attribute that holds attributes that are written already.
    pub(crate) fn nested_bytes(&mut self, kind: u16, inner: &[u8]) {
        self.bytes(kind | NLA_F_NESTED, inner);
    }

    /// An attribute that holds a fixed header and then attributes.
    pub(crate) fn nest_after(&mut self, kind: u16, header: &[u8], inner: impl FnOnce(&mut Nest<'_>)) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&[0; 2]);
        self.bytes.extend_from_slice(&(kind | NLA_F_NESTED).to_ne_bytes());
        self.bytes.extend_from_slice(header);
        inner(&mut Nest { bytes: self.bytes });
        let length = (self.bytes.len() - start) as u16;
        self.bytes[start..start + 2].copy_from_slice(&length.to_ne_bytes());
    }
}

fn pad(bytes: &mut Vec<u8>) {
    bytes.resize(bytes.len().next_multiple_of(4), 0);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layout() {
        let mut batch = Batch::new();
        batch.message("first", 16, 0, &[9; 4], |m| m.text(3, "ab"));
        batch.message("second", 17, 0x400, &[], |m| m.nest(1, |n| n.be32(2, 7)));
        batch.acknowledge_last();
        let first = [28, 0, 0, 0, 16, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 9, 9, 9, 9, 7, 0, 3, 0, b'a', b'b', 0, 0];
        assert_eq!(batch.bytes()[..28], first);
        let second = [28, 0, 0, 0, 17, 0, 5, 4, 2, 0, 0, 0, 0, 0, 0, 0, 12, 0, 1, 0x80, 8, 0, 2, 0, 0, 0, 0, 7];
        assert_eq!(batch.bytes()[28..], second);
        assert_eq!((batch.operation(2), batch.last_sequence()), ("second", 2));
    }
}
