//! Operations on instances that exist, through the real binary.

use cli_tests::{Sandbox, eventually};

/// A sandbox with an image that has a shell where shells are.
fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.coracle(&["image", "pack", "--name", "box", "--add", "/bin/busybox:/bin/sh", "/bin/busybox", "sh"]).ok();
    sandbox
}

fn run(sandbox: &Sandbox, flags: &[&str], script: &str) -> String {
    let command = ["box", "sh", "-c", script];
    sandbox.coracle(&[&["run", "-d"], flags, &command[..]].concat()).ok().trim().to_owned()
}

const FOREVER: &str = "busybox sleep 1000";

#[test]
fn an_instance_is_made_started_stopped_and_started_again_with_its_files() {
    let sandbox = sandbox();
    let script = "busybox cat /kept; echo more >> /kept; test -n \"$WAIT\" && busybox sleep 1000; exit 3";
    sandbox.coracle(&["create", "--name", "x", "box", "sh", "-c", script]).ok();
    assert_eq!(sandbox.inspect("x")["status"], "created");
    std::thread::sleep(std::time::Duration::from_millis(2100));
    assert_eq!(sandbox.inspect("x")["status"], "created", "it stays so");
    sandbox.coracle(&["start", "x"]).ok();
    assert_eq!(sandbox.coracle(&["wait", "x"]).ok(), "3\n");
    let again = sandbox.coracle(&["start", "-a", "x"]);
    assert_eq!((again.code, again.out.as_str()), (3, "more\n"), "{}", again.err);
    assert!(sandbox.coracle(&["create", "-d", "box", "sh"]).fails(125).contains("-d"));
    assert!(sandbox.coracle(&["start", "nonesuch"]).fails(1).contains("no instance"));
    sandbox.coracle(&["rm", "x"]).ok();
    sandbox.assert_clean();
}

#[test]
fn restart_policies_are_kept_until_somebody_stops_it() {
    let sandbox = sandbox();
    run(&sandbox, &["--name", "twice", "--restart", "on-failure:2"], "echo run; exit 4");
    eventually("it gives up", 20, || sandbox.inspect("twice")["status"] == "exited");
    let end = sandbox.inspect("twice");
    assert_eq!((&end["restart_count"], &end["exit_code"]), (&2.into(), &4.into()));
    assert_eq!(sandbox.coracle(&["logs", "twice"]).ok(), "run\nrun\nrun\n");
    run(&sandbox, &["--name", "good", "--restart", "on-failure"], "exit 0");
    eventually("success is an end", 10, || sandbox.inspect("good")["status"] == "exited");
    run(&sandbox, &["--name", "always", "--restart", "always"], FOREVER);
    let kill = |name: &str| {
        let pid = sandbox.inspect(name)["pid"].as_i64().expect("it runs") as i32;
        let pid = rustix::process::Pid::from_raw(pid).expect("a process id");
        rustix::process::kill_process(pid, rustix::process::Signal::KILL).expect("it lives");
    };
    kill("always");
    eventually("it runs again", 20, || {
        let now = sandbox.inspect("always");
        now["restart_count"] == 1 && now["status"] == "running"
    });
    sandbox.coracle(&["stop", "-t", "0", "always"]).ok();
    std::thread::sleep(std::time::Duration::from_millis(500));
    assert_eq!(sandbox.inspect("always")["status"], "exited");
    sandbox.coracle(&["start", "always"]).ok();
    assert_eq!(sandbox.inspect("always")["status"], "running");
    sandbox.coracle(&["update", "--restart", "no", "always"]).ok();
    kill("always");
    eventually("the new policy is in force", 10, || sandbox.inspect("always")["status"] == "exited");
    assert!(sandbox.coracle(&["run", "--rm", "--restart", "always", "box", "sh"]).fails(125).contains("--rm"));
    sandbox.coracle(&["rm", "-f", "twice", "good", "always"]).ok();
    sandbox.assert_clean();
}

#[test]
fn health_is_checked_and_shown() {
    let sandbox = sandbox();
    let check = ["--health-cmd", "echo looking; test -e /ok", "--health-interval", "100ms", "--health-retries", "2"];
    run(&sandbox, &[&["--name", "h"], &check[..]].concat(), FOREVER);
    eventually("it is unhealthy", 20, || sandbox.inspect("h")["health"]["Status"] == "unhealthy");
    let health = sandbox.inspect("h")["health"].clone();
    assert_eq!(health["Log"][0]["Output"], "looking\n");
    assert_eq!(health["Log"][0]["ExitCode"], 1);
    assert!(sandbox.coracle(&["ps"]).ok().contains("(unhealthy)"));
    sandbox.coracle(&["exec", "h", "busybox", "touch", "/ok"]).ok();
    eventually("it is healthy", 20, || sandbox.inspect("h")["health"]["Status"] == "healthy");
    let log = sandbox.inspect("h")["health"]["Log"].as_array().map(Vec::len);
    assert!(log.is_some_and(|n| n <= 5));
    let events = sandbox.coracle(&["events", "--since", "5m", "--until", "0s", "--filter", "event=health_status"]).ok();
    assert!(events.contains("health_status: unhealthy") && events.contains("health_status: healthy"), "{events}");
    run(
        &sandbox,
        &[
            "--name",
            "slow",
            "--health-cmd",
            "busybox sleep 100",
            "--health-interval",
            "50ms",
            "--health-timeout",
            "100ms",
            "--health-retries",
            "1",
        ],
        FOREVER,
    );
    eventually("late is unhealthy", 20, || sandbox.inspect("slow")["health"]["Status"] == "unhealthy");
    sandbox.coracle(&["rm", "-f", "h", "slow"]).ok();
    sandbox.assert_clean();
}

#[test]
fn a_paused_instance_stands_still_at_every_level() {
    let sandbox = sandbox();
    for level in ["container", "unikernel"] {
        let name = format!("p-{level}");
        // Counting without a second process, which a unikernel has not.
        let script = "i=0; while true; do i=$((i+1)); test $((i % 20000)) = 0 && echo $i; done";
        run(&sandbox, &["--name", &name, "--as", level], script);
        let lines = || sandbox.coracle(&["logs", &name]).ok().lines().count();
        eventually("it counts", 20, || lines() > 1);
        sandbox.coracle(&["pause", &name]).ok();
        assert_eq!(sandbox.inspect(&name)["status"], "paused");
        assert!(sandbox.coracle(&["pause", &name]).fails(1).contains("paused already"));
        std::thread::sleep(std::time::Duration::from_millis(200));
        let before = lines();
        std::thread::sleep(std::time::Duration::from_millis(500));
        assert_eq!(lines(), before, "{level} stands still");
        if level == "container" {
            assert!(sandbox.coracle(&["exec", &name, "busybox", "true"]).fails(125).contains("unpause"));
        }
        sandbox.coracle(&["unpause", &name]).ok();
        eventually("it goes on", 20, || lines() > before);
        sandbox.coracle(&["pause", &name]).ok();
        sandbox.coracle(&["stop", "-t", "0", &name]).ok();
        assert_eq!(sandbox.inspect(&name)["status"], "exited", "a paused one can be stopped");
        sandbox.coracle(&["rm", &name]).ok();
    }
    sandbox.assert_clean();
}

#[test]
fn names_change_and_ports_and_processes_are_shown() {
    let sandbox = sandbox();
    run(&sandbox, &["--name", "old", "-p", "127.0.0.1:7100:80", "-p", "7101:53/udp"], FOREVER);
    assert_eq!(sandbox.coracle(&["port", "old"]).ok(), "80/tcp -> 127.0.0.1:7100\n53/udp -> 0.0.0.0:7101\n");
    assert_eq!(sandbox.coracle(&["port", "old", "80"]).ok(), "127.0.0.1:7100\n");
    assert!(sandbox.coracle(&["port", "old", "81"]).fails(125).contains("81"));
    run(&sandbox, &["--name", "other"], FOREVER);
    assert!(sandbox.coracle(&["rename", "old", "other"]).fails(125).contains("in use"));
    sandbox.coracle(&["rename", "old", "new"]).ok();
    assert!(sandbox.coracle(&["inspect", "old"]).fails(1).contains("no instance"));
    assert_eq!(sandbox.inspect("new")["plan"]["name"], "new");
    let found = sandbox.coracle(&["exec", "other", "busybox", "nslookup", "new"]);
    assert_eq!(found.code, 0, "others find it by its new name: {}{}", found.out, found.err);
    let top = sandbox.coracle(&["top", "new"]).ok();
    assert!(top.contains("PID") && top.contains("sleep 1000"), "{top}");
    let top = sandbox.coracle(&["top", "new", "-o", "pid,args"]).ok();
    assert!(top.lines().count() >= 2 && top.contains("sleep 1000"), "{top}");
    assert!(sandbox.coracle(&["top", "new", "-o", "user"]).fails(125).contains("PID"));
    let stats = sandbox.coracle(&["stats", "--no-stream", "--json", "new"]).ok();
    let stats: serde_json::Value = serde_json::from_str(&stats).expect("one object");
    assert!(stats["memory"].as_u64() > Some(0) && stats["pids"].as_u64() > Some(0), "{stats}");
    assert!(stats["cpu_percent"].as_f64().is_some_and(|p| (0.0..50.0).contains(&p)), "{stats}");
    sandbox.coracle(&["rm", "-f", "new", "other"]).ok();
    sandbox.assert_clean();
}

#[test]
fn events_tell_the_life_of_an_instance() {
    let sandbox = sandbox();
    let mut follower = sandbox.spawn(&["events", "--format", "json", "--filter", "container=x"]);
    std::thread::sleep(std::time::Duration::from_millis(300));
    run(&sandbox, &["--name", "x"], FOREVER);
    run(&sandbox, &["--name", "y"], FOREVER);
    sandbox.coracle(&["exec", "x", "busybox", "true"]).ok();
    sandbox.coracle(&["pause", "x"]).ok();
    sandbox.coracle(&["unpause", "x"]).ok();
    sandbox.coracle(&["stop", "-t", "0", "x"]).ok();
    sandbox.coracle(&["rm", "x"]).ok();
    let expected = [
        "create",
        "start",
        "exec_create",
        "exec_start",
        "exec_die",
        "pause",
        "unpause",
        "kill",
        "kill",
        "die",
        "stop",
        "destroy",
    ];
    let text =
        sandbox.coracle(&["events", "--since", "5m", "--until", "0s", "--format", "json", "-f", "container=x"]).ok();
    let parsed = |text: &str| -> Vec<serde_json::Value> {
        text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    };
    let actions = |events: &[serde_json::Value]| -> Vec<String> {
        events.iter().map(|e| e["Action"].as_str().unwrap_or("").split(':').next().unwrap_or("").to_owned()).collect()
    };
    let events = parsed(&text);
    let seen: Vec<String> = actions(&events);
    // Die and stop are told by two processes.
    let sorted = |list: &[String]| {
        let mut list = list.to_vec();
        list.sort();
        list
    };
    let expected: Vec<String> = expected.iter().map(|s| (*s).to_owned()).collect();
    assert_eq!(sorted(&seen), sorted(&expected), "{text}");
    assert_eq!(seen[..2], expected[..2]);
    let die = events.iter().find(|e| e["Action"] == "die").expect("it died");
    assert_eq!(die["Actor"]["Attributes"]["exitCode"], "137");
    follower.kill().expect("it still follows");
    let followed = follower.wait_with_output().expect("it ended");
    assert_eq!(String::from_utf8_lossy(&followed.stdout), text, "a follower sees the same");
    assert!(sandbox.coracle(&["events", "--filter", "colour=red"]).fails(125).contains("filter"));
    sandbox.coracle(&["rm", "-f", "y"]).ok();
    sandbox.assert_clean();
}

#[test]
fn logs_rotate_and_are_chosen_by_time_and_number() {
    let sandbox = sandbox();
    let script = "i=0; while test $i -lt 300; do echo line $i; i=$((i+1)); done; read x; echo end";
    let log = ["--log-opt", "max-size=4k", "--log-opt", "max-file=3"];
    run(&sandbox, &[&["--name", "l", "-i"], &log[..]].concat(), script);
    eventually("it has printed", 20, || sandbox.coracle(&["logs", "-n", "1", "l"]).out == "line 299\n");
    let dir = sandbox.root().join("instances").join(sandbox.inspect("l")["plan"]["id"].as_str().expect("an id"));
    let sizes: Vec<u64> = ["log.json", "log.json.1", "log.json.2"]
        .iter()
        .map(|name| std::fs::metadata(dir.join(name)).expect("it is kept").len())
        .collect();
    assert!(sizes.iter().all(|size| *size <= 4096), "{sizes:?}");
    assert!(!dir.join("log.json.3").exists());
    let lines = sandbox.coracle(&["logs", "l"]).ok();
    let numbers: Vec<u32> = lines.lines().filter_map(|l| l.strip_prefix("line ")?.parse().ok()).collect();
    assert!(numbers.len() > 50 && numbers.windows(2).all(|w| w[1] == w[0] + 1), "{lines}");
    assert_eq!(sandbox.coracle(&["logs", "--until", "1h", "l"]).ok(), "");
    assert_eq!(sandbox.coracle(&["logs", "--since", "1h", "--tail", "2", "l"]).ok(), "line 298\nline 299\n");
    assert!(sandbox.coracle(&["logs", "-t", "--tail", "1", "l"]).ok().contains("Z line 299"));
    sandbox.coracle(&["rm", "-f", "l"]).ok();
    run(&sandbox, &["--name", "mute", "--log-driver", "none"], "echo lost");
    sandbox.coracle(&["wait", "mute"]).ok();
    assert!(sandbox.coracle(&["logs", "mute"]).fails(125).contains("none"));
    sandbox.coracle(&["rm", "mute"]).ok();
    let shown = sandbox.coracle(&["run", "--rm", "--log-driver", "none", "box", "sh", "-c", "echo seen"]);
    assert_eq!(shown.ok(), "seen\n", "who is connected sees the output");
    assert!(sandbox.coracle(&["run", "--log-opt", "max-size=x", "box", "sh"]).fails(125).contains("max-size"));
    sandbox.assert_clean();
}

#[test]
fn the_journal_gets_lines_where_there_is_one() {
    let sandbox = sandbox();
    let journal = sandbox.root().join("journal");
    std::fs::create_dir(&journal).unwrap();
    let socket = std::os::unix::net::UnixDatagram::bind(journal.join("socket")).unwrap();
    socket.set_read_timeout(Some(std::time::Duration::from_secs(20))).unwrap();
    let run = format!(
        "{} run --rm --name j --log-driver journald --log-opt tag=mark box sh -c 'echo hello; echo oops >&2'",
        cli_tests::binary().display()
    );
    if !std::path::Path::new("/run/systemd/journal/socket").exists() {
        let refused = sandbox.run("sh", &["-c", &run]);
        assert!(refused.fails(125).contains("journald"));
    }
    // The test's own journal, in mounts of its own.
    let script = format!(
        "mount -t tmpfs none /run && mkdir -p /run/systemd/journal && mount --bind {} /run/systemd/journal && {run}",
        journal.display()
    );
    let done = sandbox.run("unshare", &["-m", "sh", "-c", &script]);
    assert_eq!((done.code, done.out.as_str()), (0, "hello\n"), "{}", done.err);
    let mut datagrams = Vec::new();
    for _ in 0..2 {
        let mut buffer = [0u8; 4096];
        let length = socket.recv(&mut buffer).expect("a line");
        datagrams.push(String::from_utf8_lossy(&buffer[..length]).into_owned());
    }
    datagrams.sort_by_key(|d| d.contains("oops"));
    for (text, priority, datagram) in [("hello", "6", &datagrams[0]), ("oops", "3", &datagrams[1])] {
        for field in [
            format!("MESSAGE={text}\n"),
            format!("PRIORITY={priority}\n"),
            "CONTAINER_TAG=mark\n".into(),
            "CONTAINER_NAME=j\n".into(),
            "IMAGE_NAME=box\n".into(),
        ] {
            assert!(datagram.contains(&field), "{field} is not in {datagram}");
        }
    }
    sandbox.assert_clean();
}

#[test]
fn who_reaches_the_limit_of_memory_is_known() {
    let sandbox = sandbox();
    let script = "x=x; while true; do x=$x$x; done";
    run(&sandbox, &["--name", "o", "-m", "16M"], script);
    assert_eq!(sandbox.coracle(&["wait", "o"]).ok(), "137\n");
    assert_eq!(sandbox.inspect("o")["oom_killed"], true);
    let events = sandbox.coracle(&["events", "--since", "5m", "--until", "0s", "-f", "event=oom"]).ok();
    assert!(events.lines().count() >= 1, "{events}");
    sandbox.coracle(&["rm", "o"]).ok();
    sandbox.assert_clean();
}

#[test]
fn limits_change_while_it_runs() {
    let sandbox = sandbox();
    run(&sandbox, &["--name", "u", "-m", "64M"], FOREVER);
    sandbox.coracle(&["update", "-m", "128M", "--pids-limit", "50", "--cpus", "0.5", "u"]).ok();
    let resources = sandbox.inspect("u")["plan"]["resources"].clone();
    assert_eq!((&resources["memory"], &resources["pids"]), (&(128 << 20).into(), &50.into()), "{resources}");
    let script = "i=0; while test $i -lt 100; do busybox sleep 5 & i=$((i+1)); done";
    let many = sandbox.coracle(&["exec", "u", "sh", "-c", script]);
    assert!(many.code != 0 || many.err.contains("fork"), "the limit of processes is in force: {many:?}");
    assert!(sandbox.coracle(&["update", "-m", "1M", "u"]).fails(1).contains("too small"));
    assert!(sandbox.coracle(&["update", "--memory-swap", "1M", "u"]).fails(1).contains("memory-swap"));
    sandbox.coracle(&["rm", "-f", "u"]).ok();
    sandbox.assert_clean();
}

/// Runs `coracle` with a terminal, and types.
fn in_terminal(sandbox: &Sandbox, keys: &str, args: &str) -> cli_tests::Done {
    let binary = cli_tests::binary().display().to_string();
    let script = format!("(sleep 1; printf '{keys}'; sleep 2) | script -qec '{binary} {args}' /dev/null");
    sandbox.run("sh", &["-c", &script])
}

#[test]
fn terminals_have_names_and_can_be_left() {
    if !cli_tests::which("script") {
        eprintln!("SKIP: no script(1) to make terminals");
        return;
    }
    let sandbox = sandbox();
    let tty = in_terminal(&sandbox, "", "run --rm -it box busybox tty");
    assert!(tty.out.contains("/dev/pts/0"), "{tty:?}");
    run(&sandbox, &["--name", "c"], FOREVER);
    let tty = in_terminal(&sandbox, "", "exec -it c busybox tty");
    assert!(tty.out.contains("/dev/pts/"), "{tty:?}");
    // Left with ctrl-p ctrl-q, the programs go on.
    in_terminal(&sandbox, r"\020\021", "run -it --name t box sh").ok();
    assert_eq!(sandbox.inspect("t")["status"], "running");
    assert_eq!(in_terminal(&sandbox, r"exit 5\r", "attach t").code, 5);
    in_terminal(&sandbox, r"\020\021", "exec -it c busybox sleep 77").ok();
    let top = sandbox.coracle(&["top", "c", "-o", "pid,args"]).ok();
    assert!(top.contains("sleep 77"), "{top}");
    in_terminal(&sandbox, "xy", "exec -it --detach-keys x,y c busybox sleep 78").ok();
    assert!(sandbox.coracle(&["top", "c", "-o", "pid,args"]).ok().contains("sleep 78"));
    sandbox.coracle(&["rm", "-f", "c", "t"]).ok();
    sandbox.assert_clean();
}

#[test]
fn further_programs_have_their_own_settings() {
    let sandbox = sandbox();
    run(&sandbox, &["--name", "c", "-e", "A=1"], FOREVER);
    let exec = |args: &[&str]| sandbox.coracle(&[&["exec"], args].concat());
    assert_eq!(exec(&["-e", "A=2", "-w", "/tmp", "c", "sh", "-c", "echo $A; busybox pwd"]).ok(), "2\n/tmp\n");
    assert_eq!(exec(&["-u", "7:8", "c", "busybox", "id", "-u"]).ok(), "7\n");
    let capabilities = |flags: &[&str]| {
        let text = exec(&[flags, &["c", "busybox", "grep", "CapEff", "/proc/self/status"]].concat()).ok();
        u64::from_str_radix(text.trim().trim_start_matches("CapEff:").trim(), 16).expect("hexadecimal")
    };
    let sys_admin = 1 << 21;
    assert_eq!(capabilities(&[]) & sys_admin, 0);
    assert_eq!(capabilities(&["--privileged"]) & sys_admin, sys_admin);
    exec(&["-d", "c", "sh", "-c", "echo done > /d"]).ok();
    eventually("it was run in the background", 10, || exec(&["c", "busybox", "cat", "/d"]).out == "done\n");
    assert_eq!(exec(&["c", "sh", "-c", "exit 9"]).code, 9);
    exec(&["c", "nonesuch"]).fails(127);
    sandbox.coracle(&["rm", "-f", "c"]).ok();
    sandbox.assert_clean();
}
