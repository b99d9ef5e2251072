//! Program text: its system call instructions become jumps before it can be executed.

use linux_abi::Errno;
use platform::{Prot, UserRange, page_up};

use crate::machine::machine;
use crate::mm::vma::{Backing, Content, Map, Vma};
use crate::vfs::FileMapping;

/// How far a jump's stub may be from the jump.
const REACH: u64 = 1 << 30;

/// The place in the image of a file's byte, if it is mapped straight from there.
pub(super) fn image_offset(backing: &Backing, offset: u64) -> Option<u64> {
    match backing.mapping {
        FileMapping::Image { offset: base, len } if offset < len => Some(base + offset),
        _ => None,
    }
}

/// Rewrites a range that shows the image from byte `image` on, now readable and writable, and gives it its protection.
pub(super) fn make_executable(map: &mut Map, range: UserRange, image: u64, prot: Prot) -> Result<(), Errno> {
    let m = machine();
    let needed = m.rewrite(range, image, None)?;
    // Without room nearby the text runs as it is: each call traps, which is slow and correct.
    if let Some(stubs) = page_up(needed).filter(|len| *len > 0).and_then(|len| room_near(map, range, len)) {
        m.rewrite(range, image, Some(stubs))?;
        let vma = Vma { end: stubs.end, prot: Prot::RX, shared: false, rewritten: true, content: Content::Stubs };
        map.insert(stubs.start, vma);
    }
    m.protect(range, prot)
}

/// Free space for the stubs within reach of the whole range: below it if there is some, so that a heap above can grow.
fn room_near(map: &Map, text: UserRange, len: u64) -> Option<UserRange> {
    let user = machine().user_space();
    let below = UserRange { start: user.start.max(text.end.saturating_sub(REACH)), end: text.start };
    let above = UserRange { start: text.end, end: user.end.min(text.start.saturating_add(REACH)) };
    // The text itself is not in the map while it is being made.
    let from_below = (below.start < below.end).then(|| map.gap_below(below, len)).flatten();
    let start = from_below.or_else(|| if above.start < above.end { map.gap_above(above, len) } else { None })?;
    Some(UserRange { start, end: start + len })
}
