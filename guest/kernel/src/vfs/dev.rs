//! Character devices: /dev/null, zero, full, random, urandom, tty and console.

use alloc::sync::Arc;
use core::any::Any;

use linux_abi::Errno;

use crate::machine::machine;
use crate::mem::{Sink, Source};
use crate::vfs::console::Console;
use crate::vfs::{File, FileMapping};

/// A device number of these two parts.
pub(crate) const fn number(major: u64, minor: u64) -> u64 {
    (minor & 0xff) | (major << 8) | ((minor & !0xff) << 12)
}

/// The devices of /dev: name and number.
pub(super) const DEVICES: &[(&str, u64)] = &[
    ("null", number(1, 3)),
    ("zero", number(1, 5)),
    ("full", number(1, 7)),
    ("random", number(1, 8)),
    ("urandom", number(1, 9)),
    ("tty", number(5, 0)),
    ("console", number(5, 1)),
];

/// Opens the device of this number; `ENXIO` if there is none.
pub(super) fn open(rdev: u64) -> Result<Arc<dyn File>, Errno> {
    const NULL: u64 = number(1, 3);
    const ZERO: u64 = number(1, 5);
    const FULL: u64 = number(1, 7);
    const RANDOM: u64 = number(1, 8);
    const URANDOM: u64 = number(1, 9);
    const TTY: u64 = number(5, 0);
    const CONSOLE: u64 = number(5, 1);
    Ok(match rdev {
        NULL => Arc::new(Null),
        ZERO => Arc::new(Zero { full: false }),
        FULL => Arc::new(Zero { full: true }),
        RANDOM | URANDOM => Arc::new(Random),
        // Without a terminal a process has no controlling terminal.
        TTY if !machine().boot_info().terminal => return Err(Errno::ENXIO),
        TTY | CONSOLE => Arc::new(Console::terminal()),
        _ => return Err(Errno::ENXIO),
    })
}

/// All that is left of a source, which nobody looks at.
fn swallow(from: &Source<'_>) -> usize {
    from.remaining()
}

struct Null;

impl File for Null {
    fn read(&self, _to: &mut Sink<'_>, _offset: u64) -> Result<usize, Errno> {
        Ok(0)
    }

    fn write(&self, from: &mut Source<'_>, _offset: u64) -> Result<usize, Errno> {
        Ok(swallow(from))
    }

    fn append(&self, from: &mut Source<'_>) -> Result<(usize, u64), Errno> {
        Ok((swallow(from), 0))
    }

    fn seekable(&self) -> bool {
        true
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

struct Zero {
    full: bool,
}

impl File for Zero {
    fn read(&self, to: &mut Sink<'_>, _offset: u64) -> Result<usize, Errno> {
        static ZEROS: [u8; 4096] = [0; 4096];
        let before = to.done();
        while to.remaining() > 0 && to.put(&ZEROS)? > 0 {}
        Ok(to.done() - before)
    }

    fn write(&self, from: &mut Source<'_>, _offset: u64) -> Result<usize, Errno> {
        if self.full { Err(Errno::ENOSPC) } else { Ok(swallow(from)) }
    }

    fn append(&self, from: &mut Source<'_>) -> Result<(usize, u64), Errno> {
        self.write(from, 0).map(|n| (n, 0))
    }

    fn seekable(&self) -> bool {
        true
    }

    fn mapping(&self) -> Result<FileMapping, Errno> {
        if self.full { Err(Errno::ENODEV) } else { Ok(FileMapping::Zero) }
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

struct Random;

impl File for Random {
    fn read(&self, to: &mut Sink<'_>, _offset: u64) -> Result<usize, Errno> {
        let before = to.done();
        while to.remaining() > 0 {
            let mut bytes = [0; 256];
            let n = bytes.len().min(to.remaining());
            machine().random(&mut bytes[..n]);
            if to.put(&bytes[..n])? == 0 {
                break;
            }
        }
        Ok(to.done() - before)
    }

    fn write(&self, from: &mut Source<'_>, _offset: u64) -> Result<usize, Errno> {
        Ok(swallow(from))
    }

    fn append(&self, from: &mut Source<'_>) -> Result<(usize, u64), Errno> {
        Ok((swallow(from), 0))
    }

    fn seekable(&self) -> bool {
        true
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
