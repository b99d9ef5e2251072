//! A kernel module's list of dependencies, whose names become file names.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    for name in microvm::kernel::dependencies(bytes) {
        assert!(!name.is_empty() && !name.contains(['/', '.', '\0']));
    }
});
