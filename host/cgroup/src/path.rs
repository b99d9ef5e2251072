use std::fmt;
use std::str::FromStr;

use plan::InstanceId;

use crate::Error;
use crate::layout::PARENT;

/// Where groups go whose path is relative, and those of containers that name none.
const RUNTIME_PARENT: &str = "coracle-oci";

/// The longest path, so that files of the group stay below `PATH_MAX` wherever the hierarchy is mounted.
const LONGEST: usize = 3072;
const LONGEST_NAME: usize = 255;

/// The name of a control group, `linux.cgroupsPath` of the OCI runtime specification.
///
/// An absolute path starts at the root of each hierarchy, a relative one below `/coracle-oci`. With the systemd driver it is
/// `slice:prefix:name`, the convention of all runtimes. `..` is refused: a group must not leave the place its name shows.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct GroupPath {
    /// Without `.`, empty components and the slash at the front.
    below: String,
    unit: Option<UnitPath>,
    /// The container that named nothing.
    container: Option<String>,
}

/// The parts of `slice:prefix:name`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct UnitPath {
    pub(crate) slice: String,
    pub(crate) prefix: String,
    pub(crate) name: String,
}

impl GroupPath {
    /// Reads a `cgroupsPath`.
    ///
    /// # Errors
    /// [`Error::Path`] for a path that is empty, too long, holds `..` or a control character, or is the root itself.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let error = |reason| Error::Path { path: text.chars().take(256).collect(), reason };
        const TOO_LONG: &str = "it is longer than 3072 bytes";
        if text.len() > LONGEST + 1 {
            return Err(error(TOO_LONG));
        }
        if text.chars().any(char::is_control) {
            return Err(error("it contains a control character"));
        }
        let mut below = String::with_capacity(text.len() + RUNTIME_PARENT.len() + 1);
        if !text.starts_with('/') {
            below.push_str(RUNTIME_PARENT);
        }
        let mut names = 0;
        for name in text.split('/').filter(|name| !matches!(*name, "" | ".")) {
            if name == ".." {
                return Err(error("it contains '..'"));
            }
            if name.len() > LONGEST_NAME {
                return Err(error("a component is longer than 255 bytes"));
            }
            if !below.is_empty() {
                below.push('/');
            }
            below.push_str(name);
            names += 1;
        }
        if below.len() > LONGEST {
            return Err(error(TOO_LONG));
        }
        if names == 0 {
            return Err(error("it names no group"));
        }
        Ok(Self { below, unit: UnitPath::parse(text), container: None })
    }

    /// The group of a container that does not name one.
    ///
    /// # Errors
    /// As [`parse`](Self::parse); an id must be one component.
    pub fn for_container(id: &str) -> Result<Self, Error> {
        if id.contains('/') {
            return Err(Error::Path { path: id.to_owned(), reason: "an id contains no '/'" });
        }
        let path = Self::parse(id)?;
        Ok(Self { unit: None, container: Some(id.to_owned()), ..path })
    }

    /// The group of the engine's instances.
    pub fn for_instance(id: &InstanceId) -> Self {
        Self { below: format!("{PARENT}/{id}"), unit: None, container: None }
    }

    /// The path from a hierarchy's root, without a slash at the front.
    pub(crate) fn below(&self) -> &str {
        &self.below
    }

    /// The parts of `slice:prefix:name`, if it has that form.
    pub(crate) fn unit(&self) -> Option<&UnitPath> {
        self.unit.as_ref()
    }

    /// The unit for the systemd driver, also of a container that named nothing.
    pub(crate) fn to_unit(&self) -> Option<UnitPath> {
        let own = |id: &String| UnitPath { slice: String::new(), prefix: "coracle".to_owned(), name: id.clone() };
        self.unit.clone().or_else(|| self.container.as_ref().map(own))
    }

    /// The same directory, whatever the name looks like.
    pub(crate) fn plain(&self) -> Self {
        Self { below: self.below.clone(), unit: None, container: None }
    }

    /// A unit, and where systemd puts it.
    pub(crate) fn of_unit(unit: UnitPath, below: String) -> Self {
        Self { below, unit: Some(unit), container: None }
    }
}

impl UnitPath {
    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split(':');
        let (slice, prefix, name) = (parts.next()?, parts.next()?, parts.next()?);
        let good = |part: &str| !part.contains('/');
        (parts.next().is_none() && !name.is_empty() && [slice, prefix, name].into_iter().all(good)).then(|| Self {
            slice: slice.to_owned(),
            prefix: prefix.to_owned(),
            name: name.to_owned(),
        })
    }
}

impl fmt::Display for GroupPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.unit {
            Some(unit) => write!(f, "{}:{}:{}", unit.slice, unit.prefix, unit.name),
            None => write!(f, "/{}", self.below),
        }
    }
}

impl FromStr for GroupPath {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Self::parse(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absolute_and_relative() {
        let below = |text| GroupPath::parse(text).unwrap().below().to_owned();
        assert_eq!(below("/a//b/./c/"), "a/b/c");
        assert_eq!(below("pod/one"), "coracle-oci/pod/one");
        assert_eq!(GroupPath::for_container("c1").unwrap().to_string(), "/coracle-oci/c1");
        assert_eq!(GroupPath::parse("/a/b").unwrap().to_string().parse::<GroupPath>().unwrap().below(), "a/b");
    }

    #[test]
    fn units() {
        let path = GroupPath::parse("machine.slice:libpod:0123").unwrap();
        let unit = path.unit().unwrap();
        assert_eq!((&*unit.slice, &*unit.prefix, &*unit.name), ("machine.slice", "libpod", "0123"));
        assert_eq!(path.to_string().parse::<GroupPath>().unwrap(), path);
        assert!(GroupPath::parse("::name").unwrap().unit().is_some());
        for text in ["a:b", "a:b:c:d", "a:b:", "/a:b:c", "a/x:b:c"] {
            assert!(GroupPath::parse(text).unwrap().unit().is_none(), "{text}");
        }
    }

    #[test]
    fn a_container_that_names_nothing_has_a_unit_too() {
        let path = GroupPath::for_container("a:b:c").unwrap();
        assert!(path.unit().is_none());
        assert_eq!(path.to_unit().map(|unit| unit.name), Some("a:b:c".to_owned()));
        assert_eq!(GroupPath::parse("pod/x").unwrap().to_unit(), None);
    }

    #[test]
    fn refused() {
        let long = format!("/{}", "x".repeat(256));
        let deep = "/x".repeat(2000);
        for text in ["", "/", "//.", "..", "/a/../b", "a\0b", "/a\nb", &long, &deep] {
            assert!(matches!(GroupPath::parse(text), Err(Error::Path { .. })), "{text:?}");
        }
        assert!(GroupPath::for_container("a/b").is_err());
    }
}
