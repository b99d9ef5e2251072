//! How much memory file contents may take, over all trees.

use core::sync::atomic::{AtomicU64, Ordering};

use linux_abi::Errno;
use platform::PAGE_SIZE;

static USED: AtomicU64 = AtomicU64::new(0);
static LIMIT: AtomicU64 = AtomicU64::new(1 << 40);

/// Sets the limit in bytes.
pub(crate) fn set_limit(bytes: u64) {
    LIMIT.store(bytes, Ordering::Relaxed);
}

/// Bytes in use and the limit.
pub(crate) fn usage() -> (u64, u64) {
    (USED.load(Ordering::Relaxed), LIMIT.load(Ordering::Relaxed))
}

/// Takes a page from the budget; `ENOSPC` if there is none left.
pub(super) fn take_page() -> Result<(), Errno> {
    let limit = LIMIT.load(Ordering::Relaxed);
    let taken = USED.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
        let sum = used.checked_add(PAGE_SIZE)?;
        (sum <= limit).then_some(sum)
    });
    taken.map(|_| ()).map_err(|_| Errno::ENOSPC)
}

/// Gives a page back.
pub(super) fn give_page() {
    USED.fetch_sub(PAGE_SIZE, Ordering::Relaxed);
}
