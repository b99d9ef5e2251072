//! Who may be where in the address space.
//!
//! ```text
//! 0x0000_0001_0000  the application (its mappings start below 0x5000_0000_0000 and are at most 16 TiB long)
//! 0x5000_0000_0000  guard space: a filter cannot add, so it bounds start and length apart
//! 0x6000_0000_0000  the kernel's heap, stacks and image, at a random offset
//! 0x7000_0000_0000  what the host placed at random: the kernel's program, vDSO, first stack
//! ```

/// Lowest address of the application: the host's own `vm.mmap_min_addr`.
pub(crate) const USER_START: u64 = 0x1_0000;
/// First address that the application cannot use.
pub(crate) const USER_END: u64 = 0x5000_0000_0000;
/// The longest single memory operation.
pub(crate) const MAX_LENGTH: u64 = 0x1000_0000_0000;
/// Start of the kernel's window.
pub(crate) const KERNEL_START: u64 = 0x6000_0000_0000;
/// End of the kernel's window; the host's own mappings are above.
pub(crate) const KERNEL_END: u64 = 0x7000_0000_0000;
/// End of user addresses on the host (4-level paging).
pub(crate) const HOST_END: u64 = 0x8000_0000_0000;

const _: () = assert!(USER_END + MAX_LENGTH <= KERNEL_START);

/// Whether the application may use this address.
pub(crate) const fn is_user(address: u64) -> bool {
    address >= USER_START && address < USER_END
}

/// Whether `len` bytes from `address` on are all the application's.
pub(crate) const fn is_user_range(address: u64, len: u64) -> bool {
    len <= USER_END && is_user(address) && address + len <= USER_END
}
