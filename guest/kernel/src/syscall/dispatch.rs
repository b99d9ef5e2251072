use core::sync::atomic::{AtomicU32, Ordering};

use linux_abi::Errno;
use platform::UserContext;

use crate::syscall::{Call, Handler, Row, Support};

/// Numbers up to here are served; the last of Linux 6.18 is 469.
const SIZE: usize = 480;

/// The families' tables, each kept beside its handlers.
const FAMILIES: &[&[Row]] = &[
    crate::task::SYSCALLS,
    crate::mm::SYSCALLS,
    crate::signal::SYSCALLS,
    crate::time::SYSCALLS,
    crate::vfs::SYSCALLS,
    crate::net::SYSCALLS,
];

/// Every call of Linux: number, name and how far it is supported.
pub fn table() -> impl Iterator<Item = (u32, &'static str, Support)> {
    linux_abi::nr::TABLE.iter().map(|(name, number)| {
        let row = FAMILIES.iter().flat_map(|rows| rows.iter()).find(|row| row.number == *number);
        (*number, *name, row.map_or(Support::Refused("not implemented"), |row| row.support))
    })
}

const fn merge() -> [Handler; SIZE] {
    let mut table: [Handler; SIZE] = [unknown; SIZE];
    let mut family = 0;
    while family < FAMILIES.len() {
        let mut i = 0;
        while i < FAMILIES[family].len() {
            table[FAMILIES[family][i].number as usize] = FAMILIES[family][i].handler;
            i += 1;
        }
        family += 1;
    }
    table
}

/// The handler of each number.
static TABLE: [Handler; SIZE] = merge();

/// The handler of calls that are refused as if the kernel had been built without them.
pub(crate) fn refuse(_: &mut Call<'_>) -> Result<i64, Errno> {
    Err(Errno::ENOSYS)
}

/// How many calls found no row in the table.
static UNKNOWN: AtomicU32 = AtomicU32::new(0);

/// How many calls the program made that are not implemented.
pub(crate) fn unknown_calls() -> u32 {
    UNKNOWN.load(Ordering::Relaxed)
}

fn unknown(_: &mut Call<'_>) -> Result<i64, Errno> {
    UNKNOWN.fetch_add(1, Ordering::Relaxed);
    Err(Errno::ENOSYS)
}

/// Serves the call that the context describes.
pub(crate) fn dispatch(context: &mut UserContext) -> Result<i64, Errno> {
    let (number, args) = context.call();
    let handler = TABLE.get(number as usize).copied().unwrap_or(unknown);
    handler(&mut Call { args, context })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_number_has_one_row() {
        let mut seen = BTreeSet::new();
        for row in FAMILIES.iter().flat_map(|rows| rows.iter()) {
            assert!(seen.insert(row.number), "system call {} has two rows", row.number);
            assert!((row.number as usize) < SIZE);
        }
    }

    #[test]
    fn the_published_table_names_every_call_of_linux_once() {
        let names: BTreeSet<_> = table().map(|(_, name, _)| name).collect();
        assert_eq!(names.len(), linux_abi::nr::TABLE.len());
        let read = table().find(|(_, name, _)| *name == "read");
        assert!(matches!(read, Some((0, _, Support::Full))));
        let missing: std::vec::Vec<_> =
            table().filter(|row| row.2 == Support::Refused("not implemented")).map(|row| row.1).collect();
        std::println!("not implemented: {missing:?}");
    }

    #[test]
    fn calls_without_a_row_are_counted() {
        let before = unknown_calls();
        let mut context = UserContext::default();
        for number in [SIZE as u64 - 1, SIZE as u64, u64::MAX] {
            context.regs.rax = number;
            assert_eq!(dispatch(&mut context), Err(Errno::ENOSYS));
        }
        assert!(unknown_calls() >= before + 3);
    }
}
