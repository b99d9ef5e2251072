//! `--trace syscalls`: one line for each call, in the manner of strace(1).

use alloc::format;
use alloc::string::String;

use linux_abi::{Errno, nr};
use platform::{UserAddr, UserContext};

use crate::machine::machine;
use crate::syscall::dispatch;
use crate::task::try_current;

/// Which arguments are shown in another way than as numbers.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shown {
    Text(usize),
    Bytes(usize, usize),
}

/// How many arguments a call has, and which are paths. Calls that are not listed are shown with three numbers.
fn layout(number: u32) -> (usize, Option<Shown>) {
    use Shown::{Bytes, Text};
    match number {
        nr::OPEN | nr::CREAT | nr::MKDIR | nr::CHMOD => (3, Some(Text(0))),
        nr::STAT | nr::LSTAT | nr::ACCESS | nr::READLINK | nr::STATFS | nr::TRUNCATE | nr::RENAME | nr::LINK => {
            (2, Some(Text(0)))
        }
        nr::UNLINK | nr::RMDIR | nr::CHDIR => (1, Some(Text(0))),
        nr::OPENAT | nr::NEWFSTATAT | nr::FACCESSAT | nr::FACCESSAT2 | nr::READLINKAT | nr::MKDIRAT => {
            (4, Some(Text(1)))
        }
        nr::UNLINKAT => (3, Some(Text(1))),
        nr::STATX => (5, Some(Text(1))),
        nr::EXECVE => (3, Some(Text(0))),
        nr::WRITE => (3, Some(Bytes(1, 2))),
        nr::PREAD64 | nr::PWRITE64 | nr::RT_SIGACTION | nr::RT_SIGPROCMASK | nr::EPOLL_CTL | nr::PRLIMIT64 => (4, None),
        nr::CLOCK_NANOSLEEP | nr::ACCEPT4 | nr::EPOLL_WAIT => (4, None),
        nr::CLOSE | nr::BRK | nr::EXIT | nr::EXIT_GROUP | nr::DUP | nr::SET_TID_ADDRESS | nr::EPOLL_CREATE1 => {
            (1, None)
        }
        nr::MUNMAP | nr::SIGALTSTACK | nr::ARCH_PRCTL | nr::CLOCK_GETTIME | nr::DUP2 | nr::FSTAT => (2, None),
        nr::GETPID | nr::GETTID | nr::GETUID | nr::GETEUID | nr::GETGID | nr::GETEGID | nr::GETPPID => (0, None),
        nr::MMAP | nr::FUTEX | nr::SENDTO | nr::RECVFROM | nr::EPOLL_PWAIT | nr::PSELECT6 => (6, None),
        nr::MREMAP | nr::SELECT | nr::CLONE | nr::SETSOCKOPT | nr::GETSOCKOPT | nr::PPOLL | nr::PRCTL => (5, None),
        _ => (3, None),
    }
}

/// Serves a call and writes its line.
pub(crate) fn traced(context: &mut UserContext) -> Result<i64, Errno> {
    let (number, args) = context.call();
    let rip = context.regs.rip;
    // Calls that do not return are shown before.
    let leaves = matches!(number as u32, nr::EXIT | nr::EXIT_GROUP | nr::RT_SIGRETURN);
    let line = describe(number, &args);
    if leaves {
        write(&line, "?");
        return dispatch(context);
    }
    let result = dispatch(context);
    match result {
        Ok(value) if (0..1 << 31).contains(&value) => write(&line, &format!("{value}")),
        Ok(value) => write(&line, &format!("{value:#x}")),
        Err(Errno::ENOSYS) => {
            write(&line, &format!("-1 ENOSYS (called from {:#x})", machine().original_rip(rip)));
        }
        Err(error) => write(&line, &format!("-1 {error}")),
    }
    result
}

fn write(line: &str, result: &str) {
    let tid = try_current().map_or(0, |thread| thread.tid);
    machine().log(&format!("[{tid}] {line} = {result}\n"));
}

fn describe(number: u64, args: &[u64; 6]) -> String {
    let name = linux_abi::nr::TABLE.iter().find(|(_, n)| u64::from(*n) == number).map(|(name, _)| *name);
    let (count, shown) = layout(number as u32);
    let mut line = match name {
        Some(name) => format!("{name}("),
        None => format!("syscall_{number}("),
    };
    for (n, value) in args.iter().enumerate().take(count) {
        if n > 0 {
            line.push_str(", ");
        }
        match shown {
            Some(Shown::Text(at)) if at == n => text(&mut line, UserAddr(*value)),
            Some(Shown::Bytes(at, len)) if at == n => bytes(&mut line, UserAddr(*value), args[len]),
            _ => number_text(&mut line, *value),
        }
    }
    line.push(')');
    line
}

fn number_text(line: &mut String, value: u64) {
    let signed = value as i64;
    // Small numbers of either sign read better in decimal; an `int` may have been extended with zeros.
    if (-4096..4096).contains(&signed) {
        line.push_str(&format!("{signed}"));
    } else if value > 0xffff_f000 && value <= 0xffff_ffff {
        line.push_str(&format!("{}", value as u32 as i32));
    } else {
        line.push_str(&format!("{value:#x}"));
    }
}

fn text(line: &mut String, at: UserAddr) {
    match crate::mem::read_cstr(at, 4096) {
        Ok(path) => line.push_str(&format!("\"{}\"", path.escape_ascii())),
        Err(_) => line.push_str(&format!("{at:?}")),
    }
}

fn bytes(line: &mut String, at: UserAddr, len: u64) {
    const SHOWN: u64 = 32;
    match crate::mem::read_slice::<u8>(at, len.min(SHOWN) as usize) {
        Ok(data) => {
            let more = if len > SHOWN { "..." } else { "" };
            line.push_str(&format!("\"{}\"{more}", data.escape_ascii()));
        }
        Err(_) => line.push_str(&format!("{at:?}")),
    }
}
