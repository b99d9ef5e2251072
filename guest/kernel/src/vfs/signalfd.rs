//! signalfd(2).

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::any::Any;
use core::sync::atomic::{AtomicU64, Ordering};

use linux_abi::Errno;

use crate::mem::Sink;
use crate::signal::{Info, SigSet, take_for_fd, watch};
use crate::task::{Process, current};
use crate::vfs::File;
use crate::vfs::file::Events;
use crate::wait::WaitQueue;

/// The size of `struct signalfd_siginfo`.
const RECORD: usize = 128;

/// Reads signals that the process blocks.
pub(super) struct SignalFd {
    wanted: AtomicU64,
    process: Arc<Process>,
}

impl SignalFd {
    /// For these signals of the calling process.
    pub(super) fn new(wanted: SigSet) -> Self {
        let this = Self { wanted: AtomicU64::new(0), process: current().process.clone() };
        this.set(wanted);
        this
    }

    /// Takes other signals from now on.
    pub(super) fn set(&self, wanted: SigSet) {
        self.wanted.store(wanted.maskable().0, Ordering::Relaxed);
        watch(&self.process).wake_all();
    }

    fn wanted(&self) -> SigSet {
        SigSet(self.wanted.load(Ordering::Relaxed))
    }
}

/// Lays a signal out as `struct signalfd_siginfo`.
fn record(info: &Info) -> [u8; RECORD] {
    let info = &info.0;
    let mut out = [0; RECORD];
    let mut put = |at: usize, bytes: &[u8]| out[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, &info.signo.to_le_bytes());
    put(4, &info.errno.to_le_bytes());
    put(8, &info.code.to_le_bytes());
    // The first word of the union is (pid, uid), or (timer id, overrun); the second begins with the value.
    let [first, second, ..] = info.fields;
    put(12, &(first as u32).to_le_bytes());
    put(16, &((first >> 32) as u32).to_le_bytes());
    put(44, &(second as u32).to_le_bytes());
    put(48, &second.to_le_bytes());
    out
}

impl File for SignalFd {
    fn read(&self, to: &mut Sink<'_>, _offset: u64) -> Result<usize, Errno> {
        if to.remaining() < RECORD {
            return Err(Errno::EINVAL);
        }
        let before = to.done();
        let thread = current();
        while to.remaining() >= RECORD {
            let Some(info) = take_for_fd(&thread, self.wanted()) else { break };
            to.put(&record(&info))?;
        }
        match to.done() - before {
            0 => Err(Errno::EAGAIN),
            n => Ok(n),
        }
    }

    fn poll(&self) -> Events {
        let thread = current();
        let waiting = thread.signals.bits.load(Ordering::Acquire) | thread.process.signals.bits.load(Ordering::Acquire);
        if waiting & self.wanted().0 != 0 { Events::IN } else { Events::empty() }
    }

    fn queue(&self) -> Option<&WaitQueue> {
        Some(watch(&self.process))
    }

    fn describe(&self) -> Vec<u8> {
        b"anon_inode:[signalfd]".to_vec()
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
