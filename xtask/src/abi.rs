//! The page that says which system calls the unikernel serves, printed from the kernel's own table.

use std::fmt::Write as _;

use kernel::Support;

use crate::Failure;

const PAGE: &str = "docs/abi-coverage/README.md";

/// Writes the page.
pub(crate) fn write_page() -> Result<(), Failure> {
    std::fs::write(PAGE, page()).map_err(|e| format!("{PAGE}: {e}"))
}

/// The page in the tree must be the one that the kernel's table gives.
pub(crate) fn check_page() -> Result<(), Failure> {
    let present = std::fs::read_to_string(PAGE).unwrap_or_default();
    if present == page() { Ok(()) } else { Err(format!("{PAGE} is not up to date; run `cargo xtask abi`")) }
}

fn page() -> String {
    let rows: Vec<_> = kernel::table().collect();
    let count = |wanted: fn(&Support) -> bool| rows.iter().filter(|row| wanted(&row.2)).count();
    let mut text = format!(
        "# System calls of the unikernel\n\n\
         Printed from the kernel's table by `cargo xtask abi`; do not edit. {} full, {} partial, {} refused with a reason; \
         every other number of x86-64 answers `ENOSYS`.\n\n| number | call | support | note |\n|---|---|---|---|\n",
        count(|s| matches!(s, Support::Full)),
        count(|s| matches!(s, Support::Partial(_))),
        count(|s| matches!(s, Support::Refused(_))),
    );
    for (number, name, support) in &rows {
        let (level, note) = match support {
            Support::Full => ("full", ""),
            Support::Partial(note) => ("partial", *note),
            Support::Refused(reason) => ("refused", *reason),
        };
        let _ = writeln!(text, "| {number} | `{name}` | {level} | {} |", note.replace('|', "\\|"));
    }
    text
}
