//! ioctl(2) request numbers (`include/uapi/asm-generic/ioctls.h`).
#![allow(missing_docs)] // the names of ioctl_tty(2)

pub(crate) const TCGETS: u32 = 0x5401;
pub(crate) const TCSETS: u32 = 0x5402;
pub(crate) const TCSETSW: u32 = 0x5403;
pub(crate) const TCSETSF: u32 = 0x5404;
pub(crate) const TCFLSH: u32 = 0x540b;
pub(crate) const TIOCSCTTY: u32 = 0x540e;
pub(crate) const TIOCGPGRP: u32 = 0x540f;
pub(crate) const TIOCSPGRP: u32 = 0x5410;
pub(crate) const TIOCGWINSZ: u32 = 0x5413;
pub(crate) const TIOCSWINSZ: u32 = 0x5414;
pub(crate) const FIONREAD: u32 = 0x541b;
pub(crate) const FIONBIO: u32 = 0x5421;
pub(crate) const TIOCNOTTY: u32 = 0x5422;
pub(crate) const TIOCGSID: u32 = 0x5429;
pub(crate) const FIONCLEX: u32 = 0x5450;
pub(crate) const FIOCLEX: u32 = 0x5451;
pub(crate) const FIOASYNC: u32 = 0x5452;
