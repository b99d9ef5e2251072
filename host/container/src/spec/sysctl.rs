//! Kernel parameters (sysctl(8)): only those that belong to a namespace of the container, as runc allows them.

use oci_spec::runtime::{Linux, LinuxNamespaceType as Type};

use super::{InvalidSpec, Namespaces, Problem};

/// Parameters of the IPC namespace (ipc_namespaces(7)).
const IPC: [&str; 9] = [
    "kernel.msgmax",
    "kernel.msgmnb",
    "kernel.msgmni",
    "kernel.sem",
    "kernel.shmall",
    "kernel.shmmax",
    "kernel.shmmni",
    "kernel.shm_rmid_forced",
    "kernel.msg_next_id",
];

pub(super) fn all<'a>(linux: &'a Linux, namespaces: &Namespaces<'_>) -> Result<Vec<(String, &'a str)>, InvalidSpec> {
    let mut all = Vec::new();
    for (name, value) in linux.sysctl().iter().flatten() {
        let field = || format!("linux.sysctl[{name}]");
        if value.contains('\0') || name.contains('\0') {
            return Err(InvalidSpec::new(field(), Problem::NotText));
        }
        let path = path(name);
        check(&path.replace('/', "."), namespaces).map_err(|problem| InvalidSpec::new(field(), problem))?;
        all.push((path, value.as_str()));
    }
    all.sort();
    Ok(all)
}

/// The file below /proc/sys. As sysctl(8): if the first separator is a slash, dots are part of names (`net/ipv4/conf/eth0.1`);
/// otherwise both are exchanged.
fn path(name: &str) -> String {
    match name.find(['.', '/']) {
        Some(at) if name.as_bytes()[at] == b'.' => {
            let swap = |c| match c {
                '.' => '/',
                '/' => '.',
                other => other,
            };
            name.chars().map(swap).collect()
        }
        _ => name.to_owned(),
    }
}

fn check(name: &str, namespaces: &Namespaces<'_>) -> Result<(), Problem> {
    let needs = |kind, text| match namespaces.has(kind) {
        true => Ok(()),
        false => Err(Problem::Needs(text)),
    };
    // Nothing of a parameter's name leads upwards.
    if name.split('.').any(str::is_empty) {
        return Err(Problem::OfTheHost(name.to_owned()));
    }
    if IPC.contains(&name) || name.starts_with("fs.mqueue.") {
        return needs(Type::Ipc, "an ipc namespace in linux.namespaces");
    }
    if name.starts_with("net.") {
        return needs(Type::Network, "a network namespace in linux.namespaces");
    }
    match name {
        "kernel.domainname" => needs(Type::Uts, "a uts namespace in linux.namespaces"),
        "kernel.hostname" => Err(Problem::Conflicts("hostname, which is the field to use")),
        _ if name.starts_with("user.") => needs(Type::User, "a user namespace in linux.namespaces"),
        _ => Err(Problem::OfTheHost(name.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_paths() {
        assert_eq!(path("net.ipv4.ip_forward"), "net/ipv4/ip_forward");
        assert_eq!(path("net/ipv4/conf/eth0.1/forwarding"), "net/ipv4/conf/eth0.1/forwarding");
        assert_eq!(path("net.ipv4.conf.eth0/1.forwarding"), "net/ipv4/conf/eth0.1/forwarding");
    }
}
