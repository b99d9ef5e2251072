//! An instance's output, line by line, to where its log driver says.

mod journald;
mod json_file;

use journald::Journal;
use json_file::JsonFile;
pub use json_file::LogLine;
pub(crate) use json_file::LogReader;
use plan::LogDriver;

use crate::Error;
use crate::instance::Instance;

/// The longest line that is kept in one piece, as Docker's.
const MAX_LINE: usize = 16 * 1024;

/// Takes an instance's output. A full disk loses log lines, never the instance.
#[derive(Debug)]
pub(crate) struct LogWriter {
    sink: Sink,
    partial: [Vec<u8>; 2],
}

#[derive(Debug)]
enum Sink {
    JsonFile(JsonFile),
    Journald(Box<Journal>),
    None,
}

impl LogWriter {
    pub(crate) fn new(instance: &Instance) -> Self {
        let log = &instance.plan.lifecycle.log;
        let sink = match log.driver {
            LogDriver::JsonFile => Sink::JsonFile(JsonFile::new(instance.dir(), log.max_size, log.max_files)),
            LogDriver::Journald => Sink::Journald(Box::new(Journal::new(&instance.plan))),
            LogDriver::None => Sink::None,
        };
        Self { sink, partial: [Vec::new(), Vec::new()] }
    }

    /// Connects with what takes the log.
    ///
    /// # Errors
    /// [`Error::NoJournal`] where there is no journal.
    pub(crate) fn open(&mut self) -> Result<(), Error> {
        match &mut self.sink {
            Sink::Journald(journal) => journal.connect(),
            Sink::JsonFile(_) | Sink::None => Ok(()),
        }
    }

    /// Adds output of stream 0 (standard output) or 1 (standard error).
    pub(crate) fn write(&mut self, stream: usize, data: &[u8]) {
        if matches!(self.sink, Sink::None) {
            return;
        }
        for piece in data.split_inclusive(|b| *b == b'\n') {
            self.partial[stream].extend_from_slice(piece);
            if piece.ends_with(b"\n") || self.partial[stream].len() >= MAX_LINE {
                let line = std::mem::take(&mut self.partial[stream]);
                self.line(stream, &line);
            }
        }
        self.flush();
    }

    /// Writes what has no newline yet.
    pub(crate) fn finish(&mut self) {
        for stream in 0..2 {
            let line = std::mem::take(&mut self.partial[stream]);
            if !line.is_empty() {
                self.line(stream, &line);
            }
        }
        self.flush();
    }

    fn line(&mut self, stream: usize, line: &[u8]) {
        match &mut self.sink {
            Sink::JsonFile(file) => file.line(stream, line),
            Sink::Journald(journal) => journal.line(stream, line),
            Sink::None => {}
        }
    }

    fn flush(&mut self) {
        if let Sink::JsonFile(file) = &mut self.sink {
            file.flush();
        }
    }
}
