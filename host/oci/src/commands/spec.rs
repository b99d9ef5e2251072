use std::fs::OpenOptions;
use std::io::Write;

use serde_json::{Value, json};

use crate::args::SpecArgs;
use crate::error::Error;

/// Writes an example configuration, the same as runc's.
pub(crate) fn spec(args: &SpecArgs) -> Result<(), Error> {
    let path = args.bundle.join(args.file.as_deref().unwrap_or("config.json".as_ref()));
    let error = |source| Error::File { action: "write", path: path.clone(), source };
    let text = serde_json::to_string_pretty(&example(args.rootless)).map_err(|e| error(e.into()))?;
    // Never over somebody's own configuration.
    let file = OpenOptions::new().write(true).create_new(true).open(&path);
    let mut file = match file {
        Err(source) if source.kind() == std::io::ErrorKind::AlreadyExists => {
            return Err(Error::Unusable { path, reason: "it exists already; remove it first" });
        }
        other => other.map_err(error)?,
    };
    file.write_all(text.as_bytes()).and_then(|()| file.write_all(b"\n")).map_err(error)
}

fn example(rootless: bool) -> Value {
    let capabilities = json!(["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"]);
    json!({
        "ociVersion": "1.3.0",
        "process": {
            "terminal": true,
            "user": { "uid": 0, "gid": 0 },
            "args": ["sh"],
            "env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM=xterm"],
            "cwd": "/",
            "capabilities": { "bounding": capabilities, "effective": capabilities, "permitted": capabilities },
            "rlimits": [{ "type": "RLIMIT_NOFILE", "hard": 1024, "soft": 1024 }],
            "noNewPrivileges": true
        },
        "root": { "path": "rootfs", "readonly": true },
        "hostname": "coracle",
        "mounts": mounts(rootless),
        "linux": linux(rootless)
    })
}

fn mounts(rootless: bool) -> Value {
    let mut mounts = vec![
        mount("/proc", "proc", "proc", &[]),
        mount("/dev", "tmpfs", "tmpfs", &["nosuid", "strictatime", "mode=755", "size=65536k"]),
        mount(
            "/dev/pts",
            "devpts",
            "devpts",
            // Without root privileges there is no group 5 to give terminals to.
            if rootless {
                &["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"]
            } else {
                &["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]
            },
        ),
        mount("/dev/shm", "tmpfs", "shm", &["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"]),
        mount("/dev/mqueue", "mqueue", "mqueue", &["nosuid", "noexec", "nodev"]),
    ];
    mounts.push(match rootless {
        // sysfs cannot be mounted without owning the network namespace of the host.
        true => mount("/sys", "none", "/sys", &["rbind", "nosuid", "noexec", "nodev", "ro"]),
        false => mount("/sys", "sysfs", "sysfs", &["nosuid", "noexec", "nodev", "ro"]),
    });
    if !rootless {
        let options = ["nosuid", "noexec", "nodev", "relatime", "ro"];
        mounts.push(mount("/sys/fs/cgroup", "cgroup", "cgroup", &options));
    }
    Value::Array(mounts)
}

fn mount(destination: &str, kind: &str, source: &str, options: &[&str]) -> Value {
    let mut mount = json!({ "destination": destination, "type": kind, "source": source });
    if !options.is_empty() {
        mount["options"] = json!(options);
    }
    mount
}

fn linux(rootless: bool) -> Value {
    let namespaces: &[&str] = match rootless {
        true => &["pid", "ipc", "uts", "mount", "cgroup", "user"],
        false => &["pid", "network", "ipc", "uts", "mount", "cgroup"],
    };
    let namespaces: Vec<Value> = namespaces.iter().map(|kind| json!({ "type": kind })).collect();
    let mut linux = json!({
        "namespaces": namespaces,
        "maskedPaths": [
            "/proc/acpi", "/proc/asound", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list",
            "/proc/timer_stats", "/proc/sched_debug", "/sys/firmware", "/proc/scsi"
        ],
        "readonlyPaths": ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"]
    });
    if rootless {
        let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
        linux["uidMappings"] = json!([{ "containerID": 0, "hostID": uid, "size": 1 }]);
        linux["gidMappings"] = json!([{ "containerID": 0, "hostID": gid, "size": 1 }]);
    } else {
        linux["resources"] = json!({ "devices": [{ "allow": false, "access": "rwm" }] });
    }
    linux
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_is_a_configuration() {
        for rootless in [false, true] {
            let text = example(rootless).to_string();
            let spec = crate::parse_config("config.json".as_ref(), text.as_bytes()).unwrap();
            let user = spec.linux().as_ref().unwrap().uid_mappings().is_some();
            assert_eq!(user, rootless);
        }
    }
}
