//! The home directory of a user of the container, from its /etc/passwd (passwd(5)).

use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;

use rustix::fs::{CWD, FileType, Mode, OFlags, ResolveFlags};

/// What a user without an entry gets, as in runc.
const DEFAULT: &str = "/";
/// No honest file is longer; one that is must not cost the host its memory.
const LONGEST: u64 = 1 << 20;

/// A pipe or a terminal must not hold the start up.
const FLAGS: OFlags = OFlags::RDONLY.union(OFlags::NONBLOCK).union(OFlags::NOCTTY).union(OFlags::CLOEXEC);

/// The home directory of `uid`. A file that cannot be used counts as an empty one.
fn of(passwd: rustix::io::Result<OwnedFd>, uid: u32) -> String {
    let mut text = Vec::new();
    if let Ok(file) = passwd
        && rustix::fs::fstat(&file).is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile)
        && File::from(file).take(LONGEST).read_to_end(&mut text).is_err()
    {
        text.clear();
    }
    home_in_passwd(&text, uid).unwrap_or(DEFAULT).to_owned()
}

/// The home directory of `uid` in this process's own root, which is the container's: no link leads out of it but magic ones.
pub(super) fn of_own(uid: u32) -> String {
    of(rustix::fs::openat2(CWD, "/etc/passwd", FLAGS, Mode::empty(), ResolveFlags::NO_MAGICLINKS), uid)
}

/// A user's home directory in the text of an /etc/passwd (passwd(5)): the sixth field of the first line whose third is `uid`.
pub fn home_in_passwd(passwd: &[u8], uid: u32) -> Option<&str> {
    let home = passwd.split(|byte| *byte == b'\n').find_map(|line| {
        let mut fields = line.split(|byte| *byte == b':');
        let id = std::str::from_utf8(fields.nth(2)?).ok()?;
        // No sign and no space: what other programs would read differently is nobody's entry.
        (id.bytes().all(|byte| byte.is_ascii_digit()) && id.parse() == Ok(uid)).then(|| fields.nth(2))?
    })?;
    std::str::from_utf8(home).ok().filter(|home| !home.is_empty() && !home.contains('\0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &[u8] =
        b"root:x:0:0:root:/root:/bin/sh\nbad line\n\xff:x:7:7::/seven:\nplus:x:+8:8::/eight:/bin/sh\n\
        none:x:9:9:::/bin/sh\nshort:x:10:10\nlast:x:11:11::/eleven";

    #[test]
    fn entries() {
        assert_eq!(home_in_passwd(PASSWD, 0), Some("/root"));
        assert_eq!(home_in_passwd(PASSWD, 7), Some("/seven"));
        assert_eq!(home_in_passwd(PASSWD, 11), Some("/eleven"));
        for absent in [8, 9, 10, 12, u32::MAX] {
            assert_eq!(home_in_passwd(PASSWD, absent), None, "{absent}");
        }
        assert_eq!(home_in_passwd(b"", 0), None);
    }

    #[test]
    fn files_that_are_none() {
        let directory = tempfile::tempdir().unwrap();
        let open = File::open(directory.path()).unwrap();
        let inside = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
        let of = |uid| of(rustix::fs::openat2(&open, "etc/passwd", FLAGS, Mode::empty(), inside), uid);
        assert_eq!(of(0), "/");
        std::fs::create_dir(directory.path().join("etc")).unwrap();
        let passwd = directory.path().join("etc/passwd");
        std::fs::write(&passwd, PASSWD).unwrap();
        assert_eq!((of(0).as_str(), of(5).as_str()), ("/root", "/"));
        std::fs::remove_file(&passwd).unwrap();
        std::os::unix::fs::symlink("/proc/self/fd/0", &passwd).unwrap();
        assert_eq!(of(0), "/");
        std::fs::remove_file(&passwd).unwrap();
        rustix::fs::mknodat(rustix::fs::CWD, &passwd, FileType::Fifo, rustix::fs::Mode::from_raw_mode(0o644), 0)
            .unwrap();
        assert_eq!(of(0), "/");
    }
}
