//! Measures what the network adds to a start: medians of lease, connect, publish and release, in a namespace of its own.
#![allow(unsafe_code)]

use std::fs::File;
use std::os::fd::AsFd as _;
use std::time::{Duration, Instant};

use network::{Config, Network, TapOptions};
use plan::InstanceId;
use rustix::thread::{UnshareFlags, unshare_unsafe};

const ROUNDS: usize = 50;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    new_namespace()?;
    let directory = std::env::temp_dir().join(format!("network-start-cost-{}", std::process::id()));
    let network = Network::open(&directory, Config::default())?;
    let clock = Instant::now();
    network.lease(&id(0), "first")?;
    println!("{:>24} {:>6} us", "first lease with bridge", clock.elapsed().as_micros());
    let mut times: Vec<Vec<u128>> = vec![Vec::new(); 7];
    // Kept to the end: the kernel's removal of a namespace would hold up the next round.
    let mut namespaces = Vec::new();
    for round in 1..=ROUNDS {
        let namespace = std::thread::spawn(|| new_namespace().and_then(|()| File::open("/proc/thread-self/ns/net")));
        let namespace = namespace.join().map_err(|_| "no namespace")??;
        let id = id(round as u8);
        let mut clock = Instant::now();
        let mut lap = |step: usize| {
            times[step].push(clock.elapsed().as_micros());
            clock = Instant::now();
        };
        let lease = network.lease(&id, "measured")?;
        lap(0);
        network.connect_veth(&lease, namespace.as_fd())?;
        lap(1);
        network.publish(&lease, &["8080:80".parse()?])?;
        lap(2);
        network.release(&id)?;
        lap(3);
        let lease = network.lease(&id, "measured")?;
        network.publish(&lease, &["8080:80".parse()?])?;
        lap(6);
        network.release_after_exit(&id)?;
        lap(5);
        let lease = network.lease(&id, "measured")?;
        lap(6);
        let tap = network.open_tap(&lease, TapOptions { vnet_hdr: true, offload: true, nonblocking: true })?;
        lap(4);
        drop(tap);
        network.release(&id)?;
        namespaces.push(namespace);
        // The kernel's own follow-up work on deleted interfaces is not part of the next start.
        std::thread::sleep(Duration::from_millis(30));
    }
    for (step, times) in
        ["lease", "connect_veth", "publish", "release", "open_tap", "release_after_exit"].iter().zip(&mut times)
    {
        times.sort_unstable();
        println!("{step:>24} {:>6} us", times[ROUNDS / 2]);
    }
    std::fs::remove_dir_all(directory)?;
    Ok(())
}

fn id(number: u8) -> InstanceId {
    InstanceId::from_bytes([number; 32])
}

fn new_namespace() -> std::io::Result<()> {
    // SAFETY: only the network namespace of this thread changes; descriptors and memory stay shared.
    Ok(unsafe { unshare_unsafe(UnshareFlags::NEWNET) }?)
}
