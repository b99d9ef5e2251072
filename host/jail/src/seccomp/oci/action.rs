//! Actions and their numbers.

use oci_spec::runtime::LinuxSeccompAction as Action;

use super::Error;
use crate::seccomp::Verdict;

/// `MAX_ERRNO` of linux/err.h.
const GREATEST_ERRNO: u16 = 4095;

/// The verdict of an action with its `errnoRet`, `EPERM` by default.
pub(super) fn verdict(action: Action, errno: Option<u32>) -> Result<Verdict, Error> {
    let data = |most| {
        let errno = errno.unwrap_or(libc::EPERM as u32);
        u16::try_from(errno).ok().filter(|errno| *errno <= most).ok_or(Error::ErrnoTooGreat { action, errno, most })
    };
    match (action, errno) {
        (Action::ScmpActErrno, _) => Ok(Verdict::Errno(data(GREATEST_ERRNO)?)),
        (Action::ScmpActTrace, _) => Ok(Verdict::Trace(data(u16::MAX)?)),
        (_, Some(errno)) => Err(Error::ErrnoWithout { action, errno }),
        (Action::ScmpActKill | Action::ScmpActKillThread, None) => Ok(Verdict::KillThread),
        (Action::ScmpActKillProcess, None) => Ok(Verdict::KillProcess),
        (Action::ScmpActTrap, None) => Ok(Verdict::Trap),
        (Action::ScmpActNotify, None) => Ok(Verdict::Notify),
        (Action::ScmpActLog, None) => Ok(Verdict::Log),
        (Action::ScmpActAllow, None) => Ok(Verdict::Allow),
    }
}
