//! /proc/self/mounts and mountinfo (proc_pid_mountinfo(5)).

use alloc::string::String;
use core::fmt::Write;

use linux_abi::Errno;

use super::Subject;
use crate::vfs::mount;

/// A path with white space as octal escapes (fstab(5)).
fn escaped(path: &[u8]) -> String {
    let mut text = String::new();
    for c in String::from_utf8_lossy(path).chars() {
        match c {
            ' ' | '\t' | '\n' | '\\' => {
                let _ = write!(text, "\\{:03o}", c as u32);
            }
            _ => text.push(c),
        }
    }
    text
}

pub(super) fn mounts(_: &Subject) -> Result<String, Errno> {
    let mut text = String::new();
    for mount in mount::all() {
        let [source, kind, options] = mount.label;
        let _ = writeln!(text, "{source} {} {kind} {options} 0 0", escaped(&mount.path));
    }
    Ok(text)
}

pub(super) fn mountinfo(_: &Subject) -> Result<String, Errno> {
    let mut text = String::new();
    for (n, mount) in mount::all().enumerate() {
        let [source, kind, options] = mount.label;
        let device = mount.root.attributes().map_or(0, |a| a.dev);
        let parent = if n == 0 { 0 } else { 20 };
        let access = options.get(..2).unwrap_or("rw");
        let path = escaped(&mount.path);
        let _ = writeln!(text, "{} {parent} 0:{device} / {path} {options} - {kind} {source} {access}", 20 + n);
    }
    Ok(text)
}
