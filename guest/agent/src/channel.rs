//! The byte stream to the host: a virtio-serial port.

use std::fs;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use agent_proto::{Decoder, ToGuest, ToHost};
use rustix::event::{PollFd, PollFlags};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use crate::error::Error;

/// The port announces itself by control messages after the driver has been loaded; that takes milliseconds.
const PORT_TIMEOUT: Duration = Duration::from_secs(20);

/// The port, with frames half read and bytes not yet written.
pub(crate) struct Channel {
    port: OwnedFd,
    decoder: Decoder,
    outbox: Vec<u8>,
}

impl Channel {
    /// Waits for the port that has our name and opens it.
    pub(crate) fn open() -> Result<Self, Error> {
        let deadline = Instant::now() + PORT_TIMEOUT;
        loop {
            if let Some(path) = find_port() {
                let flags = OFlags::RDWR | OFlags::NONBLOCK | OFlags::CLOEXEC;
                let port = rustix::fs::open(&path, flags, Mode::empty())
                    .map_err(Error::system(format!("opening {}", path.display())))?;
                return Ok(Self { port, decoder: Decoder::default(), outbox: Vec::new() });
            }
            if Instant::now() > deadline {
                return Err(Error::NoPort);
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Queues a message.
    pub(crate) fn send(&mut self, message: &ToHost) {
        message.encode(&mut self.outbox);
    }

    /// How many bytes wait to be written.
    pub(crate) fn backlog(&self) -> usize {
        self.outbox.len()
    }

    /// Writes as much as the port takes now.
    pub(crate) fn write_some(&mut self) -> Result<(), Error> {
        while !self.outbox.is_empty() {
            match rustix::io::write(&self.port, &self.outbox) {
                Ok(written) => drop(self.outbox.drain(..written)),
                Err(Errno::AGAIN) => return Ok(()),
                Err(Errno::INTR) => {}
                Err(source) => return Err(Error::System { what: "writing to the host".into(), source }),
            }
        }
        Ok(())
    }

    /// Writes everything, waiting as long as it takes.
    pub(crate) fn flush(&mut self) -> Result<(), Error> {
        while !self.outbox.is_empty() {
            self.write_some()?;
            if !self.outbox.is_empty() {
                self.wait(PollFlags::OUT)?;
            }
        }
        Ok(())
    }

    /// Reads what has arrived; [`Error::HungUp`] at the end.
    pub(crate) fn read_some(&mut self) -> Result<(), Error> {
        let mut buffer = [0; 32 << 10];
        match rustix::io::read(&self.port, &mut buffer) {
            // A port whose host side is not (or no longer) connected reads as end of file.
            Ok(0) => Err(Error::HungUp),
            Ok(count) => {
                self.decoder.push(&buffer[..count]);
                Ok(())
            }
            Err(Errno::AGAIN | Errno::INTR) => Ok(()),
            Err(source) => Err(Error::System { what: "reading from the host".into(), source }),
        }
    }

    /// The next message that has arrived completely.
    pub(crate) fn next_message(&mut self) -> Result<Option<ToGuest>, Error> {
        match self.decoder.next_frame().map_err(agent_proto::MessageError::from)? {
            None => Ok(None),
            Some(frame) => Ok(Some(ToGuest::decode(frame)?)),
        }
    }

    /// Sends what is queued, then waits for one message.
    pub(crate) fn wait_for_message(&mut self) -> Result<ToGuest, Error> {
        self.flush()?;
        loop {
            if let Some(message) = self.next_message()? {
                return Ok(message);
            }
            self.wait(PollFlags::IN)?;
            self.read_some()?;
        }
    }

    fn wait(&self, flags: PollFlags) -> Result<(), Error> {
        match rustix::event::poll(&mut [PollFd::new(&self.port, flags)], None) {
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(source) => Err(Error::System { what: "waiting for the host".into(), source }),
        }
    }
}

impl AsFd for Channel {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.port.as_fd()
    }
}

fn find_port() -> Option<PathBuf> {
    let ports = fs::read_dir("/sys/class/virtio-ports").ok()?;
    let port = ports.flatten().find(|port| {
        fs::read_to_string(port.path().join("name")).is_ok_and(|name| name.trim_end() == agent_proto::PORT_NAME)
    })?;
    let device = PathBuf::from("/dev").join(port.file_name());
    device.exists().then_some(device)
}
