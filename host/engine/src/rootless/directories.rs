//! Where a user's state is, by the XDG base directory specification.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use crate::Error;

/// What outlives a reboot, and what does not.
pub(super) fn of_user() -> Result<(PathBuf, PathBuf), Error> {
    let variable = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let data = variable("XDG_DATA_HOME").or_else(|| variable("HOME").map(|home| home.join(".local/share")));
    let data = data.ok_or_else(|| {
        Error::Invalid(
            "there is no place for images and instances; set HOME or XDG_DATA_HOME, or give --root".to_owned(),
        )
    })?;
    let run = match variable("XDG_RUNTIME_DIR").filter(|dir| dir.is_dir()) {
        Some(dir) => dir.join("coracle"),
        None => private(&PathBuf::from(format!("/tmp/coracle-{}", rustix::process::geteuid().as_raw())))?,
    };
    Ok((data.join("coracle"), run))
}

/// A directory in a place where others can write, too: it must be ours alone.
fn private(path: &Path) -> Result<PathBuf, Error> {
    match fs::DirBuilder::new().mode(0o700).create(path) {
        Err(e) if e.kind() != ErrorKind::AlreadyExists => return Err(Error::file("creating", path)(e)),
        _ => {}
    }
    let metadata = fs::symlink_metadata(path).map_err(Error::file("looking at", path))?;
    let own = metadata.is_dir() && metadata.uid() == rustix::process::geteuid().as_raw();
    if own && metadata.mode() & 0o077 == 0 {
        return Ok(path.to_owned());
    }
    Err(Error::Invalid(format!(
        "{} must be a directory of yours that nobody else can use (mode 0700); remove it, or set XDG_RUNTIME_DIR",
        path.display()
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_that_others_can_use_is_refused() {
        use std::os::unix::fs::{PermissionsExt as _, symlink};
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("run");
        assert_eq!(private(&path).unwrap(), path);
        assert_eq!(private(&path).unwrap(), path, "again");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        assert!(private(&path).is_err());
        let link = dir.path().join("link");
        symlink(dir.path(), &link).unwrap();
        assert!(private(&link).is_err());
    }
}
