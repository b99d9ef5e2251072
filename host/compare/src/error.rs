use std::io;

/// Why a comparison could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The engine could not run an instance.
    #[error(transparent)]
    Engine(#[from] engine::Error),
    /// The client is not installed.
    #[error("cannot run {program}; install it (Debian: apt-get install {package})")]
    NoClient {
        /// The program.
        program: &'static str,
        /// The package that has it.
        package: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// The client ran and failed.
    #[error("redis-benchmark failed: {0}")]
    Client(String),
    /// The client's output has another form than expected.
    #[error("cannot understand redis-benchmark's output: {0}")]
    Output(String),
    /// The server did not answer in time.
    #[error("the server gave no answer within {seconds} s at the {level} level{log}")]
    NoAnswer {
        /// Which level.
        level: String,
        /// How long it was waited for.
        seconds: u64,
        /// The end of what it printed; empty or beginning with a colon.
        log: String,
    },
    /// No level by this name.
    #[error("'{0}' is no level; choose host, container, unikernel or microvm")]
    NoLevel(String),
    /// A system call failed.
    #[error("{0}")]
    System(&'static str, #[source] io::Error),
}
