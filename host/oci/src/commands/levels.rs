//! The isolation level of a bundle: by the program's name, or by an annotation.

use std::ffi::OsStr;
use std::path::Path;
use std::process::ExitCode;

use container::Io;
use oci_spec::runtime::Spec;

use crate::args::{CreateArgs, RunArgs};
use crate::bundle::Bundle;
use crate::commands::Context;
use crate::commands::create::New;
use crate::error::Error;
use crate::state::{Level, Record};

/// `container`, `unikernel` or `microvm`.
const ANNOTATION: &str = "dev.coracle.isolation";

/// The level that a program's name asks for: `coracle-oci-unikernel` and `coracle-oci-microvm` are links to the same
/// executable, since an engine can choose a runtime, but hardly its flags.
pub(crate) fn by_program_name(program: &OsStr) -> Option<Level> {
    match Path::new(program).file_name()?.to_str()? {
        name if name.ends_with("-unikernel") => Some(Level::Unikernel),
        name if name.ends_with("-microvm") => Some(Level::Microvm),
        _ => None,
    }
}

/// The annotation counts more than the name: it is the container's, the name is the engine's.
pub(crate) fn choose(context: &Context, spec: &Spec) -> Result<Level, Error> {
    let annotation = spec.annotations().as_ref().and_then(|annotations| annotations.get(ANNOTATION));
    match annotation.map(String::as_str) {
        None => Ok(context.level.unwrap_or(Level::Container)),
        Some("container") => Ok(Level::Container),
        Some("unikernel") => Ok(Level::Unikernel),
        Some("microvm") => Ok(Level::Microvm),
        Some(_) => Err(Error::Usage("annotation dev.coracle.isolation: it is container, unikernel or microvm")),
    }
}

pub(crate) fn create(_: &Context, _: &CreateArgs, _: &Bundle, _: &mut New, _: Io) -> Result<(), Error> {
    Err(Error::Usage("levels"))
}
pub(crate) fn run(_: &Context, _: &RunArgs, _: &Bundle, _: Level) -> Result<ExitCode, Error> {
    Err(Error::Usage("levels"))
}
pub(crate) fn start(_: &Path) -> Result<(), Error> {
    Err(Error::Usage("levels"))
}
pub(crate) fn remove(_: &Path, _: &Record) -> Result<(), Error> {
    Err(Error::Usage("levels"))
}
