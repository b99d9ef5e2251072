//! `/dev` of the program: the devices that the OCI runtime specification asks for (config-linux, "Default Devices").

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use rustix::fs::{CWD, FileType, Mode, makedev};
use rustix::mount::{MountFlags, mount};

use crate::error::Error;

/// Name, major and minor number of the character devices (Linux' Documentation/admin-guide/devices.txt).
const NODES: [(&str, u32, u32); 6] =
    [("null", 1, 3), ("zero", 1, 5), ("full", 1, 7), ("random", 1, 8), ("urandom", 1, 9), ("tty", 5, 0)];

const LINKS: [(&str, &str); 5] = [
    ("/proc/self/fd", "fd"),
    ("/proc/self/fd/0", "stdin"),
    ("/proc/self/fd/1", "stdout"),
    ("/proc/self/fd/2", "stderr"),
    ("pts/ptmx", "ptmx"),
];

/// Fills `dev`, a directory of the program's root.
pub(crate) fn populate(dev: &Path) -> Result<(), Error> {
    let nosuid = MountFlags::NOSUID;
    let limited = nosuid | MountFlags::NODEV | MountFlags::NOEXEC;
    let mount_at = |name: &str, kind: &str, flags, data: &std::ffi::CStr| {
        let target = dev.join(name);
        fs::create_dir_all(&target).map_err(Error::io(format!("making {}", target.display())))?;
        mount(kind, &target, kind, flags, data).map_err(Error::system(format!("mounting /dev/{name}")))
    };
    mount("tmpfs", dev, "tmpfs", nosuid, c"mode=755,size=64k").map_err(Error::system("mounting /dev"))?;
    for (name, major, minor) in NODES {
        let mode = Mode::from_raw_mode(0o666);
        rustix::fs::mknodat(CWD, dev.join(name), FileType::CharacterDevice, mode, makedev(major, minor))
            .map_err(Error::system(format!("making /dev/{name}")))?;
    }
    mount_at("pts", "devpts", nosuid | MountFlags::NOEXEC, c"newinstance,ptmxmode=0666,mode=0620,gid=5")?;
    mount_at("shm", "tmpfs", limited, c"mode=1777,size=64m")?;
    mount_at("mqueue", "mqueue", limited, c"")?;
    for (target, name) in LINKS {
        symlink(target, dev.join(name)).map_err(Error::io(format!("making /dev/{name}")))?;
    }
    Ok(())
}
