use std::time::Duration;

use engine::{Engine, LogOptions, RunOutcome, RunRequest, Streams};

use crate::redis::{Load, benchmark};
use crate::subject::{Level, Subject};
use crate::{Error, Metric, Report, processes};

/// What to compare, and how.
#[derive(Debug, Clone)]
pub struct Options {
    /// What to run at each level; its `isolation` is ignored.
    pub request: RunRequest,
    /// The levels, in the order of the columns.
    pub levels: Vec<Level>,
    /// How often each is measured.
    pub rounds: u32,
    /// Requests of each measurement.
    pub requests: u32,
    /// Connections of the client.
    pub connections: u32,
    /// The server's port.
    pub port: u16,
}

/// Measures; `progress` is told what is being done.
///
/// A level that cannot run here is left out of the table, with its reason in the report.
pub fn run(engine: &Engine, options: &Options, mut progress: impl FnMut(&str)) -> Result<Report, Error> {
    let mut report = Report::new(options);
    let mut levels = options.levels.clone();
    for round in 1..=options.rounds {
        levels.retain(|level| {
            progress(&format!("round {round} of {}: {level}", options.rounds));
            match measure(engine, *level, options, &mut report) {
                Ok(()) => true,
                Err(error) => {
                    report.fail(*level, engine::chain(&error));
                    false
                }
            }
        });
    }
    Ok(report)
}

fn measure(engine: &Engine, level: Level, options: &Options, report: &mut Report) -> Result<(), Error> {
    report.add(level, Metric::NullCallNs, null_call(engine, level, options)?);
    let subject = Subject::start(engine, level, &options.request, options.port)?;
    report.add(level, Metric::FirstReplyMs, subject.first_reply.as_secs_f64() * 1e3);
    report.add(level, Metric::DiskMib, disk(engine, level));
    // A server that has just answered is not idle yet: it frees what its start needed, and so does its supervisor, after a
    // second in which nothing happened.
    std::thread::sleep(Duration::from_millis(1500));
    report.add(level, Metric::IdlePssMib, processes::pss(&subject.processes()) as f64 / f64::from(1 << 20));
    for (test, pipeline, rps, cpu) in [
        ("set", 1, Metric::SetRps1, Metric::SetCpu1),
        ("get", 1, Metric::GetRps1, Metric::GetCpu1),
        ("set", 16, Metric::SetRps16, Metric::SetCpu16),
        ("get", 16, Metric::GetRps16, Metric::GetCpu16),
    ] {
        // Pipelines are quick: more requests, so that both take a comparable time. Emulated machines get fewer.
        let scale = if level == Level::Isolated(plan::Isolation::Microvm) { 10 } else { 1 };
        let requests = (options.requests * if pipeline == 1 { 1 } else { 5 } / scale).max(1);
        let load = Load { test, pipeline, connections: options.connections, requests };
        let pids = subject.processes();
        let before = processes::cpu_ns(&pids);
        report.add(level, rps, benchmark(subject.address, load, subject.client_inside())?);
        let used = processes::cpu_ns(&pids) - before;
        report.add(level, cpu, used as f64 / 1e3 / f64::from(requests));
    }
    Ok(())
}

/// Runs the probe at the level and reads what it measured.
fn null_call(engine: &Engine, level: Level, options: &Options) -> Result<f64, Error> {
    let probe = engine.paths().probe();
    let Level::Isolated(isolation) = level else {
        let output = std::process::Command::new(&probe).output();
        let output = output.map_err(|e| Error::System("running coracle-probe; build and install all of Coracle", e))?;
        return number(&String::from_utf8_lossy(&output.stdout));
    };
    let request = RunRequest {
        isolation,
        network: Some(plan::NetworkMode::None),
        resources: options.request.resources.clone(),
        ..RunRequest::new(isolation, PROBE_IMAGE)
    };
    pack_probe(engine, &probe)?;
    let RunOutcome::Detached(id) = engine.run(&request, true, &Streams::default())? else {
        unreachable!("it was started detached")
    };
    engine.wait(id.as_str())?;
    let text: String = engine.logs(id.as_str(), LogOptions::default())?.flatten().map(|line| line.log).collect();
    engine.remove(id.as_str(), true)?;
    number(&text)
}

const PROBE_IMAGE: &str = "coracle-probe";

fn pack_probe(engine: &Engine, probe: &std::path::Path) -> Result<(), Error> {
    let store = engine.images()?;
    let known = PROBE_IMAGE.parse().is_ok_and(|reference| store.resolve(&reference).is_ok());
    if !known {
        let name = PROBE_IMAGE.parse().map_err(engine::Error::from)?;
        let request = image::PackRequest::new(name, probe);
        image::pack(&store, &request, &mut |_| {}).map_err(engine::Error::from)?;
    }
    Ok(())
}

fn number(text: &str) -> Result<f64, Error> {
    text.trim().parse().map_err(|_| Error::Output(format!("coracle-probe printed '{}'", text.trim())))
}

/// What the level needs on disk beside the image.
fn disk(engine: &Engine, level: Level) -> f64 {
    let size = |path: std::path::PathBuf| std::fs::metadata(path).map_or(0, |m| m.len());
    let paths = engine.paths();
    let bytes = match level {
        Level::Host | Level::Isolated(plan::Isolation::Container) => 0,
        Level::Isolated(plan::Isolation::Unikernel) => size(paths.unikernel()),
        Level::Isolated(plan::Isolation::Microvm) => engine.guest_kernel_bytes() + size(paths.agent()),
    };
    bytes as f64 / f64::from(1 << 20)
}
