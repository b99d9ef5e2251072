use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The longest name: it names a directory (`NAME_MAX`).
const LONGEST: usize = 255;

/// A container's name. It names directories and control groups, so it never has a slash and is never `.` or `..`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ContainerId(String);

/// Why a text is not a container's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidId {
    /// Empty.
    #[error("container id is empty")]
    Empty,
    /// Longer than a file name may be.
    #[error("container id of {0} bytes is too long: at most 255")]
    Long(usize),
    /// A character that is not allowed.
    #[error("invalid container id '{id}': {character:?} is not among letters, digits and _+-.")]
    Character {
        /// The text.
        id: String,
        /// Its first character that is not allowed.
        character: char,
    },
    /// `.` or `..`.
    #[error("invalid container id '{0}': it would name another directory")]
    Dots(String),
}

impl ContainerId {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ContainerId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let allowed = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '_' | '+' | '-' | '.');
        if text.is_empty() {
            return Err(InvalidId::Empty);
        }
        if text.len() > LONGEST {
            return Err(InvalidId::Long(text.len()));
        }
        if let Some(character) = text.chars().find(|c| !allowed(c)) {
            return Err(InvalidId::Character { id: text.to_owned(), character });
        }
        if text == "." || text.contains("..") {
            return Err(InvalidId::Dots(text.to_owned()));
        }
        Ok(Self(text.to_owned()))
    }
}

impl TryFrom<String> for ContainerId {
    type Error = InvalidId;

    fn try_from(text: String) -> Result<Self, InvalidId> {
        text.parse()
    }
}

impl From<ContainerId> for String {
    fn from(id: ContainerId) -> Self {
        id.0
    }
}

impl fmt::Display for ContainerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for good in ["a", "box-1.2_3+x", &"a".repeat(255), "-x", ".hidden"] {
            assert!(good.parse::<ContainerId>().is_ok(), "{good}");
        }
        for bad in ["", ".", "..", "a/b", "/", "../x", "a..b", "a b", "é", "a\0", "a\n", &"a".repeat(256)] {
            assert!(bad.parse::<ContainerId>().is_err(), "{bad}");
        }
    }
}
