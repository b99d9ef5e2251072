//! What is shared into an instance: paths of the host, named volumes, and what another instance shares.

use std::collections::BTreeMap;

use image::Image;
use plan::Volume;
use plan::options::{Mount, MountKind};

use crate::{Engine, Error, RunRequest};

impl RunRequest {
    /// Everything that any level can mount; [`own_mounts`](Self::own_mounts) has the rest.
    pub(super) fn volumes(&self, engine: &Engine, image: &Image) -> Result<Vec<Volume>, Error> {
        let mut all = Vec::new();
        for from in &self.volumes_from {
            all.extend(volumes_of(engine, from)?);
        }
        all.extend(self.volumes.iter().cloned());
        for mount in &self.options.mounts {
            match &mount.kind {
                MountKind::Volume(name) => all.push(named(engine, image, name, mount)?),
                MountKind::Bind(bind) if mount.kind.is_volume() => all.push(Volume {
                    host: bind.source.clone(),
                    guest: mount.target.clone(),
                    read_only: mount.read_only,
                }),
                _ => {}
            }
        }
        // The last one for a place counts, so an instance can replace what it takes over from another.
        let mut kept: Vec<Volume> = Vec::new();
        for volume in all {
            kept.retain(|earlier| earlier.guest != volume.guest);
            kept.push(volume);
        }
        match kept.iter().find(|volume| !volume.host.exists()) {
            Some(missing) => Err(Error::NoVolume(missing.host.clone())),
            None => Ok(kept),
        }
    }

    /// The mounts that only a container can have.
    pub(super) fn own_mounts(&self) -> Result<Vec<Mount>, Error> {
        let own: Vec<Mount> = self.options.mounts.iter().filter(|mount| !mount.kind.is_volume()).cloned().collect();
        for mount in &own {
            if let MountKind::Bind(bind) = &mount.kind
                && !bind.source.exists()
            {
                return Err(Error::NoVolume(bind.source.clone()));
            }
        }
        Ok(own)
    }
}

/// `INSTANCE[:ro|:rw]`.
fn volumes_of(engine: &Engine, from: &str) -> Result<Vec<Volume>, Error> {
    let (name, read_only) = match from.rsplit_once(':') {
        None | Some((_, "rw")) => (from.strip_suffix(":rw").unwrap_or(from), false),
        Some((name, "ro")) => (name, true),
        Some(_) => {
            return Err(Error::Invalid(format!("invalid --volumes-from '{from}'; write INSTANCE[:ro]")));
        }
    };
    let mut volumes = engine.find(name)?.plan.volumes;
    volumes.iter_mut().for_each(|volume| volume.read_only |= read_only);
    Ok(volumes)
}

/// A named volume, made if it is not there. A new one begins with what the image has at its place, as Docker's.
fn named(engine: &Engine, image: &Image, name: &str, mount: &Mount) -> Result<Volume, Error> {
    let volume = engine.create_volume(name, BTreeMap::new())?;
    let is_empty = std::fs::read_dir(&volume.path).is_ok_and(|mut entries| entries.next().is_none());
    if let (true, Some(guest)) = (is_empty, mount.target.to_str()) {
        image::extract(&image.erofs, guest, &volume.path)?;
    }
    Ok(Volume { host: volume.path, guest: mount.target.clone(), read_only: mount.read_only })
}
