//! Extended attributes kept behind the inode (`erofs_xattr_ibody_header`, `erofs_xattr_entry`).

use std::collections::BTreeMap;

use super::layout::field;

/// `sizeof(struct erofs_xattr_ibody_header)`
pub(crate) const HEADER: usize = 12;
const ENTRY: usize = 4;

/// Name prefixes and their numbers (`EROFS_XATTR_INDEX_*`); the longer ones first.
const PREFIXES: [(u8, &[u8]); 5] = [
    (2, b"system.posix_acl_access"),
    (3, b"system.posix_acl_default"),
    (1, b"user."),
    (4, b"trusted."),
    (6, b"security."),
];

/// Splits a name into its prefix's number and the rest; `None` if EROFS has no number for it.
pub(crate) fn split_name(name: &[u8]) -> Option<(u8, &[u8])> {
    PREFIXES.iter().find_map(|(index, prefix)| {
        let rest = name.strip_prefix(*prefix)?;
        // The two ACL names are complete; the others must go on.
        (matches!(index, 2 | 3) == rest.is_empty() && rest.len() <= 255).then_some((*index, rest))
    })
}

fn padded(len: usize) -> usize {
    len.next_multiple_of(4)
}

/// The bytes that the attributes take behind the inode, header included; zero if there are none.
pub(crate) fn size(xattrs: &BTreeMap<Vec<u8>, Vec<u8>>) -> usize {
    let entries: usize = xattrs
        .iter()
        .filter_map(|(name, value)| split_name(name).map(|(_, rest)| padded(ENTRY + rest.len() + value.len())))
        .sum();
    if entries == 0 { 0 } else { HEADER + entries }
}

/// `i_xattr_icount` of that many bytes.
pub(crate) fn icount(size: usize) -> u16 {
    if size == 0 { 0 } else { u16::try_from((size - HEADER) / 4 + 1).unwrap_or(u16::MAX) }
}

/// The bytes of an `i_xattr_icount`.
pub(crate) fn size_of_icount(icount: u16) -> usize {
    if icount == 0 { 0 } else { HEADER + 4 * (usize::from(icount) - 1) }
}

/// Appends header and entries.
pub(crate) fn encode(xattrs: &BTreeMap<Vec<u8>, Vec<u8>>, out: &mut Vec<u8>) {
    if size(xattrs) == 0 {
        return;
    }
    let start = out.len();
    out.resize(start + HEADER, 0);
    for (name, value) in xattrs {
        let (Some((index, rest)), Ok(value_size)) = (split_name(name), u16::try_from(value.len())) else { continue };
        out.extend([rest.len() as u8, index]);
        out.extend(value_size.to_le_bytes());
        out.extend(rest);
        out.extend(value);
        out.resize(start + padded(out.len() - start), 0);
    }
}

/// Reads entries back; `None` if they are malformed. Shared attributes (of other writers) are left out.
pub(crate) fn decode(body: &[u8]) -> Option<BTreeMap<Vec<u8>, Vec<u8>>> {
    let mut xattrs = BTreeMap::new();
    if body.is_empty() {
        return Some(xattrs);
    }
    let shared = usize::from(*body.get(4)?);
    let mut rest = body.get(HEADER + 4 * shared..)?;
    while rest.len() >= ENTRY {
        let (name_len, index) = (usize::from(rest[0]), rest[1]);
        let value_len = usize::from(u16::from_le_bytes(field(rest, 2)));
        let name = rest.get(ENTRY..ENTRY + name_len)?;
        let value = rest.get(ENTRY + name_len..ENTRY + name_len + value_len)?;
        if let Some((_, prefix)) = PREFIXES.iter().find(|(number, _)| *number == index) {
            xattrs.insert([prefix, name].concat(), value.to_vec());
        }
        rest = rest.get(padded(ENTRY + name_len + value_len)..).unwrap_or_default();
    }
    Some(xattrs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_survive() {
        let xattrs: BTreeMap<Vec<u8>, Vec<u8>> = [
            (&b"security.capability"[..], &b"\x01\0\0\x02"[..]),
            (b"user.a", b""),
            (b"trusted.overlay.opaque", b"y"),
            (b"system.posix_acl_access", b"acl"),
        ]
        .into_iter()
        .map(|(name, value)| (name.to_vec(), value.to_vec()))
        .collect();
        let mut out = Vec::new();
        encode(&xattrs, &mut out);
        assert_eq!(out.len(), size(&xattrs));
        assert_eq!(size_of_icount(icount(out.len())), out.len());
        assert_eq!(decode(&out), Some(xattrs));
    }

    #[test]
    fn unknown_prefixes_have_no_place() {
        assert_eq!(split_name(b"system.nfs4_acl"), None);
        assert_eq!(split_name(b"system.posix_acl_accessx"), None);
        assert_eq!(split_name(b"user."), None);
        assert_eq!(size(&BTreeMap::from([(b"btrfs.x".to_vec(), Vec::new())])), 0);
    }

    #[test]
    fn malformed_bodies_are_no_panic() {
        assert_eq!(decode(&[0; 4]), None);
        assert_eq!(decode(&[0, 0, 0, 0, 255, 0, 0, 0, 0, 0, 0, 0]), None);
        assert_eq!(decode(&[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 200, 1, 0, 0]), None);
    }
}
