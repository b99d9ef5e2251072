//! The mounts of a container, in the order in which they are made.

use std::path::Path;

use oci_spec::runtime::Mount;
use plan::options::{CgroupMode, IpcMode, MountKind, PidMode, Propagation, TmpfsOptions};
use plan::{LaunchPlan, NetworkMode, Volume};

use super::Surroundings;

/// The size of /dev/shm, as Docker's.
const SHM: u64 = 64 << 20;

pub(super) fn mounts(plan: &LaunchPlan, around: &Surroundings) -> Vec<Mount> {
    let mut all = system(plan, around);
    all.extend(around.etc.iter().map(|(host, guest)| {
        mount(guest, "bind", &host.to_string_lossy(), &["bind", "rprivate", "nosuid", "nodev", "noexec"])
    }));
    if let Some(init) = &around.init {
        all.push(mount(super::INIT, "bind", &init.to_string_lossy(), &["bind", "rprivate", "ro", "nosuid", "nodev"]));
    }
    if around.rootless {
        let devices = plan.options.devices.iter();
        all.extend(devices.map(|device| {
            let access = if device.access.contains('w') { "rw" } else { "ro" };
            let (host, guest) = (device.host.to_string_lossy(), device.guest.to_string_lossy());
            mount(&guest, "bind", &host, &["bind", "rprivate", "nosuid", "noexec", access])
        }));
    }
    let mut users: Vec<Mount> = plan.volumes.iter().map(|volume| shared(volume, plan)).collect();
    users.extend(plan.options.mounts.iter().map(own));
    // What lies deeper is mounted later, whatever the order of the flags.
    users.sort_by_key(|mount| mount.destination().components().count());
    // A user's mount replaces what every container has at the same place.
    all.retain(|usual| !users.iter().any(|own| own.destination() == usual.destination()));
    all.extend(users);
    all
}

/// /proc, /dev, /sys and what belongs below them.
fn system(plan: &LaunchPlan, around: &Surroundings) -> Vec<Mount> {
    let options = &plan.options;
    let privileged = options.security.privileged;
    let mode = if privileged { "rw" } else { "ro" };
    let proc = match (&options.pid, around.rootless) {
        // The host's processes cannot be shown by a new file system of a user namespace.
        (PidMode::Host, true) => mount("/proc", "bind", "/proc", &["rbind", "nosuid", "noexec", "nodev"]),
        _ => mount("/proc", "proc", "proc", &["nosuid", "noexec", "nodev"]),
    };
    let sys = match (&plan.network.mode, around.rootless) {
        // sysfs shows a network, and only its owner may mount it.
        (NetworkMode::Host, true) => mount("/sys", "bind", "/sys", &["rbind", "nosuid", "noexec", "nodev", "rro"]),
        _ => mount("/sys", "sysfs", "sysfs", &["nosuid", "noexec", "nodev", mode]),
    };
    let mut pts = vec!["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"];
    if !around.no_terminal_group {
        pts.push("gid=5");
    }
    let mut all = vec![
        proc,
        mount("/dev", "tmpfs", "tmpfs", &["nosuid", "strictatime", "mode=755", "size=65536k"]),
        mount("/dev/pts", "devpts", "devpts", &pts),
        sys,
    ];
    if options.cgroup == CgroupMode::Private || !around.rootless {
        all.push(mount("/sys/fs/cgroup", "cgroup", "cgroup", &[mode, "nosuid", "noexec", "nodev"]));
    }
    let flags = ["nosuid", "noexec", "nodev"];
    match (&options.ipc, &around.shm) {
        (IpcMode::Host, _) => {
            // It shows the queues of the namespace that mounts it.
            if !around.rootless {
                all.push(mount("/dev/mqueue", "mqueue", "mqueue", &flags));
            }
            all.push(mount("/dev/shm", "bind", "/dev/shm", &["rbind", "nosuid", "noexec", "nodev"]));
        }
        (IpcMode::Container(_), Some(theirs)) => {
            all.push(mount("/dev/mqueue", "mqueue", "mqueue", &flags));
            all.push(mount("/dev/shm", "bind", &theirs.to_string_lossy(), &["bind", "nosuid", "noexec", "nodev"]));
        }
        _ => {
            let size = format!("size={}", options.shm_size.unwrap_or(SHM));
            all.push(mount("/dev/mqueue", "mqueue", "mqueue", &flags));
            all.push(mount("/dev/shm", "tmpfs", "shm", &["nosuid", "noexec", "nodev", &size]));
        }
    }
    all
}

fn shared(volume: &Volume, plan: &LaunchPlan) -> Mount {
    let mut options = vec!["rbind", "rprivate"];
    if !plan.options.security.privileged {
        options.extend(["rnosuid", "rnodev"]);
    }
    if volume.read_only {
        options.push("rro");
    }
    mount(&volume.guest.to_string_lossy(), "bind", &volume.host.to_string_lossy(), &options)
}

fn own(own: &plan::options::Mount) -> Mount {
    let target = own.target.to_string_lossy();
    match &own.kind {
        MountKind::Bind(bind) => {
            let kind = if bind.non_recursive { "bind" } else { "rbind" };
            let mut options = vec![kind, bind.propagation.word(), "nosuid", "nodev"];
            if own.read_only {
                options.push(if bind.non_recursive { "ro" } else { "rro" });
            }
            mount(&target, "bind", &bind.source.to_string_lossy(), &options)
        }
        MountKind::Tmpfs(tmpfs) => memory(&target, tmpfs, own.read_only),
        // The request has made a volume of it.
        MountKind::Volume(name) => mount(&target, "bind", name, &["rbind", "rprivate"]),
    }
}

fn memory(target: &str, tmpfs: &TmpfsOptions, read_only: bool) -> Mount {
    let words = |word: &str| tmpfs.options.iter().any(|own| own == word);
    let mut options: Vec<String> = Vec::new();
    for (usual, opposite) in [("nosuid", "suid"), ("nodev", "dev"), ("noexec", "exec")] {
        if !words(opposite) && !words(usual) {
            options.push(usual.to_owned());
        }
    }
    options.extend(tmpfs.options.iter().cloned());
    options.push(format!("mode={:o}", tmpfs.mode.unwrap_or(0o1777)));
    options.extend(tmpfs.size.map(|size| format!("size={size}")));
    options.push(if read_only { "ro" } else { "rw" }.to_owned());
    let options: Vec<&str> = options.iter().map(String::as_str).collect();
    mount(target, "tmpfs", "tmpfs", &options)
}

fn mount(target: &str, kind: &str, source: &str, options: &[&str]) -> Mount {
    let mut mount = Mount::default();
    mount.set_destination(Path::new(target).to_owned());
    mount.set_typ(Some(kind.to_owned()));
    mount.set_source(Some(Path::new(source).to_owned()));
    mount.set_options(Some(options.iter().map(|option| (*option).to_owned()).collect()));
    mount
}

/// A mount that receives or sends events of propagation needs a root that lets them through.
pub(super) fn root_propagation(mounts: &[plan::options::Mount]) -> Option<&'static str> {
    let of = |mount: &plan::options::Mount| match &mount.kind {
        MountKind::Bind(bind) => bind.propagation,
        _ => Propagation::default(),
    };
    let any = |wanted: [Propagation; 2]| mounts.iter().any(|mount| wanted.contains(&of(mount)));
    if any([Propagation::Shared, Propagation::Rshared]) {
        Some("shared")
    } else if any([Propagation::Slave, Propagation::Rslave]) {
        Some("rslave")
    } else {
        None
    }
}
