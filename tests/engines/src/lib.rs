//! Real engines (Podman, containerd, Docker Engine, buildah, from the distribution's packages) drive our OCI runtime.
//!
//! Each test has a [`Cage`] of its own: mount, process, network and IPC namespaces, an empty `/run`, a temporary directory
//! and a control group. Whatever an engine leaves there ends with the cage, also when a test panics or is killed, and
//! [`Cage::assert_clean`] says what was left.
//!
//! The runtime is `dist/coracle-oci`; `CORACLE_OCI_BIN` names another one. With runc's path there, the tests test themselves.

mod cage;
pub mod cases;
mod containerd;
mod done;
mod engine;
mod groups;
mod image;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

pub use cage::Cage;
pub use containerd::Containerd;
pub use done::Done;
pub use engine::{Engine, Kind};
pub use image::IMAGE;

/// The OCI runtime under test. Panics where it is missing: then no test here means anything.
pub fn runtime() -> PathBuf {
    let built = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../dist/coracle-oci");
    let path = std::env::var_os("CORACLE_OCI_BIN").map_or_else(built, PathBuf::from);
    path.canonicalize().unwrap_or_else(|_| panic!("{} is missing: run `make build`", path.display()))
}

/// Whether all capabilities of the kernel can be given away here. runc refuses a privileged container where not; the
/// specification wants a warning.
pub fn all_capabilities() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").expect("procfs");
    let bounding = status.lines().find_map(|line| line.strip_prefix("CapBnd:")).expect("a bounding set");
    let last = std::fs::read_to_string("/proc/sys/kernel/cap_last_cap").expect("procfs");
    let last: u32 = last.trim().parse().expect("a number");
    u64::from_str_radix(bounding.trim(), 16) == Ok((1 << (last + 1)) - 1)
}

/// Whether these programs are installed; says loudly what is not.
pub fn installed(test: &str, programs: &[&str]) -> bool {
    let missing: Vec<_> = programs.iter().filter(|program| which(program).is_none()).collect();
    if !missing.is_empty() {
        eprintln!("SKIP: {test}: not installed: {missing:?}");
    }
    missing.is_empty()
}

/// The path of an installed program.
pub fn which(program: &str) -> Option<PathBuf> {
    let path = std::env::var("PATH").unwrap_or_default() + ":/usr/sbin:/sbin";
    path.split(':').map(|dir| Path::new(dir).join(program)).find(|path| path.exists())
}

/// Tries until it succeeds or the time is over.
#[track_caller]
pub fn eventually(what: &str, seconds: u64, mut attempt: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !attempt() {
        assert!(begin.elapsed() < Duration::from_secs(seconds), "not within {seconds} s: {what}");
        std::thread::sleep(Duration::from_millis(30));
    }
}
