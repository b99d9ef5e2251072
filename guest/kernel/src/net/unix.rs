//! AF_UNIX sockets (unix(7)): streams, datagrams and sequenced packets, by name, by path or in pairs.

use alloc::collections::VecDeque;
use alloc::sync::{Arc, Weak};
use alloc::vec;
use alloc::vec::Vec;
use core::any::Any;

use hashbrown::HashMap;
use linux_abi::Errno;
use linux_abi::net::sock;

use crate::mem::{Sink, Source};
use crate::net::address::UnixName;
use crate::net::endpoint::Endpoint;
use crate::net::mailbox::{Mailbox, Message, Taken};
use crate::net::pair::{self, Ancillary, End, Sender};
use crate::sync::{Mutex, Once, mutex};
use crate::vfs::Events;

/// The names of the abstract name space, which each type has for itself.
static ABSTRACT: Mutex<Option<Names>> = mutex(None);

type Names = HashMap<(u32, Vec<u8>), Weak<Unix>>;

/// An AF_UNIX socket.
pub(crate) struct Unix {
    endpoint: Arc<Endpoint>,
    kind: u32,
    /// The connection of a stream.
    stream: Once<End>,
    /// What datagrams and sequenced packets arrive in.
    mailbox: Mutex<Mailbox>,
    state: Mutex<State>,
}

struct State {
    name: UnixName,
    peer_name: UnixName,
    /// The other socket of datagrams and sequenced packets.
    peer: Option<Weak<Unix>>,
    /// Who made the connection, or listens (`SO_PEERCRED`).
    peer_sender: Sender,
    /// Who called listen(2) or made the socket.
    own_sender: Sender,
    /// Connections to accept, and how many may wait.
    queue: Option<(VecDeque<Arc<Unix>>, usize)>,
    write_ended: bool,
}

/// The current process, as the receiver of a message learns of it.
pub(crate) fn current_sender() -> Sender {
    let Some(current) = crate::task::try_current() else { return Sender::default() };
    let creds = current.process.creds.lock();
    Sender { pid: current.process.pid, uid: creds.euid, gid: creds.egid }
}

impl Unix {
    /// A socket of a type (`SOCK_STREAM`, `SOCK_DGRAM`, `SOCK_SEQPACKET`).
    pub(crate) fn new(kind: u32) -> Arc<Self> {
        let state = State {
            name: UnixName::Unnamed,
            peer_name: UnixName::Unnamed,
            peer: None,
            peer_sender: Sender::default(),
            own_sender: current_sender(),
            queue: None,
            write_ended: false,
        };
        Arc::new(Self {
            endpoint: Endpoint::new(),
            kind,
            stream: Once::new(),
            mailbox: mutex(Mailbox::default()),
            state: mutex(state),
        })
    }

    /// Two connected sockets (socketpair(2)).
    pub(crate) fn pair(kind: u32) -> (Arc<Self>, Arc<Self>) {
        let (first, second) = (Self::new(kind), Self::new(kind));
        first.join(&second);
        (first, second)
    }

    /// Connects two fresh sockets with each other.
    fn join(self: &Arc<Self>, other: &Arc<Self>) {
        if self.kind == sock::STREAM {
            let (ours, theirs) = pair::connect(self.endpoint.clone(), other.endpoint.clone());
            self.stream.set(ours);
            other.stream.set(theirs);
        }
        for (one, two) in [(self, other), (other, self)] {
            let sender = two.state.lock().own_sender;
            let mut state = one.state.lock();
            state.peer = Some(Arc::downgrade(two));
            state.peer_sender = sender;
        }
    }

    /// What its waiters wait on.
    pub(crate) fn endpoint(&self) -> &Arc<Endpoint> {
        &self.endpoint
    }

    /// The type.
    pub(crate) fn kind(&self) -> u32 {
        self.kind
    }

    /// bind(2).
    pub(crate) fn bind(self: &Arc<Self>, name: UnixName, mode: u32) -> Result<(), Errno> {
        if self.state.lock().name != UnixName::Unnamed {
            return Err(Errno::EINVAL);
        }
        let name = match name {
            UnixName::Unnamed => autobind(self)?,
            UnixName::Abstract(name) => {
                claim(&name, self)?;
                UnixName::Abstract(name)
            }
            UnixName::Path(path) => {
                let socket: Arc<dyn Any + Send + Sync> = self.clone();
                crate::vfs::bind_socket(&path, mode, &socket)?;
                UnixName::Path(path)
            }
        };
        self.state.lock().name = name;
        Ok(())
    }

    /// listen(2).
    pub(crate) fn listen(&self, backlog: i32) -> Result<(), Errno> {
        if self.kind == sock::DGRAM {
            return Err(Errno::EOPNOTSUPP);
        }
        let mut state = self.state.lock();
        if state.name == UnixName::Unnamed || state.peer.is_some() {
            return Err(Errno::EINVAL);
        }
        let backlog = usize::try_from(backlog).unwrap_or(4096).min(4096);
        state.own_sender = current_sender();
        match &mut state.queue {
            Some((_, limit)) => *limit = backlog,
            None => state.queue = Some((VecDeque::new(), backlog)),
        }
        Ok(())
    }

    /// accept(2). `EAGAIN` if nobody waits.
    pub(crate) fn accept(&self) -> Result<Arc<Self>, Errno> {
        let mut state = self.state.lock();
        let (queue, _) = state.queue.as_mut().ok_or(Errno::EINVAL)?;
        queue.pop_front().ok_or(Errno::EAGAIN)
    }

    /// connect(2).
    pub(crate) fn connect(self: &Arc<Self>, name: &UnixName) -> Result<(), Errno> {
        let target = find(name, self.kind)?;
        if target.kind != self.kind {
            return Err(Errno::EPROTOTYPE);
        }
        if self.kind == sock::DGRAM {
            let mut state = self.state.lock();
            state.peer = Some(Arc::downgrade(&target));
            state.peer_name = name.clone();
            return Ok(());
        }
        let own_name = {
            let state = self.state.lock();
            match (&state.peer, &state.queue) {
                (Some(_), _) => return Err(Errno::EISCONN),
                (_, Some(_)) => return Err(Errno::EINVAL),
                _ => state.name.clone(),
            }
        };
        let server = Self::new(self.kind);
        {
            let mut state = target.state.lock();
            let listening = state.own_sender;
            let (queue, limit) = state.queue.as_mut().ok_or(Errno::ECONNREFUSED)?;
            if queue.len() > *limit {
                return Err(Errno::EAGAIN);
            }
            let mut server_state = server.state.lock();
            server_state.name = name.clone();
            server_state.peer_name = own_name;
            server_state.own_sender = listening;
            drop(server_state);
            self.state.lock().own_sender = current_sender();
            self.join(&server);
            queue.push_back(server);
        }
        self.state.lock().peer_name = name.clone();
        target.endpoint.queue.wake_all();
        Ok(())
    }

    /// Dissolves the association of a datagram socket.
    pub(crate) fn disconnect(&self) {
        let mut state = self.state.lock();
        state.peer = None;
        state.peer_name = UnixName::Unnamed;
    }

    /// Sends; `to` only for datagrams. `EAGAIN` if there is no room.
    pub(crate) fn send(
        &self,
        from: &mut Source<'_>,
        to: Option<&UnixName>,
        ancillary: Ancillary,
    ) -> Result<usize, Errno> {
        if self.kind == sock::STREAM {
            if to.is_some() {
                return Err(if self.stream.try_get().is_some() { Errno::EISCONN } else { Errno::EOPNOTSUPP });
            }
            return self.stream.try_get().ok_or(Errno::ENOTCONN)?.write(from, ancillary);
        }
        let target = match to {
            Some(name) if self.kind == sock::DGRAM => find(name, self.kind)?,
            Some(_) => return Err(Errno::EISCONN),
            None => self.peer()?,
        };
        let (name, ended) = {
            let state = self.state.lock();
            (state.name.clone(), state.write_ended)
        };
        if ended {
            return Err(Errno::EPIPE);
        }
        let len = from.remaining();
        if !target.mailbox.lock().has_room() {
            return Err(Errno::EAGAIN);
        }
        let mut data = vec![0u8; len];
        from.take(&mut data)?;
        let put = target.mailbox.lock().put(Message { data, from: name, ancillary });
        match put {
            Ok(()) => {
                target.endpoint.queue.wake_all();
                Ok(len)
            }
            Err(Errno::ECONNREFUSED) if self.kind == sock::SEQPACKET => Err(Errno::EPIPE),
            Err(e) => {
                from.give_back(len);
                Err(e)
            }
        }
    }

    fn peer(&self) -> Result<Arc<Self>, Errno> {
        let state = self.state.lock();
        let gone = if self.kind == sock::SEQPACKET { Errno::EPIPE } else { Errno::ECONNREFUSED };
        state.peer.as_ref().ok_or(Errno::ENOTCONN)?.upgrade().ok_or(gone)
    }

    /// Reads. `EAGAIN` if there is nothing.
    pub(crate) fn receive(&self, to: &mut Sink<'_>, peek: bool) -> Result<Taken, Errno> {
        if let Some(error) = self.endpoint.take_error() {
            return Err(error);
        }
        if self.kind == sock::STREAM {
            let stream = self.stream.try_get().ok_or(Errno::EINVAL)?;
            let (count, ancillary) = stream.read(to, peek)?;
            return Ok(Taken { count, len: count, from: UnixName::Unnamed, ancillary });
        }
        let connected = self.state.lock().peer.is_some();
        if self.kind == sock::SEQPACKET && !connected {
            return Err(Errno::ENOTCONN);
        }
        let mut mailbox = self.mailbox.lock();
        match mailbox.read(to, peek) {
            Err(Errno::EAGAIN) if mailbox.ended || mailbox.unread => {
                Ok(Taken { count: 0, len: 0, from: UnixName::Unnamed, ancillary: Ancillary::default() })
            }
            Ok(taken) => {
                drop(mailbox);
                if !peek {
                    self.wake_peer();
                }
                Ok(taken)
            }
            result => result,
        }
    }

    fn wake_peer(&self) {
        let peer = self.state.lock().peer.as_ref().and_then(Weak::upgrade);
        if let Some(peer) = peer {
            peer.endpoint.queue.wake_all();
        }
    }

    /// shutdown(2).
    pub(crate) fn shutdown(&self, read: bool, write: bool) -> Result<(), Errno> {
        if let Some(stream) = self.stream.try_get() {
            if read {
                stream.shutdown_read();
            }
            if write {
                stream.shutdown_write();
            }
            return Ok(());
        }
        let peer = self.state.lock().peer.as_ref().and_then(Weak::upgrade);
        if peer.is_none() {
            return Err(Errno::ENOTCONN);
        }
        if read {
            self.mailbox.lock().unread = true;
        }
        if write {
            self.state.lock().write_ended = true;
        }
        if let Some(peer) = peer.filter(|_| write && self.kind == sock::SEQPACKET) {
            peer.mailbox.lock().ended = true;
            peer.endpoint.queue.wake_all();
        }
        self.endpoint.queue.wake_all();
        Ok(())
    }

    /// What it is ready for.
    pub(crate) fn events(&self) -> Events {
        let mut events = Events::empty();
        events.set(Events::ERR, self.endpoint.has_error());
        if let Some(stream) = self.stream.try_get() {
            return events | stream.events();
        }
        let (peer, listening, waiting) = {
            let state = self.state.lock();
            let waiting = state.queue.as_ref().map(|(queue, _)| !queue.is_empty());
            (state.peer.as_ref().and_then(Weak::upgrade), waiting.is_some(), waiting == Some(true))
        };
        if listening {
            events.set(Events::IN, waiting);
            return events;
        }
        if self.kind == sock::STREAM {
            return events | Events::OUT | Events::HUP;
        }
        let mailbox = self.mailbox.lock();
        events.set(Events::IN, !mailbox.is_empty() || mailbox.ended || mailbox.unread);
        events.set(Events::RDHUP, mailbox.ended);
        events.set(Events::HUP, mailbox.ended && self.kind == sock::SEQPACKET);
        drop(mailbox);
        let room = peer.is_none_or(|peer| core::ptr::eq(Arc::as_ptr(&peer), self) || peer.mailbox.lock().has_room());
        events.set(Events::OUT, room);
        events
    }

    /// How much can be read: bytes of a stream, the next message else.
    pub(crate) fn queued(&self) -> usize {
        match self.stream.try_get() {
            Some(stream) => stream.readable(),
            None => self.mailbox.lock().next_len(),
        }
    }

    /// Its name.
    pub(crate) fn name(&self) -> UnixName {
        self.state.lock().name.clone()
    }

    /// The peer's name; `ENOTCONN` without a peer.
    pub(crate) fn peer_name(&self) -> Result<UnixName, Errno> {
        let state = self.state.lock();
        if state.peer.is_none() {
            return Err(Errno::ENOTCONN);
        }
        Ok(state.peer_name.clone())
    }

    /// Who is at the other end (`SO_PEERCRED`).
    pub(crate) fn peer_sender(&self) -> Option<Sender> {
        let state = self.state.lock();
        state.peer.as_ref().map(|_| state.peer_sender)
    }

    /// Whether it listens (`SO_ACCEPTCONN`).
    pub(crate) fn is_listening(&self) -> bool {
        self.state.lock().queue.is_some()
    }

    /// The last descriptor was closed.
    pub(crate) fn close(&self) {
        let (name, peer, queue) = {
            let mut state = self.state.lock();
            (state.name.clone(), state.peer.take().and_then(|peer| peer.upgrade()), state.queue.take())
        };
        if let UnixName::Abstract(name) = name {
            release(&name, self);
        }
        if let Some(stream) = self.stream.try_get() {
            stream.close();
        }
        let messages = {
            let mut mailbox = self.mailbox.lock();
            mailbox.unread = true;
            mailbox.clear()
        };
        if let Some(peer) = peer {
            if self.kind == sock::SEQPACKET {
                peer.mailbox.lock().ended = true;
            }
            peer.endpoint.queue.wake_all();
        }
        // Outside every lock: what is dropped here may close further sockets.
        if let Some((queue, _)) = queue {
            queue.iter().for_each(|socket| socket.close());
        }
        drop(messages);
    }
}

fn claim(name: &[u8], socket: &Arc<Unix>) -> Result<(), Errno> {
    let mut names = ABSTRACT.lock();
    let names = names.get_or_insert_with(HashMap::new);
    let key = (socket.kind, name.to_vec());
    if names.get(&key).is_some_and(|socket| socket.strong_count() > 0) {
        return Err(Errno::EADDRINUSE);
    }
    names.insert(key, Arc::downgrade(socket));
    Ok(())
}

fn release(name: &[u8], socket: &Unix) {
    let key = (socket.kind, name.to_vec());
    if let Some(names) = ABSTRACT.lock().as_mut()
        && names.get(&key).is_some_and(|holder| core::ptr::eq(holder.as_ptr(), socket))
    {
        names.remove(&key);
    }
}

/// A free name of five hexadecimal digits (unix(7), autobind).
fn autobind(socket: &Arc<Unix>) -> Result<UnixName, Errno> {
    (0..0xfffffu32)
        .map(|number| alloc::format!("{number:05x}").into_bytes())
        .find(|name| claim(name, socket).is_ok())
        .map(UnixName::Abstract)
        .ok_or(Errno::EADDRINUSE)
}

/// The socket of a name and type.
fn find(name: &UnixName, kind: u32) -> Result<Arc<Unix>, Errno> {
    match name {
        UnixName::Unnamed => Err(Errno::EINVAL),
        UnixName::Abstract(name) => {
            let names = ABSTRACT.lock();
            let socket = names.as_ref().and_then(|names| names.get(&(kind, name.clone())));
            socket.and_then(Weak::upgrade).ok_or(Errno::ECONNREFUSED)
        }
        UnixName::Path(path) => crate::vfs::find_socket(path)?.downcast().map_err(|_| Errno::ECONNREFUSED),
    }
}
