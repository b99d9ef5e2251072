use std::io;
use std::path::PathBuf;

use plan::Isolation;

/// Why a bundle did not become a unikernel or a microVM.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BundleError {
    /// The bundle asks for something that the level does not have.
    #[error(
        "{field}: {what} is not available at the {level} level; use the container level, or take it out of config.json"
    )]
    Unsupported {
        /// The field of config.json.
        field: String,
        /// What it asks for.
        what: &'static str,
        /// The level.
        level: Isolation,
    },
    /// The bundle lacks something.
    #[error("config.json has no {0}")]
    Missing(&'static str),
    /// An operation on a file failed.
    #[error("{action} {}", path.display())]
    File {
        /// What was being done, as a gerund.
        action: &'static str,
        /// To which file.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// The root could not become an image.
    #[error(transparent)]
    Image(#[from] image::DirectoryError),
    /// The supervisor could not be made or talked with.
    #[error("cannot {0}")]
    Supervisor(&'static str, #[source] io::Error),
    /// No process.
    #[error(transparent)]
    Clone(#[from] jail::CloneError),
    /// The supervisor failed before it was ready.
    #[error("{0}")]
    Failed(String),
    /// The network.
    #[error(transparent)]
    Network(#[from] network::AdoptError),
    /// The start socket, or a hook.
    #[error(transparent)]
    Container(#[from] container::Error),
    /// The control groups.
    #[error(transparent)]
    Cgroup(#[from] cgroup::Error),
    /// The unikernel.
    #[error(transparent)]
    Unikernel(#[from] unikernel::Error),
    /// The microVM.
    #[error(transparent)]
    Microvm(#[from] microvm::Error),
    /// No guest kernel.
    #[error(transparent)]
    Kernel(#[from] microvm::KernelError),
    /// The analysis of programs.
    #[error("cannot analyse the programs of the root file system")]
    Analysis(#[from] image::ErofsError),
}

impl BundleError {
    /// What it means for an exit status.
    pub fn class(&self) -> plan::FailureClass {
        match self {
            Self::Unikernel(error) => error.class(),
            Self::Microvm(error) => error.class(),
            Self::Container(error) => error.class(),
            _ => plan::FailureClass::Engine,
        }
    }
}
