//! The tables of system call instructions that unikernels rewrite: made once per image, at its first start as a unikernel.

use std::fs;
use std::path::{Path, PathBuf};

use image::erofs::{ErofsError, FileKind, Inode, Reader};
use plan::LaunchPlan;
use unikernel::rewrite::TableBuilder;

use crate::{Error, Paths};

/// A program text larger than this is left to the trap path: reading it would take more memory than its calls are worth.
const MAX_FILE: u64 = 512 << 20;

/// The table of the plan's image.
pub(crate) fn table(paths: &Paths, plan: &LaunchPlan) -> Result<PathBuf, Error> {
    let path = path(paths, &plan.image_digest);
    if path.exists() {
        return Ok(path);
    }
    let bytes = build(&plan.rootfs.erofs).map_err(|source| Error::Analysis { image: plan.image.clone(), source })?;
    let dir = paths.sites();
    fs::create_dir_all(&dir).map_err(Error::file("creating", &dir))?;
    // Two first starts at once make the same table; the last rename wins.
    let fresh = dir.join(format!("{}.new", plan.id));
    fs::write(&fresh, bytes).and_then(|()| fs::rename(&fresh, &path)).map_err(Error::file("writing", &path))?;
    Ok(path)
}

/// Forgets the table of an image that is removed.
pub(crate) fn forget(paths: &Paths, digest: &str) {
    let _ = fs::remove_file(path(paths, digest));
}

/// Tables of images that are gone, and tables that were never finished.
pub(crate) fn orphans(paths: &Paths, digests: &[String]) -> Vec<PathBuf> {
    let known: Vec<PathBuf> = digests.iter().map(|digest| path(paths, digest)).collect();
    let Ok(entries) = fs::read_dir(paths.sites()) else { return Vec::new() };
    entries.flatten().map(|entry| entry.path()).filter(|path| !known.contains(path)).collect()
}

fn path(paths: &Paths, digest: &str) -> PathBuf {
    // The version in the name leaves tables of an older analysis to `orphans`.
    paths.sites().join(format!("{}.{}", digest.trim_start_matches("sha256:"), unikernel::rewrite::VERSION))
}

/// The table of one image file.
pub(crate) fn build(erofs: &Path) -> Result<Vec<u8>, ErofsError> {
    let reader = Reader::open(erofs)?;
    let mut table = TableBuilder::new();
    reader.walk(|_, inode| -> Result<(), ErofsError> {
        if let Some(offset) = text_offset(inode)
            && starts_as_program(&reader, inode)?
        {
            table.add(offset, &reader.read_file(inode, MAX_FILE)?);
        }
        Ok(())
    })?;
    Ok(table.finish())
}

/// Where a file's data lies, if it is one that could be a program.
fn text_offset(inode: &Inode) -> Option<u64> {
    inode.data_offset.filter(|_| inode.kind == FileKind::Regular && inode.size <= MAX_FILE)
}

fn starts_as_program(reader: &Reader, inode: &Inode) -> Result<bool, ErofsError> {
    let mut start = [0u8; 16];
    let n = reader.read_at(inode, 0, &mut start)?;
    Ok(TableBuilder::wants(&start[..n]))
}
