use std::fmt;
use std::io::{self, BufRead, Read};

use flate2::bufread::MultiGzDecoder;
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

/// How a stream is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// Not at all.
    None,
    /// gzip, RFC 1952.
    Gzip,
    /// Zstandard, RFC 8878.
    Zstd,
}

impl Compression {
    /// Tells the compression from the first bytes of a stream.
    pub fn sniff(start: &[u8]) -> Self {
        match start {
            [0x1f, 0x8b, ..] => Self::Gzip,
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Self::Zstd,
            // A skippable frame may come first (RFC 8878 section 3.1.2).
            [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Self::Zstd,
            _ => Self::None,
        }
    }
}

impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "plain tar",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        })
    }
}

/// More came out of a compressed stream than is allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it unpacks to more than the allowed {limit} bytes; raise the limit if you trust the source")]
pub(crate) struct UnpackLimitExceeded {
    pub(crate) limit: u64,
}

/// A decompressed stream of bounded length.
pub(crate) struct Decoder<R: BufRead> {
    inner: Inner<R>,
    left: u64,
    limit: u64,
}

enum Inner<R: BufRead> {
    Plain(R),
    Gzip(Box<MultiGzDecoder<R>>),
    Zstd(Box<Zstd<R>>),
}

impl<R: BufRead> Decoder<R> {
    /// Looks at the first bytes and decompresses accordingly. `limit` bounds what comes out.
    pub(crate) fn new(mut source: R, limit: u64) -> io::Result<(Self, Compression)> {
        let compression = Compression::sniff(source.fill_buf()?);
        let inner = match compression {
            Compression::None => Inner::Plain(source),
            Compression::Gzip => Inner::Gzip(Box::new(MultiGzDecoder::new(source))),
            Compression::Zstd => Inner::Zstd(Box::new(Zstd::new(source))),
        };
        Ok((Self { inner, left: limit, limit }, compression))
    }
}

impl<R: BufRead> Read for Decoder<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = match &mut self.inner {
            Inner::Plain(source) => source.read(buffer)?,
            Inner::Gzip(source) => source.read(buffer)?,
            Inner::Zstd(source) => source.read(buffer)?,
        };
        let Some(left) = self.left.checked_sub(read as u64) else {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, UnpackLimitExceeded { limit: self.limit }));
        };
        self.left = left;
        Ok(read)
    }
}

/// All frames of a Zstandard stream; the decoder by itself ends after the first.
struct Zstd<R> {
    source: R,
    decoder: FrameDecoder,
    in_frame: bool,
}

impl<R: BufRead> Zstd<R> {
    fn new(source: R) -> Self {
        Self { source, decoder: FrameDecoder::new(), in_frame: false }
    }

    /// Begins the next frame; `false` at the end of the stream.
    fn next_frame(&mut self) -> io::Result<bool> {
        loop {
            if self.source.fill_buf()?.is_empty() {
                return Ok(false);
            }
            match self.decoder.init(&mut self.source) {
                Ok(()) => {
                    self.in_frame = true;
                    return Ok(true);
                }
                Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame { length, .. })) => {
                    io::copy(&mut self.source.by_ref().take(u64::from(length)), &mut io::sink())?;
                }
                Err(error) => return Err(io::Error::new(io::ErrorKind::InvalidData, error)),
            }
        }
    }
}

impl<R: BufRead> Read for Zstd<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while !buffer.is_empty() {
            if !self.in_frame && !self.next_frame()? {
                return Ok(0);
            }
            while self.decoder.can_collect() < buffer.len() && !self.decoder.is_finished() {
                let missing = buffer.len() - self.decoder.can_collect();
                self.decoder
                    .decode_blocks(&mut self.source, BlockDecodingStrategy::UptoBytes(missing))
                    .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
            }
            let read = self.decoder.read(buffer)?;
            if read > 0 {
                return Ok(read);
            }
            self.in_frame = false;
        }
        Ok(0)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn decode(bytes: &[u8], limit: u64) -> io::Result<(Vec<u8>, Compression)> {
        let (mut decoder, compression) = Decoder::new(bytes, limit)?;
        let mut out = Vec::new();
        decoder.read_to_end(&mut out)?;
        Ok((out, compression))
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn zstd(bytes: &[u8]) -> Vec<u8> {
        ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Fastest)
    }

    #[test]
    fn all_forms_come_out_the_same() {
        let data = b"some data that repeats, some data that repeats".repeat(1000);
        for (packed, compression) in
            [(data.clone(), Compression::None), (gzip(&data), Compression::Gzip), (zstd(&data), Compression::Zstd)]
        {
            assert_eq!(decode(&packed, 1 << 20).unwrap(), (data.clone(), compression));
        }
    }

    #[test]
    fn members_and_frames_are_joined() {
        let joined = [gzip(b"one "), gzip(b"two")].concat();
        assert_eq!(decode(&joined, 100).unwrap().0, b"one two");
        let skippable = [&[0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0][..], b"xyz"].concat();
        let joined = [skippable.clone(), zstd(b"one "), skippable.clone(), zstd(b"two"), skippable].concat();
        assert_eq!(decode(&joined, 100).unwrap(), (b"one two".to_vec(), Compression::Zstd));
    }

    #[test]
    fn bombs_hit_the_limit() {
        let bomb = vec![0; 8 << 20];
        for packed in [gzip(&bomb), zstd(&bomb)] {
            assert!(packed.len() < 100 << 10);
            let error = decode(&packed, 1 << 20).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::FileTooLarge);
            assert!(error.to_string().contains("1048576"));
        }
    }

    #[test]
    fn truncated_streams_are_errors() {
        let data = b"some data that repeats".repeat(100);
        for packed in [gzip(&data), zstd(&data)] {
            assert!(decode(&packed[..packed.len() - 9], 1 << 20).is_err());
            assert!(decode(&packed[..packed.len() / 2], 1 << 20).is_err());
        }
    }
}
