//! Signals by name or number (signal(7), the numbers of x86-64).

const NAMES: [&str; 31] = [
    "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2", "PIPE", "ALRM", "TERM",
    "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG", "XCPU", "XFSZ", "VTALRM", "PROF", "WINCH", "IO",
    "PWR", "SYS",
];

/// `SIGRTMIN` of glibc, whose name it is: the library keeps the kernel's first two, 32 and 33, for itself.
const RTMIN: i32 = 34;
/// The kernel's last signal.
const MAX: i32 = 64;

/// The text names no signal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is no signal; use a name such as TERM or a number from 1 to 64")]
pub struct ParseSignalError(String);

/// Reads `TERM`, `SIGTERM`, `15` or `SIGRTMIN+3`.
pub fn parse_signal(text: &str) -> Result<i32, ParseSignalError> {
    let upper = text.to_ascii_uppercase();
    let name = upper.strip_prefix("SIG").unwrap_or(&upper);
    if let Some(at) = NAMES.iter().position(|n| *n == name) {
        return Ok(at as i32 + 1);
    }
    let number = match name.strip_prefix("RTMIN+") {
        Some(offset) => offset.parse::<u8>().ok().map(|n| RTMIN + i32::from(n)),
        None => text.parse::<i32>().ok(),
    };
    number.filter(|n| (1..=MAX).contains(n)).ok_or_else(|| ParseSignalError(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::parse_signal;

    #[test]
    fn names_and_numbers() {
        for (text, number) in
            [("TERM", 15), ("sigkill", 9), ("SIGSYS", 31), ("HUP", 1), ("10", 10), ("USR2", 12), ("SIGRTMIN+3", 37)]
        {
            assert_eq!(parse_signal(text), Ok(number), "{text}");
        }
        for bad in ["", "0", "65", "NOPE", "-9", "RTMIN+31", "RTMIN+"] {
            assert!(parse_signal(bad).is_err(), "{bad}");
        }
    }
}
