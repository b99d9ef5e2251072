//! Kernel modules: the host puts those that a VM may need into the initial RAM file system.

use std::collections::HashMap;
use std::fs::{self, File};
use std::path::PathBuf;

use rustix::io::Errno;

use crate::error::Error;

/// Where the host puts modules.
const DIRECTORY: &str = "/modules";

/// One `name: dependency…` line per module, written by the host from the modules' own `depends=` entries.
const INDEX: &str = "/modules/index";

/// Needed by every VM.
pub(crate) const BASE: &[&str] = &["virtio_mmio", "virtio_console", "virtio_blk", "erofs", "overlay", "virtio_balloon"];

/// Needed for a network interface.
pub(crate) const NETWORK: &[&str] = &["virtio_net"];

/// Needed for volumes.
pub(crate) const VOLUMES: &[&str] = &["virtiofs"];

/// The modules at hand and what each depends on. A module that is not listed is built into the kernel.
pub(crate) struct Modules {
    dependencies: HashMap<String, Vec<String>>,
}

impl Modules {
    pub(crate) fn read() -> Result<Self, Error> {
        let text = fs::read_to_string(INDEX).map_err(Error::io(format!("reading {INDEX}")))?;
        Ok(Self { dependencies: parse_index(&text) })
    }

    /// Loads these modules and, before each, what it depends on.
    pub(crate) fn load(&self, names: &[&str]) -> Result<(), Error> {
        names.iter().try_for_each(|name| self.load_one(name, 0))
    }

    fn load_one(&self, name: &str, depth: usize) -> Result<(), Error> {
        /// Real chains have three links; a circle must not overflow the stack.
        const MAX_DEPTH: usize = 16;
        let Some(dependencies) = self.dependencies.get(name) else { return Ok(()) };
        if depth > MAX_DEPTH {
            return Err(Error::NoModule(name.to_owned()));
        }
        for dependency in dependencies {
            self.load_one(dependency, depth + 1)?;
        }
        let path = PathBuf::from(DIRECTORY).join(format!("{name}.ko"));
        let file = File::open(&path).map_err(|_| Error::NoModule(name.to_owned()))?;
        match rustix::system::finit_module(&file, c"", 0) {
            Ok(()) | Err(Errno::EXIST) => Ok(()),
            Err(source) => Err(Error::System { what: format!("loading the kernel module '{name}'"), source }),
        }
    }
}

fn parse_index(text: &str) -> HashMap<String, Vec<String>> {
    text.lines()
        .filter_map(|line| line.split_once(':'))
        .map(|(name, rest)| (name.to_owned(), rest.split_whitespace().map(str::to_owned).collect()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_index_names_dependencies() {
        let index = parse_index("virtio: virtio_ring\nvirtio_ring:\nnonsense\n");
        assert_eq!(index["virtio"], ["virtio_ring"]);
        assert!(index["virtio_ring"].is_empty());
        assert_eq!(index.len(), 2);
    }
}
