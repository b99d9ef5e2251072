//! From a Linux bzImage to the ELF file inside (Documentation/arch/x86/boot.rst of the Linux source).

use std::io::Read;

/// The largest kernel that is unpacked: Debian's has 51 MiB.
const MAX_KERNEL: usize = 512 << 20;

/// Compressed kernels end with their unpacked size, `u32` little-endian.
const SIZE_TRAILER: usize = 4;

/// Why a kernel image is not understood.
#[derive(Debug, thiserror::Error)]
pub enum BzImageError {
    /// The header is missing or too old.
    #[error("this is neither an ELF kernel nor a bzImage of boot protocol 2.08 or later")]
    Header,
    /// The header points outside the file.
    #[error("the kernel image is truncated")]
    Truncated,
    /// Compressed in a way that is not supported.
    #[error(
        "the kernel is compressed with {0}, which is not supported; use a kernel compressed with lz4, zstd or gzip"
    )]
    Compression(&'static str),
    /// The compressed data is broken.
    #[error("the compressed kernel is corrupt")]
    Corrupt,
    /// What was unpacked is no ELF file.
    #[error("the kernel image holds no ELF file")]
    NoElf,
}

/// The kernel as ELF file: `image` itself, or what is unpacked from a bzImage.
pub fn vmlinux_of(image: &[u8]) -> Result<Vec<u8>, BzImageError> {
    if image.starts_with(b"\x7fELF") {
        return Ok(image.to_vec());
    }
    let kernel = unpack(payload(image)?)?;
    if kernel.starts_with(b"\x7fELF") { Ok(kernel) } else { Err(BzImageError::NoElf) }
}

fn u32_at(bytes: &[u8], offset: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(offset..)?.first_chunk()?))
}

/// The compressed kernel: fields `setup_sects`, `payload_offset` and `payload_length` of the setup header.
fn payload(image: &[u8]) -> Result<&[u8], BzImageError> {
    const BOOT_FLAG: usize = 0x1fe;
    const MAGIC: usize = 0x202;
    const VERSION: usize = 0x206;
    const PAYLOAD_OFFSET: usize = 0x248;
    const PAYLOAD_LENGTH: usize = 0x24c;
    let field = |offset| u32_at(image, offset).map(|value| value as usize).ok_or(BzImageError::Header);
    let (boot_flag, magic, version) = (field(BOOT_FLAG)? & 0xffff, image.get(MAGIC..MAGIC + 4), field(VERSION)?);
    if boot_flag != 0xaa55 || magic != Some(b"HdrS") || version & 0xffff < 0x0208 {
        return Err(BzImageError::Header);
    }
    let setup_sectors = match image[0x1f1] {
        0 => 4,
        sectors => usize::from(sectors),
    };
    let start = (setup_sectors + 1) * 512 + field(PAYLOAD_OFFSET)?;
    image.get(start..).and_then(|rest| rest.get(..field(PAYLOAD_LENGTH).ok()?)).ok_or(BzImageError::Truncated)
}

fn unpack(payload: &[u8]) -> Result<Vec<u8>, BzImageError> {
    match payload {
        [0x02, 0x21, 0x4c, 0x18, ..] => unpack_lz4(payload),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => {
            read_limited(ruzstd::decoding::StreamingDecoder::new(payload).map_err(|_| BzImageError::Corrupt)?)
        }
        [0x1f, 0x8b, ..] => read_limited(flate2::read::GzDecoder::new(payload)),
        [0xfd, b'7', b'z', b'X', b'Z', ..] => Err(BzImageError::Compression("xz")),
        [b'B', b'Z', b'h', ..] => Err(BzImageError::Compression("bzip2")),
        [0x5d, 0, 0, ..] => Err(BzImageError::Compression("lzma")),
        [0x89, b'L', b'Z', b'O', ..] => Err(BzImageError::Compression("lzo")),
        [0x7f, b'E', b'L', b'F', ..] => Ok(payload.to_vec()),
        _ => Err(BzImageError::Compression("an unknown method")),
    }
}

fn read_limited(reader: impl Read) -> Result<Vec<u8>, BzImageError> {
    let mut kernel = Vec::new();
    reader.take(MAX_KERNEL as u64).read_to_end(&mut kernel).map_err(|_| BzImageError::Corrupt)?;
    Ok(kernel)
}

/// LZ4's legacy frame: a magic number, then blocks of at most 8 MiB unpacked, each with its packed size before it.
fn unpack_lz4(payload: &[u8]) -> Result<Vec<u8>, BzImageError> {
    const BLOCK: usize = 8 << 20;
    let mut rest = payload.get(4..payload.len().saturating_sub(SIZE_TRAILER)).ok_or(BzImageError::Corrupt)?;
    let (mut kernel, mut block) = (Vec::new(), vec![0; BLOCK]);
    while !rest.is_empty() {
        let size = u32_at(rest, 0).ok_or(BzImageError::Corrupt)? as usize;
        let packed = rest[4..].get(..size).ok_or(BzImageError::Corrupt)?;
        let count = lz4_flex::block::decompress_into(packed, &mut block).map_err(|_| BzImageError::Corrupt)?;
        if kernel.len() + count > MAX_KERNEL {
            return Err(BzImageError::Corrupt);
        }
        kernel.extend_from_slice(&block[..count]);
        rest = &rest[4 + size..];
    }
    Ok(kernel)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A bzImage around this payload, with one setup sector.
    fn image(payload: &[u8]) -> Vec<u8> {
        let mut image = vec![0; 1024];
        image[0x1f1] = 1;
        image[0x1fe..0x200].copy_from_slice(&[0x55, 0xaa]);
        image[0x202..0x206].copy_from_slice(b"HdrS");
        image[0x206] = 0x0f;
        image[0x207] = 0x02;
        image[0x24c..0x250].copy_from_slice(&(payload.len() as u32).to_le_bytes());
        image.extend_from_slice(payload);
        image
    }

    /// A legacy LZ4 frame with one block of literals.
    fn lz4(data: &[u8]) -> Vec<u8> {
        assert!(data.len() < 15);
        let mut frame = vec![0x02, 0x21, 0x4c, 0x18];
        frame.extend_from_slice(&(data.len() as u32 + 1).to_le_bytes());
        frame.push((data.len() as u8) << 4);
        frame.extend_from_slice(data);
        frame.extend_from_slice(&(data.len() as u32).to_le_bytes());
        frame
    }

    #[test]
    fn an_elf_file_is_taken_as_it_is_or_unpacked() {
        assert_eq!(vmlinux_of(b"\x7fELFxyz").unwrap(), b"\x7fELFxyz");
        assert_eq!(vmlinux_of(&image(&lz4(b"\x7fELFabc"))).unwrap(), b"\x7fELFabc");
        assert!(matches!(vmlinux_of(&image(&lz4(b"text"))), Err(BzImageError::NoElf)));
    }

    #[test]
    fn broken_images_are_errors() {
        let good = image(&lz4(b"\x7fELFabc"));
        for length in 0..good.len() {
            assert!(vmlinux_of(&good[..length]).is_err(), "{length}");
        }
        assert!(matches!(vmlinux_of(&image(b"\xfd7zXZ\0")), Err(BzImageError::Compression("xz"))));
        assert!(matches!(vmlinux_of(&image(b"\x02\x21\x4c\x18\xff\xff\xff\xff1234")), Err(BzImageError::Corrupt)));
    }
}
