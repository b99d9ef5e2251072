/// The bytes before a payload: its length (`u32`, little-endian) and the kind (`u8`).
pub const HEADER: usize = 5;

/// The largest payload. A `Start` message carries arguments and environment, which Linux itself bounds at 2 MiB
/// (`MAX_ARG_STRLEN` × a quarter of the stack, execve(2)); 1 MiB of JSON is ample.
pub const MAX_PAYLOAD: usize = 1 << 20;

/// One frame as it lies in a buffer; nothing about its payload is known to be right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RawFrame<'a> {
    /// What the payload is.
    pub kind: u8,
    /// The payload.
    pub payload: &'a [u8],
}

/// A frame that cannot be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// The announced payload is larger than [`MAX_PAYLOAD`].
    #[error("a frame of {0} bytes exceeds the limit of {MAX_PAYLOAD}")]
    TooLong(usize),
}

/// Splits the first frame off `bytes`: the frame and the number of bytes that it took; `None` if it is not complete.
pub fn split(bytes: &[u8]) -> Result<Option<(RawFrame<'_>, usize)>, FrameError> {
    let Some((header, rest)) = bytes.split_at_checked(HEADER) else { return Ok(None) };
    let length = header.iter().take(4).rev().fold(0usize, |n, byte| (n << 8) | usize::from(*byte));
    if length > MAX_PAYLOAD {
        return Err(FrameError::TooLong(length));
    }
    let Some(payload) = rest.get(..length) else { return Ok(None) };
    Ok(Some((RawFrame { kind: header[4], payload }, HEADER + length)))
}

/// Appends one frame to `out`.
///
/// # Panics
/// If the payload exceeds [`MAX_PAYLOAD`]: the sender's own mistake.
pub(crate) fn append(out: &mut Vec<u8>, kind: u8, payload: &[u8]) {
    assert!(payload.len() <= MAX_PAYLOAD, "the sender limits its payloads");
    out.extend_from_slice(&(payload.len() as u32).to_le_bytes());
    out.push(kind);
    out.extend_from_slice(payload);
}

/// Collects bytes of a stream until they make frames. Holds at most one frame and what was read with it.
#[derive(Debug, Default)]
pub struct Decoder {
    buffer: Vec<u8>,
    taken: usize,
}

impl Decoder {
    /// Adds bytes that were read from the stream.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.drain(..self.taken);
        self.taken = 0;
        self.buffer.extend_from_slice(bytes);
    }

    /// The next complete frame; `None` if more bytes are needed.
    pub fn next_frame(&mut self) -> Result<Option<RawFrame<'_>>, FrameError> {
        let Some((frame, used)) = split(&self.buffer[self.taken..])? else { return Ok(None) };
        self.taken += used;
        Ok(Some(frame))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_survive_any_fragmentation() {
        let mut bytes = Vec::new();
        append(&mut bytes, 7, b"hello");
        append(&mut bytes, 8, b"");
        append(&mut bytes, 9, &[0xff; 300]);
        for step in 1..bytes.len() {
            let (mut decoder, mut seen) = (Decoder::default(), Vec::new());
            for chunk in bytes.chunks(step) {
                decoder.push(chunk);
                while let Some(frame) = decoder.next_frame().unwrap() {
                    seen.push((frame.kind, frame.payload.to_vec()));
                }
            }
            assert_eq!(seen, [(7, b"hello".to_vec()), (8, Vec::new()), (9, vec![0xff; 300])]);
        }
    }

    #[test]
    fn an_overlong_frame_is_refused_before_it_is_stored() {
        assert_eq!(split(&[1, 0, 0x10, 0, 4]), Err(FrameError::TooLong(MAX_PAYLOAD + 1)));
        assert_eq!(split(&[0xff; 5]), Err(FrameError::TooLong(u32::MAX as usize)));
        assert_eq!(split(&[0, 0, 0x10, 0, 4]), Ok(None));
        assert_eq!(split(&[]), Ok(None));
    }
}
