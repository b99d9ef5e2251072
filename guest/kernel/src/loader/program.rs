//! Putting a program, its interpreter and its stack into an address space.

use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;

use linux_abi::Errno;
use platform::{PAGE_SIZE, Prot, UserAddr, UserRange, page_down, page_up};

use crate::loader::elf::{self, Elf, Segment};
use crate::loader::stack::{self, Contents, tag};
use crate::loader::{LoadError, script};
use crate::machine::machine;
use crate::mm::{Backing, Content, Mm, Request, Where, random_u64};
use crate::task::{Credentials, Program};
use crate::vfs::{Inode, OpenFile, mapping_of, open_for_exec};

/// How deep scripts may name scripts, as in Linux.
const MAX_SCRIPTS: usize = 5;
/// Where movable programs go, plus a random part: far from the top, where everything else goes.
const PROGRAM_BASE: u64 = 0x1000_0000_0000;
/// Random bits of a movable program's place, in pages: 28 as in Linux.
const PROGRAM_RANDOM: u64 = (1 << 28) - 1;
/// Unmapped space below the stack, as Linux keeps (`stack_guard_gap`).
const STACK_GUARD: u64 = 1 << 20;

/// A program that is ready to start.
pub(crate) struct Loaded {
    /// Its first instruction.
    pub(crate) entry: u64,
    /// Its stack pointer.
    pub(crate) sp: u64,
    /// What /proc shows of it.
    pub(crate) program: Program,
}

/// What to run.
struct Command {
    path: Vec<u8>,
    file: Arc<OpenFile>,
    args: Vec<Vec<u8>>,
}

/// A program that was found good, before anything is mapped: what can be wrong with files is known by now.
pub(crate) struct Prepared {
    /// What execve(2) was asked for (`AT_EXECFN`).
    path: Vec<u8>,
    command: Command,
    elf: Elf,
    interpreter: Option<(Elf, Arc<OpenFile>)>,
}

/// Reads the headers of the program in `file`, which was found at `path`, and of its interpreter.
pub(crate) fn prepare(
    cwd: &Arc<dyn Inode>,
    (path, file): (Vec<u8>, Arc<OpenFile>),
    args: Vec<Vec<u8>>,
) -> Result<Prepared, LoadError> {
    let command = resolve_scripts(cwd, Command { path: path.clone(), file, args })?;
    let elf = read_elf(&command.path, &command.file)?;
    let interpreter = elf.interpreter.map(|at| open_interpreter(cwd, &command, at)).transpose()?;
    Ok(Prepared { path, command, elf, interpreter })
}

/// Whether arguments and environment fit on a stack of this size.
pub(crate) fn check_arguments(prepared: &Prepared, env: &[Vec<u8>], stack_size: u64) -> Result<(), LoadError> {
    let contents = Contents { args: &prepared.command.args, env, path: &prepared.path, random: [0; 16], auxv: &[] };
    if stack::fits(&contents, stack_bytes(stack_size)) { Ok(()) } else { Err(LoadError::ArgumentsTooLong) }
}

/// The size of the stack's mapping for a limit of this size.
fn stack_bytes(limit: u64) -> u64 {
    page_up(limit.clamp(128 << 10, 1 << 30)).unwrap_or(8 << 20)
}

/// Maps a program, its interpreter and its stack into an empty address space.
pub(crate) fn load(
    mm: &Mm,
    creds: &Credentials,
    prepared: &Prepared,
    env: &[Vec<u8>],
    stack_size: u64,
) -> Result<Loaded, LoadError> {
    let Prepared { path, command, elf, interpreter } = prepared;
    let memory = |error| LoadError::Memory { path: path.clone(), error };
    // The stack first: it lies highest.
    let top = map_stack(mm, stack_bytes(stack_size)).map_err(memory)?;
    let base = map_program(mm, elf, &command.file, true).map_err(memory)?;
    mm.set_heap(elf.span().1.wrapping_add(base));
    let (entry, interpreter_base) = match interpreter {
        None => (elf.entry.wrapping_add(base), 0),
        Some((elf, file)) => {
            let base = map_program(mm, elf, file, false).map_err(memory)?;
            (elf.entry.wrapping_add(base), base)
        }
    };
    let auxv = auxv(elf, base, interpreter_base, creds);
    let mut random = [0; 16];
    machine().random(&mut random);
    let contents = Contents { args: &command.args, env, path, random, auxv: &auxv };
    let stack = stack::build(&contents, top - ((random_u64() % 8192) & !15));
    machine().copy_to_user(UserAddr(stack.sp), &stack.bytes).map_err(|fault| memory(fault.into()))?;
    let program =
        Program { cmdline: join(&command.args), environ: join(env), auxv: stack.auxv, path: command.file.path() };
    Ok(Loaded { entry, sp: stack.sp, program })
}

fn join(strings: &[Vec<u8>]) -> Vec<u8> {
    strings.iter().flat_map(|s| s.iter().copied().chain([0])).collect()
}

fn read_start(file: &OpenFile) -> Result<Vec<u8>, Errno> {
    let mut start = vec![0; script::LINE];
    let len = file.read_kernel(&mut start, 0)?;
    start.truncate(len);
    Ok(start)
}

/// Replaces scripts by their interpreters, whose arguments grow by the script's name.
fn resolve_scripts(cwd: &Arc<dyn Inode>, mut command: Command) -> Result<Command, LoadError> {
    for _ in 0..MAX_SCRIPTS {
        let start = read_start(&command.file).map_err(|error| LoadError::Open { path: command.path.clone(), error })?;
        let Some(script) = script::parse(&start) else { return Ok(command) };
        let interpreter = script.interpreter.to_vec();
        let file = open_for_exec(cwd, &interpreter).map_err(|error| LoadError::Interpreter {
            path: command.path.clone(),
            interpreter: interpreter.clone(),
            error,
        })?;
        let mut args = vec![interpreter.clone()];
        args.extend(script.argument.map(<[u8]>::to_vec));
        args.push(command.path);
        args.extend(command.args.into_iter().skip(1));
        command = Command { path: interpreter, file, args };
    }
    Err(LoadError::TooManyInterpreters { path: command.path })
}

fn read_elf(path: &[u8], file: &OpenFile) -> Result<Elf, LoadError> {
    let io = |error| LoadError::Open { path: path.to_vec(), error };
    let format = |error| LoadError::Format { path: path.to_vec(), error };
    let start = read_start(file).map_err(io)?;
    let (offset, len) = elf::header_range(&start).map_err(format)?;
    let mut headers = vec![0; len];
    let got = file.read_kernel(&mut headers, offset).map_err(io)?;
    elf::parse(&start, &headers[..got]).map_err(format)
}

/// Opens the dynamic loader that the program names.
fn open_interpreter(
    cwd: &Arc<dyn Inode>,
    command: &Command,
    (offset, len): (u64, u64),
) -> Result<(Elf, Arc<OpenFile>), LoadError> {
    let mut interpreter = vec![0; len as usize];
    let got = command.file.read_kernel(&mut interpreter, offset);
    if got != Ok(interpreter.len()) {
        return Err(LoadError::Format { path: command.path.clone(), error: elf::ElfError::Truncated });
    }
    let failed = |error| LoadError::Interpreter { path: command.path.clone(), interpreter: interpreter.clone(), error };
    let file = open_for_exec(cwd, &interpreter).map_err(failed)?;
    let elf = read_elf(&interpreter, &file)?;
    Ok((elf, file))
}

/// Maps the segments; gives what has to be added to the file's addresses.
fn map_program(mm: &Mm, elf: &Elf, file: &Arc<OpenFile>, main: bool) -> Result<u64, Errno> {
    let (start, end) = elf.span();
    let base = if elf.movable { choose_base(mm, elf, end - start, main)?.wrapping_sub(start) } else { 0 };
    let backing = Arc::new(Backing { mapping: mapping_of(file)?, file: file.clone() });
    for segment in &elf.segments {
        map_segment(mm, &backing, segment, base, elf.movable)?;
    }
    Ok(base)
}

/// Reserves the room of a movable program.
fn choose_base(mm: &Mm, elf: &Elf, len: u64, main: bool) -> Result<u64, Errno> {
    let user = machine().user_space();
    let random = PROGRAM_BASE + (random_u64() & PROGRAM_RANDOM) * PAGE_SIZE;
    let hint = if main && random.saturating_add(len) < user.end / 2 { random & !(elf.align - 1) } else { 0 };
    let reserve = |place, len| {
        let content = Content::Anonymous;
        mm.map(Request { place, len, prot: Prot::NONE, shared: false, unreserved: true, content })
    };
    if hint != 0 || elf.align == PAGE_SIZE {
        return reserve(Where::Hint(hint), len);
    }
    let padded = len.checked_add(elf.align).ok_or(Errno::ENOMEM)?;
    let room = reserve(Where::Hint(0), padded)?;
    let aligned = (room + elf.align - 1) & !(elf.align - 1);
    for (start, end) in [(room, aligned), (aligned + len, room + padded)] {
        if start < end {
            mm.unmap(UserRange { start, end })?;
        }
    }
    Ok(aligned)
}

fn map_segment(mm: &Mm, backing: &Arc<Backing>, segment: &Segment, base: u64, reserved: bool) -> Result<(), Errno> {
    let start = segment.vaddr.wrapping_add(base);
    let (file_end, mem_end) = (start + segment.file_size, start + segment.mem_size);
    let place = |at| if reserved { Where::Fixed(at) } else { Where::FixedIfFree(at) };
    let first = page_down(start);
    let file_pages = if segment.file_size == 0 { first } else { page_up(file_end).ok_or(Errno::ENOMEM)? };
    let request = |at, end, prot, content| Request {
        place: place(at),
        len: end - at,
        prot,
        shared: false,
        unreserved: false,
        content,
    };
    if file_pages > first {
        let content = Content::File(backing.clone(), page_down(segment.offset));
        mm.map(request(first, file_pages, segment.prot, content))?;
    }
    let end = page_up(mem_end).ok_or(Errno::ENOMEM)?;
    if end > file_pages {
        mm.map(request(file_pages, end, segment.prot, Content::Anonymous))?;
    }
    // What follows the file's bytes in their last page belongs to the zero-filled part, if there is one.
    if segment.mem_size > segment.file_size && file_end < file_pages {
        zero(mm, segment.prot, file_end, file_pages)?;
    }
    Ok(())
}

fn zero(mm: &Mm, prot: Prot, from: u64, to: u64) -> Result<(), Errno> {
    let page = UserRange { start: page_down(from), end: to };
    if !prot.write {
        mm.protect(page, Prot::RW)?;
    }
    machine().copy_to_user(UserAddr(from), &vec![0; (to - from) as usize])?;
    if prot.write { Ok(()) } else { mm.protect(page, prot) }
}

/// Maps the stack with its guard; gives its top.
fn map_stack(mm: &Mm, size: u64) -> Result<u64, Errno> {
    let request = |place, len, prot, content| Request { place, len, prot, shared: false, unreserved: true, content };
    let guard = mm.map(request(Where::Hint(0), size + STACK_GUARD, Prot::NONE, Content::Anonymous))?;
    let stack = guard + STACK_GUARD;
    mm.map(request(Where::Fixed(stack), size, Prot::RW, Content::Named("[stack]")))?;
    Ok(stack + size)
}

fn auxv(elf: &Elf, base: u64, interpreter_base: u64, creds: &Credentials) -> Vec<(u64, u64)> {
    let m = machine();
    let mut auxv = Vec::with_capacity(20);
    auxv.extend(m.vdso().map(|at| (tag::SYSINFO_EHDR, at)));
    auxv.extend([
        (tag::HWCAP, u64::from(core::arch::x86_64::__cpuid(1).edx)),
        (tag::PAGESZ, PAGE_SIZE),
        (tag::CLKTCK, 100),
        (tag::PHDR, elf.headers.map_or(0, |at| at.wrapping_add(base))),
        (tag::PHENT, elf::PROGRAM_HEADER as u64),
        (tag::PHNUM, u64::from(elf.header_count)),
        (tag::BASE, interpreter_base),
        (tag::FLAGS, 0),
        (tag::ENTRY, elf.entry.wrapping_add(base)),
        (tag::UID, u64::from(creds.ruid)),
        (tag::EUID, u64::from(creds.euid)),
        (tag::GID, u64::from(creds.rgid)),
        (tag::EGID, u64::from(creds.egid)),
        (tag::SECURE, 0),
        // No FSGSBASE: GS is the kernel's, and a program that wrote it would lose its own system calls.
        (tag::HWCAP2, 0),
        (tag::MINSIGSTKSZ, crate::signal::min_stack(m.vector_state_size())),
    ]);
    auxv
}
