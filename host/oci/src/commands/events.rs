use std::os::fd::AsFd;
use std::time::Instant;

use cgroup::{Group, OomNotifier};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use serde_json::json;

use crate::args::EventsArgs;
use crate::commands::{Context, groups, print};
use crate::error::Error;
use crate::state::{Process, Status};

/// Prints statistics, in runc's form, every interval until the container ends, and a line whenever the kernel killed one of
/// its processes for want of memory.
pub(crate) fn events(context: &Context, args: &EventsArgs) -> Result<(), Error> {
    let entry = context.root.open(&args.id)?;
    let record = entry.record()?;
    let (status, process) = entry.status(Some(&record))?;
    let Some(process) = process.filter(|_| status != Status::Stopped) else {
        return Err(Error::NotRunning(args.id.to_string()));
    };
    let group = groups::required(&record, "events")?;
    if args.stats {
        return print_stats(args, &group);
    }
    // Without a memory controller there is nothing to be told.
    let mut notifier = group.oom_notifier().ok();
    let mut next = Instant::now() + args.interval;
    loop {
        match wait(&process, notifier.as_ref(), next)? {
            Woken::Ended => return Ok(()),
            Woken::OutOfMemory => {
                if let Some(notifier) = &mut notifier
                    && notifier.take()? > 0
                {
                    print(&json!({ "type": "oom", "id": args.id.as_str() }).to_string())?;
                }
            }
            Woken::Time => {
                print_stats(args, &group)?;
                next += args.interval;
            }
        }
    }
}

enum Woken {
    Ended,
    OutOfMemory,
    Time,
}

fn wait(process: &Process, notifier: Option<&OomNotifier>, until: Instant) -> Result<Woken, Error> {
    let mut fds = vec![PollFd::from_borrowed_fd(process.pidfd(), PollFlags::IN)];
    fds.extend(notifier.map(|notifier| PollFd::from_borrowed_fd(notifier.as_fd(), PollFlags::IN)));
    loop {
        let left = until.saturating_duration_since(Instant::now());
        let timeout = Timespec { tv_sec: left.as_secs().cast_signed(), tv_nsec: left.subsec_nanos().into() };
        match poll(&mut fds, Some(&timeout)) {
            Ok(0) => return Ok(Woken::Time),
            Ok(_) if !fds[0].revents().is_empty() => return Ok(Woken::Ended),
            Ok(_) => return Ok(Woken::OutOfMemory),
            Err(Errno::INTR) => {}
            Err(error) => return Err(Error::system("wait for events")(error)),
        }
    }
}

fn print_stats(args: &EventsArgs, group: &Group) -> Result<(), Error> {
    print(&json!({ "type": "stats", "id": args.id.as_str(), "data": group.stats() }).to_string())
}
