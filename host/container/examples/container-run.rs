//! Runs one container from a plan in JSON: the smallest possible supervisor, single-threaded as `create` demands. The tests
//! and the benchmark drive it.
//!
//! `container-run PLAN.json`: runs it, prints `pid N` on descriptor 3 if that is open, exits with the program's status.
//! `container-run PLAN.json exec PID`: runs the plan's program in the running container.
//! `container-run PLAN.json repeat N`: prints the median time of N runs.

use std::error::Error;
use std::os::fd::{AsFd, OwnedFd};
use std::process::ExitCode;
use std::time::Instant;

use container::plan_api::{EtcFiles, Target};
use plan::{ExitStatus, LaunchPlan, Stdio};
use rustix::process::{Pid, PidfdFlags};

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().collect();
    let result = match args.get(1..).unwrap_or_default() {
        [plan] => load(plan).and_then(|plan| run(&plan)),
        [plan, what, pid] if what == "exec" => load(plan).and_then(|plan| exec(&plan, pid)),
        [plan, what, count] if what == "repeat" => load(plan).and_then(|plan| repeat(&plan, count)),
        _ => Err("usage: container-run PLAN.json [exec PID | repeat N]".into()),
    };
    match result {
        Ok(status) => ExitCode::from(status.code()),
        Err(error) => {
            let class = error.downcast_ref::<container::Error>().map_or(125, |error| error.class().exit_code());
            eprint!("container-run: {error}");
            let mut source = error.source();
            while let Some(error) = source {
                eprint!(": {error}");
                source = error.source();
            }
            eprintln!();
            ExitCode::from(class)
        }
    }
}

fn load(path: &str) -> Result<LaunchPlan, Box<dyn Error>> {
    Ok(serde_json::from_slice(&std::fs::read(path)?)?)
}

fn stdio() -> Result<Stdio, Box<dyn Error>> {
    let copy = |fd: std::os::fd::BorrowedFd<'_>| -> Result<OwnedFd, std::io::Error> { fd.try_clone_to_owned() };
    Ok(Stdio {
        stdin: copy(std::io::stdin().as_fd())?,
        stdout: copy(std::io::stdout().as_fd())?,
        stderr: copy(std::io::stderr().as_fd())?,
    })
}

/// Files of the state directory that are bound over the image's, if they exist.
fn etc(plan: &LaunchPlan) -> EtcFiles {
    let file = |name: &str| Some(plan.state_dir.join(name)).filter(|path| path.exists());
    EtcFiles { hosts: file("hosts"), hostname: file("hostname"), resolv_conf: file("resolv.conf") }
}

fn run(plan: &LaunchPlan) -> Result<ExitStatus, Box<dyn Error>> {
    let created = container::plan_api::create(plan, stdio()?, &etc(plan))?;
    let mut running = created.start()?;
    if plan.state_dir.join("want-pid").exists() {
        std::fs::write(plan.state_dir.join("pid.new"), running.pid().to_string())?;
        std::fs::rename(plan.state_dir.join("pid.new"), plan.state_dir.join("pid"))?;
    }
    let status = running.wait()?;
    container::plan_api::destroy(&plan.id)?;
    Ok(status)
}

fn exec(plan: &LaunchPlan, pid: &str) -> Result<ExitStatus, Box<dyn Error>> {
    let pid: i32 = pid.parse()?;
    let pidfd = rustix::process::pidfd_open(Pid::from_raw(pid).ok_or("not a process")?, PidfdFlags::empty())?;
    let target = Target { id: &plan.id, pid, pidfd: pidfd.as_fd() };
    Ok(container::plan_api::exec(&target, &plan.process, stdio()?)?.wait()?)
}

fn repeat(plan: &LaunchPlan, count: &str) -> Result<ExitStatus, Box<dyn Error>> {
    let mut times = Vec::new();
    for _ in 0..count.parse()? {
        let start = Instant::now();
        let created = container::plan_api::create(plan, stdio()?, &etc(plan))?;
        let after_create = start.elapsed();
        let mut running = created.start()?;
        let after_start = start.elapsed();
        running.wait()?;
        let after_wait = start.elapsed();
        container::plan_api::destroy(&plan.id)?;
        times.push((start.elapsed(), after_create, after_start, after_wait));
    }
    times.sort();
    let (total, create, start, wait) = times.get(times.len() / 2).ok_or("no runs")?;
    println!("median: create {create:?}, started {start:?}, ended {wait:?}, destroyed {total:?}");
    Ok(ExitStatus::Exited(0))
}
