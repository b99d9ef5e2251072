use alloc::sync::Arc;
use alloc::vec;

use linux_abi::Errno;
use platform::{MapSource, Prot, UserAddr, UserRange, page_down, page_up};

use crate::machine::machine;
use crate::mm::text;
use crate::mm::vma::{Backing, Content, Map, Vma};
use crate::sync::{Mutex, mutex};
use crate::vfs::FileMapping;

/// The address space.
pub(crate) struct Mm {
    pub(super) inner: Mutex<Inner>,
}

/// What the lock protects.
pub(super) struct Inner {
    pub(super) map: Map,
    /// New mappings go below this address.
    top: u64,
    /// The start of the heap, its end in bytes (brk(2)).
    brk: (u64, u64),
    /// The largest single private writable mapping: the instance's memory, as Linux's heuristic overcommit has it.
    largest: u64,
    /// `RLIMIT_AS`.
    pub(super) limit: u64,
}

/// Where a mapping goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Where {
    /// Anywhere; near the hint if that is free.
    Hint(u64),
    /// Here, replacing what is there.
    Fixed(u64),
    /// Here, if nothing is there.
    FixedIfFree(u64),
    /// Below 2 GiB.
    Low,
}

/// A mapping to make.
pub(crate) struct Request {
    pub(crate) place: Where,
    /// Length in bytes.
    pub(crate) len: u64,
    pub(crate) prot: Prot,
    pub(crate) shared: bool,
    /// `MAP_NORESERVE`: may be larger than the memory.
    pub(crate) unreserved: bool,
    pub(crate) content: Content,
}

impl Mm {
    /// An empty address space.
    pub(crate) fn new() -> Self {
        let memory = machine().boot_info().memory_limit;
        Self {
            inner: mutex(Inner {
                map: Map::default(),
                top: random_top(),
                brk: (0, 0),
                largest: if memory == 0 { u64::MAX } else { memory },
                limit: u64::MAX,
            }),
        }
    }

    /// Removes everything, for the next program.
    pub(crate) fn clear(&self) {
        let mut inner = self.inner.lock();
        let map = core::mem::take(&mut inner.map);
        for (start, vma) in map.iter() {
            // What cannot be unmapped is mapped over by what comes next.
            let _ = machine().unmap(UserRange { start, end: vma.end });
        }
        inner.top = random_top();
        inner.brk = (0, 0);
    }

    /// Makes a mapping; gives its address.
    pub(crate) fn map(&self, request: Request) -> Result<u64, Errno> {
        self.inner.lock().make(request)
    }

    /// Removes what is mapped in a range.
    pub(crate) fn unmap(&self, range: UserRange) -> Result<(), Errno> {
        self.inner.lock().clear(range)
    }

    /// Changes the protection of a range, all of which must be mapped (`ENOMEM`).
    pub(crate) fn protect(&self, range: UserRange, prot: Prot) -> Result<(), Errno> {
        self.inner.lock().protect(range, prot)
    }

    /// Puts the heap behind the program: at a random distance of up to 32 MiB.
    pub(crate) fn set_heap(&self, program_end: u64) {
        let start = page_up(program_end).unwrap_or(program_end) + page_down(random_u64() % (32 << 20));
        self.inner.lock().brk = (start, start);
    }

    /// brk(2): sets the end of the heap if that is possible; gives the end.
    pub(crate) fn brk(&self, end: u64) -> u64 {
        let mut inner = self.inner.lock();
        let (start, old) = inner.brk;
        let fits = end >= start && inner.set_brk(old, end).is_ok();
        if fits {
            inner.brk.1 = end;
        }
        inner.brk.1
    }

    /// Sets `RLIMIT_AS`.
    pub(crate) fn set_limit(&self, limit: u64) {
        self.inner.lock().limit = limit;
    }

    /// The bytes mapped.
    pub(crate) fn mapped_bytes(&self) -> u64 {
        self.inner.lock().map.bytes(|_| true)
    }

    /// Whether every page of a range is mapped.
    pub(crate) fn is_mapped(&self, range: UserRange) -> bool {
        self.inner.lock().map.covers(range)
    }

    /// What the mapping at an address allows; `None` if nothing is mapped there.
    pub(crate) fn protection(&self, addr: u64) -> Option<Prot> {
        self.inner.lock().map.find(addr).map(|(_, vma)| vma.prot)
    }
}

impl Inner {
    pub(super) fn make(&mut self, request: Request) -> Result<u64, Errno> {
        let len = page_up(request.len).filter(|len| *len > 0).ok_or(Errno::ENOMEM)?;
        let private_writable = request.prot.write && !request.shared && !request.unreserved;
        let memory = matches!(request.content, Content::Anonymous | Content::Named(_));
        if private_writable && memory && len > self.largest {
            return Err(Errno::ENOMEM);
        }
        if self.limit != u64::MAX && self.map.bytes(|_| true).saturating_add(len) > self.limit {
            return Err(Errno::ENOMEM);
        }
        let start = self.place(request.place, len)?;
        let range = UserRange { start, end: start + len };
        let old = self.map.remove(range);
        let vma = Vma {
            end: range.end,
            prot: request.prot,
            shared: request.shared,
            rewritten: false,
            content: request.content,
        };
        let done = populate(&mut self.map, range, &vma);
        match done {
            Ok(rewritten) => self.map.insert(start, Vma { rewritten, ..vma }),
            // What was there before is lost, as it may be with Linux.
            Err(_) if !old.is_empty() => drop(machine().unmap(range)),
            Err(_) => {}
        }
        done.map(|_| start)
    }

    fn place(&self, place: Where, len: u64) -> Result<u64, Errno> {
        let user = machine().user_space();
        let inside = |start: u64| start >= user.start && start.checked_add(len).is_some_and(|end| end <= user.end);
        match place {
            Where::Fixed(start) => inside(start).then_some(start).ok_or(Errno::ENOMEM),
            Where::FixedIfFree(start) => {
                let end = start.checked_add(len).filter(|_| inside(start)).ok_or(Errno::ENOMEM)?;
                if self.map.is_free(UserRange { start, end }) { Ok(start) } else { Err(Errno::EEXIST) }
            }
            Where::Hint(hint) => {
                let start = page_down(hint);
                if start != 0 && inside(start) && self.map.is_free(UserRange { start, end: start + len }) {
                    return Ok(start);
                }
                self.map.gap_below(UserRange { start: user.start, end: self.top }, len).ok_or(Errno::ENOMEM)
            }
            Where::Low => {
                let low = UserRange { start: user.start.max(0x10_0000), end: user.end.min(1 << 31) };
                self.map.gap_below(low, len).ok_or(Errno::ENOMEM)
            }
        }
    }

    pub(super) fn clear(&mut self, range: UserRange) -> Result<(), Errno> {
        let user = machine().user_space();
        if range.start < user.start || range.end > user.end {
            // Nothing can be mapped there: as good as removed, but Linux refuses what is no user address at all.
            return if range.end > 1 << 47 { Err(Errno::EINVAL) } else { Ok(()) };
        }
        if self.map.remove(range).is_empty() { Ok(()) } else { machine().unmap(range) }
    }

    fn protect(&mut self, range: UserRange, prot: Prot) -> Result<(), Errno> {
        let complete = self.map.covers(range);
        let read_only = |vma: &Vma| match &vma.content {
            Content::File(backing, _) => vma.shared && backing.file.check_writable().is_err(),
            _ => false,
        };
        if prot.write && self.map.touching(range).any(|(_, vma)| read_only(vma)) {
            return Err(Errno::EACCES);
        }
        for (start, mut vma) in self.map.remove(range) {
            let part = UserRange { start, end: vma.end };
            let done = change(&mut self.map, part, &vma, prot);
            if let Ok(rewritten) = done {
                vma.prot = prot;
                vma.rewritten |= rewritten;
            }
            self.map.insert(start, vma);
            done?;
        }
        if complete { Ok(()) } else { Err(Errno::ENOMEM) }
    }

    fn set_brk(&mut self, old: u64, new: u64) -> Result<(), Errno> {
        let (old, new) = (page_up(old).ok_or(Errno::ENOMEM)?, page_up(new).ok_or(Errno::ENOMEM)?);
        if new > old {
            return self
                .make(Request {
                    place: Where::FixedIfFree(old),
                    len: new - old,
                    prot: Prot::RW,
                    shared: false,
                    unreserved: false,
                    content: Content::Named("[heap]"),
                })
                .map(drop);
        }
        if new < old { self.clear(UserRange { start: new, end: old }) } else { Ok(()) }
    }
}

/// Changes the protection of one mapping's pages; says whether its text was rewritten.
fn change(map: &mut Map, range: UserRange, vma: &Vma, prot: Prot) -> Result<bool, Errno> {
    if prot.exec
        && !vma.rewritten
        && let Content::File(backing, offset) = &vma.content
        && let Some(image) = text::image_offset(backing, *offset)
    {
        machine().protect(range, Prot::RW)?;
        return text::make_executable(map, range, image, prot).map(|()| true);
    }
    machine().protect(range, prot).map(|()| false)
}

/// Makes the pages of a new mapping; says whether its text was rewritten.
fn populate(map: &mut Map, range: UserRange, vma: &Vma) -> Result<bool, Errno> {
    match &vma.content {
        Content::Anonymous | Content::Named(_) | Content::Stubs => {
            machine().map(range, vma.prot, MapSource::Anonymous)?;
            Ok(false)
        }
        Content::File(backing, offset) => populate_file(map, range, vma, backing, *offset),
    }
}

fn populate_file(
    map: &mut Map,
    range: UserRange,
    vma: &Vma,
    backing: &Arc<Backing>,
    offset: u64,
) -> Result<bool, Errno> {
    let m = machine();
    match backing.mapping {
        FileMapping::Zero => m.map(range, vma.prot, MapSource::Anonymous)?,
        FileMapping::Host { handle } if vma.shared => m.map(range, vma.prot, MapSource::HostShared(handle, offset))?,
        FileMapping::Host { handle } => m.map(range, vma.prot, MapSource::HostPrivate(handle, offset))?,
        FileMapping::Memory => copy_in(range, vma.prot, backing, offset)?,
        FileMapping::Image { offset: base, len } => {
            let direct = range.len().min(len.saturating_sub(offset));
            let split = range.start + direct;
            let executable = vma.prot.exec && direct > 0;
            if direct > 0 {
                let prot = if executable { Prot::RW } else { vma.prot };
                m.map(UserRange { start: range.start, end: split }, prot, MapSource::Image(base + offset))?;
            }
            if split < range.end {
                copy_in(UserRange { start: split, end: range.end }, vma.prot, backing, offset + direct)?;
            }
            if executable {
                text::make_executable(map, UserRange { start: range.start, end: split }, base + offset, vma.prot)?;
            }
            return Ok(executable);
        }
    }
    Ok(false)
}

/// Fills a mapping with a copy of the file. Pages behind the file's end stay without access (SIGBUS in Linux).
pub(super) fn copy_in(range: UserRange, prot: Prot, backing: &Backing, offset: u64) -> Result<(), Errno> {
    let m = machine();
    m.map(range, Prot::RW, MapSource::Anonymous)?;
    let mut chunk = vec![0u8; 64 * 1024];
    let mut done = 0;
    while done < range.len() {
        let want = chunk.len().min((range.len() - done) as usize);
        let got = backing.file.read_kernel(&mut chunk[..want], offset + done)?;
        m.copy_to_user(UserAddr(range.start + done), &chunk[..got])?;
        done += got as u64;
        if got < want {
            break;
        }
    }
    let end = range.start + page_up(done).unwrap_or(range.len()).min(range.len());
    if end > range.start && prot != Prot::RW {
        m.protect(UserRange { start: range.start, end }, prot)?;
    }
    if end < range.end {
        m.protect(UserRange { start: end, end: range.end }, Prot::NONE)?;
    }
    Ok(())
}

/// Mappings go down from a random place in the highest 1/16 of the space.
fn random_top() -> u64 {
    let user = machine().user_space();
    page_down(user.end - random_u64() % (user.len() / 16).max(1))
}

/// A random number from the machine.
pub(crate) fn random_u64() -> u64 {
    let mut bytes = [0; 8];
    machine().random(&mut bytes);
    u64::from_le_bytes(bytes)
}
