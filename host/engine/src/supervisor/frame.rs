//! What goes over a supervisor's sockets: a kind (1 byte), a length (4 bytes, little-endian), and that many bytes.

use plan::ExitStatus;

/// The longest payload; a peer that announces more is cut off.
pub(crate) const MAX_PAYLOAD: usize = 64 * 1024;
const HEADER: usize = 5;

/// One message, to or from a supervisor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Frame {
    /// To the program: a signal.
    Signal(u8),
    /// To the program's terminal: columns and rows.
    Resize(u16, u16),
    /// To the program's standard input.
    Stdin(Vec<u8>),
    /// The end of standard input.
    StdinEnd,
    /// Send me the output from now on.
    Attach,
    /// Tell me when it ends.
    Wait,
    /// It shall end: do not start it again.
    Stopping,
    /// Freeze (or thaw) all its processes.
    Pause(bool),
    /// Its plan on disk has changed.
    Reload,
    /// From the program's standard output (or its terminal).
    Stdout(Vec<u8>),
    /// From its standard error.
    Stderr(Vec<u8>),
    /// The program was started.
    Started,
    /// It could not be started: exit status, message.
    Failed(u8, String),
    /// It ended.
    Exited(ExitStatus),
    /// The request before was carried out.
    Done,
    /// The request before could not be carried out.
    Refused(String),
}

/// The bytes are no frame.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("malformed message on a supervisor's socket")]
pub(crate) struct Malformed;

impl Frame {
    /// Appends the frame's bytes.
    pub(crate) fn encode(&self, to: &mut Vec<u8>) {
        let (kind, payload): (u8, &[u8]) = match self {
            Self::Signal(n) => (0, &[*n]),
            Self::Resize(c, r) => (1, &[c.to_le_bytes(), r.to_le_bytes()].concat()),
            Self::Stdin(data) => (2, data),
            Self::StdinEnd => (3, &[]),
            Self::Attach => (4, &[]),
            Self::Wait => (5, &[]),
            Self::Stopping => (6, &[]),
            Self::Pause(frozen) => (7, &[u8::from(*frozen)]),
            Self::Reload => (8, &[]),
            Self::Stdout(data) => (16, data),
            Self::Stderr(data) => (17, data),
            Self::Started => (18, &[]),
            Self::Failed(class, text) => (19, &[&[*class], clip(text)].concat()),
            Self::Exited(ExitStatus::Exited(code)) => (20, &[0, *code]),
            Self::Exited(ExitStatus::Signaled(signal)) => (20, &[1, *signal]),
            Self::Done => (21, &[]),
            Self::Refused(text) => (22, clip(text)),
        };
        to.push(kind);
        to.extend_from_slice(&(payload.len() as u32).to_le_bytes());
        to.extend_from_slice(payload);
    }

    /// Takes one frame from the front: the frame and its length in bytes, or `None` if more bytes are needed.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Option<(Self, usize)>, Malformed> {
        let Some((header, rest)) = bytes.split_at_checked(HEADER) else { return Ok(None) };
        let len = u32::from_le_bytes([header[1], header[2], header[3], header[4]]) as usize;
        if len > MAX_PAYLOAD {
            return Err(Malformed);
        }
        let Some(payload) = rest.get(..len) else { return Ok(None) };
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let frame = match (header[0], payload) {
            (0, [n]) => Self::Signal(*n),
            (1, [a, b, c, d]) => Self::Resize(u16::from_le_bytes([*a, *b]), u16::from_le_bytes([*c, *d])),
            (2, data) => Self::Stdin(data.to_vec()),
            (3, []) => Self::StdinEnd,
            (4, []) => Self::Attach,
            (5, []) => Self::Wait,
            (6, []) => Self::Stopping,
            (7, [frozen @ (0 | 1)]) => Self::Pause(*frozen == 1),
            (8, []) => Self::Reload,
            (16, data) => Self::Stdout(data.to_vec()),
            (17, data) => Self::Stderr(data.to_vec()),
            (18, []) => Self::Started,
            (19, [class, message @ ..]) => Self::Failed(*class, text(message)),
            (20, [0, code]) => Self::Exited(ExitStatus::Exited(*code)),
            (20, [1, signal]) => Self::Exited(ExitStatus::Signaled(*signal & 0x7f)),
            (21, []) => Self::Done,
            (22, message) => Self::Refused(text(message)),
            _ => return Err(Malformed),
        };
        Ok(Some((frame, HEADER + len)))
    }
}

fn clip(text: &str) -> &[u8] {
    &text.as_bytes()[..text.len().min(MAX_PAYLOAD - 1)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_frame_survives_the_way() {
        let frames = [
            Frame::Signal(15),
            Frame::Resize(80, 25),
            Frame::Stdin(b"in".to_vec()),
            Frame::StdinEnd,
            Frame::Attach,
            Frame::Wait,
            Frame::Stopping,
            Frame::Pause(true),
            Frame::Reload,
            Frame::Stdout(vec![0; MAX_PAYLOAD]),
            Frame::Stderr(b"err".to_vec()),
            Frame::Started,
            Frame::Failed(127, "not found".into()),
            Frame::Exited(ExitStatus::Exited(3)),
            Frame::Exited(ExitStatus::Signaled(9)),
            Frame::Done,
            Frame::Refused("no".into()),
        ];
        for frame in frames {
            let mut bytes = Vec::new();
            frame.encode(&mut bytes);
            for cut in [0, 1, 4, bytes.len() - 1] {
                assert_eq!(Frame::decode(&bytes[..cut.min(bytes.len() - 1)]), Ok(None));
            }
            assert_eq!(Frame::decode(&bytes), Ok(Some((frame, bytes.len()))));
        }
    }

    #[test]
    fn what_is_no_frame_is_refused() {
        assert_eq!(Frame::decode(&[0, 0xff, 0xff, 0xff, 0xff]), Err(Malformed));
        assert_eq!(Frame::decode(&[0, 2, 0, 0, 0, 1, 1]), Err(Malformed));
        assert_eq!(Frame::decode(&[99, 0, 0, 0, 0]), Err(Malformed));
    }
}
