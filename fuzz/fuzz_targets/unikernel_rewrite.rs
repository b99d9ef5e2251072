//! Looks for system call instructions in any bytes that claim to be a program.
#![no_main]

libfuzzer_sys::fuzz_target!(|file: &[u8]| {
    for site in unikernel::rewrite::sites(file) {
        assert!(site.span() >= 5 && site.offset + site.span() <= file.len() as u64);
    }
});
