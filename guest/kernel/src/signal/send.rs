//! Sending, and what waits.

use alloc::sync::Arc;
use core::sync::atomic::{AtomicU64, Ordering};

use linux_abi::signal::{NSIG, SIGCONT, SIGKILL, SIGSTOP};

use crate::machine::machine;
use crate::signal::{Disposition, Info, SigSet};
use crate::task::{Process, Thread, try_current};
use crate::wait::WaitQueue;

/// Signals that the machine posted and that no thread has looked at yet.
static EXTERNAL: AtomicU64 = AtomicU64::new(0);

/// A signal from outside. Only sets a bit and ends the watcher's sleep: it may run at any time, in any thread.
pub(crate) fn post_external(signal: u32) {
    if (1..=NSIG).contains(&signal) {
        EXTERNAL.fetch_or(SigSet::of(signal).0, Ordering::AcqRel);
        machine().kick();
    }
}

/// Sends the signals that came from outside to the process.
pub(crate) fn drain_external() {
    if EXTERNAL.load(Ordering::Relaxed) == 0 {
        return;
    }
    let Some(current) = try_current() else { return };
    let mut set = SigSet(EXTERNAL.swap(0, Ordering::AcqRel));
    while let Some(signal) = set.first() {
        set = set.without(SigSet::of(signal));
        send_to_process(&current.process, Info::user(signal, 0, 0));
    }
}

/// Whether a signal waits that the current thread does not block.
#[inline]
pub(crate) fn pending_here() -> bool {
    let Some(current) = try_current() else { return false };
    if EXTERNAL.load(Ordering::Relaxed) != 0 {
        drain_external();
    }
    !deliverable(&current).is_empty()
}

/// Whether the current thread has to look at its signals before it goes back to the application.
#[inline]
pub(crate) fn attention(thread: &Thread) -> bool {
    EXTERNAL.load(Ordering::Relaxed) != 0 || thread.signals.has_saved() || !deliverable(thread).is_empty()
}

/// The signals that wait and that the thread does not block.
#[inline]
pub(crate) fn deliverable(thread: &Thread) -> SigSet {
    let waiting = thread.signals.bits.load(Ordering::Acquire) | thread.process.signals.bits.load(Ordering::Acquire);
    SigSet(waiting).without(thread.signals.mask())
}

/// Takes the next signal that the thread does not block.
pub(crate) fn take_next(thread: &Thread) -> Option<Info> {
    take_for_fd(thread, SigSet(!thread.signals.mask().0))
}

/// Takes the next pending signal of a set, whether it is blocked or not (signalfd(2), sigwaitinfo(2)).
pub(crate) fn take_for_fd(thread: &Thread, wanted: SigSet) -> Option<Info> {
    let own = {
        let mut pending = thread.signals.pending.lock();
        let info = pending.take(wanted);
        thread.signals.bits.store(pending.set().0, Ordering::Release);
        info
    };
    own.or_else(|| {
        let signals = &thread.process.signals;
        let mut pending = signals.pending.lock();
        let info = pending.take(wanted);
        signals.bits.store(pending.set().0, Ordering::Release);
        info
    })
}

/// Who is told when a signal becomes pending (signalfd(2)).
pub(crate) fn watch(process: &Process) -> &WaitQueue {
    &process.signals.arrived
}

/// Whether a signal would do nothing for this process, so that it need not become pending.
fn useless(process: &Process, signal: u32, blocked: bool) -> bool {
    match process.signals.disposition(signal) {
        // A blocked signal waits even if it is ignored: the action may change, or sigwait may take it.
        Disposition::Ignore | Disposition::Stop => !blocked || signal == SIGSTOP || signal == SIGCONT,
        Disposition::Terminate | Disposition::Handle(_) => false,
    }
}

/// Sends a signal to one thread.
pub(crate) fn send_to_thread(thread: &Arc<Thread>, info: Info) {
    let blocked = thread.signals.mask().has(info.signal());
    if useless(&thread.process, info.signal(), blocked) {
        return;
    }
    {
        let mut pending = thread.signals.pending.lock();
        pending.push(info);
        thread.signals.bits.store(pending.set().0, Ordering::Release);
    }
    thread.process.signals.arrived.wake_all();
    rouse(thread);
}

/// Sends a signal to the process: one thread that does not block it will take it.
pub(crate) fn send_to_process(process: &Process, info: Info) {
    let signal = info.signal();
    let target = {
        let threads = process.threads.lock();
        let open = |t: &&Arc<Thread>| !t.signals.mask().has(signal);
        // The first thread if it may (as Linux prefers it), else any.
        threads.values().find(open).cloned()
    };
    if useless(process, signal, target.is_none()) {
        return;
    }
    {
        let mut pending = process.signals.pending.lock();
        pending.push(info);
        process.signals.bits.store(pending.set().0, Ordering::Release);
    }
    process.signals.arrived.wake_all();
    if signal == SIGKILL {
        machine().exit(128 + SIGKILL as u8);
    }
    if let Some(target) = target {
        rouse(&target);
    }
}

/// Makes a thread look at its signals: ends its sleep, or interrupts it in the application.
fn rouse(thread: &Arc<Thread>) {
    if try_current().is_some_and(|current| current.tid == thread.tid) {
        return;
    }
    thread.parker.unpark();
    machine().interrupt_thread(thread.token.load(Ordering::Acquire));
}
