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
struct Placed {
    site: Site,
    text: u64,
    stub: u64,
}

fn find(region: Region, wanted: impl Fn(&Placed) -> bool) -> Option<Placed> {
    let mut stub = region.stubs.start;
    sites(region.text, region.image_offset)
        .map(|site| {
            let placed = Placed { site, text: region.text.start + (site.offset - region.image_offset), stub };
            stub += stub_size(site);
            placed
        })
        .find(wanted)
}

fn by_stub(rip: u64) -> Option<Placed> {
    let region = MAP.lock().iter().flatten().copied().find(|r| r.stubs.contains(rip))?;
    find(region, |p| p.stub <= rip && rip < p.stub + stub_size(p.site))
}

/// See [`platform::Machine::original_rip`].
pub(crate) fn original(rip: u64) -> u64 {
    let Some(p) = by_stub(rip) else { return rip };
    let (offset, before) = (rip - p.stub, u64::from(p.site.before));
    let middle = (LEA.len() + ENTER.len()) as u64;
    let original = match offset {
        o if o <= before => o,
        o if o < before + middle => before,
        o => (o - middle + 2).min(p.site.span()),
    };
    p.text + original
}

/// See [`platform::Machine::resume_rip`].
pub(crate) fn resume(rip: u64) -> u64 {
    let Some(region) = MAP.lock().iter().flatten().copied().find(|r| r.text.contains(rip)) else { return rip };
    // Only addresses behind the start of a jump need translation, and only where the jump overwrote them.
    let Some(p) = find(region, |p| p.text < rip && rip < p.text + JUMP as u64) else { return rip };
    let (offset, before) = (rip - p.text, u64::from(p.site.before));
    let middle = (LEA.len() + ENTER.len()) as u64;
    p.stub + if offset <= before { offset } else { offset + middle - 2 }
}

/// See [`platform::Machine::restart_rip`].
pub(crate) fn restart(rip: u64) -> u64 {
    by_stub(rip).map_or(rip.wrapping_sub(2), |p| p.stub + u64::from(p.site.before))
}
