//! The end of threads and of the process (exit(2), exit_group(2)).

use core::sync::atomic::Ordering;

use linux_abi::Errno;
use linux_abi::task::RobustListHead;
use platform::UserAddr;

use crate::machine::machine;
use crate::mem::{read_value, write_value};
use crate::task::{Thread, current, current::abandon, futex};

/// `FUTEX_WAITERS`, `FUTEX_OWNER_DIED`, `FUTEX_TID_MASK` of `include/uapi/linux/futex.h`.
const WAITERS: u32 = 0x8000_0000;
const OWNER_DIED: u32 = 0x4000_0000;
const TID_MASK: u32 = 0x3fff_ffff;
/// A circular list must not keep the kernel for ever (`ROBUST_LIST_LIMIT`).
const ROBUST_LIMIT: usize = 2048;

/// Ends the current thread; with the last one the process ends.
pub(crate) fn exit_thread(code: u8) -> ! {
    let thread = current().arc();
    release_robust(&thread);
    let last = {
        let mut threads = thread.process.threads.lock();
        threads.remove(&thread.tid);
        threads.is_empty()
    };
    if last {
        exit_process(code);
    }
    // The thread has left the application's stack already: in the kernel it runs on one of its own.
    let clear = thread.clear_tid.load(Ordering::Relaxed);
    if clear != 0 && write_value(UserAddr(clear), &0u32).is_ok() {
        futex::wake_address(UserAddr(clear), u32::MAX);
    }
    machine().set_current(0);
    abandon(&thread);
    drop(thread);
    machine().exit_thread(None)
}

/// Ends the process, and with it the instance.
pub(crate) fn exit_process(code: u8) -> ! {
    if let Some(current) = crate::task::try_current() {
        current.process.files.close_all();
        crate::net::poll();
    }
    let unknown = crate::syscall::unknown_calls();
    if crate::machine::tracing() && unknown > 0 {
        machine().log(&alloc::format!("coracle: {unknown} system calls were not implemented\n"));
    }
    machine().exit(code)
}

/// Tells those who wait for robust mutexes that their owner is gone (get_robust_list(2), `kernel/futex/core.c`).
fn release_robust(thread: &Thread) {
    let head_at = UserAddr(thread.robust_list.load(Ordering::Relaxed));
    if head_at.is_null() {
        return;
    }
    let Ok(head) = read_value::<RobustListHead>(head_at) else { return };
    let mut entry = head.list;
    for _ in 0..ROBUST_LIMIT {
        // Bit 0 marks priority-inheritance futexes, which nobody can have taken here.
        let at = UserAddr(entry & !1);
        if at == head_at {
            break;
        }
        let Ok(next) = read_value::<u64>(at) else { return };
        if entry != head.pending && release_one(thread.tid, futex_of(entry, &head)).is_err() {
            return;
        }
        entry = next;
    }
    if head.pending != 0 {
        let _ = release_one(thread.tid, futex_of(head.pending, &head));
    }
}

fn futex_of(entry: u64, head: &RobustListHead) -> UserAddr {
    UserAddr((entry & !1).wrapping_add_signed(head.futex_offset))
}

fn release_one(tid: u32, word: UserAddr) -> Result<(), Errno> {
    let m = machine();
    let mut seen = m.load_user_u32(word)?;
    while seen & TID_MASK == tid {
        let new = seen & WAITERS | OWNER_DIED;
        let found = m.cmpxchg_user_u32(word, seen, new)?;
        if found == seen {
            if seen & WAITERS != 0 {
                futex::wake_address(word, 1);
            }
            break;
        }
        seen = found;
    }
    Ok(())
}
