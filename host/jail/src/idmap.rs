//! A user namespace that exists only to translate the owners of files on a mount (`MOUNT_ATTR_IDMAP`).
//!
//! Unsafe because it clones a process that may have threads; the child makes two system calls and ends.
#![allow(unsafe_code)]

use std::io;
use std::os::fd::OwnedFd;

use rustix::fs::{Mode, OFlags};

use crate::child::exit_now;
use crate::clone::{Cloned, Namespaces, clone_single_threaded};

/// How many ids a volume can use: files of a user id from 0 to this one, exclusively, have an owner inside.
const IDS: u32 = 65_536;

/// Makes a user namespace in which file owner `n` appears as `base + n`.
pub(crate) fn user_namespace(base_uid: u32, base_gid: u32) -> io::Result<OwnedFd> {
    mapped_user_namespace(&format!("0 {base_uid} {IDS}"), &format!("0 {base_gid} {IDS}"))
}

/// Makes a user namespace with these maps, each the text of `uid_map` or `gid_map` (user_namespaces(7)).
pub fn mapped_user_namespace(uid_map: &str, gid_map: &str) -> io::Result<OwnedFd> {
    let (wait, hold) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
    // SAFETY: the child closes a descriptor, reads from another and exits; it neither allocates nor locks.
    let cloned = unsafe { clone_single_threaded(Namespaces::USER, None) }?;
    let Cloned::Parent { pid, pidfd } = cloned else {
        drop(hold);
        let _ = rustix::io::read(&wait, &mut [0u8]);
        exit_now(0);
    };
    let namespace = map(pid, uid_map, gid_map);
    drop(hold);
    let _ = rustix::process::waitid(
        rustix::process::WaitId::PidFd(std::os::fd::AsFd::as_fd(&pidfd)),
        rustix::process::WaitIdOptions::EXITED,
    );
    namespace
}

fn map(pid: i32, uid_map: &str, gid_map: &str) -> io::Result<OwnedFd> {
    std::fs::write(format!("/proc/{pid}/uid_map"), uid_map)?;
    std::fs::write(format!("/proc/{pid}/gid_map"), gid_map)?;
    Ok(rustix::fs::open(format!("/proc/{pid}/ns/user"), OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?)
}
