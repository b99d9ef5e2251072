//! What the launcher learns about the start: one message on its pipe, `S` (the program runs) or `F`, the exit status and a
//! text.

use core::fmt::{self, Write};

use crate::panic::Line;
use crate::{fd, host};

/// The program is loaded and about to run.
pub(crate) fn started() {
    host::write_raw(fd::STATUS, b"S");
}

/// The program cannot be started.
pub(crate) fn fail(code: u8, message: fmt::Arguments<'_>) -> ! {
    let mut line = Line::new();
    let _ = line.write_str("F");
    let _ = line.write_char(char::from(code));
    let _ = line.write_fmt(message);
    host::write_raw(fd::STATUS, line.as_bytes());
    host::exit_group(code)
}
