//! What a command printed and how it ended.

use std::os::unix::process::ExitStatusExt;
use std::process::Output;

/// The end of one command.
#[derive(Debug)]
pub struct Done {
    /// Exit status; 128 + n if signal n ended it.
    pub code: i32,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl Done {
    /// The trimmed output of a command that must have succeeded.
    #[track_caller]
    pub fn ok(self) -> String {
        assert_eq!(self.code, 0, "stdout: {}\nstderr: {}", self.out, self.err);
        self.out.trim().to_owned()
    }

    /// The messages of a command that must have failed with this status.
    #[track_caller]
    pub fn fails(self, code: i32) -> String {
        assert_eq!(self.code, code, "stdout: {}\nstderr: {}", self.out, self.err);
        assert!(!self.err.contains("panicked"), "{}", self.err);
        self.err
    }
}

impl From<Output> for Done {
    fn from(output: Output) -> Self {
        let code = output.status.code().unwrap_or_else(|| 128 + output.status.signal().unwrap_or(0));
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Self { code, out: text(output.stdout), err: text(output.stderr) }
    }
}
