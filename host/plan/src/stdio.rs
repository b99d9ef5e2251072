use std::os::fd::OwnedFd;

/// The standard streams that a back end gives to the program.
///
/// Without a terminal the engine makes pipes (or opens `/dev/null`) and keeps the other ends. With a terminal
/// (`Process::terminal`) all three are the same kind of thing for every level: the subordinate side of a pseudo-terminal
/// that the engine made on the host; the engine keeps the manager side.
#[derive(Debug)]
pub struct Stdio {
    /// Standard input.
    pub stdin: OwnedFd,
    /// Standard output.
    pub stdout: OwnedFd,
    /// Standard error.
    pub stderr: OwnedFd,
}
