use std::io::Write;
use std::os::fd::AsFd;
use std::path::Path;

use super::archive::Archive;
use super::open_in;
use crate::{Engine, Error};

impl Engine {
    /// Writes all files of a container as a tar stream, without what is mounted in it (volumes, /proc, /sys, /dev).
    ///
    /// The calling process must have one thread.
    pub fn export(&self, what: &str, out: &mut dyn Write) -> Result<(), Error> {
        let instance = self.container(what, "export")?;
        let root = self.root_of(&instance, false)?;
        let failed = |e| Error::System("exporting the container's files", e);
        let top = open_in(root.as_fd(), Path::new("/"), rustix::fs::OFlags::RDONLY | rustix::fs::OFlags::DIRECTORY);
        let mut archive = Archive::new(out);
        archive.add_content(top.map_err(failed)?.as_fd(), Path::new("")).map_err(failed)?;
        archive.finish().map_err(failed)?;
        crate::events::write(&self.paths, &instance.plan, "export", &[]);
        Ok(())
    }
}
