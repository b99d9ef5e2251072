//! The guest's console: kernel messages, kept for diagnosis.

use std::collections::VecDeque;
use std::fs::File;
use std::io::Write;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::io::Errno;

use crate::Error;

/// The file in the instance's state directory.
pub(crate) const CONSOLE_LOG: &str = "console.log";

/// The guest writes as it likes; no more than this reaches the disk.
const MAX_LOG: usize = 256 << 10;

/// How much of the end is kept for error messages.
const TAIL: usize = 16 << 10;

/// Our end of the serial port.
pub(crate) struct Console {
    fd: Option<OwnedFd>,
    log: File,
    room: usize,
    tail: VecDeque<u8>,
}

impl Console {
    /// `fd` is a non-blocking stream.
    pub(crate) fn new(fd: OwnedFd, state_dir: &Path) -> Result<Self, Error> {
        let path = state_dir.join(CONSOLE_LOG);
        let log = File::create(&path).map_err(Error::file("making", path))?;
        Ok(Self { fd: Some(fd), log, room: MAX_LOG, tail: VecDeque::new() })
    }

    /// The stream, until it ends.
    pub(crate) fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.fd.as_ref().map(AsFd::as_fd)
    }

    /// Reads what there is.
    pub(crate) fn drain(&mut self) {
        let mut buffer = [0; 4096];
        while let Some(fd) = &self.fd {
            match rustix::io::read(fd, &mut buffer) {
                Ok(0) => self.fd = None,
                Ok(count) => self.keep(&buffer[..count]),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return,
                Err(_) => self.fd = None,
            }
        }
    }

    fn keep(&mut self, bytes: &[u8]) {
        let logged = bytes.len().min(self.room);
        self.room -= logged;
        // A full disk must not end the instance: the log is only a help.
        let _ = self.log.write_all(&bytes[..logged]);
        self.tail.extend(bytes);
        self.tail.drain(..self.tail.len().saturating_sub(TAIL));
    }

    /// The last lines, printable.
    pub(crate) fn tail(&self) -> String {
        let bytes: Vec<u8> = self.tail.iter().copied().collect();
        last_lines(&String::from_utf8_lossy(&bytes))
    }
}

/// What a kernel or the agent says when it matters; the register dumps around it help few users.
const TELLING: [&str; 6] = ["Kernel panic", "BUG:", "Oops", "sysrq", "Out of memory", "coracle-agent:"];

/// The telling lines or, if there are none, the last ones; without control characters, with which a guest could play
/// tricks on a terminal.
pub(crate) fn last_lines(text: &str) -> String {
    const LINES: usize = 12;
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    let is_telling = |line: &&str| TELLING.iter().any(|word| line.contains(word));
    let telling: Vec<&str> = lines.iter().copied().filter(is_telling).collect();
    let chosen = if telling.is_empty() { lines } else { telling };
    let end = chosen[chosen.len().saturating_sub(LINES)..].join("\n");
    end.chars().filter(|c| *c == '\n' || *c == '\t' || !c.is_control()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_cut_and_the_end_kept() {
        let dir = tempfile::tempdir().unwrap();
        let (reader, _writer) = rustix::pipe::pipe().unwrap();
        let mut console = Console::new(reader, dir.path()).unwrap();
        for _ in 0..2 * MAX_LOG / 1024 {
            console.keep(&[b'x'; 1024]);
        }
        console.keep(b"\n\x1b[31mthe end\n\n");
        assert_eq!(std::fs::metadata(dir.path().join(CONSOLE_LOG)).unwrap().len(), MAX_LOG as u64);
        assert!(console.tail().ends_with("\n[31mthe end"));
        assert!(console.tail.len() <= TAIL);
    }

    #[test]
    fn telling_lines_are_preferred() {
        assert_eq!(
            last_lines("[1] x\n[2] Kernel panic - not syncing: y\n[3] RAX: 0\n"),
            "[2] Kernel panic - not syncing: y"
        );
        assert_eq!(last_lines("a\n\n b \n"), "a\n b ");
    }
}
