use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::Digest;

/// The name of an image, as Docker reads it: `[HOST[:PORT]/]NAME[:TAG][@DIGEST]`, or a digest alone.
///
/// `docker.io/library/redis`, `library/redis` and `redis` are the same name and shown as `redis`. The grammar is that of
/// the distribution project's `reference` package.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Reference {
    name: Option<String>,
    tag: Option<String>,
    digest: Option<Digest>,
}

/// A reference that is not well-formed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReferenceError {
    /// Nothing was given.
    #[error("the image reference is empty; give a name such as redis or redis:7")]
    Empty,
    /// The name has upper-case letters outside the registry's host name.
    #[error("image name '{0}' has upper-case letters; write it in lower case")]
    UpperCase(String),
    /// The name does not follow the grammar.
    #[error(
        "image name '{0}' is malformed; use lower-case letters and digits, separated by '/', '-', '_' or '.', for example team/redis"
    )]
    Name(String),
    /// The name is longer than 255 bytes.
    #[error("the image name is {0} bytes long; at most 255 are allowed")]
    TooLong(usize),
    /// The tag does not follow the grammar.
    #[error("tag '{0}' is malformed; use up to 128 letters, digits, '_', '.' and '-', not starting with '.' or '-'")]
    Tag(String),
    /// The digest is malformed.
    #[error("the digest in the image reference '{reference}' is malformed")]
    Digest {
        /// The whole text.
        reference: String,
        /// What is wrong with it.
        source: crate::DigestError,
    },
}

impl Reference {
    /// The reference of nothing but a digest.
    pub fn from_digest(digest: Digest) -> Self {
        Self { name: None, tag: None, digest: Some(digest) }
    }

    /// The name without tag and digest, in its short form; `None` if the reference is a digest alone.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// The tag; `latest` where the text had neither tag nor digest.
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref().or(if self.name.is_some() && self.digest.is_none() { Some("latest") } else { None })
    }

    /// The digest, if the text had one.
    pub fn digest(&self) -> Option<Digest> {
        self.digest
    }

    /// Hexadecimal digits that could be the beginning of a digest: `4f5e…` or `sha256:4f5e…`.
    pub(crate) fn digest_prefix(&self) -> Option<&str> {
        let text = match (self.name.as_deref(), self.tag.as_deref(), self.digest) {
            (Some("sha256"), Some(tag), None) => tag,
            (Some(name), None, None) => name,
            _ => return None,
        };
        let hex = text.len() >= 4 && text.len() <= 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        hex.then_some(text)
    }

    /// `NAME:TAG`, the form that the store's index records; `None` without a name.
    pub(crate) fn tagged(&self) -> Option<String> {
        Some(format!("{}:{}", self.name()?, self.tag().unwrap_or("latest")))
    }
}

impl FromStr for Reference {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        if text.is_empty() {
            return Err(ReferenceError::Empty);
        }
        let parse_digest = |digest: &str| {
            digest.parse().map_err(|source| ReferenceError::Digest { reference: text.to_owned(), source })
        };
        // `sha256:` and 64 digits is an image's identity, not the tag of an image called sha256.
        if text.len() == 71 && text.starts_with("sha256:") {
            return Ok(Self::from_digest(parse_digest(text)?));
        }
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) => (rest, Some(parse_digest(digest)?)),
            None => (text, None),
        };
        // A colon before the last slash belongs to the registry's port.
        let (name, tag) = match rest.rsplit_once(':') {
            Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
            _ => (rest, None),
        };
        if let Some(tag) = tag.filter(|tag| !is_tag(tag)) {
            return Err(ReferenceError::Tag(tag.to_owned()));
        }
        Ok(Self { name: Some(familiar_name(name)?), tag: tag.map(str::to_owned), digest })
    }
}

/// Checks a name and brings it into its short form.
fn familiar_name(name: &str) -> Result<String, ReferenceError> {
    let (domain, path) = split_domain(name);
    if path.bytes().any(|b| b.is_ascii_uppercase()) {
        return Err(ReferenceError::UpperCase(name.to_owned()));
    }
    if !path.split('/').all(is_path_component) || !domain.is_none_or(is_domain) {
        return Err(ReferenceError::Name(name.to_owned()));
    }
    if name.len() > 255 {
        return Err(ReferenceError::TooLong(name.len()));
    }
    Ok(match domain {
        None | Some("docker.io" | "index.docker.io") => path.strip_prefix("library/").unwrap_or(path).to_owned(),
        Some(domain) => format!("{domain}/{path}"),
    })
}

/// The first component is a registry's host if it has a dot, a colon or upper-case letters, or is `localhost`.
fn split_domain(name: &str) -> (Option<&str>, &str) {
    match name.split_once('/') {
        Some((first, rest))
            if first == "localhost" || first.bytes().any(|b| matches!(b, b'.' | b':') || b.is_ascii_uppercase()) =>
        {
            (Some(first), rest)
        }
        _ => (None, name),
    }
}

/// `[a-z0-9]+` joined by one of `.`, `_`, `__` and any number of `-`.
fn is_path_component(part: &str) -> bool {
    let word = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let separator = |s: &str| matches!(s, "" | "." | "_" | "__") || s.bytes().all(|b| b == b'-');
    let (Some(first), Some(last)) = (part.bytes().next(), part.bytes().last()) else { return false };
    word(first) && word(last) && part.split(|c: char| c.is_ascii() && word(c as u8)).all(separator)
}

fn is_domain(domain: &str) -> bool {
    let (host, port) = domain.rsplit_once(':').map_or((domain, None), |(host, port)| (host, Some(port)));
    let label = |l: &str| {
        !l.is_empty()
            && !l.starts_with('-')
            && !l.ends_with('-')
            && l.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    host.split('.').all(label) && port.is_none_or(|p| !p.is_empty() && p.bytes().all(|b| b.is_ascii_digit()))
}

/// `[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}`
fn is_tag(tag: &str) -> bool {
    let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    tag.len() <= 128 && tag.bytes().next().is_some_and(word) && tag.bytes().all(|b| word(b) || matches!(b, b'.' | b'-'))
}

impl TryFrom<String> for Reference {
    type Error = ReferenceError;

    fn try_from(text: String) -> Result<Self, ReferenceError> {
        text.parse()
    }
}

impl From<Reference> for String {
    fn from(reference: Reference) -> Self {
        reference.to_string()
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.name, self.digest) {
            (None, Some(digest)) => return fmt::Display::fmt(&digest, f),
            (name, _) => f.write_str(name.as_deref().unwrap_or_default())?,
        }
        if let Some(tag) = self.tag() {
            write!(f, ":{tag}")?;
        }
        self.digest.map_or(Ok(()), |digest| write!(f, "@{digest}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_docker_reads_them() {
        let hex = "a".repeat(64);
        for (text, shown) in [
            ("redis", "redis:latest"),
            ("redis:7.2-alpine_x", "redis:7.2-alpine_x"),
            ("docker.io/library/redis", "redis:latest"),
            ("docker.io/team/redis:1", "team/redis:1"),
            ("localhost:5000/a/b__c:t", "localhost:5000/a/b__c:t"),
            ("Example.com/a", "Example.com/a:latest"),
            ("a--b/c.d", "a--b/c.d:latest"),
            (&format!("redis@sha256:{hex}"), &format!("redis@sha256:{hex}")),
            (&format!("redis:7@sha256:{hex}"), &format!("redis:7@sha256:{hex}")),
            (&format!("sha256:{hex}"), &format!("sha256:{hex}")),
        ] {
            assert_eq!(text.parse::<Reference>().unwrap().to_string(), shown);
        }
    }

    #[test]
    fn malformed_references_are_refused() {
        let long = "a".repeat(256);
        for bad in [
            "",
            "Redis",
            "redis:",
            "redis:.x",
            "-redis",
            "redis-",
            "a..b",
            "a___b",
            "/redis",
            "redis/",
            "a//b",
            "re dis",
            "redis@sha256:1234",
            "redis@",
            "-x.com/a",
            "host:port/a",
            "../../etc/passwd",
            "redis\n",
            "é",
            &long,
            &format!("redis:{}", "t".repeat(129)),
        ] {
            assert!(bad.parse::<Reference>().is_err(), "{bad}");
        }
        assert_eq!("Redis".parse::<Reference>(), Err(ReferenceError::UpperCase("Redis".into())));
    }

    #[test]
    fn short_hexadecimal_names_may_mean_a_digest() {
        assert_eq!("4f5e6d".parse::<Reference>().unwrap().digest_prefix(), Some("4f5e6d"));
        assert_eq!("sha256:4f5e6d".parse::<Reference>().unwrap().digest_prefix(), Some("4f5e6d"));
        for other in ["abc", "redis", "4f5e:1"] {
            assert_eq!(other.parse::<Reference>().unwrap().digest_prefix(), None, "{other}");
        }
    }
}
