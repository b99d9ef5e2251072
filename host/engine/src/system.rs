//! What this machine can do, and what was left behind on it.

use std::collections::HashSet;
use std::fs;

use plan::InstanceId;
use serde::Serialize;

use crate::instance::Health;
use crate::{Engine, Error, launch};

/// One thing that the machine can or cannot do.
#[derive(Debug, Clone, Serialize)]
pub struct Capability {
    /// What.
    pub name: &'static str,
    /// Whether it can.
    pub available: bool,
    /// Why, or what is lost without it.
    pub detail: String,
}

/// What this machine can do, and why.
#[derive(Debug, Clone, Serialize)]
pub struct SystemInfo {
    /// The engine's version.
    pub version: &'static str,
    /// The host kernel's release.
    pub kernel: String,
    /// The processors that the engine may use.
    pub cpus: usize,
    /// The memory of the machine in bytes.
    pub memory: u64,
    /// Where the engine keeps its state.
    pub root: String,
    /// How control groups are set up.
    pub cgroup: String,
    /// What microVMs run on, and why.
    pub hypervisor: String,
    /// Features, one by one.
    pub capabilities: Vec<Capability>,
}

/// Something that belongs to no instance.
#[derive(Debug, Clone, Serialize)]
pub struct Finding {
    /// What it is ("control group", "address", …).
    pub kind: &'static str,
    /// Which one.
    pub what: String,
    /// Whether it was cleaned up.
    pub fixed: bool,
}

impl Engine {
    /// Looks at the machine.
    pub fn system_info(&self) -> SystemInfo {
        let uname = rustix::system::uname();
        let hypervisor = microvm::hypervisor();
        SystemInfo {
            version: env!("CARGO_PKG_VERSION"),
            kernel: uname.release().to_string_lossy().into_owned(),
            cpus: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            memory: memory_total(),
            root: self.paths.root().display().to_string(),
            cgroup: cgroups(),
            hypervisor: describe(&hypervisor),
            capabilities: self.capabilities(&hypervisor),
        }
    }

    fn capabilities(&self, hypervisor: &microvm::Hypervisor) -> Vec<Capability> {
        let path = |name, path: &str, missing: &str| {
            let available = fs::exists(path).unwrap_or(false);
            Capability { name, available, detail: if available { path.to_owned() } else { missing.to_owned() } }
        };
        let filesystem = |name: &'static str, missing: &str| {
            let available = fs::read_to_string("/proc/filesystems")
                .is_ok_and(|list| list.lines().any(|line| line.split_whitespace().last() == Some(name)));
            let detail = if available { "built into the kernel" } else { missing };
            Capability { name, available, detail: detail.to_owned() }
        };
        let root = rustix::process::geteuid().is_root();
        let kernel = microvm::kernel::locate(&self.paths.kernels());
        vec![
            Capability {
                name: "root",
                available: root,
                detail: if root { "running as root" } else { "every level needs root for now" }.to_owned(),
            },
            filesystem("erofs", "image root file systems cannot be mounted: containers do not start"),
            filesystem("overlay", "containers have no writable root file system: only --read-only"),
            path("user-namespaces", "/proc/self/ns/user", "the unikernel's empty container is weaker"),
            path("time-namespaces", "/proc/self/ns/time", "not used yet"),
            path(
                "seccomp",
                "/proc/sys/kernel/seccomp/actions_avail",
                "no level starts: the filters cannot be installed",
            ),
            path("tun", "/dev/net/tun", "unikernels and microVMs run only with --network none"),
            path("kvm", "/dev/kvm", "no such device; microVMs are emulated"),
            Capability {
                name: "hardware-virtualisation",
                available: hypervisor.kind == microvm::HypervisorKind::Kvm,
                detail: hypervisor.reason.clone(),
            },
            Capability {
                name: "unikernel",
                available: self.paths.unikernel().exists(),
                detail: self.paths.unikernel().display().to_string(),
            },
            Capability {
                name: "microvm-kernel",
                available: kernel.is_ok(),
                detail: kernel.map_or_else(|e| e.to_string(), |k| k.version),
            },
        ]
    }

    /// Finds what instances left behind; with `fix`, removes it. Instances themselves are kept: a dead one is only recorded
    /// as what it is.
    pub fn check(&self, fix: bool) -> Result<Vec<Finding>, Error> {
        let mut findings = Vec::new();
        self.check_instances(fix, &mut findings)?;
        let known: HashSet<InstanceId> = self.instances.ids().into_iter().collect();
        let live: HashSet<InstanceId> =
            self.instances.list().into_iter().filter(|i| i.health.is_alive()).map(|i| i.plan.id).collect();
        self.check_names(fix, &known, &mut findings);
        let unknown = cgroup::list()?.into_iter().filter(|id| !live.contains(id));
        for group in unknown.filter(is_abandoned) {
            if fix {
                cgroup::destroy(&group)?;
            }
            findings.push(Finding { kind: "control group", what: group.to_string(), fixed: fix });
        }
        let network = launch::open_network(&self.paths)?;
        let orphans = if fix { network.fix(&live)? } else { network.check(&live)? };
        findings.extend(orphans.iter().map(|o| Finding { kind: "network", what: o.to_string(), fixed: fix }));
        let images = self.images()?;
        let digests: Vec<String> = images.list()?.iter().map(|image| image.digest.to_string()).collect();
        for path in crate::rewrite::orphans(&self.paths, &digests) {
            if fix {
                fs::remove_file(&path).map_err(Error::file("removing", &path))?;
            }
            findings.push(Finding { kind: "call table", what: path.display().to_string(), fixed: fix });
        }
        for problem in images.check()? {
            let outcome = if fix { images.fix(&problem).map_err(|error| crate::chain(&error)) } else { Ok(()) };
            let why = outcome.as_ref().err().map_or_else(String::new, |why| format!(" (not mended: {why})"));
            let fixed = fix && outcome.is_ok();
            findings.push(Finding { kind: "image store", what: format!("{problem}{why}"), fixed });
        }
        Ok(findings)
    }

    fn check_instances(&self, fix: bool, findings: &mut Vec<Finding>) -> Result<(), Error> {
        for path in self.instances.half_removed() {
            if fix {
                fs::remove_dir_all(&path).map_err(Error::file("removing", &path))?;
            }
            findings.push(Finding { kind: "half-removed instance", what: path.display().to_string(), fixed: fix });
        }
        for id in self.instances.ids() {
            match self.instances.load(&id) {
                Ok(mut instance) if instance.health == Health::Dead => {
                    if fix {
                        self.record_end(&mut instance)?;
                    }
                    let what = format!("{} ({})", instance.plan.name, id.short());
                    findings.push(Finding { kind: "dead instance", what, fixed: fix });
                }
                Ok(_) => {}
                Err(_) => {
                    if fix {
                        self.instances.remove(&id, None)?;
                    }
                    findings.push(Finding { kind: "damaged instance", what: id.short().to_owned(), fixed: fix });
                }
            }
        }
        Ok(())
    }

    fn check_names(&self, fix: bool, known: &HashSet<InstanceId>, findings: &mut Vec<Finding>) {
        for (name, holder) in self.instances.names().all() {
            if holder.is_some_and(|id| known.contains(&id)) {
                continue;
            }
            if fix {
                self.instances.names().forget(&name);
            }
            findings.push(Finding { kind: "name", what: name, fixed: fix });
        }
    }
}

/// Groups are the whole machine's, and other state directories have instances of their own: only an empty group that is not
/// just being made belongs to nobody. (One with processes belongs to an instance that is known somewhere as running or dead.)
fn is_abandoned(id: &InstanceId) -> bool {
    let Ok(group) = cgroup::Cgroup::open(id) else { return false };
    let old = |path: &std::path::Path| {
        let changed = fs::metadata(path).and_then(|m| m.modified());
        changed.is_ok_and(|time| time.elapsed().is_ok_and(|age| age.as_secs() > 10))
    };
    group.processes().is_empty() && group.directories().all(|(_, path)| old(path))
}

/// The machine's memory in bytes; 0 if unknown.
pub(crate) fn memory_total() -> u64 {
    let info = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kib =
        info.lines().find_map(|line| line.strip_prefix("MemTotal:")?.split_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or(0) * 1024
}

fn cgroups() -> String {
    match cgroup::Layout::detect().map(|layout| layout.version()) {
        Ok(cgroup::Version::V1) => "version 1".to_owned(),
        Ok(cgroup::Version::V2) => "version 2".to_owned(),
        Ok(cgroup::Version::Hybrid) => "hybrid (controllers in version 1, processes in version 2)".to_owned(),
        Err(error) => crate::chain(&error),
    }
}

fn describe(hypervisor: &microvm::Hypervisor) -> String {
    format!("{}: {}", hypervisor.kind, hypervisor.reason)
}

impl Engine {
    /// The size of the guest kernel that microVMs boot, in bytes; 0 if none is installed.
    pub fn guest_kernel_bytes(&self) -> u64 {
        let kernel = microvm::kernel::locate(&self.paths.kernels());
        kernel.ok().and_then(|k| fs::metadata(k.vmlinux).ok()).map_or(0, |m| m.len())
    }
}
