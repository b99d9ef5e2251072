//! Waiting at the start socket in the place of a container's first process: for the supervisors of other isolation levels,
//! which [`start`](crate::start) is to start just like a container.

use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

use plan::FailureClass;

use crate::error::{Error, Stage};
use crate::message::{self, Failure, FailureKind};
use crate::start;

/// Makes the socket in the state directory.
///
/// # Errors
/// [`Error::StartSocket`].
pub fn listen(state_dir: &Path) -> Result<OwnedFd, Error> {
    start::listen(state_dir)
}

/// Waits until somebody wants the start.
///
/// # Errors
/// What accept(2) says.
pub fn accept(listener: OwnedFd) -> io::Result<Starter> {
    start::accept(listener).map(Starter)
}

/// Who wants the start, and waits for the answer.
#[derive(Debug)]
pub struct Starter(OwnedFd);

impl Starter {
    /// The program runs.
    pub fn started(self) {
        message::send_ready(&self.0);
    }

    /// It does not, and why: [`start`](crate::start) gives [`Error::Reported`].
    pub fn failed(self, class: FailureClass, message: &str) {
        let kind = FailureKind::Reported;
        let detail = message.to_owned();
        message::send_failure(
            &self.0,
            &Failure { stage: Stage::Exec, errno: i32::from(class.exit_code()), detail, kind },
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_start_hears_of_success_and_of_failure() {
        let dir = tempfile::tempdir().unwrap();
        for fails in [false, true] {
            let _ = std::fs::remove_file(dir.path().join("start"));
            let listener = listen(dir.path()).unwrap();
            let waiting = std::thread::spawn(move || {
                let starter = accept(listener).unwrap();
                if fails { starter.failed(FailureClass::NotFound, "no such program") } else { starter.started() }
            });
            let result = crate::start(dir.path());
            waiting.join().unwrap();
            match result {
                Ok(()) => assert!(!fails),
                Err(error) => {
                    assert!(fails, "{error}");
                    assert_eq!(
                        (error.class(), error.to_string().as_str()),
                        (FailureClass::NotFound, "no such program")
                    );
                }
            }
        }
    }
}
