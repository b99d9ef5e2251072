//! keyctl(2), which neither rustix nor the C library wraps.
#![allow(unsafe_code)]

use std::io;

/// Gives this process a new, empty session keyring without a name (`KEYCTL_JOIN_SESSION_KEYRING`, keyctl(2)), so that
/// the keys of whoever started it are out of reach. Fine on a kernel without keys.
pub fn new_session_keyring() -> io::Result<()> {
    // SAFETY: a null name asks for an anonymous keyring; no memory is read.
    let result =
        unsafe { libc::syscall(libc::SYS_keyctl, libc::KEYCTL_JOIN_SESSION_KEYRING, std::ptr::null::<libc::c_char>()) };
    match io::Error::last_os_error() {
        _ if result >= 0 => Ok(()),
        error if error.raw_os_error() == Some(libc::ENOSYS) => Ok(()),
        error => Err(error),
    }
}
