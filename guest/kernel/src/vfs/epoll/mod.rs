//! epoll(7).
//!
//! Each watched file's queue holds a [`Watch`]; when the file wakes its queue, the watch puts itself on its instance's ready
//! list. A wait looks only at the files on that list: its cost depends on how many are ready, not on how many are watched.
//! A watch on the list is a hint; whether there are events is asked of the file when they are reported.
//!
//! Lock order: a file's queue, then `Epoll::ready`, then `Epoll::queue`, which is the queue of a file to an instance that
//! watches this one. Nothing is called with `ready` held. `Epoll::interest` comes before all of them.

mod watch;

use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::any::Any;

use hashbrown::HashMap;
use linux_abi::Errno;
use linux_abi::poll::{EPOLL_EVENT_SIZE, EPOLLET, EPOLLONESHOT};
use platform::{Deadline, UserAddr};

use crate::machine::machine;
use crate::sync::{Mutex, mutex};
use crate::vfs::file::Events;
use crate::vfs::{File, OpenFile};
use crate::wait::{WaitQueue, Waiter, block_on};

pub(crate) use watch::{Watch, forget, poll_bits};

/// How deep instances may watch each other.
const MAX_DEPTH: usize = 5;

/// What names a watched file: the descriptor and the description, by its address.
type Key = (i32, usize);

/// An instance.
pub(crate) struct Epoll {
    interest: Mutex<HashMap<Key, Arc<Watch>>>,
    /// Watches whose file may be ready; each at most once. Has room for all, so that a wake-up never allocates.
    ready: Mutex<VecDeque<Arc<Watch>>>,
    queue: WaitQueue,
}

fn key(fd: i32, file: &Arc<OpenFile>) -> Key {
    (fd, Arc::as_ptr(file).addr())
}

/// The instance behind a description; `EINVAL` if it is none.
pub(crate) fn instance(file: &OpenFile) -> Result<&Handle, Errno> {
    file.file.as_any().downcast_ref().ok_or(Errno::EINVAL)
}

/// What a description of an instance refers to.
pub(crate) struct Handle(Arc<Epoll>);

impl Handle {
    /// A new instance that watches nothing.
    pub(crate) fn new() -> Self {
        let epoll = Epoll { interest: mutex(HashMap::new()), ready: mutex(VecDeque::new()), queue: WaitQueue::new() };
        Self(Arc::new(epoll))
    }

    /// Watches a file. `EEXIST` if it is watched already, `EPERM` if it cannot be, `ELOOP` for a circle of instances.
    pub(crate) fn add(&self, fd: i32, file: &Arc<OpenFile>, events: u32, data: u64) -> Result<(), Errno> {
        if !file.file.pollable() {
            return Err(Errno::EPERM);
        }
        if let Ok(inner) = instance(file)
            && (inner.0.reaches(&self.0, 0)? || Arc::ptr_eq(&inner.0, &self.0))
        {
            return Err(Errno::ELOOP);
        }
        let watch = Watch::new(&self.0, fd, file, events, data);
        {
            let mut interest = self.0.interest.lock();
            if interest.contains_key(&key(fd, file)) {
                return Err(Errno::EEXIST);
            }
            interest.insert(key(fd, file), watch.clone());
            let count = interest.len();
            let mut ready = self.0.ready.lock();
            let room = ready.capacity();
            if room < count {
                let missing = count.next_power_of_two() - ready.len();
                ready.reserve(missing);
            }
        }
        watch.attach(file);
        self.0.check(&watch, file);
        Ok(())
    }

    /// Changes what is watched for; arms a one-shot watch again. `ENOENT` if the file is not watched.
    pub(crate) fn change(&self, fd: i32, file: &Arc<OpenFile>, events: u32, data: u64) -> Result<(), Errno> {
        let watch = self.0.interest.lock().get(&key(fd, file)).cloned().ok_or(Errno::ENOENT)?;
        watch.set(events, data);
        self.0.check(&watch, file);
        Ok(())
    }

    /// Stops watching. `ENOENT` if the file is not watched.
    pub(crate) fn remove(&self, fd: i32, file: &Arc<OpenFile>) -> Result<(), Errno> {
        let watch = self.0.interest.lock().remove(&key(fd, file)).ok_or(Errno::ENOENT)?;
        watch.detach(file);
        Ok(())
    }

    /// Waits for events and writes up to `max` of them to the application. Zero at the deadline.
    pub(crate) fn wait(&self, to: UserAddr, max: usize, deadline: Option<Deadline>) -> Result<usize, Errno> {
        match block_on(&self.0.queue, deadline, || self.0.collect(to, max)) {
            Err(Errno::EAGAIN) => Ok(0),
            Err(Errno::ERESTARTSYS) => Err(Errno::EINTR),
            result => result,
        }
    }
}

impl Epoll {
    /// Puts a watch on the list and wakes who waits.
    fn push(&self, watch: &Arc<Watch>) {
        if watch.queue_once() {
            self.ready.lock().push_back(watch.clone());
        }
        // Also if it was on the list: a thread may have gone to sleep after another one reported it.
        self.queue.wake_all();
    }

    /// Puts a watch on the list if its file is ready now.
    fn check(&self, watch: &Arc<Watch>, file: &OpenFile) {
        if watch.ready_events(file) != 0 {
            self.push(watch);
        }
    }

    /// Reports what is ready; `EAGAIN` if nothing is.
    fn collect(&self, to: UserAddr, max: usize) -> Result<usize, Errno> {
        let mut looks = self.ready.lock().len();
        let (mut found, mut again) = (0, false);
        while found < max && looks > 0 {
            looks -= 1;
            let Some(watch) = self.ready.lock().pop_front() else { break };
            // Before asking the file: a wake-up after the answer puts it back.
            watch.unqueue();
            let Some(file) = watch.file() else { continue };
            let events = watch.ready_events(&file);
            if events == 0 {
                continue;
            }
            if let Err(fault) = report(to.add((found * EPOLL_EVENT_SIZE) as u64), events, watch.data()) {
                self.push(&watch);
                return if found > 0 { Ok(found) } else { Err(fault) };
            }
            let settings = watch.settings();
            if settings & EPOLLONESHOT != 0 {
                // Of two threads that saw it one reports it.
                if !watch.disarm() {
                    continue;
                }
            } else if settings & EPOLLET == 0 && watch.queue_once() {
                self.ready.lock().push_back(watch);
                again = true;
            }
            found += 1;
        }
        if again && !self.queue.is_empty() {
            self.queue.wake_all();
        }
        if found > 0 { Ok(found) } else { Err(Errno::EAGAIN) }
    }

    /// Whether watching leads from this instance to `target`.
    fn reaches(self: &Arc<Self>, target: &Arc<Self>, depth: usize) -> Result<bool, Errno> {
        if depth >= MAX_DEPTH {
            return Err(Errno::ELOOP);
        }
        let watches: Vec<Arc<Watch>> = self.interest.lock().values().cloned().collect();
        for file in watches.iter().filter_map(|watch| watch.file()) {
            if let Ok(inner) = instance(&file)
                && (Arc::ptr_eq(&inner.0, target) || inner.0.reaches(target, depth + 1)?)
            {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

fn report(to: UserAddr, events: u32, data: u64) -> Result<(), Errno> {
    let mut event = [0; EPOLL_EVENT_SIZE];
    event[..4].copy_from_slice(&events.to_le_bytes());
    event[4..].copy_from_slice(&data.to_le_bytes());
    Ok(machine().copy_to_user(to, &event)?)
}

impl File for Handle {
    fn poll(&self) -> Events {
        let listed: Vec<Arc<Watch>> = self.0.ready.lock().iter().cloned().collect();
        let ready = listed.iter().any(|watch| watch.file().is_some_and(|file| watch.ready_events(&file) != 0));
        if ready { Events::IN } else { Events::empty() }
    }

    fn queue(&self) -> Option<&WaitQueue> {
        Some(&self.0.queue)
    }

    fn closed(&self) {
        let watches: Vec<Arc<Watch>> = self.0.interest.lock().drain().map(|(_, watch)| watch).collect();
        for watch in watches {
            if let Some(file) = watch.file() {
                watch.detach(&file);
            }
        }
    }

    fn describe(&self) -> Vec<u8> {
        b"anon_inode:[eventpoll]".to_vec()
    }

    fn details(&self) -> Vec<u8> {
        let watches: Vec<Arc<Watch>> = self.0.interest.lock().values().cloned().collect();
        watches.iter().flat_map(|watch| watch.describe().into_bytes()).collect()
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl Waiter for Watch {
    fn notify(&self) {
        if let (Some(epoll), Some(watch)) = (self.epoll(), self.arc()) {
            epoll.push(&watch);
        }
    }
}

#[cfg(test)]
mod tests;
