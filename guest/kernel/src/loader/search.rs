//! Finding a program by its name, as a shell does (execvp(3)).

use alloc::sync::Arc;
use alloc::vec::Vec;

use linux_abi::Errno;

use crate::loader::LoadError;
use crate::vfs::{Inode, OpenFile, open_for_exec};

/// Where programs are looked for without a `PATH` (as Docker sets it).
const DEFAULT_PATH: &[u8] = b"/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Opens the program that `name` means; gives its path too.
pub(crate) fn find(cwd: &Arc<dyn Inode>, name: &[u8], env: &[Vec<u8>]) -> Result<(Vec<u8>, Arc<OpenFile>), LoadError> {
    if name.contains(&b'/') {
        let path = name.to_vec();
        return match open_for_exec(cwd, name) {
            Ok(file) => Ok((path, file)),
            Err(Errno::ENOENT | Errno::ENOTDIR) => Err(LoadError::NotFound { name: path, searched: None }),
            Err(error) => Err(LoadError::Open { path, error }),
        };
    }
    let dirs = env.iter().find_map(|entry| entry.strip_prefix(b"PATH=")).unwrap_or(DEFAULT_PATH);
    let mut denied = None;
    for dir in dirs.split(|b| *b == b':') {
        let mut path = if dir.is_empty() { b".".to_vec() } else { dir.to_vec() };
        path.push(b'/');
        path.extend_from_slice(name);
        match open_for_exec(cwd, &path) {
            Ok(file) => return Ok((path, file)),
            Err(error @ Errno::EACCES) => denied = Some(LoadError::Open { path, error }),
            Err(_) => {}
        }
    }
    Err(denied.unwrap_or_else(|| LoadError::NotFound { name: name.to_vec(), searched: Some(dirs.to_vec()) }))
}
