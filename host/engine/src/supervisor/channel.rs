//! A socket that carries frames without ever waiting.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, recv, send};

use super::frame::{Frame, Malformed};

/// Why a channel can be used no longer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Closed {
    /// The peer is gone.
    #[error("the other side closed the connection")]
    Gone,
    /// The peer talks nonsense.
    #[error(transparent)]
    Malformed(#[from] Malformed),
}

/// One end of a connection.
#[derive(Debug)]
pub(crate) struct Channel {
    socket: OwnedFd,
    incoming: Vec<u8>,
    outgoing: Vec<u8>,
}

impl Channel {
    pub(crate) fn new(socket: OwnedFd) -> Self {
        Self { socket, incoming: Vec::new(), outgoing: Vec::new() }
    }

    /// Queues a frame and sends what can be sent now.
    pub(crate) fn send(&mut self, frame: &Frame) -> Result<(), Closed> {
        frame.encode(&mut self.outgoing);
        self.flush()
    }

    /// Sends what can be sent now.
    pub(crate) fn flush(&mut self) -> Result<(), Closed> {
        while !self.outgoing.is_empty() {
            match send(&self.socket, &self.outgoing, SendFlags::DONTWAIT | SendFlags::NOSIGNAL) {
                Ok(n) => drop(self.outgoing.drain(..n)),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => break,
                Err(_) => return Err(Closed::Gone),
            }
        }
        Ok(())
    }

    /// How many bytes wait to be sent.
    pub(crate) fn backlog(&self) -> usize {
        self.outgoing.len()
    }

    /// Reads what has come and gives the complete frames. An error may follow frames that came before it.
    pub(crate) fn receive(&mut self, frames: &mut Vec<Frame>) -> Result<(), Closed> {
        let mut buffer = [0u8; 16 * 1024];
        loop {
            match recv(&self.socket, &mut buffer, RecvFlags::DONTWAIT) {
                Ok((_, 0)) => return self.decode(frames).and(Err(Closed::Gone)),
                Ok((_, n)) => self.incoming.extend_from_slice(&buffer[..n]),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return self.decode(frames),
                Err(_) => return self.decode(frames).and(Err(Closed::Gone)),
            }
            self.decode(frames)?;
        }
    }

    fn decode(&mut self, frames: &mut Vec<Frame>) -> Result<(), Closed> {
        let mut used = 0;
        while let Some((frame, len)) = Frame::decode(&self.incoming[used..])? {
            frames.push(frame);
            used += len;
        }
        self.incoming.drain(..used);
        Ok(())
    }
}

impl AsFd for Channel {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
