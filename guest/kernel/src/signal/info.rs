use linux_abi::Pod;
use linux_abi::signal::{SI_KERNEL, SI_TKILL, SI_USER, SigInfo};

use crate::task::current;

/// What is known of one signal: `siginfo_t`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Info(pub(crate) SigInfo);

impl Info {
    fn new(signal: u32, code: i32) -> Self {
        Self(SigInfo { signo: signal as i32, code, ..SigInfo::zeroed() })
    }

    /// From the kernel.
    pub(crate) fn kernel(signal: u32) -> Self {
        Self::new(signal, SI_KERNEL)
    }

    /// From kill(2), or from outside the instance (process 0).
    pub(crate) fn user(signal: u32, pid: u32, uid: u32) -> Self {
        let mut info = Self::new(signal, SI_USER);
        info.0.fields[0] = u64::from(pid) | u64::from(uid) << 32;
        info
    }

    /// From tkill(2) of the current process.
    pub(crate) fn tkill(signal: u32) -> Self {
        let process = &current().process;
        let mut info = Self::user(signal, process.pid, process.creds.lock().ruid);
        info.0.code = SI_TKILL;
        info
    }

    /// Of a fault at an address.
    pub(crate) fn fault(signal: u32, code: i32, addr: u64) -> Self {
        let mut info = Self::new(signal, code);
        info.0.fields[0] = addr;
        info
    }

    /// The signal's number.
    pub(crate) fn signal(&self) -> u32 {
        self.0.signo as u32
    }
}
