//! `process.apparmorProfile` and `process.selinuxLabel`: what a security module confines the program to.
//!
//! Both are written to files of a procfs that nobody can have covered or replaced (CVE-2019-16884, CVE-2025-52881), and
//! become true at execve(2).

use std::io;

use rustix::fs::{CWD, StatVfsMountFlags};
use rustix::io::Errno;

use super::invalid::{InvalidProcess, Reason};
use super::private_proc::PrivateProc;
use crate::error::Stage;
use crate::message::{AtStage, Failure};

const APPARMOR: &str = "process.apparmorProfile";
const SELINUX: &str = "process.selinuxLabel";

/// linux/magic.h.
const SELINUX_MAGIC: u64 = 0xf97c_ff8c;

/// Labels of modules that this host has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Labels {
    apparmor: Option<String>,
    selinux: Option<String>,
}

impl Labels {
    /// Without the module an empty label and "unconfined" mean what is the case anyway.
    pub(super) fn parse(apparmor: Option<&str>, selinux: Option<&str>) -> Result<Self, InvalidProcess> {
        let apparmor = wanted(APPARMOR, apparmor)?;
        let selinux = wanted(SELINUX, selinux)?;
        if apparmor.as_ref().is_some_and(|profile| profile != "unconfined") && !apparmor_enabled() {
            let rule = "is set, but AppArmor is not enabled on this host; leave it out, or set it to unconfined";
            return Err(InvalidProcess::rule(APPARMOR, rule));
        }
        if selinux.is_some() && !selinux_enabled() {
            let rule = "is set, but SELinux is disabled or not supported on this host; leave it out";
            return Err(InvalidProcess::rule(SELINUX, rule));
        }
        Ok(Self { apparmor: apparmor.filter(|_| apparmor_enabled()), selinux })
    }

    /// Asks the modules to confine what execve(2) will run.
    pub(super) fn apply(&self, proc: &PrivateProc) -> Result<(), Failure> {
        if let Some(profile) = &self.apparmor {
            apply_apparmor(proc, profile).about(Stage::Labels, &format!("AppArmor profile {profile}"))?;
        }
        if let Some(label) = &self.selinux {
            proc.write("self/attr/exec", label.as_bytes()).about(Stage::Labels, &format!("SELinux label {label}"))?;
        }
        Ok(())
    }
}

/// The directory of its own exists since Linux 5.8; before, AppArmor shared the one of the first module.
fn apply_apparmor(proc: &PrivateProc, profile: &str) -> io::Result<()> {
    let text = format!("exec {profile}");
    match proc.write("self/attr/apparmor/exec", text.as_bytes()) {
        Err(error) if error.raw_os_error() == Some(Errno::NOENT.raw_os_error()) => {
            proc.write("self/attr/exec", text.as_bytes())
        }
        other => other,
    }
}

fn wanted(field: &'static str, label: Option<&str>) -> Result<Option<String>, InvalidProcess> {
    let Some(label) = label.filter(|label| !label.is_empty()) else { return Ok(None) };
    // The kernel's files take one line; a second would be a second command.
    if label.bytes().any(|byte| byte == 0 || byte == b'\n') {
        return Err(InvalidProcess { field, reason: Reason::ZeroByte(label.to_owned()) });
    }
    Ok(Some(label.to_owned()))
}

fn apparmor_enabled() -> bool {
    std::fs::read("/sys/module/apparmor/parameters/enabled").is_ok_and(|text| text.first() == Some(&b'Y'))
}

fn selinux_enabled() -> bool {
    selinux_mount("/sys/fs/selinux").is_some_and(|flags| !flags.contains(StatVfsMountFlags::RDONLY))
}

/// The flags of the file system at `path` if it is SELinux's.
fn selinux_mount(path: &str) -> Option<StatVfsMountFlags> {
    let found = rustix::fs::statfs(path).ok()?.f_type as u64 & 0xffff_ffff == SELINUX_MAGIC;
    let directory = rustix::fs::openat(CWD, path, rustix::fs::OFlags::PATH, rustix::fs::Mode::empty()).ok()?;
    found.then(|| rustix::fs::fstatvfs(directory).map(|stat| stat.f_flag).ok()).flatten()
}

/// `linux.mountLabel`, the value for the option `context` of a new file system; none where SELinux is not in force.
pub(crate) fn mount_label(label: Option<&str>) -> Result<Option<String>, InvalidProcess> {
    Ok(wanted("linux.mountLabel", label)?.filter(|_| selinux_enabled()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_of_absent_modules() {
        assert_eq!(Labels::parse(None, Some("")).unwrap(), Labels::default());
        if apparmor_enabled() || selinux_enabled() {
            println!("SKIP: labels_of_absent_modules: this host has a security module");
            return;
        }
        assert_eq!(Labels::parse(Some("unconfined"), None).unwrap(), Labels::default());
        assert!(
            Labels::parse(Some("docker-default"), None).unwrap_err().to_string().contains("AppArmor is not enabled")
        );
        let error = Labels::parse(None, Some("system_u:system_r:container_t:s0")).unwrap_err();
        assert!(error.to_string().contains("SELinux is disabled or not supported"), "{error}");
        assert_eq!(mount_label(Some("system_u:object_r:container_file_t:s0:c1,c2")), Ok(None));
    }

    #[test]
    fn a_label_is_one_line() {
        assert_eq!(Labels::parse(Some("a\nchangeprofile b"), None).unwrap_err().field, APPARMOR);
        assert_eq!(Labels::parse(None, Some("a\0b")).unwrap_err().field, SELINUX);
    }
}
