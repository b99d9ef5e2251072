//! Bad input of every kind: a clear message with the next step, Docker's exit status, nothing left behind.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use cli_tests::Sandbox;

#[test]
fn images_that_do_not_exist_and_names_that_are_none() {
    let sandbox = Sandbox::new();
    assert!(sandbox.coracle(&["run", "nonesuch"]).fails(125).contains("nonesuch"));
    for bad in ["UPPER", "a b", "../x", "x:", "x@sha256:12", "-"] {
        let error = sandbox.coracle(&["run", "--", bad]).fails(125);
        assert!(error.starts_with("coracle: "), "{bad}: {error}");
    }
    sandbox.coracle(&["run"]).fails(125);
    sandbox.coracle(&["run", "--no-such-flag", "x"]).fails(125);
    sandbox.assert_clean();
}

#[test]
fn instances_that_do_not_exist() {
    let sandbox = Sandbox::new();
    for command in ["logs", "stop", "kill", "rm", "wait", "inspect", "attach"] {
        let done = sandbox.coracle(&[command, "nonesuch"]);
        assert!(done.code != 0 && done.err.contains("no instance 'nonesuch'"), "{command}: {}", done.err);
    }
    let error = sandbox.coracle(&["exec", "nonesuch", "true"]).fails(125);
    assert!(error.contains("no instance"), "{error}");
}

#[test]
fn values_that_make_no_sense() {
    let sandbox = Sandbox::with_busybox();
    for bad in [
        &["-v", "/nonexistent-dir:/x"][..],
        &["-w", "relative"],
        &["-u", "nonesuch"],
        &["-e", "=x"],
        &["--hostname", "a_b"],
        &["--name", "a/b"],
        &["--cpuset-cpus", "4000"],
        &["--cpus", "5000"],
        &["-m", "1k"],
        &["--as", "microvm", "-m", "900000g"],
        &["-p", "[::1]:80:80"],
        &["--trace", "syscalls"],
    ] {
        let done = sandbox.coracle(&[&["run", "--rm"], bad, &["busybox", "busybox", "true"]].concat());
        let error = done.fails(125);
        assert!(error.len() > 20, "{bad:?}: {error}");
        sandbox.assert_clean();
    }
}

#[test]
fn a_port_that_the_host_uses() {
    let sandbox = Sandbox::with_busybox();
    let mut listener = sandbox.command("nc").args(["-l", "127.0.0.1", "7777"]).spawn().expect("nc is installed");
    cli_tests::eventually("nc listens", 5, || sandbox.run("ss", &["-ltn"]).out.contains(":7777"));
    for level in ["container", "unikernel"] {
        let done = sandbox.coracle(&["run", "--rm", "--as", level, "-p", "7777:80", "busybox", "busybox", "true"]);
        let error = done.fails(125);
        assert!(error.contains("7777") && error.contains("use"), "{error}");
    }
    let _ = listener.kill();
    let _ = listener.wait();
    sandbox.assert_clean();
}

#[test]
fn an_address_pool_that_is_empty() {
    let sandbox = Sandbox::with_busybox();
    let run = |name: &str| {
        let mut command = sandbox.command("env");
        command.arg("CORACLE_SUBNET=10.123.0.0/30").arg(cli_tests::binary());
        let args = ["run", "-d", "--name", name, "busybox", "busybox", "sleep", "1000"];
        cli_tests::Done::from(command.args(args).output().expect("env runs"))
    };
    run("first").ok();
    let error = run("second").fails(125);
    assert!(error.contains("10.123.0.0/30"), "{error}");
    sandbox.coracle(&["rm", "-f", "first", "second"]).ok();
    sandbox.assert_clean();
}

#[test]
fn programs_that_cannot_be_executed() {
    let sandbox = Sandbox::new();
    let dir = sandbox.root().join("add");
    fs::create_dir(&dir).unwrap();
    // An ELF header of another processor (e_machine 183, AArch64), a truncated one, a text without execute permission.
    let mut elf = fs::read("/bin/busybox").unwrap();
    elf[18] = 183;
    fs::write(dir.join("arm"), &elf).unwrap();
    fs::write(dir.join("truncated"), &elf[..40]).unwrap();
    fs::write(dir.join("plain"), "text").unwrap();
    fs::write(dir.join("script"), "#!/no/such/interpreter\n").unwrap();
    for (name, mode) in [("arm", 0o755), ("truncated", 0o755), ("plain", 0o644), ("script", 0o755)] {
        fs::set_permissions(dir.join(name), fs::Permissions::from_mode(mode)).unwrap();
    }
    let add = format!("{}:/add", dir.display());
    sandbox.coracle(&["image", "pack", "--name", "bad", "--add", &add, "/bin/busybox"]).ok();
    for level in ["container", "unikernel"] {
        for (program, codes) in
            [("arm", [126, 126]), ("truncated", [126, 126]), ("plain", [126, 126]), ("script", [126, 127])]
        {
            let path = format!("/add/{program}");
            let done = sandbox.coracle(&["run", "--rm", "--as", level, "bad", &path]);
            assert!(codes.contains(&done.code), "{level} {program}: {} {}", done.code, done.err);
            assert!(done.err.contains(&path), "{level} {program}: {}", done.err);
        }
    }
    sandbox.assert_clean();
}

#[test]
fn an_image_that_is_used_is_not_removed() {
    let sandbox = Sandbox::with_busybox();
    sandbox.coracle(&["run", "-d", "--name", "x", "busybox", "busybox", "sleep", "1000"]).ok();
    let error = sandbox.coracle(&["image", "rm", "busybox"]).fails(1);
    assert!(error.contains("used by instance 'x'"), "{error}");
    sandbox.coracle(&["rm", "-f", "x"]).ok();
    sandbox.coracle(&["image", "rm", "busybox"]).ok();
    sandbox.coracle(&["run", "busybox"]).fails(125);
    assert!(sandbox.coracle(&["image", "ls", "-q"]).ok().is_empty());
    sandbox.assert_clean();
}

#[test]
fn a_corrupted_store_says_so() {
    let sandbox = Sandbox::with_busybox();
    let blobs = sandbox.root().join("images/blobs/sha256");
    let mut files: Vec<_> = fs::read_dir(blobs).unwrap().flatten().map(|e| e.path()).collect();
    files.sort_by_key(|path| fs::metadata(path).unwrap().len());
    // The smallest blob is the configuration or the manifest.
    let mut bytes = fs::read(&files[0]).unwrap();
    bytes[10] ^= 1;
    fs::write(&files[0], bytes).unwrap();
    let error = sandbox.coracle(&["run", "--rm", "busybox", "busybox", "true"]).fails(125);
    assert!(error.contains("sha256:"), "{error}");
    assert_eq!(sandbox.coracle(&["system", "check"]).code, 1);
}

#[test]
fn archives_that_are_none_leave_nothing() {
    let sandbox = Sandbox::with_busybox();
    let before = sandbox.coracle(&["image", "ls", "-q"]).ok();
    let archive = sandbox.root().join("bad.tar");
    let good = sandbox.root().join("good.tar");
    sandbox.coracle(&["image", "save", "-o", &good.display().to_string(), "busybox"]).ok();
    let whole = fs::read(&good).unwrap();
    let mut flipped = whole.clone();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 0x40;
    for bytes in [b"".to_vec(), b"not a tar".to_vec(), vec![0; 100_000], whole[..whole.len() / 2].to_vec(), flipped] {
        fs::write(&archive, bytes).unwrap();
        let error = sandbox.coracle(&["image", "load", "-i", &archive.display().to_string()]).fails(125);
        assert!(error.starts_with("coracle: "), "{error}");
    }
    assert_eq!(sandbox.coracle(&["image", "ls", "-q"]).ok(), before);
    sandbox.coracle(&["image", "load", "-i", &good.display().to_string()]).ok();
    sandbox.assert_clean();
}

#[test]
fn a_full_disk_is_an_error_and_nothing_is_lost() {
    let sandbox = Sandbox::with_busybox();
    // A small file system of its own for the whole state, in a mount namespace that ends with the shell.
    let script = "mount -t tmpfs -o size=6m tmpfs $CORACLE_ROOT/small && \
        export CORACLE_ROOT=$CORACLE_ROOT/small && $CORACLE_BIN image pack --name b /bin/busybox && \
        (dd if=/dev/zero of=$CORACLE_ROOT/fill bs=64k 2>/dev/null; true) && \
        $CORACLE_BIN image pack --name second /usr/bin/redis-server; echo pack $?; \
        $CORACLE_BIN run --rm --network none b busybox true; echo run $?; \
        rm $CORACLE_ROOT/fill; $CORACLE_BIN run --rm --network none b busybox true; echo after $?; \
        $CORACLE_BIN image ls -q | wc -l";
    fs::create_dir(sandbox.root().join("small")).unwrap();
    let mut command = sandbox.command("unshare");
    command.args(["-m", "sh", "-c", script]).env("CORACLE_BIN", cli_tests::binary());
    let done = cli_tests::Done::from(command.output().expect("unshare runs"));
    assert!(done.out.contains("pack 125\n") && done.out.contains("run 125\n"), "{}{}", done.out, done.err);
    assert!(done.err.contains("No space left on device"), "{}", done.err);
    assert!(done.out.ends_with("after 0\n1\n"), "{}{}", done.out, done.err);
}

#[test]
fn too_little_memory_ends_the_instance_and_says_so() {
    let sandbox = Sandbox::with_busybox();
    let hog = ["busybox", "busybox", "sh", "-c", "x=0123456789; while :; do x=$x$x; done"];
    for level in ["container", "unikernel"] {
        let args = ["run", "--rm", "--network", "none", "-m", "32M", "--as", level];
        let done = sandbox.coracle(&[&args[..], &hog[..]].concat());
        assert_ne!(done.code, 0, "{level}");
        sandbox.assert_clean();
    }
}
