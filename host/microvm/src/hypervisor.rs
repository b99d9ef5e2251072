use std::fmt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use rustix::fs::{Access, access};
use serde::{Deserialize, Serialize};

use crate::probe;

/// A guest instruction takes well below a nanosecond in hardware, a few on an emulated machine with nested virtualisation,
/// and hundreds where KVM itself emulates.
const SLOWEST_HARDWARE: Duration = Duration::from_nanos(60);

/// What runs the virtual machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HypervisorKind {
    /// Hardware virtualisation.
    Kvm,
    /// QEMU's translator: a virtual machine in an ordinary process.
    Tcg,
}

impl fmt::Display for HypervisorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Kvm => "KVM",
            Self::Tcg => "QEMU TCG",
        })
    }
}

/// What runs the virtual machines of this host, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hypervisor {
    /// The choice.
    pub kind: HypervisorKind,
    /// The finding that led to it, a sentence for the user.
    pub reason: String,
}

/// Finds out by measurement, in a few to 50 ms. The answer holds until the machine restarts: the caller may keep it.
pub fn hypervisor() -> Hypervisor {
    let (kind, reason) = find();
    Hypervisor { kind, reason }
}

fn find() -> (HypervisorKind, String) {
    const EMULATION: &str = "virtual machines are emulated, which is not isolation by hardware";
    let device = Path::new("/dev/kvm");
    if !device.exists() {
        return (HypervisorKind::Tcg, format!("there is no /dev/kvm; {EMULATION}"));
    }
    if access(device, Access::READ_OK | Access::WRITE_OK).is_err() {
        return (HypervisorKind::Tcg, format!("/dev/kvm may not be opened; {EMULATION}"));
    }
    match probe::instruction_time() {
        Err(error) => (HypervisorKind::Tcg, format!("/dev/kvm does not work ({error}); {EMULATION}")),
        Ok(time) => match judge(time, EMULATION) {
            (HypervisorKind::Kvm, _) if !qemu_may_use(device) => {
                let cure = "QEMU runs without privileges; allow it with: chmod 666 /dev/kvm";
                (HypervisorKind::Tcg, format!("/dev/kvm is root's alone, and {cure}; {EMULATION}"))
            }
            found => found,
        },
    }
}

fn qemu_may_use(device: &Path) -> bool {
    let metadata = std::fs::metadata(device);
    !rustix::process::geteuid().is_root() || metadata.is_ok_and(|found| is_shared(found.mode()))
}

/// The group, which QEMU joins, or everybody may read and write it.
const fn is_shared(mode: u32) -> bool {
    mode & 0o060 == 0o060 || mode & 0o006 == 0o006
}

fn judge(time: Duration, emulation: &str) -> (HypervisorKind, String) {
    let nanoseconds = time.as_nanos();
    if time <= SLOWEST_HARDWARE {
        return (HypervisorKind::Kvm, format!("/dev/kvm runs privileged code at {nanoseconds} ns per instruction"));
    }
    let finding = "/dev/kvm exists, but needs";
    let text = format!("{finding} {nanoseconds} ns per privileged instruction: it is itself emulated; {emulation}");
    (HypervisorKind::Tcg, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speed_decides() {
        assert_eq!(judge(Duration::from_nanos(1), "").0, HypervisorKind::Kvm);
        assert_eq!(judge(Duration::from_nanos(650), "").0, HypervisorKind::Tcg);
    }

    #[test]
    fn the_device_must_be_open_to_an_unprivileged_process() {
        assert!(is_shared(0o660) && is_shared(0o666) && is_shared(0o606));
        assert!(!is_shared(0o600) && !is_shared(0o640));
    }

    #[test]
    fn a_machine_without_virtualisation_flags_is_emulated() {
        let flags = std::fs::read_to_string("/proc/cpuinfo").unwrap();
        let hardware = flags.split_whitespace().any(|flag| flag == "vmx" || flag == "svm");
        let found = hypervisor();
        eprintln!("{}: {}", found.kind, found.reason);
        assert!(hardware || found.kind == HypervisorKind::Tcg);
    }
}
