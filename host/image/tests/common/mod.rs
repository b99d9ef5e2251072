//! Helpers of the integration tests. They need root, `erofs-utils`, `skopeo` and `umoci`.
#![allow(dead_code, reason = "each test program uses some of them")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use image::Progress;

/// A listener for progress that does not care.
pub(crate) fn silent() -> impl FnMut(Progress) {
    |_| {}
}

/// Runs a program and returns its output; it must succeed.
pub(crate) fn run(program: &str, args: &[&str]) -> String {
    text(program, Command::new(program).args(args).output().unwrap())
}

fn text(program: &str, output: Output) -> String {
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{program}: {} {error}", output.status);
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A mounted image; it is unmounted when this is dropped, also by a failing test.
pub(crate) struct Mounted {
    dir: Option<tempfile::TempDir>,
}

impl Mounted {
    pub(crate) fn new(erofs: &Path) -> Self {
        let dir = tempfile::tempdir().unwrap();
        run("mount", &["-t", "erofs", "-o", "ro", erofs.to_str().unwrap(), dir.path().to_str().unwrap()]);
        Self { dir: Some(dir) }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.dir.as_ref().unwrap().path().to_owned()
    }

    /// Runs a program of the image and returns its output.
    pub(crate) fn chroot(&self, args: &[&str]) -> String {
        text(args[0], Command::new("chroot").arg(self.path()).args(args).output().unwrap())
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.path()).status();
    }
}
