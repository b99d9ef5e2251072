//! The shapes of the attacks on container runtimes that became known: hostile images, racing volumes, leaked
//! descriptors, the runtime's own binary. `docs/oci/security.md` says what stops each.
//!
//! Comments name the releases for which an attack is known to work (or seen to, with `CORACLE_OCI_BIN`).

#[path = "security/console.rs"]
mod console;
#[path = "security/descriptors.rs"]
mod descriptors;
#[path = "security/image.rs"]
mod image;
#[path = "security/parsing.rs"]
mod parsing;
#[path = "security/privileges.rs"]
mod privileges;
#[path = "security/procfs.rs"]
mod procfs;
#[path = "security/runtime_binary.rs"]
mod runtime_binary;
#[path = "security/volume.rs"]
mod volume;

use std::fs;
use std::path::Path;

use tempfile::TempDir;

/// A directory of the host that no container may reach, with a file that tells it.
struct Canary(TempDir);

const SECRET: &str = "the host's own";

impl Canary {
    fn new() -> Self {
        let dir = TempDir::with_prefix("coracle-canary-").unwrap();
        fs::write(dir.path().join("secret"), SECRET).unwrap();
        Self(dir)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn secret(&self) -> std::path::PathBuf {
        self.0.path().join("secret")
    }

    /// Nothing was made, changed or mounted here.
    fn assert_untouched(&self) {
        let names: Vec<_> = fs::read_dir(self.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, ["secret"], "something appeared on the host");
        assert_eq!(fs::read_to_string(self.secret()).unwrap(), SECRET);
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
        assert!(!mounts.contains(self.path().to_str().unwrap()), "something was mounted on the host");
    }
}
