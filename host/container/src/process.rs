//! What a process does to itself before it becomes a program of the container: first processes and further ones alike.
//!
//! [`Prepared::new`] validates and allocates in the parent; the rest are stages of the child, in the order of its methods.

use std::convert::Infallible;
use std::ffi::CString;
use std::os::fd::AsFd;

use jail::{ExecArgs, seccomp};
use oci_spec::runtime::{Linux, Process};
use plan::Stdio;

use crate::error::{Error, Stage};
use crate::message::{AtStage, Failure};

mod identity;
mod private_proc;
mod program;
mod stdio;
mod working_directory;

pub(crate) use private_proc::PrivateProc;

/// What the caller's command line says about a process.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Settings {
    /// Stays in the session keyring of the caller.
    pub(crate) no_new_keyring: bool,
    /// How many descriptors after the standard streams stay open.
    pub(crate) preserve_fds: u32,
}

/// A process that was found to be possible.
#[derive(Debug)]
pub(crate) struct Prepared<'a> {
    process: &'a Process,
    exec: ExecArgs,
    filter: Option<seccomp::Program>,
    settings: Settings,
}

impl<'a> Prepared<'a> {
    /// Checks the process and allocates what it needs; in the parent.
    pub(crate) fn new(process: &'a Process, linux: Option<&Linux>, settings: Settings) -> Result<Self, Error> {
        let filter = match linux.and_then(|linux| linux.seccomp().as_ref()) {
            Some(_) => Some(seccomp::container_default()?),
            None => None,
        };
        Ok(Self { process, exec: exec_args(process)?, filter, settings })
    }

    /// Whether the program gets a terminal.
    pub(crate) fn terminal(&self) -> bool {
        self.process.terminal().unwrap_or(false)
    }

    /// The user that runs the program.
    pub(crate) fn uid(&self) -> u32 {
        self.process.user().uid()
    }

    /// Starts a session and puts the standard streams in place; without `streams` they stay as they are.
    pub(crate) fn take_streams(&self, streams: Option<&Stdio>) -> Result<(), Failure> {
        stdio::place(streams, self.process).at(Stage::Terminal)
    }

    /// Finds the program, so that its absence is told before anybody waits for it to be started. The root is in place.
    pub(crate) fn find_program(&self) -> Result<(), Failure> {
        program::find(self.process)
    }

    /// Everything else, up to execve(2).
    ///
    /// `proc` is where attributes of this process are written. `socket` hears that execve(2) is next.
    pub(crate) fn become_program(&self, _proc: &PrivateProc, socket: impl AsFd) -> Result<Infallible, Failure> {
        let cwd = self.process.cwd().display().to_string();
        working_directory::enter(self.process).about(Stage::WorkingDirectory, &cwd)?;
        identity::assume(self.process).at(Stage::Privileges)?;
        if let Some(filter) = &self.filter {
            filter.install().at(Stage::Seccomp)?;
        }
        let first = 3 + i32::try_from(self.settings.preserve_fds).unwrap_or(i32::MAX - 3);
        jail::close_on_exec(first, i32::MAX).at(Stage::Descriptors)?;
        Err(program::execute(self.process, &self.exec, socket))
    }
}

fn exec_args(process: &Process) -> Result<ExecArgs, Error> {
    let args = process.args().as_ref().filter(|args| !args.is_empty()).ok_or(Error::NoProgram)?;
    let convert = |strings: &[String]| {
        let one = |text: &String| CString::new(text.as_str()).map_err(|_| Error::ZeroByte(text.clone()));
        strings.iter().map(one).collect::<Result<Vec<_>, _>>()
    };
    Ok(ExecArgs::new(convert(args)?, convert(process.env().as_deref().unwrap_or_default())?))
}
