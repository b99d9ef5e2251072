//! Names of instances: one file per name, made with O_EXCL, so that a name is given once however many starts race.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use plan::InstanceId;

use crate::Error;
use crate::instance::files::{create_new, read_small};

/// The table of names.
#[derive(Debug, Clone)]
pub(crate) struct Names(PathBuf);

impl Names {
    pub(crate) fn new(dir: PathBuf) -> Self {
        Self(dir)
    }

    /// Where the names are kept.
    pub(crate) fn dir(&self) -> &Path {
        &self.0
    }

    /// Gives the name to an instance. `holder_exists` tells whether a name's present holder is still there.
    pub(crate) fn reserve(
        &self,
        name: &str,
        id: &InstanceId,
        holder_exists: impl Fn(&InstanceId) -> bool,
    ) -> Result<(), Error> {
        check(name)?;
        let path = self.0.join(name);
        for _ in 0..2 {
            match create_new(&path, id.as_str().as_bytes()) {
                Ok(()) => return Ok(()),
                Err(e) if e.kind() == ErrorKind::AlreadyExists => {}
                Err(e) => return Err(Error::file("creating", path)(e)),
            }
            match self.holder(name) {
                Some(holder) if holder_exists(&holder) => {
                    return Err(Error::NameInUse { name: name.to_owned(), id: holder.short().to_owned() });
                }
                // Its holder died between taking the name and making its directory, or before giving it back.
                _ => drop(fs::remove_file(&path)),
            }
        }
        Err(Error::NameInUse { name: name.to_owned(), id: "another start".to_owned() })
    }

    /// Who has the name.
    pub(crate) fn holder(&self, name: &str) -> Option<InstanceId> {
        check(name).ok()?;
        String::from_utf8(read_small(&self.0.join(name)).ok()?).ok()?.parse().ok()
    }

    /// Takes the name back if this instance has it.
    pub(crate) fn release(&self, name: &str, id: &InstanceId) {
        if self.holder(name).as_ref() == Some(id) {
            let _ = fs::remove_file(self.0.join(name));
        }
    }

    /// All names with their holders.
    pub(crate) fn all(&self) -> Vec<(String, Option<InstanceId>)> {
        let Ok(entries) = fs::read_dir(&self.0) else { return Vec::new() };
        let names = entries.flatten().filter_map(|e| e.file_name().into_string().ok());
        names.map(|name| (name.clone(), self.holder(&name))).collect()
    }

    /// Removes a name whatever it says.
    pub(crate) fn forget(&self, name: &str) {
        if check(name).is_ok() {
            let _ = fs::remove_file(self.0.join(name));
        }
    }
}

fn check(name: &str) -> Result<(), Error> {
    let fine = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'_' | b'.' | b'-');
    let first = name.as_bytes().first().is_some_and(u8::is_ascii_alphanumeric);
    if first && name.len() <= 63 && name.bytes().all(fine) { Ok(()) } else { Err(Error::BadName(name.to_owned())) }
}

/// Makes a name from random bits, easy to say and to tell apart.
pub(crate) fn invent(random: u64) -> String {
    const HOW: [&str; 32] = [
        "amber", "brisk", "calm", "deft", "eager", "fair", "gentle", "hardy", "ideal", "jolly", "keen", "light",
        "mellow", "nimble", "open", "plain", "quick", "ready", "steady", "tidy", "upright", "vivid", "warm", "young",
        "zesty", "bold", "clear", "dry", "early", "fresh", "grand", "handy",
    ];
    const WHAT: [&str; 32] = [
        "anchor", "barge", "canoe", "dinghy", "eddy", "ferry", "galley", "harbor", "inlet", "jetty", "kayak", "lagoon",
        "mast", "narrows", "oar", "punt", "quay", "raft", "skiff", "tide", "umiak", "vessel", "wake", "yawl", "beacon",
        "current", "delta", "estuary", "fjord", "gull", "heron", "island",
    ];
    let pick = |list: [&'static str; 32], shift: u32| list[(random >> shift) as usize & 31];
    format!("{}_{}_{:04x}", pick(HOW, 0), pick(WHAT, 5), (random >> 10) as u16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_one_holder() {
        let dir = tempfile::tempdir().unwrap();
        let names = Names::new(dir.path().to_owned());
        let (a, b) = (InstanceId::from_bytes([1; 32]), InstanceId::from_bytes([2; 32]));
        names.reserve("web", &a, |_| true).unwrap();
        assert!(matches!(names.reserve("web", &b, |_| true), Err(Error::NameInUse { .. })));
        names.release("web", &b);
        assert_eq!(names.holder("web"), Some(a.clone()), "only its holder can give it back");
        names.reserve("web", &b, |_| false).expect("the holder is gone");
        assert_eq!(names.holder("web"), Some(b));
    }

    #[test]
    fn names_are_not_paths() {
        let names = Names::new("/nonexistent".into());
        for bad in ["", "..", "../x", "a/b", "-a", ".a", "a b", &"a".repeat(64)] {
            let id = InstanceId::from_bytes([0; 32]);
            assert!(matches!(names.reserve(bad, &id, |_| true), Err(Error::BadName(_))), "{bad}");
        }
        assert!(check(&invent(0x1234_5678_9abc_def0)).is_ok());
    }
}
