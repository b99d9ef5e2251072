//! systemd's journal, by its native protocol (systemd.io/JOURNAL_NATIVE_PROTOCOL): one datagram of fields for each line.

use std::io;
use std::os::fd::OwnedFd;

use plan::LaunchPlan;
use rustix::net::{AddressFamily, SendFlags, SocketAddrUnix, SocketFlags, SocketType, connect, send, socket_with};

use crate::Error;

const SOCKET: &str = "/run/systemd/journal/socket";
/// Priorities of syslog(3): informational for standard output, error for standard error, as Docker's.
const PRIORITY: [&[u8]; 2] = [b"6", b"3"];

/// The connection to the journal, and the fields that are the same in every line.
#[derive(Debug)]
pub(super) struct Journal {
    socket: Option<OwnedFd>,
    fields: Vec<u8>,
}

impl Journal {
    pub(super) fn new(plan: &LaunchPlan) -> Self {
        let tag = plan.lifecycle.log.tag.as_deref().unwrap_or(plan.id.short());
        let mut fields = Vec::new();
        for (name, value) in [
            ("CONTAINER_ID", plan.id.short()),
            ("CONTAINER_ID_FULL", plan.id.as_str()),
            ("CONTAINER_NAME", &plan.name),
            ("CONTAINER_TAG", tag),
            ("SYSLOG_IDENTIFIER", tag),
            ("IMAGE_NAME", &plan.image),
        ] {
            field(&mut fields, name, value.as_bytes());
        }
        Self { socket: None, fields }
    }

    pub(super) fn connect(&mut self) -> Result<(), Error> {
        let error = |errno: rustix::io::Errno| Error::NoJournal { socket: SOCKET, source: io::Error::from(errno) };
        if self.socket.is_none() {
            let socket =
                socket_with(AddressFamily::UNIX, SocketType::DGRAM, SocketFlags::CLOEXEC, None).map_err(error)?;
            connect(&socket, &SocketAddrUnix::new(SOCKET).map_err(error)?).map_err(error)?;
            self.socket = Some(socket);
        }
        Ok(())
    }

    /// Sends a line without its newline. A journal that is away loses lines until it is back.
    pub(super) fn line(&mut self, stream: usize, line: &[u8]) {
        let text = line.strip_suffix(b"\n").unwrap_or(line);
        let mut datagram = self.fields.clone();
        field(&mut datagram, "PRIORITY", PRIORITY[stream]);
        if text.len() == line.len() {
            field(&mut datagram, "CONTAINER_PARTIAL_MESSAGE", b"true");
        }
        field(&mut datagram, "MESSAGE", text);
        for _ in 0..2 {
            let sent = self.socket.as_ref().map(|socket| send(socket, &datagram, SendFlags::NOSIGNAL));
            match sent {
                Some(Ok(_)) => return,
                // It was started anew.
                _ => {
                    self.socket = None;
                    if self.connect().is_err() {
                        return;
                    }
                }
            }
        }
    }
}

/// `NAME=value`, or with its length where the value has lines.
fn field(to: &mut Vec<u8>, name: &str, value: &[u8]) {
    to.extend_from_slice(name.as_bytes());
    if value.contains(&b'\n') {
        to.push(b'\n');
        to.extend_from_slice(&(value.len() as u64).to_le_bytes());
    } else {
        to.push(b'=');
    }
    to.extend_from_slice(value);
    to.push(b'\n');
}

#[cfg(test)]
mod tests {
    use super::field;

    #[test]
    fn values_with_lines_carry_their_length() {
        let mut bytes = Vec::new();
        field(&mut bytes, "A", b"x=y");
        field(&mut bytes, "B", b"1\n2");
        assert_eq!(bytes, b"A=x=y\nB\n\x03\0\0\0\0\0\0\x001\n2\n");
    }
}
