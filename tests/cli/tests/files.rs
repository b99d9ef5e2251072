//! The files of containers, from outside: cp, diff, commit, export.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

use cli_tests::Sandbox;

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.coracle(&["image", "pack", "--name", "box", "--add", "/bin/busybox:/bin/sh", "/bin/busybox", "sh"]).ok();
    sandbox
}

fn run(sandbox: &Sandbox, name: &str, script: &str) {
    let script = format!("{script}; echo ready; busybox sleep 1000");
    sandbox.coracle(&["run", "-d", "--name", name, "box", "sh", "-c", &script]).ok();
    cli_tests::eventually("it is ready", 20, || sandbox.coracle(&["logs", name]).out.contains("ready"));
}

#[test]
fn files_are_copied_in_and_out_of_running_and_stopped_containers() {
    let sandbox = sandbox();
    let dir = sandbox.root().join("host");
    fs::create_dir_all(dir.join("tree/deep")).unwrap();
    fs::write(dir.join("tree/deep/file"), "content").unwrap();
    std::os::unix::fs::chown(dir.join("tree/deep/file"), Some(12), Some(34)).unwrap();
    // After the owner: a change of it takes the set-user-ID bit away.
    fs::set_permissions(dir.join("tree/deep/file"), fs::Permissions::from_mode(0o4750)).unwrap();
    symlink("deep/file", dir.join("tree/link")).unwrap();
    let host = |path: &str| dir.join(path).display().to_string();
    run(&sandbox, "c", "busybox mkdir /data");
    for running in [true, false] {
        if !running {
            sandbox.coracle(&["stop", "-t", "0", "c"]).ok();
        }
        let at = format!("c:/data/{running}");
        sandbox.coracle(&["cp", &host("tree"), &at]).ok();
        sandbox.coracle(&["cp", "-a", &host("tree"), &at]).ok();
        let back = host(&format!("back-{running}"));
        sandbox.coracle(&["cp", "-a", &at, &back]).ok();
        let file = |path: &str| fs::symlink_metadata(format!("{back}/{path}")).expect(path);
        assert_eq!(fs::read_to_string(format!("{back}/link")).unwrap(), "content");
        assert_eq!((file("deep/file").uid(), file("deep/file").mode() & 0o7777), (0, 0o4750));
        assert_eq!((file("tree/deep/file").uid(), file("tree/deep/file").gid()), (12, 34), "-a keeps owners");
        assert!(file("link").is_symlink());
        // Files: to a new name, into a directory, over a file; with -L what a link leads to.
        let single = host(&format!("single-{running}"));
        sandbox.coracle(&["cp", &format!("{at}/deep/file"), &single]).ok();
        assert_eq!(fs::read_to_string(&single).unwrap(), "content");
        sandbox.coracle(&["cp", "-L", &format!("{at}/link"), &single]).ok();
        assert!(fs::symlink_metadata(&single).unwrap().is_file());
        sandbox.coracle(&["cp", &format!("{at}/link"), &single]).ok();
        assert!(fs::symlink_metadata(&single).unwrap().is_symlink());
        // The content of a directory, and refusals.
        let content = host(&format!("content-{running}"));
        fs::create_dir(&content).unwrap();
        sandbox.coracle(&["cp", &format!("{at}/."), &content]).ok();
        assert!(fs::exists(format!("{content}/deep/file")).unwrap());
        assert!(sandbox.coracle(&["cp", &host("tree"), &format!("{at}/deep/file")]).fails(125).contains("directory"));
        assert!(sandbox.coracle(&["cp", &single, "c:/none/"]).fails(125).contains("does not exist"));
        sandbox.coracle(&["cp", "c:/nonesuch", &single]).fails(125);
    }
    assert!(sandbox.coracle(&["cp", "a", "b"]).fails(125).contains("NAME:PATH"));
    sandbox.coracle(&["start", "c"]).ok();
    sandbox.coracle(&["rm", "-f", "c"]).ok();
    sandbox.assert_clean();
}

#[test]
fn archives_go_through_pipes() {
    let sandbox = sandbox();
    run(&sandbox, "c", "busybox mkdir -p /a/b; echo x > /a/b/f");
    let binary = cli_tests::binary().display().to_string();
    let script = format!("{binary} cp c:/a - | tar tf - | sort");
    assert_eq!(sandbox.run("sh", &["-c", &script]).ok(), "a/\na/b/\na/b/f\n");
    let script = format!("{binary} cp c:/a - | {binary} cp - c:/tmp");
    sandbox.run("sh", &["-c", &script]).ok();
    assert_eq!(sandbox.coracle(&["exec", "c", "busybox", "cat", "/tmp/a/b/f"]).ok(), "x\n");
    let script = format!("tar -C / -P -cf - ../etc/hostname 2>/dev/null | {binary} cp - c:/tmp");
    let refused = sandbox.run("sh", &["-c", &script]);
    assert!(refused.fails(125).contains("leaves"));
    sandbox.coracle(&["rm", "-f", "c"]).ok();
    sandbox.assert_clean();
}

/// Each link of the container that leads to the host's files must lead into the container instead.
#[test]
fn links_in_a_container_do_not_reach_the_host() {
    let sandbox = sandbox();
    let outside = sandbox.root().join("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("secret"), "secret").unwrap();
    let out = outside.display();
    let script = format!(
        "busybox ln -s {out} /way; busybox ln -s {out}/secret /true; busybox ln -s {out}/secret /false; busybox ln -s / /etc/up"
    );
    run(&sandbox, "evil", &script);
    fs::write(sandbox.root().join("mine"), "mine").unwrap();
    let (mine, got) = (sandbox.root().join("mine"), sandbox.root().join("got"));
    let (mine, got) = (mine.display().to_string(), got.display().to_string());
    for running in [true, false] {
        if !running {
            sandbox.coracle(&["stop", "-t", "0", "evil"]).ok();
        }
        for source in ["evil:/way/secret", "evil:/etc/up/way/secret"] {
            assert_ne!(sandbox.coracle(&["cp", source, &got]).code, 0, "{source}");
        }
        assert_ne!(sandbox.coracle(&["cp", "-L", &format!("evil:/{running}"), &got]).code, 0);
        assert!(!fs::exists(&got).unwrap());
        assert_ne!(sandbox.coracle(&["cp", &mine, "evil:/way/new"]).code, 0);
        // The link itself gives way to the file.
        sandbox.coracle(&["cp", &mine, &format!("evil:/{running}")]).ok();
        assert_eq!(fs::read_to_string(outside.join("secret")).unwrap(), "secret");
        assert_eq!(fs::read_dir(&outside).unwrap().count(), 1);
    }
    sandbox.coracle(&["rm", "-f", "evil"]).ok();
    sandbox.assert_clean();
}

#[test]
fn changes_are_shown_and_become_an_image() {
    let sandbox = sandbox();
    let script = "busybox rm /etc/nsswitch.conf; echo new > /added; echo changed >> /etc/passwd; busybox mkdir /dir; \
                  busybox ln -s /added /dir/link; busybox ln /added /dir/hard";
    run(&sandbox, "c", script);
    let diff = sandbox.coracle(&["diff", "c"]).ok();
    let expected = "A /added\nA /dir\nA /dir/hard\nA /dir/link\nC /etc\nD /etc/nsswitch.conf\nC /etc/passwd\n";
    let mut lines: Vec<&str> = diff.lines().collect();
    lines.sort_by_key(|line| &line[2..]);
    assert_eq!(lines.join("\n") + "\n", expected);
    let changes = ["-c", "CMD [\"sh\",\"-c\",\"busybox cat /added\"]", "-c", "ENV WHO=crew", "-c", "WORKDIR /dir"];
    let commit = [&["commit", "-m", "a note", "-a", "me"], &changes[..], &["c", "made:1"]].concat();
    assert!(sandbox.coracle(&commit).ok().starts_with("sha256:"));
    assert_eq!(sandbox.inspect("c")["status"], "running", "it goes on after the pause");
    assert_eq!(sandbox.coracle(&["run", "--rm", "made:1"]).ok(), "new\n");
    let script = "busybox pwd; echo $WHO; busybox tail -n1 /etc/passwd; test -e /etc/nsswitch.conf || echo gone; \
                  busybox stat -c %h /dir/hard; busybox readlink /dir/link";
    let seen = sandbox.coracle(&["run", "--rm", "made:1", "sh", "-c", script]).ok();
    assert_eq!(seen, "/dir\ncrew\nchanged\ngone\n2\n/added\n");
    // The new image runs at other levels too, and its instances have changed nothing yet.
    let at_unikernel = sandbox.coracle(&["run", "--rm", "--as", "unikernel", "made:1", "busybox", "cat", "/added"]);
    assert_eq!(at_unikernel.ok(), "new\n");
    run(&sandbox, "fresh", "true");
    assert_eq!(sandbox.coracle(&["diff", "fresh"]).ok(), "");
    assert!(sandbox.coracle(&["commit", "-c", "RUN ls", "c", "bad"]).fails(125).contains("RUN"));
    sandbox.coracle(&["rm", "-f", "c", "fresh"]).ok();
    sandbox.assert_clean();
}

#[test]
fn an_export_has_all_files_and_no_mounts() {
    let sandbox = sandbox();
    run(&sandbox, "c", "echo new > /added");
    let archive = sandbox.root().join("all.tar").display().to_string();
    for running in [true, false] {
        if !running {
            sandbox.coracle(&["stop", "-t", "0", "c"]).ok();
        }
        sandbox.coracle(&["export", "-o", &archive, "c"]).ok();
        let list = sandbox.run("tar", &["tf", &archive]).ok();
        assert!(list.lines().any(|line| line == "added") && list.lines().any(|line| line == "etc/passwd"), "{list}");
        assert!(!list.lines().any(|line| line.starts_with("proc/") && line != "proc/"), "{list}");
        assert!(!list.lines().any(|line| line.starts_with("dev/n")), "{list}");
    }
    let unikernel = ["run", "-d", "--name", "u", "--as", "unikernel", "box", "sh", "-c", "read x"];
    sandbox.coracle(&unikernel).ok();
    assert!(sandbox.coracle(&["export", "u"]).fails(125).contains("-v HOST:GUEST"));
    sandbox.coracle(&["rm", "-f", "c", "u"]).ok();
    sandbox.assert_clean();
}
