//! What every level promises alike, through the real binary: the same command line, the same results.

use std::io::{Read, Write};

use cli_tests::{Sandbox, eventually, microvm_is_possible};

/// Runs `body` at each level that this machine can run.
fn at_every_level(body: impl Fn(&Sandbox, &str)) {
    for level in ["container", "unikernel", "microvm"] {
        if level == "microvm" && !microvm_is_possible() {
            continue;
        }
        eprintln!("level: {level}");
        let sandbox = Sandbox::with_busybox();
        body(&sandbox, level);
        sandbox.assert_clean();
    }
}

#[test]
fn output_and_exit_status_are_passed_on() {
    at_every_level(|sandbox, level| {
        let done = sandbox.coracle(&["run", "--rm", "--as", level, "busybox", "busybox", "echo", "to stdout"]);
        assert_eq!((done.code, done.out.as_str(), done.err.as_str()), (0, "to stdout\n", ""));
        let script = "echo oops >&2; exit 7";
        let done = sandbox.coracle(&["run", "--rm", "--as", level, "busybox", "busybox", "sh", "-c", script]);
        assert_eq!((done.code, done.out.as_str(), done.err.as_str()), (7, "", "oops\n"));
        let done = sandbox.coracle(&["run", "--rm", "--as", level, "busybox", "busybox", "sh", "-c", "kill -TERM $$"]);
        // The first process of a PID namespace is immune to its own signals with default actions (pid_namespaces(7)).
        let expected = if level == "container" { [0, 143] } else { [143, 143] };
        assert!(expected.contains(&done.code), "{level}: {}", done.code);
    });
}

#[test]
fn the_environment_is_what_was_asked_for() {
    at_every_level(|sandbox, level| {
        let run = |applet: &[&str]| {
            let args =
                ["run", "--rm", "--as", level, "-e", "A=value", "-w", "/tmp", "--hostname", "inside", "-u", "12:34"];
            sandbox.coracle(&[&args[..], &["busybox", "busybox"], applet].concat()).ok()
        };
        let env = run(&["env"]);
        assert!(env.lines().any(|line| line == "A=value"), "{env}");
        assert!(env.lines().any(|line| line.starts_with("PATH=")), "{env}");
        assert_eq!(run(&["pwd"]), "/tmp\n");
        assert_eq!(run(&["hostname"]), "inside\n");
        assert_eq!((run(&["id", "-u"]), run(&["id", "-g"])), ("12\n".into(), "34\n".into()));
    });
}

#[test]
fn standard_input_reaches_the_program() {
    at_every_level(|sandbox, level| {
        let mut child = sandbox.spawn(&["run", "--rm", "-i", "--as", level, "busybox", "busybox", "sha256sum"]);
        let input = vec![b'x'; 300_000];
        child.stdin.take().expect("a pipe").write_all(&input).expect("it reads");
        let mut out = String::new();
        child.stdout.take().expect("a pipe").read_to_string(&mut out).expect("it writes");
        assert!(child.wait().expect("it ends").success());
        let native = sandbox.run("sh", &["-c", "head -c 300000 /dev/zero | tr '\\0' x | sha256sum"]).ok();
        assert_eq!(out, native);
    });
}

#[test]
fn a_background_instance_lives_until_it_is_stopped() {
    at_every_level(|sandbox, level| {
        let sleeper = ["busybox", "busybox", "sleep", "1000"];
        let args = ["run", "-d", "--name", "sleeper", "--as", level];
        sandbox.coracle(&[&args[..], &sleeper[..]].concat()).ok();
        assert_eq!(sandbox.running(), ["sleeper"]);
        let taken = sandbox.coracle(&[&args[..], &sleeper[..]].concat()).fails(125);
        assert!(taken.contains("in use"), "{taken}");
        assert!(sandbox.coracle(&["rm", "sleeper"]).fails(1).contains("running"));
        sandbox.coracle(&["kill", "-s", "KILL", "sleeper"]).ok();
        assert_eq!(sandbox.coracle(&["wait", "sleeper"]).ok(), "137\n");
        assert!(sandbox.running().is_empty());
        assert_eq!(sandbox.inspect("sleeper")["exit_code"], 137);
        sandbox.coracle(&["rm", "sleeper"]).ok();
    });
}

#[test]
fn logs_are_kept_and_followed() {
    at_every_level(|sandbox, level| {
        // A pause without a second process: `read` waits for input that nobody gives.
        let script = "echo one; echo two >&2; read -t 1 x; echo three";
        let args = ["run", "-d", "-i", "--name", "talker", "--as", level, "busybox", "busybox", "sh", "-c", script];
        sandbox.coracle(&args).ok();
        let followed = sandbox.coracle(&["logs", "-f", "talker"]);
        assert_eq!((followed.out.as_str(), followed.err.as_str()), ("one\nthree\n", "two\n"));
        assert_eq!(sandbox.coracle(&["logs", "-n", "1", "talker"]).ok(), "three\n");
        sandbox.coracle(&["rm", "talker"]).ok();
    });
}

#[test]
fn a_program_that_is_missing_or_no_program() {
    at_every_level(|sandbox, level| {
        let missing = sandbox.coracle(&["run", "--rm", "--as", level, "busybox", "nonesuch"]).fails(127);
        assert!(missing.contains("nonesuch"), "{missing}");
        let data = sandbox.coracle(&["run", "--rm", "--as", level, "busybox", "/etc/passwd"]).fails(126);
        assert!(data.contains("/etc/passwd"), "{data}");
        // Without --rm the instance stays and says why.
        sandbox.coracle(&["run", "--name", "failed", "--as", level, "busybox", "nonesuch"]).fails(127);
        assert!(sandbox.inspect("failed")["error"].as_str().is_some_and(|e| e.contains("nonesuch")));
        sandbox.coracle(&["rm", "failed"]).ok();
    });
}

#[test]
fn volumes_are_shared_and_read_only_ones_are_not_written() {
    at_every_level(|sandbox, level| {
        let dir = sandbox.root().join("shared");
        std::fs::create_dir(&dir).unwrap();
        std::fs::write(dir.join("from-host"), "hello").unwrap();
        let volume = format!("{}:/data", dir.display());
        let applet = |volume: &str, applet: &[&str]| {
            let args = ["run", "--rm", "--as", level, "-v", volume, "busybox", "busybox"];
            sandbox.coracle(&[&args[..], applet].concat())
        };
        assert_eq!(applet(&volume, &["cat", "/data/from-host"]).ok(), "hello");
        applet(&volume, &["cp", "/data/from-host", "/data/from-guest"]).ok();
        assert_eq!(std::fs::read_to_string(dir.join("from-guest")).unwrap(), "hello");
        let read_only = format!("{volume}:ro");
        assert!(applet(&read_only, &["touch", "/data/new"]).fails(1).contains("ead-only"));
        assert!(!dir.join("new").exists());
    });
}

#[test]
fn a_read_only_root_refuses_writes_and_a_writable_one_forgets_them() {
    at_every_level(|sandbox, level| {
        let args = ["run", "--rm", "--as", level, "--read-only", "busybox", "busybox", "touch", "/new"];
        assert!(sandbox.coracle(&args).fails(1).contains("ead-only"));
        let script = "echo x > /new; read line < /new; echo $line";
        let args = ["run", "--rm", "--as", level, "busybox", "busybox", "sh", "-c", script];
        assert_eq!(sandbox.coracle(&args).ok(), "x\n");
        let args = ["run", "--rm", "--as", level, "busybox", "busybox", "mkdir", "/dir"];
        sandbox.coracle(&args).ok();
        let args = ["run", "--rm", "--as", level, "busybox", "busybox", "ls", "/dir"];
        sandbox.coracle(&args).fails(1);
    });
}

#[test]
fn without_a_network_there_is_only_loopback() {
    at_every_level(|sandbox, level| {
        let args = ["run", "--rm", "--as", level, "--network", "none", "busybox", "busybox", "cat", "/proc/net/route"];
        let done = sandbox.coracle(&args);
        assert!(!done.out.contains("eth0"), "{}", done.out);
        let bad = ["run", "--rm", "--as", level, "--network", "none", "-p", "80:80", "busybox", "busybox", "true"];
        assert!(sandbox.coracle(&bad).fails(125).contains("network"));
    });
}

#[test]
fn redis_answers_its_client_at_a_published_port() {
    at_every_level(|sandbox, level| {
        sandbox.coracle(&["image", "pack", "--name", "redis", "/usr/bin/redis-server"]).ok();
        let run = ["run", "-d", "-p", "7001:6379", "-m", "256M", "--name", "r", "--as", level];
        let redis = ["redis", "redis-server", "--save", "", "--protected-mode", "no"];
        sandbox.coracle(&[&run[..], &redis[..]].concat()).ok();
        let client = |args: &[&str]| sandbox.run("redis-cli", &[&["-p", "7001"], args].concat());
        eventually("redis answers", 60, || client(&["ping"]).out == "PONG\n");
        assert_eq!(client(&["set", "key", "a value"]).ok(), "OK\n");
        assert_eq!(client(&["get", "key"]).ok(), "a value\n");
        let address = sandbox.address("r").to_string();
        let load = ["-h", &address, "-n", "2000", "-c", "20", "-t", "set,get,lpush,mset", "-P", "4", "-q"];
        let done = sandbox.run("redis-benchmark", &load);
        assert!(done.out.contains("GET"), "{}{}", done.out, done.err);
        // A large value crosses many segments in both directions.
        let big = "x".repeat(100_000);
        assert_eq!(client(&["set", "big", &big]).ok(), "OK\n");
        assert_eq!(client(&["get", "big"]).ok().trim(), big);
        let busy = sandbox.coracle(&["run", "--rm", "--as", level, "-p", "7001:1", "busybox", "busybox", "true"]);
        assert!(busy.fails(125).contains("7001"));
        sandbox.coracle(&["stop", "r"]).ok();
        assert_eq!(sandbox.inspect("r")["exit_code"], 0);
        assert!(sandbox.coracle(&["logs", "r"]).ok().contains("Ready to accept connections"));
        sandbox.coracle(&["rm", "r"]).ok();
    });
}
