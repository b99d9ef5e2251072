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

fn unknown(_: &mut Call<'_>) -> Result<i64, Errno> {
    Err(Errno::ENOSYS)
}

/// Serves the call that the context describes.
pub(crate) fn dispatch(context: &mut UserContext) -> Result<i64, Errno> {
    let (number, args) = context.call();
    let handler = TABLE.get(number as usize).copied().unwrap_or(unknown);
    handler(&mut Call { args, context })
}
