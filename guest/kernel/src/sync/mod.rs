//! Locks on words of the kernel heap. They wait through the machine with waits that hold across address spaces.

mod once;
mod raw;

pub(crate) use once::Once;

/// A mutual-exclusion lock; waiting threads sleep.
pub(crate) type Mutex<T> = lock_api::Mutex<raw::RawMutex, T>;
/// The guard of a [`Mutex`].
pub(crate) type MutexGuard<'a, T> = lock_api::MutexGuard<'a, raw::RawMutex, T>;

/// A [`Mutex`] in a constant.
pub(crate) const fn mutex<T>(value: T) -> Mutex<T> {
    Mutex::const_new(<raw::RawMutex as lock_api::RawMutex>::INIT, value)
}
