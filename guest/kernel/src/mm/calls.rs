//! The system calls of memory.

use alloc::sync::Arc;

use linux_abi::task::*;
use linux_abi::{Errno, nr};
use platform::{Prot, UserRange, page_down, page_up};

use crate::mem::write_slice;
use crate::mm::remap::Move;
use crate::mm::space::{Request, Where};
use crate::mm::vma::{Backing, Content};
use crate::syscall::Support::{Full, Partial, Refused};
use crate::syscall::{Call, Row, refuse, row};
use crate::task::current;
use crate::vfs::{FileMapping, OpenFile, mapping_of};

/// The calls of memory.
pub(crate) const SYSCALLS: &[Row] = &[
    row(nr::MMAP, mmap, Partial("writable shared mappings of files in memory reach the file at msync and munmap")),
    row(nr::MPROTECT, mprotect, Full),
    row(nr::MUNMAP, munmap, Full),
    row(nr::BRK, brk, Full),
    row(nr::MREMAP, mremap, Partial("moving copies the pages; MREMAP_DONTUNMAP is refused")),
    row(nr::MSYNC, msync, Full),
    row(nr::MINCORE, mincore, Partial("mapped pages are reported resident")),
    row(nr::MADVISE, madvise, Partial("advice without effect on contents is accepted and ignored")),
    row(nr::MLOCK, mlock, Partial("pages are not locked: the instance's memory is not swapped by itself")),
    row(nr::MLOCK2, mlock, Partial("as mlock")),
    row(nr::MUNLOCK, mlock, Partial("as mlock")),
    row(nr::MLOCKALL, accept, Partial("as mlock")),
    row(nr::MUNLOCKALL, accept, Partial("as mlock")),
    row(nr::PKEY_MPROTECT, pkey_mprotect, Partial("only with key -1")),
    row(nr::PKEY_ALLOC, no_key, Refused("protection keys are not offered: ENOSPC")),
    row(nr::PKEY_FREE, no_pkey, Refused("protection keys are not offered: EINVAL")),
    row(nr::MBIND, accept, Partial("one memory node: nothing to bind")),
    row(nr::SET_MEMPOLICY, accept, Partial("one memory node: nothing to choose")),
    row(nr::GET_MEMPOLICY, get_mempolicy, Partial("always the default policy")),
    row(nr::REMAP_FILE_PAGES, refuse, Refused("deprecated")),
    row(nr::USERFAULTFD, refuse, Refused("page faults are not delivered to the application")),
    row(nr::PROCESS_VM_READV, refuse, Refused("one process")),
    row(nr::PROCESS_VM_WRITEV, refuse, Refused("one process")),
    row(nr::PROCESS_MADVISE, refuse, Refused("one process")),
    row(nr::MEMFD_SECRET, refuse, Refused("no secret memory")),
];

fn accept(_: &mut Call<'_>) -> Result<i64, Errno> {
    Ok(0)
}

fn no_key(_: &mut Call<'_>) -> Result<i64, Errno> {
    Err(Errno::ENOSPC)
}

fn no_pkey(_: &mut Call<'_>) -> Result<i64, Errno> {
    Err(Errno::EINVAL)
}

fn prot_of(bits: u32) -> Prot {
    let write = bits & PROT_WRITE != 0;
    // x86 has no pages that can be written or executed but not read.
    Prot { read: bits & (PROT_READ | PROT_WRITE | PROT_EXEC) != 0, write, exec: bits & PROT_EXEC != 0 }
}

/// A range that a call names by two arguments: the start must be a page's.
fn range_of(start: u64, len: u64) -> Result<UserRange, Errno> {
    UserRange::new(start, len).ok_or(Errno::EINVAL)
}

/// mmap(2).
fn mmap(call: &mut Call<'_>) -> Result<i64, Errno> {
    let (addr, len, flags, fd, offset) = (call.args[0], call.args[1], call.uint(3), call.int(4), call.args[5]);
    if len == 0 || offset != page_down(offset) {
        return Err(Errno::EINVAL);
    }
    let shared = match flags & 0xf {
        MAP_SHARED | MAP_SHARED_VALIDATE => true,
        MAP_PRIVATE => false,
        _ => return Err(Errno::EINVAL),
    };
    if flags & MAP_HUGETLB != 0 {
        return Err(Errno::ENOMEM);
    }
    let prot = prot_of(call.uint(2));
    let process = &current().process;
    let content = if flags & MAP_ANONYMOUS != 0 {
        Content::Anonymous
    } else {
        file_content(&process.files.get(fd)?, prot, shared, offset)?
    };
    let unreserved = flags & MAP_NORESERVE != 0;
    let request = Request { place: place_of(addr, flags)?, len, prot, shared, unreserved, content };
    process.mm.map(request).map(|start| start as i64)
}

fn place_of(addr: u64, flags: u32) -> Result<Where, Errno> {
    let fixed = flags & (MAP_FIXED | MAP_FIXED_NOREPLACE) != 0;
    if fixed && addr != page_down(addr) {
        return Err(Errno::EINVAL);
    }
    Ok(if flags & MAP_FIXED_NOREPLACE != 0 {
        Where::FixedIfFree(addr)
    } else if flags & MAP_FIXED != 0 {
        Where::Fixed(addr)
    } else if flags & MAP_32BIT != 0 {
        Where::Low
    } else {
        Where::Hint(addr)
    })
}

fn file_content(file: &Arc<OpenFile>, prot: Prot, shared: bool, offset: u64) -> Result<Content, Errno> {
    let mapping = mapping_of(file)?;
    if shared && prot.write && mapping != FileMapping::Zero {
        file.check_writable().map_err(|_| Errno::EACCES)?;
    }
    if mapping == FileMapping::Zero {
        return Ok(Content::Anonymous);
    }
    Ok(Content::File(Arc::new(Backing { mapping, file: file.clone() }), offset))
}

/// munmap(2).
fn munmap(call: &mut Call<'_>) -> Result<i64, Errno> {
    let range = range_of(call.args[0], call.args[1])?;
    let mm = &current().process.mm;
    let _ = mm.write_back(range);
    mm.unmap(range).map(|()| 0)
}

/// mprotect(2).
fn mprotect(call: &mut Call<'_>) -> Result<i64, Errno> {
    let (start, len, bits) = (call.args[0], call.args[1], call.uint(2));
    let known = PROT_READ | PROT_WRITE | PROT_EXEC | PROT_GROWSDOWN | PROT_GROWSUP;
    if start != page_down(start) || bits & !known != 0 {
        return Err(Errno::EINVAL);
    }
    if len == 0 {
        return Ok(0);
    }
    let range = UserRange::new(start, len).ok_or(Errno::ENOMEM)?;
    current().process.mm.protect(range, prot_of(bits)).map(|()| 0)
}

/// pkey_mprotect(2).
fn pkey_mprotect(call: &mut Call<'_>) -> Result<i64, Errno> {
    if call.int(3) == -1 { mprotect(call) } else { Err(Errno::EINVAL) }
}

/// brk(2): the kernel's call gives the new end, or the old one if it cannot be changed.
fn brk(call: &mut Call<'_>) -> Result<i64, Errno> {
    Ok(current().process.mm.brk(call.args[0]) as i64)
}

/// mremap(2).
fn mremap(call: &mut Call<'_>) -> Result<i64, Errno> {
    let [start, old_len, new_len, flags, to, _] = call.args;
    let flags = flags as u32;
    let fixed = flags & MREMAP_FIXED != 0;
    if flags & !(MREMAP_MAYMOVE | MREMAP_FIXED) != 0 || fixed && flags & MREMAP_MAYMOVE == 0 || new_len == 0 {
        return Err(Errno::EINVAL);
    }
    let new_len = page_up(new_len).ok_or(Errno::EINVAL)?;
    let old = range_of(start, old_len)?;
    let how = match (fixed, flags & MREMAP_MAYMOVE != 0) {
        (true, _) => {
            let new = range_of(to, new_len)?;
            if new.start < old.end && old.start < new.end {
                return Err(Errno::EINVAL);
            }
            Move::To(to)
        }
        (false, true) => Move::May,
        (false, false) => Move::Never,
    };
    current().process.mm.remap(old, new_len, how).map(|start| start as i64)
}

const MS_ASYNC: u32 = 1;
const MS_INVALIDATE: u32 = 2;
const MS_SYNC: u32 = 4;

/// msync(2).
fn msync(call: &mut Call<'_>) -> Result<i64, Errno> {
    let flags = call.uint(2);
    let both = MS_ASYNC | MS_SYNC;
    if call.args[0] != page_down(call.args[0]) || flags & !(both | MS_INVALIDATE) != 0 || flags & both == both {
        return Err(Errno::EINVAL);
    }
    if call.args[1] == 0 {
        return Ok(0);
    }
    let range = UserRange::new(call.args[0], call.args[1]).ok_or(Errno::ENOMEM)?;
    current().process.mm.write_back(range).map(|()| 0)
}

/// mincore(2).
fn mincore(call: &mut Call<'_>) -> Result<i64, Errno> {
    if call.args[0] != page_down(call.args[0]) {
        return Err(Errno::EINVAL);
    }
    if call.args[1] == 0 {
        return Ok(0);
    }
    let range = UserRange::new(call.args[0], call.args[1]).ok_or(Errno::ENOMEM)?;
    if !current().process.mm.is_mapped(range) {
        return Err(Errno::ENOMEM);
    }
    let pages = range.len() / platform::PAGE_SIZE;
    let ones = [1u8; 256];
    for done in (0..pages).step_by(ones.len()) {
        let count = ones.len().min((pages - done) as usize);
        write_slice(call.addr(2).add(done), &ones[..count])?;
    }
    Ok(0)
}

const MADV_DONTNEED: i32 = 4;
const MADV_FREE: i32 = 8;
const MADV_REMOVE: i32 = 9;
const MADV_HWPOISON: i32 = 100;
const MADV_SOFT_OFFLINE: i32 = 101;

/// madvise(2).
fn madvise(call: &mut Call<'_>) -> Result<i64, Errno> {
    let advice = call.int(2);
    if call.args[0] != page_down(call.args[0]) {
        return Err(Errno::EINVAL);
    }
    if call.args[1] == 0 {
        return Ok(0);
    }
    let range = range_of(call.args[0], call.args[1])?;
    let mm = &current().process.mm;
    match advice {
        MADV_DONTNEED | MADV_FREE => mm.discard(range).map(|()| 0),
        MADV_REMOVE => Err(Errno::EOPNOTSUPP),
        0..=3 | 10..=21 => {
            if mm.is_mapped(range) {
                Ok(0)
            } else {
                Err(Errno::ENOMEM)
            }
        }
        MADV_HWPOISON | MADV_SOFT_OFFLINE => Err(Errno::EPERM),
        _ => Err(Errno::EINVAL),
    }
}

/// mlock(2), munlock(2).
fn mlock(call: &mut Call<'_>) -> Result<i64, Errno> {
    let start = page_down(call.args[0]);
    let end = call.args[0].checked_add(call.args[1]).and_then(page_up).ok_or(Errno::EINVAL)?;
    if start == end || current().process.mm.is_mapped(UserRange { start, end }) { Ok(0) } else { Err(Errno::ENOMEM) }
}

/// get_mempolicy(2): the default policy.
fn get_mempolicy(call: &mut Call<'_>) -> Result<i64, Errno> {
    if !call.addr(0).is_null() {
        crate::mem::write_value(call.addr(0), &0u32)?;
    }
    Ok(0)
}
