//! Device filters of version 2: a program of type `BPF_PROG_TYPE_CGROUP_DEVICE` (bpf(2)). Unsafe because no safe library of
//! ours offers bpf(2).
#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use super::{Kind, Rule};

/// `struct bpf_insn` of linux/bpf.h.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Instruction {
    code: u8,
    /// Destination in the low four bits, source in the high ones.
    registers: u8,
    offset: i16,
    immediate: i32,
}

const _: () = assert!(size_of::<Instruction>() == 8);

const LOAD_WORD: u8 = 0x61;
const AND_64: u8 = 0x57;
const SHIFT_RIGHT_64: u8 = 0x77;
const MOVE_64: u8 = 0xb7;
const JUMP_NOT_EQUAL_32: u8 = 0x56;
const EXIT: u8 = 0x95;

/// Registers: the context comes in 1, the answer goes out in 0.
const ANSWER: u8 = 0;
const CONTEXT: u8 = 1;
const ACCESS: u8 = 2;
const KIND: u8 = 3;
const MAJOR: u8 = 4;
const MINOR: u8 = 5;

/// `BPF_DEVCG_*` of linux/bpf.h.
const DEVICE_BLOCK: i32 = 1;
const DEVICE_CHARACTER: i32 = 2;
const ACCESS_MKNOD: i32 = 1;

fn instruction(code: u8, destination: u8, source: u8, offset: i16, immediate: i32) -> Instruction {
    Instruction { code, registers: destination | source << 4, offset, immediate }
}

/// Translates an allow-list. `struct bpf_cgroup_dev_ctx` holds access in the high and kind in the low half of its first
/// word, then major and minor.
pub(super) fn program(rules: &[Rule]) -> Vec<Instruction> {
    let mut out = vec![
        instruction(LOAD_WORD, ACCESS, CONTEXT, 0, 0),
        instruction(LOAD_WORD, KIND, CONTEXT, 0, 0),
        instruction(AND_64, KIND, 0, 0, 0xffff),
        instruction(SHIFT_RIGHT_64, ACCESS, 0, 0, 16),
        instruction(LOAD_WORD, MAJOR, CONTEXT, 4, 0),
        instruction(LOAD_WORD, MINOR, CONTEXT, 8, 0),
    ];
    for rule in rules {
        emit(rule, &mut out);
    }
    out.extend([instruction(MOVE_64, ANSWER, 0, 0, 0), instruction(EXIT, 0, 0, 0, 0)]);
    out
}

fn emit(rule: &Rule, out: &mut Vec<Instruction>) {
    let kind = match rule.kind {
        Kind::Block => DEVICE_BLOCK,
        Kind::Character => DEVICE_CHARACTER,
    };
    let mut tests = vec![(KIND, kind)];
    if !rule.use_too {
        tests.push((ACCESS, ACCESS_MKNOD));
    }
    tests.extend(rule.major.map(|major| (MAJOR, major as i32)));
    tests.extend(rule.minor.map(|minor| (MINOR, minor as i32)));
    let count = tests.len();
    for (at, (register, value)) in tests.into_iter().enumerate() {
        // Past the remaining tests and the two instructions of the answer.
        let past = (count - at - 1 + 2) as i16;
        out.push(instruction(JUMP_NOT_EQUAL_32, register, 0, past, value));
    }
    out.extend([instruction(MOVE_64, ANSWER, 0, 0, 1), instruction(EXIT, 0, 0, 0, 0)]);
}

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

const PROG_LOAD: u32 = 5;
const PROG_ATTACH: u32 = 8;
const PROG_GET_FD_BY_ID: u32 = 13;
const PROG_QUERY: u32 = 16;
const PROGRAM_TYPE_CGROUP_DEVICE: u32 = 15;
const ATTACH_TYPE_CGROUP_DEVICE: u32 = 6;

/// Verifies and translates a program; it lives as long as the descriptor or a group that it is attached to.
pub(super) fn load(program: &[Instruction]) -> io::Result<OwnedFd> {
    let attr = LoadAttr {
        program_type: PROGRAM_TYPE_CGROUP_DEVICE,
        instruction_count: program.len() as u32,
        instructions: program.as_ptr() as u64,
        license: c"Apache-2.0".as_ptr() as u64,
        name: *b"coracle_devices\0",
        expected_attach_type: ATTACH_TYPE_CGROUP_DEVICE,
        ..LoadAttr::default()
    };
    bpf(PROG_LOAD, attr).map(own)
}

/// Attaches a program to a group.
pub(super) fn attach(group: BorrowedFd<'_>, program: BorrowedFd<'_>) -> io::Result<()> {
    let attr = AttachAttr {
        target: group.as_raw_fd() as u32,
        program: program.as_raw_fd() as u32,
        attach_type: ATTACH_TYPE_CGROUP_DEVICE,
        flags: 0,
    };
    bpf(PROG_ATTACH, attr).map(drop)
}

/// Opens the program that is attached to a group; `None` if there is none.
pub(super) fn attached(group: BorrowedFd<'_>) -> io::Result<Option<OwnedFd>> {
    let mut id = 0u32;
    let attr = QueryAttr {
        target: group.as_raw_fd() as u32,
        attach_type: ATTACH_TYPE_CGROUP_DEVICE,
        query_flags: 0,
        attach_flags: 0,
        ids: (&raw mut id) as u64,
        count: 1,
        padding: 0,
    };
    bpf(PROG_QUERY, attr)?;
    if id == 0 {
        return Ok(None);
    }
    bpf(PROG_GET_FD_BY_ID, ByIdAttr { id, next_id: 0, open_flags: 0 }).map(own).map(Some)
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

#[cfg(test)]
mod tests {
    use super::super::CONTAINER_DEFAULT;
    use super::*;

    /// Runs a filter as the kernel does, on the few instructions that we emit.
    fn allows(kind: i32, access: i32, major: i32, minor: i32) -> bool {
        let program = program(&CONTAINER_DEFAULT);
        let context = [access << 16 | kind, major, minor];
        let (mut registers, mut at) = ([0i64; 6], 0usize);
        loop {
            let now = program[at];
            at += 1;
            let destination = usize::from(now.registers & 15);
            match now.code {
                LOAD_WORD => registers[destination] = i64::from(context[now.offset as usize / 4]),
                AND_64 => registers[destination] &= i64::from(now.immediate),
                SHIFT_RIGHT_64 => registers[destination] >>= now.immediate,
                MOVE_64 => registers[destination] = i64::from(now.immediate),
                JUMP_NOT_EQUAL_32 if registers[destination] != i64::from(now.immediate) => at += now.offset as usize,
                JUMP_NOT_EQUAL_32 => {}
                EXIT => return registers[0] == 1,
                other => panic!("unexpected instruction {other:#x}"),
            }
        }
    }

    #[test]
    fn the_default_list() {
        const READ: i32 = 2;
        const WRITE: i32 = 4;
        assert!(allows(DEVICE_CHARACTER, READ | WRITE, 1, 3), "/dev/null");
        assert!(allows(DEVICE_CHARACTER, READ | WRITE | ACCESS_MKNOD, 136, 77), "a terminal");
        assert!(allows(DEVICE_BLOCK, ACCESS_MKNOD, 8, 0), "making a node");
        assert!(!allows(DEVICE_BLOCK, READ, 8, 0), "a disk");
        assert!(!allows(DEVICE_BLOCK, READ | ACCESS_MKNOD, 8, 0), "a disk");
        assert!(!allows(DEVICE_BLOCK, READ, 1, 3), "a block device with a character device's number");
        assert!(!allows(DEVICE_CHARACTER, READ, 1, 1), "/dev/mem");
        assert!(!allows(DEVICE_CHARACTER, WRITE, 10, 200), "/dev/net/tun");
    }
}
