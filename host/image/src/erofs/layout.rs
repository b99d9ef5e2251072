//! The on-disk structures (`fs/erofs/erofs_fs.h`); all numbers are little-endian.

/// `log2` of the block size: 4096 bytes, the page size, which every kernel can mount.
pub(crate) const BLOCK_BITS: u8 = 12;
/// The block size in bytes.
pub(crate) const BLOCK: u64 = 1 << BLOCK_BITS;
/// The superblock's offset (`EROFS_SUPER_OFFSET`).
pub(crate) const SUPER_OFFSET: usize = 1024;
/// `EROFS_SUPER_MAGIC_V1`
pub(crate) const MAGIC: u32 = 0xE0F5_E1E2;
/// An inode number counts slots of this many bytes (`EROFS_ISLOTBITS`).
pub(crate) const SLOT: u64 = 32;
/// `sizeof(struct erofs_inode_compact)`
pub(crate) const COMPACT_INODE: usize = 32;
/// `sizeof(struct erofs_inode_extended)`
pub(crate) const EXTENDED_INODE: usize = 64;
/// `sizeof(struct erofs_dirent)`
pub(crate) const DIRENT: usize = 12;
/// `EROFS_FEATURE_COMPAT_SB_CHKSUM`
pub(crate) const COMPAT_SB_CHKSUM: u32 = 1;
/// `EROFS_FEATURE_COMPAT_MTIME`: inodes have the time of modification, not of change.
pub(crate) const COMPAT_MTIME: u32 = 2;
/// `EROFS_INODE_FLAT_PLAIN`: all data in whole blocks.
pub(crate) const FLAT_PLAIN: u16 = 0;
/// `EROFS_INODE_FLAT_INLINE`: the last, partial block follows the inode.
pub(crate) const FLAT_INLINE: u16 = 2;

/// The type of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FileKind {
    /// Regular file.
    Regular,
    /// Directory.
    Directory,
    /// Character device.
    CharDevice,
    /// Block device.
    BlockDevice,
    /// Named pipe.
    Fifo,
    /// Socket.
    Socket,
    /// Symbolic link.
    Symlink,
}

impl FileKind {
    /// From the type bits of `st_mode` (inode(7)); `None` if there is no such type.
    pub fn from_mode(mode: u32) -> Option<Self> {
        Some(match mode & 0o170_000 {
            0o100_000 => Self::Regular,
            0o040_000 => Self::Directory,
            0o020_000 => Self::CharDevice,
            0o060_000 => Self::BlockDevice,
            0o010_000 => Self::Fifo,
            0o140_000 => Self::Socket,
            0o120_000 => Self::Symlink,
            _ => return None,
        })
    }

    /// The type bits of `st_mode`.
    pub const fn mode_bits(self) -> u16 {
        match self {
            Self::Regular => 0o100_000,
            Self::Directory => 0o040_000,
            Self::CharDevice => 0o020_000,
            Self::BlockDevice => 0o060_000,
            Self::Fifo => 0o010_000,
            Self::Socket => 0o140_000,
            Self::Symlink => 0o120_000,
        }
    }

    /// The file type of a directory entry (`EROFS_FT_*`, the kernel's `FT_*`).
    pub(crate) const fn dirent_type(self) -> u8 {
        match self {
            Self::Regular => 1,
            Self::Directory => 2,
            Self::CharDevice => 3,
            Self::BlockDevice => 4,
            Self::Fifo => 5,
            Self::Socket => 6,
            Self::Symlink => 7,
        }
    }
}

/// Device numbers as the kernel stores them on disk (`new_encode_dev`, `include/linux/kdev_t.h`).
pub(crate) const fn encode_device(major: u32, minor: u32) -> u32 {
    (minor & 0xff) | (major << 8) | ((minor & !0xff) << 12)
}

/// Major and minor number (`new_decode_dev`).
pub(crate) const fn decode_device(device: u32) -> (u32, u32) {
    ((device & 0xfff00) >> 8, (device & 0xff) | ((device >> 12) & 0xfff00))
}

/// CRC-32C (Castagnoli, reflected) as the kernel's `crc32c()`: no inversion at the end.
pub(crate) fn crc32c(seed: u32, data: &[u8]) -> u32 {
    data.iter().fold(seed, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| if crc & 1 == 1 { (crc >> 1) ^ 0x82F6_3B78 } else { crc >> 1 })
    })
}

/// Writes numbers at offsets of a structure.
pub(crate) struct Fields<'a>(pub(crate) &'a mut [u8]);

impl Fields<'_> {
    pub(crate) fn put<const N: usize>(&mut self, offset: usize, bytes: [u8; N]) {
        self.0[offset..offset + N].copy_from_slice(&bytes);
    }
}

/// Reads a number at an offset; zero beyond the end, so callers check lengths first.
pub(crate) fn field<const N: usize>(bytes: &[u8], offset: usize) -> [u8; N] {
    bytes.get(offset..offset + N).and_then(|part| part.try_into().ok()).unwrap_or([0; N])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crc32c_check_value() {
        // The catalogue's check value of CRC-32C, which does invert at the end.
        assert_eq!(!crc32c(!0, b"123456789"), 0xE306_9283);
    }

    #[test]
    fn devices_survive() {
        for device in [(1, 3), (8, 0), (259, 70_000), (4095, 0xfffff)] {
            assert_eq!(decode_device(encode_device(device.0, device.1)), device);
        }
    }

    #[test]
    fn kinds_survive() {
        for mode in [0o100_644, 0o040_755, 0o020_666, 0o060_660, 0o010_600, 0o140_777, 0o120_777] {
            let kind = FileKind::from_mode(mode).unwrap();
            assert_eq!(u32::from(kind.mode_bits()), mode & 0o170_000);
        }
        assert_eq!(FileKind::from_mode(0), None);
    }
}
