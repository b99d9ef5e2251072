//! eventfd(2).

use alloc::vec::Vec;
use core::any::Any;

use linux_abi::Errno;

use crate::mem::{Sink, Source};
use crate::sync::{Mutex, mutex};
use crate::vfs::File;
use crate::vfs::file::Events;
use crate::wait::WaitQueue;

/// The largest value of the counter.
const MAX: u64 = u64::MAX - 1;

/// A counter to wait for.
pub(super) struct EventFd {
    counter: Mutex<u64>,
    semaphore: bool,
    queue: WaitQueue,
}

impl EventFd {
    /// A counter. As a semaphore (`EFD_SEMAPHORE`) it is read one at a time.
    pub(super) fn new(initial: u32, semaphore: bool) -> Self {
        Self { counter: mutex(initial.into()), semaphore, queue: WaitQueue::new() }
    }
}

impl File for EventFd {
    fn read(&self, to: &mut Sink<'_>, _offset: u64) -> Result<usize, Errno> {
        if to.remaining() < 8 {
            return Err(Errno::EINVAL);
        }
        let value = {
            let mut counter = self.counter.lock();
            if *counter == 0 {
                return Err(Errno::EAGAIN);
            }
            let value = if self.semaphore { 1 } else { *counter };
            *counter -= value;
            value
        };
        self.queue.wake_all();
        to.put(&value.to_le_bytes())
    }

    fn write(&self, from: &mut Source<'_>, _offset: u64) -> Result<usize, Errno> {
        let mut bytes = [0; 8];
        if from.remaining() < 8 || from.take(&mut bytes)? < 8 {
            return Err(Errno::EINVAL);
        }
        let added = u64::from_le_bytes(bytes);
        if added == u64::MAX {
            return Err(Errno::EINVAL);
        }
        {
            let mut counter = self.counter.lock();
            if added > MAX - *counter {
                from.give_back(8);
                return Err(Errno::EAGAIN);
            }
            *counter += added;
        }
        self.queue.wake_all();
        Ok(8)
    }

    fn poll(&self) -> Events {
        let counter = *self.counter.lock();
        let mut events = Events::empty();
        events.set(Events::IN, counter > 0);
        events.set(Events::OUT, counter < MAX);
        events
    }

    fn queue(&self) -> Option<&WaitQueue> {
        Some(&self.queue)
    }

    fn describe(&self) -> Vec<u8> {
        b"anon_inode:[eventfd]".to_vec()
    }

    fn details(&self) -> Vec<u8> {
        alloc::format!("eventfd-count: {:16x}\n", *self.counter.lock()).into_bytes()
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
