//! The initial RAM file system: the agent as `/init`, and the kernel modules.
//!
//! A `newc` archive (Documentation/driver-api/early-userspace/buffer-format.rst of the Linux source), uncompressed: unpacking
//! under emulation would cost more than it saves. It is made once for each agent and kernel and kept beside the kernel,
//! so that all virtual machines share its pages.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::{Error, Kernel};

const DIRECTORY: u32 = 0o040_755;
const EXECUTABLE: u32 = 0o100_755;
const REGULAR: u32 = 0o100_644;
const CHARACTER_DEVICE: u32 = 0o020_600;

/// The archive for this kernel and agent, made if it does not exist.
pub(crate) fn cached(kernel: &Kernel, agent: &Path) -> Result<PathBuf, Error> {
    let program = fs::read(agent).map_err(|source| Error::Agent { path: agent.to_owned(), source })?;
    let home = kernel.vmlinux.parent().unwrap_or(Path::new("/"));
    let path = home.join(format!("initrd-{}", fingerprint(&program)));
    if !path.is_file() {
        let archive = build(&program, &kernel.modules).map_err(Error::file("reading", &kernel.modules))?;
        write_atomically(home, &path, &archive).map_err(Error::file("writing", &path))?;
    }
    Ok(path)
}

/// 16 hexadecimal digits that change with the agent. The kernel's modules cannot change: they live in the directory of
/// their version, and installing it again replaces the archive with it.
fn fingerprint(program: &[u8]) -> String {
    Sha256::digest(program).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

fn write_atomically(home: &Path, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = tempfile::NamedTempFile::new_in(home)?;
    file.write_all(bytes)?;
    // QEMU runs without privileges.
    File::set_permissions(file.as_file(), fs::Permissions::from_mode(0o644))?;
    file.persist(path).map(drop).map_err(|error| error.error)
}

fn build(program: &[u8], modules: &Path) -> io::Result<Vec<u8>> {
    let mut archive = Archive::default();
    for directory in ["dev", "modules"] {
        archive.add(directory, DIRECTORY, &[], (0, 0));
    }
    // The kernel opens it as the agent's standard streams before /dev can be mounted.
    archive.add("dev/console", CHARACTER_DEVICE, &[], (5, 1));
    archive.add("init", EXECUTABLE, program, (0, 0));
    let mut entries: Vec<_> = fs::read_dir(modules)?.collect::<Result<_, _>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let name = format!("modules/{}", entry.file_name().to_string_lossy());
        archive.add(&name, REGULAR, &fs::read(entry.path())?, (0, 0));
    }
    Ok(archive.finish())
}

/// A `newc` archive under construction.
#[derive(Default)]
struct Archive {
    bytes: Vec<u8>,
    entries: u32,
}

impl Archive {
    fn add(&mut self, name: &str, mode: u32, data: &[u8], device: (u32, u32)) {
        self.entries += 1;
        let (inode, size, name_size) = (self.entries, data.len() as u32, name.len() as u32 + 1);
        // ino mode uid gid nlink mtime filesize devmajor devminor rdevmajor rdevminor namesize check
        let fields = [inode, mode, 0, 0, 1, 0, size, 0, 0, device.0, device.1, name_size, 0];
        self.bytes.extend_from_slice(b"070701");
        for field in fields {
            self.bytes.extend_from_slice(format!("{field:08X}").as_bytes());
        }
        self.bytes.extend_from_slice(name.as_bytes());
        self.bytes.push(0);
        self.pad();
        self.bytes.extend_from_slice(data);
        self.pad();
    }

    fn pad(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }

    fn finish(mut self) -> Vec<u8> {
        self.add("TRAILER!!!", 0, &[], (0, 0));
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_archive_changes_with_the_agent_only() {
        let dir = tempfile::tempdir().unwrap();
        let kernel =
            Kernel { vmlinux: dir.path().join("vmlinux"), modules: dir.path().join("modules"), version: "6.1".into() };
        fs::create_dir(&kernel.modules).unwrap();
        fs::write(kernel.modules.join("index"), "x:\n").unwrap();
        let agent = dir.path().join("agent");
        fs::write(&agent, "one").unwrap();
        let first = cached(&kernel, &agent).unwrap();
        assert_eq!(first, cached(&kernel, &agent).unwrap());
        let bytes = fs::read(&first).unwrap();
        assert!(bytes.starts_with(b"070701") && bytes.len().is_multiple_of(4));
        for name in [&b"dev/console\0"[..], b"init\0", b"modules/index\0", b"TRAILER!!!\0", b"x:\n"] {
            assert!(bytes.windows(name.len()).any(|window| window == name));
        }
        fs::write(&agent, "two").unwrap();
        assert_ne!(first, cached(&kernel, &agent).unwrap());
        assert!(matches!(cached(&kernel, &dir.path().join("none")), Err(Error::Agent { .. })));
    }
}
