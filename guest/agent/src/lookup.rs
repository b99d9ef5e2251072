//! Which file a program's name means.

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use agent_proto::Program;

use crate::error::Error;

/// What execvp(3) and Docker use if the environment has no `PATH`.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Finds the program's file as execvp(3) does: a name with a slash is a path, anything else is searched in `PATH`; a file
/// that may not be executed is only reported if no other is found.
pub(crate) fn find(program: &Program) -> Result<PathBuf, Error> {
    let name = program.args.first().map(String::as_str).unwrap_or_default();
    let not_found = |hint| Error::NotFound { program: name.to_owned(), hint };
    if name.is_empty() {
        return Err(not_found(": no command was given"));
    }
    if name.contains('/') {
        let path = Path::new(&program.cwd).join(name);
        return check(&path).map(|()| path.clone()).map_err(|source| match source.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => not_found(""),
            _ => Error::NotExecutable { path, source },
        });
    }
    let variable = program.env.iter().rev().find_map(|entry| entry.strip_prefix("PATH="));
    let mut refused = None;
    for directory in variable.unwrap_or(DEFAULT_PATH).split(':') {
        let path = Path::new(&program.cwd).join(directory).join(name);
        match check(&path) {
            Ok(()) => return Ok(path),
            Err(source) if source.kind() == io::ErrorKind::PermissionDenied => {
                refused.get_or_insert(Error::NotExecutable { path, source });
            }
            Err(_) => {}
        }
    }
    Err(refused.unwrap_or_else(|| not_found(" (searched in PATH)")))
}

/// Refuses what execve(2) would refuse with `EACCES` even for root.
fn check(path: &Path) -> io::Result<()> {
    let metadata = path.metadata()?;
    let executable = metadata.is_file() && metadata.permissions().mode() & 0o111 != 0;
    if executable { Ok(()) } else { Err(io::ErrorKind::PermissionDenied.into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn program(name: &str, path: &str) -> Program {
        Program { args: vec![name.into()], env: vec![format!("PATH={path}")], cwd: "/".into(), ..Program::default() }
    }

    #[test]
    fn path_is_searched_in_order() {
        assert_eq!(find(&program("sh", "/nowhere:/bin:/usr/bin")).unwrap(), Path::new("/bin/sh"));
        assert_eq!(find(&program("bin/sh", "/nowhere")).unwrap(), Path::new("/bin/sh"));
        assert!(matches!(find(&program("sh", "/nowhere")), Err(Error::NotFound { .. })));
        assert!(matches!(find(&program("", "/bin")), Err(Error::NotFound { .. })));
    }

    #[test]
    fn what_may_not_be_executed_is_told_apart() {
        assert!(matches!(find(&program("passwd", "/etc")), Err(Error::NotExecutable { .. })));
        assert!(matches!(find(&program("/etc", "/")), Err(Error::NotExecutable { .. })));
        assert!(matches!(find(&program("/etc/passwd/x", "/")), Err(Error::NotFound { .. })));
        assert!(find(&program("passwd", "/etc:/usr/bin")).is_ok(), "a later executable wins");
    }
}
