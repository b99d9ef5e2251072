//! `mounts` → volumes, and what a level brings along by itself.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use oci_spec::runtime::Mount;
use plan::{Isolation, Volume};

use super::BundleError;

/// The largest file of `/etc` that is handed over as text.
const MAX_TEXT: u64 = 1 << 20;

/// What the mounts of a bundle come to.
#[derive(Debug, Default)]
pub(super) struct Mounts {
    pub(super) volumes: Vec<Volume>,
    pub(super) etc_hosts: Option<String>,
    pub(super) resolv_conf: Option<String>,
}

/// Kinds of file systems that every level has at their usual places.
const BUILT_IN: [&str; 7] = ["proc", "sysfs", "devpts", "mqueue", "cgroup", "cgroup2", "devtmpfs"];

pub(super) fn translate(
    mounts: &[Mount],
    bundle: &Path,
    level: Isolation,
    read_only_root: bool,
) -> Result<Mounts, BundleError> {
    let mut found = Mounts::default();
    for (index, mount) in mounts.iter().enumerate() {
        let unsupported = |what| BundleError::Unsupported { field: format!("mounts[{index}]"), what, level };
        let kind = mount.typ().as_deref().unwrap_or("none");
        let destination = mount.destination().as_path();
        if BUILT_IN.contains(&kind) || destination.starts_with("/dev") || destination.starts_with("/proc") {
            continue;
        }
        match kind {
            "tmpfs" if read_only_root => return Err(unsupported("a tmpfs on a read-only root")),
            // What is written to the root stays in memory in any case, and a new one is as empty as the image's directory.
            "tmpfs" => {}
            _ if is_bind(mount) => {
                bind(&mut found, mount, bundle, level).ok_or_else(|| unsupported("this bind mount"))?
            }
            _ => return Err(unsupported("a mount of this type")),
        }
    }
    Ok(found)
}

fn options(mount: &Mount) -> impl Iterator<Item = &str> {
    mount.options().iter().flatten().map(String::as_str)
}

fn is_bind(mount: &Mount) -> bool {
    mount.typ().as_deref() == Some("bind") || options(mount).any(|option| option == "bind" || option == "rbind")
}

fn bind(found: &mut Mounts, mount: &Mount, bundle: &Path, level: Isolation) -> Option<()> {
    let source = absolute(mount.source().as_deref()?, bundle);
    let guest = mount.destination().clone();
    let climbs = guest.components().any(|part| matches!(part, std::path::Component::ParentDir));
    if !guest.is_absolute() || climbs {
        return None;
    }
    // The levels write these files themselves, with the text that they are given; a microVM's agent has it from the network.
    if level == Isolation::Unikernel && source.is_file() {
        match guest.to_str() {
            Some("/etc/hosts") => return read_text(&source).map(|text| found.etc_hosts = Some(text)),
            Some("/etc/resolv.conf") => return read_text(&source).map(|text| found.resolv_conf = Some(text)),
            _ => {}
        }
    }
    let read_only = options(mount).any(|option| option == "ro" || option == "rro");
    found.volumes.push(Volume { host: source, guest, read_only });
    Some(())
}

fn absolute(path: &Path, bundle: &Path) -> PathBuf {
    if path.is_absolute() { path.to_owned() } else { bundle.join(path) }
}

fn read_text(path: &Path) -> Option<String> {
    let mut text = String::new();
    fs::File::open(path).ok()?.take(MAX_TEXT).read_to_string(&mut text).ok()?;
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(json: serde_json::Value, read_only: bool) -> Result<Mounts, BundleError> {
        let mounts: Vec<Mount> = serde_json::from_value(json).unwrap();
        translate(&mounts, Path::new("/bundle"), Isolation::Unikernel, read_only)
    }

    #[test]
    fn binds_become_volumes_and_kernel_file_systems_are_there() {
        let found = of(
            serde_json::json!([
                {"destination": "/proc", "type": "proc", "source": "proc"},
                {"destination": "/dev/shm", "type": "tmpfs", "source": "shm"},
                {"destination": "/tmp", "type": "tmpfs", "source": "tmpfs"},
                {"destination": "/data", "source": "data", "options": ["rbind", "ro"]},
                {"destination": "/srv", "type": "bind", "source": "/srv"},
            ]),
            false,
        )
        .unwrap();
        let volume = |host: &str, guest: &str, read_only| Volume { host: host.into(), guest: guest.into(), read_only };
        assert_eq!(found.volumes, [volume("/bundle/data", "/data", true), volume("/srv", "/srv", false)]);
    }

    #[test]
    fn what_cannot_be_is_refused_by_name() {
        let refused = |json, read_only| of(json, read_only).unwrap_err().to_string();
        let tmpfs = serde_json::json!([{"destination": "/tmp", "type": "tmpfs"}]);
        assert!(refused(tmpfs, true).contains("mounts[0]: a tmpfs on a read-only root"));
        let nfs = serde_json::json!([{"destination": "/n", "type": "nfs", "source": "a:/"}]);
        assert!(refused(nfs, false).contains("a mount of this type"));
        let up = serde_json::json!([{"destination": "/a/../..", "type": "bind", "source": "/"}]);
        assert!(refused(up, false).contains("this bind mount"));
    }

    #[test]
    fn network_files_are_handed_over_as_text() {
        let dir = tempfile::tempdir().unwrap();
        let hosts = dir.path().join("hosts");
        fs::write(&hosts, "10.0.0.1 db\n").unwrap();
        let json = serde_json::json!([{"destination": "/etc/hosts", "type": "bind", "source": hosts}]);
        let found = of(json, false).unwrap();
        assert_eq!((found.etc_hosts.as_deref(), found.volumes.len()), (Some("10.0.0.1 db\n"), 0));
    }
}
