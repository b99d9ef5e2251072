use std::process::ExitCode;
use std::time::Duration;

use engine::{Engine, Error, Streams};
use plan::PortMapping;

use super::each;
use crate::args::{Names, PortArgs, RenameArgs, StartArgs, StopArgs, StreamArgs, TopArgs};
use crate::output;

/// The flags in the engine's terms.
pub(super) fn streams(args: &StreamArgs, interactive: bool) -> Streams {
    let (detach_keys, signals) = (args.detach_keys.clone(), args.sig_proxy);
    Streams { interactive, detach_keys, signals, ..Streams::default() }
}

/// `coracle start`.
pub(super) fn start(engine: &Engine, args: &StartArgs) -> Result<ExitCode, Error> {
    if !args.attach && !args.interactive {
        return act(&args.names, |name| engine.start(name));
    }
    let [name] = &args.names.instances[..] else {
        return Err(Error::Invalid("-a and -i connect with one instance; name one".to_owned()));
    };
    let status = engine.start_attached(name, &streams(&args.streams, args.interactive))?;
    Ok(status.map_or(ExitCode::SUCCESS, |status| ExitCode::from(status.code())))
}

/// `coracle restart`.
pub(super) fn restart(engine: &Engine, args: &StopArgs) -> Result<ExitCode, Error> {
    act(&args.names, |name| engine.restart(name, args.signal, args.time.map(Duration::from_secs)))
}

/// `coracle pause`.
pub(super) fn pause(engine: &Engine, names: &Names) -> Result<ExitCode, Error> {
    act(names, |name| engine.pause(name))
}

/// `coracle unpause`.
pub(super) fn unpause(engine: &Engine, names: &Names) -> Result<ExitCode, Error> {
    act(names, |name| engine.unpause(name))
}

/// Does the same with each, and prints its name.
fn act(names: &Names, action: impl Fn(&str) -> Result<(), Error>) -> Result<ExitCode, Error> {
    each(&names.instances, |name| {
        action(name)?;
        output::line(name);
        Ok(())
    })
}

/// `coracle rename`.
pub(super) fn rename(engine: &Engine, args: &RenameArgs) -> Result<ExitCode, Error> {
    engine.rename(&args.instance, &args.name)?;
    Ok(ExitCode::SUCCESS)
}

/// `coracle top`.
pub(super) fn top(engine: &Engine, args: &TopArgs) -> Result<ExitCode, Error> {
    let found = engine.top(&args.instance, &args.options)?;
    if args.json {
        output::json(&found);
    } else {
        let titles: Vec<&str> = found.titles.iter().map(String::as_str).collect();
        output::table(&titles, found.processes);
    }
    Ok(ExitCode::SUCCESS)
}

/// `coracle port`.
pub(super) fn port(engine: &Engine, args: &PortArgs) -> Result<ExitCode, Error> {
    let instance = engine.find(&args.instance)?;
    let all = &instance.plan.network.published;
    let wanted = |mapping: &&PortMapping| match args.port.as_deref() {
        None => true,
        Some(port) => {
            let (port, protocol) = port.split_once('/').unwrap_or((port, "tcp"));
            port == mapping.port.to_string() && protocol == mapping.protocol.to_string()
        }
    };
    let found: Vec<&PortMapping> = all.iter().filter(wanted).collect();
    if args.json {
        output::json(&found);
        return Ok(ExitCode::SUCCESS);
    }
    if let (Some(port), true) = (&args.port, found.is_empty()) {
        let name = &instance.plan.name;
        return Err(Error::Invalid(format!(
            "port {port} of instance '{name}' is not published; see `coracle port {name}`"
        )));
    }
    for mapping in found {
        let host = std::net::SocketAddr::new(mapping.host_ip, mapping.host_port);
        let inside = format!("{}/{} -> ", mapping.port, mapping.protocol);
        output::line(&format!("{}{host}", if args.port.is_some() { "" } else { &inside }));
    }
    Ok(ExitCode::SUCCESS)
}
