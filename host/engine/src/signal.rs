//! Signals by name or number (signal(7), the numbers of x86-64).

const NAMES: [&str; 31] = [
    "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2", "PIPE", "ALRM", "TERM",
    "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG", "XCPU", "XFSZ", "VTALRM", "PROF", "WINCH", "IO",
    "PWR", "SYS",
];

/// Reads `TERM`, `SIGTERM` or `15`.
pub(crate) fn parse(text: &str) -> Result<i32, String> {
    let upper = text.to_ascii_uppercase();
    let name = upper.strip_prefix("SIG").unwrap_or(&upper);
    if let Some(at) = NAMES.iter().position(|n| *n == name) {
        return Ok(at as i32 + 1);
    }
    let number = text.parse::<i32>().ok().filter(|n| (1..=64).contains(n));
    number.ok_or_else(|| format!("'{text}' is no signal; use a name such as TERM or a number from 1 to 64"))
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn names_and_numbers() {
        for (text, number) in [("TERM", 15), ("sigkill", 9), ("SIGSYS", 31), ("HUP", 1), ("10", 10), ("USR2", 12)] {
            assert_eq!(parse(text), Ok(number), "{text}");
        }
        for bad in ["", "0", "65", "NOPE", "-9"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
