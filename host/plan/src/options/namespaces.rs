use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Which process tree an instance sees.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PidMode {
    /// Its own.
    #[default]
    Private,
    /// The host's.
    Host,
    /// That of another container.
    Container(String),
}

/// Whose System V objects, message queues and /dev/shm an instance sees.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum IpcMode {
    /// Its own.
    #[default]
    Private,
    /// Its own, which others may share.
    Shareable,
    /// The host's.
    Host,
    /// That of another container.
    Container(String),
}

/// Whose host name an instance has.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UtsMode {
    /// Its own.
    #[default]
    Private,
    /// The host's.
    Host,
}

/// Which control groups an instance sees.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CgroupMode {
    /// Its own as the root.
    #[default]
    Private,
    /// The host's.
    Host,
}

/// Whose user ids an instance uses (user_namespaces(7)).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum UserMode {
    /// Those of whoever runs the engine.
    #[default]
    Host,
    /// 65,536 ids that no other instance has.
    Auto,
    /// The caller's id is the same inside and outside (rootless).
    KeepId,
    /// Mappings of user and group ids.
    Mapped(Vec<IdMapping>, Vec<IdMapping>),
}

/// `INSIDE:OUTSIDE:COUNT`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdMapping {
    /// The first id inside.
    pub inside: u32,
    /// The id outside that it stands for.
    pub outside: u32,
    /// How many ids in a row.
    pub count: u32,
}

/// A mode that cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ModeParseError {
    /// Not one of the words.
    #[error("'{text}' is not possible here; choose {choices}")]
    Word {
        /// What was written.
        text: String,
        /// What could be.
        choices: &'static str,
    },
    /// Not a mapping.
    #[error("invalid mapping '{0}'; write INSIDE:OUTSIDE:COUNT, for example 0:100000:65536")]
    Mapping(String),
}

fn word(text: &str, choices: &'static str) -> ModeParseError {
    ModeParseError::Word { text: text.to_owned(), choices }
}

/// The name in `container:NAME`.
fn container(text: &str) -> Option<String> {
    text.strip_prefix("container:").filter(|name| !name.is_empty()).map(str::to_owned)
}

impl FromStr for PidMode {
    type Err = ModeParseError;

    fn from_str(text: &str) -> Result<Self, ModeParseError> {
        match text {
            "private" => Ok(Self::Private),
            "host" => Ok(Self::Host),
            _ => container(text).map(Self::Container).ok_or_else(|| word(text, "private, host or container:NAME")),
        }
    }
}

impl FromStr for IpcMode {
    type Err = ModeParseError;

    fn from_str(text: &str) -> Result<Self, ModeParseError> {
        match text {
            "private" => Ok(Self::Private),
            "shareable" => Ok(Self::Shareable),
            "host" => Ok(Self::Host),
            _ => container(text)
                .map(Self::Container)
                .ok_or_else(|| word(text, "private, shareable, host or container:NAME")),
        }
    }
}

impl FromStr for UtsMode {
    type Err = ModeParseError;

    fn from_str(text: &str) -> Result<Self, ModeParseError> {
        match text {
            "private" => Ok(Self::Private),
            "host" => Ok(Self::Host),
            _ => Err(word(text, "private or host")),
        }
    }
}

impl FromStr for CgroupMode {
    type Err = ModeParseError;

    fn from_str(text: &str) -> Result<Self, ModeParseError> {
        match text {
            "private" => Ok(Self::Private),
            "host" => Ok(Self::Host),
            _ => Err(word(text, "private or host")),
        }
    }
}

impl FromStr for UserMode {
    type Err = ModeParseError;

    fn from_str(text: &str) -> Result<Self, ModeParseError> {
        match text {
            "host" => Ok(Self::Host),
            "auto" => Ok(Self::Auto),
            "keep-id" => Ok(Self::KeepId),
            _ => Err(word(text, "host, auto or keep-id, or give --uidmap and --gidmap")),
        }
    }
}

impl FromStr for IdMapping {
    type Err = ModeParseError;

    fn from_str(text: &str) -> Result<Self, ModeParseError> {
        let numbers: Option<Vec<u32>> = text.split(':').map(|n| n.parse().ok()).collect();
        match numbers.as_deref() {
            Some(&[inside, outside, count])
                if count > 0 && inside.checked_add(count).is_some() && outside.checked_add(count).is_some() =>
            {
                Ok(Self { inside, outside, count })
            }
            _ => Err(ModeParseError::Mapping(text.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes() {
        assert_eq!("container:db".parse(), Ok(PidMode::Container("db".to_owned())));
        assert_eq!("shareable".parse(), Ok(IpcMode::Shareable));
        assert_eq!("keep-id".parse(), Ok(UserMode::KeepId));
        assert!("container:".parse::<PidMode>().is_err());
        assert!("none".parse::<UtsMode>().is_err());
        assert!("".parse::<CgroupMode>().is_err());
    }

    #[test]
    fn mappings() {
        assert_eq!("0:100000:65536".parse(), Ok(IdMapping { inside: 0, outside: 100_000, count: 65536 }));
        for bad in ["", "0:1", "0:1:0", "0:-1:2", "0:4294967295:2", "a:b:c", "0:1:2:3"] {
            assert!(bad.parse::<IdMapping>().is_err(), "{bad}");
        }
    }
}
