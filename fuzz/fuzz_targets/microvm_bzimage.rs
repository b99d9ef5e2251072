//! A guest kernel that the user supplies.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = microvm::kernel::vmlinux_of(bytes);
});
