//! The calls of memory on real pages.

use std::string::String;

use linux_abi::task::*;
use linux_abi::{Errno, nr};
use platform::UserAddr;

use crate::mem::{read_value, write_value};
use crate::task::current;
use crate::vfs::testing::{call, open, process};

const PAGE: u64 = 4096;
const RW: u32 = PROT_READ | PROT_WRITE;
const ANON: u32 = MAP_PRIVATE | MAP_ANONYMOUS;

fn mmap(addr: u64, len: u64, prot: u32, flags: u32) -> Result<u64, Errno> {
    call(nr::MMAP, &[addr, len, prot.into(), flags.into(), u64::MAX, 0]).map(|at| at as u64)
}

/// The lines of /proc/self/maps that lie in a range: start and end in pages from it, and the flags.
fn maps(at: u64, pages: u64) -> std::vec::Vec<(u64, u64, String)> {
    let text = String::from_utf8(current().process.mm.maps()).unwrap();
    let hex = |s: &str| u64::from_str_radix(s, 16).unwrap();
    let lines = text.lines().map(|line| {
        let (range, rest) = line.split_once(' ').unwrap();
        let (start, end) = range.split_once('-').unwrap();
        (hex(start), hex(end), rest[..4].to_owned())
    });
    let inside = lines.filter(|(start, _, _)| *start >= at && *start < at + pages * PAGE);
    inside.map(|(start, end, flags)| ((start - at) / PAGE, (end - at) / PAGE, flags)).collect()
}

#[test]
fn protection_splits_and_joins() {
    process();
    let at = mmap(0, 4 * PAGE, RW, ANON).unwrap();
    write_value(UserAddr(at + PAGE), &7u32).unwrap();
    assert_eq!(call(nr::MPROTECT, &[at + PAGE, PAGE, PROT_READ.into()]), Ok(0));
    let shape: [(u64, u64, String); 3] = [(0, 1, "rw-p".into()), (1, 2, "r--p".into()), (2, 4, "rw-p".into())];
    assert_eq!(maps(at, 4), shape);
    assert_eq!(read_value::<u32>(UserAddr(at + PAGE)), Ok(7));
    assert_eq!(write_value(UserAddr(at + PAGE), &8u32), Err(Errno::EFAULT));
    assert_eq!(call(nr::MPROTECT, &[at, 4 * PAGE, RW.into()]), Ok(0));
    assert_eq!(maps(at, 4), [(0, 4, "rw-p".to_owned())]);
    assert_eq!(write_value(UserAddr(at + PAGE), &8u32), Ok(()));
    assert_eq!(call(nr::MUNMAP, &[at + PAGE, PAGE]), Ok(0));
    assert_eq!(call(nr::MPROTECT, &[at, 4 * PAGE, PROT_READ.into()]), Err(Errno::ENOMEM));
    assert_eq!(read_value::<u32>(UserAddr(at + PAGE)), Err(Errno::EFAULT));
}

#[test]
fn growing_keeps_contents_and_leaves_nothing_behind() {
    process();
    let at = mmap(0, 2 * PAGE, RW, ANON).unwrap();
    write_value(UserAddr(at + PAGE), &5u64).unwrap();
    let before = current().process.mm.mapped_bytes();
    let args = |flags: u32| [at, 2 * PAGE, 500 * PAGE, flags.into()];
    // The mapping above it is in the way.
    mmap(at + 2 * PAGE, PAGE, PROT_NONE, ANON | MAP_FIXED).unwrap();
    assert_eq!(call(nr::MREMAP, &args(0)), Err(Errno::ENOMEM));
    let moved = call(nr::MREMAP, &args(MREMAP_MAYMOVE)).unwrap() as u64;
    assert_eq!(read_value::<u64>(UserAddr(moved + PAGE)), Ok(5));
    assert_eq!(read_value::<u64>(UserAddr(moved + 499 * PAGE)), Ok(0));
    assert_eq!(read_value::<u64>(UserAddr(at)), Err(Errno::EFAULT));
    assert!(current().process.mm.mapped_bytes() - before >= 498 * PAGE);
}

#[test]
fn files_of_the_image_are_mapped_and_keep_to_themselves() {
    process();
    let fd = open("/data/large", 0, 0).unwrap();
    let map = |len: u64, prot: u32, flags: u32, offset: u64| {
        call(nr::MMAP, &[0, len, prot.into(), flags.into(), fd, offset]).map(|at| at as u64)
    };
    let at = map(1_000_003, RW, MAP_PRIVATE, 0).unwrap();
    let second = map(PAGE, PROT_READ, MAP_PRIVATE, 2 * PAGE).unwrap();
    let here: [u8; 64] = read_value(UserAddr(at + 2 * PAGE)).unwrap();
    assert_eq!(read_value::<[u8; 64]>(UserAddr(second)), Ok(here));
    assert_eq!(here[..], crate::vfs::testing::pattern(1_000_003)[2 * PAGE as usize..][..64]);
    write_value(UserAddr(at + 2 * PAGE), &0u64).unwrap();
    assert_eq!(read_value::<[u8; 64]>(UserAddr(second)), Ok(here), "a private page is private");
    // The tail behind the file's last byte is zero.
    assert_eq!(read_value::<[u8; 8]>(UserAddr(at + 1_000_003)), Ok([0; 8]));
    assert_eq!(map(PAGE, RW, MAP_SHARED, 0), Err(Errno::EACCES));
    assert_eq!(map(PAGE, PROT_READ, MAP_PRIVATE, 5), Err(Errno::EINVAL));
}

#[test]
fn text_is_rewritten_once_before_it_can_run() {
    process();
    let machine = crate::testing::setup();
    machine.stubs_needed.store(100, std::sync::atomic::Ordering::Relaxed);
    let fd = open("/data/large", 0, 0).unwrap();
    let rx = PROT_READ | PROT_EXEC;
    let at = call(nr::MMAP, &[0, 2 * PAGE, PROT_READ.into(), MAP_PRIVATE.into(), fd, 0]).unwrap() as u64;
    let count = || machine.rewrites.load(std::sync::atomic::Ordering::Relaxed);
    assert_eq!(count(), 0);
    assert_eq!(call(nr::MPROTECT, &[at, 2 * PAGE, rx.into()]), Ok(0));
    assert_eq!(count(), 1);
    for prot in [PROT_READ, rx] {
        assert_eq!(call(nr::MPROTECT, &[at, 2 * PAGE, prot.into()]), Ok(0));
    }
    assert_eq!(count(), 1, "rewritten text stays rewritten");
    // Its pages are no longer the image's, so they may not be thrown away.
    write_probe(at);
    assert_eq!(call(nr::MADVISE, &[at, 2 * PAGE, 4]), Ok(0));
    assert_eq!(read_value::<u64>(UserAddr(at)), Ok(0xc3));
    let maps = String::from_utf8(current().process.mm.maps()).unwrap();
    assert!(maps.contains("[stubs]"), "{maps}");
}

/// Changes a byte of the text, as the rewriter would.
fn write_probe(at: u64) {
    use platform::{Machine as _, Prot, UserRange};
    let machine = crate::testing::setup();
    let range = UserRange { start: at, end: at + PAGE };
    machine.protect(range, Prot::RW).unwrap();
    write_value(UserAddr(at), &0xc3u64).unwrap();
    machine.protect(range, Prot::RX).unwrap();
}

#[test]
fn the_heap_grows_and_shrinks() {
    process();
    let mm = &current().process.mm;
    mm.set_heap(crate::testing::room(PAGE).start + (1 << 36));
    let start = mm.brk(0);
    assert_eq!(mm.brk(start + 3 * PAGE + 1), start + 3 * PAGE + 1);
    assert_eq!(write_value(UserAddr(start + 3 * PAGE), &1u8), Ok(()));
    assert_eq!(mm.brk(start + PAGE), start + PAGE);
    assert_eq!(write_value(UserAddr(start + 3 * PAGE), &1u8), Err(Errno::EFAULT));
    assert_eq!(mm.brk(start - 1), start + PAGE, "never below its start");
    assert_eq!(mm.brk(u64::MAX), start + PAGE);
}

#[test]
fn impossible_requests_are_refused() {
    process();
    assert_eq!(mmap(0, u64::MAX, RW, ANON), Err(Errno::ENOMEM));
    assert_eq!(mmap(0, 1 << 46, PROT_NONE, ANON), Err(Errno::ENOMEM));
    assert_eq!(mmap(0, 1 << 41, RW, ANON), Err(Errno::ENOMEM), "more than the instance's memory");
    // Far from where the processes of other tests, which share this one's addresses, have their mappings.
    let aside = 0x2400_0000_0000;
    assert_eq!(mmap(aside, 1 << 41, PROT_NONE, ANON), Ok(aside), "a reservation is no memory");
    assert_eq!(mmap(PAGE, PAGE, RW, ANON | MAP_FIXED), Err(Errno::ENOMEM));
    assert_eq!(mmap(u64::MAX - PAGE + 1, PAGE, RW, ANON | MAP_FIXED), Err(Errno::ENOMEM));
    assert_eq!(call(nr::MUNMAP, &[u64::MAX - PAGE + 1, 2 * PAGE]), Err(Errno::EINVAL));
    assert_eq!(call(nr::MREMAP, &[0x1000, PAGE, PAGE, 4]), Err(Errno::EINVAL));
}
