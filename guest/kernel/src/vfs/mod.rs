//! Files: what a descriptor refers to. Three levels, as in Linux: the descriptor table of a process
//! ([`DescriptorTable`]), the open file description ([`OpenFile`]: position and status flags, shared by dup(2)), and the
//! object ([`File`]). What paths lead to is an [`Inode`]; opening one gives a `File`.

mod access;
mod boot;
mod calls;
mod console;
mod context;
mod cpu;
mod description;
mod dev;
mod epoll;
mod erofs;
mod eventfd;
mod file;
mod inode;
mod inotify;
mod ioctl;
mod lock;
mod mapping;
mod mount;
mod path;
mod pipe;
mod poll;
mod proc;
mod ring;
mod signalfd;
mod sys;
mod table;
mod timerfd;
mod tree;
mod volume;

use alloc::sync::Arc;
use core::any::Any;

use linux_abi::Errno;
use linux_abi::fs::O_RDONLY;

pub(crate) use boot::{directory, init, initial_descriptors};
pub(crate) use calls::SYSCALLS;
pub(crate) use context::FsContext;
pub(crate) use description::OpenFile;
pub use erofs::parse_image;
pub(crate) use file::{Events, File};
pub(crate) use inode::{
    Attributes, Changes, DirEntry, FsStats, Inode, Kind, Magic, NewNode, Place, RenameMode, Timestamp,
};
pub(crate) use mapping::{FileMapping, mapping_of};
pub(crate) use table::{DescriptorTable, NR_OPEN};

use crate::mem::{Sink, Source};
use crate::task::{Resource, current, try_current};
use path::How;

/// The soft limit of a resource for the calling process.
fn task_limit(resource: Resource) -> u64 {
    try_current().map_or(u64::MAX, |thread| thread.process.limit(resource))
}

/// Opens a program for execve(2): a regular file that the caller may execute. `directory` is where a relative path begins.
/// Errors: those of path_resolution(7), and `EACCES`.
pub(crate) fn open_for_exec(directory: &Arc<dyn Inode>, path: &[u8]) -> Result<Arc<OpenFile>, Errno> {
    let found = path::walk(directory.clone(), path, How::FOLLOW)?;
    let place = match &found.description {
        Some(file) => file.place.clone().ok_or(Errno::EACCES)?,
        None => found.to_place()?,
    };
    if place.inode.kind() != Kind::Regular {
        return Err(Errno::EACCES);
    }
    access::check(&*place.inode, access::EXECUTE)?;
    // Root too may execute only what somebody may execute.
    if place.inode.attributes()?.mode & 0o111 == 0 {
        return Err(Errno::EACCES);
    }
    let file = place.inode.clone().open(O_RDONLY)?;
    Ok(OpenFile::at(place, file, O_RDONLY))
}

/// Makes a socket inode that leads to `socket` as long as that lives (bind(2) of unix(7)). `EADDRINUSE` if the path exists.
pub(crate) fn bind_socket(path: &[u8], mode: u32, socket: &Arc<dyn Any + Send + Sync>) -> Result<(), Errno> {
    let found = path::walk(current().process.fs.cwd(), path, How::NO_FOLLOW)?;
    if found.inode.is_some() || found.slash {
        return Err(Errno::EADDRINUSE);
    }
    let inode = match calls::create_in(&found, Kind::Socket, mode, 0, b"") {
        Err(Errno::EEXIST) => return Err(Errno::EADDRINUSE),
        result => result?,
    };
    inode.set_socket(Arc::downgrade(socket));
    Ok(())
}

/// The socket that was bound to a path (connect(2) of unix(7)). `ECONNREFUSED` if it is gone or the file is no socket.
pub(crate) fn find_socket(path: &[u8]) -> Result<Arc<dyn Any + Send + Sync>, Errno> {
    let found = path::walk(current().process.fs.cwd(), path, How::FOLLOW)?;
    let inode = found.existing()?;
    access::check(&**inode, access::WRITE)?;
    inode.socket().and_then(|socket| socket.upgrade()).ok_or(Errno::ECONNREFUSED)
}

/// What a description made with `O_PATH` refers to: only the place counts.
struct PathOnly;

impl File for PathOnly {
    fn read(&self, _to: &mut Sink<'_>, _offset: u64) -> Result<usize, Errno> {
        Err(Errno::EBADF)
    }

    fn write(&self, _from: &mut Source<'_>, _offset: u64) -> Result<usize, Errno> {
        Err(Errno::EBADF)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

#[cfg(test)]
mod pipe_tests;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
