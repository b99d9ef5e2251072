use crate::{Engine, Kind};

/// Environment, directory, host name, users and groups, system controls, limits of resources.
pub fn identity(engine: &Engine) {
    assert_eq!(engine.sh(&["-e", "A=b c", "-e", "E="], "echo \"$A,${E-unset},$PATH\"").ok(), "b c,,/usr/bin:/bin");
    assert_eq!(engine.run(&["-w", "/var/tmp"], &["pwd"]).ok(), "/var/tmp");
    if engine.kind() == Kind::Docker {
        assert_eq!(engine.run(&["-w", "/made/for/it"], &["pwd"]).ok(), "/made/for/it");
    }
    assert_eq!(engine.run(&["--hostname", "named"], &["hostname"]).ok(), "named");
    assert_eq!(engine.sh(&["-u", "1000:1000"], "id -u; id -g").ok(), "1000\n1000");
    assert_eq!(engine.sh(&["-u", "user"], "id -un; echo $HOME").ok(), "user\n/tmp");
    assert_eq!(engine.run(&["-u", "1000", "--group-add", "7777"], &["id", "-G"]).ok(), "1000 7777");
    assert_eq!(engine.run(&["--sysctl", "net.ipv4.ip_forward=1"], &["cat", "/proc/sys/net/ipv4/ip_forward"]).ok(), "1");
    assert_eq!(engine.sh(&["--ulimit", "core=0:0"], "ulimit -c").ok(), "0");
    assert_eq!(engine.run(&["--oom-score-adj", "500"], &["cat", "/proc/self/oom_score_adj"]).ok(), "500");
    assert_eq!(engine.run(&["--entrypoint", "echo"], &["entered"]).ok(), "entered");
    assert_eq!(
        engine.run(&["--add-host", "there:10.1.2.3"], &["grep", "-c", "10.1.2.3.*there", "/etc/hosts"]).ok(),
        "1"
    );
    engine.run(&["-w", "/etc/passwd"], &["pwd"]).code.ne(&0).then_some(()).expect("a file is no working directory");
    engine.assert_clean();
}

/// A terminal in the container, with and without one of the caller's.
pub fn terminals(engine: &Engine) {
    let out = engine
        .run(&["-t"], &["sh", "-c", "tty; stat -c %t:%T /dev/console; test -t 0 && test -t 1 && test -t 2 && echo all"])
        .ok();
    assert!(out.contains("/dev/pts/0") || out.contains("/dev/console"), "{out}");
    assert!(out.contains("all"), "{out}");
    let words = engine.words(&["--rm", "-i", "-t"], &["sh"]);
    let done = engine.type_in("echo $((6*7))\nstty size\nexit 5\n", &words);
    assert_eq!(done.code, 5, "{}{}", done.out, done.err);
    assert!(done.out.contains("42"), "{}", done.out);
    engine.run(&["-t"], &["sh", "-c", "exit 6"]).fails(6);
    engine.run(&["-t"], &["nosuch"]).fails(127);
    engine.run(&["-t", "-u", "1000"], &["sh", "-c", "echo written >/dev/tty"]).ok();
    engine.assert_clean();
}

/// Namespaces of another container, and of the host.
pub fn joined_namespaces(engine: &Engine) {
    engine.detached("one", &["--hostname", "first", "--ipc=shareable"], "sleep 100");
    let ns = |flags: &[&str], name: &str| {
        engine.run(flags, &["stat", "-L", "-c", "%i", &format!("/proc/self/ns/{name}")]).ok()
    };
    let of_one =
        |name: &str| engine.cli(&["exec", "one", "stat", "-L", "-c", "%i", &format!("/proc/self/ns/{name}")]).ok();
    assert_eq!(ns(&["--pid=container:one"], "pid"), of_one("pid"));
    assert_eq!(ns(&["--ipc=container:one"], "ipc"), of_one("ipc"));
    assert_ne!(ns(&[], "pid"), of_one("pid"));
    assert!(engine.run(&["--pid=container:one"], &["ps"]).ok().contains("sleep 100"));
    let host = engine.cage().run("stat", &["-L", "-c", "%i", "/proc/self/ns/pid"]).ok();
    assert_eq!(ns(&["--pid=host"], "pid"), host);
    let host = engine.cage().run("stat", &["-L", "-c", "%i", "/proc/self/ns/uts"]).ok();
    assert_eq!(ns(&["--uts=host"], "uts"), host);
    let words = engine.words(&["--rm", "--network=container:one"], &["stat", "-L", "-c", "%i", "/proc/self/ns/net"]);
    let words: Vec<_> = words.into_iter().filter(|word| *word != "--network=none").collect();
    assert_eq!(engine.cli(&words).ok(), of_one("net"));
    if engine.kind() == Kind::Podman {
        assert_ne!(ns(&["--cgroupns=private"], "cgroup"), ns(&["--cgroupns=host"], "cgroup"));
    }
    engine.cli(&["rm", "-f", "one"]).ok();
    engine.assert_clean();
}
