//! From the start message to a running program.

use agent_proto::{Start, VERSION};
use rustix::time::{ClockId, Timespec};

use crate::error::Error;
use crate::modules::{self, Modules};
use crate::session::Running;
use crate::streams::Streams;
use crate::{network, process, reaper, root};

/// Sets everything up in an order in which each step has what it needs, and starts the program.
pub(crate) fn start(start: &Start, modules: &Modules) -> Result<Running, Error> {
    if start.version != VERSION {
        return Err(Error::Version { theirs: start.version, ours: VERSION });
    }
    set_clock(start.realtime_ns)?;
    rustix::system::sethostname(start.hostname.as_bytes()).map_err(Error::system("setting the host name"))?;
    if start.network.is_some() {
        modules.load(modules::NETWORK)?;
    }
    if !start.volumes.is_empty() {
        modules.load(modules::VOLUMES)?;
    }
    network::configure(start.network.as_ref())?;
    let cgroup = start.pids.map(process::limit_processes).transpose()?;
    root::enter(start)?;
    let (streams, child_streams) = Streams::open(&start.program)?;
    let main = process::spawn(&start.program, child_streams, cgroup)?;
    let exits = reaper::start(main)?;
    let writable_volumes = start.volumes.iter().any(|volume| !volume.read_only);
    Ok(Running { main, streams, exits, writable_volumes })
}

fn set_clock(realtime_ns: u64) -> Result<(), Error> {
    const NANOSECONDS: u64 = 1_000_000_000;
    let time =
        Timespec { tv_sec: (realtime_ns / NANOSECONDS).cast_signed(), tv_nsec: (realtime_ns % NANOSECONDS) as i64 };
    rustix::time::clock_settime(ClockId::Realtime, time).map_err(Error::system("setting the clock"))
}
