//! Parses any bytes as `/etc/ld.so.cache`.
#![no_main]

libfuzzer_sys::fuzz_target!(|cache: &[u8]| {
    for (name, path) in image::parse_ld_so_cache(cache).unwrap_or_default() {
        assert!(!name.contains('\0') && !path.contains('\0'));
    }
});
