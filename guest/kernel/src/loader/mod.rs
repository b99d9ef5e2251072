//! Programs: from a path to an address space that is ready to run (execve(2)).

mod elf;
mod program;
mod script;
mod search;
mod stack;

pub(crate) use program::{Loaded, check_arguments, load, prepare};
pub(crate) use search::find;

/// Pure parsers of foreign bytes, for fuzzing.
pub mod parse {
    pub use super::elf::{Elf, ElfError, PROGRAM_HEADER, Segment, header_range, parse as elf};
    pub use super::script::{Script, parse as script};
}

use alloc::string::String;
use alloc::vec::Vec;

use linux_abi::Errno;
use platform::StartFailure;

use elf::ElfError;

/// Why a program could not be loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum LoadError {
    /// No argument vector at all.
    NoCommand,
    /// It does not exist; the directories that were searched, if the name had no slash.
    NotFound { name: Vec<u8>, searched: Option<Vec<u8>> },
    /// It exists but cannot be opened for execution.
    Open { path: Vec<u8>, error: Errno },
    /// It is not a program for this machine.
    Format { path: Vec<u8>, error: ElfError },
    /// The interpreter of a script or of a dynamic program cannot be used.
    Interpreter { path: Vec<u8>, interpreter: Vec<u8>, error: Errno },
    /// A script's interpreter is a script, and so on, too often.
    TooManyInterpreters { path: Vec<u8> },
    /// The arguments and the environment are larger than a quarter of the stack.
    ArgumentsTooLong,
    /// There is no room for it.
    Memory { path: Vec<u8>, error: Errno },
}

impl LoadError {
    /// What execve(2) gives for it.
    pub(crate) fn errno(&self) -> Errno {
        match self {
            Self::NoCommand => Errno::EINVAL,
            Self::NotFound { .. } => Errno::ENOENT,
            Self::Open { error, .. } | Self::Interpreter { error, .. } | Self::Memory { error, .. } => *error,
            Self::Format { .. } => Errno::ENOEXEC,
            Self::TooManyInterpreters { .. } => Errno::ELOOP,
            Self::ArgumentsTooLong => Errno::E2BIG,
        }
    }

    /// The exit status's class.
    pub(crate) fn class(&self) -> StartFailure {
        match self {
            Self::NoCommand | Self::Memory { .. } | Self::ArgumentsTooLong => StartFailure::Instance,
            Self::NotFound { .. } => StartFailure::NotFound,
            Self::Open { error, .. } if *error == Errno::ENOENT || *error == Errno::ENOTDIR => StartFailure::NotFound,
            _ => StartFailure::NotExecutable,
        }
    }
}

impl core::fmt::Display for LoadError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        match self {
            Self::NoCommand => f.write_str("no command was given, and the image has no default one"),
            Self::NotFound { name, searched: Some(dirs) } => {
                write!(f, "`{}` was not found in the image; searched {}", text(name), text(dirs))
            }
            Self::NotFound { name, searched: None } => write!(f, "`{}` does not exist in the image", text(name)),
            Self::Open { path, error } => write!(f, "cannot execute `{}`: {error}", text(path)),
            Self::Format { path, error } => write!(f, "cannot execute `{}`: {error}", text(path)),
            Self::Interpreter { path, interpreter, error } => {
                write!(f, "cannot execute `{}`: its interpreter `{}`: {error}", text(path), text(interpreter))
            }
            Self::TooManyInterpreters { path } => {
                write!(f, "cannot execute `{}`: its interpreters are scripts themselves", text(path))
            }
            Self::ArgumentsTooLong => f.write_str("the arguments and the environment are too long for the stack"),
            Self::Memory { path, error } => write!(f, "cannot load `{}`: {error}", text(path)),
        }
    }
}
