//! Docker's flags of `run`, each seen from inside.

use std::fs;

use cli_tests::Sandbox;

/// Runs a shell script in a container with these flags and gives what it printed.
#[track_caller]
fn shell(sandbox: &Sandbox, flags: &[&str], script: &str) -> String {
    let args = [&["run", "--rm"], flags, &["busybox", "busybox", "sh", "-c", script]].concat();
    sandbox.coracle(&args).ok()
}

/// The error of a run that must be refused.
#[track_caller]
fn refused(sandbox: &Sandbox, flags: &[&str]) -> String {
    let args = [&["run", "--rm"], flags, &["busybox", "busybox", "true"]].concat();
    sandbox.coracle(&args).fails(125)
}

#[test]
fn capabilities_and_filters() {
    let sandbox = Sandbox::with_busybox();
    let status = "grep -E '^(CapEff|NoNewPrivs|Seccomp):' /proc/self/status";
    let usual = shell(&sandbox, &[], status);
    assert_eq!(usual, "CapEff:\t00000000a80425fb\nNoNewPrivs:\t1\nSeccomp:\t2\n");
    let changed = shell(&sandbox, &["--cap-add", "net_admin", "--cap-drop", "CHOWN"], status);
    assert!(changed.starts_with("CapEff:\t00000000a80435fa\n"), "{changed}");
    let none = shell(&sandbox, &["--cap-drop", "all"], status);
    assert!(none.starts_with("CapEff:\t0000000000000000\n"), "{none}");
    let open = ["--security-opt", "seccomp=unconfined", "--security-opt", "no-new-privileges=false"];
    assert!(shell(&sandbox, &open, status).ends_with("NoNewPrivs:\t0\nSeccomp:\t0\n"));
    assert!(refused(&sandbox, &["--cap-add", "ROOT"]).contains("no capability 'ROOT'"));
    assert!(refused(&sandbox, &["--security-opt", "what=ever"]).contains("unknown security option"));
    sandbox.assert_clean();
}

#[test]
fn a_filter_of_the_user_s() {
    let sandbox = Sandbox::with_busybox();
    let file = sandbox.root().join("profile.json");
    let profile = r#"{"defaultAction": "SCMP_ACT_ALLOW", "archMap": [{"architecture": "SCMP_ARCH_X86_64"}],
        "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38},
                     {"names": ["rmdir", "unlinkat"], "action": "SCMP_ACT_ERRNO", "includes": {"caps": ["CAP_SYS_ADMIN"]}}]}"#;
    fs::write(&file, profile).unwrap();
    let flag = format!("seccomp={}", file.display());
    let script = "mkdir /a 2>&1; touch /b && rm /b && echo removed";
    let out = shell(&sandbox, &["--security-opt", &flag], script);
    assert!(out.contains("Function not implemented") && out.ends_with("removed\n"), "{out}");
    fs::write(&file, "{}").unwrap();
    assert!(refused(&sandbox, &["--security-opt", &flag]).contains("not in Docker's or the OCI format"));
    assert!(refused(&sandbox, &["--security-opt", "seccomp=/nonexistent"]).contains("cannot read the seccomp profile"));
    sandbox.assert_clean();
}

#[test]
fn privileged_and_hidden_paths() {
    let sandbox = Sandbox::with_busybox();
    let script = "mkdir /m && mount -t tmpfs none /m && echo mounted; grep ^Seccomp: /proc/self/status; \
                  grep -c ' /proc/' /proc/mounts; ls /dev/kmsg";
    assert_eq!(shell(&sandbox, &["--privileged"], script), "mounted\nSeccomp:\t0\n0\n/dev/kmsg\n");
    let hidden = "cat /proc/keys | wc -c; ls /sys/firmware | wc -l; grep -c ' /proc/sys ' /proc/mounts";
    assert_eq!(shell(&sandbox, &[], hidden), "0\n0\n1\n");
    let shown =
        shell(&sandbox, &["--security-opt", "systempaths=unconfined"], "grep -c ' /proc/' /proc/mounts || true");
    assert_eq!(shown, "0\n");
    let masked = shell(&sandbox, &["--security-opt", "mask=/proc/version"], "wc -c < /proc/version");
    assert_eq!(masked, "0\n");
    sandbox.assert_clean();
}

#[test]
fn devices() {
    let sandbox = Sandbox::with_busybox();
    let flags = ["--device", "/dev/full:/dev/mine:r", "--device", "/dev/fuse"];
    let script = "ls -l /dev/mine /dev/fuse | cut -c1; head -c 3 /dev/mine | wc -c; head -c 0 /dev/fuse && echo open";
    assert_eq!(shell(&sandbox, &flags, script), "c\nc\n3\nopen\n");
    let denied = "mknod /fuse c 10 229; head -c 0 /fuse 2>&1 || true";
    assert!(shell(&sandbox, &[], denied).contains("not permitted"));
    assert_eq!(
        shell(
            &sandbox,
            &["--device-cgroup-rule", "c 10:229 rwm"],
            "mknod /fuse c 10 229; head -c 0 /fuse && echo open"
        ),
        "open\n"
    );
    assert!(refused(&sandbox, &["--device", "/dev/nonexistent"]).contains("/dev/nonexistent"));
    assert!(refused(&sandbox, &["--device", "/etc/passwd"]).contains("not a device"));
    sandbox.assert_clean();
}

#[test]
fn mounts_and_file_systems_in_memory() {
    let sandbox = Sandbox::with_busybox();
    let source = sandbox.root().join("source");
    fs::create_dir(&source).unwrap();
    fs::write(source.join("file"), "content").unwrap();
    let bind = format!("type=bind,src={},dst=/data,ro", source.display());
    let out = shell(&sandbox, &["--mount", &bind], "cat /data/file; touch /data/x 2>&1 || true");
    assert!(out.starts_with("content") && out.contains("Read-only"), "{out}");
    let slave = format!("type=bind,src={},dst=/data,bind-propagation=rslave", source.display());
    let line = shell(&sandbox, &["--mount", &slave], "grep ' /data ' /proc/self/mountinfo");
    let host = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let shared = host.lines().any(|line| line.split(' ').nth(4) == Some("/") && line.contains("shared:"));
    assert_eq!(line.contains("master:"), shared, "{line}");
    let flags = ["--tmpfs", "/run:size=64k,mode=750", "--mount", "type=tmpfs,dst=/t,tmpfs-size=1m", "--shm-size", "2m"];
    let out = shell(
        &sandbox,
        &flags,
        "stat -c %a /run; for d in /run /t /dev/shm; do df -k $d | tail -1 | awk '{print $2}'; done",
    );
    assert_eq!(out, "750\n64\n1024\n2048\n");
    // What lies below a mount is mounted after it, whatever the order.
    let inner = format!("{}:/outer/inner", source.display());
    assert_eq!(shell(&sandbox, &["-v", &inner, "--tmpfs", "/outer"], "cat /outer/inner/file"), "content");
    assert!(refused(&sandbox, &["--mount", "type=bind,src=/nonexistent,dst=/x"]).contains("does not exist"));
    assert!(refused(&sandbox, &["--mount", "type=nfs,src=a,dst=/x"]).contains("type"));
    assert!(refused(&sandbox, &["--tmpfs", "/x:what"]).contains("tmpfs"));
    sandbox.assert_clean();
}

#[test]
fn named_volumes() {
    let sandbox = Sandbox::with_busybox();
    assert_eq!(shell(&sandbox, &["-v", "data:/data"], "echo kept > /data/file; ls /data"), "file\n");
    assert_eq!(
        shell(&sandbox, &["--mount", "source=data,target=/d,ro"], "cat /d/file; touch /d/x 2>/dev/null || echo ro"),
        "kept\nro\n"
    );
    assert_eq!(sandbox.coracle(&["volume", "ls", "-q"]).ok(), "data\n");
    // A new one begins with what the image has there.
    assert!(shell(&sandbox, &["-v", "programs:/bin"], "ls /bin").contains("busybox"));
    sandbox.coracle(&["run", "-d", "--name", "user", "-v", "data:/data", "busybox", "busybox", "sleep", "1000"]).ok();
    assert!(sandbox.coracle(&["volume", "rm", "data"]).fails(1).contains("used by instance 'user'"));
    let theirs =
        shell(&sandbox, &["--volumes-from", "user:ro"], "cat /data/file; touch /data/x 2>/dev/null || echo ro");
    assert_eq!(theirs, "kept\nro\n");
    assert_eq!(sandbox.coracle(&["volume", "prune"]).ok(), "programs\n");
    sandbox.coracle(&["rm", "-f", "user"]).ok();
    sandbox.coracle(&["volume", "rm", "data"]).ok();
    sandbox.coracle(&["volume", "inspect", "data"]).fails(125);
    assert!(sandbox.coracle(&["volume", "create", "../x"]).fails(125).contains("not a valid name"));
    sandbox.assert_clean();
}

#[test]
fn namespaces() {
    let sandbox = Sandbox::with_busybox();
    assert_eq!(
        shell(&sandbox, &["--hostname", "box", "--domainname", "lan"], "hostname; cat /proc/sys/kernel/domainname"),
        "box\nlan\n"
    );
    let own = fs::read_link("/proc/self/ns/uts").unwrap();
    assert_eq!(shell(&sandbox, &["--uts", "host"], "readlink /proc/self/ns/uts").trim(), own.display().to_string());
    let pid = std::process::id();
    let script = format!("test -d /proc/{pid} && echo seen");
    assert_eq!(shell(&sandbox, &["--pid", "host"], &script), "seen\n");
    let ipc = fs::read_link("/proc/self/ns/ipc").unwrap();
    assert_eq!(shell(&sandbox, &["--ipc", "host"], "readlink /proc/self/ns/ipc").trim(), ipc.display().to_string());
    sandbox
        .coracle(&["run", "-d", "--name", "first", "busybox", "busybox", "sh", "-c", "touch /dev/shm/mark; sleep 1000"])
        .ok();
    cli_tests::eventually("the mark is made", 5, || {
        let flags = ["run", "--rm", "--ipc", "container:first", "busybox", "busybox", "ls", "/dev/shm"];
        sandbox.coracle(&flags).out == "mark\n"
    });
    assert!(shell(&sandbox, &["--pid", "container:first"], "ps").contains("sleep 1000"));
    sandbox.coracle(&["rm", "-f", "first"]).ok();
    assert!(refused(&sandbox, &["--pid", "container:first"]).contains("no instance 'first'"));
    assert!(refused(&sandbox, &["--pid", "other"]).contains("container:NAME"));
    assert_eq!(shell(&sandbox, &["--sysctl", "kernel.msgmax=9999"], "cat /proc/sys/kernel/msgmax"), "9999\n");
    assert!(refused(&sandbox, &["--sysctl", "kernel.panic=1"]).contains("kernel.panic"));
    sandbox.assert_clean();
}

#[test]
fn limits() {
    let sandbox = Sandbox::with_busybox();
    let flags = [
        "-m",
        "64m",
        "--memory-swap",
        "128m",
        "--cpu-shares",
        "512",
        "--cpu-period",
        "50000",
        "--cpu-quota",
        "25000",
        "--pids-limit",
        "33",
    ];
    let script = "cd /sys/fs/cgroup; cat memory/memory.limit_in_bytes memory/memory.memsw.limit_in_bytes cpu*/cpu.shares \
                  cpu*/cpu.cfs_quota_us pids/pids.max";
    if fs::exists("/sys/fs/cgroup/memory/memory.memsw.limit_in_bytes").unwrap() {
        assert_eq!(shell(&sandbox, &flags, script), "67108864\n134217728\n512\n25000\n33\n");
    } else {
        eprintln!("SKIP: no control groups of version 1 with accounting of swap");
    }
    let flags = ["--ulimit", "nofile=100:200", "--oom-score-adj", "500"];
    assert_eq!(shell(&sandbox, &flags, "ulimit -n; ulimit -Hn; cat /proc/self/oom_score_adj"), "100\n200\n500\n");
    assert!(refused(&sandbox, &["--memory-swap", "1g"]).contains("give -m"));
    assert!(refused(&sandbox, &["-m", "64m", "--memory-swap", "32m"]).contains("less than -m"));
    assert!(refused(&sandbox, &["--ulimit", "files=1"]).contains("no limit 'files'"));
    assert!(refused(&sandbox, &["--device-read-bps", "/dev/null:1m"]).contains("not a block device"));
    let group = shell(&sandbox, &["--cgroup-parent", "/coracle-test-parent"], "grep ^0: /proc/1/cgroup");
    assert_eq!(group, "0::/\n", "its own group is the root that it sees");
    sandbox.assert_clean();
    for root in ["/sys/fs/cgroup/unified", "/sys/fs/cgroup"] {
        let _ = fs::remove_dir(std::path::Path::new(root).join("coracle-test-parent"));
    }
}

#[test]
fn users_and_environment() {
    let sandbox = Sandbox::with_busybox();
    assert_eq!(shell(&sandbox, &["-u", "5:6", "--group-add", "1234"], "id -u; id -g; id -G"), "5\n6\n6 1234\n");
    let file = sandbox.root().join("env");
    fs::write(&file, "# comment\nA=1\nB=two words\n").unwrap();
    let flags = ["--env-file", file.to_str().unwrap(), "-e", "A=3"];
    assert_eq!(shell(&sandbox, &flags, "echo $A $B"), "3 two words\n");
    let script = "cat /proc/self/uid_map; touch /file; stat -c '%u %g' /file /bin/busybox";
    let mapped = shell(&sandbox, &["--uidmap", "0:100000:65536"], script);
    let words: Vec<&str> = mapped.split_whitespace().collect();
    assert_eq!(words, ["0", "100000", "65536", "0", "0", "0", "0"]);
    let auto = |name: &str| {
        sandbox
            .coracle(&["run", "--name", name, "--userns", "auto", "busybox", "busybox", "cat", "/proc/self/uid_map"])
            .ok()
    };
    let (one, two) = (auto("one"), auto("two"));
    assert_ne!(one, two);
    assert!(one.contains("65536"), "{one}");
    sandbox.coracle(&["rm", "one", "two"]).ok();
    assert!(refused(&sandbox, &["--userns", "keep-id"]).contains("keep-id"));
    sandbox.assert_clean();
}

#[test]
fn marks_and_files() {
    let sandbox = Sandbox::with_busybox();
    let cid = sandbox.root().join("cid");
    let labels = sandbox.root().join("labels");
    fs::write(&labels, "from=file\n").unwrap();
    let flags = ["run", "-d", "--name", "marked", "--cidfile", cid.to_str().unwrap(), "--label", "a=b", "--label-file"];
    let more = [
        labels.to_str().unwrap(),
        "--annotation",
        "x=y",
        "--stop-signal",
        "KILL",
        "--stop-timeout",
        "1",
        "--expose",
        "80",
    ];
    let id = sandbox.coracle(&[&flags[..], &more, &["busybox", "busybox", "sleep", "1000"]].concat()).ok();
    assert_eq!(fs::read_to_string(&cid).unwrap(), id.trim());
    let plan = sandbox.inspect("marked")["plan"].clone();
    assert_eq!(
        (plan["options"]["labels"]["a"].as_str(), plan["options"]["labels"]["from"].as_str()),
        (Some("b"), Some("file"))
    );
    assert_eq!(plan["options"]["exposed"][0], "80/tcp");
    assert_eq!(plan["stop_signal"], 9);
    assert!(refused(&sandbox, &["--cidfile", cid.to_str().unwrap()]).contains("--cidfile"));
    sandbox.coracle(&["stop", "marked"]).ok();
    sandbox.coracle(&["rm", "marked"]).ok();
    assert!(refused(&sandbox, &["--pull", "always"]).contains("image load"));
    assert!(refused(&sandbox, &["--platform", "linux/arm64"]).contains("linux/amd64"));
    sandbox.assert_clean();
}

#[test]
fn a_first_process_that_reaps() {
    let sandbox = Sandbox::with_busybox();
    let done =
        sandbox.coracle(&["run", "--rm", "--init", "busybox", "busybox", "sh", "-c", "cat /proc/1/comm; exit 7"]);
    assert_eq!((done.code, done.out.as_str()), (7, "coracle-init\n"), "{}", done.err);
    // The orphan's end is seen by process 1 alone.
    let orphans = "(sleep 0 &) ; sleep 0.3; ps -o stat | grep -c Z || true";
    let args = ["run", "--rm", "--init", "busybox", "busybox", "sh", "-c", orphans];
    assert_eq!(sandbox.coracle(&args).ok(), "0\n");
    sandbox.coracle(&["run", "-d", "--init", "--name", "waits", "busybox", "busybox", "sleep", "1000"]).ok();
    sandbox.coracle(&["stop", "waits"]).ok();
    assert_eq!(sandbox.inspect("waits")["exit_code"], 143, "the program has the default action of SIGTERM");
    sandbox.coracle(&["rm", "waits"]).ok();
    sandbox.assert_clean();
}

#[test]
fn what_other_levels_refuse() {
    let sandbox = Sandbox::with_busybox();
    for flags in [
        &["--privileged"][..],
        &["--cap-add", "NET_ADMIN"],
        &["--device", "/dev/fuse"],
        &["--tmpfs", "/t"],
        &["--pid", "host"],
        &["--sysctl", "kernel.msgmax=1"],
        &["--ulimit", "nofile=1"],
        &["--network", "host"],
        &["--cpu-shares", "2"],
        &["--init"],
    ] {
        for level in ["unikernel", "microvm"] {
            let error = refused(&sandbox, &[&["--as", level], flags].concat());
            assert!(error.contains("not available at the") && error.contains("--as container"), "{flags:?}: {error}");
        }
    }
    sandbox.assert_clean();
}
