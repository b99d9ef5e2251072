//! Create, start, exec and the end, by separate processes.

mod bundle;

use std::io::{IoSliceMut, Read};
use std::mem::MaybeUninit;
use std::os::unix::net::UnixListener;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use bundle::Bundle;
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags};
use serde_json::json;

fn quiet(bundle: &Bundle, words: &[&str]) -> std::process::Output {
    let errors = tempfile::NamedTempFile::new().unwrap();
    let status = bundle.command(words).stdout(Stdio::null()).stderr(errors.reopen().unwrap()).status().unwrap();
    std::process::Output { status, stdout: Vec::new(), stderr: std::fs::read(errors.path()).unwrap() }
}

fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !done() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn created_then_started() {
    let bundle = Bundle::script("touch /tmp/started; sleep 100");
    assert!(quiet(&bundle, &["create"]).status.success());
    assert!(!bundle.inside("tmp/started").exists(), "it runs before it was started");
    assert!(quiet(&bundle, &["start"]).status.success());
    wait_until("it does not run", || bundle.inside("tmp/started").exists());
    assert!(!quiet(&bundle, &["start"]).status.success(), "it was started twice");
}

#[test]
fn why_a_program_does_not_start() {
    let bundle = Bundle::new(&["no-such-program"]);
    assert_eq!(quiet(&bundle, &["create"]).status.code(), Some(127));
    let bundle = Bundle::new(&["/etc"]);
    assert_eq!(bundle.run().status.code(), Some(126));
    // Only execve can tell.
    let bundle = Bundle::new(&["/bin/broken"]);
    bundle.add_program("bin/broken", b"not a program", 0o755);
    assert!(quiet(&bundle, &["create"]).status.success());
    assert_eq!(quiet(&bundle, &["start"]).status.code(), Some(126));
}

#[test]
fn a_long_state_directory() {
    let bundle = Bundle::script("sleep 100");
    // More than an address of a socket takes.
    let long = bundle.directory.path().join("d".repeat(120));
    std::os::unix::fs::symlink(bundle.directory.path(), &long).unwrap();
    let program = bundle.command(&[]).get_program().to_owned();
    for word in ["create", "start"] {
        let status = Command::new(&program).arg(&long).arg(word).stdin(Stdio::null()).stdout(Stdio::null()).status();
        assert!(status.unwrap().success(), "{word}");
    }
}

#[test]
fn further_programs() {
    let mut bundle = Bundle::script("sleep 100");
    bundle.config["linux"]["namespaces"].as_array_mut().unwrap().push(json!({ "type": "cgroup" }));
    assert!(quiet(&bundle, &["create"]).status.success());
    let script = "echo $1; for kind in cgroup ipc mnt net pid uts; do readlink /proc/self/ns/$kind; readlink /proc/1/ns/$kind; done";
    // Before the start, and after it. Links of the first process can be read once it is the program.
    let output = bundle.exec(&["sh", "-c", "echo early; exit 7"], json!({}));
    assert_eq!((output.status.code(), &*output.stdout), (Some(7), &b"early\n"[..]), "{output:?}");
    assert!(quiet(&bundle, &["start"]).status.success());
    let output = bundle.exec(&["sh", "-c", script, "sh", "late"], json!({}));
    let text = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<&str> = text.lines().skip(1).collect();
    assert_eq!(lines.len(), 12, "{text}");
    assert!(lines.chunks(2).all(|pair| pair[0] == pair[1]), "{text}");
    assert_eq!(bundle.exec(&["no-such-program"], json!({})).status.code(), Some(127));
}

#[test]
fn further_programs_in_a_user_namespace() {
    let mut bundle = Bundle::script("sleep 100");
    bundle.config["linux"]["namespaces"].as_array_mut().unwrap().push(json!({ "type": "user" }));
    for name in ["uidMappings", "gidMappings"] {
        bundle.config["linux"][name] = json!([{ "containerID": 0, "hostID": 100_000, "size": 65_536 }]);
    }
    assert!(
        Command::new("chown").args(["-R", "-h", "100000:100000"]).arg(bundle.inside("")).status().unwrap().success()
    );
    bundle.start();
    let output = bundle.exec(&["sh", "-c", "id -u; readlink /proc/self/ns/user; readlink /proc/1/ns/user"], json!({}));
    let text = bundle::stdout_of(output);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!((lines[0], lines[1]), ("0", lines[2]), "{text}");
    let output = bundle.exec(&["id", "-u"], json!({ "user": { "uid": 5, "gid": 6 } }));
    assert_eq!(bundle::stdout_of(output), "5\n");
}

#[test]
fn nothing_waits_when_its_creator_dies() {
    let mut bundle = Bundle::script("sleep 100");
    // The creator waits for a hook for so long that it can be killed there.
    bundle.config["hooks"] = json!({ "createRuntime": [{ "path": "/bin/sleep", "args": ["sleep", "2"] }] });
    let mut child = bundle.command(&["create"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let children = format!("/proc/{0}/task/{0}/children", child.id());
    let mut first = String::new();
    wait_until("there is no first process", || {
        first = std::fs::read_to_string(&children).unwrap_or_default();
        first.split_ascii_whitespace().count() >= 2
    });
    let first = first.split_ascii_whitespace().next().unwrap().to_owned();
    child.kill().unwrap();
    child.wait().unwrap();
    wait_until("the first process stays", || match std::fs::read_to_string(format!("/proc/{first}/stat")) {
        Ok(stat) => stat.contains(") Z "),
        Err(_) => true,
    });
}

/// Accepts a terminal at a console socket.
fn terminal(listener: &UnixListener) -> std::fs::File {
    let (socket, _) = listener.accept().unwrap();
    let mut name = [0; 64];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    rustix::net::recvmsg(&socket, &mut [IoSliceMut::new(&mut name)], &mut ancillary, RecvFlags::CMSG_CLOEXEC).unwrap();
    let received = ancillary.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut descriptors) => descriptors.next(),
        _ => None,
    });
    std::fs::File::from(received.expect("no terminal came"))
}

fn read_until(terminal: &mut std::fs::File, end: &str) -> String {
    let mut text = String::new();
    let mut buffer = [0; 512];
    while !text.contains(end) {
        match terminal.read(&mut buffer) {
            Ok(0) | Err(_) => break,
            Ok(length) => text.push_str(&String::from_utf8_lossy(&buffer[..length])),
        }
    }
    text
}

#[test]
fn a_terminal_by_console_socket() {
    let mut bundle = Bundle::script("tty; test -t 0 && test -c /dev/console && echo yes; sleep 100");
    bundle.config["process"]["terminal"] = json!(true);
    bundle.config["process"]["consoleSize"] = json!({ "height": 33, "width": 44 });
    let path = bundle.directory.path().join("console");
    let listener = UnixListener::bind(&path).unwrap();
    assert!(quiet(&bundle, &["create", path.to_str().unwrap()]).status.success());
    let mut manager = terminal(&listener);
    assert!(quiet(&bundle, &["start"]).status.success());
    let text = read_until(&mut manager, "yes");
    assert!(text.contains("/dev/pts/0") && text.contains("yes"), "{text}");
    // One for a further program.
    let mut process = bundle.config["process"].clone();
    process["args"] = json!(["sh", "-c", "tty; echo end"]);
    let file = bundle.directory.path().join("process.json");
    std::fs::write(&file, process.to_string()).unwrap();
    let words = ["exec", file.to_str().unwrap(), path.to_str().unwrap()];
    let mut child = bundle.command(&words).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    // Who closes it ends who uses it.
    let mut second = terminal(&listener);
    let text = read_until(&mut second, "end");
    assert!(text.contains("/dev/pts/1"), "{text}");
    assert!(child.wait().unwrap().success());
}

#[test]
fn descriptors_that_are_kept() {
    let bundle = Bundle::script("cat <&3; cat <&5 2>&1 | grep -o 'Bad file'; ls /proc/self/fd | wc -l");
    std::fs::write(bundle.directory.path().join("options"), "preserve-fds=1").unwrap();
    let file = bundle.directory.path().join("kept");
    std::fs::write(&file, "kept\n").unwrap();
    let supervisor = bundle.command(&["run"]);
    let mut shell = Command::new("sh");
    shell.args(["-c", "exec 3<\"$0\" 4<\"$0\"; exec \"$@\""]).arg(&file);
    shell.arg(supervisor.get_program()).args(supervisor.get_args());
    let text = bundle::stdout_of(shell.output().unwrap());
    assert!(text.starts_with("kept\n"), "{text}");
    assert!(text.ends_with("5\n"), "{text}");
}

#[test]
fn without_pivot_root() {
    let mut bundle =
        Bundle::script("ls /bin/busybox; ls / | grep -c '^work$'; cat /proc/self/mountinfo | wc -l; cd /../..; pwd");
    std::fs::write(bundle.directory.path().join("options"), "no-pivot").unwrap();
    bundle.config["linux"]["maskedPaths"] = json!(["/proc/keys"]);
    let text = bundle.stdout();
    assert!(text.starts_with("/bin/busybox\n0\n") && text.ends_with("/\n"), "{text}");
}

#[test]
fn devices_that_are_asked_for() {
    let mut bundle = Bundle::script("stat -c '%F %a %u:%g %t:%T' /dev/own /dev/deep/fuse /dev/pipe /dev/null");
    bundle.config["linux"]["devices"] = json!([
        { "path": "/dev/own", "type": "c", "major": 1, "minor": 5, "fileMode": 0o640, "uid": 7, "gid": 8 },
        { "path": "/dev/deep/fuse", "type": "c", "major": 10, "minor": 229 },
        { "path": "/dev/pipe", "type": "p" },
        { "path": "/dev/null", "type": "c", "major": 1, "minor": 3, "fileMode": 0o600 },
    ]);
    let text = bundle.stdout();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], "character special file 640 7:8 1:5");
    assert_eq!(lines[1], "character special file 666 0:0 a:e5");
    assert!(lines[2].starts_with("fifo 666 0:0"));
    assert_eq!(lines[3], "character special file 600 0:0 1:3");
}

#[test]
fn a_class_of_service_needs_resctrl() {
    let mut bundle = Bundle::script("true");
    bundle.config["linux"]["intelRdt"] = json!({ "l3CacheSchema": "L3:0=f" });
    if std::path::Path::new("/sys/fs/resctrl/schemata").exists() {
        println!("SKIP: this machine has resctrl");
        return;
    }
    assert!(bundle.fails(125).contains("resctrl"));
}

/// The first process is born in the group: all of its set-up, and the memory of this program, has to fit.
#[test]
fn little_memory_is_enough() {
    let mut bundle = Bundle::script("echo fits");
    bundle.config["linux"]["resources"] = json!({ "memory": { "limit": 512 * 1024 } });
    let output = bundle.run();
    let errors = String::from_utf8_lossy(&output.stderr);
    if errors.contains("controller") {
        println!("SKIP: no memory controller: {errors}");
        return;
    }
    assert_eq!(String::from_utf8_lossy(&output.stdout), "fits\n", "{errors}");
}

/// An image instead of a directory: a read-only root that has every place, and one in which places have to be made.
#[test]
fn an_image_as_root() {
    let mut bundle = Bundle::script("echo $(stat -f -c %T /) ; touch /new 2>&1; cat /made/volume/file");
    std::fs::write(bundle.directory.path().join("options"), "image").unwrap();
    bundle.config["root"]["readonly"] = json!(true);
    let image = bundle.directory.path().join("image.erofs");
    let packed = Command::new("mkfs.erofs").arg("--quiet").arg(&image).arg(bundle.inside("")).status();
    assert!(packed.expect("install the package erofs-utils").success());
    let volume = bundle.directory.path().join("volume");
    std::fs::create_dir(&volume).unwrap();
    std::fs::write(volume.join("file"), "text\n").unwrap();
    let mount = json!({ "destination": "/made/volume", "source": volume, "options": ["bind"] });
    bundle.config["mounts"].as_array_mut().unwrap().push(mount);
    let text = bundle.stdout();
    assert!(text.contains("Read-only file system") && text.ends_with("text\n"), "{text}");
}

/// An ordinary user, who maps only himself and has no group of his own.
#[test]
fn without_privileges() {
    let mut bundle =
        Bundle::script("id -u; id -g; hostname; test -c /dev/null && echo > /dev/null; cat /proc/self/uid_map");
    let namespaces = bundle.config["linux"]["namespaces"].as_array_mut().unwrap();
    namespaces.push(json!({ "type": "user" }));
    bundle.config["hostname"] = json!("inside");
    // Its group of terminals is not mapped.
    let mounts = bundle.config["mounts"].as_array_mut().unwrap();
    mounts.retain(|mount| mount["destination"] != "/dev/pts");
    for name in ["uidMappings", "gidMappings"] {
        bundle.config["linux"][name] = json!([{ "containerID": 0, "hostID": 12345, "size": 1 }]);
    }
    assert!(
        Command::new("chown")
            .args(["-R", "-h", "12345:12345"])
            .arg(bundle.directory.path())
            .status()
            .unwrap()
            .success()
    );
    let supervisor = bundle.command(&["run"]);
    // The program has to be where everybody can read it.
    let program = bundle.directory.path().join("supervisor");
    std::fs::copy(supervisor.get_program(), &program).unwrap();
    let mut user = Command::new("setpriv");
    user.args(["--reuid", "12345", "--regid", "12345", "--clear-groups"]).arg(program).args(supervisor.get_args());
    let output = user.stdin(Stdio::null()).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.starts_with("0\n0\ninside\n"), "{text}\n{errors}");
    assert_eq!(
        text.lines().last().map(|line| line.split_ascii_whitespace().collect()),
        Some(vec!["0", "12345", "1"]),
        "{text}"
    );
}
