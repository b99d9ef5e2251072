//! The options of a plan: names resolved, files read.

use std::collections::BTreeSet;

use image::Image;
use plan::Options;
use plan::options::{IpcMode, PidMode, SeccompChoice};

use crate::{Engine, Error, RunRequest};

impl RunRequest {
    pub(super) fn options(&self, engine: &Engine, image: &Image) -> Result<Options, Error> {
        let mut options = self.options.clone();
        options.mounts = self.own_mounts()?;
        options.exposed = self.exposed(image);
        for (key, value) in &image.config.labels {
            options.labels.entry(key.clone()).or_insert_with(|| value.clone());
        }
        if let PidMode::Container(name) = &options.pid {
            options.pid = PidMode::Container(self.shared(engine, name)?.as_str().to_owned());
        }
        if let IpcMode::Container(name) = &options.ipc {
            options.ipc = IpcMode::Container(self.shared(engine, name)?.as_str().to_owned());
        }
        for device in &options.devices {
            if !device.host.exists() {
                return Err(Error::Invalid(format!("the device {} does not exist", device.host.display())));
            }
        }
        if let Some(file) = options.security.seccomp_file() {
            let names: BTreeSet<String> = crate::spec::capabilities(&options).into_iter().collect();
            let kernel = rustix::system::uname().release().to_string_lossy().into_owned();
            let profile = crate::seccomp_profile::read(&file, &names, &kernel)?;
            let text = serde_json::to_string(&profile).map_err(|source| Error::Damaged { path: file, source })?;
            options.security.seccomp = SeccompChoice::Profile(text);
        }
        Ok(options)
    }

    /// The numbers of `--group-add`.
    pub(super) fn groups(&self, image: &Image) -> Result<Vec<u32>, Error> {
        let group = |text: &String| match text.parse::<u32>() {
            Ok(gid) => Ok(gid),
            Err(_) => Ok(image::resolve_user(&image.erofs, &format!("0:{text}"))?.gid),
        };
        self.group_add.iter().map(group).collect()
    }
}
