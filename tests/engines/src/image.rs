//! An image made on the fly from the host's static busybox, as an archive that every engine loads (`docker save`'s format).

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::which;

/// The image's name.
pub const IMAGE: &str = "localhost/box:latest";

const APPLETS: [&str; 30] = [
    "sh", "cat", "chmod", "echo", "env", "false", "grep", "head", "hostname", "id", "kill", "ls", "mkdir", "mount",
    "nproc", "printf", "ps", "pwd", "rm", "sleep", "stat", "stty", "tail", "test", "touch", "true", "tty", "umask",
    "wc", "yes",
];

/// The root file system's directory, for those that run one without an image.
pub(crate) fn root(dir: &Path) -> PathBuf {
    let root = dir.join("rootfs");
    for name in ["bin", "etc", "proc", "sys", "dev", "run", "root", "var/tmp"] {
        fs::create_dir_all(root.join(name)).expect("a directory of the image");
    }
    run(Command::new("mkdir").args(["-m", "1777"]).arg(root.join("tmp")));
    fs::copy(which("busybox").expect("busybox-static is installed"), root.join("bin/busybox"))
        .expect("a copy of busybox");
    for applet in APPLETS {
        symlink("busybox", root.join("bin").join(applet)).expect("an applet");
    }
    fs::write(root.join("etc/passwd"), "root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000::/tmp:/bin/sh\n")
        .expect("passwd");
    fs::write(root.join("etc/group"), "root:x:0:\nuser:x:1000:\n").expect("group");
    root
}

/// The archive, made in this directory.
pub(crate) fn archive(dir: &Path) -> PathBuf {
    let parts = dir.join("archive");
    fs::create_dir_all(&parts).expect("a directory");
    let root = root(dir);
    run(Command::new("tar")
        .args(["--numeric-owner", "--owner=0", "--group=0", "-cf"])
        .arg(parts.join("layer.tar"))
        .arg("-C")
        .arg(root)
        .arg("."));
    let sum = run(Command::new("sha256sum").arg(parts.join("layer.tar")));
    let digest = sum.split_whitespace().next().expect("a digest");
    let config = serde_json::json!({
        "architecture": "amd64", "os": "linux",
        "config": {"Cmd": ["sh"], "Env": ["PATH=/usr/bin:/bin"]},
        "rootfs": {"type": "layers", "diff_ids": [format!("sha256:{digest}")]},
        "history": [{"created_by": "test"}],
    });
    let manifest = serde_json::json!([{"Config": "config.json", "RepoTags": [IMAGE], "Layers": ["layer.tar"]}]);
    fs::write(parts.join("config.json"), config.to_string()).expect("the configuration");
    fs::write(parts.join("manifest.json"), manifest.to_string()).expect("the manifest");
    let archive = dir.join("image.tar");
    run(Command::new("tar").arg("-cf").arg(&archive).arg("-C").arg(&parts).args([
        "manifest.json",
        "config.json",
        "layer.tar",
    ]));
    archive
}

fn run(command: &mut Command) -> String {
    let output = command.output().expect("the program is installed");
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}
