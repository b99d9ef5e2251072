use serde::{Deserialize, Serialize};

/// The limits of an instance; `None` means unlimited.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Resources {
    /// Memory in bytes, without swap (`-m`).
    pub memory: Option<u64>,
    /// CPU time in thousandths of one CPU (`--cpus 1.5` is 1500).
    pub cpu_millis: Option<u32>,
    /// The CPUs that may be used, in the list format of cpuset(7).
    pub cpuset: Option<String>,
    /// The largest number of processes and threads (`--pids-limit`).
    pub pids: Option<u32>,
}

/// A size that cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SizeParseError {
    /// Not a number with an optional unit.
    #[error("invalid size '{0}'; write a number with an optional unit b, k, m or g, for example 256M")]
    Size(String),
    /// Not a positive decimal number with up to three places.
    #[error("invalid number of CPUs '{0}'; write a positive number, for example 1 or 0.5")]
    Cpus(String),
}

/// Reads a size as Docker writes it: digits and an optional unit (`b`, `k`, `m`, `g`, either case, powers of 1024).
pub fn parse_size(text: &str) -> Result<u64, SizeParseError> {
    let error = || SizeParseError::Size(text.to_owned());
    let lower = text.to_ascii_lowercase();
    let digits = lower.strip_suffix("ib").or_else(|| lower.strip_suffix('b')).unwrap_or(&lower);
    let (digits, shift) = match digits.as_bytes().last() {
        Some(b'k') => (&digits[..digits.len() - 1], 10),
        Some(b'm') => (&digits[..digits.len() - 1], 20),
        Some(b'g') => (&digits[..digits.len() - 1], 30),
        _ => (digits, 0),
    };
    let number: u64 = digits.parse().map_err(|_| error())?;
    number.checked_mul(1 << shift).filter(|n| *n > 0).ok_or_else(error)
}

/// Reads a number of CPUs into thousandths of a CPU.
pub fn parse_cpus(text: &str) -> Result<u32, SizeParseError> {
    let error = || SizeParseError::Cpus(text.to_owned());
    let number: f64 = text.parse().map_err(|_| error())?;
    let millis = (number * 1000.0).round();
    if number.is_finite() && (1.0..=1_024_000.0).contains(&millis) { Ok(millis as u32) } else { Err(error()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        for (text, bytes) in
            [("256M", 256 << 20), ("1g", 1 << 30), ("512k", 512 << 10), ("77", 77), ("5b", 5), ("1GiB", 1 << 30)]
        {
            assert_eq!(parse_size(text), Ok(bytes), "{text}");
        }
        for bad in ["", "0", "-1", "1.5g", "m", "99999999999999999999", "18446744073709551615g"] {
            assert!(parse_size(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn cpus() {
        assert_eq!(parse_cpus("1"), Ok(1000));
        assert_eq!(parse_cpus("0.5"), Ok(500));
        for bad in ["", "0", "-1", "inf", "nan", "one"] {
            assert!(parse_cpus(bad).is_err(), "{bad}");
        }
    }
}
