//! Named volumes: directories of the state directory that outlive instances.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use crate::instance::{read_small, write_atomic};
use crate::{Engine, Error};

/// A named volume.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamedVolume {
    /// Its name.
    pub name: String,
    /// Where its files are.
    #[serde(default)]
    pub path: PathBuf,
    /// When it was made.
    pub created: SystemTime,
    /// Free key-value pairs.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
}

/// Whether a text can name a volume: no path, no flag.
pub fn is_volume_name(text: &str) -> bool {
    let plain = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'_' | b'.' | b'-');
    text.len() <= 63 && text.bytes().next().is_some_and(|c| c.is_ascii_alphanumeric()) && text.bytes().all(plain)
}

const DATA: &str = "data";
const RECORD: &str = "volume.json";

impl Engine {
    /// Makes a volume; one that exists stays as it is.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a bad name, [`Error::File`].
    pub fn create_volume(&self, name: &str, labels: BTreeMap<String, String>) -> Result<NamedVolume, Error> {
        if !is_volume_name(name) {
            return Err(Error::BadName(name.to_owned()));
        }
        match self.volume(name) {
            Err(Error::NoNamedVolume(_)) => {}
            found => return found,
        }
        let dir = self.paths().volumes().join(name);
        let data = dir.join(DATA);
        fs::create_dir_all(&data).map_err(Error::file("creating", &data))?;
        let volume = NamedVolume { name: name.to_owned(), path: data, created: SystemTime::now(), labels };
        let text = serde_json::to_vec(&volume).map_err(|source| Error::Damaged { path: dir.join(RECORD), source })?;
        write_atomic(&dir.join(RECORD), &text)?;
        Ok(volume)
    }

    /// A volume by name.
    ///
    /// # Errors
    /// [`Error::NoNamedVolume`], [`Error::Damaged`].
    pub fn volume(&self, name: &str) -> Result<NamedVolume, Error> {
        let missing = || Error::NoNamedVolume(name.to_owned());
        if !is_volume_name(name) {
            return Err(missing());
        }
        let dir = self.paths().volumes().join(name);
        let path = dir.join(RECORD);
        let text = match read_small(&path) {
            Err(e) if e.kind() == ErrorKind::NotFound => return Err(missing()),
            read => read.map_err(Error::file("reading", &path))?,
        };
        let mut volume: NamedVolume =
            serde_json::from_slice(&text).map_err(|source| Error::Damaged { path, source })?;
        // The state directory may have been moved.
        volume.path = dir.join(DATA);
        Ok(volume)
    }

    /// All volumes by name.
    pub fn volumes(&self) -> Vec<NamedVolume> {
        let entries = fs::read_dir(self.paths().volumes()).into_iter().flatten().flatten();
        let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
        let mut all: Vec<NamedVolume> = names.filter_map(|name| self.volume(&name).ok()).collect();
        all.sort_by(|a, b| a.name.cmp(&b.name));
        all
    }

    /// Removes a volume that no instance uses.
    ///
    /// # Errors
    /// [`Error::VolumeInUse`], [`Error::NoNamedVolume`], [`Error::File`].
    pub fn remove_volume(&self, name: &str) -> Result<(), Error> {
        let volume = self.volume(name)?;
        if let Some(instance) = self.user_of(&volume.path) {
            return Err(Error::VolumeInUse { volume: name.to_owned(), instance });
        }
        let dir = self.paths().volumes().join(name);
        // Without its record it exists no more, however far the removal of its files gets.
        fs::remove_file(dir.join(RECORD)).map_err(Error::file("removing", dir.join(RECORD)))?;
        fs::remove_dir_all(&dir).map_err(Error::file("removing", dir))
    }

    /// Removes every volume that no instance uses, and gives their names.
    ///
    /// # Errors
    /// As [`Engine::remove_volume`].
    pub fn prune_volumes(&self) -> Result<Vec<String>, Error> {
        let mut removed = Vec::new();
        for volume in self.volumes() {
            match self.remove_volume(&volume.name) {
                Ok(()) => removed.push(volume.name),
                Err(Error::VolumeInUse { .. } | Error::NoNamedVolume(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(removed)
    }

    /// The name of an instance that a volume's directory is shared with.
    fn user_of(&self, path: &Path) -> Option<String> {
        let uses = |plan: &plan::LaunchPlan| plan.volumes.iter().any(|volume| volume.host == path);
        self.list().into_iter().find(|instance| uses(&instance.plan)).map(|instance| instance.plan.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for good in ["data", "db-1", "a.b_c", "0"] {
            assert!(is_volume_name(good), "{good}");
        }
        for bad in ["", ".", "..", "-x", "a/b", "/a", "a b", "é", &"x".repeat(64)] {
            assert!(!is_volume_name(bad), "{bad}");
        }
    }

    #[test]
    fn a_volume_s_life() {
        let dir = tempfile::tempdir().unwrap();
        let engine = Engine::open(crate::Paths::below(dir.path()));
        assert!(matches!(engine.volume("data"), Err(Error::NoNamedVolume(_))));
        let made = engine.create_volume("data", BTreeMap::new()).unwrap();
        fs::write(made.path.join("file"), "x").unwrap();
        assert_eq!(engine.create_volume("data", BTreeMap::new()).unwrap(), made, "a second time changes nothing");
        assert_eq!(engine.volumes(), [made]);
        assert_eq!(engine.prune_volumes().unwrap(), ["data"]);
        assert!(engine.volumes().is_empty() && !dir.path().join("volumes/data").exists());
        assert!(engine.create_volume("../x", BTreeMap::new()).is_err());
    }
}
