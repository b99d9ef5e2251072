//! What the guest says about its start: `S`, or `F`, the exit status and a message, or `P` when its kernel broke.

use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use plan::FailureClass;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// Longest message that is read.
const LONGEST: u64 = 4096;

/// How a start went.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The program runs.
    Started,
    /// The kernel refused the program.
    Failed {
        /// What that means for the exit status.
        class: FailureClass,
        /// Why.
        message: String,
    },
    /// The kernel broke.
    Panicked,
    /// The process ended without a word.
    Silent,
    /// Nothing came in time.
    Late,
}

/// Reads the guest's bytes.
pub(crate) fn parse(bytes: &[u8]) -> Outcome {
    match bytes {
        [b'S', ..] => Outcome::Started,
        [b'F', code, message @ ..] => Outcome::Failed {
            class: match code {
                126 => FailureClass::NotExecutable,
                127 => FailureClass::NotFound,
                _ => FailureClass::Engine,
            },
            message: String::from_utf8_lossy(message).trim_end().chars().filter(|c| !c.is_control()).collect(),
        },
        [b'P', ..] => Outcome::Panicked,
        _ => Outcome::Silent,
    }
}

/// Waits for the report.
pub(crate) fn wait(pipe: OwnedFd, limit: Duration) -> io::Result<Outcome> {
    let deadline = Instant::now() + limit;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let timeout = Timespec { tv_sec: left.as_secs() as i64, tv_nsec: left.subsec_nanos().into() };
        match poll(&mut [PollFd::new(&pipe, PollFlags::IN)], Some(&timeout)) {
            Ok(0) => return Ok(Outcome::Late),
            Ok(_) => break,
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    // One message is one write of less than PIPE_BUF, so one read has all of it.
    let mut bytes = vec![0; LONGEST as usize];
    let len = std::fs::File::from(pipe).read(&mut bytes)?;
    Ok(parse(&bytes[..len]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports() {
        assert_eq!(parse(b"S"), Outcome::Started);
        assert_eq!(parse(b""), Outcome::Silent);
        assert_eq!(parse(b"P"), Outcome::Panicked);
        let failed = |class, message: &str| Outcome::Failed { class, message: message.to_owned() };
        assert_eq!(parse(b"F\x7fno such program\n"), failed(FailureClass::NotFound, "no such program"));
        assert_eq!(parse(b"F\x7e\x1b[2Jx"), failed(FailureClass::NotExecutable, "[2Jx"));
        assert_eq!(parse(b"F"), Outcome::Silent);
    }
}
