use std::path::Path;

use rustix::fs::{Mode, OFlags, fstat, open};

use super::Event;
use crate::instance::Lock;
use crate::{Paths, follow};

/// A log that has reached this size is put aside.
const FULL: i64 = 1 << 20;

/// Tells what happened. A full disk loses events, never what they are about.
pub(crate) fn write(paths: &Paths, plan: &plan::LaunchPlan, action: &str, more: &[(&str, &str)]) {
    let Ok(mut line) = serde_json::to_vec(&Event::new(plan, action, more)) else { return };
    line.push(b'\n');
    let path = paths.events();
    let flags = OFlags::WRONLY | OFlags::APPEND | OFlags::CREATE | OFlags::CLOEXEC;
    let Ok(file) = open(&path, flags, Mode::from_raw_mode(0o644)) else { return };
    let _ = rustix::io::write(&file, &line);
    if fstat(&file).is_ok_and(|stat| stat.st_size >= FULL) {
        put_aside(&path);
    }
}

/// Only one process at a time, and only a file that is still full.
fn put_aside(path: &Path) {
    let Ok(Some(_lock)) = Lock::try_take(&path.with_extension("lock")) else { return };
    if rustix::fs::stat(path).is_ok_and(|stat| stat.st_size >= FULL) {
        let _ = follow::put_aside(path, 2);
    }
}
