use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::event::{PollFd, PollFlags};
use rustix::io::Errno;

/// What the kernel takes and gives in one piece for a terminal.
const PIECE: usize = 4096;

/// ^D, which a terminal in canonical mode takes for the end of the input.
const END_OF_INPUT: u8 = 4;

/// Copies between the caller's standard streams and the manager's side of the container's terminal. Never waits; the caller
/// polls for [`wants`](Relay::wants).
#[derive(Debug)]
pub(crate) struct Relay {
    manager: OwnedFd,
    /// Read from standard input and not yet written to the terminal.
    input: Vec<u8>,
    input_open: bool,
    output_open: bool,
}

impl Relay {
    pub(crate) fn new(manager: OwnedFd) -> Self {
        // If it stays blocking, a full terminal makes this wait: that is no reason to fail.
        let _ = rustix::io::ioctl_fionbio(&manager, true);
        Self { manager, input: Vec::new(), input_open: true, output_open: true }
    }

    pub(crate) fn manager(&self) -> &OwnedFd {
        &self.manager
    }

    /// What to wait for.
    pub(crate) fn wants(&self) -> Vec<PollFd<'_>> {
        let mut fds = Vec::with_capacity(2);
        let mut flags = PollFlags::empty();
        flags.set(PollFlags::IN, self.output_open);
        flags.set(PollFlags::OUT, !self.input.is_empty());
        if !flags.is_empty() {
            fds.push(PollFd::from_borrowed_fd(self.manager.as_fd(), flags));
        }
        if self.input_open && self.input.is_empty() {
            fds.push(PollFd::from_borrowed_fd(rustix::stdio::stdin(), PollFlags::IN));
        }
        fds
    }

    /// Copies what can be copied without waiting for input.
    pub(crate) fn turn(&mut self) {
        if self.output_open {
            self.output_open = self.copy_output();
        }
        if self.input_open && self.input.is_empty() && readable(rustix::stdio::stdin()) {
            self.read_input();
        }
        if !self.input.is_empty() {
            match rustix::io::write(&self.manager, &self.input) {
                Ok(written) => drop(self.input.drain(..written)),
                Err(Errno::AGAIN | Errno::INTR) => {}
                Err(_) => {
                    self.input.clear();
                    self.input_open = false;
                }
            }
        }
    }

    /// Copies what the program has written before it ended.
    pub(crate) fn drain(&mut self) {
        while self.output_open && readable(self.manager.as_fd()) && self.copy_output() {}
    }

    fn read_input(&mut self) {
        let mut piece = [0; PIECE];
        match rustix::io::read(rustix::stdio::stdin(), &mut piece) {
            Ok(0) => {
                self.input.push(END_OF_INPUT);
                self.input_open = false;
            }
            Ok(length) => self.input.extend_from_slice(&piece[..length]),
            Err(Errno::AGAIN | Errno::INTR) => {}
            Err(_) => self.input_open = false,
        }
    }

    /// False when there will be no more: all of the terminal's other side is closed (EIO).
    fn copy_output(&self) -> bool {
        let mut piece = [0; PIECE];
        match rustix::io::read(&self.manager, &mut piece) {
            Ok(0) => false,
            Ok(length) => write_all(&piece[..length]),
            Err(Errno::AGAIN | Errno::INTR) => true,
            Err(_) => false,
        }
    }
}

fn write_all(mut bytes: &[u8]) -> bool {
    while !bytes.is_empty() {
        match rustix::io::write(rustix::stdio::stdout(), bytes) {
            Ok(written) => bytes = &bytes[written..],
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => {
                let mut ready = [PollFd::from_borrowed_fd(rustix::stdio::stdout(), PollFlags::OUT)];
                let _ = rustix::event::poll(&mut ready, None);
            }
            Err(_) => return false,
        }
    }
    true
}

fn readable(fd: BorrowedFd<'_>) -> bool {
    let now = rustix::event::Timespec { tv_sec: 0, tv_nsec: 0 };
    let mut ready = [PollFd::from_borrowed_fd(fd, PollFlags::IN)];
    matches!(rustix::event::poll(&mut ready, Some(&now)), Ok(1))
}
