//! Finding and executing the program.

use std::ffi::CString;

use jail::ExecArgs;
use rustix::fs::{Access, AtFlags, CWD, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

use crate::error::Stage;
use crate::message::{Failure, FailureKind};

/// A search for the program, as far as it has come.
///
/// What is found before the user changes and the filter is in force needs no system call but execve(2) afterwards.
pub(super) struct Search<'a> {
    program: &'a str,
    directories: std::str::Split<'a, char>,
    /// A file that may not be executed is remembered, and the search goes on, as in execvp(3).
    denied: Option<Failure>,
}

impl<'a> Search<'a> {
    /// A name with a slash is a path, any other is looked for in the directories of `path`.
    pub(super) fn new(program: &'a str, path: &'a str) -> Self {
        let directories = if program.contains('/') { "" } else { path };
        Self { program, directories: directories.split(':'), denied: None }
    }

    /// Where a search goes on that has found this file, if it still is what it was.
    pub(super) fn after(program: &'a str, path: &'a str, found: &str) -> Option<Self> {
        let mut search = Self::new(program, path);
        let passed = search.directories.by_ref().any(|directory| in_directory(directory, program) == found);
        (passed && check(found).is_ok()).then_some(search)
    }

    /// The next file that may be the program.
    ///
    /// # Errors
    /// There is none, or none that may be executed.
    pub(super) fn next_file(&mut self) -> Result<String, Failure> {
        let program = self.program;
        while let Some(directory) = self.directories.next().filter(|_| !program.is_empty()) {
            let path = in_directory(directory, program);
            match check(&path) {
                Ok(()) => return Ok(path),
                Err(Errno::NOENT | Errno::NOTDIR) => {}
                Err(errno) => self.deny(failure(&path, errno)),
            }
        }
        Err(self.denied.take().unwrap_or_else(|| self.not_found()))
    }

    /// Executes what was found, or what is found further on if it may not be executed; returns why nothing was.
    pub(super) fn execute(mut self, found: String, exec: &ExecArgs) -> Failure {
        let mut path = found;
        loop {
            let Ok(c_path) = CString::new(path.as_str()) else { return failure(&path, Errno::INVAL) };
            let errno = Errno::from_io_error(&exec.exec(&c_path)).unwrap_or(Errno::IO);
            let failed = failure(&path, errno);
            if errno != Errno::ACCESS {
                return failed;
            }
            self.deny(failed);
            path = match self.next_file() {
                Ok(path) => path,
                Err(failed) => return failed,
            };
        }
    }

    fn deny(&mut self, failure: Failure) {
        self.denied.get_or_insert(failure);
    }

    fn not_found(&self) -> Failure {
        let errno = Errno::NOENT.raw_os_error();
        Failure { stage: Stage::Exec, errno, detail: self.program.to_owned(), kind: FailureKind::ProgramNotFound }
    }
}

fn in_directory(directory: &str, program: &str) -> String {
    if directory.is_empty() { program.to_owned() } else { format!("{directory}/{program}") }
}

/// Whether this is a file that execve(2) may take, and that is safe to be executed.
fn check(path: &str) -> rustix::io::Result<()> {
    rustix::fs::accessat(CWD, path, Access::EXEC_OK, AtFlags::EACCESS)?;
    refuse_magic(path)
}

/// Refuses a program, or the interpreter of a script, that is a magic link such as /proc/self/exe: it would execute the
/// engine's own file inside, and programs of the container could then write to it (CVE-2019-5736).
fn refuse_magic(path: &str) -> rustix::io::Result<()> {
    let open = |path: &str, flags| {
        rustix::fs::openat2(CWD, path, flags | OFlags::CLOEXEC, Mode::empty(), ResolveFlags::NO_MAGICLINKS)
    };
    let file = match open(path, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY) {
        // Executable but not readable: it cannot be a script either, because its interpreter could not read it.
        Err(Errno::ACCESS) => return open(path, OFlags::PATH).map(drop),
        other => other?,
    };
    let mut start = [0u8; 256];
    // A directory fails here.
    let length = rustix::io::read(&file, &mut start)?;
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

fn failure(path: &str, errno: Errno) -> Failure {
    let kind = match errno {
        // The file was there a moment ago, so it is what the file asks for that is missing.
        Errno::NOENT | Errno::NOTDIR => FailureKind::InterpreterNotFound,
        Errno::ACCESS | Errno::PERM | Errno::NOEXEC | Errno::ISDIR | Errno::LIBBAD | Errno::TXTBSY | Errno::LOOP => {
            FailureKind::NotExecutable
        }
        _ => FailureKind::Stage,
    };
    Failure { stage: Stage::Exec, errno: errno.raw_os_error(), detail: path.to_owned(), kind }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

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
        assert_eq!(refuse_magic("/bin"), Err(Errno::ISDIR));
    }

    #[test]
    fn searches() {
        let directory = tempfile::tempdir().unwrap();
        for (name, mode) in [("one/tool", 0o644), ("two/tool", 0o755), ("one/text", 0o644)] {
            let file = directory.path().join(name);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(&file, "").unwrap();
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
        }
        std::fs::create_dir(directory.path().join("one/directory")).unwrap();
        let path = format!("/nowhere:{0}/one:{0}/two", directory.path().display());
        let find = |program| Search::new(program, &path).next_file();
        assert_eq!(find("tool").unwrap(), format!("{}/two/tool", directory.path().display()));
        for denied in ["text", "directory"] {
            assert_eq!(find(denied).unwrap_err().kind, FailureKind::NotExecutable, "{denied}");
        }
        for absent in ["absent", "", "/absent", "tool/"] {
            let failure = find(absent).unwrap_err();
            assert_eq!((failure.kind, failure.detail.as_str()), (FailureKind::ProgramNotFound, absent));
        }
        let found = find("tool").unwrap();
        let mut rest = Search::after("tool", &path, &found).unwrap();
        assert_eq!(rest.next_file().unwrap_err().kind, FailureKind::ProgramNotFound);
        std::fs::remove_file(&found).unwrap();
        assert!(Search::after("tool", &path, &found).is_none());
        assert_eq!(find("/bin/sh").unwrap(), "/bin/sh");
        assert_eq!(find("/proc/self/exe").unwrap_err().kind, FailureKind::NotExecutable);
    }
}
