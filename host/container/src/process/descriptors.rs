//! Which descriptors the program inherits besides its streams.

use std::io;

use super::invalid::InvalidProcess;

/// The first number after the standard streams.
const FIRST: i32 = 3;

/// Makes sure that all that are to be kept are there: a gap may be filled by a file of the engine's, which, unlike those
/// that it was started with, is closed on execve(2).
pub(super) fn check(preserved: u32) -> Result<(), InvalidProcess> {
    let end = end(preserved);
    match (FIRST..end).find(|number| !jail::is_inherited(*number)) {
        None => Ok(()),
        Some(absent) => Err(InvalidProcess::value(
            "--preserve-fds",
            format!("{preserved}, but descriptor {absent} was not handed down"),
            "the number of descriptors handed down from 3 on",
        )),
    }
}

/// Lets execve(2) close every other descriptor.
pub(super) fn close_others(preserved: u32) -> io::Result<()> {
    jail::close_on_exec(end(preserved), i32::MAX)
}

fn end(preserved: u32) -> i32 {
    i32::try_from(preserved).ok().and_then(|count| FIRST.checked_add(count)).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_is_told() {
        assert_eq!(check(0), Ok(()));
        let error = check(u32::MAX).unwrap_err().to_string();
        assert!(error.contains("was not handed down"), "{error}");
        assert_eq!(end(2), 5);
    }
}
