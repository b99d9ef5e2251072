//! The guest kernel: installed once per machine, from Debian's cloud kernel package.
//!
//! `<directory>/<version>/vmlinux` is the kernel as an ELF file, which boots by PVH about 0.6 s sooner than the compressed
//! bzImage (it need not unpack itself under emulation); `<directory>/<version>/modules/` holds the few modules that a
//! microVM needs, and `index` names what each depends on.

mod bzimage;
mod install;
mod modinfo;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

pub use bzimage::{BzImageError, vmlinux_of};
pub use install::{fetch, install_deb};
pub use modinfo::dependencies;

/// Modules that the agent may ask for. What these depend on comes along.
pub(crate) const MODULES: [&str; 8] =
    ["virtio_mmio", "virtio_console", "virtio_blk", "virtio_balloon", "virtio_net", "erofs", "overlay", "virtiofs"];

/// An installed guest kernel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kernel {
    /// The kernel as an uncompressed ELF file.
    pub vmlinux: PathBuf,
    /// The directory of its modules.
    pub modules: PathBuf,
    /// Its version, as `uname -r` prints it.
    pub version: String,
}

/// Why there is no usable guest kernel.
#[derive(Debug, thiserror::Error)]
pub enum KernelError {
    /// None is installed.
    #[error("no guest kernel is installed in {}; run: coracle kernel install", .0.display())]
    Missing(PathBuf),
    /// A file operation failed.
    #[error("{what} {}", path.display())]
    File {
        /// What was being done.
        what: &'static str,
        /// To which file.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// A tool of Debian could not be run.
    #[error("running {0}; it is part of Debian and needed to install a guest kernel")]
    NoTool(&'static str, #[source] io::Error),
    /// A tool of Debian failed.
    #[error("{tool} failed: {message}")]
    Tool {
        /// The tool.
        tool: &'static str,
        /// The last line of its messages.
        message: String,
    },
    /// The package lists are empty or too old.
    #[error("apt knows no linux-image-cloud-amd64; run: apt-get update")]
    NoCandidate,
    /// The package holds no kernel image.
    #[error("{} is no kernel package: it has no boot/vmlinuz-*", .0.display())]
    NoImage(PathBuf),
    /// The kernel lacks a module.
    #[error(
        "the kernel {version} has no module '{module}'; install Debian's linux-image-cloud-amd64 of version 6.1 or later"
    )]
    NoModule {
        /// The kernel's version.
        version: String,
        /// The missing module.
        module: String,
    },
    /// The kernel image is not understood.
    #[error("{}", path.display())]
    Image {
        /// The image.
        path: PathBuf,
        /// What is wrong with it.
        source: BzImageError,
    },
}

impl KernelError {
    pub(crate) fn file(what: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { what, path, source }
    }
}

/// The newest kernel that is installed in `dir`.
pub fn locate(dir: &Path) -> Result<Kernel, KernelError> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(KernelError::Missing(dir.to_owned())),
        Err(source) => return Err(KernelError::File { what: "reading", path: dir.to_owned(), source }),
    };
    let versions = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
    let installed = versions.filter_map(|version| at(dir, version));
    installed.max_by_key(|kernel| sort_key(&kernel.version)).ok_or_else(|| KernelError::Missing(dir.to_owned()))
}

fn at(dir: &Path, version: String) -> Option<Kernel> {
    let home = dir.join(&version);
    let kernel = Kernel { vmlinux: home.join("vmlinux"), modules: home.join("modules"), version };
    // Directories whose installation was interrupted begin with a dot.
    (!kernel.version.starts_with('.') && kernel.vmlinux.is_file()).then_some(kernel)
}

/// Numbers in a version compare as numbers: 6.1.0-9 is older than 6.1.0-10.
fn sort_key(version: &str) -> Vec<u64> {
    version.split(|c: char| !c.is_ascii_digit()).filter_map(|part| part.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_complete_kernel_is_used() {
        let dir = tempfile::tempdir().unwrap();
        assert!(matches!(locate(&dir.path().join("none")), Err(KernelError::Missing(_))));
        for version in ["6.1.0-9-cloud-amd64", "6.1.0-10-cloud-amd64", ".6.12.0-1-cloud-amd64.part"] {
            fs::create_dir(dir.path().join(version)).unwrap();
            fs::write(dir.path().join(version).join("vmlinux"), "").unwrap();
        }
        fs::create_dir(dir.path().join("7.0.0-1-cloud-amd64")).unwrap();
        assert_eq!(locate(dir.path()).unwrap().version, "6.1.0-10-cloud-amd64");
    }
}
