use alloc::sync::Arc;
use core::sync::atomic::{AtomicU64, AtomicUsize};

use crate::signal::ThreadSignals;
use crate::sync::Mutex;
use crate::task::Process;
use crate::wait::Parker;

/// One thread.
pub(crate) struct Thread {
    /// Its id; that of the first thread is the process id.
    pub(crate) tid: u32,
    /// What it shares with the other threads.
    pub(crate) process: Arc<Process>,
    /// Its place to sleep.
    pub(crate) parker: Arc<Parker>,
    /// Its signal mask, pending signals and alternate stack.
    pub(crate) signals: ThreadSignals,
    /// What the machine calls it.
    pub(crate) token: AtomicUsize,
    /// Cleared and woken when it ends (set_tid_address(2)); 0 for none.
    pub(crate) clear_tid: AtomicU64,
    /// The head of its robust futexes (set_robust_list(2)).
    pub(crate) robust_list: AtomicU64,
    /// Its name (prctl(2), PR_SET_NAME), ended by a zero byte.
    pub(crate) name: Mutex<[u8; 16]>,
}

impl Thread {
    /// A thread of a process.
    pub(crate) fn new(tid: u32, process: Arc<Process>, name: [u8; 16], mask: u64) -> Arc<Self> {
        Arc::new(Self {
            tid,
            process,
            parker: Arc::new(Parker::new()),
            signals: ThreadSignals::new(mask),
            token: AtomicUsize::new(0),
            clear_tid: AtomicU64::new(0),
            robust_list: AtomicU64::new(0),
            name: crate::sync::mutex(name),
        })
    }
}
