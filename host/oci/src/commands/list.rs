use std::fmt::Write;

use crate::args::{Format, ListArgs};
use crate::commands::state::{Shown, show};
use crate::commands::{Context, print};
use crate::error::Error;

/// Lists all containers below the root.
pub(crate) fn list(context: &Context, args: &ListArgs) -> Result<(), Error> {
    let ids = context.root.ids()?;
    if args.quiet {
        let names: Vec<&str> = ids.iter().map(|id| id.as_str()).collect();
        return if names.is_empty() { Ok(()) } else { print(&names.join("\n")) };
    }
    let mut shown = Vec::new();
    for id in &ids {
        match context.root.open(id).and_then(|entry| show(id, &entry)) {
            Ok(container) => shown.push(container),
            // Deleted since the directory was read.
            Err(Error::NoContainer(_)) => {}
            // One broken container must not hide the others.
            Err(error) => eprintln!("coracle-oci: {}", crate::error::chain(&error)),
        }
    }
    match args.format {
        Format::Json => {
            let text = serde_json::to_string(&shown);
            print(&text.map_err(|e| Error::System { action: "write JSON", source: e.into() })?)
        }
        Format::Table => print(&table(&shown)),
    }
}

fn table(containers: &[Shown]) -> String {
    const HEADER: [&str; 6] = ["ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"];
    let row = |c: &Shown| {
        [c.id.clone(), c.pid.to_string(), c.status.to_string(), c.bundle.clone(), c.created.clone(), c.owner.clone()]
    };
    let rows: Vec<[String; 6]> = std::iter::once(HEADER.map(str::to_owned)).chain(containers.iter().map(row)).collect();
    let widths: [usize; 6] = std::array::from_fn(|column| {
        let longest = rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        longest.max(8) + 3
    });
    let mut text = String::new();
    for row in &rows {
        let start = text.len();
        for (cell, width) in row.iter().zip(widths) {
            // Writing to a string cannot fail.
            let _ = write!(text, "{cell:<width$}");
        }
        text.truncate(start + text[start..].trim_end().len());
        text.push('\n');
    }
    text.truncate(text.trim_end().len());
    text
}
