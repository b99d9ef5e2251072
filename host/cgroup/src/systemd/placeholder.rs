//! A process that does nothing. Unsafe because std only starts programs, and which program would be there?
#![allow(unsafe_code)]

use std::ffi::CString;
use std::io;
use std::time::Duration;

/// The process; it ends with this value, with its maker, and when the group that it holds has another process.
#[derive(Debug)]
pub(crate) struct Placeholder {
    pid: libc::pid_t,
    /// Tells the process which `cgroup.procs` to look at.
    pipe: Option<std::fs::File>,
}

/// The longest path that is told.
const LONGEST: usize = 4096;

impl Placeholder {
    pub(crate) fn new() -> io::Result<Self> {
        use std::os::fd::AsRawFd;
        let (reader, writer) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
        // SAFETY: the child calls nothing but async-signal-safe functions, and never returns.
        let pid = unsafe { libc::fork() };
        match pid {
            -1 => Err(io::Error::last_os_error()),
            0 => wait(reader.as_raw_fd()),
            pid => Ok(Self { pid, pipe: Some(writer.into()) }),
        }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.pid as u32
    }

    /// From now on the process looks whether another one has come into the group with this `cgroup.procs`.
    pub(crate) fn hold(&mut self, procs: &std::path::Path) -> io::Result<()> {
        use std::io::Write;
        use std::os::unix::ffi::OsStrExt;
        let path = CString::new(procs.as_os_str().as_bytes())?;
        let path = path.as_bytes_with_nul();
        if path.len() > LONGEST {
            return Err(io::ErrorKind::InvalidFilename.into());
        }
        self.pipe.take().map_or(Ok(()), |mut pipe| pipe.write_all(path))
    }
}

impl Drop for Placeholder {
    fn drop(&mut self) {
        if let Some(pid) = rustix::process::Pid::from_raw(self.pid) {
            // It is our child and not waited for, so the number is still its own.
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
            let _ = rustix::process::waitpid(Some(pid), rustix::process::WaitOptions::empty());
        }
    }
}

/// The child. It has a copy of everything that its maker had open and must not keep it: others wait for the ends of those.
fn wait(pipe: i32) -> ! {
    let mut path = [0u8; LONGEST];
    // SAFETY: system calls on our own memory and descriptors; all are async-signal-safe, and the memory is a copy of our own.
    unsafe {
        libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
        if pipe > 0 {
            libc::syscall(libc::SYS_close_range, 0, pipe - 1, 0);
        }
        libc::syscall(libc::SYS_close_range, pipe + 1, u32::MAX, 0);
        let mut length = 0;
        while length < LONGEST {
            let count = libc::read(pipe, path[length..].as_mut_ptr().cast(), LONGEST - length);
            if count <= 0 {
                break;
            }
            length += count as usize;
        }
        libc::close(pipe);
        // Without a path there is nothing to look at: it stays until it is killed.
        let watches = path[0] != 0 && path[LONGEST - 1] == 0;
        loop {
            if watches && lines(path.as_ptr().cast()) > 1 {
                libc::_exit(0);
            }
            let pause = Duration::from_millis(20);
            let pause = libc::timespec { tv_sec: 0, tv_nsec: pause.subsec_nanos().into() };
            libc::nanosleep(&pause, std::ptr::null_mut());
        }
    }
}

/// How many lines a file has, as far as one read reaches.
///
/// # Safety
/// The path ends with a zero byte.
unsafe fn lines(path: *const libc::c_char) -> usize {
    let mut text = [0u8; 256];
    // SAFETY: the path ends with a zero byte; the buffer is ours and as long as is said.
    let count = unsafe {
        let fd = libc::open(path, libc::O_RDONLY | libc::O_CLOEXEC);
        if fd < 0 {
            return 0;
        }
        let count = libc::read(fd, text.as_mut_ptr().cast(), text.len());
        libc::close(fd);
        count
    };
    usize::try_from(count).map_or(0, |count| text[..count].iter().filter(|byte| **byte == b'\n').count())
}
