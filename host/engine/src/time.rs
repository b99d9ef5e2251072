//! Moments as a user writes them.

use std::time::{Duration, SystemTime};

/// The text is no moment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is no time; write 10m (ago), 2026-01-31T12:00:00Z or seconds since 1970")]
pub struct ParseTimeError(String);

/// Reads `10m` (so long ago), RFC 3339 in UTC (`2026-01-31T12:00:00Z`), or seconds since 1970 with up to nine places.
pub fn parse_time(text: &str) -> Result<SystemTime, ParseTimeError> {
    let error = || ParseTimeError(text.to_owned());
    if let Some(seconds) = parse_seconds(text) {
        return SystemTime::UNIX_EPOCH.checked_add(seconds).ok_or_else(error);
    }
    if let Ok(ago) = humantime::parse_duration(text) {
        return SystemTime::now().checked_sub(ago).ok_or_else(error);
    }
    let day = text.len() == 10 && text.as_bytes()[4] == b'-';
    let text_of_day = if day { format!("{text}T00:00:00Z") } else { text.to_owned() };
    humantime::parse_rfc3339_weak(&text_of_day).map_err(|_| error())
}

fn parse_seconds(text: &str) -> Option<Duration> {
    let (seconds, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |t: &str| !t.is_empty() && t.len() <= 18 && t.bytes().all(|b| b.is_ascii_digit());
    if !digits(seconds) || !digits(fraction) || fraction.len() > 9 {
        return None;
    }
    let nanos = format!("{fraction:0<9}").parse().ok()?;
    Some(Duration::new(seconds.parse().ok()?, nanos))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments() {
        let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        assert_eq!(parse_time("86400"), Ok(at(86_400)));
        assert_eq!(parse_time("1.5"), Ok(at(1) + Duration::from_millis(500)));
        assert_eq!(parse_time("1970-01-02T00:00:00Z"), Ok(at(86_400)));
        assert_eq!(parse_time("1970-01-02"), Ok(at(86_400)));
        assert!(parse_time("10m").unwrap() < SystemTime::now());
        for bad in ["", "yesterday", "1.2.3", "-5", "99999999999999999999"] {
            assert!(parse_time(bad).is_err(), "{bad}");
        }
    }
}
