use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A host file or directory that an instance sees: `HOST:GUEST[:ro]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Volume {
    /// The path on the host, absolute.
    pub host: PathBuf,
    /// The path inside, absolute and without `..`.
    pub guest: PathBuf,
    /// Refuses writes.
    pub read_only: bool,
}

/// A `-v` argument that cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VolumeParseError {
    /// Not of the form.
    #[error("invalid volume '{0}'; write HOST:GUEST[:ro], for example /srv/data:/data:ro")]
    Form(String),
    /// A path is relative or goes up.
    #[error("volume path '{0}' must be absolute and without '..'")]
    Path(String),
}

impl FromStr for Volume {
    type Err = VolumeParseError;

    fn from_str(text: &str) -> Result<Self, VolumeParseError> {
        let parts: Vec<&str> = text.split(':').collect();
        let (host, guest, read_only) = match parts[..] {
            [host, guest] | [host, guest, "rw"] => (host, guest, false),
            [host, guest, "ro"] => (host, guest, true),
            _ => return Err(VolumeParseError::Form(text.to_owned())),
        };
        for path in [host, guest] {
            if !path.starts_with('/') || path.split('/').any(|part| part == "..") || path.contains('\0') {
                return Err(VolumeParseError::Path(path.to_owned()));
            }
        }
        if guest.trim_matches('/').is_empty() {
            return Err(VolumeParseError::Path(guest.to_owned()));
        }
        Ok(Self { host: host.into(), guest: guest.into(), read_only })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms() {
        let v: Volume = "/srv:/data:ro".parse().unwrap();
        assert!(v.read_only && v.guest.as_os_str() == "/data");
        for bad in ["", "/a", "a:/b", "/a:b", "/a:/b:xx", "/a:/../b", "/a:/", "/a:/b:ro:x"] {
            assert!(bad.parse::<Volume>().is_err(), "{bad}");
        }
    }
}
