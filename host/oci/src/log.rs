//! Where errors go: standard error for people, and the file of `--log` for engines, which look there for the reason when a
//! command fails. Podman parses that file as one JSON object, so an error is exactly one line.

use std::ffi::OsString;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::PathBuf;
use std::time::SystemTime;

use crate::args::{Globals, LogFormat};

/// The places for messages. Nothing is opened before there is something to say.
#[derive(Debug)]
pub(crate) struct Log {
    file: Option<PathBuf>,
    format: LogFormat,
    debug: bool,
}

impl Log {
    pub(crate) fn new(globals: &Globals) -> Self {
        Self { file: globals.log.clone(), format: globals.log_format, debug: globals.debug }
    }

    /// For arguments that could not be parsed: the two flags of the log are searched for.
    pub(crate) fn from_arguments(arguments: &[OsString]) -> Self {
        let value = |flag: &str| {
            arguments.iter().enumerate().find_map(|(index, argument)| {
                let argument = argument.to_str()?;
                match argument.strip_prefix(flag)? {
                    "" => arguments.get(index + 1).cloned(),
                    rest => rest.strip_prefix('=').map(OsString::from),
                }
            })
        };
        let json = value("--log-format").is_some_and(|format| format == "json");
        Self {
            file: value("--log").map(PathBuf::from),
            format: if json { LogFormat::Json } else { LogFormat::Text },
            debug: false,
        }
    }

    pub(crate) fn error(&self, message: &str) {
        tell(message);
        self.append("error", message);
    }

    pub(crate) fn warn(&self, message: &str) {
        tell(message);
        // Podman reads the file as one object, the error.
        if self.debug {
            self.append("warning", message);
        }
    }

    /// Whether somebody wants to know everything.
    pub(crate) fn is_verbose(&self) -> bool {
        self.debug
    }

    pub(crate) fn debug(&self, message: impl FnOnce() -> String) {
        if self.debug {
            let message = message();
            match self.file {
                Some(_) => self.append("debug", &message),
                None => tell(&message),
            }
        }
    }

    fn append(&self, level: &str, message: &str) {
        let Some(path) = &self.file else { return };
        let time = humantime::format_rfc3339_seconds(SystemTime::now());
        let line = match self.format {
            LogFormat::Json => {
                let message = serde_json::Value::from(message);
                format!("{{\"level\":\"{level}\",\"msg\":{message},\"time\":\"{time}\"}}\n")
            }
            LogFormat::Text => format!("time=\"{time}\" level={level} msg={message:?}\n"),
        };
        let opened = OpenOptions::new().append(true).create(true).open(path);
        if let Err(error) = opened.and_then(|mut file| file.write_all(line.as_bytes())) {
            eprintln!("coracle-oci: cannot write the log {}: {error}", path.display());
        }
    }
}

/// One write for each message: those of several runtimes at once must not be mixed. Nobody can be told that it failed.
fn tell(message: &str) {
    let _ = std::io::stderr().write_all(format!("coracle-oci: {message}\n").as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(arguments: &[&str]) -> Log {
        Log::from_arguments(&arguments.iter().map(OsString::from).collect::<Vec<_>>())
    }

    #[test]
    fn flags_of_the_log_are_found_among_wrong_ones() {
        let found = log(&["coracle-oci", "--bad", "--log=/l", "--log-format", "json", "create"]);
        assert_eq!(found.file, Some("/l".into()));
        assert_eq!(found.format, LogFormat::Json);
        assert_eq!(log(&["coracle-oci", "--log"]).file, None);
    }

    #[test]
    fn one_json_object() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("log");
        Log { file: Some(file.clone()), format: LogFormat::Json, debug: false }.append("error", "a \"b\"\nc");
        let parsed: serde_json::Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
        assert_eq!(parsed["level"], "error");
        assert_eq!(parsed["msg"], "a \"b\"\nc");
    }
}
