//! Extended attributes: a header behind the inode, references to shared attributes, then the inode's own.

use super::bytes::{le16, le32};
use super::{Image, Inode, Malformed};

const HEADER: u64 = 12;

impl<'a> Image<'a> {
    /// Calls `emit` with the prefix, the rest of the name and the value of each attribute until it says `false`.
    pub(crate) fn xattrs(
        &self,
        inode: &Inode,
        emit: &mut dyn FnMut(&'static [u8], &'a [u8], &'a [u8]) -> bool,
    ) -> Result<(), Malformed> {
        let (at, len) = inode.xattrs;
        if len < HEADER {
            return Ok(());
        }
        let body = self.slice(at, len)?;
        let shared = usize::from(body[4]);
        let mut position = HEADER as usize + shared * 4;
        for n in 0..shared {
            let id = u64::from(le32(body, HEADER as usize + n * 4)?);
            let from = self.shared_attributes + id * 4;
            let rest = self.slice(from, self.len().saturating_sub(from))?;
            if !entry(rest)?.emit(emit) {
                return Ok(());
            }
        }
        while position + 4 <= body.len() {
            let found = entry(&body[position..])?;
            position += found.len;
            if !found.emit(emit) {
                break;
            }
        }
        Ok(())
    }
}

struct Attribute<'a> {
    prefix: Option<&'static [u8]>,
    name: &'a [u8],
    value: &'a [u8],
    len: usize,
}

impl<'a> Attribute<'a> {
    fn emit(&self, emit: &mut dyn FnMut(&'static [u8], &'a [u8], &'a [u8]) -> bool) -> bool {
        // Names with a prefix that is not known here are left out.
        self.prefix.is_none_or(|prefix| emit(prefix, self.name, self.value))
    }
}

fn entry(data: &[u8]) -> Result<Attribute<'_>, Malformed> {
    let [name_len, index, ..] = *data else { return Err(Malformed::Attribute) };
    let (name_len, value_len) = (usize::from(name_len), usize::from(le16(data, 2)?));
    let name = data.get(4..4 + name_len).ok_or(Malformed::Attribute)?;
    let value = data.get(4 + name_len..4 + name_len + value_len).ok_or(Malformed::Attribute)?;
    let prefix: Option<&'static [u8]> = match index {
        0 => Some(b""),
        1 => Some(b"user."),
        2 => Some(b"system.posix_acl_access"),
        3 => Some(b"system.posix_acl_default"),
        4 => Some(b"trusted."),
        6 => Some(b"security."),
        _ => None,
    };
    Ok(Attribute { prefix, name, value, len: (4 + name_len + value_len).next_multiple_of(4) })
}
