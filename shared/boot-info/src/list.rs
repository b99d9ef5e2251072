use core::fmt;

/// A list of strings, each ended by a zero byte.
#[derive(Clone, Copy, Default)]
pub struct StrList<'a>(&'a [u8]);

impl<'a> StrList<'a> {
    /// Takes a region; `None` unless it is empty or ends with a zero byte.
    pub fn new(bytes: &'a [u8]) -> Option<Self> {
        (bytes.is_empty() || bytes.last() == Some(&0)).then_some(Self(bytes))
    }

    /// The region itself: every string with its zero byte.
    pub fn as_bytes(self) -> &'a [u8] {
        self.0
    }

    /// The strings, without their zero bytes. They need not be UTF-8.
    pub fn iter(self) -> impl Iterator<Item = &'a [u8]> {
        self.0.split_inclusive(|b| *b == 0).map(|s| &s[..s.len() - 1])
    }

    /// How many strings there are.
    pub fn count(self) -> usize {
        self.iter().count()
    }
}

impl fmt::Debug for StrList<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter().map(|s| s.escape_ascii())).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_end_with_zero() {
        assert!(StrList::new(b"a").is_none());
        assert_eq!(StrList::new(b"").unwrap().count(), 0);
        let list = StrList::new(b"a\0\0bc\0").unwrap();
        assert!(list.iter().eq([&b"a"[..], b"", b"bc"]));
    }
}
