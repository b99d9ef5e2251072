//! Bundles: `config.json` and what it says about the root file system.
//! <https://github.com/opencontainers/runtime-spec/blob/main/bundle.md>

use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};

use oci_spec::runtime::{Hooks, LinuxResources, Process, Spec};
use rustix::fs::{Mode, OFlags};
use serde::de::DeserializeOwned;

use crate::error::Error;
use crate::names;

/// The largest configuration: a hundred times what engines write.
const LARGEST: usize = 16 << 20;

/// An opened bundle.
#[derive(Debug)]
pub(crate) struct Bundle {
    /// Absolute.
    pub(crate) path: PathBuf,
    /// The configuration's text, kept with the state.
    pub(crate) text: String,
    pub(crate) spec: Spec,
    /// What of it is left out, for the log.
    pub(crate) left_out: Vec<String>,
}

impl Bundle {
    /// Opens the bundle in `directory`, whose configuration is `config` or its `config.json`.
    pub(crate) fn open(directory: &Path, config: Option<&Path>) -> Result<Self, Error> {
        let path = absolute(directory)?;
        let file = match config {
            Some(config) => absolute(config)?,
            None => path.join("config.json"),
        };
        let text = read_text(&file)?;
        let mut left_out = Vec::new();
        let spec = read_config(&file, text.as_bytes(), &mut left_out)?;
        Ok(Self { path, text, spec, left_out })
    }

    /// The root file system's directory.
    pub(crate) fn rootfs(&self) -> PathBuf {
        let root = self.spec.root().as_ref().map(|root| root.path().as_path());
        self.path.join(root.unwrap_or(Path::new("")))
    }
}

fn absolute(path: &Path) -> Result<PathBuf, Error> {
    std::path::absolute(path).map_err(|source| Error::File { action: "resolve", path: path.to_owned(), source })
}

/// Reads a whole file of bounded length; `-` is standard input.
pub(crate) fn read_text(path: &Path) -> Result<String, Error> {
    let error = |source| Error::File { action: "read", path: path.to_owned(), source };
    let mut bytes = Vec::with_capacity(64 << 10);
    match path.to_str() {
        Some("-") => read_to_limit(rustix::stdio::stdin(), &mut bytes),
        _ => rustix::fs::open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
            .and_then(|file| read_to_limit(file.as_fd(), &mut bytes)),
    }
    .map_err(|errno| error(errno.into()))?;
    if bytes.len() > LARGEST {
        return Err(Error::TooLong { path: path.to_owned(), limit: LARGEST as u64 });
    }
    String::from_utf8(bytes).map_err(|_| Error::Unusable { path: path.to_owned(), reason: "it is not text in UTF-8" })
}

/// Reads until the end, or until there is more than the limit.
fn read_to_limit(file: BorrowedFd<'_>, bytes: &mut Vec<u8>) -> rustix::io::Result<()> {
    while bytes.len() <= LARGEST {
        bytes.reserve(1);
        if rustix::io::retry_on_intr(|| rustix::io::read(file, rustix::buffer::spare_capacity(bytes)))? == 0 {
            break;
        }
    }
    Ok(())
}

/// Reads a configuration. `path` names it in errors.
///
/// # Errors
/// [`Error::Config`] with the name of the field that has a wrong type or value, [`Error::Unusable`] and [`Error::Version`]
/// for what no container can be made of. Values that the kernel decides upon are checked when the container is made.
pub fn parse_config(path: &Path, bytes: &[u8]) -> Result<Spec, Error> {
    read_config(path, bytes, &mut Vec::new())
}

fn read_config(path: &Path, bytes: &[u8], left_out: &mut Vec<String>) -> Result<Spec, Error> {
    let spec: Spec = parse_object(path, bytes, left_out)?;
    let unusable = |reason| Err(Error::Unusable { path: path.to_owned(), reason });
    if !is_known_version(spec.version()) {
        return Err(Error::Version { path: path.to_owned(), version: spec.version().clone() });
    }
    let Some(root) = spec.root() else {
        return unusable("root: it is required: name the root file system in root.path");
    };
    if root.path().as_os_str().is_empty() {
        return unusable("root.path: it is empty");
    }
    if spec.linux().is_none() {
        return unusable("linux: it is required: this runtime makes containers of Linux only");
    }
    if let Some(process) = spec.process() {
        check_process(path, process)?;
    }
    if let Some(hooks) = spec.hooks() {
        check_hooks(path, hooks)?;
    }
    Ok(spec)
}

fn check_process(path: &Path, process: &Process) -> Result<(), Error> {
    let unusable = |reason| Err(Error::Unusable { path: path.to_owned(), reason });
    if process.args().as_ref().is_none_or(|args| args.first().is_none_or(String::is_empty)) {
        return unusable("process.args: it is empty: name the program to run");
    }
    if !process.cwd().is_absolute() {
        return unusable("process.cwd: it is not an absolute path");
    }
    // `(uid_t) -1` means "leave it" to setresuid(2).
    let groups = process.user().additional_gids().iter().flatten();
    if groups.chain([&process.user().uid(), &process.user().gid()]).any(|id| *id == u32::MAX) {
        return unusable("process.user: 4294967295 is not a user or group number");
    }
    Ok(())
}

fn check_hooks(path: &Path, hooks: &Hooks) -> Result<(), Error> {
    #[allow(deprecated)] // Engines still use it: Docker connects its networks there.
    let prestart = hooks.prestart();
    let rest = [
        hooks.create_runtime(),
        hooks.create_container(),
        hooks.start_container(),
        hooks.poststart(),
        hooks.poststop(),
    ];
    for hook in std::iter::once(prestart).chain(rest).flatten().flatten() {
        let unusable = |reason| Err(Error::Unusable { path: path.to_owned(), reason });
        if !hook.path().is_absolute() {
            return unusable("hooks: the path of a hook is not absolute");
        }
        if hook.timeout().is_some_and(|seconds| seconds <= 0) {
            return unusable("hooks: the timeout of a hook is not greater than 0");
        }
    }
    Ok(())
}

/// The file of `exec --process`.
pub(crate) fn parse_process(path: &Path) -> Result<Process, Error> {
    let process = parse_object(path, read_text(path)?.as_bytes(), &mut Vec::new())?;
    check_process(path, &process).map(|()| process)
}

/// The file of `update --resources`.
pub(crate) fn parse_resources(path: &Path) -> Result<LinuxResources, Error> {
    parse_object(path, read_text(path)?.as_bytes(), &mut Vec::new())
}

/// serde takes a list for a structure, too, field by field; JSON of the specification is an object.
fn parse_object<T: DeserializeOwned>(path: &Path, bytes: &[u8], left_out: &mut Vec<String>) -> Result<T, Error> {
    match bytes.trim_ascii_start().first() {
        Some(b'{') | None => parse(path, bytes, left_out),
        Some(_) => Err(Error::Unusable { path: path.to_owned(), reason: "it is not a JSON object" }),
    }
}

/// A second pass corrects names and finds the name of a field that is wrong: only errors pay for it.
fn parse<T: DeserializeOwned>(path: &Path, bytes: &[u8], left_out: &mut Vec<String>) -> Result<T, Error> {
    let corrected = |first| match parse_corrected(bytes) {
        Some((parsed, names)) => {
            left_out.extend(names);
            Ok(parsed)
        }
        None => Err(first),
    };
    serde_json::from_slice(bytes).or_else(corrected).map_err(|first: serde_json::Error| {
        let mut reader = serde_json::Deserializer::from_slice(bytes);
        let (field, source) = match serde_path_to_error::deserialize::<_, T>(&mut reader) {
            Ok(_) => (String::new(), first),
            Err(error) => (error.path().to_string(), error.into_inner()),
        };
        Error::Config { path: path.to_owned(), field, source }
    })
}

fn parse_corrected<T: DeserializeOwned>(bytes: &[u8]) -> Option<(T, Vec<String>)> {
    let (corrected, left_out) = names::corrected(serde_json::from_slice(bytes).ok()?)?;
    Some((serde_json::from_value(corrected).ok()?, left_out))
}

/// Version 1 of the specification is compatible in both directions: a runtime ignores what it does not know.
fn is_known_version(version: &str) -> bool {
    let mut parts = version.split(['-', '+']).next().unwrap_or_default().split('.');
    let number = |part: Option<&str>| part.and_then(|part| part.parse::<u32>().ok());
    let known = matches!(number(parts.next()), Some(1));
    known && number(parts.next()).is_some() && number(parts.next()).is_some() && parts.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> String {
        parse_config(Path::new("config.json"), text.as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn versions() {
        for good in ["1.0.0", "1.0.2-dev", "1.2.1", "1.3.0", "1.0.0-rc5"] {
            assert!(is_known_version(good), "{good}");
        }
        for bad in ["", "1", "1.0", "2.0.0", "0.9.0", "1.x.0", "1.0.0.0"] {
            assert!(!is_known_version(bad), "{bad}");
        }
    }

    #[test]
    fn errors_name_the_field() {
        let wrong = r#"{"ociVersion":"1.0.0","root":{"path":"r"},"linux":{},"process":{"cwd":"/","args":["a"],"user":{"uid":"x","gid":0}}}"#;
        assert!(error(wrong).contains("process.user.uid"), "{}", error(wrong));
        assert!(error("{").contains("EOF"));
        assert!(error("[]").contains("not a JSON object"));
        assert!(error(r#"{"ociVersion":"2.0.0"}"#).contains("unknown version '2.0.0'"));
        assert!(error(r#"{"ociVersion":"1.0.0","linux":{}}"#).contains("root"));
        assert!(error(r#"{"ociVersion":"1.0.0","root":{"path":""},"linux":{}}"#).contains("root.path"));
        assert!(error(r#"{"ociVersion":"1.0.0","root":{"path":"r"}}"#).contains("linux"));
    }
}
