//! Files: what a descriptor refers to. Three levels, as in Linux: the descriptor table of a process
//! ([`DescriptorTable`]), the open file description ([`OpenFile`]: position and status flags, shared by dup(2)), and the
//! object ([`File`]). What paths lead to is an [`Inode`]; opening one gives a `File`.

mod context;
mod description;
mod epoll;
mod file;
mod inode;
mod lock;
mod mapping;
mod mount;
mod path;
mod table;

use alloc::sync::Arc;
use core::any::Any;

use boot_info::BootInfo;
use linux_abi::Errno;

pub(crate) use context::FsContext;
pub(crate) use description::OpenFile;
pub(crate) use file::{Events, File};
pub(crate) use inode::{
    Attributes, Changes, DirEntry, FsStats, Inode, Kind, Magic, NewNode, Place, RenameMode, Timestamp,
};
pub(crate) use mapping::{FileMapping, mapping_of};
pub(crate) use table::DescriptorTable;

/// The calls of files, directories, pipes, polling and descriptors.
pub(crate) const SYSCALLS: &[crate::syscall::Row] = &[];

/// Mounts everything: the image, /proc, /dev, /sys, the volumes. Called once, before the first process is made.
pub(crate) fn init(_info: &BootInfo<'_>) -> Result<(), Errno> {
    Err(Errno::ENOSYS)
}

/// The descriptors of the first process: 0, 1 and 2 on the console.
pub(crate) fn initial_descriptors() -> DescriptorTable {
    DescriptorTable::new()
}

/// Opens a program for execve(2): a regular file that the caller may execute. `directory` is where a relative path begins.
/// Errors: those of path_resolution(7), and `EACCES`.
pub(crate) fn open_for_exec(_directory: &Arc<dyn Inode>, _path: &[u8]) -> Result<Arc<OpenFile>, Errno> {
    Err(Errno::ENOSYS)
}

/// Makes a socket inode that leads to `socket` as long as that lives (bind(2) of unix(7)). `EADDRINUSE` if the path exists.
pub(crate) fn bind_socket(_path: &[u8], _mode: u32, _socket: &Arc<dyn Any + Send + Sync>) -> Result<(), Errno> {
    Err(Errno::ENOSYS)
}

/// The socket that was bound to a path (connect(2) of unix(7)). `ECONNREFUSED` if it is gone or the file is no socket.
pub(crate) fn find_socket(_path: &[u8]) -> Result<Arc<dyn Any + Send + Sync>, Errno> {
    Err(Errno::ENOSYS)
}
