//! One thing to measure: the application as a host process, or as an instance at one level.

use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::AsFd;
use std::process::{Child, Command, Stdio};
use std::str::FromStr;
use std::time::{Duration, Instant};

use engine::{Engine, LogOptions, RunOutcome, RunRequest, Streams};
use plan::Isolation;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use serde::{Serialize, Serializer};

use crate::{Error, processes, redis};

/// A column of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// A process of the host, without isolation (in a network namespace of its own, so that its port is free).
    Host,
    /// An instance.
    Isolated(Isolation),
}

impl Level {
    /// All, in the order of the table.
    pub const ALL: [Self; 4] = [
        Self::Host,
        Self::Isolated(Isolation::Container),
        Self::Isolated(Isolation::Unikernel),
        Self::Isolated(Isolation::Microvm),
    ];
}

impl std::fmt::Display for Level {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Host => f.pad("host"),
            Self::Isolated(isolation) => isolation.fmt(f),
        }
    }
}

impl Serialize for Level {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl FromStr for Level {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        match text {
            "host" => Ok(Self::Host),
            _ => text.parse().map(Self::Isolated).map_err(|_| Error::NoLevel(text.to_owned())),
        }
    }
}

/// A server that answers. It ends when this is dropped.
pub(crate) struct Subject<'a> {
    kind: Kind<'a>,
    /// Where it answers.
    pub(crate) address: SocketAddr,
    /// From the request to start until its first reply.
    pub(crate) first_reply: Duration,
}

enum Kind<'a> {
    Host(Child),
    Instance(&'a Engine, String),
}

/// A microVM under emulation boots in seconds, several times that on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(60);

impl<'a> Subject<'a> {
    /// Starts the server and waits for its first reply.
    pub(crate) fn start(engine: &'a Engine, level: Level, request: &RunRequest, port: u16) -> Result<Self, Error> {
        let begin = Instant::now();
        let mut subject = match level {
            Level::Host => Self::start_host(request, port)?,
            Level::Isolated(isolation) => Self::start_instance(engine, isolation, request, port)?,
        };
        while !subject.answers() {
            if begin.elapsed() > PATIENCE {
                let (level, log) = (level.to_string(), subject.last_words());
                return Err(Error::NoAnswer { level, seconds: PATIENCE.as_secs(), log });
            }
            std::thread::sleep(Duration::from_micros(200));
        }
        subject.first_reply = begin.elapsed();
        Ok(subject)
    }

    fn start_host(request: &RunRequest, port: u16) -> Result<Self, Error> {
        let script = "ip link set lo up && exec \"$@\"";
        let mut command = Command::new("unshare");
        command.args(["--net", "--", "sh", "-c", script, "sh"]).args(&request.command);
        let child = command.current_dir("/").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let child = child.map_err(|e| Error::System("starting the host process", e))?;
        let address = (Ipv4Addr::LOCALHOST, port).into();
        Ok(Self { kind: Kind::Host(child), address, first_reply: Duration::ZERO })
    }

    fn start_instance(
        engine: &'a Engine,
        isolation: Isolation,
        request: &RunRequest,
        port: u16,
    ) -> Result<Self, Error> {
        let request = RunRequest { isolation, auto_remove: false, ..request.clone() };
        let RunOutcome::Detached(id) = engine.run(&request, true, &Streams::default())? else {
            unreachable!("it was started detached")
        };
        let instance = engine.find(id.as_str())?;
        let address = instance.record.address.unwrap_or(Ipv4Addr::LOCALHOST);
        let kind = Kind::Instance(engine, id.to_string());
        Ok(Self { kind, address: (address, port).into(), first_reply: Duration::ZERO })
    }

    fn answers(&self) -> bool {
        match &self.kind {
            Kind::Instance(..) => redis::ping(self.address).unwrap_or(false),
            Kind::Host(child) => {
                in_network_of(child.id(), || redis::ping(self.address).unwrap_or(false)).unwrap_or(false)
            }
        }
    }

    /// The host processes that are the subject's.
    pub(crate) fn processes(&self) -> Vec<i32> {
        match &self.kind {
            Kind::Host(child) => processes::tree(child.id() as i32),
            Kind::Instance(engine, id) => {
                let Ok(instance) = engine.find(id) else { return Vec::new() };
                let mut pids: Vec<i32> = instance.record.pid().map(processes::tree).unwrap_or_default();
                pids.extend(instance.record.supervisor_pid());
                pids.sort_unstable();
                pids.dedup();
                pids
            }
        }
    }

    /// The process in whose network namespace the client must run.
    pub(crate) fn client_inside(&self) -> Option<i32> {
        match &self.kind {
            Kind::Host(child) => Some(child.id() as i32),
            Kind::Instance(..) => None,
        }
    }

    fn last_words(&self) -> String {
        let Kind::Instance(engine, id) = &self.kind else { return String::new() };
        let lines = engine.logs(id, LogOptions::default()).into_iter().flatten().flatten().map(|line| line.log);
        lines.last().map_or_else(String::new, |line| format!(": {}", line.trim()))
    }
}

impl Drop for Subject<'_> {
    fn drop(&mut self) {
        match &mut self.kind {
            Kind::Host(child) => {
                let _ = child.kill();
                let _ = child.wait();
            }
            Kind::Instance(engine, id) => {
                let _ = engine.remove(id, true);
            }
        }
    }
}

/// Does something in another process's network namespace. The calling thread must be the only one.
fn in_network_of<T>(pid: u32, action: impl FnOnce() -> T) -> std::io::Result<T> {
    let own = std::fs::File::open("/proc/self/ns/net")?;
    let other = std::fs::File::open(format!("/proc/{pid}/ns/net"))?;
    move_into_link_name_space(other.as_fd(), Some(LinkNameSpaceType::Network))?;
    let result = action();
    move_into_link_name_space(own.as_fd(), Some(LinkNameSpaceType::Network))?;
    Ok(result)
}
