/// A field that asks for something impossible.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {problem}")]
pub struct InvalidSpec {
    /// Where it is, for example `linux.namespaces[2].type`.
    pub field: String,
    /// What is wrong with it.
    pub problem: Problem,
}

/// What can be wrong with a field.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// It must be there.
    #[error("is missing")]
    Missing,
    /// It must have a value.
    #[error("must not be empty")]
    Empty,
    /// It must start at the root.
    #[error("'{0}' is not an absolute path")]
    NotAbsolute(String),
    /// The kernel cannot take it.
    #[error("contains a zero byte or is not UTF-8")]
    NotText,
    /// Another entry says the same.
    #[error("'{0}' is listed twice")]
    Duplicate(String),
    /// A word that means nothing here.
    #[error("'{value}' is not one of {allowed}")]
    NotOneOf {
        /// The word.
        value: String,
        /// Those that mean something.
        allowed: &'static str,
    },
    /// Something else has to be there, too.
    #[error("needs {0}")]
    Needs(&'static str),
    /// Something else must not be there.
    #[error("cannot be combined with {0}")]
    Conflicts(&'static str),
    /// A number outside of its range.
    #[error("{value} is not from {least} to {most}")]
    OutOfRange {
        /// The number.
        value: i64,
        /// The least that is allowed.
        least: i64,
        /// The most that is allowed.
        most: i64,
    },
    /// More bytes than the kernel takes.
    #[error("is longer than {longest} bytes")]
    TooLong {
        /// How many are allowed.
        longest: usize,
    },
    /// Something that would reach the host.
    #[error("'{0}' would change the host, not the container")]
    OfTheHost(String),
}

impl InvalidSpec {
    pub(crate) fn new(field: impl Into<String>, problem: Problem) -> Self {
        Self { field: field.into(), problem }
    }

    pub(crate) fn missing(field: impl Into<String>) -> Self {
        Self::new(field, Problem::Missing)
    }
}
