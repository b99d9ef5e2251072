//! Two ends of a stream inside the instance: AF_UNIX stream sockets, and TCP over the loopback, which needs neither packets
//! nor timers.

use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec::Vec;

use linux_abi::Errno;

use crate::mem::{Sink, Source};
use crate::net::endpoint::Endpoint;
use crate::sync::{Mutex, mutex};
use crate::vfs::{Events, OpenFile};

/// How many bytes wait in one direction at most (`net.core.wmem_default`).
const LIMIT: usize = 212_992;

/// Who sent a message (unix(7), `struct ucred`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sender {
    /// Process id.
    pub(crate) pid: u32,
    /// User id.
    pub(crate) uid: u32,
    /// Group id.
    pub(crate) gid: u32,
}

/// What travels beside the data (cmsg(3), unix(7)).
#[derive(Clone, Default)]
pub(crate) struct Ancillary {
    /// Passed files (`SCM_RIGHTS`).
    pub(crate) files: Vec<Arc<OpenFile>>,
    /// The sender (`SCM_CREDENTIALS`).
    pub(crate) sender: Option<Sender>,
}

/// One direction.
#[derive(Default)]
struct Half {
    data: VecDeque<u8>,
    /// Bytes read so far: positions of marks count from the beginning of the stream.
    read: u64,
    /// The files that travel with the byte at a position; in order.
    marks: VecDeque<(u64, Vec<Arc<OpenFile>>)>,
    /// Who wrote last. Both ends are nearly always written by one process each, so it stands for all that is in the buffer.
    sender: Option<Sender>,
    /// The writer will write no more.
    ended: bool,
    /// The reader will read no more.
    unread: bool,
    /// The reader closed with data unread (TCP resets the connection then).
    reset: bool,
}

struct Pair {
    /// `halves[side]` holds what `side` reads.
    halves: [Mutex<Half>; 2],
    endpoints: [Arc<Endpoint>; 2],
}

/// One end. Dropping it closes it.
pub(crate) struct End {
    pair: Arc<Pair>,
    side: usize,
}

/// Two connected ends for two sockets.
pub(crate) fn connect(first: Arc<Endpoint>, second: Arc<Endpoint>) -> (End, End) {
    let halves = [mutex(Half::default()), mutex(Half::default())];
    let pair = Arc::new(Pair { halves, endpoints: [first, second] });
    (End { pair: pair.clone(), side: 0 }, End { pair, side: 1 })
}

impl End {
    fn incoming(&self) -> &Mutex<Half> {
        &self.pair.halves[self.side]
    }

    fn outgoing(&self) -> &Mutex<Half> {
        &self.pair.halves[1 - self.side]
    }

    fn wake_peer(&self) {
        self.pair.endpoints[1 - self.side].queue.wake_all();
    }

    fn wake_self(&self) {
        self.pair.endpoints[self.side].queue.wake_all();
    }

    /// What the socket of this end shares.
    pub(crate) fn endpoint(&self) -> &Arc<Endpoint> {
        &self.pair.endpoints[self.side]
    }

    /// Reads; with `peek`, the data stays. 0 at the end of the stream, `EAGAIN` if there is nothing yet. A read does not go
    /// beyond data that has something travelling with it.
    pub(crate) fn read(&self, to: &mut Sink<'_>, peek: bool) -> Result<(usize, Ancillary), Errno> {
        let mut half = self.incoming().lock();
        if half.data.is_empty() {
            return match half.ended || half.unread {
                true => Ok((0, Ancillary::default())),
                false => Err(Errno::EAGAIN),
            };
        }
        let at = half.read;
        let mut limit = half.data.len();
        let mut ancillary = Ancillary { files: Vec::new(), sender: half.sender };
        let starts_here = half.marks.front().is_some_and(|(position, _)| *position == at);
        if let Some((position, _)) = half.marks.get(usize::from(starts_here)) {
            limit = limit.min((position - at) as usize);
        }
        let (first, second) = half.data.as_slices();
        let first = &first[..first.len().min(limit)];
        let mut count = to.put(first)?;
        if count == first.len() && count < limit {
            count += to.put(&second[..limit - count]).unwrap_or(0);
        }
        if starts_here {
            let taken = if peek { half.marks.front().cloned() } else { half.marks.pop_front() };
            ancillary.files = taken.map(|(_, files)| files).unwrap_or_default();
        }
        if !peek {
            half.data.drain(..count);
            half.read += count as u64;
            drop(half);
            self.wake_peer();
        }
        Ok((count, ancillary))
    }

    /// Writes what fits. `EAGAIN` if nothing does, `EPIPE` if nobody will read it.
    pub(crate) fn write(&self, from: &mut Source<'_>, ancillary: Ancillary) -> Result<usize, Errno> {
        let mut half = self.outgoing().lock();
        if half.ended || half.unread {
            return Err(if half.reset { Errno::ECONNRESET } else { Errno::EPIPE });
        }
        let old = half.data.len();
        let want = from.remaining().min(LIMIT.saturating_sub(old));
        if want == 0 {
            return if from.remaining() == 0 { Ok(0) } else { Err(Errno::EAGAIN) };
        }
        half.data.try_reserve(want).map_err(|_| Errno::ENOBUFS)?;
        half.data.resize(old + want, 0);
        let taken = take_behind(&mut half.data, old, from);
        half.data.truncate(old + *taken.as_ref().unwrap_or(&0));
        let count = taken?;
        half.sender = ancillary.sender;
        if !ancillary.files.is_empty() && count > 0 {
            let at = half.read + old as u64;
            half.marks.push_back((at, ancillary.files));
        }
        drop(half);
        self.wake_peer();
        Ok(count)
    }

    /// Ends our direction: the peer reads the rest, then the end of the stream.
    pub(crate) fn shutdown_write(&self) {
        self.outgoing().lock().ended = true;
        self.wake_peer();
        self.wake_self();
    }

    /// Gives up reading: the peer's writes fail from now on.
    pub(crate) fn shutdown_read(&self) {
        self.incoming().lock().unread = true;
        self.wake_peer();
        self.wake_self();
    }

    /// What the end is ready for.
    pub(crate) fn events(&self) -> Events {
        let mut events = Events::empty();
        let read_over = {
            let half = self.incoming().lock();
            let over = half.ended || half.unread;
            events.set(Events::IN, !half.data.is_empty() || over);
            events.set(Events::RDHUP, over);
            over
        };
        let half = self.outgoing().lock();
        let write_over = half.ended || half.unread;
        events.set(Events::OUT, write_over || half.data.len() < LIMIT / 3 * 2);
        events.set(Events::HUP, read_over && write_over);
        events
    }

    /// How many bytes can be read.
    pub(crate) fn readable(&self) -> usize {
        self.incoming().lock().data.len()
    }

    /// How many bytes the peer has not read yet.
    pub(crate) fn unsent(&self) -> usize {
        self.outgoing().lock().data.len()
    }
}

/// Fills the end of the buffer, from `start` on, with data; says how much there was.
fn take_behind(data: &mut VecDeque<u8>, start: usize, from: &mut Source<'_>) -> Result<usize, Errno> {
    let (first, second) = data.as_mut_slices();
    if start >= first.len() {
        let skip = start - first.len();
        return from.take(&mut second[skip..]);
    }
    let room = first.len() - start;
    let count = from.take(&mut first[start..])?;
    if count < room || second.is_empty() {
        return Ok(count);
    }
    Ok(count + from.take(second).unwrap_or(0))
}

impl End {
    /// Closes the end, as dropping it does.
    pub(crate) fn close(&self) {
        let mut incoming = self.incoming().lock();
        let lost = !incoming.data.is_empty();
        incoming.unread = true;
        incoming.reset |= lost;
        let data = core::mem::take(&mut incoming.data);
        let marks = core::mem::take(&mut incoming.marks);
        drop(incoming);
        // Outside the lock: a passed file may be this very socket's.
        drop((data, marks));
        self.outgoing().lock().ended = true;
        if lost {
            self.pair.endpoints[1 - self.side].set_error(Errno::ECONNRESET);
        }
        self.wake_peer();
    }
}

impl Drop for End {
    fn drop(&mut self) {
        self.close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ends() -> (End, End) {
        connect(Endpoint::new(), Endpoint::new())
    }

    fn write(end: &End, data: &[u8]) -> Result<usize, Errno> {
        end.write(&mut Source::kernel(data), Ancillary::default())
    }

    fn read(end: &End, len: usize) -> Result<Vec<u8>, Errno> {
        let mut buffer = vec![0u8; len];
        let (count, _) = end.read(&mut Sink::kernel(&mut buffer), false)?;
        buffer.truncate(count);
        Ok(buffer)
    }

    #[test]
    fn bytes_come_in_order_through_a_ring_that_wraps() {
        let (ours, theirs) = ends();
        let (mut sent, mut seen) = (0u32, 0u32);
        for round in 0..2000u32 {
            let piece: Vec<u8> = (0..round % 700).map(|n| (sent + n) as u8).collect();
            sent += write(&ours, &piece).unwrap() as u32;
            if let Ok(back) = read(&theirs, round as usize % 900 + 1) {
                assert!(back.iter().enumerate().all(|(n, byte)| *byte == (seen + n as u32) as u8));
                seen += back.len() as u32;
            }
        }
        assert!(seen > 100_000);
        assert_eq!((theirs.readable() as u32, ours.unsent() as u32), (sent - seen, sent - seen));
    }

    #[test]
    fn a_full_direction_asks_to_wait() {
        let (ours, theirs) = ends();
        assert_eq!(write(&ours, &[1; LIMIT + 5]), Ok(LIMIT));
        assert_eq!(write(&ours, &[1]), Err(Errno::EAGAIN));
        assert!(!ours.events().contains(Events::OUT));
        assert_eq!(read(&theirs, LIMIT).map(|data| data.len()), Ok(LIMIT));
        assert!(ours.events().contains(Events::OUT));
    }

    #[test]
    fn halves_end_one_by_one() {
        let (ours, theirs) = ends();
        write(&ours, b"last").unwrap();
        ours.shutdown_write();
        assert_eq!(write(&ours, b"x"), Err(Errno::EPIPE));
        assert_eq!((read(&theirs, 9), read(&theirs, 9)), (Ok(b"last".to_vec()), Ok(vec![])));
        assert_eq!(theirs.events(), Events::IN | Events::OUT | Events::RDHUP);
        assert_eq!(write(&theirs, b"answer"), Ok(6));
        drop(theirs);
        assert_eq!(read(&ours, 9), Ok(b"answer".to_vec()));
        assert_eq!(ours.events(), Events::IN | Events::OUT | Events::RDHUP | Events::HUP);
    }

    #[test]
    fn closing_with_data_unread_is_a_reset() {
        let (ours, theirs) = ends();
        write(&ours, b"unread").unwrap();
        drop(theirs);
        assert_eq!(ours.endpoint().take_error(), Some(Errno::ECONNRESET));
        assert_eq!(write(&ours, b"x"), Err(Errno::ECONNRESET));
    }
}
