//! Turns the `syscall` instructions of freshly mapped text into jumps to stubs, by the table that the host made.
//!
//! ```text
//! site:  jmp stub              stub:  instructions before
//!        …                            lea rcx, [rip + 8]
//!                                     jmp *gs:8            → coracle_entry, which comes back behind it
//!                                     instructions after
//!                                     jmp site + span
//! ```
#![allow(unsafe_code)] // writes program text that is not executable yet

use boot_info::Site;
use linux_abi::Errno;
use platform::{MapSource, Prot, UserRange};
use talc::lock_api::Mutex;

use crate::block::ENTRY_OFFSET;
use crate::heap::FutexLock;
use crate::memory;
use crate::state::state;

const LEA: [u8; 7] = [0x48, 0x8d, 0x0d, 8, 0, 0, 0];
const ENTER: [u8; 8] = [0x65, 0xff, 0x24, 0x25, ENTRY_OFFSET as u8, 0, 0, 0];
const SYSCALL: [u8; 2] = [0x0f, 0x05];
const JUMP: usize = 5;
/// The longest stub: two times 255 moved bytes.
const LONGEST: usize = 2 * 255 + LEA.len() + ENTER.len() + JUMP;

/// Rewritten text and its stubs, for translating addresses.
#[derive(Clone, Copy)]
struct Region {
    text: UserRange,
    image_offset: u64,
    stubs: UserRange,
}

const REGIONS: usize = 256;
static MAP: Mutex<FutexLock, [Option<Region>; REGIONS]> = Mutex::new([None; REGIONS]);

fn stub_size(site: Site) -> u64 {
    (usize::from(site.before) + LEA.len() + ENTER.len() + usize::from(site.after) + JUMP) as u64
}

fn sites(text: UserRange, image_offset: u64) -> impl Iterator<Item = Site> + Clone {
    state().table.within(image_offset, image_offset.saturating_add(text.len()))
}

/// See [`platform::Machine::rewrite`].
pub(crate) fn rewrite(text: UserRange, image_offset: u64, stubs: Option<UserRange>) -> Result<u64, Errno> {
    let needed = sites(text, image_offset).map(stub_size).sum();
    let Some(stubs) = stubs else { return Ok(needed) };
    if needed == 0 {
        return Ok(0);
    }
    if stubs.len() < needed || stubs.start.abs_diff(text.end).max(text.start.abs_diff(stubs.end)) > i32::MAX as u64 {
        return Err(Errno::ERANGE);
    }
    memory::map(stubs, Prot::RW, MapSource::Anonymous)?;
    let mut at = stubs.start;
    for site in sites(text, image_offset) {
        let place = text.start + (site.offset - image_offset);
        // SAFETY: the site lies in `text`, which the kernel mapped readable and writable and nobody executes yet, and the
        // stub lies in `stubs`, mapped above.
        unsafe { patch(site, place, at) };
        at += stub_size(site);
    }
    memory::protect(stubs, Prot::RX)?;
    remember(Region { text, image_offset, stubs });
    Ok(needed)
}

/// Writes one stub and the jump to it; leaves a site alone whose bytes are not what the table says (it will trap).
unsafe fn patch(site: Site, place: u64, stub: u64) {
    let (before, after) = (usize::from(site.before), usize::from(site.after));
    // SAFETY: by the caller's contract.
    let code = unsafe { core::slice::from_raw_parts(place as *const u8, site.span() as usize) };
    if code[before..before + 2] != SYSCALL {
        return;
    }
    let mut bytes = [0u8; LONGEST];
    let mut len = 0;
    let mut push = |part: &[u8]| {
        bytes[len..len + part.len()].copy_from_slice(part);
        len += part.len();
    };
    push(&code[..before]);
    push(&LEA);
    push(&ENTER);
    push(&code[before + 2..]);
    push(&jump(stub + stub_size(site) - JUMP as u64, place + site.span()));
    debug_assert!(after + before < LONGEST);
    // SAFETY: by the caller's contract; the slice of the old code is no longer used.
    unsafe {
        core::ptr::copy_nonoverlapping(bytes.as_ptr(), stub as *mut u8, len);
        core::ptr::copy_nonoverlapping(jump(place, stub).as_ptr(), place as *mut u8, JUMP);
    }
}

/// `jmp rel32`; the distance was checked.
fn jump(from: u64, to: u64) -> [u8; JUMP] {
    let [a, b, c, d] = (to.wrapping_sub(from).wrapping_sub(JUMP as u64) as u32).to_le_bytes();
    [0xe9, a, b, c, d]
}

fn remember(region: Region) {
    let overlaps = |a: UserRange, b: UserRange| a.start < b.end && b.start < a.end;
    let mut map = MAP.lock();
    for old in map.iter_mut() {
        if old.is_some_and(|o| overlaps(o.stubs, region.stubs) || overlaps(o.text, region.text)) {
            *old = None;
        }
    }
    // Without room addresses in these stubs are not translated: only unwinding through a signal suffers.
    if let Some(free) = map.iter_mut().find(|r| r.is_none()) {
        *free = Some(region);
    }
}

/// A site of a region: where its text and its stub start.
#[derive(Clone, Copy)]
struct Placed {
    site: Site,
    text: u64,
    stub: u64,
}

/// Between the instructions before and behind the call in a stub.
const MIDDLE: u64 = (LEA.len() + ENTER.len()) as u64;

impl Placed {
    fn before(self) -> u64 {
        self.site.before.into()
    }

    fn stub_holds(self, rip: u64) -> bool {
        self.stub <= rip && rip < self.stub + stub_size(self.site)
    }

    /// Whether the jump overwrote an instruction that began here. Where the jump itself begins nothing is lost.
    fn jump_hides(self, rip: u64) -> bool {
        self.text < rip && rip < self.text + JUMP as u64
    }

    /// The original place of an address in the stub.
    fn original(self, rip: u64) -> u64 {
        let offset = rip - self.stub;
        let original = match offset {
            o if o <= self.before() => o,
            o if o < self.before() + MIDDLE => self.before(),
            o => (o - MIDDLE + 2).min(self.site.span()),
        };
        self.text + original
    }

    /// The place in the stub of an address that the jump hides.
    fn resume(self, rip: u64) -> u64 {
        let offset = rip - self.text;
        self.stub + if offset <= self.before() { offset } else { offset + MIDDLE - 2 }
    }

    /// Where the stub makes the call.
    fn call(self) -> u64 {
        self.stub + self.before()
    }
}

fn placed(region: Region, sites: impl Iterator<Item = Site>) -> impl Iterator<Item = Placed> {
    sites.scan(region.stubs.start, move |stub, site| {
        let placed = Placed { site, text: region.text.start + (site.offset - region.image_offset), stub: *stub };
        *stub += stub_size(site);
        Some(placed)
    })
}

fn find(is_in: impl Fn(&Region) -> bool, wanted: impl Fn(&Placed) -> bool) -> Option<Placed> {
    let region = MAP.lock().iter().flatten().copied().find(is_in)?;
    placed(region, sites(region.text, region.image_offset)).find(wanted)
}

fn by_stub(rip: u64) -> Option<Placed> {
    find(|region| region.stubs.contains(rip), |site| site.stub_holds(rip))
}

/// See [`platform::Machine::original_rip`].
pub(crate) fn original(rip: u64) -> u64 {
    by_stub(rip).map_or(rip, |site| site.original(rip))
}

/// See [`platform::Machine::resume_rip`].
pub(crate) fn resume(rip: u64) -> u64 {
    find(|region| region.text.contains(rip), |site| site.jump_hides(rip)).map_or(rip, |site| site.resume(rip))
}

/// See [`platform::Machine::restart_rip`].
pub(crate) fn restart(rip: u64) -> u64 {
    by_stub(rip).map_or(rip.wrapping_sub(2), Placed::call)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: u64 = 0x40_0000;
    const STUBS: u64 = 0x30_0000;
    /// `mov $39,%eax; syscall` (the jump covers the mov), then `syscall` and a six-byte instruction.
    const SITES: [Site; 2] = [Site { offset: 100, before: 5, after: 0 }, Site { offset: 200, before: 0, after: 6 }];

    fn both() -> [Placed; 2] {
        let range = |start| UserRange { start, end: start + 4096 };
        let region = Region { text: range(TEXT), image_offset: 0, stubs: range(STUBS) };
        let mut all = placed(region, SITES.into_iter());
        [all.next().unwrap(), all.next().unwrap()]
    }

    #[test]
    fn stubs_follow_each_other() {
        let [first, second] = both();
        assert_eq!((first.text, first.stub), (TEXT + 100, STUBS));
        assert_eq!((second.text, second.stub), (TEXT + 200, STUBS + 5 + MIDDLE + JUMP as u64));
    }

    #[test]
    fn a_stub_shows_as_the_original_code() {
        let [first, second] = both();
        assert_eq!(first.original(first.stub), TEXT + 100);
        assert_eq!(first.original(first.stub + 5), TEXT + 105, "about to call");
        assert_eq!(first.original(first.stub + 5 + 7), TEXT + 105, "still");
        assert_eq!(first.original(first.stub + 5 + MIDDLE), TEXT + 107, "behind the call");
        assert_eq!(second.original(second.stub + MIDDLE), TEXT + 202);
        assert_eq!(second.original(second.stub + MIDDLE + 6), TEXT + 208, "about to jump back");
    }

    #[test]
    fn hidden_code_goes_on_in_the_stub() {
        let [first, second] = both();
        assert!(!first.jump_hides(TEXT + 100) && !first.jump_hides(TEXT + 105) && !first.jump_hides(TEXT + 107));
        assert!(second.jump_hides(TEXT + 202));
        assert_eq!(second.resume(TEXT + 202), second.stub + MIDDLE);
        for rip in [second.stub + MIDDLE, second.stub] {
            assert_eq!(second.resume(second.original(rip)), rip);
        }
    }

    #[test]
    fn a_restarted_call_begins_in_the_stub() {
        let [first, second] = both();
        assert_eq!(first.call(), first.stub + 5);
        assert_eq!(second.call(), second.stub);
    }

    #[test]
    fn jumps_reach_both_ways() {
        assert_eq!(jump(0x1000, 0x2000), [0xe9, 0xfb, 0x0f, 0, 0]);
        assert_eq!(jump(0x2000, 0x1000), [0xe9, 0xfb, 0xef, 0xff, 0xff]);
    }
}
