use linux_abi::Errno;
use platform::UserContext;

use crate::syscall::{Call, Handler, Row};

/// Numbers up to here are served; the last of Linux 6.18 is 469.
const SIZE: usize = 480;

/// The families' tables. Each helper module keeps its own.
const FAMILIES: &[&[Row]] = &[crate::task::SYSCALLS, crate::vfs::SYSCALLS, crate::net::SYSCALLS];

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

fn unknown(_: &mut Call<'_>) -> Result<i64, Errno> {
    Err(Errno::ENOSYS)
}

/// Serves the call that the context describes.
pub(crate) fn dispatch(context: &mut UserContext) -> Result<i64, Errno> {
    let (number, args) = context.call();
    let handler = TABLE.get(number as usize).copied().unwrap_or(unknown);
    handler(&mut Call { args, context })
}
