//! How willingly the kernel ends the process when memory runs out (`oom_score_adj` of proc_pid_oom_score_adj(5)).

use std::io;

use rustix::io::Errno;

use super::invalid::InvalidProcess;
use super::private_proc::PrivateProc;
use crate::error::Stage;
use crate::message::{AtStage, Failure};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct OomScore(i32);

impl OomScore {
    pub(super) fn parse(value: i32) -> Result<Self, InvalidProcess> {
        match value {
            -1000..=1000 => Ok(Self(value)),
            _ => Err(InvalidProcess::value("process.oomScoreAdj", value, "from -1000 to 1000")),
        }
    }

    /// Sets it for this process. Lowering it takes `CAP_SYS_RESOURCE` on the host.
    pub(super) fn apply(self, proc: &PrivateProc) -> Result<(), Failure> {
        let text = self.0.to_string();
        let written = match proc.write("self/oom_score_adj", text.as_bytes()) {
            // In a rootless container the file may be the host root's; the engine then asks for what is set already.
            Err(error) if is_denied(&error) && current(proc) == Some(self.0) => Ok(()),
            other => other,
        };
        written.about(Stage::OomScore, &text)
    }

    /// The same from outside, on the host's procfs; the process's own attempt tells what is not possible.
    pub(super) fn apply_to(self, pid: i32) {
        let _ = std::fs::write(format!("/proc/{pid}/oom_score_adj"), self.0.to_string());
    }
}

fn is_denied(error: &io::Error) -> bool {
    [Errno::ACCESS, Errno::PERM].contains(&Errno::from_io_error(error).unwrap_or(Errno::IO))
}

fn current(proc: &PrivateProc) -> Option<i32> {
    let text = proc.read("self/oom_score_adj").ok()?;
    std::str::from_utf8(&text).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds() {
        assert_eq!(OomScore::parse(-1000), Ok(OomScore(-1000)));
        assert!(OomScore::parse(1001).unwrap_err().to_string().contains("process.oomScoreAdj is 1001"));
        assert!(OomScore::parse(i32::MIN).is_err());
    }
}
