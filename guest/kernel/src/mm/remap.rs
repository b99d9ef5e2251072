//! mremap(2), and what else acts on pages that are mapped already.

use alloc::vec;

use linux_abi::Errno;
use platform::{Prot, UserAddr, UserRange};

use crate::machine::machine;
use crate::mm::space::{Inner, Mm, Request, Where, copy_in};
use crate::mm::vma::{Content, Vma};
use crate::vfs::FileMapping;

/// What mremap(2) may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Move {
    /// Nothing but change the size in place.
    Never,
    /// Move if it cannot grow.
    May,
    /// Move to this address.
    To(u64),
}

impl Mm {
    /// Changes the size of the mapping of `old`, perhaps moving it. Gives its new address.
    pub(super) fn remap(&self, old: UserRange, new_len: u64, how: Move) -> Result<u64, Errno> {
        let mut inner = self.inner.lock();
        let vma = match inner.map.find(old.start) {
            Some((_, vma)) if vma.end >= old.end => vma.clone(),
            _ => return Err(Errno::EFAULT),
        };
        if let Move::To(to) = how {
            return inner.relocate(old, &vma, new_len, Where::Fixed(to));
        }
        if new_len <= old.len() {
            if new_len < old.len() {
                inner.clear(UserRange { start: old.start + new_len, end: old.end })?;
            }
            return Ok(old.start);
        }
        if inner.extend(old, &vma, new_len)? {
            return Ok(old.start);
        }
        if how == Move::Never {
            return Err(Errno::ENOMEM);
        }
        inner.relocate(old, &vma, new_len, Where::Hint(0))
    }

    /// Throws pages away so that they read as zero, or as the file, again (`MADV_DONTNEED`).
    pub(super) fn discard(&self, range: UserRange) -> Result<(), Errno> {
        let inner = self.inner.lock();
        for (start, vma) in inner.map.touching(range) {
            let part = UserRange { start: start.max(range.start), end: vma.end.min(range.end) };
            match &vma.content {
                // Rewritten text is no longer what the image has.
                _ if vma.rewritten => {}
                Content::File(backing, offset) if backing.mapping == FileMapping::Memory && !vma.shared => {
                    copy_in(part, vma.prot, backing, offset + (part.start - start))?;
                }
                Content::File(backing, _) if backing.mapping == FileMapping::Memory => {}
                Content::Anonymous if vma.shared => {}
                _ => machine().discard(part)?,
            }
        }
        if inner.map.covers(range) { Ok(()) } else { Err(Errno::ENOMEM) }
    }

    /// Writes shared mappings of files that live in the kernel's memory back to them (msync(2)).
    pub(super) fn write_back(&self, range: UserRange) -> Result<(), Errno> {
        let inner = self.inner.lock();
        for (start, vma) in inner.map.touching(range) {
            let part = UserRange { start: start.max(range.start), end: vma.end.min(range.end) };
            save(part, start, vma)?;
        }
        if inner.map.covers(range) { Ok(()) } else { Err(Errno::ENOMEM) }
    }
}

fn save(part: UserRange, start: u64, vma: &Vma) -> Result<(), Errno> {
    let Content::File(backing, offset) = &vma.content else { return Ok(()) };
    if !vma.shared || !vma.prot.write || backing.mapping != FileMapping::Memory {
        return Ok(());
    }
    let size = backing.file.attributes()?.size;
    let offset = offset + (part.start - start);
    let len = part.len().min(size.saturating_sub(offset)) as usize;
    let mut source = crate::mem::Source::user(UserAddr(part.start), len);
    while source.remaining() > 0 {
        let at = offset + source.done() as u64;
        if backing.file.file.write(&mut source, at)? == 0 {
            break;
        }
    }
    Ok(())
}

impl Inner {
    /// Grows a mapping where it is, if what follows is free; says whether it did.
    fn extend(&mut self, old: UserRange, vma: &Vma, new_len: u64) -> Result<bool, Errno> {
        let more = UserRange { start: old.end, end: old.start + new_len };
        if vma.end != old.end || more.end > machine().user_space().end || !self.map.is_free(more) {
            return Ok(false);
        }
        self.make(Request {
            place: Where::FixedIfFree(more.start),
            len: more.len(),
            ..self.like(old, vma, old.len())
        })?;
        Ok(true)
    }

    /// A request for more of the same.
    fn like(&self, old: UserRange, vma: &Vma, skip: u64) -> Request {
        let content = match &vma.content {
            Content::File(backing, offset) => {
                let start = self.map.find(old.start).map_or(old.start, |(start, _)| start);
                Content::File(backing.clone(), offset + (old.start - start) + skip)
            }
            other => other.clone(),
        };
        Request { place: Where::Hint(0), len: 0, prot: vma.prot, shared: vma.shared, unreserved: false, content }
    }

    fn relocate(&mut self, old: UserRange, vma: &Vma, new_len: u64, place: Where) -> Result<u64, Errno> {
        if vma.rewritten {
            return Err(Errno::EINVAL);
        }
        let start = self.make(Request { place, len: new_len, ..self.like(old, vma, 0) })?;
        let new = UserRange { start, end: start + new_len };
        // A private mapping's pages may differ from the file's; a shared mapping of the host shows the same pages anyway.
        if vma.prot.read || vma.prot.write {
            copy_pages(old, new, vma.prot)?;
        }
        self.clear(old)?;
        Ok(start)
    }
}

/// Copies the contents of a mapping; pages of zeros are left untouched.
fn copy_pages(from: UserRange, to: UserRange, prot: Prot) -> Result<(), Errno> {
    let m = machine();
    let len = from.len().min(to.len());
    let part = UserRange { start: to.start, end: to.start + len };
    if !prot.write {
        m.protect(part, Prot::RW)?;
    }
    let mut chunk = vec![0u8; 64 * 1024];
    let mut done = 0;
    while done < len {
        let want = chunk.len().min((len - done) as usize);
        m.copy_from_user(UserAddr(from.start + done), &mut chunk[..want])?;
        for (index, page) in chunk[..want].chunks(4096).enumerate() {
            if page.iter().any(|byte| *byte != 0) {
                m.copy_to_user(UserAddr(to.start + done + index as u64 * 4096), page)?;
            }
        }
        done += want as u64;
    }
    if prot.write { Ok(()) } else { m.protect(part, prot) }
}
