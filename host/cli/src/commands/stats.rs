use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::time::Duration;

use engine::{Engine, Error, Instance, Usage};
use serde::Serialize;

use crate::args::StatsArgs;
use crate::output;

/// From one measurement to the next.
const INTERVAL: Duration = Duration::from_secs(1);

/// One line, for programs. Sizes are in bytes.
#[derive(Serialize)]
struct View<'a> {
    id: &'a str,
    name: &'a str,
    level: plan::Isolation,
    running: bool,
    cpu_percent: Option<f64>,
    memory: u64,
    memory_limit: u64,
    network_received: u64,
    network_sent: u64,
    block_read: u64,
    block_written: u64,
    pids: u64,
}

/// `coracle stats`.
pub(super) fn stats(engine: &Engine, args: &StatsArgs) -> Result<ExitCode, Error> {
    let mut before = measure(engine, args)?;
    let refresh = std::io::stdout().is_terminal() && !args.no_stream && !args.json;
    loop {
        std::thread::sleep(INTERVAL);
        let now = measure(engine, args)?;
        let earlier =
            |id: &plan::InstanceId| before.iter().find(|(i, _)| i.plan.id == *id).and_then(|(_, u)| u.as_ref());
        let views: Vec<View<'_>> = now.iter().map(|(i, usage)| view(i, usage.as_ref(), earlier(&i.plan.id))).collect();
        if refresh {
            // Home, and from there on nothing (ECMA-48, CUP and ED).
            let _ = write!(std::io::stdout(), "\x1b[H\x1b[J");
        }
        let written = if args.json {
            views.iter().try_for_each(|view| output::try_line(&output::compact(view)))
        } else {
            output::table(&HEADER, views.iter().map(row).collect());
            std::io::stdout().flush()
        };
        if args.no_stream || written.is_err() {
            return Ok(ExitCode::SUCCESS);
        }
        drop(views);
        before = now;
    }
}

type Measured = Vec<(Instance, Option<Usage>)>;

fn measure(engine: &Engine, args: &StatsArgs) -> Result<Measured, Error> {
    let named: Result<Vec<Instance>, Error> = args.instances.iter().map(|name| engine.find(name)).collect();
    let all = args.instances.is_empty();
    let instances = if all { engine.list() } else { named? };
    let mut measured = Vec::new();
    for instance in instances {
        match engine.usage(&instance) {
            Ok(usage) if usage.is_some() || args.all || !all => measured.push((instance, usage)),
            // One that was removed meanwhile.
            Ok(_) | Err(Error::NoInstance(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(measured)
}

fn view<'a>(instance: &'a Instance, usage: Option<&Usage>, before: Option<&Usage>) -> View<'a> {
    let number = |get: fn(&Usage) -> u64| usage.map_or(0, get);
    View {
        id: instance.plan.id.short(),
        name: &instance.plan.name,
        level: instance.plan.isolation,
        running: usage.is_some(),
        cpu_percent: usage.zip(before).and_then(|(now, before)| percent(now, before)),
        memory: number(|u| u.memory),
        memory_limit: number(|u| u.memory_limit),
        network_received: number(|u| u.network.0),
        network_sent: number(|u| u.network.1),
        block_read: number(|u| u.block.0),
        block_written: number(|u| u.block.1),
        pids: number(|u| u.pids),
    }
}

/// 100 is one CPU, as Docker counts.
fn percent(now: &Usage, before: &Usage) -> Option<f64> {
    let wall = now.at.duration_since(before.at).as_nanos() as f64;
    let cpu = now.cpu_ns?.saturating_sub(before.cpu_ns?) as f64;
    (wall > 0.0).then(|| (cpu / wall * 10_000.0).round() / 100.0)
}

const HEADER: [&str; 8] =
    ["INSTANCE ID", "NAME", "CPU %", "MEM USAGE / LIMIT", "MEM %", "NET I/O", "BLOCK I/O", "PIDS"];

fn row(view: &View<'_>) -> Vec<String> {
    let pair = |a, b| format!("{} / {}", output::size(a), output::size(b));
    let memory = view.memory as f64 * 100.0 / view.memory_limit.max(1) as f64;
    vec![
        view.id.to_owned(),
        view.name.to_owned(),
        view.cpu_percent.map_or_else(|| "--".to_owned(), |percent| format!("{percent:.2}%")),
        pair(view.memory, view.memory_limit),
        format!("{memory:.2}%"),
        pair(view.network_received, view.network_sent),
        pair(view.block_read, view.block_written),
        view.pids.to_string(),
    ]
}
