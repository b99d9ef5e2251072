//! /proc/sys: settings of the kernel. Those that would change nothing here can be read only.

use alloc::format;
use alloc::string::{String, ToString};

use linux_abi::Errno;

use super::{Node, Subject};
use crate::machine::machine;

/// What uname(2) calls the release.
pub(super) const RELEASE: &str = "6.1.0-coracle";
/// What uname(2) calls the version.
pub(super) const VERSION: &str = concat!("#1 Coracle ", env!("CARGO_PKG_VERSION"));

macro_rules! constant {
    ($value:expr) => {
        Node::Text(|_| Ok(concat!($value, "\n").into()))
    };
}

pub(super) const ROOT: Node = Node::Fixed(&[
    (
        "fs",
        Node::Fixed(&[
            ("file-max", constant!("9223372036854775807")),
            ("file-nr", Node::Text(file_nr)),
            ("nr_open", Node::Text(|_| Ok(format!("{}\n", crate::vfs::NR_OPEN)))),
            ("pipe-max-size", Node::Text(|_| Ok(format!("{}\n", crate::vfs::pipe::MAX_CAPACITY)))),
            (
                "inotify",
                Node::Fixed(&[
                    ("max_queued_events", constant!("16384")),
                    ("max_user_instances", constant!("128")),
                    ("max_user_watches", constant!("65536")),
                ]),
            ),
            ("epoll", Node::Fixed(&[("max_user_watches", constant!("3637248"))])),
            ("mqueue", Node::Fixed(&[("msg_max", constant!("10"))])),
        ]),
    ),
    (
        "kernel",
        Node::Fixed(&[
            ("cap_last_cap", constant!("40")),
            ("core_pattern", constant!("core")),
            ("domainname", constant!("(none)")),
            ("hostname", Node::Text(hostname)),
            ("ngroups_max", constant!("65536")),
            ("osrelease", Node::Text(|_| Ok(format!("{RELEASE}\n")))),
            ("ostype", constant!("Linux")),
            ("overflowgid", constant!("65534")),
            ("overflowuid", constant!("65534")),
            ("pid_max", constant!("4194304")),
            (
                "random",
                Node::Fixed(&[
                    ("boot_id", Node::Text(boot_id)),
                    ("entropy_avail", constant!("256")),
                    ("poolsize", constant!("256")),
                    ("uuid", Node::Text(|_| Ok(uuid()))),
                ]),
            ),
            ("randomize_va_space", constant!("2")),
            ("sched_rt_period_us", constant!("1000000")),
            ("sched_rt_runtime_us", constant!("950000")),
            ("seccomp", Node::Fixed(&[("actions_avail", constant!(""))])),
            ("sem", constant!("32000\t1024000000\t500\t32000")),
            ("shmall", constant!("18446744073692774399")),
            ("shmmax", constant!("18446744073692774399")),
            ("shmmni", constant!("4096")),
            ("tainted", constant!("0")),
            ("threads-max", constant!("126000")),
            ("version", Node::Text(|_| Ok(format!("{VERSION}\n")))),
            ("yama", Node::Fixed(&[("ptrace_scope", constant!("1"))])),
        ]),
    ),
    (
        "net",
        Node::Fixed(&[
            (
                "core",
                Node::Fixed(&[
                    ("somaxconn", constant!("4096")),
                    ("rmem_default", constant!("212992")),
                    ("rmem_max", constant!("212992")),
                    ("wmem_default", constant!("212992")),
                    ("wmem_max", constant!("212992")),
                ]),
            ),
            (
                "ipv4",
                Node::Fixed(&[
                    ("ip_local_port_range", constant!("32768\t60999")),
                    ("ip_forward", constant!("0")),
                    ("ip_nonlocal_bind", constant!("0")),
                    ("ip_unprivileged_port_start", constant!("1024")),
                    ("tcp_fin_timeout", constant!("60")),
                    ("tcp_keepalive_intvl", constant!("75")),
                    ("tcp_keepalive_probes", constant!("9")),
                    ("tcp_keepalive_time", constant!("7200")),
                    ("tcp_max_syn_backlog", constant!("512")),
                    ("tcp_rmem", constant!("4096\t131072\t6291456")),
                    ("tcp_wmem", constant!("4096\t16384\t4194304")),
                    ("tcp_syncookies", constant!("1")),
                ]),
            ),
            (
                "ipv6",
                Node::Fixed(&[("conf", Node::Fixed(&[("all", Node::Fixed(&[("disable_ipv6", constant!("1"))]))]))]),
            ),
            ("unix", Node::Fixed(&[("max_dgram_qlen", constant!("512"))])),
        ]),
    ),
    (
        "vm",
        Node::Fixed(&[
            ("max_map_count", constant!("65530")),
            ("mmap_min_addr", constant!("65536")),
            ("nr_hugepages", constant!("0")),
            ("overcommit_memory", constant!("1")),
            ("overcommit_ratio", constant!("50")),
            ("swappiness", constant!("60")),
        ]),
    ),
]);

fn hostname(_: &Subject) -> Result<String, Errno> {
    Ok(format!("{}\n", machine().boot_info().hostname))
}

fn file_nr(_: &Subject) -> Result<String, Errno> {
    let open = crate::task::current().process.files.open_in(0, u32::MAX).len();
    Ok(format!("{open}\t0\t9223372036854775807\n"))
}

/// A random UUID (version 4).
fn uuid() -> String {
    let mut bytes = [0; 16];
    machine().random(&mut bytes);
    format_uuid(bytes)
}

fn format_uuid(mut bytes: [u8; 16]) -> String {
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex = |part: &[u8]| part.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let parts = [&bytes[..4], &bytes[4..6], &bytes[6..8], &bytes[8..10], &bytes[10..]];
    let mut text = parts.map(hex).join("-");
    text.push('\n');
    text
}

/// The same as long as the instance runs.
fn boot_id(_: &Subject) -> Result<String, Errno> {
    static ID: crate::sync::Once<[u8; 16]> = crate::sync::Once::new();
    if ID.try_get().is_none() {
        let mut bytes = [0; 16];
        machine().random(&mut bytes);
        ID.set(bytes);
    }
    Ok(ID.try_get().map_or_else(|| "\n".to_string(), |bytes| format_uuid(*bytes)))
}
