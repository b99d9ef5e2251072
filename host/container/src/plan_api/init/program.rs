//! Finding and executing the program.

use std::ffi::CString;
use std::os::fd::OwnedFd;

use jail::ExecArgs;
use plan::Process;
use rustix::fs::{CWD, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

use crate::error::Stage;
use crate::message::{self, Failure, FailureKind};

/// Where a program is looked for if the environment has no `PATH`, as Docker does.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Executes the program; returns only if that failed.
pub(super) fn execute(process: &Process, exec: &ExecArgs, socket: &OwnedFd) -> Failure {
    let name = process.args.first().map_or("", String::as_str);
    message::send_ready(socket);
    if name.contains('/') {
        return attempt(name, exec).unwrap_or_else(|| failure(name, Errno::NOENT, FailureKind::ProgramNotFound));
    }
    // As execvp(3): a file that cannot be executed is remembered, and the search goes on.
    let mut denied = None;
    for directory in search_path(&process.env).split(':').filter(|_| !name.is_empty()) {
        let path = if directory.is_empty() { name.to_owned() } else { format!("{directory}/{name}") };
        match attempt(&path, exec) {
            None => {}
            Some(found) if found.errno == Errno::ACCESS.raw_os_error() => denied = denied.or(Some(found)),
            Some(found) => return found,
        }
    }
    denied.unwrap_or_else(|| failure(name, Errno::NOENT, FailureKind::ProgramNotFound))
}

fn search_path(env: &[String]) -> &str {
    env.iter().find_map(|variable| variable.strip_prefix("PATH=")).unwrap_or(DEFAULT_PATH)
}

/// Executes one file; `None` if there is none.
fn attempt(path: &str, exec: &ExecArgs) -> Option<Failure> {
    match refuse_magic(path) {
        Ok(()) => {}
        Err(Errno::NOENT | Errno::NOTDIR) => return None,
        Err(errno) => return Some(failure(path, errno, FailureKind::NotExecutable)),
    }
    let Ok(c_path) = CString::new(path) else { return None };
    let errno = Errno::from_io_error(&exec.exec(&c_path)).unwrap_or(Errno::IO);
    let kind = match errno {
        // The file was there a moment ago, so it is what the file asks for that is missing.
        Errno::NOENT | Errno::NOTDIR => FailureKind::InterpreterNotFound,
        Errno::ACCESS | Errno::PERM | Errno::NOEXEC | Errno::ISDIR | Errno::LIBBAD | Errno::TXTBSY | Errno::LOOP => {
            FailureKind::NotExecutable
        }
        _ => FailureKind::Stage,
    };
    Some(failure(path, errno, kind))
}

/// Refuses a program, or the interpreter of a script, that is a magic link such as /proc/self/exe: it would execute the
/// engine's own file inside, and programs of the container could then write to it (CVE-2019-5736).
fn refuse_magic(path: &str) -> rustix::io::Result<()> {
    let open = |path: &str, flags| {
        rustix::fs::openat2(CWD, path, flags | OFlags::CLOEXEC, Mode::empty(), ResolveFlags::NO_MAGICLINKS)
    };
    let file = match open(path, OFlags::RDONLY | OFlags::NONBLOCK) {
        // Executable but not readable: it cannot be a script either, because its interpreter could not read it.
        Err(Errno::ACCESS) => return open(path, OFlags::PATH).map(drop),
        other => other?,
    };
    let mut start = [0u8; 256];
    let length = match rustix::io::read(&file, &mut start) {
        Ok(length) => length,
        // A directory; execve tells.
        Err(_) => return Ok(()),
    };
    match script_interpreter(&start[..length]) {
        Some(interpreter) => match open(interpreter, OFlags::PATH) {
            // execve tells what is wrong with it.
            Ok(_) | Err(Errno::NOENT | Errno::NOTDIR | Errno::ACCESS) => Ok(()),
            Err(errno) => Err(errno),
        },
        None => Ok(()),
    }
}

/// The path after `#!` (execve(2)).
fn script_interpreter(start: &[u8]) -> Option<&str> {
    let line = start.strip_prefix(b"#!")?.split(|byte| *byte == b'\n').next()?;
    std::str::from_utf8(line).ok()?.split_ascii_whitespace().next()
}

fn failure(path: &str, errno: Errno, kind: FailureKind) -> Failure {
    Failure { stage: Stage::Exec, errno: errno.raw_os_error(), detail: path.to_owned(), kind }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interpreters_of_scripts() {
        assert_eq!(script_interpreter(b"#! /bin/sh -e\nexit"), Some("/bin/sh"));
        assert_eq!(script_interpreter(b"#!/proc/self/exe"), Some("/proc/self/exe"));
        assert_eq!(script_interpreter(b"\x7fELF"), None);
        assert_eq!(script_interpreter(b"#!\n/bin/sh"), None);
    }

    #[test]
    fn magic_links_are_no_programs() {
        assert_eq!(refuse_magic("/proc/self/exe"), Err(Errno::LOOP));
        assert_eq!(refuse_magic("/bin/sh"), Ok(()));
        assert_eq!(refuse_magic("/nothing"), Err(Errno::NOENT));
    }
}
