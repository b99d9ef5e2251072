//! What memory mappings of files show.

use linux_abi::Errno;

use crate::vfs::OpenFile;

/// What backs a mapping of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FileMapping {
    /// Bytes of the image: file page *n* below `len` is the image's page at `offset + n * 4096`. What lies behind `len` (the
    /// tail that EROFS keeps beside the inode) is copied in through [`crate::vfs::OpenFile::read_kernel`].
    Image {
        /// Byte offset in the EROFS file, a multiple of 4096.
        offset: u64,
        /// How many bytes can be mapped, a multiple of 4096; may reach beyond the file's end, where it is zero.
        len: u64,
    },
    /// A file in the kernel's memory: pages are copied in (private mappings only are exact).
    Memory,
    /// An open file of the host.
    Host {
        /// The handle for `MapSource::HostPrivate` and `MapSource::HostShared`.
        handle: u32,
    },
    /// Zeros (`/dev/zero`).
    Zero,
}

/// What a mapping of this description shows; `ENODEV` if it cannot be mapped, `EACCES` if it is not open for reading.
pub(crate) fn mapping_of(file: &OpenFile) -> Result<FileMapping, Errno> {
    file.check_readable().map_err(|_| Errno::EACCES)?;
    file.mapping()
}
