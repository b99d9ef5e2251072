use std::process::ExitCode;
use std::time::Duration;

use engine::{Engine, Error, Health, Instance};
use serde::Serialize;

use super::each;
use crate::args::{KillArgs, Names, PsArgs, RmArgs, StopArgs};
use crate::output;

/// What programs get to see of an instance.
#[derive(Serialize)]
struct View<'a> {
    status: Health,
    pid: Option<i32>,
    supervisor_pid: Option<i32>,
    exit_code: Option<u8>,
    oom_killed: bool,
    restart_count: u32,
    health: Option<&'a engine::Checked>,
    error: Option<&'a str>,
    address: Option<std::net::Ipv4Addr>,
    created: String,
    started: Option<String>,
    finished: Option<String>,
    plan: &'a plan::LaunchPlan,
}

fn view(instance: &Instance) -> View<'_> {
    let record = &instance.record;
    let time = |t: std::time::SystemTime| humantime::format_rfc3339_nanos(t).to_string();
    View {
        status: instance.health,
        pid: record.pid().filter(|_| instance.health.is_running()),
        supervisor_pid: record
            .supervisor_pid()
            .filter(|_| instance.health.is_alive() && instance.health != Health::Unsupervised),
        exit_code: record.exit.map(plan::ExitStatus::code),
        oom_killed: record.oom_killed,
        restart_count: record.restarts,
        health: record.checked.as_ref(),
        error: record.error.as_deref(),
        address: record.address,
        created: time(record.created),
        started: record.started.map(time),
        finished: record.finished.map(time),
        plan: &instance.plan,
    }
}

/// `coracle ps`.
pub(super) fn ps(engine: &Engine, args: &PsArgs) -> Result<ExitCode, Error> {
    // A dead instance is shown without being asked for: its user believes that it runs.
    let shown = |i: &Instance| args.all || i.health.is_alive() || i.health == Health::Dead;
    let instances: Vec<Instance> = engine.list().into_iter().filter(shown).collect();
    if args.json {
        output::json(&instances.iter().map(view).collect::<Vec<_>>());
    } else if args.quiet {
        instances.iter().for_each(|i| output::line(i.plan.id.short()));
    } else {
        let header = ["INSTANCE ID", "IMAGE", "LEVEL", "COMMAND", "CREATED", "STATUS", "PORTS", "NAMES"];
        output::table(&header, instances.iter().map(row).collect());
    }
    Ok(ExitCode::SUCCESS)
}

fn row(instance: &Instance) -> Vec<String> {
    let plan = &instance.plan;
    let mut command = engine::command_line(&plan.process.args);
    if command.chars().count() > 24 {
        command = command.chars().take(23).chain(['…']).collect();
    }
    let ports: Vec<String> = plan.network.published.iter().map(ToString::to_string).collect();
    vec![
        plan.id.short().to_owned(),
        plan.image.clone(),
        plan.isolation.to_string(),
        command,
        output::ago(instance.record.created),
        status(instance),
        if instance.health.is_alive() { ports.join(", ") } else { String::new() },
        plan.name.clone(),
    ]
}

fn status(instance: &Instance) -> String {
    let record = &instance.record;
    match instance.health {
        Health::Exited => {
            let code = record.exit.map_or_else(|| "?".to_owned(), |e| e.code().to_string());
            format!("exited ({code}) {}", record.finished.map(output::ago).unwrap_or_default())
        }
        Health::Restarting => {
            let code = record.exit.map_or_else(|| "?".to_owned(), |e| e.code().to_string());
            format!("restarting ({code}) {}", record.finished.map(output::ago).unwrap_or_default())
        }
        health => match record.checked.as_ref().filter(|_| health.is_running()) {
            Some(checked) => format!("{} ({})", health.word(), checked.status),
            None => health.word().to_owned(),
        },
    }
}

/// `coracle inspect`.
pub(super) fn inspect(engine: &Engine, names: &Names) -> Result<ExitCode, Error> {
    let mut found = Vec::new();
    let code = each(&names.instances, |name| engine.find(name).map(|instance| found.push(instance)))?;
    output::json(&found.iter().map(view).collect::<Vec<_>>());
    Ok(code)
}

/// `coracle stop`.
pub(super) fn stop(engine: &Engine, args: &StopArgs) -> Result<ExitCode, Error> {
    each(&args.names.instances, |name| {
        engine.stop(name, args.signal, args.time.map(Duration::from_secs))?;
        output::line(name);
        Ok(())
    })
}

/// `coracle kill`.
pub(super) fn kill(engine: &Engine, args: &KillArgs) -> Result<ExitCode, Error> {
    each(&args.names.instances, |name| {
        engine.kill(name, args.signal)?;
        output::line(name);
        Ok(())
    })
}

/// `coracle rm`.
pub(super) fn rm(engine: &Engine, args: &RmArgs) -> Result<ExitCode, Error> {
    each(&args.names.instances, |name| {
        engine.remove(name, args.force)?;
        output::line(name);
        Ok(())
    })
}

/// `coracle wait`.
pub(super) fn wait(engine: &Engine, names: &Names) -> Result<ExitCode, Error> {
    each(&names.instances, |name| {
        output::line(&engine.wait(name)?.code().to_string());
        Ok(())
    })
}
