//! Finds control-group hierarchies in any bytes that claim to be a mount table.
#![no_main]

libfuzzer_sys::fuzz_target!(|table: &[u8]| {
    let layout = cgroup::Layout::parse(table);
    let _ = layout.version();
});
