//! What a child tells its parent before it becomes the program: one stage and one error number, or nothing at all when
//! `execve` closed the pipe.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use rustix::io::Errno;

use crate::{Error, Stage};

/// A failed step inside the child; plain numbers, because the child does not allocate.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Failure {
    pub(crate) stage: Stage,
    pub(crate) errno: i32,
}

impl Stage {
    /// Names the step that failed.
    pub(crate) fn fail<E: Into<io::Error>>(self) -> impl FnOnce(E) -> Failure {
        move |error| Failure { stage: self, errno: error.into().raw_os_error().unwrap_or(libc::EIO) }
    }
}

const LENGTH: usize = 5;

/// Sends a failure; the parent sees the end of the child in any case, so nothing more can be done if that fails.
pub(crate) fn send(pipe: BorrowedFd<'_>, failure: Failure) {
    let [a, b, c, d] = failure.errno.to_le_bytes();
    let _ = rustix::io::write(pipe, &[failure.stage as u8, a, b, c, d]);
}

/// The child has done everything and is about to become the program.
pub(crate) fn send_ready(pipe: BorrowedFd<'_>) {
    let _ = rustix::io::write(pipe, &[READY]);
}

const READY: u8 = 0xff;

/// Waits until the child has become the program or has failed.
pub(crate) fn receive(pipe: impl AsFd) -> Result<(), Error> {
    let mut message = [0u8; LENGTH + 1];
    let mut length = 0;
    while length < message.len() {
        match rustix::io::read(&pipe, &mut message[length..]) {
            Ok(0) => break,
            Ok(n) => length += n,
            Err(Errno::INTR) => {}
            Err(e) => return Err(Error::Pipe(e.into())),
        }
    }
    decode(&message[..length])
}

fn decode(message: &[u8]) -> Result<(), Error> {
    let failure = match message {
        [READY] => return Ok(()),
        [READY, rest @ ..] => rest,
        rest => rest,
    };
    match failure {
        &[stage, a, b, c, d] => {
            let source = io::Error::from_raw_os_error(i32::from_le_bytes([a, b, c, d]));
            Err(Stage::from_byte(stage).map_or(Error::Died, |stage| Error::Stage { stage, source }))
        }
        _ => Err(Error::Died),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_survive_the_pipe() {
        let (reader, writer) = rustix::pipe::pipe().unwrap();
        send_ready(writer.as_fd());
        send(writer.as_fd(), Failure { stage: Stage::Exec, errno: libc::ENOENT });
        drop(writer);
        let error = receive(reader).unwrap_err();
        let Error::Stage { stage: Stage::Exec, source } = error else { panic!("{error:?}") };
        assert_eq!(source.raw_os_error(), Some(libc::ENOENT));
    }

    #[test]
    fn an_end_without_a_word_is_a_death() {
        assert!(matches!(decode(&[]), Err(Error::Died)));
        assert!(matches!(decode(&[77, 0, 0, 0, 0]), Err(Error::Died)));
        assert!(decode(&[READY]).is_ok());
    }
}
