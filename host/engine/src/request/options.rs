//! The options of a plan: names resolved, files read.

use std::collections::BTreeSet;

use image::Image;
use plan::Options;
use plan::options::{IdMapping, IpcMode, PidMode, SeccompChoice, UserMode};

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
        if options.user == UserMode::Auto {
            let all = [free_ids(engine)?];
            options.user = UserMode::Mapped(all.to_vec(), all.to_vec());
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

/// How many ids an instance gets, and where those for instances begin: far beyond those of people and of subuid(5).
const IDS: u32 = 65_536;
const FIRST: u32 = 1 << 30;
/// As many ranges as fit below 2^31, the largest id that programs take for one.
const RANGES: u32 = (1 << 30) / IDS;

/// Ids that no other instance has. The first one that is tried is random, so that two starts at once do not choose the same.
fn free_ids(engine: &Engine) -> Result<IdMapping, Error> {
    let mut bytes = [0u8; 4];
    rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty())
        .map_err(|e| Error::System("getting random bytes", e.into()))?;
    let used: BTreeSet<u32> = engine
        .list()
        .iter()
        .filter_map(|instance| match &instance.plan.options.user {
            UserMode::Mapped(uids, _) => uids.first().map(|mapping| mapping.outside),
            _ => None,
        })
        .collect();
    let begin = u32::from_le_bytes(bytes) % RANGES;
    let mut ranges = (0..RANGES).map(|step| FIRST + (begin + step) % RANGES * IDS);
    let outside = ranges.find(|first| !used.contains(first));
    let none = || Error::Invalid("every range of ids is in use (--userns auto); remove instances".to_owned());
    Ok(IdMapping { inside: 0, outside: outside.ok_or_else(none)?, count: IDS })
}
