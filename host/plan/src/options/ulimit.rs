use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A limit of setrlimit(2): `NAME=SOFT[:HARD]`, -1 is unlimited.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ulimit {
    /// The name without `RLIMIT_`, in lower case.
    pub name: String,
    /// What is enforced.
    pub soft: u64,
    /// How far the program may raise it.
    pub hard: u64,
}

/// A `--ulimit` argument that cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UlimitParseError {
    /// Not of the form.
    #[error("invalid limit '{0}'; write NAME=SOFT[:HARD], for example nofile=1024:2048, with -1 for unlimited")]
    Form(String),
    /// No such limit.
    #[error("there is no limit '{0}'; choose one of {names}", names = NAMES.join(", "))]
    Name(String),
    /// The wrong way round.
    #[error("the soft limit of '{0}' is higher than the hard one")]
    Order(String),
}

const NAMES: [&str; 15] = [
    "as",
    "core",
    "cpu",
    "data",
    "fsize",
    "locks",
    "memlock",
    "msgqueue",
    "nice",
    "nofile",
    "nproc",
    "rss",
    "rtprio",
    "sigpending",
    "stack",
];

impl FromStr for Ulimit {
    type Err = UlimitParseError;

    fn from_str(text: &str) -> Result<Self, UlimitParseError> {
        let form = || UlimitParseError::Form(text.to_owned());
        let (name, values) = text.split_once('=').ok_or_else(form)?;
        if !NAMES.contains(&name) && name != "rttime" {
            return Err(UlimitParseError::Name(name.to_owned()));
        }
        let (soft, hard) = values.split_once(':').unwrap_or((values, values));
        let number = |text: &str| match text {
            "-1" | "unlimited" => Some(u64::MAX),
            digits => digits.parse::<u64>().ok(),
        };
        let (soft, hard) = number(soft).zip(number(hard)).ok_or_else(form)?;
        if soft > hard {
            return Err(UlimitParseError::Order(name.to_owned()));
        }
        Ok(Self { name: name.to_owned(), soft, hard })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits() {
        let limit: Ulimit = "nofile=1024:2048".parse().unwrap();
        assert_eq!((limit.name.as_str(), limit.soft, limit.hard), ("nofile", 1024, 2048));
        assert_eq!("core=-1".parse::<Ulimit>().unwrap().hard, u64::MAX);
        for bad in ["", "nofile", "nofile=", "nofile=a", "nofile=2:1", "files=1", "nofile=-1:5"] {
            assert!(bad.parse::<Ulimit>().is_err(), "{bad}");
        }
    }
}
