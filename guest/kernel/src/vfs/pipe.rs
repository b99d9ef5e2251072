//! Pipes and FIFOs (pipe(7)).

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::any::Any;
use core::sync::atomic::{AtomicU64, Ordering};

use linux_abi::Errno;
use linux_abi::fs::{O_ACCMODE, O_NONBLOCK, O_RDONLY, O_RDWR, O_WRONLY};
use platform::UserAddr;

use crate::mem::{Sink, Source, write_value};
use crate::sync::{Mutex, mutex};
use crate::vfs::file::{ANONYMOUS_DEVICE, Events};
use crate::vfs::ring::Ring;
use crate::vfs::{Attributes, File, Kind, ioctl};
use crate::wait::{WaitQueue, block_on};

/// A write of up to so many bytes is never torn.
const PIPE_BUF: usize = 4096;
const DEFAULT_CAPACITY: usize = 64 << 10;
/// `/proc/sys/fs/pipe-max-size`.
pub(crate) const MAX_CAPACITY: usize = 1 << 20;
const SIGPIPE: u32 = 13;

static NEXT_NUMBER: AtomicU64 = AtomicU64::new(1);

struct State {
    ring: Ring,
    readers: usize,
    writers: usize,
    /// How often an end was opened, so that opening a FIFO sees a partner that has gone again.
    opened: [u64; 2],
}

/// A pipe. Its two ends are [`End`]s.
pub(crate) struct Pipe {
    number: u64,
    state: Mutex<State>,
    readable: WaitQueue,
    writable: WaitQueue,
}

impl Pipe {
    /// An empty pipe without ends.
    pub(crate) fn new() -> Arc<Self> {
        let state = State { ring: Ring::new(DEFAULT_CAPACITY), readers: 0, writers: 0, opened: [0; 2] };
        Arc::new(Self {
            number: NEXT_NUMBER.fetch_add(1, Ordering::Relaxed),
            state: mutex(state),
            readable: WaitQueue::new(),
            writable: WaitQueue::new(),
        })
    }

    fn wake_all(&self) {
        self.readable.wake_all();
        self.writable.wake_all();
    }

    fn read(&self, consume: bool, to: &mut Sink<'_>) -> Result<usize, Errno> {
        let n = {
            let mut state = self.state.lock();
            if to.remaining() == 0 {
                return Ok(0);
            }
            if state.ring.len() == 0 {
                return if state.writers == 0 { Ok(0) } else { Err(Errno::EAGAIN) };
            }
            let n = state.ring.peek(to)?;
            if consume {
                state.ring.consume(n);
            }
            n
        };
        if consume {
            self.writable.wake_all();
        }
        Ok(n)
    }

    fn write(&self, from: &mut Source<'_>) -> Result<usize, Errno> {
        let written = {
            let mut state = self.state.lock();
            let (want, free) = (from.remaining(), state.ring.free());
            if state.readers == 0 {
                None
            } else if want == 0 {
                return Ok(0);
            } else if free == 0 || (want <= PIPE_BUF && free < want) {
                return Err(Errno::EAGAIN);
            } else {
                Some(state.ring.fill(from, free)?)
            }
        };
        match written {
            Some(n) => {
                self.readable.wake_all();
                Ok(n)
            }
            None => {
                crate::task::send_signal(SIGPIPE);
                Err(Errno::EPIPE)
            }
        }
    }
}

/// An end of a pipe: to read, to write, or (a FIFO opened so) both.
pub(crate) struct End {
    pipe: Arc<Pipe>,
    reads: bool,
    writes: bool,
}

impl End {
    fn new(pipe: &Arc<Pipe>, access: u32) -> Arc<Self> {
        let (reads, writes) = (access != O_WRONLY, access != O_RDONLY);
        {
            let mut state = pipe.state.lock();
            state.readers += usize::from(reads);
            state.writers += usize::from(writes);
            state.opened[0] += u64::from(reads);
            state.opened[1] += u64::from(writes);
        }
        pipe.wake_all();
        Arc::new(Self { pipe: pipe.clone(), reads, writes })
    }

    /// Reads without removing (tee(2)).
    pub(crate) fn peek(&self, to: &mut Sink<'_>) -> Result<usize, Errno> {
        self.pipe.read(false, to)
    }

    /// Removes what was peeked.
    pub(crate) fn consume(&self, count: usize) {
        self.pipe.state.lock().ring.consume(count);
        self.pipe.writable.wake_all();
    }

    /// How many bytes fit now; one if nobody reads, so that a write finds that out.
    pub(crate) fn room(&self) -> usize {
        let state = self.pipe.state.lock();
        if state.readers == 0 { 1 } else { state.ring.free() }
    }

    /// The pipe's capacity (fcntl(2), F_GETPIPE_SZ).
    pub(crate) fn capacity(&self) -> usize {
        self.pipe.state.lock().ring.limit()
    }

    /// Sets the capacity, rounded up to a power of two of pages (fcntl(2), F_SETPIPE_SZ).
    pub(crate) fn set_capacity(&self, bytes: usize) -> Result<usize, Errno> {
        if bytes > MAX_CAPACITY {
            return Err(Errno::EPERM);
        }
        let limit = bytes.max(PIPE_BUF).next_power_of_two();
        self.pipe.state.lock().ring.set_limit(limit)?;
        self.pipe.writable.wake_all();
        Ok(limit)
    }

    /// Whether both are ends of the same pipe.
    pub(crate) fn same_pipe(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.pipe, &other.pipe)
    }
}

impl Drop for End {
    fn drop(&mut self) {
        {
            let mut state = self.pipe.state.lock();
            state.readers -= usize::from(self.reads);
            state.writers -= usize::from(self.writes);
        }
        self.pipe.wake_all();
    }
}

impl File for End {
    fn read(&self, to: &mut Sink<'_>, _offset: u64) -> Result<usize, Errno> {
        self.pipe.read(true, to)
    }

    fn write(&self, from: &mut Source<'_>, _offset: u64) -> Result<usize, Errno> {
        self.pipe.write(from)
    }

    fn poll(&self) -> Events {
        let state = self.pipe.state.lock();
        let mut events = Events::empty();
        if self.reads {
            events.set(Events::IN, state.ring.len() > 0);
            events.set(Events::HUP, state.writers == 0);
        }
        if self.writes {
            events.set(Events::OUT, state.ring.free() >= PIPE_BUF);
            events.set(Events::ERR, state.readers == 0);
        }
        events
    }

    fn queue(&self) -> Option<&WaitQueue> {
        Some(if self.reads { &self.pipe.readable } else { &self.pipe.writable })
    }

    fn ioctl(&self, request: u32, argument: UserAddr) -> Result<i64, Errno> {
        match request {
            ioctl::FIONREAD => {
                let len = self.pipe.state.lock().ring.len();
                write_value(argument, &(len as i32)).map(|()| 0)
            }
            _ => Err(Errno::ENOTTY),
        }
    }

    fn attributes(&self) -> Result<Attributes, Errno> {
        Ok(Attributes::synthetic(ANONYMOUS_DEVICE, self.pipe.number + (1 << 32), Kind::Fifo, 0o600))
    }

    fn describe(&self) -> Vec<u8> {
        alloc::format!("pipe:[{}]", self.pipe.number + (1 << 32)).into_bytes()
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// The two ends of a new pipe: for reading and for writing.
pub(crate) fn pair() -> (Arc<dyn File>, Arc<dyn File>) {
    let pipe = Pipe::new();
    (End::new(&pipe, O_RDONLY), End::new(&pipe, O_WRONLY))
}

/// Opens a FIFO: waits for the other end, unless it is opened for both or without waiting (fifo(7)).
pub(crate) fn open_fifo(pipe: &Arc<Pipe>, flags: u32) -> Result<Arc<dyn File>, Errno> {
    let access = flags & O_ACCMODE;
    if access == O_WRONLY && flags & O_NONBLOCK != 0 && pipe.state.lock().readers == 0 {
        return Err(Errno::ENXIO);
    }
    let before = pipe.state.lock().opened;
    let end = End::new(pipe, access);
    if access == O_RDWR || flags & O_NONBLOCK != 0 {
        return Ok(end);
    }
    let partner = |state: &State| match access {
        O_RDONLY => state.writers > 0 || state.opened[1] != before[1],
        _ => state.readers > 0 || state.opened[0] != before[0],
    };
    let queue = if access == O_RDONLY { &pipe.readable } else { &pipe.writable };
    block_on(queue, None, || if partner(&pipe.state.lock()) { Ok(()) } else { Err(Errno::EAGAIN) })?;
    Ok(end)
}
