//! Terminals: what is bound on /dev/console, and where.

use std::fs;
use std::io::{IoSliceMut, Read};
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::Path;

use oci_tests::{Bundle, Runtime};
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
use serde_json::json;

use crate::{Canary, SECRET};

/// The other side of the terminal, if the runtime gets so far.
fn terminal(socket: &UnixListener) -> Option<OwnedFd> {
    let (connection, _) = socket.accept().ok()?;
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let mut bytes = [0; 4096];
    recvmsg(&connection, &mut [IoSliceMut::new(&mut bytes)], &mut ancillary, RecvFlags::CMSG_CLOEXEC).ok()?;
    ancillary.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut descriptors) => descriptors.next(),
        _ => None,
    })
}

/// Creates and starts with a terminal; returns what the program has printed on it.
fn run(runtime: &Runtime, bundle: &mut Bundle) -> String {
    bundle.config["process"]["terminal"] = json!(true);
    bundle.write();
    let path = bundle.path().join("console.sock");
    let socket = UnixListener::bind(&path).unwrap();
    let id = runtime.id();
    let args = ["create", "--console-socket", path.to_str().unwrap(), "--bundle", bundle.path().to_str().unwrap(), &id];
    let mut command = runtime.command(&args);
    let log = fs::File::create(bundle.path().join("create.log")).unwrap();
    command.stdout(log.try_clone().unwrap()).stderr(log);
    let created = command.status().unwrap().success();
    socket.set_nonblocking(true).unwrap();
    let master = terminal(&socket);
    if !created || runtime.call(&["start", &id]).status != 0 {
        return String::new();
    }
    let mut text = Vec::new();
    // The end of a terminal is an error, EIO.
    let _ = fs::File::from(master.expect("a created container has sent its terminal")).read_to_end(&mut text);
    String::from_utf8_lossy(&text).into_owned()
}

/// Links in place of /dev/console and /dev/pts, in the image and in a volume (runc CVE-2025-52565, seen with runc 1.1.5): the terminal is bound inside
/// or the container is refused, and nothing of the host or of procfs is reached through it.
#[test]
fn the_console_is_the_terminal() {
    let runtime = Runtime::new();
    let pattern = Path::new("/proc/sys/kernel/core_pattern");
    for name in ["console", "pts", "ptmx", "tty"] {
        for in_volume in [false, true] {
            for to_host in [true, false] {
                let canary = Canary::new();
                let secret = canary.secret();
                let target = if to_host { secret.as_path() } else { pattern };
                let mut bundle = Bundle::new("cat /proc/self/mountinfo; true");
                bundle.without_mount("/dev");
                if in_volume {
                    let volume = bundle.path().join("dev");
                    fs::create_dir(&volume).unwrap();
                    symlink(target, volume.join(name)).unwrap();
                    let mounts = bundle.config["mounts"].as_array_mut().unwrap();
                    let volume =
                        json!({ "destination": "/dev", "source": volume, "type": "bind", "options": ["rbind"] });
                    mounts.insert(1, volume);
                } else {
                    bundle.link(&format!("dev/{name}"), target);
                }
                let text = run(&runtime, &mut bundle);
                canary.assert_untouched();
                assert!(!text.contains(SECRET), "/dev/{name}: {text}");
                let place = |line: &&str| line.split(' ').nth(4) == Some("/proc/sys/kernel/core_pattern");
                assert!(!text.lines().any(|line| place(&line)), "/dev/{name}: mounted on procfs: {text}");
                assert_eq!(fs::read_to_string(canary.secret()).unwrap(), SECRET);
            }
        }
    }
}

/// In an ordinary image it works.
#[test]
fn a_terminal_is_there() {
    let runtime = Runtime::new();
    let mut bundle = Bundle::new("tty; [ -c /dev/console ] && [ -t 0 ] && echo terminal");
    let text = run(&runtime, &mut bundle);
    assert!(text.contains("terminal"), "{text:?}");
}
