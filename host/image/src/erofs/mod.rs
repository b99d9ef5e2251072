//! EROFS, the enhanced read-only file system: a writer for plain (uncompressed) images and a reader for the same.
//!
//! The format is that of the Linux kernel (`Documentation/filesystems/erofs.rst`, `fs/erofs/erofs_fs.h`). Of its many
//! features only those are used that every kernel since 5.4 can mount: 4 KiB blocks, extended inodes, inline extended
//! attributes, directories and symbolic links inline where they fit, and **file data always in whole blocks, contiguous
//! and page-aligned**, so that a page of a file is a page of the image and can be mapped by whoever has the image open.

mod directory;
mod layout;
mod path;
mod reader;
mod writer;
mod xattr;

pub use layout::FileKind;
pub use reader::{DirEntry, ErofsError, Inode, Nid, ReadAt, Reader};
pub use writer::WriteError;
pub(crate) use writer::{DataWriter, Segment};

#[cfg(test)]
mod tests;
