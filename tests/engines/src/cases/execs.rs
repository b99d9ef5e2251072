use crate::{Engine, Kind, eventually};

/// Further programs in a container.
pub fn exec(engine: &Engine) {
    engine.detached("one", &["--hostname", "inside"], "sleep 100");
    let exec = |words: &[&str]| engine.cli(&[&["exec"], words].concat());
    assert_eq!(exec(&["one", "hostname"]).ok(), "inside");
    exec(&["one", "sh", "-c", "exit 5"]).fails(5);
    exec(&["one", "sh", "-c", "kill -9 $$"]).fails(137);
    let missing = exec(&["one", "nosuch"]);
    assert!(missing.code == 127 || (engine.kind() == Kind::Docker && missing.code == 126), "{missing:?}");
    assert!((missing.out + &missing.err).contains("not found in $PATH"));
    let denied = exec(&["one", "/etc/passwd"]).code;
    assert_eq!(denied, 126);
    assert_eq!(exec(&["-e", "A=b c", "one", "sh", "-c", "echo $A"]).ok(), "b c");
    assert_eq!(exec(&["-w", "/var/tmp", "one", "pwd"]).ok(), "/var/tmp");
    assert_eq!(exec(&["-u", "1000:1000", "one", "id", "-u"]).ok(), "1000");
    assert_eq!(exec(&["one", "grep", "Seccomp:", "/proc/self/status"]).ok(), "Seccomp:\t2");
    assert_ne!(exec(&["one", "grep", "CapEff", "/proc/self/status"]).ok(), "CapEff:\t000001ffffffffff");
    assert_eq!(engine.feed("typed\n", &["exec", "-i", "one", "cat"]).ok(), "typed");
    exec(&["-d", "one", "touch", "/touched"]).ok();
    eventually("the detached program ran", 10, || exec(&["one", "test", "-e", "/touched"]).code == 0);
    let own = exec(&["one", "cat", "/proc/self/cgroup"]).ok();
    let first = exec(&["one", "cat", "/proc/1/cgroup"]).ok();
    assert_eq!(own, first, "the same control groups");
    engine.cli(&["rm", "-f", "one"]).ok();
    engine.assert_clean();
}

/// The same at a terminal.
pub fn exec_at_a_terminal(engine: &Engine) {
    engine.detached("one", &[], "sleep 100");
    let out = engine.type_in("", &["exec", "-t", "one", "tty"]);
    assert!(out.out.contains("/dev/pts/"), "{out:?}");
    let done = engine.type_in("echo $((6*7))\nexit 5\n", &["exec", "-i", "-t", "one", "sh"]);
    assert_eq!(done.code, 5, "{done:?}");
    assert!(done.out.contains("42"), "{done:?}");
    let missing = engine.type_in("", &["exec", "-t", "one", "nosuch"]);
    assert!([126, 127].contains(&missing.code), "{missing:?}");
    engine.cli(&["rm", "-f", "one"]).ok();
    engine.assert_clean();
}
