//! Loads any bytes as an image archive into a throw-away store; whatever comes, the store stays clean.
#![no_main]

use image::{Limits, LoadOptions, Store, load};

libfuzzer_sys::fuzz_target!(|archive: &[u8]| {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let store = Store::open(dir.path()).expect("a new store");
    let limits = Limits { unpacked_bytes: 4 << 20, entries: 1000, ..Limits::default() };
    let loaded = load(&store, archive, &LoadOptions { name: None, limits }, &mut |_| {});
    assert!(store.check().expect("a readable store").is_empty(), "{loaded:?}");
});
