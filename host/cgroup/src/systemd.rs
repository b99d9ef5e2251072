//! The systemd driver: a container is a transient scope, which systemd makes, lists and accounts.
//!
//! A scope begins with a process, and the container's first process is to be born in the scope's group. So a process that does
//! nothing is put there first; it ends when another one has arrived.

mod bus;
mod placeholder;
mod unit;
mod wire;

use oci_spec::runtime::LinuxResources;

use crate::path::{GroupPath, UnitPath};
use crate::{Error, Layout};
use bus::{Bus, Failure};
use wire::{Body, Method, Reader};

pub(crate) use placeholder::Placeholder;

/// The group's path below each hierarchy's root.
pub(crate) fn below(unit: &UnitPath) -> Result<String, Error> {
    let below = format!("{}{}", unit::expand(unit::slice(unit))?, unit::name(unit));
    if rustix::process::geteuid().is_root() {
        return Ok(below);
    }
    // A user's manager has its own place, which it tells.
    Ok(own_group(unit)?.unwrap_or(below))
}

/// Starts the scope with a process that holds its place. The unit must not exist.
pub(crate) fn start(
    layout: &Layout,
    path: &GroupPath,
    unit: &UnitPath,
    resources: Option<&LinuxResources>,
) -> Result<Placeholder, Error> {
    let name = unit::name(unit);
    unit::expand(unit::slice(unit)).map_err(|_| Error::UnitPath { path: path.to_string() })?;
    let mut bus = connect()?;
    let placeholder = Placeholder::new().map_err(|source| Error::Unit {
        unit: name.clone(),
        what: "start",
        reason: source.to_string(),
    })?;
    let limits = resources.map(|resources| unit::limits(resources, layout.is_pure())).unwrap_or_default();
    let properties = unit::properties(unit, placeholder.pid(), limits);
    let body = Body::default().text(&name).text("fail").properties(&properties).no_units();
    match bus.job("StartTransientUnit", &body) {
        Ok(result) if result == "done" => Ok(placeholder),
        Ok(result) => Err(Error::Unit { unit: name, what: "start", reason: format!("the job ended with '{result}'") }),
        Err(failure) => Err(error(name, "start", failure)),
    }
}

/// Changes limits of a running scope until the machine restarts.
pub(crate) fn update(layout: &Layout, unit: &UnitPath, resources: &LinuxResources) -> Result<(), Error> {
    let limits = unit::limits(resources, layout.is_pure());
    if limits.is_empty() {
        return Ok(());
    }
    let name = unit::name(unit);
    let body = Body::default().text(&name).bool(true).properties(&limits);
    connect()?.manager("SetUnitProperties", &body).map(drop).map_err(|failure| error(name, "update", failure))
}

/// Stops the scope. One that has ended is fine; so is a systemd that has gone: without processes the scope ends by itself.
pub(crate) fn stop(unit: &UnitPath) -> Result<(), Error> {
    let name = unit::name(unit);
    let Ok(mut bus) = connect() else { return Ok(()) };
    match bus.job("StopUnit", &Body::default().text(&name).text("replace")) {
        Err(Failure::Refused { name, .. }) if name == NO_SUCH_UNIT => return Ok(()),
        Err(failure) => return Err(error(name, "stop", failure)),
        Ok(_) => {}
    }
    // One whose processes were killed stays as "failed" otherwise, and keeps its name.
    match bus.manager("ResetFailedUnit", &Body::default().text(&name)) {
        Ok(_) | Err(Failure::Refused { .. }) => Ok(()),
        Err(failure) => Err(error(name, "reset", failure)),
    }
}

const NO_SUCH_UNIT: &str = "org.freedesktop.systemd1.NoSuchUnit";

/// The scope's `ControlGroup`; none if there is no such unit.
fn own_group(unit: &UnitPath) -> Result<Option<String>, Error> {
    let name = unit::name(unit);
    let mut bus = connect()?;
    let object = match bus.manager("GetUnit", &Body::default().text(&name)) {
        Ok(body) => Reader::new(&body).text().unwrap_or_default(),
        Err(Failure::Refused { name, .. }) if name == NO_SUCH_UNIT => return Ok(None),
        Err(failure) => return Err(error(name, "find", failure)),
    };
    let get = Method {
        destination: "org.freedesktop.systemd1",
        path: &object,
        interface: "org.freedesktop.DBus.Properties",
        name: "Get",
    };
    let body = Body::default().text("org.freedesktop.systemd1.Scope").text("ControlGroup");
    let answer = bus.call(get, &body).map_err(|failure| error(name, "find", failure))?;
    let mut reader = Reader::new(&answer);
    let text = reader.signature().filter(|signature| *signature == "s").and_then(|_| reader.text());
    Ok(text.map(|path| path.trim_start_matches('/').to_owned()).filter(|path| !path.is_empty()))
}

/// Whether these bytes are a message that the driver can read: for those who test it with foreign bytes.
pub fn is_bus_message(bytes: &[u8]) -> bool {
    let Some(fixed) = bytes.first_chunk() else { return false };
    wire::length(fixed).is_ok_and(|length| length <= bytes.len()) && wire::decode(bytes).is_ok()
}

fn connect() -> Result<Bus, Error> {
    Bus::connect().map_err(|(address, source)| Error::Bus { address, source })
}

fn error(unit: String, what: &'static str, failure: Failure) -> Error {
    let reason = match failure {
        Failure::Io(error) => error.to_string(),
        Failure::Refused { name, text } => format!("{text} ({name})"),
    };
    Error::Unit { unit, what, reason }
}
