//! Directory blocks: in each block an array of `erofs_dirent` and behind it the names, sorted over the whole directory.

use super::layout::{BLOCK, DIRENT, field};

/// One entry to write.
#[derive(Debug, Clone)]
pub(crate) struct Entry<'a> {
    pub(crate) name: &'a [u8],
    pub(crate) nid: u64,
    pub(crate) file_type: u8,
}

/// How the sorted names spread over blocks: the number of entries of each, and the bytes used in the last one.
fn blocks<'a>(names: impl Iterator<Item = &'a [u8]>) -> (Vec<usize>, usize) {
    let mut counts = vec![0];
    let mut used = 0;
    for name in names {
        let need = DIRENT + name.len();
        if used + need > BLOCK as usize {
            counts.push(0);
            used = 0;
        }
        used += need;
        if let Some(last) = counts.last_mut() {
            *last += 1;
        }
    }
    (counts, used)
}

/// The size of a directory with these names.
pub(crate) fn size<'a>(names: impl Iterator<Item = &'a [u8]>) -> u64 {
    let (counts, used) = blocks(names);
    (counts.len() as u64 - 1) * BLOCK + used as u64
}

/// Writes the entries, which are sorted by name and include `.` and `..`.
pub(crate) fn encode(entries: &[Entry<'_>]) -> Vec<u8> {
    let (counts, _) = blocks(entries.iter().map(|entry| entry.name));
    let mut out: Vec<u8> = Vec::new();
    let mut rest = entries;
    for count in counts {
        let (block, after) = rest.split_at(count);
        rest = after;
        out.resize(out.len().next_multiple_of(BLOCK as usize), 0);
        let mut name_offset = block.len() * DIRENT;
        for entry in block {
            out.extend(entry.nid.to_le_bytes());
            // At most one block's size, so it fits 16 bits.
            out.extend((name_offset as u16).to_le_bytes());
            out.extend([entry.file_type, 0]);
            name_offset += entry.name.len();
        }
        block.iter().for_each(|entry| out.extend(entry.name));
    }
    out
}

/// Reads the entries of one block as (name, nid); `None` if the block is malformed.
pub(crate) fn decode(block: &[u8]) -> Option<Vec<(&[u8], u64)>> {
    let names_start = usize::from(u16::from_le_bytes(field(block, 8)));
    if block.len() < DIRENT || names_start < DIRENT || !names_start.is_multiple_of(DIRENT) || names_start > block.len()
    {
        return None;
    }
    let count = names_start / DIRENT;
    let name_offset = |index: usize| usize::from(u16::from_le_bytes(field(block, index * DIRENT + 8)));
    let mut entries = Vec::with_capacity(count);
    for index in 0..count {
        let end = if index + 1 < count { name_offset(index + 1) } else { block.len() };
        let name = block.get(name_offset(index).max(names_start)..end)?;
        // Only the last name of a block may be followed by padding.
        let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
        if name.is_empty() || name.len() > 255 || name.contains(&b'/') {
            return None;
        }
        entries.push((name, u64::from_le_bytes(field(block, index * DIRENT))));
    }
    Some(entries)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_names_spread_over_blocks() {
        let names: Vec<String> = (0..1000).map(|n| format!("file-with-a-name-{n:06}")).collect();
        let entries: Vec<Entry<'_>> =
            names.iter().zip(7..).map(|(name, nid)| Entry { name: name.as_bytes(), nid, file_type: 1 }).collect();
        let bytes = encode(&entries);
        assert_eq!(bytes.len() as u64, size(names.iter().map(|name| name.as_bytes())));
        let read: Vec<(Vec<u8>, u64)> = bytes
            .chunks(BLOCK as usize)
            .flat_map(|block| decode(block).unwrap())
            .map(|(name, nid)| (name.to_vec(), nid))
            .collect();
        let expected: Vec<(Vec<u8>, u64)> = names.iter().map(|name| name.clone().into_bytes()).zip(7..).collect();
        assert_eq!(read, expected);
    }

    #[test]
    fn malformed_blocks_are_refused() {
        assert!(decode(&[]).is_none());
        assert!(decode(&[0; 12]).is_none());
        assert!(decode(&[0xff; 64]).is_none());
        let slash = encode(&[Entry { name: b"a/b", nid: 1, file_type: 1 }]);
        assert!(decode(&slash).is_none());
    }
}
