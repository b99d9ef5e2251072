use oci_spec::runtime::{Capability, LinuxCapabilities};
use plan::Options;
use plan::options::Security;
use rustix::thread::CapabilitySet;

/// The capabilities that Docker leaves to a container.
const DEFAULT: [&str; 14] = [
    "CAP_AUDIT_WRITE",
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_MKNOD",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_RAW",
    "CAP_SETFCAP",
    "CAP_SETGID",
    "CAP_SETPCAP",
    "CAP_SETUID",
    "CAP_SYS_CHROOT",
];

/// Every capability of capabilities(7).
const ALL: [&str; 41] = [
    "CAP_AUDIT_CONTROL",
    "CAP_AUDIT_READ",
    "CAP_AUDIT_WRITE",
    "CAP_BLOCK_SUSPEND",
    "CAP_BPF",
    "CAP_CHECKPOINT_RESTORE",
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_DAC_READ_SEARCH",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_IPC_LOCK",
    "CAP_IPC_OWNER",
    "CAP_KILL",
    "CAP_LEASE",
    "CAP_LINUX_IMMUTABLE",
    "CAP_MAC_ADMIN",
    "CAP_MAC_OVERRIDE",
    "CAP_MKNOD",
    "CAP_NET_ADMIN",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_BROADCAST",
    "CAP_NET_RAW",
    "CAP_PERFMON",
    "CAP_SETFCAP",
    "CAP_SETGID",
    "CAP_SETPCAP",
    "CAP_SETUID",
    "CAP_SYSLOG",
    "CAP_SYS_ADMIN",
    "CAP_SYS_BOOT",
    "CAP_SYS_CHROOT",
    "CAP_SYS_MODULE",
    "CAP_SYS_NICE",
    "CAP_SYS_PACCT",
    "CAP_SYS_PTRACE",
    "CAP_SYS_RAWIO",
    "CAP_SYS_RESOURCE",
    "CAP_SYS_TIME",
    "CAP_SYS_TTY_CONFIG",
    "CAP_WAKE_ALARM",
];

/// The names of the capabilities that the options leave, by Docker's rules: `--cap-drop ALL` leaves what is added, `--cap-add ALL`
/// all that is not dropped.
pub(crate) fn capabilities(options: &Options) -> Vec<String> {
    let security = &options.security;
    let everything = security.privileged || security.cap_add.iter().any(|name| name == "ALL");
    let mut names = wanted(security);
    if everything {
        // The engine's own root may lack some, and cannot give what it has not.
        let own = rustix::thread::capabilities(None).map_or(CapabilitySet::all(), |sets| sets.permitted);
        names.retain(|name| {
            CapabilitySet::from_name(name.trim_start_matches("CAP_")).is_none_or(|one| own.contains(one))
        });
    }
    names
}

fn wanted(security: &Security) -> Vec<String> {
    if security.privileged {
        return ALL.iter().map(|name| (*name).to_owned()).collect();
    }
    let has = |list: &[String], name: &str| list.iter().any(|other| other == name);
    let (add, drop) = (&security.cap_add, &security.cap_drop);
    let kept = |name: &&str| {
        let added = has(add, name) || has(add, "ALL");
        let default = DEFAULT.contains(name) && !has(drop, "ALL");
        let wanted = if has(drop, "ALL") { has(add, name) } else { added || default };
        wanted && !has(drop, name)
    };
    ALL.iter().filter(|name| kept(name)).map(|name| (*name).to_owned()).collect()
}

/// The sets of a program: a user other than root has none, and can gain no others than these.
pub(super) fn sets(options: &Options, uid: u32) -> LinuxCapabilities {
    let names = capabilities(options);
    let all: oci_spec::runtime::Capabilities = names.iter().filter_map(|name| parse(name)).collect();
    let own = if uid == 0 { all.clone() } else { Default::default() };
    let mut sets = LinuxCapabilities::default();
    sets.set_bounding(Some(all));
    sets.set_effective(Some(own.clone()));
    sets.set_permitted(Some(own));
    sets.set_inheritable(None);
    sets.set_ambient(None);
    sets
}

fn parse(name: &str) -> Option<Capability> {
    name.strip_prefix("CAP_")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(add: &[&str], drop: &[&str]) -> Vec<String> {
        let mut options = Options::default();
        options.security.cap_add = add.iter().map(|name| (*name).to_owned()).collect();
        options.security.cap_drop = drop.iter().map(|name| (*name).to_owned()).collect();
        wanted(&options.security)
    }

    #[test]
    fn names_are_known() {
        assert!(ALL.iter().all(|name| parse(name).is_some()));
    }

    #[test]
    fn docker_s_rules() {
        assert_eq!(after(&[], &[]), DEFAULT);
        assert_eq!(after(&["CAP_NET_ADMIN"], &["ALL"]), ["CAP_NET_ADMIN"]);
        assert_eq!(after(&["ALL"], &["CAP_SYS_ADMIN"]).len(), ALL.len() - 1);
        assert!(!after(&[], &["CAP_CHOWN"]).contains(&"CAP_CHOWN".to_owned()));
        assert!(after(&["CAP_SYS_PTRACE"], &[]).contains(&"CAP_SYS_PTRACE".to_owned()));
        assert!(after(&["CAP_CHOWN"], &["CAP_CHOWN"]).len() == DEFAULT.len() - 1);
    }
}
