//! Files of lines that grow, and are put aside as `NAME.1`, `NAME.2` … when they are full, while somebody reads them.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Seek, SeekFrom};
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::inotify;

/// More files are never kept.
const MAX_FILES: usize = 1000;

/// The name of the `n`th file that was put aside.
pub(crate) fn aside(path: &Path, n: usize) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{n}"));
    name.into()
}

/// Puts a file aside, after those that were put aside before; keeps so many with the one that will be made next.
pub(crate) fn put_aside(path: &Path, keep: usize) -> io::Result<()> {
    if keep <= 1 {
        return std::fs::remove_file(path);
    }
    for n in (1..keep - 1).rev() {
        match std::fs::rename(aside(path, n), aside(path, n + 1)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    std::fs::rename(path, aside(path, 1))
}

/// Reads all lines, those of files that were put aside first, and goes on with those that come.
#[derive(Debug)]
pub(crate) struct Lines {
    path: PathBuf,
    /// In order of age; the last is the one that grows.
    files: VecDeque<(u64, BufReader<File>)>,
}

impl Lines {
    /// Lines of files that may not exist yet.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let mut lines = Self { path: path.to_owned(), files: VecDeque::new() };
        lines.look(None)?;
        Ok(lines)
    }

    /// Opens what is newer than the file `known`, newest first: files only ever move to higher numbers, so none is missed, and
    /// one that moves meanwhile is seen again and left out.
    fn look(&mut self, known: Option<u64>) -> io::Result<()> {
        let mut found: VecDeque<(u64, BufReader<File>)> = VecDeque::new();
        let mut missing = 0;
        for n in 0..MAX_FILES {
            let path = if n == 0 { self.path.clone() } else { aside(&self.path, n) };
            let file = match File::open(path) {
                Ok(file) => file,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    missing += 1;
                    // One gap is a rotation that is going on.
                    if missing > 2 {
                        break;
                    }
                    continue;
                }
                Err(error) => return Err(error),
            };
            let inode = file.metadata()?.ino();
            if Some(inode) == known {
                break;
            }
            if found.front().is_none_or(|(newer, _)| *newer != inode) {
                found.push_front((inode, BufReader::new(file)));
            }
        }
        self.files.append(&mut found);
        Ok(())
    }

    /// The next complete line with its newline, if there is one now.
    pub(crate) fn next(&mut self) -> io::Result<Option<String>> {
        let mut looked = false;
        loop {
            let Some((inode, file)) = self.files.front_mut() else {
                if looked {
                    return Ok(None);
                }
                looked = true;
                self.look(None)?;
                continue;
            };
            let mut text = Vec::new();
            let n = file.read_until(b'\n', &mut text)?;
            if text.ends_with(b"\n") {
                return Ok(Some(String::from_utf8_lossy(&text).into_owned()));
            }
            // The writer is in the middle of it: come back to its beginning next time.
            file.seek(SeekFrom::Current(-(n as i64)))?;
            let known = *inode;
            if self.files.len() > 1 {
                self.files.pop_front();
                continue;
            }
            if looked {
                return Ok(None);
            }
            looked = true;
            self.look(Some(known))?;
        }
    }
}

/// Wakes when something changes in a directory (inotify(7)).
#[derive(Debug)]
pub(crate) struct Watch(OwnedFd);

impl Watch {
    pub(crate) fn new(dir: &Path) -> io::Result<Self> {
        use inotify::{CreateFlags, WatchFlags};
        let fd = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
        let what = WatchFlags::MODIFY | WatchFlags::CREATE | WatchFlags::MOVED_TO | WatchFlags::DELETE_SELF;
        inotify::add_watch(&fd, dir, what)?;
        Ok(Self(fd))
    }

    /// Waits for a change since the last call, no longer than `limit`.
    pub(crate) fn wait(&self, limit: Duration) {
        let limit = Timespec { tv_sec: limit.as_secs() as i64, tv_nsec: i64::from(limit.subsec_nanos()) };
        let _ = poll(&mut [PollFd::new(&self.0, PollFlags::IN)], Some(&limit));
        let mut buffer = [0u8; 4096];
        while rustix::io::read(&self.0, &mut buffer).is_ok_and(|n| n == buffer.len()) {}
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn a_reader_follows_across_rotations() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let append = |text: &str| {
            File::options().create(true).append(true).open(&path).unwrap().write_all(text.as_bytes()).unwrap();
        };
        let mut lines = Lines::open(&path).unwrap();
        assert_eq!(lines.next().unwrap(), None, "no file yet");
        append("1\n2\nhal");
        assert_eq!(lines.next().unwrap().as_deref(), Some("1\n"));
        assert_eq!(lines.next().unwrap().as_deref(), Some("2\n"));
        assert_eq!(lines.next().unwrap(), None);
        append("f\n");
        for text in ["4\n", "5\n", "6\n"] {
            put_aside(&path, 4).unwrap();
            append(text);
        }
        let mut rest = Vec::new();
        while let Some(line) = lines.next().unwrap() {
            rest.push(line);
        }
        assert_eq!(rest, ["half\n", "4\n", "5\n", "6\n"]);
        put_aside(&path, 4).unwrap();
        assert!(!aside(&path, 4).exists(), "four are kept with the next");
        let mut again = Lines::open(&path).unwrap();
        assert_eq!(again.next().unwrap().as_deref(), Some("4\n"));
    }

    #[test]
    fn a_change_wakes() {
        let dir = tempfile::tempdir().unwrap();
        let watch = Watch::new(dir.path()).unwrap();
        std::fs::write(dir.path().join("new"), "x").unwrap();
        let begin = std::time::Instant::now();
        watch.wait(Duration::from_secs(20));
        assert!(begin.elapsed() < Duration::from_secs(10));
    }
}
