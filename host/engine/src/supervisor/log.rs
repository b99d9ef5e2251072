//! An instance's output, one JSON object a line, in the format of Docker's `json-file` log driver.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

/// The log's name in an instance's directory.
pub(crate) const LOG: &str = "log.json";

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
pub(crate) struct LogWriter {
    path: PathBuf,
    file: Option<File>,
    partial: [Vec<u8>; 2],
}

/// The longest line that is kept in one piece, as Docker's.
const MAX_LINE: usize = 16 * 1024;
const STREAMS: [&str; 2] = ["stdout", "stderr"];

impl LogWriter {
    pub(crate) fn new(dir: &Path) -> Self {
        Self { path: dir.join(LOG), file: None, partial: [Vec::new(), Vec::new()] }
    }

    /// Adds output of stream 0 (standard output) or 1 (standard error). A full disk loses log lines, never the instance.
    pub(crate) fn write(&mut self, stream: usize, data: &[u8]) {
        let mut text = Vec::new();
        for piece in data.split_inclusive(|b| *b == b'\n') {
            self.partial[stream].extend_from_slice(piece);
            if piece.ends_with(b"\n") || self.partial[stream].len() >= MAX_LINE {
                let line = std::mem::take(&mut self.partial[stream]);
                encode(&mut text, stream, &line);
            }
        }
        self.append(&text);
    }

    fn append(&mut self, text: &[u8]) {
        if text.is_empty() {
            return;
        }
        if self.file.is_none() {
            self.file = OpenOptions::new().create(true).append(true).open(&self.path).ok();
        }
        if let Some(file) = &mut self.file {
            let _ = file.write_all(text);
        }
    }

    /// Writes what has no newline yet.
    pub(crate) fn finish(&mut self) {
        for stream in 0..2 {
            let line = std::mem::take(&mut self.partial[stream]);
            if !line.is_empty() {
                let mut text = Vec::new();
                encode(&mut text, stream, &line);
                self.append(&text);
            }
        }
    }
}

fn encode(to: &mut Vec<u8>, stream: usize, line: &[u8]) {
    let line = LogLine {
        log: String::from_utf8_lossy(line).into_owned(),
        stream: STREAMS[stream].to_owned(),
        time: humantime::format_rfc3339_nanos(SystemTime::now()).to_string(),
    };
    if serde_json::to_writer(&mut *to, &line).is_ok() {
        to.push(b'\n');
    }
}

/// Reads an instance's log, from the beginning, also while it grows.
#[derive(Debug)]
pub(crate) struct LogReader {
    file: BufReader<File>,
}

impl LogReader {
    /// `None` if there is no log yet.
    pub(crate) fn open(dir: &Path) -> io::Result<Option<Self>> {
        match File::open(dir.join(LOG)) {
            Ok(file) => Ok(Some(Self { file: BufReader::new(file) })),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// The next complete line, if there is one; lines that are damaged are passed over.
    pub(crate) fn next_line(&mut self) -> io::Result<Option<LogLine>> {
        loop {
            let mut text = String::new();
            let n = self.file.read_line(&mut text)?;
            if !text.ends_with('\n') {
                // The writer is in the middle of it: come back to its beginning next time.
                self.file.seek(SeekFrom::Current(-(n as i64)))?;
                return Ok(None);
            }
            if let Ok(line) = serde_json::from_str(&text) {
                return Ok(Some(line));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_back_in_order_with_their_stream() {
        let dir = tempfile::tempdir().unwrap();
        let mut log = LogWriter::new(dir.path());
        log.write(0, b"one\ntw");
        log.write(1, b"oops\n");
        log.write(0, b"o\nthree");
        let mut reader = LogReader::open(dir.path()).unwrap().unwrap();
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
        let mut log = LogWriter::new(dir.path());
        (0..9).for_each(|_| log.write(0, &[b'x'; 4096]));
        let mut reader = LogReader::open(dir.path()).unwrap().unwrap();
        assert_eq!(reader.next_line().unwrap().unwrap().log.len(), MAX_LINE);
    }
}
