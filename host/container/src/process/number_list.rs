//! Lists of processors and memory nodes, "0-3,7" (the list format of cpuset(7)).

use super::invalid::InvalidProcess;

/// More than any kernel has processors or nodes.
const LIMIT: usize = 8192;

/// The words of a bit mask: bit n of word n / 64 stands for number n. An empty text is an empty mask.
pub(super) fn parse(field: &'static str, text: &str) -> Result<Vec<u64>, InvalidProcess> {
    let invalid = || InvalidProcess::value(field, format!("{text:?}"), "a list of numbers and ranges such as 0-3,7");
    let mut mask = Vec::new();
    for part in text.split(',').filter(|_| !text.is_empty()) {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (number(first).ok_or_else(invalid)?, number(last).ok_or_else(invalid)?);
        if first > last {
            return Err(invalid());
        }
        if mask.len() <= last / 64 {
            mask.resize(last / 64 + 1, 0);
        }
        (first..=last).for_each(|bit| mask[bit / 64] |= 1 << (bit % 64));
    }
    Ok(mask)
}

/// Digits only: no sign and no space, which `usize::from_str` would partly accept.
fn number(text: &str) -> Option<usize> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|number| digits && *number < LIMIT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_and_ranges() {
        assert_eq!(parse("nodes", "0-3,7").unwrap(), [0b1000_1111]);
        assert_eq!(parse("nodes", "64").unwrap(), [0, 1]);
        assert_eq!(parse("nodes", "").unwrap(), [0u64; 0]);
        assert_eq!(parse("nodes", "63-64,1").unwrap(), [1 << 63 | 2, 1]);
    }

    #[test]
    fn everything_else_is_refused() {
        for text in ["3-1", "+1", " 1", "1,", ",", "-", "1-", "-1", "a", "8192", "99999999999999999999", "1-2-3", "1;2"]
        {
            let error = parse("linux.memoryPolicy.nodes", text).unwrap_err();
            assert!(error.to_string().contains("linux.memoryPolicy.nodes"), "{text}: {error}");
        }
    }
}
