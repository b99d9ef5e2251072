//! Programs in real virtual machines.

mod support;

use plan::{ExitStatus, FailureClass};
use support::{case, fixture, run};

#[test]
fn streams_environment_and_exit_status() {
    let Some(fixture) = fixture() else { return };
    let script = r#"
        cat
        echo "err" >&2
        echo "cwd=$PWD host=$(hostname) user=$(id -u):$(id -g):$(id -G)"
        echo "var=$VAR arg=$1 pid=$(test $$ -ne 1 && echo not-init)"
        printf 'a\0\377b'
        touch /home/user/file && ls /home/user
        cat /etc/hostname /etc/hosts /etc/resolv.conf
        exit 7
    "#;
    let mut case = case(fixture, &["sh", "-c", script, "sh", "two words"]);
    case.plan.process.env.push("VAR=x=y".into());
    case.plan.process.cwd = "/home/new/dir".into();
    case.plan.process.user = plan::User { uid: 0, gid: 50, additional_gids: vec![60, 70] };
    let outcome = run(fixture, &case, b"input\n").unwrap();
    assert_eq!(outcome.code(), 7, "{outcome:?}");
    assert_eq!(outcome.stderr, b"err\n");
    let text = String::from_utf8_lossy(&outcome.stdout);
    assert!(text.starts_with("input\ncwd=/home/new/dir host=coracle-test user=0:50:50 60 70\n"), "{text}");
    assert!(text.contains("var=x=y arg=two words pid=not-init\n"), "{text}");
    assert!(outcome.stdout.windows(4).any(|bytes| bytes == b"a\0\xffb"), "binary clean");
    assert!(text.ends_with("file\ncoracle-test\n127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n127.0.1.1\tcoracle-test test\n"), "{text}");
}

#[test]
fn programs_that_cannot_run_are_start_errors() {
    let Some(fixture) = fixture() else { return };
    for (program, class) in [
        ("no-such-program", FailureClass::NotFound),
        ("/bin/no-interpreter", FailureClass::NotFound),
        ("/etc/not-executable", FailureClass::NotExecutable),
        ("garbage", FailureClass::NotExecutable),
    ] {
        let error = run(fixture, &case(fixture, &[program]), b"").unwrap_err();
        assert_eq!(error.class(), class, "{program}: {error}");
        assert!(error.to_string().contains(program), "{error}");
    }
}

#[test]
fn a_signal_ends_the_program() {
    let Some(fixture) = fixture() else { return };
    let outcome = run(fixture, &case(fixture, &["sh", "-c", "kill -TERM $$"]), b"").unwrap();
    assert_eq!(outcome.status.unwrap(), ExitStatus::Signaled(15));
}
