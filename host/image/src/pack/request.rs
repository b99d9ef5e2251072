use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::Serialize;

use crate::{Image, Reference};

/// What to pack.
#[derive(Debug, Clone)]
pub struct PackRequest {
    /// The image's name.
    pub name: Reference,
    /// The program, on the host; it keeps its path.
    pub program: PathBuf,
    /// Further files and directories.
    pub add: Vec<Addition>,
    /// The image's entrypoint; usually empty.
    pub entrypoint: Vec<String>,
    /// The image's command; `None` means the program.
    pub cmd: Option<Vec<String>>,
    /// The image's environment; a usual `PATH` is added if there is none.
    pub env: Vec<String>,
    /// The image's working directory; empty means `/`.
    pub working_dir: String,
    /// The image's user; empty means root.
    pub user: String,
    /// Ports the program listens on, `PORT/PROTOCOL`.
    pub exposed_ports: Vec<String>,
    /// The time that the image claims to be from, in seconds since 1970, and the latest time of an added file
    /// (reproducible-builds.org, `SOURCE_DATE_EPOCH`). `None` means that the image is from 1970 and added files keep
    /// their times.
    pub source_date_epoch: Option<u64>,
}

impl PackRequest {
    /// A request with nothing but the necessary.
    pub fn new(name: Reference, program: impl Into<PathBuf>) -> Self {
        Self {
            name,
            program: program.into(),
            add: Vec::new(),
            entrypoint: Vec::new(),
            cmd: None,
            env: Vec::new(),
            working_dir: String::new(),
            user: String::new(),
            exposed_ports: Vec::new(),
            source_date_epoch: None,
        }
    }
}

/// A file or directory to add: `HOST:GUEST`, or `PATH` for the same on both sides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Addition {
    /// Where it is on the host.
    pub host: PathBuf,
    /// Where it goes, absolute.
    pub guest: PathBuf,
}

/// An `--add` argument that cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid addition '{0}'; write HOST:GUEST with an absolute path after the colon, for example ./site:/srv/www")]
pub struct AdditionError(String);

impl FromStr for Addition {
    type Err = AdditionError;

    fn from_str(text: &str) -> Result<Self, AdditionError> {
        let (host, guest) = text.rsplit_once(':').unwrap_or((text, text));
        let path = Path::new(guest);
        if host.is_empty() || !path.is_absolute() || guest.split('/').any(|part| part == "..") || text.contains('\0') {
            return Err(AdditionError(text.to_owned()));
        }
        Ok(Self { host: host.into(), guest: path.to_owned() })
    }
}

/// A packed image.
#[derive(Debug, Clone)]
pub struct Packed {
    /// The image, in the store.
    pub image: Image,
    /// Loaders, interpreters and libraries that added files ask for and the host does not have where they would be looked
    /// for. The program's own are never among them: without those, packing fails.
    pub missing: Vec<Missing>,
}

/// A loader, interpreter or library that was not found.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Missing {
    /// Its name, or its path where that is fixed.
    pub name: String,
    /// Who asks for it.
    pub needed_by: PathBuf,
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "'{}', needed by '{}', was not found", self.name, self.needed_by.display())
    }
}

/// Seconds since 1970 as RFC 3339 in UTC.
pub(super) fn rfc3339(seconds: u64) -> String {
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    // Days since 0000-03-01, in eras of 400 years, so that the leap day is a year's last.
    let days = days + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let shifted = (5 * day + 2) / 153;
    let day = day - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = era * 400 + year + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", rest / 3600, rest / 60 % 60, rest % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn additions() {
        let addition: Addition = "./site:/srv/www".parse().unwrap();
        assert_eq!((addition.host, addition.guest), ("./site".into(), "/srv/www".into()));
        assert_eq!("/a/b".parse::<Addition>().unwrap().host, PathBuf::from("/a/b"));
        for bad in ["", "a", "a:b", ":/b", "/a:/../b", "/a:"] {
            assert!(bad.parse::<Addition>().is_err(), "{bad}");
        }
    }

    #[test]
    fn times() {
        assert_eq!(rfc3339(0), "1970-01-01T00:00:00Z");
        assert_eq!(rfc3339(951_827_696), "2000-02-29T12:34:56Z");
        assert_eq!(rfc3339(1_735_689_599), "2024-12-31T23:59:59Z");
    }
}
