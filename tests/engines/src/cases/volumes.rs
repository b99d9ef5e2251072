use std::fs;
use std::os::unix::fs::MetadataExt;

use crate::{Engine, Kind};

/// Volumes, read-only ones, tmpfs, the size of /dev/shm, a device.
pub fn volumes(engine: &Engine) {
    let dir = engine.directory("shared");
    let path = dir.display().to_string();
    engine.sh(&["-v", &format!("{path}:/v")], "echo from inside >/v/file").ok();
    assert_eq!(fs::read_to_string(dir.join("file")).expect("it was written"), "from inside\n");
    assert_eq!(engine.run(&["-v", &format!("{path}:/v:ro")], &["cat", "/v/file"]).ok(), "from inside");
    let denied = engine.sh(&["-v", &format!("{path}:/v:ro")], "touch /v/other");
    assert!(denied.code != 0 && denied.err.contains("Read-only"), "{denied:?}");
    let mount = format!("type=bind,source={path}/file,target=/etc/file,readonly");
    assert_eq!(engine.run(&["--mount", &mount], &["cat", "/etc/file"]).ok(), "from inside");
    let mounts = engine
        .sh(
            &["--tmpfs", "/t:size=4m,mode=1777", "--shm-size=8m"],
            "grep -E ' (/t|/dev/shm) ' /proc/mounts; stat -c %a /t",
        )
        .ok();
    assert!(mounts.contains("size=4096k") && mounts.contains("size=8192k") && mounts.ends_with("1777"), "{mounts}");
    let device = engine.run(
        &["--device=/dev/zero:/dev/other:r"],
        &["sh", "-c", "stat -c %t:%T /dev/other; head -c 3 /dev/other | wc -c"],
    );
    assert_eq!(device.ok(), "1:5\n3");
    engine.sh(&["-v", "named:/v"], "echo kept >/v/file").ok();
    assert_eq!(engine.run(&["-v", "named:/v"], &["cat", "/v/file"]).ok(), "kept");
    if engine.kind() == Kind::Podman {
        engine.sh(&["-v", &format!("{path}:/v:U"), "-u", "1000"], "touch /v/mine").ok();
        assert_eq!(fs::metadata(dir.join("mine")).expect("it was made").uid(), 1000);
    }
    engine.assert_clean();
}

/// A root file system that refuses writes; volumes in it do not.
pub fn read_only_root(engine: &Engine) {
    let path = engine.directory("shared").display().to_string();
    let done = engine.sh(&["--read-only", "-v", &format!("{path}:/v")], "touch /v/ok; touch /no");
    assert!(done.code != 0 && done.err.contains("Read-only"), "{done:?}");
    assert!(engine.cage().dir().join("shared/ok").exists());
    engine.sh(&["--read-only"], "echo x >/dev/shm/x && cat /dev/shm/x").ok();
    engine.assert_clean();
}
