//! The kernel's reader of EROFS images, on any bytes: errors, never a panic or an endless walk.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| kernel::parse_image(data));
