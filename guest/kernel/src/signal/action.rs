use alloc::collections::VecDeque;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use linux_abi::Pod;
use linux_abi::signal::*;

use crate::signal::{Info, SigSet};
use crate::sync::{Mutex, mutex};
use crate::wait::WaitQueue;

/// What a signal does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Disposition {
    /// Nothing.
    Ignore,
    /// The process ends.
    Terminate,
    /// The process stops (not supported: ignored).
    Stop,
    /// A handler runs.
    Handle(SigAction),
}

/// Signals that wait to be taken.
#[derive(Default)]
pub(crate) struct Pending {
    queue: VecDeque<Info>,
}

/// How many signals may wait in one queue (`RLIMIT_SIGPENDING`); further ones are lost, as Linux loses them.
const QUEUE_LIMIT: usize = 8192;

impl Pending {
    /// Adds a signal. A standard signal waits at most once.
    pub(crate) fn push(&mut self, info: Info) {
        let double = info.signal() < SIGRTMIN && self.queue.iter().any(|i| i.signal() == info.signal());
        if !double && self.queue.len() < QUEUE_LIMIT {
            self.queue.push_back(info);
        }
    }

    /// The signals that wait.
    pub(crate) fn set(&self) -> SigSet {
        self.queue.iter().fold(SigSet::EMPTY, |set, info| set.with(SigSet::of(info.signal())))
    }

    /// Takes the first signal that is in `wanted`.
    pub(crate) fn take(&mut self, wanted: SigSet) -> Option<Info> {
        let signal = SigSet(self.set().0 & wanted.0).first()?;
        let at = self.queue.iter().position(|info| info.signal() == signal)?;
        self.queue.remove(at)
    }

    /// Drops every instance of the signals.
    pub(crate) fn discard(&mut self, signals: SigSet) {
        self.queue.retain(|info| !signals.has(info.signal()));
    }
}

/// Of a process: the actions, and the signals that any of its threads may take.
pub(crate) struct ProcessSignals {
    pub(crate) actions: Mutex<[SigAction; NSIG as usize]>,
    pub(crate) pending: Mutex<Pending>,
    /// `pending.set()`, to be read without the lock.
    pub(crate) bits: AtomicU64,
    /// Told when a signal becomes pending (signalfd(2)).
    pub(crate) arrived: WaitQueue,
}

impl ProcessSignals {
    /// Default actions, nothing pending.
    pub(crate) fn new() -> Self {
        Self {
            actions: mutex([SigAction::zeroed(); NSIG as usize]),
            pending: mutex(Pending::default()),
            bits: AtomicU64::new(0),
            arrived: WaitQueue::new(),
        }
    }

    /// What a signal does now.
    pub(crate) fn disposition(&self, signal: u32) -> Disposition {
        disposition(signal, &self.actions.lock()[signal as usize - 1])
    }
}

fn disposition(signal: u32, action: &SigAction) -> Disposition {
    match action.handler {
        SIG_DFL => match signal {
            SIGCHLD | SIGCONT | SIGURG | SIGWINCH => Disposition::Ignore,
            SIGSTOP | SIGTSTP | SIGTTIN | SIGTTOU => Disposition::Stop,
            _ => Disposition::Terminate,
        },
        SIG_IGN => Disposition::Ignore,
        _ => Disposition::Handle(*action),
    }
}

/// Of a thread: mask, pending signals, alternate stack.
pub(crate) struct ThreadSignals {
    pub(crate) mask: AtomicU64,
    /// The mask to go back to after the call that set a temporary one (sigsuspend(2), ppoll(2)), if `has_saved`.
    saved: AtomicU64,
    has_saved: AtomicBool,
    pub(crate) pending: Mutex<Pending>,
    /// `pending.set()`, to be read without the lock.
    pub(crate) bits: AtomicU64,
    pub(crate) stack: Mutex<Stack>,
}

impl ThreadSignals {
    /// Nothing pending, no alternate stack.
    pub(crate) fn new(mask: u64) -> Self {
        Self {
            mask: AtomicU64::new(mask),
            saved: AtomicU64::new(0),
            has_saved: AtomicBool::new(false),
            pending: mutex(Pending::default()),
            bits: AtomicU64::new(0),
            stack: mutex(Stack { sp: 0, flags: SS_DISABLE, pad: 0, size: 0 }),
        }
    }

    /// The signals that are blocked.
    pub(crate) fn mask(&self) -> SigSet {
        SigSet(self.mask.load(Ordering::Relaxed))
    }

    /// Sets the signals that are blocked.
    pub(crate) fn set_mask(&self, mask: SigSet) {
        self.mask.store(mask.maskable().0, Ordering::Relaxed);
    }

    /// Blocks these signals for the duration of one call: the mask of before comes back when the call ends, or after the
    /// handler that ended it (ppoll(2), pselect(2), epoll_pwait(2), sigsuspend(2)).
    pub(crate) fn set_temporary_mask(&self, mask: SigSet) {
        if !self.has_saved.swap(true, Ordering::Relaxed) {
            self.saved.store(self.mask().0, Ordering::Relaxed);
        }
        self.set_mask(mask);
    }

    /// The mask from before the temporary one, which is forgotten.
    pub(crate) fn take_saved(&self) -> Option<SigSet> {
        self.has_saved.swap(false, Ordering::Relaxed).then(|| SigSet(self.saved.load(Ordering::Relaxed)))
    }

    /// Whether a temporary mask is set.
    #[inline]
    pub(crate) fn has_saved(&self) -> bool {
        self.has_saved.load(Ordering::Relaxed)
    }
}
