//! Interpreter scripts (execve(2)).

/// What the first line of a script names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Script<'a> {
    /// The interpreter's path.
    pub interpreter: &'a [u8],
    /// The one optional argument.
    pub argument: Option<&'a [u8]>,
}

/// Linux looks at so many bytes (`BINPRM_BUF_SIZE`).
pub(crate) const LINE: usize = 256;

/// Reads the first line; `None` if the file is no script, or its first line is longer than what Linux looks at.
pub fn parse(start: &[u8]) -> Option<Script<'_>> {
    let start = &start[..start.len().min(LINE)];
    let rest = start.strip_prefix(b"#!")?;
    let end = rest.iter().position(|b| *b == b'\n' || *b == 0);
    // Without a line end the interpreter's path may be cut off, unless something follows it or the file ends here.
    let whole = end.is_some() || start.len() < LINE;
    let line = trim(&rest[..end.unwrap_or(rest.len())]);
    let blank = line.iter().position(|b| is_blank(*b));
    let (interpreter, argument) = match blank {
        Some(at) => (&line[..at], Some(trim(&line[at..]))),
        None if whole => (line, None),
        None => return None,
    };
    (!interpreter.is_empty()).then_some(Script { interpreter, argument: argument.filter(|a| !a.is_empty()) })
}

fn is_blank(byte: u8) -> bool {
    byte == b' ' || byte == b'\t'
}

fn trim(mut text: &[u8]) -> &[u8] {
    while let [first, rest @ ..] = text
        && is_blank(*first)
    {
        text = rest;
    }
    while let [rest @ .., last] = text
        && is_blank(*last)
    {
        text = rest;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn both(line: &[u8]) -> Option<(&[u8], Option<&[u8]>)> {
        parse(line).map(|s| (s.interpreter, s.argument))
    }

    #[test]
    fn first_lines() {
        assert_eq!(both(b"#!/bin/sh\necho"), Some((&b"/bin/sh"[..], None)));
        assert_eq!(both(b"#! /usr/bin/env  python3 -u \n"), Some((&b"/usr/bin/env"[..], Some(&b"python3 -u"[..]))));
        assert_eq!(both(b"#!/bin/sh"), Some((&b"/bin/sh"[..], None)));
        assert_eq!(both(b"#!\n/bin/sh"), None);
        assert_eq!(both(b"#/bin/sh\n"), None);
        assert_eq!(both(b""), None);
        let mut long = [b'a'; 300];
        long[..3].copy_from_slice(b"#!/");
        assert_eq!(both(&long), None);
    }
}
