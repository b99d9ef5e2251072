//! A network namespace per test that stands for a host, and more of them for its neighbours.
#![allow(unsafe_code, dead_code)]

use std::fs::File;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::path::{Path, PathBuf};
use std::process::Command;

use network::{Config, Network};
use plan::InstanceId;
use rustix::thread::{LinkNameSpaceType, UnshareFlags, move_into_link_name_space, unshare_unsafe};

/// A network namespace; it goes away with the descriptor.
pub(crate) struct Namespace(File);

impl Namespace {
    pub(crate) fn new() -> Self {
        let made = std::thread::spawn(|| {
            // SAFETY: a fresh thread gets a network namespace of its own; descriptors and memory stay shared.
            unsafe { unshare_unsafe(UnshareFlags::NEWNET) }.expect("these tests need root");
            File::open("/proc/thread-self/ns/net").unwrap()
        });
        Self(made.join().unwrap())
    }

    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }

    /// Runs a function inside.
    pub(crate) fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        std::thread::scope(|scope| {
            let thread = scope.spawn(|| {
                move_into_link_name_space(self.0.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
                work()
            });
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    /// Runs a command line inside and returns what it prints.
    pub(crate) fn sh(&self, line: &str) -> String {
        self.run(|| sh(line))
    }
}

/// Runs a command line in the thread's namespace; it must succeed.
pub(crate) fn sh(line: &str) -> String {
    let output = Command::new("sh").args(["-c", line]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{line}: {text}{}", String::from_utf8_lossy(&output.stderr));
    text
}

/// A host with a run directory.
pub(crate) struct Host {
    pub(crate) namespace: Namespace,
    pub(crate) run_dir: tempfile::TempDir,
}

impl Host {
    pub(crate) fn new() -> Self {
        let namespace = Namespace::new();
        namespace.sh("ip link set lo up");
        Self { namespace, run_dir: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn network(&self) -> Network {
        self.network_with(Config::default())
    }

    pub(crate) fn network_with(&self, config: Config) -> Network {
        Network::open(self.run_dir.path(), config).unwrap()
    }

    pub(crate) fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        self.namespace.run(work)
    }

    pub(crate) fn sh(&self, line: &str) -> String {
        self.namespace.sh(line)
    }

    /// Another host on a network of its own with this one: we are 192.0.2.1, it is 192.0.2.2 and routes everything to us.
    pub(crate) fn neighbour(&self) -> Namespace {
        let other = Namespace::new();
        let path = format!("/proc/{}/fd/{}", std::process::id(), std::os::fd::AsRawFd::as_raw_fd(&other.fd()));
        self.sh(&format!(
            "ip link add up0 type veth peer name up0 netns {path} && ip addr add 192.0.2.1/24 dev up0 && ip link set up0 up"
        ));
        other.sh("ip link set lo up; ip addr add 192.0.2.2/24 dev up0; ip link set up0 up; ip route add default via 192.0.2.1");
        other
    }

    /// Everything that the network could leave behind, as text.
    pub(crate) fn traces(&self) -> String {
        let mut text =
            self.sh("ip -o link | sed 's/^[0-9]*: //' | grep -v coracle0 || true; ip -o route | sed 's/ linkdown//'; nft list ruleset");
        for part in ["leases", "addresses", "ports"] {
            let mut names = names(&self.run_dir.path().join("network").join(part));
            names.sort();
            text.push_str(&names.join("\n"));
        }
        text
    }
}

pub(crate) fn names(directory: &Path) -> Vec<String> {
    std::fs::read_dir(directory)
        .into_iter()
        .flatten()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

pub(crate) fn lease_files(host: &Host) -> PathBuf {
    host.run_dir.path().join("network/leases")
}

/// An instance's identity made from a number.
pub(crate) fn id(number: u8) -> InstanceId {
    InstanceId::from_bytes([number; 32])
}
