use std::str::FromStr;

use oci_spec::runtime::Capability;

/// A word that names no capability.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no capability '{0}'; see capabilities(7), for example NET_ADMIN, or ALL")]
pub struct ParseCapabilityError(String);

/// The full name (`CAP_NET_ADMIN`) of a capability written in any case, with or without its prefix; `ALL` stays.
///
/// # Errors
/// [`ParseCapabilityError`] for a word that is none.
pub fn parse_capability(text: &str) -> Result<String, ParseCapabilityError> {
    let upper = text.to_ascii_uppercase();
    if upper == "ALL" {
        return Ok(upper);
    }
    let bare = upper.strip_prefix("CAP_").unwrap_or(&upper);
    match Capability::from_str(bare) {
        Ok(_) => Ok(format!("CAP_{bare}")),
        Err(_) => Err(ParseCapabilityError(text.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling() {
        for text in ["net_admin", "NET_ADMIN", "cap_net_admin", "CAP_NET_ADMIN"] {
            assert_eq!(parse_capability(text).as_deref(), Ok("CAP_NET_ADMIN"));
        }
        assert_eq!(parse_capability("all").as_deref(), Ok("ALL"));
        for bad in ["", "CAP_", "ROOT", "CAP_ALL", "NET ADMIN"] {
            assert!(parse_capability(bad).is_err(), "{bad}");
        }
    }
}
