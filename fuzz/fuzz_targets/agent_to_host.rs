//! What a hostile guest may send.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let mut decoder = agent_proto::Decoder::default();
    for chunk in bytes.chunks(97) {
        decoder.push(chunk);
        while let Ok(Some(frame)) = decoder.next_frame() {
            let _ = agent_proto::ToHost::decode(frame);
        }
    }
});
