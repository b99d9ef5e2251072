//! /proc (proc(5)): tables of names and of functions that write the contents when a file is opened.

mod descriptors;
mod mounts;
mod net;
mod process;
mod root;
mod sysctl;
mod system;

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::any::Any;

use linux_abi::Errno;

use crate::mem::{Sink, Source};
use crate::sync::{Mutex, mutex};
use crate::task::{Process, Thread};
use crate::vfs::{Attributes, Changes, DirEntry, File, FsStats, Inode, Kind, Magic};

pub(super) const DEVICE: u64 = 0x14;
const MAGIC: u64 = 0x9fa0;

/// Whom a file tells about.
#[derive(Clone, Default)]
struct Subject {
    process: Option<Arc<Process>>,
    thread: Option<Arc<Thread>>,
    fd: i32,
}

impl Subject {
    fn process(&self) -> Result<&Arc<Process>, Errno> {
        self.process.as_ref().ok_or(Errno::ESRCH)
    }

    /// The thread, or the first one of the process.
    fn thread(&self) -> Result<Arc<Thread>, Errno> {
        match &self.thread {
            Some(thread) => Ok(thread.clone()),
            None => self.process()?.threads.lock().values().next().cloned().ok_or(Errno::ESRCH),
        }
    }
}

/// Writes the contents of a file.
type Make = fn(&Subject) -> Result<String, Errno>;
/// The same for contents that need not be text.
type MakeBytes = fn(&Subject) -> Result<Vec<u8>, Errno>;

/// What a name stands for.
#[derive(Clone, Copy)]
enum Node {
    /// A text that everybody may read.
    Text(Make),
    /// Bytes that everybody may read.
    Bytes(MakeBytes),
    /// Bytes that only the owner may read.
    Private(MakeBytes),
    /// A text that can be written; the kernel takes what it is given, or refuses it.
    Setting(Make, fn(&Subject, &[u8]) -> Result<(), Errno>),
    /// A directory of fixed names.
    Fixed(&'static [(&'static str, Node)]),
    /// A directory whose names change, with fixed ones behind them.
    Changing(&'static dyn Changing, &'static [(&'static str, Node)]),
    /// A link to a path.
    Link(MakeBytes),
    /// A link to an object, with the text that readlink(2) shows.
    Object(fn(&Subject) -> Result<Magic, Errno>, MakeBytes),
}

/// A directory whose names change.
trait Changing: Sync {
    /// What a name stands for, and about whom it tells.
    fn find(&self, subject: &Subject, name: &str) -> Option<(Subject, Node)>;
    /// The names.
    fn names(&self, subject: &Subject) -> Vec<(String, Kind)>;
}

impl Node {
    fn kind(&self) -> Kind {
        match self {
            Self::Text(_) | Self::Bytes(_) | Self::Private(_) | Self::Setting(..) => Kind::Regular,
            Self::Fixed(_) | Self::Changing(..) => Kind::Directory,
            Self::Link(_) | Self::Object(..) => Kind::Symlink,
        }
    }

    fn mode(&self) -> u32 {
        match self {
            Self::Text(_) | Self::Bytes(_) => 0o444,
            Self::Private(_) => 0o400,
            Self::Setting(..) => 0o644,
            Self::Fixed(_) | Self::Changing(..) => 0o555,
            Self::Link(_) | Self::Object(..) => 0o777,
        }
    }
}

/// An inode of /proc. It is made anew for each lookup; its number comes from its path.
struct Entry {
    node: Node,
    subject: Subject,
    ino: u64,
    name: Vec<u8>,
    parent: Option<Arc<Self>>,
}

/// The top of /proc.
pub(super) fn root() -> Arc<dyn Inode> {
    Arc::new(Entry { node: root::ROOT, subject: Subject::default(), ino: 1, name: Vec::new(), parent: None })
}

/// A number for a name in a directory (FNV-1a), which stays the same from lookup to lookup.
fn number(parent: u64, name: &[u8]) -> u64 {
    let hash = name
        .iter()
        .fold(0xcbf2_9ce4_8422_2325 ^ parent, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3));
    hash >> 16 | 0x1000
}

impl Entry {
    fn find(&self, name: &str) -> Option<(Subject, Node)> {
        let fixed = |names: &[(&str, Node)]| names.iter().find(|(n, _)| *n == name).map(|(_, node)| *node);
        match self.node {
            Node::Fixed(names) => fixed(names).map(|node| (self.subject.clone(), node)),
            Node::Changing(changing, names) => match fixed(names) {
                Some(node) => Some((self.subject.clone(), node)),
                None => changing.find(&self.subject, name),
            },
            _ => None,
        }
    }

    fn names(&self) -> Vec<(String, Kind)> {
        let fixed = |names: &[(&str, Node)]| -> Vec<(String, Kind)> {
            names.iter().map(|(name, node)| (String::from(*name), node.kind())).collect()
        };
        match self.node {
            Node::Fixed(names) => fixed(names),
            Node::Changing(changing, names) => {
                let mut all = changing.names(&self.subject);
                all.extend(fixed(names));
                all
            }
            _ => Vec::new(),
        }
    }

    fn owner(&self) -> (u32, u32) {
        self.subject.process.as_ref().map_or((0, 0), |process| {
            let creds = process.creds.lock();
            (creds.euid, creds.egid)
        })
    }
}

impl Inode for Entry {
    fn attributes(&self) -> Result<Attributes, Errno> {
        let (uid, gid) = self.owner();
        let attributes = Attributes::synthetic(DEVICE, self.ino, self.node.kind(), self.node.mode());
        Ok(Attributes { uid, gid, ..attributes })
    }

    fn kind(&self) -> Kind {
        self.node.kind()
    }

    fn open(self: Arc<Self>, _flags: u32) -> Result<Arc<dyn File>, Errno> {
        Ok(Arc::new(Contents { entry: self, text: mutex(None) }))
    }

    fn read_only(&self) -> bool {
        !matches!(self.node, Node::Setting(..))
    }

    fn change(self: Arc<Self>, changes: &Changes) -> Result<(), Errno> {
        // open(O_TRUNC) of a setting changes nothing by itself.
        if changes.size == Some(0) && matches!(self.node, Node::Setting(..)) { Ok(()) } else { Err(Errno::EPERM) }
    }

    fn lookup(self: Arc<Self>, name: &[u8]) -> Result<Arc<dyn Inode>, Errno> {
        let text = core::str::from_utf8(name).map_err(|_| Errno::ENOENT)?;
        let (subject, node) = self.find(text).ok_or(Errno::ENOENT)?;
        let ino = number(self.ino, name);
        Ok(Arc::new(Self { node, subject, ino, name: name.to_vec(), parent: Some(self) }))
    }

    fn parent(&self) -> Option<Arc<dyn Inode>> {
        self.parent.clone().map(|parent| match &parent.parent {
            // The top is mounted by identity.
            None => super::mount::top_of(DEVICE).unwrap_or(parent),
            Some(_) => parent as Arc<dyn Inode>,
        })
    }

    fn name(&self) -> Vec<u8> {
        self.name.clone()
    }

    fn list(&self, position: u64, emit: &mut dyn FnMut(&DirEntry<'_>) -> bool) -> Result<(), Errno> {
        let above = self.parent.as_ref().map_or(self.ino, |parent| parent.ino);
        for (at, name, ino) in [(0, &b"."[..], self.ino), (1, b"..", above)] {
            if position <= at && !emit(&DirEntry { name, ino, kind: Kind::Directory, next: at + 1 }) {
                return Ok(());
            }
        }
        for (n, (name, kind)) in self.names().iter().enumerate().skip(position.saturating_sub(2) as usize) {
            let ino = number(self.ino, name.as_bytes());
            if !emit(&DirEntry { name: name.as_bytes(), ino, kind: *kind, next: n as u64 + 3 }) {
                break;
            }
        }
        Ok(())
    }

    fn read_link(&self) -> Result<Vec<u8>, Errno> {
        match self.node {
            Node::Link(target) | Node::Object(_, target) => target(&self.subject),
            _ => Err(Errno::EINVAL),
        }
    }

    fn magic(&self) -> Option<Result<Magic, Errno>> {
        match self.node {
            Node::Object(object, _) => Some(object(&self.subject)),
            _ => None,
        }
    }

    fn stats(&self) -> Result<FsStats, Errno> {
        Ok(FsStats { magic: MAGIC, ..FsStats::default() })
    }

    fn into_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync> {
        self
    }
}

/// An opened file: its contents are made when it is read from the beginning.
struct Contents {
    entry: Arc<Entry>,
    text: Mutex<Option<Vec<u8>>>,
}

impl Contents {
    fn make(&self) -> Result<Vec<u8>, Errno> {
        let subject = &self.entry.subject;
        match self.entry.node {
            Node::Text(make) | Node::Setting(make, _) => make(subject).map(String::into_bytes),
            Node::Bytes(make) | Node::Private(make) => make(subject),
            Node::Fixed(_) | Node::Changing(..) => Err(Errno::EISDIR),
            Node::Link(_) | Node::Object(..) => Err(Errno::EINVAL),
        }
    }
}

impl File for Contents {
    fn read(&self, to: &mut Sink<'_>, offset: u64) -> Result<usize, Errno> {
        let mut text = self.text.lock();
        if offset == 0 || text.is_none() {
            *text = Some(self.make()?);
        }
        let rest = text.as_deref().and_then(|text| text.get(usize::try_from(offset).ok()?..)).unwrap_or_default();
        to.put(rest)
    }

    fn write(&self, from: &mut Source<'_>, _offset: u64) -> Result<usize, Errno> {
        let Node::Setting(_, store) = self.entry.node else { return Err(Errno::EACCES) };
        let mut bytes = alloc::vec![0; from.remaining().min(4096)];
        let taken = from.take(&mut bytes)?;
        store(&self.entry.subject, bytes[..taken].trim_ascii()).map(|()| taken)
    }

    fn seekable(&self) -> bool {
        true
    }

    fn pollable(&self) -> bool {
        false
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// A number that was written to a setting.
fn parse<T: core::str::FromStr>(text: &[u8]) -> Result<T, Errno> {
    core::str::from_utf8(text).ok().and_then(|text| text.parse().ok()).ok_or(Errno::EINVAL)
}
