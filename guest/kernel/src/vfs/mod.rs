//! Files: what a descriptor refers to. Three levels, as in Linux: the descriptor table of a process, the open file
//! description ([`file::OpenFile`]: offset and status flags, shared by dup(2)), and the object ([`file::File`]).

pub(crate) mod file;

/// The calls of files, directories, pipes, polling and descriptors.
pub(crate) const SYSCALLS: &[crate::syscall::Row] = &[];
