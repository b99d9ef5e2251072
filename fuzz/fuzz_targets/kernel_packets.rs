//! Frames from the wire and the buffers of socket calls.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| kernel::parse_packets(data));
