//! Records of PAX extended headers, `LENGTH KEY=VALUE\n` (pax(1), "pax Extended Header").

/// Splits a header's body; `None` if it is malformed. Values may hold any byte, newlines too.
pub(crate) fn records(mut body: &[u8]) -> Option<Vec<(&[u8], &[u8])>> {
    let mut records = Vec::new();
    while !body.is_empty() {
        let digits = body.iter().position(|byte| *byte == b' ')?;
        let len: usize = decimal(&body[..digits])?.try_into().ok()?;
        let record = body.get(digits + 1..len)?.strip_suffix(b"\n")?;
        let equals = record.iter().position(|byte| *byte == b'=')?;
        records.push((&record[..equals], &record[equals + 1..]));
        body = &body[len..];
    }
    Some(records)
}

/// One record.
pub(crate) fn record(key: &str, value: &[u8]) -> Vec<u8> {
    let payload = key.len() + value.len() + 3;
    // The length counts its own digits.
    let mut len = payload + payload.to_string().len();
    if len.to_string().len() > payload.to_string().len() {
        len += 1;
    }
    [format!("{len} {key}=").as_bytes(), value, b"\n"].concat()
}

/// A decimal number.
pub(crate) fn decimal(text: &[u8]) -> Option<u64> {
    if text.is_empty() || !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// A time, `[-]SECONDS[.FRACTION]`, as seconds and nanoseconds.
pub(crate) fn time(text: &[u8]) -> Option<(i64, u32)> {
    let text = std::str::from_utf8(text).ok()?;
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let seconds: i64 = whole.parse().ok()?;
    if !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let digits: String = fraction.chars().chain("000000000".chars()).take(9).collect();
    let nanoseconds: u32 = digits.parse().ok()?;
    // A negative time's fraction counts backwards.
    Some(match nanoseconds {
        0 => (seconds, 0),
        n if text.starts_with('-') => (seconds.checked_sub(1)?, 1_000_000_000 - n),
        n => (seconds, n),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_survive() {
        for size in [0, 1, 80, 90, 91, 92, 93, 94, 95, 980, 988, 989, 990, 991] {
            let value = vec![b'\n'; size];
            let body = [record("path", &value), record("SCHILY.xattr.user.a", b"x=y")].concat();
            assert_eq!(
                records(&body),
                Some(vec![(&b"path"[..], &value[..]), (b"SCHILY.xattr.user.a", b"x=y")]),
                "{size}"
            );
        }
    }

    #[test]
    fn malformed_records_are_refused() {
        for bad in
            ["x", "5", "0 a=b\n", "99 a=b\n", "6 a=b\nx", "5 ab\n", "-6 a=b\n", "18446744073709551615 a=b\n", "3 a=b\n"]
        {
            assert_eq!(records(bad.as_bytes()), None, "{bad}");
        }
    }

    #[test]
    fn times() {
        assert_eq!(time(b"12"), Some((12, 0)));
        assert_eq!(time(b"12.5"), Some((12, 500_000_000)));
        assert_eq!(time(b"-1.25"), Some((-2, 750_000_000)));
        assert_eq!(time(b"1.0000000019"), Some((1, 1)));
        for bad in [&b""[..], b"x", b"1.x", b"99999999999999999999"] {
            assert_eq!(time(bad), None);
        }
    }
}
