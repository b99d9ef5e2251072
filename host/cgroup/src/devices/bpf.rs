//! Device filters of version 2: a program of type `BPF_PROG_TYPE_CGROUP_DEVICE` (bpf(2)). Unsafe because no safe library of
//! ours offers bpf(2).
#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use super::program::Instruction;

/// The beginning of `union bpf_attr` for `BPF_PROG_LOAD`.
#[repr(C)]
#[derive(Default)]
struct LoadAttr {
    program_type: u32,
    instruction_count: u32,
    instructions: u64,
    license: u64,
    log_level: u32,
    log_size: u32,
    log_buffer: u64,
    kernel_version: u32,
    flags: u32,
    name: [u8; 16],
    interface_index: u32,
    expected_attach_type: u32,
}

const _: () = assert!(size_of::<LoadAttr>() == 72);

/// The beginning of `union bpf_attr` for `BPF_PROG_ATTACH`.
#[repr(C)]
struct AttachAttr {
    target: u32,
    program: u32,
    attach_type: u32,
    flags: u32,
    replaced: u32,
}

/// The beginning of `union bpf_attr` for `BPF_PROG_QUERY`.
#[repr(C)]
struct QueryAttr {
    target: u32,
    attach_type: u32,
    query_flags: u32,
    attach_flags: u32,
    ids: u64,
    count: u32,
    padding: u32,
}

const _: () = assert!(size_of::<QueryAttr>() == 32);

/// The beginning of `union bpf_attr` for `BPF_PROG_GET_FD_BY_ID`.
#[repr(C)]
struct ByIdAttr {
    id: u32,
    next_id: u32,
    open_flags: u32,
}

/// The beginning of `union bpf_attr` for `BPF_OBJ_GET_INFO_BY_FD`.
#[repr(C)]
struct InfoAttr {
    program: u32,
    length: u32,
    info: u64,
}

/// The beginning of `struct bpf_prog_info`.
#[repr(C)]
#[derive(Default)]
struct Info {
    before: [u64; 8],
    name: [u8; 16],
}

const _: () = assert!(size_of::<Info>() == 80);

/// The name of our programs.
const NAME: [u8; 16] = *b"coracle_devices\0";

const OBJ_GET_INFO_BY_FD: u32 = 15;
const PROG_LOAD: u32 = 5;
const PROG_ATTACH: u32 = 8;
const PROG_GET_FD_BY_ID: u32 = 13;
const PROG_QUERY: u32 = 16;
const PROGRAM_TYPE_CGROUP_DEVICE: u32 = 15;
const ATTACH_TYPE_CGROUP_DEVICE: u32 = 6;
/// `BPF_F_ALLOW_MULTI` and `BPF_F_REPLACE`.
const ALLOW_MULTI: u32 = 2;
const REPLACE: u32 = 4;

/// Verifies and translates a program; it lives as long as the descriptor or a group that it is attached to.
pub(super) fn load(program: &[Instruction]) -> io::Result<OwnedFd> {
    let attr = LoadAttr {
        program_type: PROGRAM_TYPE_CGROUP_DEVICE,
        instruction_count: program.len() as u32,
        instructions: program.as_ptr() as u64,
        license: c"Apache-2.0".as_ptr() as u64,
        name: NAME,
        expected_attach_type: ATTACH_TYPE_CGROUP_DEVICE,
        ..LoadAttr::default()
    };
    bpf(PROG_LOAD, attr).map(own)
}

/// Attaches a program to a group, in place of another one. Groups below may attach further ones.
pub(super) fn attach(
    group: BorrowedFd<'_>,
    program: BorrowedFd<'_>,
    replaced: Option<BorrowedFd<'_>>,
) -> io::Result<()> {
    let flags = ALLOW_MULTI | if replaced.is_some() { REPLACE } else { 0 };
    attach_with(group, program, flags, replaced.map_or(0, |fd| fd.as_raw_fd() as u32))
}

/// Attaches the only program of a group, whichever it had before.
pub(super) fn attach_only(group: BorrowedFd<'_>, program: BorrowedFd<'_>) -> io::Result<()> {
    attach_with(group, program, 0, 0)
}

fn attach_with(group: BorrowedFd<'_>, program: BorrowedFd<'_>, flags: u32, replaced: u32) -> io::Result<()> {
    let attr = AttachAttr {
        target: group.as_raw_fd() as u32,
        program: program.as_raw_fd() as u32,
        attach_type: ATTACH_TYPE_CGROUP_DEVICE,
        flags,
        replaced,
    };
    bpf(PROG_ATTACH, attr).map(drop)
}

/// The numbers of the programs that are attached to a group.
fn ids(group: BorrowedFd<'_>) -> io::Result<Vec<u32>> {
    /// `BPF_CGROUP_MAX_PROGS`.
    const MOST: usize = 64;
    let mut ids = vec![0u32; MOST];
    let attr = QueryAttr {
        target: group.as_raw_fd() as u32,
        attach_type: ATTACH_TYPE_CGROUP_DEVICE,
        query_flags: 0,
        attach_flags: 0,
        ids: ids.as_mut_ptr() as u64,
        count: MOST as u32,
        padding: 0,
    };
    bpf(PROG_QUERY, attr)?;
    ids.retain(|id| *id != 0);
    Ok(ids)
}

fn open(id: u32) -> io::Result<OwnedFd> {
    bpf(PROG_GET_FD_BY_ID, ByIdAttr { id, next_id: 0, open_flags: 0 }).map(own)
}

/// Opens the only program that is attached to a group; `None` if there is none.
pub(super) fn attached(group: BorrowedFd<'_>) -> io::Result<Option<OwnedFd>> {
    ids(group)?.first().map(|id| open(*id)).transpose()
}

/// Opens the program that we attached to a group, among those of others.
pub(super) fn ours(group: BorrowedFd<'_>) -> io::Result<Option<OwnedFd>> {
    for id in ids(group)? {
        let program = open(id)?;
        if name(program.as_fd())? == NAME {
            return Ok(Some(program));
        }
    }
    Ok(None)
}

fn name(program: BorrowedFd<'_>) -> io::Result<[u8; 16]> {
    let mut info = Info::default();
    let attr = InfoAttr {
        program: program.as_raw_fd() as u32,
        length: size_of::<Info>() as u32,
        info: (&raw mut info) as u64,
    };
    bpf(OBJ_GET_INFO_BY_FD, attr)?;
    Ok(info.name)
}

fn own(fd: i32) -> OwnedFd {
    // SAFETY: the callers pass what bpf(2) has just returned as a new descriptor; nobody else owns it.
    unsafe { OwnedFd::from_raw_fd(fd) }
}

fn bpf<T>(command: u32, mut attr: T) -> io::Result<i32> {
    // SAFETY: the attributes have the size that is passed and may be written to; what they point to is alive in the caller's
    // frame.
    let result = unsafe { libc::syscall(libc::SYS_bpf, command, &raw mut attr, size_of::<T>()) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result as i32) }
}
