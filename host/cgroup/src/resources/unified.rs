//! `linux.resources.unified`: files of version 2 by their names.

use std::collections::HashMap;

use rustix::io::Errno;

use super::Need;
use crate::group::Group;
use crate::{Controller, Error};

const FIELD: &str = "linux.resources.unified";

/// The controller of a file is what its name begins with.
pub(super) fn needs(files: &HashMap<String, String>) -> impl Iterator<Item = Need> {
    let controllers = files.keys().filter_map(|file| Controller::from_unified_name(file.split('.').next()?));
    controllers.map(|controller| Need::limit(controller, FIELD))
}

pub(super) fn apply(group: &Group, files: &HashMap<String, String>) -> Result<(), Error> {
    if files.is_empty() {
        return Ok(());
    }
    for file in files.keys() {
        check(file)?;
    }
    let Some(unified) = &group.unified else {
        let value = files.keys().next().cloned().unwrap_or_default();
        return Err(Error::Value { field: FIELD, value, reason: "this machine has no version 2 hierarchy" });
    };
    for (file, text) in files {
        // Most files take one line for each write.
        for line in text.lines() {
            match unified.try_write(file, line) {
                Ok(()) => {}
                Err(Errno::NOENT) => return Err(missing(file)),
                Err(errno) => return Err(unified.refused(FIELD, file, line, errno)),
            }
        }
    }
    Ok(())
}

/// The names come from the configuration and must stay inside the group's directory.
fn check(file: &str) -> Result<(), Error> {
    let error = |reason| Err(Error::Value { field: FIELD, value: file.to_owned(), reason });
    if file.contains('/') || file.contains('\0') {
        return error("a file's name contains no '/'");
    }
    match file.split_once('.') {
        Some((controller, rest)) if !controller.is_empty() && !rest.is_empty() && rest != "." => Ok(()),
        _ => error("a file's name is CONTROLLER.NAME, see cgroup-v2.rst"),
    }
}

fn missing(file: &str) -> Error {
    match file.split('.').next().and_then(Controller::from_unified_name) {
        Some(controller) => Error::MissingFile { field: FIELD, file: file.to_owned(), controller },
        None => {
            let reason = "the group has no such file, see cgroup-v2.rst";
            Error::Value { field: FIELD, value: file.to_owned(), reason }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn names() {
        for name in ["memory.high", "hugetlb.2MB.rsvd.max"] {
            check(name).unwrap();
        }
        for name in ["", ".", "..", "memory", "../x.y", "a/b.c", ".hidden", "memory."] {
            assert!(check(name).is_err(), "{name}");
        }
    }
}
