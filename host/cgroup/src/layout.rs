use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use rustix::fs::{Mode, OFlags};

use crate::{Controller, Error};

/// The directory of all our groups in each hierarchy.
pub(crate) const PARENT: &str = "coracle";

/// Which hierarchies are mounted, and where.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Layout {
    unified: Option<PathBuf>,
    legacy: Vec<(Controller, PathBuf)>,
}

/// How the machine organises control groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// Version 1 only.
    V1,
    /// Version 2 only.
    V2,
    /// Controllers in version 1 beside a version 2 hierarchy.
    Hybrid,
}

impl Layout {
    /// Reads the mount table of this process.
    ///
    /// # Errors
    /// [`Error::Mounts`] without /proc, [`Error::NoHierarchy`] if nothing is mounted.
    pub fn detect() -> Result<Self, Error> {
        let table = read_table().map_err(|e| Error::Mounts(e.into()))?;
        let layout = Self::parse(&table);
        if layout == Self::default() { Err(Error::NoHierarchy) } else { Ok(layout) }
    }

    /// [`detect`](Self::detect), once in this process: hierarchies are not mounted and unmounted between two instances.
    pub(crate) fn current() -> Result<&'static Self, Error> {
        static CURRENT: OnceLock<Layout> = OnceLock::new();
        match CURRENT.get() {
            Some(layout) => Ok(layout),
            None => Self::detect().map(|layout| CURRENT.get_or_init(|| layout)),
        }
    }

    /// Finds the hierarchies in a mount table, `mountinfo` of proc(5). The first mount of a hierarchy's root counts.
    pub fn parse(mountinfo: &[u8]) -> Self {
        let mut layout = Self::default();
        for line in mountinfo.split(|byte| *byte == b'\n') {
            if let Some(mount) = std::str::from_utf8(line).ok().and_then(Mount::parse) {
                layout.add(mount);
            }
        }
        layout
    }

    fn add(&mut self, mount: Mount<'_>) {
        match mount.kind {
            "cgroup2" if self.unified.is_none() => self.unified = Some(mount.path),
            "cgroup" => {
                for controller in mount.options.split(',').filter_map(Controller::from_name) {
                    if self.legacy(controller).is_none() {
                        self.legacy.push((controller, mount.path.clone()));
                    }
                }
            }
            _ => {}
        }
    }

    /// How the machine organises control groups.
    pub fn version(&self) -> Version {
        match (&self.unified, self.legacy.is_empty()) {
            (Some(_), true) => Version::V2,
            (Some(_), false) => Version::Hybrid,
            (None, _) => Version::V1,
        }
    }

    /// Where the version 2 hierarchy is mounted.
    pub fn unified(&self) -> Option<&Path> {
        self.unified.as_deref()
    }

    /// Where the version 1 hierarchy with this controller is mounted.
    pub fn legacy(&self, controller: Controller) -> Option<&Path> {
        self.legacy.iter().find(|(own, _)| *own == controller).map(|(_, path)| path.as_path())
    }

    /// The controllers of the version 2 hierarchy's root; empty in most hybrid set-ups.
    pub fn unified_controllers(&self) -> Vec<Controller> {
        let file = self.unified.as_ref().map(|root| root.join("cgroup.controllers"));
        let text = file.and_then(|file| std::fs::read_to_string(file).ok()).unwrap_or_default();
        text.split_ascii_whitespace().filter_map(Controller::from_unified_name).collect()
    }

    /// Whether there is version 2 alone.
    pub(crate) fn is_pure(&self) -> bool {
        self.version() == Version::V2
    }

    /// Every hierarchy's root once.
    pub(crate) fn roots(&self) -> Vec<&Path> {
        let mut roots: Vec<&Path> = self.unified.iter().map(PathBuf::as_path).collect();
        for (_, path) in &self.legacy {
            if !roots.contains(&path.as_path()) {
                roots.push(path);
            }
        }
        roots
    }
}

/// Reads the mount table in large pieces: the kernel makes its text anew for each small one.
fn read_table() -> rustix::io::Result<Vec<u8>> {
    const LARGEST: usize = 1 << 20;
    let file = rustix::fs::open("/proc/self/mountinfo", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    let mut table = Vec::with_capacity(16 * 1024);
    while table.len() < LARGEST {
        if table.spare_capacity_mut().is_empty() {
            table.reserve(table.len());
        }
        if rustix::io::retry_on_intr(|| rustix::io::read(&file, rustix::buffer::spare_capacity(&mut table)))? == 0 {
            break;
        }
    }
    Ok(table)
}

/// The parts of a line that matter here.
struct Mount<'a> {
    path: PathBuf,
    kind: &'a str,
    options: &'a str,
}

impl<'a> Mount<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let (before, after) = line.split_once(" - ")?;
        let mut fields = before.split(' ').skip(3);
        // A mount of something below the root is somebody's view, not the hierarchy.
        if fields.next()? != "/" {
            return None;
        }
        let path = fields.next()?;
        let mut fields = after.split(' ');
        let kind = fields.next()?;
        let options = fields.nth(1)?;
        Some(Self { path: unescape(path), kind, options })
    }
}

/// Undoes the octal escapes of space, tab, newline and backslash.
fn unescape(path: &str) -> PathBuf {
    let mut out = String::with_capacity(path.len());
    let mut rest = path;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        let code = rest.get(at + 1..at + 4).and_then(|digits| u8::from_str_radix(digits, 8).ok());
        match code {
            Some(code) if code.is_ascii() => {
                out.push(char::from(code));
                rest = &rest[at + 4..];
            }
            _ => {
                out.push('\\');
                rest = &rest[at + 1..];
            }
        }
    }
    out.push_str(rest);
    PathBuf::from(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hybrid() {
        let layout = Layout::parse(
            b"31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755\n\
              32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:9 - cgroup cgroup rw,cpu,cpuacct\n\
              33 31 0:30 /docker/x /mnt/view rw - cgroup cgroup rw,memory\n\
              34 31 0:30 / /sys/fs/cgroup/my\\040memory rw - cgroup cgroup rw,memory\n\
              41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n",
        );
        assert_eq!(layout.version(), Version::Hybrid);
        assert_eq!(layout.legacy(Controller::CpuAcct), Some(Path::new("/sys/fs/cgroup/cpu,cpuacct")));
        assert_eq!(layout.legacy(Controller::Memory), Some(Path::new("/sys/fs/cgroup/my memory")));
        assert_eq!(layout.legacy(Controller::Pids), None);
        assert_eq!(layout.roots().len(), 3);
    }

    #[test]
    fn pure() {
        let v2 = Layout::parse(b"41 31 0:38 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate");
        assert_eq!((v2.version(), v2.unified()), (Version::V2, Some(Path::new("/sys/fs/cgroup"))));
        let v1 = Layout::parse(b"32 31 0:29 / /cg rw - cgroup none rw,pids");
        assert_eq!((v1.version(), v1.legacy(Controller::Pids)), (Version::V1, Some(Path::new("/cg"))));
    }

    #[test]
    fn foreign_bytes_are_no_mounts() {
        for bytes in
            [&b"\xff\xfe - cgroup2"[..], b"", b" - ", b"1 2 3 / / rw - cgroup", b"a\\", b"1 2 3 / \\9 r - cgroup2 a b"]
        {
            let _ = Layout::parse(bytes);
        }
        assert_eq!(unescape("a\\04"), PathBuf::from("a\\04"));
        assert_eq!(unescape("a\\\u{e9}\u{e9}"), PathBuf::from("a\\\u{e9}\u{e9}"));
    }
}
