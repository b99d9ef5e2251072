//! capabilities(7): the five sets, in the order in which they can be given up.

use oci_spec::runtime::{Capabilities as Names, Capability, LinuxCapabilities};
use rustix::io::Errno;
use rustix::thread::{CapabilitySet, CapabilitySets};

use super::invalid::{InvalidProcess, Reason};
use crate::error::Stage;
use crate::message::{AtStage, Failure};

/// The names in the order of their numbers (linux/capability.h).
const NAMES: [&str; 41] = [
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_DAC_READ_SEARCH",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETPCAP",
    "CAP_LINUX_IMMUTABLE",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_BROADCAST",
    "CAP_NET_ADMIN",
    "CAP_NET_RAW",
    "CAP_IPC_LOCK",
    "CAP_IPC_OWNER",
    "CAP_SYS_MODULE",
    "CAP_SYS_RAWIO",
    "CAP_SYS_CHROOT",
    "CAP_SYS_PTRACE",
    "CAP_SYS_PACCT",
    "CAP_SYS_ADMIN",
    "CAP_SYS_BOOT",
    "CAP_SYS_NICE",
    "CAP_SYS_RESOURCE",
    "CAP_SYS_TIME",
    "CAP_SYS_TTY_CONFIG",
    "CAP_MKNOD",
    "CAP_LEASE",
    "CAP_AUDIT_WRITE",
    "CAP_AUDIT_CONTROL",
    "CAP_SETFCAP",
    "CAP_MAC_OVERRIDE",
    "CAP_MAC_ADMIN",
    "CAP_SYSLOG",
    "CAP_WAKE_ALARM",
    "CAP_BLOCK_SUSPEND",
    "CAP_AUDIT_READ",
    "CAP_PERFMON",
    "CAP_BPF",
    "CAP_CHECKPOINT_RESTORE",
];

/// The five sets of a process. A set that the specification leaves out is empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Capabilities {
    bounding: CapabilitySet,
    effective: CapabilitySet,
    permitted: CapabilitySet,
    inheritable: CapabilitySet,
    ambient: CapabilitySet,
}

impl Capabilities {
    /// What is impossible without harm is left out, see [`ineffective`](Self::ineffective).
    pub(super) fn parse(sets: Option<&LinuxCapabilities>) -> Result<Self, InvalidProcess> {
        let all = Self::listed(sets);
        let (permitted, bounding) = ("process.capabilities.permitted", "process.capabilities.bounding");
        subset("process.capabilities.effective", all.effective, permitted, all.permitted)?;
        subset("process.capabilities.inheritable", all.inheritable, bounding, all.bounding)?;
        Ok(Self { ambient: all.ambient.intersection(all.permitted).intersection(all.inheritable), ..all })
    }

    /// Messages about what is left out.
    pub(super) fn ineffective(sets: Option<&LinuxCapabilities>) -> Vec<String> {
        let all = Self::listed(sets);
        let held = rustix::thread::capabilities(None).map_or(CapabilitySet::all(), |sets| sets.permitted);
        let impossible = all.ambient.difference(all.permitted.intersection(all.inheritable));
        let impossible = names(impossible).map(|name| {
            format!("process.capabilities.ambient: {name} is ignored because it is not both permitted and inheritable")
        });
        let lacking = names(all.permitted.union(all.inheritable).difference(held)).map(|name| {
            format!("process.capabilities: {name} is not held here: only a new user namespace can give it")
        });
        impossible.chain(lacking).collect()
    }

    fn listed(sets: Option<&LinuxCapabilities>) -> Self {
        let set = |names: Option<&Names>| names.map_or(CapabilitySet::empty(), set_of);
        Self {
            bounding: set(sets.and_then(|sets| sets.bounding().as_ref())),
            effective: set(sets.and_then(|sets| sets.effective().as_ref())),
            permitted: set(sets.and_then(|sets| sets.permitted().as_ref())),
            inheritable: set(sets.and_then(|sets| sets.inheritable().as_ref())),
            ambient: set(sets.and_then(|sets| sets.ambient().as_ref())),
        }
    }

    /// Before the user changes: the limit of what any program may gain; and, if the process is to hold capabilities as
    /// another user than root, the promise to keep them while it becomes that user. execve(2) ends the promise.
    pub(super) fn before_user(&self, uid: u32) -> Result<(), Failure> {
        jail::bound_capabilities(self.bounding).about(Stage::Privileges, "process.capabilities.bounding")?;
        if uid != 0 && !self.permitted.union(self.inheritable).is_empty() {
            rustix::thread::set_keep_capabilities(true).at(Stage::Privileges)?;
        }
        Ok(())
    }

    /// After the user has changed: what it holds, and what its programs hold without being marked on the disk.
    pub(super) fn after_user(&self) -> Result<(), Failure> {
        match rustix::thread::set_capabilities(None, self.sets(CapabilitySet::all())) {
            // "Runtimes SHOULD NOT fail if the container configuration requests capabilities that cannot be granted" (config.md).
            Err(Errno::PERM) => {
                let held = rustix::thread::capabilities(None).map_or(CapabilitySet::empty(), |sets| sets.permitted);
                rustix::thread::set_capabilities(None, self.sets(held))
                    .about(Stage::Privileges, "process.capabilities")?;
            }
            other => other.about(Stage::Privileges, "process.capabilities")?,
        }
        // An ambient capability is lost with its permitted or inheritable twin, so nothing can be left where none is.
        if !self.permitted.intersection(self.inheritable).is_empty() {
            rustix::thread::clear_ambient_capability_set().about(Stage::Privileges, "process.capabilities.ambient")?;
        }
        if self.ambient.is_empty() {
            return Ok(());
        }
        let held = rustix::thread::capabilities(None).map_or(CapabilitySet::empty(), |sets| sets.permitted);
        for capability in self.ambient.intersection(held).iter() {
            rustix::thread::configure_capability_in_ambient_set(capability, true)
                .about(Stage::Privileges, "process.capabilities.ambient")?;
        }
        Ok(())
    }

    /// What of the sets is in `held`.
    fn sets(&self, held: CapabilitySet) -> CapabilitySets {
        CapabilitySets {
            effective: self.effective.intersection(held),
            permitted: self.permitted.intersection(held),
            inheritable: self.inheritable.intersection(held),
        }
    }
}

fn subset(
    field: &'static str,
    set: CapabilitySet,
    other: &'static str,
    of: CapabilitySet,
) -> Result<(), InvalidProcess> {
    match names(set.difference(of)).next() {
        None => Ok(()),
        Some(member) => Err(InvalidProcess { field, reason: Reason::NotIn { member, other } }),
    }
}

fn set_of(names: &Names) -> CapabilitySet {
    names.iter().map(bit).fold(CapabilitySet::empty(), CapabilitySet::union)
}

fn bit(capability: &Capability) -> CapabilitySet {
    let name = capability.to_string();
    let number = NAMES.iter().position(|known| known.strip_prefix("CAP_") == Some(&name));
    number.map_or(CapabilitySet::empty(), |number| CapabilitySet::from_bits_retain(1 << number))
}

fn names(set: CapabilitySet) -> impl Iterator<Item = &'static str> {
    let of = move |(number, name)| set.contains(CapabilitySet::from_bits_retain(1u64 << number)).then_some(name);
    NAMES.into_iter().enumerate().filter_map(of)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(json: &str) -> Result<(Capabilities, Vec<String>), InvalidProcess> {
        let sets: LinuxCapabilities = serde_json::from_str(json).unwrap();
        Ok((Capabilities::parse(Some(&sets))?, Capabilities::ineffective(Some(&sets))))
    }

    #[test]
    fn every_name_of_the_model_has_its_number() {
        for (number, name) in NAMES.iter().enumerate() {
            let capability: Capability = serde_json::from_str(&format!("\"{name}\"")).unwrap();
            assert_eq!(bit(&capability).bits(), 1 << number, "{name}");
        }
        assert_eq!(bit(&Capability::SysAdmin), CapabilitySet::SYS_ADMIN);
        assert_eq!(bit(&Capability::CheckpointRestore), CapabilitySet::CHECKPOINT_RESTORE);
    }

    #[test]
    fn sets_that_the_kernel_would_refuse() {
        let error = parse(r#"{"effective": ["CAP_KILL"]}"#).unwrap_err();
        assert_eq!(error.field, "process.capabilities.effective");
        let error = parse(r#"{"inheritable": ["CAP_KILL"]}"#).unwrap_err();
        let member = Reason::NotIn { member: "CAP_KILL", other: "process.capabilities.bounding" };
        assert_eq!(error.reason, member);
    }

    #[test]
    fn impossible_ambient_capabilities_are_warned_of() {
        let (sets, warnings) = parse(r#"{"ambient": ["CAP_KILL"], "permitted": ["CAP_KILL"]}"#).unwrap();
        assert!(sets.ambient.is_empty());
        assert!(warnings[0].contains("CAP_KILL"), "{warnings:?}");
        let all = r#"["CAP_KILL", "CAP_CHOWN"]"#;
        let text = format!(r#"{{"ambient": {all}, "permitted": {all}, "inheritable": {all}, "bounding": {all}}}"#);
        let (sets, warnings) = parse(&text).unwrap();
        assert_eq!(sets.ambient, CapabilitySet::KILL.union(CapabilitySet::CHOWN));
        assert!(warnings.is_empty());
    }

    #[test]
    fn no_sets_are_no_capabilities() {
        let sets = Capabilities::parse(None).unwrap();
        assert!(sets.permitted.is_empty() && sets.bounding.is_empty());
    }
}
