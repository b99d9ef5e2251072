use std::fmt;

/// A field of a process's description that cannot be carried out, whatever the host.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("process description: {field} {reason}")]
pub struct InvalidProcess {
    /// Its name as in config.json, from `process` or `linux` on.
    pub field: &'static str,
    /// What is wrong with it.
    pub reason: Reason,
}

/// What is wrong with a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// It has to be there.
    Missing,
    /// Two rules contradict each other, or one rule is broken that needs no further fact.
    Rule(&'static str),
    /// A value outside of what is possible.
    Value {
        /// As it was given.
        value: String,
        /// What would be possible.
        expected: &'static str,
    },
    /// A string that the kernel cannot take.
    ZeroByte(String),
    /// The same thing twice.
    Twice(String),
    /// A member that another field has to have, too.
    NotIn {
        /// The member.
        member: &'static str,
        /// The other field.
        other: &'static str,
    },
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("must not be empty"),
            Self::Rule(rule) => f.write_str(rule),
            Self::Value { value, expected } => write!(f, "is {value}; it must be {expected}"),
            Self::ZeroByte(value) => write!(f, "contains a zero byte, which no program can be given: {value:?}"),
            Self::Twice(what) => write!(f, "holds {what} more than once"),
            Self::NotIn { member, other } => write!(f, "holds {member}, which {other} does not hold"),
        }
    }
}

impl InvalidProcess {
    pub(super) fn missing(field: &'static str) -> Self {
        Self { field, reason: Reason::Missing }
    }

    pub(super) fn rule(field: &'static str, rule: &'static str) -> Self {
        Self { field, reason: Reason::Rule(rule) }
    }

    pub(super) fn value(field: &'static str, value: impl fmt::Display, expected: &'static str) -> Self {
        Self { field, reason: Reason::Value { value: value.to_string(), expected } }
    }
}
