use super::Malformed;

/// `len` bytes from `offset` on.
pub(super) fn slice(data: &[u8], offset: u64, len: u64) -> Result<&[u8], Malformed> {
    let end = offset.checked_add(len).ok_or(Malformed::Truncated)?;
    if end > data.len() as u64 {
        return Err(Malformed::Truncated);
    }
    Ok(&data[offset as usize..end as usize])
}

fn array<const N: usize>(data: &[u8], at: usize) -> Result<[u8; N], Malformed> {
    data.get(at..).and_then(|rest| rest.first_chunk()).copied().ok_or(Malformed::Truncated)
}

pub(super) fn le16(data: &[u8], at: usize) -> Result<u16, Malformed> {
    array(data, at).map(u16::from_le_bytes)
}

pub(super) fn le32(data: &[u8], at: usize) -> Result<u32, Malformed> {
    array(data, at).map(u32::from_le_bytes)
}

pub(super) fn le64(data: &[u8], at: usize) -> Result<u64, Malformed> {
    array(data, at).map(u64::from_le_bytes)
}
