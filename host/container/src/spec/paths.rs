use std::path::Path;

use super::{InvalidSpec, Problem};

/// Absolute paths of a list.
pub(super) fn all<'a>(field: &str, paths: &'a Option<Vec<String>>) -> Result<Vec<&'a str>, InvalidSpec> {
    paths.iter().flatten().enumerate().map(|(index, path)| absolute(&format!("{field}[{index}]"), path)).collect()
}

/// An absolute path that the kernel can take.
pub(super) fn absolute<'a>(field: &str, path: &'a str) -> Result<&'a str, InvalidSpec> {
    if path.contains('\0') {
        return Err(InvalidSpec::new(field, Problem::NotText));
    }
    match path.starts_with('/') {
        true => Ok(path),
        false => Err(InvalidSpec::new(field, Problem::NotAbsolute(path.to_owned()))),
    }
}

/// The text of a path without `.`, `..` and repeated slashes, from the root.
pub(super) fn clean(field: &str, path: &Path) -> Result<String, InvalidSpec> {
    let text = path.to_str().filter(|text| !text.contains('\0'));
    let text = text.ok_or_else(|| InvalidSpec::new(field, Problem::NotText))?;
    if text.is_empty() {
        return Err(InvalidSpec::new(field, Problem::Empty));
    }
    let mut parts: Vec<&str> = Vec::new();
    for part in text.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    Ok(format!("/{}", parts.join("/")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_cleaned() {
        let clean = |path: &str| clean("field", Path::new(path));
        assert_eq!(clean("/a//b/./c/../d/").unwrap(), "/a/b/d");
        assert_eq!(clean("/../../..").unwrap(), "/");
        assert_eq!(clean("relative").unwrap(), "/relative");
        assert_eq!(clean("").unwrap_err().problem, Problem::Empty);
        assert_eq!(clean("/a\0b").unwrap_err().problem, Problem::NotText);
        assert!(absolute("field", "bin").is_err());
    }
}
