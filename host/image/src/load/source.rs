//! Where an image's files come from: an archive, or a directory with the same files.
//!
//! Names in an archive are keys of a map and never become paths of the host.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::PathBuf;

use super::LoadError;
use crate::file::{self, At};
use crate::layer::{Decoder, EntryKind, TarReader};
use crate::progress::Meter;
use crate::store::{StageError, StagedBlob, Staging};
use crate::{Digest, Limits, TarError};

/// Files of an archive: some hundred layers and documents at most, in honest ones.
const MAX_FILES: u64 = 1 << 16;
/// Links of old `docker save` archives lead straight to their file.
const MAX_LINKS: usize = 8;

/// An image's files. Blobs are copied into the staging directory and hashed on the way.
pub(super) struct Source<'a> {
    staging: &'a Staging,
    kind: Kind,
}

enum Kind {
    Archive { files: HashMap<String, StagedBlob>, links: HashMap<String, String> },
    Directory { path: PathBuf, blobs: HashMap<String, StagedBlob> },
}

impl<'a> Source<'a> {
    pub(super) fn directory(staging: &'a Staging, path: PathBuf) -> Self {
        Self { staging, kind: Kind::Directory { path, blobs: HashMap::new() } }
    }

    /// Reads a whole archive, itself compressed or not.
    pub(super) fn archive(
        staging: &'a Staging,
        reader: impl Read,
        limits: &Limits,
        meter: &mut Meter<'_>,
    ) -> Result<Self, LoadError> {
        let buffered = BufReader::with_capacity(128 << 10, reader);
        let (decoder, _) = Decoder::new(buffered, limits.unpacked_bytes).map_err(LoadError::Source)?;
        let mut archive = TarReader::new(BufReader::with_capacity(128 << 10, decoder));
        let (mut files, mut links) = (HashMap::new(), HashMap::new());
        let mut seen = 0;
        while let Some(entry) = archive.next()? {
            seen += 1;
            if seen > MAX_FILES {
                return Err(LoadError::TooManyFiles(MAX_FILES));
            }
            let Some(name) = normal_name("", &entry.path, limits) else { continue };
            match entry.kind {
                EntryKind::File => {
                    let blob = staging.add(&mut archive, &mut |bytes| meter.add(bytes)).map_err(stage_error)?;
                    if blob.size != entry.size {
                        return Err(TarError::Truncated.into());
                    }
                    files.insert(name, blob);
                }
                // A symbolic link's target is relative to where it stands, a hard link's to the archive's root.
                EntryKind::Symlink(target) => {
                    let parent = name.rsplit_once('/').map_or("", |(parent, _)| parent);
                    links.extend(normal_name(parent, &target, limits).map(|target| (name.clone(), target)));
                }
                EntryKind::HardLink(target) => {
                    links.extend(normal_name("", &target, limits).map(|target| (name, target)));
                }
                _ => {}
            }
        }
        // To the very end, where a compressed stream has its check sum.
        io::copy(&mut archive.into_inner(), &mut io::sink()).map_err(LoadError::Source)?;
        Ok(Self { staging, kind: Kind::Archive { files, links } })
    }

    /// Whether there is such a file.
    pub(super) fn has(&self, name: &str) -> bool {
        match &self.kind {
            Kind::Archive { files, .. } => files.contains_key(name),
            Kind::Directory { path, .. } => path.join(name).is_file(),
        }
    }

    /// A file, by its name from an archive's own documents.
    pub(super) fn file(&mut self, name: &str) -> Result<StagedBlob, LoadError> {
        let missing = || LoadError::Missing(name.escape_debug().to_string());
        let staging = self.staging;
        match &mut self.kind {
            Kind::Archive { files, links } => {
                let mut target = normal_name("", name.as_bytes(), &Limits::default()).ok_or_else(missing)?;
                for _ in 0..MAX_LINKS {
                    match links.get(&target) {
                        Some(next) if !files.contains_key(&target) => target.clone_from(next),
                        _ => break,
                    }
                }
                files.get(&target).cloned().ok_or_else(missing)
            }
            Kind::Directory { path, blobs } => {
                if let Some(blob) = blobs.get(name) {
                    return Ok(blob.clone());
                }
                // A name that goes up, or is absolute, would leave the directory.
                let inside = normal_name("", name.as_bytes(), &Limits::default()).ok_or_else(missing)?;
                let path = path.join(&inside);
                if !path.is_file() {
                    return Err(missing());
                }
                let mut file = File::open(&path).at("open", &path)?;
                let blob = staging.add(&mut file, &mut |_| {}).map_err(stage_error)?;
                blobs.insert(name.to_owned(), blob.clone());
                Ok(blob)
            }
        }
    }

    /// A blob of an OCI layout, with the contents that its name promises.
    pub(super) fn blob(&mut self, digest: Digest) -> Result<StagedBlob, LoadError> {
        let name = format!("blobs/sha256/{}", digest.hex());
        let blob = self.file(&name)?;
        if blob.digest == digest { Ok(blob) } else { Err(LoadError::DigestMismatch { name, found: blob.digest }) }
    }

    /// A document of at most the allowed size.
    pub(super) fn document(&mut self, name: &str, limits: &Limits) -> Result<Vec<u8>, LoadError> {
        let blob = self.file(name)?;
        read_document(name, &blob, limits)
    }
}

pub(super) fn read_document(name: &str, blob: &StagedBlob, limits: &Limits) -> Result<Vec<u8>, LoadError> {
    let limit = limits.json_bytes;
    if blob.size > limit {
        return Err(LoadError::DocumentTooLarge { name: name.to_owned(), size: blob.size, limit });
    }
    Ok(file::read(&blob.path, limit)?)
}

fn stage_error(error: StageError) -> LoadError {
    match error {
        StageError::Source(source) => LoadError::Source(source),
        StageError::File(error) => LoadError::File(error),
    }
}

/// A name without `.` and `..`, relative to the root; `None` if it leads above the root or is no text.
fn normal_name(parent: &str, path: &[u8], limits: &Limits) -> Option<String> {
    let path = std::str::from_utf8(path).ok().filter(|path| path.len() <= limits.path_bytes)?;
    let mut parts: Vec<&str> = Vec::new();
    for part in parent.split('/').chain(path.split('/')) {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    (!parts.is_empty()).then(|| parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_never_lead_out() {
        let name = |parent, path: &str| normal_name(parent, path.as_bytes(), &Limits::default());
        assert_eq!(name("", "./blobs//sha256/x"), Some("blobs/sha256/x".into()));
        assert_eq!(name("a", "../b/layer.tar"), Some("b/layer.tar".into()));
        assert_eq!(name("", "/etc/passwd"), Some("etc/passwd".into()));
        for bad in ["../x", "a/../../x", "", "."] {
            assert_eq!(name("", bad), None, "{bad}");
        }
    }
}
