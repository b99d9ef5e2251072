//! The keys that end the connection with a program's terminal and leave the program running.

/// A sequence of keys, `ctrl-p,ctrl-q` if nothing else is said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DetachKeys(Vec<u8>);

/// The text is no sequence of keys.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{0}' is no sequence of keys; write single letters or ctrl-LETTER with commas between, for example ctrl-p,ctrl-q"
)]
pub struct ParseKeysError(String);

impl Default for DetachKeys {
    fn default() -> Self {
        Self(vec![16, 17])
    }
}

impl std::str::FromStr for DetachKeys {
    type Err = ParseKeysError;

    fn from_str(text: &str) -> Result<Self, ParseKeysError> {
        if text.is_empty() {
            return Ok(Self(Vec::new()));
        }
        let key = |key: &str| match (key.as_bytes(), key.strip_prefix("ctrl-").map(str::as_bytes)) {
            ([byte], _) => Some(*byte),
            // The control characters of ASCII: @ A–Z [ \ ] ^ _.
            (_, Some([byte])) => Some(byte.to_ascii_uppercase()).filter(|b| (b'@'..=b'_').contains(b)).map(|b| b & 31),
            _ => None,
        };
        let keys: Option<Vec<u8>> = text.split(',').map(key).collect();
        keys.map(Self).ok_or_else(|| ParseKeysError(text.to_owned()))
    }
}

/// Looks for the sequence in what is typed.
#[derive(Debug)]
pub(super) struct Detector {
    keys: Vec<u8>,
    seen: usize,
}

impl Detector {
    pub(super) fn new(keys: &DetachKeys) -> Self {
        Self { keys: keys.0.clone(), seen: 0 }
    }

    /// What is to be passed on of some input, and whether the sequence is complete. The beginning of a sequence is held back
    /// until it is known to be none.
    pub(super) fn filter(&mut self, input: &[u8]) -> (Vec<u8>, bool) {
        let mut output = Vec::with_capacity(input.len());
        if self.keys.is_empty() {
            output.extend_from_slice(input);
            return (output, false);
        }
        for &byte in input {
            if byte != self.keys[self.seen] {
                output.extend_from_slice(&self.keys[..self.seen]);
                self.seen = 0;
            }
            if byte != self.keys[self.seen] {
                output.push(byte);
                continue;
            }
            self.seen += 1;
            if self.seen == self.keys.len() {
                return (output, true);
            }
        }
        (output, false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_as_docker_reads_them() {
        assert_eq!("ctrl-p,ctrl-q".parse(), Ok(DetachKeys::default()));
        assert_eq!("a,ctrl-[,ctrl-@".parse(), Ok(DetachKeys(vec![b'a', 27, 0])));
        assert_eq!("".parse(), Ok(DetachKeys(Vec::new())));
        for bad in ["ctrl-", "ctrl-1", "ab", "a,,b", "Ctrl-a"] {
            assert!(bad.parse::<DetachKeys>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_sequence_is_found_across_reads_and_nothing_else_is_lost() {
        let mut detector = Detector::new(&DetachKeys::default());
        assert_eq!(detector.filter(b"ab\x10"), (b"ab".to_vec(), false));
        assert_eq!(detector.filter(b"c\x10\x10"), (b"\x10c\x10".to_vec(), false));
        assert_eq!(detector.filter(b"\x11rest"), (Vec::new(), true));
        let mut none = Detector::new(&DetachKeys(Vec::new()));
        assert_eq!(none.filter(b"\x10\x11"), (b"\x10\x11".to_vec(), false));
    }
}
