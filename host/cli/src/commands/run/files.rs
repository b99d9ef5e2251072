//! Files that hold flags: `--env-file` and `--label-file`.

use std::path::PathBuf;

use engine::Error;

/// The lines of all files, without comments and empty ones.
pub(super) fn lines(files: &[PathBuf]) -> Result<Vec<String>, Error> {
    let mut all = Vec::new();
    for file in files {
        let error = |e: std::io::Error| Error::Invalid(format!("cannot read {}: {e}", file.display()));
        let text = std::fs::read_to_string(file).map_err(error)?;
        let useful = |line: &&str| !line.trim().is_empty() && !line.trim_start().starts_with('#');
        all.extend(text.lines().map(str::trim_start).filter(useful).map(str::to_owned));
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_are_left_out_and_values_kept() {
        let file = std::env::temp_dir().join(format!("coracle-lines-{}", std::process::id()));
        std::fs::write(&file, "# comment\n\nA=1 # not a comment\n  B\n").unwrap();
        let read = lines(std::slice::from_ref(&file));
        std::fs::remove_file(&file).unwrap();
        assert_eq!(read.unwrap(), ["A=1 # not a comment", "B"]);
        assert!(lines(&["/nonexistent".into()]).is_err());
    }
}
