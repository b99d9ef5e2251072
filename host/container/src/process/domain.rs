//! `linux.personality`: the execution domain (personality(2)).

use oci_spec::runtime::{LinuxPersonality, LinuxPersonalityDomain as Domain};

use super::invalid::InvalidProcess;

/// linux/personality.h.
const PER_LINUX: u32 = 0;
/// linux/personality.h.
const PER_LINUX32: u32 = 8;

/// What personality(2) takes.
pub(super) fn parse(personality: &LinuxPersonality) -> Result<u32, InvalidProcess> {
    if personality.flags().as_ref().is_some_and(|flags| !flags.is_empty()) {
        return Err(InvalidProcess::rule("linux.personality.flags", "must be empty: the specification defines none"));
    }
    Ok(match personality.domain() {
        Domain::PerLinux => PER_LINUX,
        Domain::PerLinux32 => PER_LINUX32,
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn domains() {
        let parse = |json: &str| super::parse(&serde_json::from_str(json).unwrap());
        assert_eq!(parse(r#"{"domain": "LINUX"}"#), Ok(0));
        assert_eq!(parse(r#"{"domain": "LINUX32"}"#), Ok(8));
        assert_eq!(parse(r#"{"domain": "LINUX", "flags": ["X"]}"#).unwrap_err().field, "linux.personality.flags");
    }
}
