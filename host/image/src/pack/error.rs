use std::path::PathBuf;

use super::{ElfError, Missing};
use crate::{FileError, Reference, StoreError};

/// A program that cannot be packed.
#[derive(Debug, thiserror::Error)]
pub enum PackError {
    /// A file of the host failed.
    #[error(transparent)]
    File(#[from] FileError),
    /// The image could not be added to the store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The program does not exist.
    #[error("there is no program '{}' on this host; give its full path, which 'command -v NAME' prints", .0.display())]
    NoProgram(PathBuf),
    /// Something is neither a regular file nor, where one is allowed, a directory.
    #[error("'{}' is not a regular file, so it cannot be packed", .0.display())]
    NotAFile(PathBuf),
    /// The program has no execute permission.
    #[error("'{}' is not executable; to pack data, use --add HOST:GUEST", .0.display())]
    NotExecutable(PathBuf),
    /// An ELF file cannot be used.
    #[error("'{}' cannot be packed", path.display())]
    Elf {
        /// The file.
        path: PathBuf,
        /// Why.
        source: ElfError,
    },
    /// The program's loader, interpreter or a library is missing.
    #[error("{0}; install the package that has it")]
    Missing(Missing),
    /// Symbolic links lead in a circle.
    #[error("'{}' leads through too many symbolic links", .0.display())]
    SymlinkLoop(PathBuf),
    /// Two different things want one path.
    #[error("'{}' would be two different things in the image; choose another path for --add", .0.display())]
    Conflict(PathBuf),
    /// A path has no place in a JSON document.
    #[error("the path '{}' is not UTF-8, so an image cannot name it as its program", .0.display())]
    NotUtf8(PathBuf),
    /// The reference has no name to give.
    #[error("'{0}' is no name for a new image; give NAME or NAME:TAG")]
    NoName(Reference),
}
