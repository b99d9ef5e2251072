//! How things are printed: tables for people, JSON for programs.

use std::io::Write;
use std::time::SystemTime;

use comfy_table::{Table, presets::NOTHING};
use serde::Serialize;

/// Prints a table without lines, as Docker's.
pub(crate) fn table(header: &[&str], rows: Vec<Vec<String>>) {
    let mut table = Table::new();
    table.load_preset(NOTHING).set_header(header.iter().copied()).add_rows(rows);
    table.column_iter_mut().for_each(|column| {
        column.set_padding((0, 3));
    });
    line(&table.to_string());
}

/// Prints a value as indented JSON.
pub(crate) fn json(value: &impl Serialize) {
    match serde_json::to_string_pretty(value) {
        Ok(text) => line(&text),
        Err(error) => eprintln!("coracle: cannot print as JSON: {error}"),
    }
}

/// A value as JSON in one line.
pub(crate) fn compact(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_else(|error| format!("{{\"error\":\"{error}\"}}"))
}

/// Prints a line; an error means that nobody reads any more.
pub(crate) fn try_line(text: &str) -> std::io::Result<()> {
    writeln!(std::io::stdout(), "{text}")
}

/// Prints a line. A reader that went away (`coracle ps | head -1`) is no error.
pub(crate) fn line(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// How long ago, in the largest unit that fits.
pub(crate) fn ago(time: SystemTime) -> String {
    let seconds = time.elapsed().unwrap_or_default().as_secs();
    let (count, unit) = match seconds {
        0..60 => (seconds, "second"),
        60..3600 => (seconds / 60, "minute"),
        3600..86_400 => (seconds / 3600, "hour"),
        _ => (seconds / 86_400, "day"),
    };
    format!("{count} {unit}{} ago", if count == 1 { "" } else { "s" })
}

/// A number of bytes in the largest binary unit that fits.
pub(crate) fn size(bytes: u64) -> String {
    match bytes {
        0..1024 => format!("{bytes} B"),
        1024..1_048_576 => format!("{:.1} KiB", bytes as f64 / 1024.0),
        1_048_576..1_073_741_824 => format!("{:.1} MiB", bytes as f64 / 1_048_576.0),
        _ => format!("{:.2} GiB", bytes as f64 / 1_073_741_824.0),
    }
}
