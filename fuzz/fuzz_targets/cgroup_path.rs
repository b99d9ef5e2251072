//! Any text as a `cgroupsPath`: what is accepted stays below the hierarchy, and reads back as itself.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| {
    let Ok(path) = cgroup::GroupPath::parse(text) else { return };
    let shown = path.to_string();
    assert!(!shown.split('/').any(|name| name == "..") && !shown.contains('\0'));
    let again = cgroup::GroupPath::parse(&shown).expect("an accepted path is accepted again");
    assert_eq!(again.to_string(), shown);
});
