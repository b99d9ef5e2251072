//! The `#!` line of scripts (execve(2), "Interpreter scripts").

use std::path::PathBuf;

/// A script's interpreter and the one argument it may have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Shebang {
    pub(crate) interpreter: PathBuf,
    pub(crate) argument: Option<String>,
}

impl Shebang {
    /// The program that `env` starts, if the interpreter is `env`.
    pub(crate) fn started_by_env(&self) -> Option<&str> {
        if self.interpreter.file_name()? != "env" {
            return None;
        }
        // `env -S` splits its argument; without it the argument is one name.
        let argument = self.argument.as_deref()?;
        let mut words = argument.strip_prefix("-S").unwrap_or(argument).split_whitespace();
        words.find(|word| !word.starts_with('-') && !word.contains('='))
    }
}

/// Reads the first line; `None` if the file is no script.
pub(crate) fn parse(start: &[u8]) -> Option<Shebang> {
    let rest = start.strip_prefix(b"#!")?;
    let line = rest.split(|byte| *byte == b'\n').next()?;
    let line = std::str::from_utf8(line).ok()?.trim();
    let (interpreter, argument) = line.split_once([' ', '\t']).unwrap_or((line, ""));
    let argument = Some(argument.trim().to_owned()).filter(|argument| !argument.is_empty());
    interpreter.starts_with('/').then(|| Shebang { interpreter: interpreter.into(), argument })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines() {
        let shebang = parse(b"#! /bin/sh -e\necho").unwrap();
        assert_eq!((shebang.interpreter, shebang.argument.as_deref()), ("/bin/sh".into(), Some("-e")));
        let env = |line: &[u8]| parse(line).unwrap().started_by_env().map(str::to_owned);
        assert_eq!(env(b"#!/usr/bin/env python3\n"), Some("python3".into()));
        assert_eq!(env(b"#!/usr/bin/env -S A=1 node --x\n"), Some("node".into()));
        assert_eq!(env(b"#!/bin/sh\n"), None);
        for bad in [&b"#!\n"[..], b"#!sh\n", b"sh", b"#!/\xff\n"] {
            assert!(parse(bad).is_none());
        }
    }
}
