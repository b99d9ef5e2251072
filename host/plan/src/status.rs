use serde::{Deserialize, Serialize};

/// How a program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExitStatus {
    /// It exited with this code.
    Exited(u8),
    /// This signal ended it.
    Signaled(u8),
}

impl ExitStatus {
    /// The exit status that stands for it in a shell: the code itself, or 128 + the signal's number.
    pub const fn code(self) -> u8 {
        match self {
            Self::Exited(code) => code,
            Self::Signaled(signal) => 128 + signal,
        }
    }

    /// Decodes the status word of waitpid(2); `None` if the process was only stopped or continued.
    pub const fn from_wait_status(status: i32) -> Option<Self> {
        match status & 0x7f {
            0 => Some(Self::Exited((status >> 8) as u8)),
            0x7f => None,
            signal => Some(Self::Signaled(signal as u8)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wait_status_words() {
        assert_eq!(ExitStatus::from_wait_status(0x0300), Some(ExitStatus::Exited(3)));
        assert_eq!(ExitStatus::from_wait_status(9).map(ExitStatus::code), Some(137));
        assert_eq!(ExitStatus::from_wait_status(0x86), Some(ExitStatus::Signaled(6)));
        assert_eq!(ExitStatus::from_wait_status(0x137f), None);
    }
}
