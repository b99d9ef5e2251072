use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::frame::append;
use crate::{FrameError, RawFrame, Start};

/// The largest data payload that a sender makes.
pub const MAX_DATA: usize = 32 << 10;

/// How many bytes of one data stream may be under way: the sender starts with this much credit, and each credit message
/// gives back what the reader passed on. So neither side ever buffers more than this per stream, and a stream that
/// nobody reads does not hold up the others.
pub const WINDOW: usize = 256 << 10;

/// One of the program's output streams. A terminal has standard output only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Output {
    /// Standard output.
    Stdout = 0,
    /// Standard error.
    Stderr = 1,
}

impl Output {
    /// Both, in the order of their indexes.
    pub const ALL: [Self; 2] = [Self::Stdout, Self::Stderr];

    fn from_byte(byte: u8) -> Result<Self, MessageError> {
        Self::ALL.into_iter().find(|stream| *stream as u8 == byte).ok_or(MessageError::Stream(byte))
    }
}

/// The agent's first message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// [`crate::VERSION`] of the agent.
    pub version: u32,
}

/// Whose fault a failed start is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// The guest could not be set up.
    Setup,
    /// The program exists but cannot be executed.
    NotExecutable,
    /// The program does not exist.
    NotFound,
}

/// Why the program was not started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StartFailure {
    /// Whose fault it is.
    pub kind: FailureKind,
    /// A sentence for the user.
    pub message: String,
}

/// What the host tells the agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ToGuest {
    /// Set up and run; exactly once, after the agent's hello.
    Start(Box<Start>),
    /// Bytes for the program's standard input.
    Stdin(Vec<u8>),
    /// Standard input has ended.
    StdinEnd,
    /// So many more bytes of this stream may be sent.
    Credit(Output, u32),
    /// Nobody reads this stream any more: close it, so that the program gets `SIGPIPE`.
    Close(Output),
    /// Send this signal to the program.
    Signal(u8),
    /// The terminal has this size now: columns and rows.
    Resize(u16, u16),
}

/// What the agent tells the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ToHost {
    /// The agent is up.
    Hello(Hello),
    /// The program runs: its `execve` succeeded.
    Started,
    /// The program was not started.
    Failed(StartFailure),
    /// Bytes that the program wrote.
    Output(Output, Vec<u8>),
    /// So many more bytes of standard input may be sent.
    Credit(u32),
    /// The program ended with this wait status (wait(2)), and all of its output has been sent.
    Exited(i32),
}

/// A payload that is not what its kind says.
#[derive(Debug, thiserror::Error)]
pub enum MessageError {
    /// The frame itself is wrong.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// No such message.
    #[error("unknown message kind {0}")]
    Kind(u8),
    /// No such stream.
    #[error("unknown stream {0}")]
    Stream(u8),
    /// The payload has the wrong size.
    #[error("message kind {kind} with a payload of {length} bytes")]
    Length {
        /// The message's kind.
        kind: u8,
        /// The payload's length in bytes.
        length: usize,
    },
    /// The payload is not the JSON that it should be.
    #[error("message kind {kind} is malformed")]
    Json {
        /// The message's kind.
        kind: u8,
        /// What serde found.
        source: serde_json::Error,
    },
}

/// Frame kinds. Those to the guest are below 64.
mod kind {
    pub(super) const START: u8 = 1;
    pub(super) const STDIN: u8 = 2;
    pub(super) const STDIN_END: u8 = 3;
    pub(super) const CREDIT: u8 = 4;
    pub(super) const CLOSE: u8 = 5;
    pub(super) const SIGNAL: u8 = 6;
    pub(super) const RESIZE: u8 = 7;
    pub(super) const HELLO: u8 = 64;
    pub(super) const STARTED: u8 = 65;
    pub(super) const FAILED: u8 = 66;
    pub(super) const STDOUT: u8 = 67;
    pub(super) const STDERR: u8 = 68;
    pub(super) const STDIN_CREDIT: u8 = 69;
    pub(super) const EXITED: u8 = 70;
}

fn json<T: DeserializeOwned>(frame: RawFrame<'_>) -> Result<T, MessageError> {
    serde_json::from_slice(frame.payload).map_err(|source| MessageError::Json { kind: frame.kind, source })
}

fn fixed<const N: usize>(frame: RawFrame<'_>) -> Result<[u8; N], MessageError> {
    let length = frame.payload.len();
    frame.payload.try_into().map_err(|_| MessageError::Length { kind: frame.kind, length })
}

fn data(frame: RawFrame<'_>) -> Result<Vec<u8>, MessageError> {
    match frame.payload.len() {
        length if length > MAX_DATA => Err(MessageError::Length { kind: frame.kind, length }),
        _ => Ok(frame.payload.to_vec()),
    }
}

fn to_json<T: Serialize>(value: &T) -> Vec<u8> {
    // These types hold only strings, numbers and lists, whose serialisation cannot fail.
    serde_json::to_vec(value).unwrap_or_default()
}

impl ToGuest {
    /// Understands a frame from the host.
    pub fn decode(frame: RawFrame<'_>) -> Result<Self, MessageError> {
        Ok(match frame.kind {
            kind::START => Self::Start(json(frame)?),
            kind::STDIN => Self::Stdin(data(frame)?),
            kind::STDIN_END => fixed::<0>(frame).map(|_| Self::StdinEnd)?,
            kind::CREDIT => {
                let [stream, count @ ..] = fixed::<5>(frame)?;
                Self::Credit(Output::from_byte(stream)?, u32::from_le_bytes(count))
            }
            kind::CLOSE => Self::Close(Output::from_byte(fixed::<1>(frame)?[0])?),
            kind::SIGNAL => Self::Signal(fixed::<1>(frame)?[0]),
            kind::RESIZE => {
                let [a, b, c, d] = fixed::<4>(frame)?;
                Self::Resize(u16::from_le_bytes([a, b]), u16::from_le_bytes([c, d]))
            }
            other => return Err(MessageError::Kind(other)),
        })
    }

    /// Appends this message's frame to `out`.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Start(start) => append(out, kind::START, &to_json(start)),
            Self::Stdin(bytes) => append(out, kind::STDIN, bytes),
            Self::StdinEnd => append(out, kind::STDIN_END, &[]),
            Self::Credit(stream, count) => {
                let [a, b, c, d] = count.to_le_bytes();
                append(out, kind::CREDIT, &[*stream as u8, a, b, c, d]);
            }
            Self::Close(stream) => append(out, kind::CLOSE, &[*stream as u8]),
            Self::Signal(signal) => append(out, kind::SIGNAL, &[*signal]),
            Self::Resize(cols, rows) => {
                let ([a, b], [c, d]) = (cols.to_le_bytes(), rows.to_le_bytes());
                append(out, kind::RESIZE, &[a, b, c, d]);
            }
        }
    }
}

impl ToHost {
    /// Understands a frame from the agent.
    pub fn decode(frame: RawFrame<'_>) -> Result<Self, MessageError> {
        Ok(match frame.kind {
            kind::HELLO => Self::Hello(json(frame)?),
            kind::STARTED => fixed::<0>(frame).map(|_| Self::Started)?,
            kind::FAILED => Self::Failed(json(frame)?),
            kind::STDOUT => Self::Output(Output::Stdout, data(frame)?),
            kind::STDERR => Self::Output(Output::Stderr, data(frame)?),
            kind::STDIN_CREDIT => Self::Credit(u32::from_le_bytes(fixed(frame)?)),
            kind::EXITED => Self::Exited(i32::from_le_bytes(fixed(frame)?)),
            other => return Err(MessageError::Kind(other)),
        })
    }

    /// Appends this message's frame to `out`.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Hello(hello) => append(out, kind::HELLO, &to_json(hello)),
            Self::Started => append(out, kind::STARTED, &[]),
            Self::Failed(failure) => append(out, kind::FAILED, &to_json(failure)),
            Self::Output(Output::Stdout, bytes) => append(out, kind::STDOUT, bytes),
            Self::Output(Output::Stderr, bytes) => append(out, kind::STDERR, bytes),
            Self::Credit(count) => append(out, kind::STDIN_CREDIT, &count.to_le_bytes()),
            Self::Exited(status) => append(out, kind::EXITED, &status.to_le_bytes()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{HEADER, Program, Terminal, split};

    fn start() -> Start {
        Start {
            version: crate::VERSION,
            hostname: "h".into(),
            name: "n".into(),
            read_only: true,
            program: Program {
                args: vec!["a b".into(), "é\n".into()],
                terminal: Some(Terminal { cols: 80, rows: 24 }),
                ..Program::default()
            },
            network: None,
            volumes: Vec::new(),
            pids: Some(3),
            realtime_ns: u64::MAX,
        }
    }

    #[test]
    fn messages_to_the_guest_come_back_as_they_were() {
        let messages = [
            ToGuest::Start(Box::new(start())),
            ToGuest::Stdin(vec![0, 255, 10]),
            ToGuest::StdinEnd,
            ToGuest::Credit(Output::Stderr, 0x0102_0304),
            ToGuest::Close(Output::Stdout),
            ToGuest::Signal(15),
            ToGuest::Resize(300, 2),
        ];
        for message in messages {
            let mut bytes = Vec::new();
            message.encode(&mut bytes);
            let (frame, used) = split(&bytes).unwrap().unwrap();
            assert_eq!(used, bytes.len());
            assert_eq!(ToGuest::decode(frame).unwrap(), message);
        }
    }

    #[test]
    fn messages_to_the_host_come_back_as_they_were() {
        let messages = [
            ToHost::Hello(Hello { version: 9 }),
            ToHost::Started,
            ToHost::Failed(StartFailure { kind: FailureKind::NotFound, message: "no".into() }),
            ToHost::Output(Output::Stdout, vec![0; MAX_DATA]),
            ToHost::Output(Output::Stderr, vec![1]),
            ToHost::Credit(7),
            ToHost::Exited(-1),
        ];
        for message in messages {
            let mut bytes = Vec::new();
            message.encode(&mut bytes);
            assert_eq!(ToHost::decode(split(&bytes).unwrap().unwrap().0).unwrap(), message);
        }
    }

    #[test]
    fn what_is_no_message_is_refused() {
        for (kind, payload) in
            [(0, &b""[..]), (255, b""), (64, b"{"), (65, b"x"), (67, &[0; MAX_DATA + 1]), (69, b"abc"), (70, b"")]
        {
            assert!(ToHost::decode(RawFrame { kind, payload }).is_err(), "{kind}");
        }
        for (kind, payload) in [(1, &b"{}"[..]), (4, &[2, 0, 0, 0, 0]), (5, &[2]), (6, b""), (7, b"abc"), (64, b"{}")] {
            assert!(ToGuest::decode(RawFrame { kind, payload }).is_err(), "{kind}");
        }
        assert_eq!(HEADER, 5);
    }
}
