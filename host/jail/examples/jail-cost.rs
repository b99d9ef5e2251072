//! Prints what an empty container costs: the median time from `spawn` to the end of a static `true`.

use std::fs::File;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use rustix::process::{WaitId, WaitIdOptions};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let program = File::open("/bin/busybox")?;
    let mut times = (0..101).map(|_| once(&program)).collect::<Result<Vec<_>, _>>()?;
    times.sort();
    println!("spawn {:?}, until reaped {:?} (medians of {})", times[50].0, times[50].1, times.len());
    let start = Instant::now();
    let filter = jail::seccomp::container_default()?;
    println!("default filter: {} instructions, built in {:?}", filter.len(), start.elapsed());
    Ok(())
}

fn once(program: &File) -> Result<(Duration, Duration), Box<dyn std::error::Error>> {
    let start = Instant::now();
    let spawned = jail::EmptyContainer {
        program: program.as_fd(),
        args: vec![c"true".to_owned()],
        env: vec![],
        fds: &[],
        volumes: &[],
        uid: 65_534,
        gid: 65_534,
        rlimits: &[],
        attach: jail::Attach::default(),
        seccomp: None,
    }
    .spawn()?;
    let running = start.elapsed();
    rustix::process::waitid(WaitId::PidFd(spawned.pidfd.as_fd()), WaitIdOptions::EXITED)?;
    Ok((running, start.elapsed()))
}
