//! A connection to systemd's manager: over the message bus, or directly where no bus runs.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

use super::wire::{self, Body, FIXED, Incoming, Method, Reader};

/// How long systemd may take for one answer.
const PATIENCE: Duration = Duration::from_secs(30);

const MANAGER: Method<'static> = Method {
    destination: "org.freedesktop.systemd1",
    path: "/org/freedesktop/systemd1",
    interface: "org.freedesktop.systemd1.Manager",
    name: "",
};

const BUS: Method<'static> = Method {
    destination: "org.freedesktop.DBus",
    path: "/org/freedesktop/DBus",
    interface: "org.freedesktop.DBus",
    name: "",
};

/// Why a call failed.
#[derive(Debug)]
pub(super) enum Failure {
    /// No answer.
    Io(io::Error),
    /// systemd says no: the error's name and text.
    Refused { name: String, text: String },
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

#[derive(Debug)]
pub(super) struct Bus {
    stream: UnixStream,
    serial: u32,
    /// Results of jobs that ended while something else was waited for: the job's path and its result.
    ended: Vec<(String, String)>,
}

/// Where systemd may be reached, best first: the bus, then the manager's own socket. `direct` says that there is no bus
/// between.
fn addresses() -> Vec<(PathBuf, bool)> {
    let given = |name: &str| {
        let address = std::env::var(name).ok()?;
        let path = address.split(';').find_map(|one| one.strip_prefix("unix:path="))?.to_owned();
        Some(PathBuf::from(path.split(',').next()?))
    };
    if rustix::process::geteuid().is_root() {
        let bus = given("DBUS_SYSTEM_BUS_ADDRESS").unwrap_or_else(|| "/run/dbus/system_bus_socket".into());
        return vec![(bus, false), ("/run/systemd/private".into(), true)];
    }
    let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    let bus = given("DBUS_SESSION_BUS_ADDRESS").or_else(|| Some(runtime.as_ref()?.join("bus")));
    let own = runtime.map(|runtime| runtime.join("systemd/private"));
    bus.map(|path| (path, false)).into_iter().chain(own.map(|path| (path, true))).collect()
}

impl Bus {
    /// Connects to the system's manager, or to the user's for a caller without privileges.
    pub(super) fn connect() -> Result<Self, (String, io::Error)> {
        let mut first = None;
        for (path, direct) in addresses() {
            match Self::connect_to(&path, direct) {
                Ok(bus) => return Ok(bus),
                Err(Failure::Io(error)) => drop(first.get_or_insert((path.display().to_string(), error))),
                Err(Failure::Refused { text, .. }) => {
                    return Err((path.display().to_string(), io::Error::other(text)));
                }
            }
        }
        let none = || ("$XDG_RUNTIME_DIR/bus".to_owned(), io::Error::from(io::ErrorKind::NotFound));
        Err(first.unwrap_or_else(none))
    }

    fn connect_to(path: &std::path::Path, direct: bool) -> Result<Self, Failure> {
        let stream = UnixStream::connect(path)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let mut bus = Self { stream, serial: 0, ended: Vec::new() };
        bus.authenticate()?;
        if !direct {
            bus.call(Method { name: "Hello", ..BUS }, &Body::default())?;
            let jobs = "type='signal',interface='org.freedesktop.systemd1.Manager',member='JobRemoved'";
            bus.call(Method { name: "AddMatch", ..BUS }, &Body::default().text(jobs))?;
        }
        Ok(bus)
    }

    /// "Authentication Protocol" of the specification, by the credentials of the socket.
    fn authenticate(&mut self) -> io::Result<()> {
        let uid = rustix::process::geteuid().as_raw().to_string();
        let uid: String = uid.bytes().map(|byte| format!("{byte:02x}")).collect();
        self.stream.write_all(format!("\0AUTH EXTERNAL {uid}\r\n").as_bytes())?;
        let mut line = Vec::new();
        while !line.ends_with(b"\r\n") {
            let mut byte = [0];
            // The bus sends nothing more before BEGIN, and this happens once: single bytes do.
            self.stream.read_exact(&mut byte)?;
            line.push(byte[0]);
            if line.len() > 512 {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "no D-Bus server answers there"));
            }
        }
        if !line.starts_with(b"OK ") {
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, "the D-Bus server does not let us in"));
        }
        self.stream.write_all(b"BEGIN\r\n")
    }

    /// Calls a method of systemd's manager and returns the body of the answer.
    pub(super) fn manager(&mut self, name: &str, body: &Body) -> Result<Vec<u8>, Failure> {
        self.call(Method { name, ..MANAGER }, body)
    }

    /// Calls a manager's method that starts a job, and waits until that has ended: `done`, or what went wrong.
    pub(super) fn job(&mut self, name: &str, body: &Body) -> Result<String, Failure> {
        let answer = self.manager(name, body)?;
        let job = Reader::new(&answer).text().ok_or_else(|| invalid("systemd names no job"))?;
        loop {
            if let Some(at) = self.ended.iter().position(|(path, _)| *path == job) {
                return Ok(self.ended.swap_remove(at).1);
            }
            self.receive()?;
        }
    }

    pub(super) fn call(&mut self, method: Method<'_>, body: &Body) -> Result<Vec<u8>, Failure> {
        self.serial += 1;
        self.stream.write_all(&wire::call(self.serial, method, body))?;
        loop {
            match self.receive()? {
                Incoming::Reply { to, body } if to == self.serial => return Ok(body),
                Incoming::Failure { to, name, body } if to == self.serial => {
                    let text = Reader::new(&body).text().unwrap_or_default();
                    return Err(Failure::Refused { name, text });
                }
                _ => {}
            }
        }
    }

    fn receive(&mut self) -> io::Result<Incoming> {
        let mut fixed = [0; FIXED];
        self.stream.read_exact(&mut fixed)?;
        let mut message = fixed.to_vec();
        message.resize(wire::length(&fixed)?, 0);
        self.stream.read_exact(&mut message[FIXED..])?;
        let incoming = wire::decode(&message)?;
        if let Incoming::Signal { member, body } = &incoming
            && member == "JobRemoved"
        {
            // Number, path, unit and result.
            let mut reader = Reader::new(body);
            if let (Some(_), Some(job), Some(_), Some(result)) =
                (reader.u32(), reader.text(), reader.text(), reader.text())
            {
                self.ended.push((job, result));
            }
        }
        Ok(incoming)
    }
}

fn invalid(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}
