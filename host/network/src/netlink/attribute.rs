/// One attribute of a netlink message: `struct nlattr` of linux/netlink.h and its payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Attribute<'a> {
    /// The type, without the flags for nesting and byte order.
    pub(crate) kind: u16,
    /// The payload without padding.
    pub(crate) payload: &'a [u8],
}

/// `NLA_TYPE_MASK` of linux/netlink.h.
const TYPE_MASK: u16 = 0x3fff;

/// Walks over attributes; ends at the first one that does not fit into the bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Attributes<'a>(pub(crate) &'a [u8]);

impl<'a> Iterator for Attributes<'a> {
    type Item = Attribute<'a>;

    fn next(&mut self) -> Option<Attribute<'a>> {
        let (header, _) = self.0.split_first_chunk::<4>()?;
        let length = usize::from(u16::from_ne_bytes([header[0], header[1]]));
        let kind = u16::from_ne_bytes([header[2], header[3]]) & TYPE_MASK;
        let payload = self.0.get(4..length)?;
        self.0 = self.0.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some(Attribute { kind, payload })
    }
}

/// The payload of the first attribute of this type.
pub(crate) fn find(bytes: &[u8], kind: u16) -> Option<&[u8]> {
    Attributes(bytes).find(|attribute| attribute.kind == kind).map(|attribute| attribute.payload)
}

/// A payload of four bytes in the machine's order.
pub(crate) fn u32_ne(payload: &[u8]) -> Option<u32> {
    Some(u32::from_ne_bytes(payload.try_into().ok()?))
}

/// A payload that is a string, with or without the terminating zero.
pub(crate) fn text(payload: &[u8]) -> Option<&str> {
    std::str::from_utf8(payload.strip_suffix(&[0]).unwrap_or(payload)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn padded_attributes_are_walked() {
        let bytes = [5, 0, 3, 0, b'a', 0, 0, 0, 8, 0, 4, 0x80, 1, 0, 0, 0];
        assert_eq!(find(&bytes, 3), Some(&b"a"[..]));
        assert_eq!(find(&bytes, 4).and_then(u32_ne), Some(1));
        assert_eq!(find(&bytes, 5), None);
    }

    #[test]
    fn a_length_that_lies_ends_the_walk() {
        for bad in [&[3, 0, 1, 0][..], &[9, 0, 1, 0, 0, 0, 0, 0], &[0, 0, 0, 0], &[4, 0, 1], &[255, 255, 0, 0]] {
            assert_eq!(Attributes(bad).count(), 0, "{bad:?}");
        }
        assert_eq!(Attributes(&[5, 0, 1, 0, 7]).count(), 1, "the last attribute need not be padded");
    }
}
