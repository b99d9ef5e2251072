//! A plan as the boot information that the guest reads.

use std::fs::File;
use std::io::Write as _;
use std::os::fd::OwnedFd;

use boot_info::{BootInfo, Network, StrList};
use network::Attachment;
use plan::LaunchPlan;
use rustix::fs::{MemfdFlags, SealFlags};

use crate::error::Error;
use crate::start::Extra;

/// Strings, each ended by a zero byte. A string with a zero byte inside ends there, as in execve(2).
fn zero_ended<'a>(strings: impl IntoIterator<Item = &'a str>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for text in strings {
        bytes.extend(text.bytes().take_while(|b| *b != 0));
        bytes.push(0);
    }
    bytes
}

fn list(bytes: &[u8]) -> StrList<'_> {
    StrList::new(bytes).unwrap_or_default()
}

/// `is_dir` tells of each volume whether it is a directory.
fn volumes(plan: &LaunchPlan, is_dir: &[bool]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (volume, dir) in plan.volumes.iter().zip(is_dir) {
        let guest = volume.guest.to_string_lossy();
        let mode = if volume.read_only { "ro" } else { "rw" };
        bytes.extend(zero_ended([&*guest, mode, if *dir { "dir" } else { "file" }]));
    }
    bytes
}

/// How many CPUs the program sees: the quota rounded up, bounded by the set and by what the host has.
fn cpus(plan: &LaunchPlan) -> u32 {
    let available = std::thread::available_parallelism().map_or(1, |n| n.get() as u32);
    let quota = plan.resources.cpu_millis.map_or(available, |m| m.div_ceil(1000).max(1));
    let set = plan.resources.cpuset.as_deref().map_or(available, count_cpus);
    available.min(quota).min(set.max(1))
}

/// The number of CPUs in the list format of cpuset(7), for example `0-2,5`.
fn count_cpus(list: &str) -> u32 {
    let span = |part: &str| match part.split_once('-') {
        None => 1,
        Some((a, b)) => match (a.trim().parse::<u32>(), b.trim().parse::<u32>()) {
            (Ok(a), Ok(b)) if a <= b => b - a + 1,
            _ => 1,
        },
    };
    list.split(',').filter(|p| !p.trim().is_empty()).map(span).sum()
}

/// The encoded boot information.
pub(crate) fn encode(plan: &LaunchPlan, net: Option<&Attachment>, extra: &Extra, is_dir: &[bool]) -> Vec<u8> {
    let process = &plan.process;
    let args = zero_ended(process.args.iter().map(String::as_str));
    let env = zero_ended(process.env.iter().map(String::as_str));
    let volumes = volumes(plan, is_dir);
    let groups: Vec<u8> = process.user.additional_gids.iter().flat_map(|g| g.to_le_bytes()).collect();
    let info = BootInfo {
        args: list(&args),
        env: list(&env),
        cwd: &process.cwd,
        hostname: &plan.hostname,
        etc_hosts: &extra.etc_hosts,
        resolv_conf: &extra.resolv_conf,
        volumes: list(&volumes),
        memory_limit: plan.resources.memory.unwrap_or(0),
        cpus: cpus(plan),
        max_threads: plan.resources.pids.unwrap_or(0),
        uid: process.user.uid,
        gid: process.user.gid,
        groups: &groups,
        read_only: plan.rootfs.read_only,
        terminal: process.terminal,
        trace: plan.trace_syscalls,
        network: net.map(|n| Network {
            mac: n.mac.0,
            address: n.address.octets(),
            prefix: n.prefix,
            gateway: n.gateway.octets(),
            mtu: u16::try_from(n.mtu).unwrap_or(u16::MAX),
        }),
    };
    let mut bytes = Vec::new();
    info.encode(&mut |part| bytes.extend_from_slice(part));
    bytes
}

/// A sealed memory file with these bytes: the guest can map it and nobody can change it.
pub(crate) fn sealed(bytes: &[u8]) -> Result<OwnedFd, Error> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let fd = rustix::fs::memfd_create("coracle-boot", flags).map_err(|e| Error::BootInfo(e.into()))?;
    let mut file = File::from(fd);
    file.write_all(bytes).map_err(Error::BootInfo)?;
    let seals = SealFlags::WRITE | SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL;
    rustix::fs::fcntl_add_seals(&file, seals).map_err(|e| Error::BootInfo(e.into()))?;
    Ok(file.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_lists_are_counted() {
        for (list, count) in [("0", 1), ("0-3", 4), ("0-2,5", 4), (" 1 , 3-4", 3), ("", 0), ("3-1", 1)] {
            assert_eq!(count_cpus(list), count, "{list}");
        }
    }

    #[test]
    fn strings_cannot_smuggle_a_zero() {
        assert_eq!(zero_ended(["a\0b", "c"]), b"a\0c\0");
        assert_eq!(list(&zero_ended([])).count(), 0);
    }

    #[test]
    fn the_memory_file_cannot_be_changed() {
        let fd = sealed(b"words").unwrap();
        assert!(rustix::io::pwrite(&fd, b"x", 0).is_err());
        assert!(rustix::fs::ftruncate(&fd, 100).is_err());
    }
}
