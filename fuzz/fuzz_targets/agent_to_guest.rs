//! What the agent may receive.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Ok(Some((frame, used))) = agent_proto::split(bytes) {
        assert!(used <= bytes.len());
        let _ = agent_proto::ToGuest::decode(frame);
    }
});
