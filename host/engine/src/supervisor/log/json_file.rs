//! One JSON object a line, in the format of Docker's `json-file` log driver.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use crate::follow::{self, Lines};

/// The log's name in an instance's directory.
const LOG: &str = "log.json";
const STREAMS: [&str; 2] = ["stdout", "stderr"];

/// One line of output.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLine {
    /// The text, with its newline if it had one; bytes that are not UTF-8 are replaced.
    pub log: String,
    /// `stdout` or `stderr`.
    pub stream: String,
    /// When it was written: RFC 3339, UTC.
    pub time: String,
}

/// Appends to an instance's log, which the first output makes.
#[derive(Debug)]
pub(super) struct JsonFile {
    path: PathBuf,
    file: Option<File>,
    size: u64,
    /// A file that would grow beyond is put aside.
    max_size: Option<u64>,
    max_files: usize,
    /// Lines that were not written yet.
    text: Vec<u8>,
}

impl JsonFile {
    pub(super) fn new(dir: &Path, max_size: Option<u64>, max_files: Option<u32>) -> Self {
        let max_files = max_files.unwrap_or(1).max(1) as usize;
        Self { path: dir.join(LOG), file: None, size: 0, max_size, max_files, text: Vec::new() }
    }

    pub(super) fn line(&mut self, stream: usize, line: &[u8]) {
        let before = self.text.len();
        let line = LogLine {
            log: String::from_utf8_lossy(line).into_owned(),
            stream: STREAMS[stream].to_owned(),
            time: humantime::format_rfc3339_nanos(SystemTime::now()).to_string(),
        };
        if serde_json::to_writer(&mut self.text, &line).is_ok() {
            self.text.push(b'\n');
        }
        if let Some(max) = self.max_size {
            self.make_room(before, max);
        }
    }

    /// Puts the file aside if it cannot take the line that begins at `before`, after writing those before it.
    fn make_room(&mut self, before: usize, max: u64) {
        if self.file.is_none() && !self.text.is_empty() {
            self.open();
        }
        let full = self.size + self.text.len() as u64 > max && self.size + before as u64 > 0;
        if full {
            let line = self.text.split_off(before);
            self.flush();
            self.file = None;
            self.size = 0;
            let _ = follow::put_aside(&self.path, self.max_files);
            self.text = line;
        }
    }

    fn open(&mut self) {
        self.file = OpenOptions::new().create(true).append(true).open(&self.path).ok();
        self.size = match (&self.file, self.max_size) {
            (Some(file), Some(_)) => file.metadata().map_or(0, |m| m.len()),
            _ => 0,
        };
    }

    pub(super) fn flush(&mut self) {
        if self.text.is_empty() {
            return;
        }
        if self.file.is_none() {
            self.open();
        }
        if let Some(file) = &mut self.file {
            let _ = file.write_all(&self.text);
        }
        self.size += self.text.len() as u64;
        // A burst's buffer is not kept for months.
        self.text = Vec::new();
    }
}

/// Reads an instance's log, from the oldest file that is kept, also while it grows.
#[derive(Debug)]
pub(crate) struct LogReader(Lines);

impl LogReader {
    pub(crate) fn open(dir: &Path) -> io::Result<Self> {
        Ok(Self(Lines::open(&dir.join(LOG))?))
    }

    /// The next complete line, if there is one; lines that are damaged are passed over.
    pub(crate) fn next_line(&mut self) -> io::Result<Option<LogLine>> {
        while let Some(text) = self.0.next()? {
            if let Ok(line) = serde_json::from_str(&text) {
                return Ok(Some(line));
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{LogWriter, MAX_LINE, Sink};
    use super::*;

    fn writer(dir: &Path, max_size: Option<u64>, max_files: Option<u32>) -> LogWriter {
        let sink = Sink::JsonFile(JsonFile::new(dir, max_size, max_files));
        LogWriter { sink, partial: [Vec::new(), Vec::new()] }
    }

    #[test]
    fn lines_come_back_in_order_with_their_stream() {
        let dir = tempfile::tempdir().unwrap();
        let mut log = writer(dir.path(), None, None);
        log.write(0, b"one\ntw");
        log.write(1, b"oops\n");
        log.write(0, b"o\nthree");
        let mut reader = LogReader::open(dir.path()).unwrap();
        let mut all = || {
            let mut lines = Vec::new();
            while let Some(line) = reader.next_line().unwrap() {
                lines.push((line.stream, line.log));
            }
            lines
        };
        let pair = |s: &str, t: &str| (s.to_owned(), t.to_owned());
        assert_eq!(all(), [pair("stdout", "one\n"), pair("stderr", "oops\n"), pair("stdout", "two\n")]);
        log.finish();
        assert_eq!(all(), [pair("stdout", "three")]);
    }

    #[test]
    fn a_line_without_end_is_cut() {
        let dir = tempfile::tempdir().unwrap();
        let mut log = writer(dir.path(), None, None);
        (0..9).for_each(|_| log.write(0, &[b'x'; 4096]));
        let mut reader = LogReader::open(dir.path()).unwrap();
        assert_eq!(reader.next_line().unwrap().unwrap().log.len(), MAX_LINE);
    }

    #[test]
    fn full_files_are_put_aside_and_the_newest_are_kept() {
        let dir = tempfile::tempdir().unwrap();
        let mut log = writer(dir.path(), Some(1000), Some(3));
        for n in 0..100 {
            log.write(0, format!("line {n:03}\nand more\n").as_bytes());
        }
        let files: Vec<_> = std::fs::read_dir(dir.path()).unwrap().flatten().collect();
        assert_eq!(files.len(), 3);
        assert!(files.iter().all(|file| file.metadata().unwrap().len() <= 1000));
        let mut reader = LogReader::open(dir.path()).unwrap();
        let mut lines = Vec::new();
        while let Some(line) = reader.next_line().unwrap() {
            lines.push(line.log);
        }
        assert_eq!(lines.last().unwrap(), "and more\n");
        let numbers: Vec<u32> = lines.iter().filter_map(|l| l.strip_prefix("line ")?.trim().parse().ok()).collect();
        assert!(numbers.len() > 8 && numbers.windows(2).all(|w| w[1] == w[0] + 1) && numbers.last() == Some(&99));
        // A writer that takes over knows what the file holds already.
        writer(dir.path(), Some(1000), Some(3)).write(0, &[b'x'; 900]);
        assert!(std::fs::metadata(dir.path().join(LOG)).unwrap().len() <= 1000);
    }
}
