//! Terminals of the container's own.

mod bundle;

use std::io::{IoSliceMut, Read};
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::fs::symlink;
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::Output;

use bundle::Bundle;
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags};
use serde_json::json;

fn receive(stream: &UnixStream) -> (String, OwnedFd) {
    let mut name = [0; 64];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let received =
        rustix::net::recvmsg(stream, &mut [IoSliceMut::new(&mut name)], &mut control, RecvFlags::CMSG_CLOEXEC).unwrap();
    let descriptor = control
        .drain()
        .find_map(|message| match message {
            RecvAncillaryMessage::ScmRights(mut all) => all.next(),
            _ => None,
        })
        .expect("a descriptor");
    (String::from_utf8_lossy(&name[..received.bytes]).into_owned(), descriptor)
}

/// All that the program writes; a terminal whose other side is closed reads as an error.
fn read_all(terminal: OwnedFd) -> String {
    let mut file = std::fs::File::from(terminal);
    let mut text = Vec::new();
    let mut piece = [0; 1024];
    while let Ok(length @ 1..) = file.read(&mut piece) {
        text.extend_from_slice(&piece[..length]);
    }
    String::from_utf8_lossy(&text).into_owned()
}

fn listen(bundle: &Bundle) -> (UnixListener, String) {
    let path = bundle.directory.path().join("console");
    let _ = std::fs::remove_file(&path);
    (UnixListener::bind(&path).unwrap(), path.to_str().unwrap().to_owned())
}

fn create(bundle: &Bundle) -> (Output, UnixListener) {
    let (listener, path) = listen(bundle);
    let _ = std::fs::remove_file(bundle.directory.path().join("start"));
    (bundle.command(&["create", &path]).output().unwrap(), listener)
}

const LOOK: &str = "tty; stty size; echo typed > /dev/tty; ls -l /dev/console | cut -c1; \
    stat -c %u:%g /dev/pts/0; [ /dev/console -ef /dev/pts/0 ] || stat -c %t:%T /dev/console /dev/pts/0";

#[test]
fn a_terminal_of_the_containers_own() {
    let mut bundle = Bundle::script(LOOK);
    bundle.config["process"]["terminal"] = json!(true);
    bundle.config["process"]["consoleSize"] = json!({ "height": 33, "width": 111 });
    bundle.config["process"]["user"] = json!({ "uid": 1000, "gid": 1000 });
    let (output, listener) = create(&bundle);
    assert!(output.status.success(), "{output:?}");
    let (name, terminal) = receive(&listener.accept().unwrap().0);
    assert_eq!(name, "/dev/pts/0");
    assert!(bundle.command(&["start"]).status().unwrap().success());
    let text = read_all(terminal);
    assert!(text.contains("33 111\r\n") && text.contains("typed\r\n"), "{text:?}");
    assert!(text.contains("/dev/console\r\n") || text.contains("/dev/pts/0\r\n"), "{text:?}");
    assert!(text.contains("\r\nc\r\n1000:5\r\n"), "{text:?}");
}

#[test]
fn a_terminal_of_a_further_program() {
    let bundle = Bundle::new(&["sleep", "60"]);
    bundle.start();
    let (listener, path) = listen(&bundle);
    let mut process = bundle.config["process"].clone();
    process["args"] = json!(["sh", "-c", "tty; stty size"]);
    process["terminal"] = json!(true);
    process["consoleSize"] = json!({ "height": 10, "width": 20 });
    let file = bundle.directory.path().join("process.json");
    std::fs::write(&file, process.to_string()).unwrap();
    let mut child = bundle.command(&["exec", file.to_str().unwrap(), &path]).spawn().unwrap();
    let (name, terminal) = receive(&listener.accept().unwrap().0);
    assert_eq!(read_all(terminal), format!("{name}\r\n10 20\r\n"));
    assert!(child.wait().unwrap().success());
}

#[test]
fn what_is_no_devpts_makes_no_terminal() {
    let mut bundle = Bundle::new(&["true"]);
    bundle.config["process"]["terminal"] = json!(true);
    // No file system of its own at /dev/pts: the image's files are there instead.
    bundle.config["mounts"].as_array_mut().unwrap().truncate(1);
    std::fs::create_dir(bundle.inside("dev/pts")).unwrap();
    let ptmx = bundle.inside("dev/pts/ptmx");
    std::fs::write(&ptmx, "").unwrap();
    let fails = |bundle: &Bundle| {
        let output = create(bundle).0;
        assert_eq!(output.status.code(), Some(125));
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(errors.contains("make its terminal"), "{errors}");
    };
    fails(&bundle);
    std::fs::remove_file(&ptmx).unwrap();
    symlink("/proc/self/fd/0", &ptmx).unwrap();
    fails(&bundle);
}

#[test]
fn a_terminal_needs_somebody_to_show_it() {
    let mut bundle = Bundle::new(&["true"]);
    bundle.config["process"]["terminal"] = json!(true);
    let errors = bundle.fails(125);
    assert!(errors.contains("terminal"), "{errors}");
    bundle.config["process"]["terminal"] = json!(false);
    let output = create(&bundle).0;
    assert!(String::from_utf8_lossy(&output.stderr).contains("process.terminal"), "{output:?}");
    bundle.config["process"]["terminal"] = json!(true);
    bundle.config["process"]["consoleSize"] = json!({ "height": 70000, "width": 1 });
    let output = create(&bundle).0;
    assert!(String::from_utf8_lossy(&output.stderr).contains("process.consoleSize.height"), "{output:?}");
}
