//! The top of /proc.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;

use linux_abi::Errno;

use super::{Changing, Node, Subject, mounts, net, process, sysctl, system};
use crate::task::current;
use crate::vfs::Kind;

pub(super) const ROOT: Node = Node::Changing(
    &Processes,
    &[
        ("self", Node::Link(own)),
        ("thread-self", Node::Link(own_thread)),
        ("cgroups", Node::Text(system::cgroups)),
        ("cmdline", Node::Text(system::cmdline)),
        ("cpuinfo", Node::Text(system::cpuinfo)),
        ("devices", Node::Text(system::devices)),
        ("filesystems", Node::Text(system::filesystems)),
        ("loadavg", Node::Text(system::loadavg)),
        ("meminfo", Node::Text(system::meminfo)),
        ("mounts", Node::Link(|_| Ok(b"self/mounts".to_vec()))),
        ("net", Node::Link(|_| Ok(b"self/net".to_vec()))),
        ("partitions", Node::Text(system::partitions)),
        ("stat", Node::Text(system::stat)),
        ("swaps", Node::Text(system::swaps)),
        ("sys", sysctl::ROOT),
        ("uptime", Node::Text(system::uptime)),
        ("version", Node::Text(system::version)),
        ("vmstat", Node::Text(system::vmstat)),
    ],
);

fn own(_: &Subject) -> Result<Vec<u8>, Errno> {
    Ok(current().process.pid.to_string().into_bytes())
}

fn own_thread(_: &Subject) -> Result<Vec<u8>, Errno> {
    let thread = current();
    Ok(format!("{}/task/{}", thread.process.pid, thread.tid).into_bytes())
}

struct Processes;

impl Changing for Processes {
    fn find(&self, _: &Subject, name: &str) -> Option<(Subject, Node)> {
        let process = current().process.clone();
        // The ids of threads lead to their process too, though they are not listed (proc(5)).
        let id: u32 = name.parse().ok()?;
        let known = id == process.pid || process.threads.lock().contains_key(&id);
        known.then(|| (Subject { process: Some(process), ..Subject::default() }, PROCESS))
    }

    fn names(&self, _: &Subject) -> Vec<(String, Kind)> {
        vec![(current().process.pid.to_string(), Kind::Directory)]
    }
}

const TASKS: Node = Node::Changing(&Threads, &[]);

/// What the directories of a process and of a thread have in common.
macro_rules! common {
    ($($more:expr),* $(,)?) => { &[
        ("auxv", Node::Private(process::auxv)),
        ("cgroup", Node::Text(|_| Ok("0::/\n".into()))),
        ("cmdline", Node::Bytes(process::cmdline)),
        ("comm", Node::Setting(process::comm, process::set_comm)),
        ("cwd", Node::Object(process::cwd, process::cwd_path)),
        ("environ", Node::Private(process::environ)),
        ("exe", Node::Object(process::exe, process::exe_path)),
        ("fd", super::descriptors::LINKS),
        ("fdinfo", super::descriptors::DETAILS),
        ("gid_map", Node::Text(process::id_map)),
        ("io", Node::Text(process::io)),
        ("limits", Node::Text(process::limits)),
        ("loginuid", Node::Text(|_| Ok("4294967295".into()))),
        ("maps", Node::Bytes(process::maps)),
        ("mountinfo", Node::Text(mounts::mountinfo)),
        ("mounts", Node::Text(mounts::mounts)),
        ("net", net::ROOT),
        ("oom_adj", Node::Setting(|_| Ok("0\n".into()), |_, _| Ok(()))),
        ("oom_score", Node::Text(|_| Ok("0\n".into()))),
        ("oom_score_adj", Node::Setting(process::oom_score_adj, process::set_oom_score_adj)),
        ("personality", Node::Text(|_| Ok("00000000\n".into()))),
        ("root", Node::Object(process::root, |_| Ok(b"/".to_vec()))),
        ("schedstat", Node::Text(process::schedstat)),
        ("setgroups", Node::Text(|_| Ok("allow\n".into()))),
        ("smaps", Node::Bytes(process::smaps)),
        ("stat", Node::Text(process::stat)),
        ("statm", Node::Text(process::statm)),
        ("status", Node::Text(process::status)),
        ("uid_map", Node::Text(process::id_map)),
        ("wchan", Node::Text(|_| Ok("0".into()))),
        $($more),*
    ] };
}

const PROCESS: Node = Node::Fixed(common!(("task", TASKS)));
const THREAD: Node = Node::Fixed(common!());

struct Threads;

impl Changing for Threads {
    fn find(&self, subject: &Subject, name: &str) -> Option<(Subject, Node)> {
        let thread = subject.process.as_ref()?.threads.lock().get(&name.parse().ok()?).cloned()?;
        Some((Subject { thread: Some(thread), ..subject.clone() }, THREAD))
    }

    fn names(&self, subject: &Subject) -> Vec<(String, Kind)> {
        let Some(process) = &subject.process else { return Vec::new() };
        process.threads.lock().keys().map(|tid| (tid.to_string(), Kind::Directory)).collect()
    }
}
