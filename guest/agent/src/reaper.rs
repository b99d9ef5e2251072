//! Reaping: PID 1 inherits every orphan and must wait for all of them.

use std::os::fd::OwnedFd;

use rustix::io::Errno;
use rustix::pipe::PipeFlags;
use rustix::process::{Pid, WaitOptions};

use crate::error::Error;

/// Starts a thread that waits for every child until none is left. When `main` ends, its wait status is written to the
/// returned pipe (4 bytes, native order); the pipe ends when no process is left.
pub(crate) fn start(main: Pid) -> Result<OwnedFd, Error> {
    let (reader, writer) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC).map_err(Error::system("making a pipe"))?;
    std::thread::Builder::new()
        .stack_size(64 << 10)
        .spawn(move || reap(main, &writer))
        .map_err(Error::io("starting a thread"))?;
    Ok(reader)
}

fn reap(main: Pid, writer: &OwnedFd) {
    loop {
        match rustix::process::wait(WaitOptions::empty()) {
            Ok(Some((pid, status))) if pid == main => {
                let _ = rustix::io::write(writer, &status.as_raw().to_ne_bytes());
            }
            Ok(_) | Err(Errno::INTR) => {}
            Err(_) => return,
        }
    }
}
