//! Reads any bytes as a message of systemd's bus.
#![no_main]

libfuzzer_sys::fuzz_target!(|message: &[u8]| {
    let _ = cgroup::is_bus_message(message);
});
