//! What an image and a configuration say about a process: any /etc/passwd, and any `process` of config.json.
#![no_main]

use oci_spec::runtime::{Linux, Process};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Some(home) = container::home_in_passwd(bytes, 0) {
        assert!(!home.is_empty() && !home.contains(['\0', '\n', ':']), "{home:?}");
    }
    let (process, linux) = match bytes.iter().position(|byte| *byte == 0) {
        Some(end) => (&bytes[..end], &bytes[end + 1..]),
        None => (bytes, &b""[..]),
    };
    if let Ok(process) = serde_json::from_slice::<Process>(process) {
        let linux = serde_json::from_slice::<Linux>(linux).ok();
        let _ = container::validate_process(&process, linux.as_ref());
        let _ = container::warnings(&process);
    }
});
