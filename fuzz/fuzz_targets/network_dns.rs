//! Questions of instances to the name server.
#![no_main]

libfuzzer_sys::fuzz_target!(|packet: &[u8]| {
    if let Ok(query) = network::parse_query(packet) {
        assert!(query.question.len() <= packet.len() - 12);
    }
});
