//! Devices of the host for a container, and which ones its processes may open.

use std::fs;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use oci_spec::runtime::{LinuxDevice, LinuxDeviceType};
use plan::Options;
use plan::options::Device;
use rustix::fs::{major, minor};

use crate::Error;

/// A device and what may be done with it.
pub(super) struct Granted {
    pub(super) node: LinuxDevice,
    pub(super) access: String,
}

/// What `--device` and `--privileged` ask for. In a user namespace no node can be made: there devices are bind mounts.
pub(super) fn devices(options: &Options, rootless: bool) -> Result<Vec<Granted>, Error> {
    let mut all = Vec::new();
    for device in &options.devices {
        add(device, &mut all)?;
    }
    if options.security.privileged && !rootless {
        let everything = Device { host: "/dev".into(), guest: "/dev".into(), access: "rwm".to_owned() };
        add_directory(&everything, Path::new("/dev"), &mut all)?;
    }
    Ok(all)
}

fn add(device: &Device, all: &mut Vec<Granted>) -> Result<(), Error> {
    let error = |e| Error::File { action: "looking at the device", path: device.host.clone(), source: e };
    if fs::metadata(&device.host).map_err(error)?.is_dir() {
        return add_directory(device, &device.host, all);
    }
    match granted(&device.host, device.guest.clone(), &device.access).map_err(error)? {
        Some(granted) => all.push(granted),
        None => {
            return Err(Error::Invalid(format!("{} is not a device (--device)", device.host.display())));
        }
    }
    Ok(())
}

/// Every device below a directory, without those that each container has of its own.
fn add_directory(device: &Device, dir: &Path, all: &mut Vec<Granted>) -> Result<(), Error> {
    const OWN: [&str; 14] = [
        "pts",
        "shm",
        "mqueue",
        "fd",
        "console",
        ".lxc",
        ".lxd-mounts",
        "null",
        "zero",
        "full",
        "random",
        "urandom",
        "tty",
        "ptmx",
    ];
    let entries = fs::read_dir(dir).map_err(Error::file("listing the devices of", dir))?;
    for entry in entries.flatten() {
        let (name, path) = (entry.file_name(), entry.path());
        if dir == Path::new("/dev") && OWN.iter().any(|own| name == *own) {
            continue;
        }
        let guest = || device.guest.join(path.strip_prefix(&device.host).unwrap_or(&path));
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => add_directory(device, &path, all)?,
            Ok(kind) if kind.is_char_device() || kind.is_block_device() => {
                // One that goes away meanwhile is none.
                all.extend(granted(&path, guest(), &device.access).ok().flatten());
            }
            _ => {}
        }
    }
    Ok(())
}

fn granted(host: &Path, guest: PathBuf, access: &str) -> std::io::Result<Option<Granted>> {
    let metadata = fs::metadata(host)?;
    let kind = match metadata.file_type() {
        kind if kind.is_char_device() => LinuxDeviceType::C,
        kind if kind.is_block_device() => LinuxDeviceType::B,
        _ => return Ok(None),
    };
    let mut node = LinuxDevice::default();
    node.set_path(guest);
    node.set_typ(kind);
    node.set_major(i64::from(major(metadata.rdev())));
    node.set_minor(i64::from(minor(metadata.rdev())));
    node.set_file_mode(Some(metadata.mode() & 0o7777));
    node.set_uid(Some(metadata.uid()));
    node.set_gid(Some(metadata.gid()));
    Ok(Some(Granted { node, access: access.to_owned() }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_are_looked_up() {
        let mut options = Options::default();
        options.devices.push("/dev/null:/dev/nothing:r".parse().unwrap());
        let all = devices(&options, false).unwrap();
        assert_eq!((all[0].node.major(), all[0].node.minor(), all[0].access.as_str()), (1, 3, "r"));
        options.devices.push("/etc/passwd".parse().unwrap());
        assert!(devices(&options, false).is_err());
    }
}
