//! Intel's Resource Director Technology (`linux.intelRdt`): shares of the cache and of memory bandwidth, as a directory of the
//! resctrl file system (resctrl.rst of the kernel).

use std::io;
use std::path::{Path, PathBuf};

use oci_spec::runtime::LinuxIntelRdt;

/// Where resctrl is mounted.
const MOUNT: &str = "/sys/fs/resctrl";

/// A class of service that a container is in.
#[derive(Debug, PartialEq, Eq)]
pub struct Class {
    directory: PathBuf,
    /// It was made for this container and goes with it.
    own: bool,
}

/// Why a container is in no class of service.
#[derive(Debug, thiserror::Error)]
pub enum RdtError {
    /// This machine has none, or nobody has mounted resctrl.
    #[error("linux.intelRdt needs {MOUNT}; if this machine's processor can do it: mount -t resctrl resctrl {MOUNT}")]
    NotMounted,
    /// A class that is shared with others must exist when nothing says what it is.
    #[error("linux.intelRdt.closID: the class {directory} does not exist, and no schema says what it would be")]
    NoClass {
        /// Its directory.
        directory: PathBuf,
    },
    /// The kernel refuses it.
    #[error("cannot write {path}")]
    Write {
        /// The file or directory.
        path: PathBuf,
        /// The kernel's answer.
        #[source]
        source: io::Error,
    },
}

/// Puts a process into the class of service that is asked for; one that does not exist is made.
///
/// # Errors
/// [`RdtError`]; no class is left after one.
pub fn enter(rdt: &LinuxIntelRdt, id: &str, pid: i32) -> Result<Class, RdtError> {
    let root = Path::new(MOUNT);
    if !root.join("schemata").exists() {
        return Err(RdtError::NotMounted);
    }
    enter_below(root, rdt, id, pid)
}

fn enter_below(root: &Path, rdt: &LinuxIntelRdt, id: &str, pid: i32) -> Result<Class, RdtError> {
    let directory = root.join(rdt.clos_id().as_deref().unwrap_or(id));
    let schemata = schemata(rdt);
    let own = match std::fs::create_dir(&directory) {
        Ok(()) => true,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => false,
        Err(source) => return Err(RdtError::Write { path: directory, source }),
    };
    let class = Class { directory, own };
    if own && rdt.clos_id().is_some() && schemata.is_empty() {
        class.remove();
        return Err(RdtError::NoClass { directory: class.directory });
    }
    let write = |name: &str, text: &str| {
        let path = class.directory.join(name);
        std::fs::write(&path, text).map_err(|source| RdtError::Write { path, source })
    };
    let written = (|| {
        if !schemata.is_empty() {
            write("schemata", &schemata)?;
        }
        write("tasks", &pid.to_string())
    })();
    match written {
        Ok(()) => Ok(class),
        Err(error) => {
            class.remove();
            Err(error)
        }
    }
}

/// The lines of `schemata`: those of the field of that name are the last, because they overrule the others.
fn schemata(rdt: &LinuxIntelRdt) -> String {
    let older = rdt.l3_cache_schema().iter().chain(rdt.mem_bw_schema());
    let lines = older.chain(rdt.schemata().iter().flatten());
    lines.map(|line| format!("{line}\n")).collect()
}

impl Class {
    /// The class that a container with this specification has, for its removal.
    pub fn of(rdt: &LinuxIntelRdt, id: &str) -> Self {
        Self { directory: Path::new(MOUNT).join(id), own: rdt.clos_id().is_none() }
    }

    /// Removes the class, if it is only this container's.
    pub fn remove(&self) {
        if self.own {
            // It has no files of ours, and a class that somebody removed is gone.
            let _ = std::fs::remove_dir(&self.directory);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rdt(json: &str) -> LinuxIntelRdt {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn lines_are_in_the_order_in_which_they_overrule() {
        let rdt = rdt(r#"{"l3CacheSchema":"L3:0=f","memBwSchema":"MB:0=50","schemata":["L3:0=1"]}"#);
        assert_eq!(schemata(&rdt), "L3:0=f\nMB:0=50\nL3:0=1\n");
    }

    #[test]
    fn a_class_is_made_and_joined() {
        let root = tempfile::tempdir().unwrap();
        let class = enter_below(root.path(), &rdt(r#"{"l3CacheSchema":"L3:0=f"}"#), "box", 7).unwrap();
        assert!(class.own);
        assert_eq!(std::fs::read_to_string(root.path().join("box/tasks")).unwrap(), "7");
        let shared = enter_below(root.path(), &rdt(r#"{"closID":"box"}"#), "other", 8).unwrap();
        assert!(!shared.own);
        let error = enter_below(root.path(), &rdt(r#"{"closID":"none"}"#), "other", 8).unwrap_err();
        assert!(matches!(error, RdtError::NoClass { .. }), "{error}");
        assert!(!root.path().join("none").exists());
    }
}
