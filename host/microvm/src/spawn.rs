//! Starting helper processes with only what they need.

#![allow(unsafe_code)] // What must happen between fork and exec has no safe interface: `CommandExt::pre_exec` is unsafe.

use std::io;
use std::os::fd::RawFd;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command};

use plan::InstanceId;
use rustix::io::FdFlags;
use rustix::process::{Pid, Signal};
use rustix::thread::{Gid, Uid, UnshareFlags};

/// User ids of virtual machines: above everything that distributions hand out, one for each instance, so that a guest that
/// broke out of one QEMU can touch neither the host's files nor another QEMU.
const FIRST_UID: u32 = 0x4300_0000;

/// What a process is allowed.
pub(crate) struct Confinement {
    /// Descriptors that it inherits.
    pub(crate) descriptors: Vec<RawFd>,
    /// The user id to run under, in empty network, IPC and host name namespaces. `None` keeps the caller's.
    pub(crate) uid: Option<u32>,
    /// A supplementary group.
    pub(crate) group: Option<u32>,
    /// Ends it when the thread that starts it ends.
    pub(crate) dies_with_parent: bool,
}

/// The user id of an instance's QEMU; `None` if we are not root and cannot change it.
pub(crate) fn uid_of(id: &InstanceId) -> Option<u32> {
    let digits = u32::from_str_radix(&id.as_str()[..6], 16).unwrap_or(0);
    rustix::process::geteuid().is_root().then_some(FIRST_UID + digits)
}

/// Starts the command, confined, in a process group of its own (Ctrl-C in the terminal is not meant for it).
pub(crate) fn spawn(command: &mut Command, confinement: Confinement) -> io::Result<Child> {
    let parent = rustix::process::getpid();
    let enter = move || confinement.enter(parent);
    command.process_group(0);
    // SAFETY: the closure makes system calls only; it neither allocates nor takes a lock.
    unsafe { command.pre_exec(enter) }.spawn()
}

/// Gives the calling thread a mount namespace of its own: unshare(2) with `CLONE_NEWNS`.
pub(crate) fn unshare_mounts() -> rustix::io::Result<()> {
    // SAFETY: rustix marks the call unsafe for `CLONE_FILES`, which is not used: descriptors stay shared.
    unsafe { rustix::thread::unshare_unsafe(UnshareFlags::NEWNS) }
}

impl Confinement {
    fn enter(&self, parent: Pid) -> io::Result<()> {
        for fd in &self.descriptors {
            // SAFETY: the caller keeps these descriptors open until the process has been started.
            let fd = unsafe { std::os::fd::BorrowedFd::borrow_raw(*fd) };
            rustix::io::fcntl_setfd(fd, FdFlags::empty())?;
        }
        if let Some(uid) = self.uid {
            self.drop_privileges(uid)?;
        }
        rustix::thread::set_no_new_privs(true)?;
        if self.dies_with_parent {
            // After the change of identity, which clears it.
            rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
            if rustix::process::getppid() != Some(parent) {
                return Err(io::ErrorKind::BrokenPipe.into());
            }
        }
        Ok(())
    }

    fn drop_privileges(&self, uid: u32) -> io::Result<()> {
        let namespaces = UnshareFlags::NEWNET | UnshareFlags::NEWIPC | UnshareFlags::NEWUTS;
        // SAFETY: none of these namespaces holds descriptors or file system state of this process.
        unsafe { rustix::thread::unshare_unsafe(namespaces)? };
        let group = self.group.map(Gid::from_raw);
        rustix::thread::set_thread_groups(group.as_slice())?;
        let (uid, gid) = (Uid::from_raw(uid), Gid::from_raw(uid));
        rustix::thread::set_thread_res_gid(gid, gid, gid)?;
        rustix::thread::set_thread_res_uid(uid, uid, uid)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::process::Stdio;

    use super::*;

    #[test]
    fn a_confined_process_is_nobody_in_particular() {
        if !rustix::process::geteuid().is_root() {
            eprintln!("SKIP: changing the user id needs root");
            return;
        }
        let mut command = Command::new("/bin/sh");
        command.args(["-c", "id -u; id -G; ls /sys/class/net /proc/self/net/dev_mcast >/dev/null; cat /proc/net/dev"]);
        let uid = uid_of(&InstanceId::from_bytes([0xab; 32])).unwrap();
        let confinement = Confinement { descriptors: vec![], uid: Some(uid), group: None, dies_with_parent: true };
        let child = spawn(command.stdout(Stdio::piped()).stderr(Stdio::null()), confinement).unwrap();
        let output = String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap();
        assert!(output.starts_with(&format!("{uid}\n{uid}\n")), "{output}");
        assert_eq!(output.matches(':').count(), 1, "loopback is the only interface: {output}");
    }
}
