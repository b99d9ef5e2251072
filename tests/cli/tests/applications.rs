//! Unmodified Debian programs as unikernels: what they print is compared with the same run as a process of the host.

use cli_tests::Sandbox;

/// Runs natively and as a unikernel, and compares output and exit status.
fn same_as_native(sandbox: &Sandbox, image: &str, command: &[&str]) {
    let native = sandbox.run(command[0], &command[1..]);
    let run = ["run", "--rm", "--as", "unikernel", "--network", "none", "-m", "512M", image];
    let ours = sandbox.coracle(&[&run[..], command].concat());
    assert_eq!((ours.code, ours.out.as_str()), (native.code, native.out.as_str()), "{command:?}: {}", ours.err);
}

#[test]
fn busybox_applets() {
    let sandbox = Sandbox::with_busybox();
    for command in [
        &["busybox", "echo", "-e", "a\\tb"][..],
        &["busybox", "cat", "/proc/sys/kernel/ostype"],
        &["busybox", "sha256sum", "/bin/busybox"],
        &["busybox", "wc", "/bin/busybox"],
        &["busybox", "expr", "6", "*", "7"],
        &["busybox", "seq", "1", "2000"],
        &["busybox", "dd", "if=/dev/zero", "bs=1k", "count=3", "status=none"],
        &["busybox", "strings", "-n", "40", "/bin/busybox"],
        &["busybox", "sh", "-c", "for i in 1 2 3; do echo $((i*i)); done; exit 5"],
        &["busybox", "awk", "BEGIN { for (i = 0; i < 1000; i++) s += sin(i); printf \"%.9f\\n\", s }"],
        &["busybox", "test", "-d", "/nonexistent"],
        &["busybox", "false"],
    ] {
        same_as_native(&sandbox, "busybox", command);
    }
    sandbox.assert_clean();
}

#[test]
fn sqlite() {
    let sandbox = Sandbox::new();
    sandbox.coracle(&["image", "pack", "--name", "sqlite", "/usr/bin/sqlite3"]).ok();
    let sql = "create table t(a integer primary key, b text);
        with recursive n(i) as (select 1 union all select i + 1 from n where i < 20000) insert into t select i, hex(i * i) from n;
        create index tb on t(b); select count(*), sum(a), max(b) from t where b > '5';
        begin; delete from t where a % 3 = 0; rollback; select count(*) from t; pragma integrity_check;";
    same_as_native(&sandbox, "sqlite", &["sqlite3", ":memory:", sql]);
    same_as_native(&sandbox, "sqlite", &["sqlite3", "/tmp/coracle-test-nonexistent-dir/db", "select 1"]);
    // A database on a volume, written by one instance and read by the next and by the host.
    let dir = sandbox.root().join("db");
    std::fs::create_dir(&dir).unwrap();
    let volume = format!("{}:/data", dir.display());
    let run = |sql: &str| {
        let args = ["run", "--rm", "--as", "unikernel", "--network", "none", "-v", &volume, "sqlite"];
        sandbox.coracle(&[&args[..], &["sqlite3", "/data/test.db", sql]].concat()).ok()
    };
    run("create table t(a); insert into t values (41), (1);");
    assert_eq!(run("select sum(a) from t"), "42\n");
    let file = dir.join("test.db").display().to_string();
    assert_eq!(sandbox.run("sqlite3", &[&file, "select count(*) from t; pragma integrity_check"]).ok(), "2\nok\n");
    sandbox.assert_clean();
}

#[test]
fn python() {
    let sandbox = Sandbox::new();
    let python = "/usr/bin/python3.11";
    if !std::path::Path::new(python).exists() {
        eprintln!("SKIP: python: no {python}");
        return;
    }
    let library = "/usr/lib/python3.11:/usr/lib/python3.11";
    sandbox.coracle(&["image", "pack", "--name", "python", "--add", library, python]).ok();
    for script in [
        "print(sum(i * i for i in range(100000)))",
        "import sys; print(sys.version_info[:2], sys.argv); sys.exit(9)",
        "import json, hashlib, re, struct, decimal; print(json.dumps({'a': [1, 2.5, None]}), hashlib.sha256(b'x').hexdigest(), decimal.Decimal(2).sqrt())",
        // Threads: a queue, a lock, an event.
        "import threading, queue
q = queue.Queue(); results = []; lock = threading.Lock()
def work():
    while True:
        item = q.get()
        if item is None: return
        with lock: results.append(item * 2)
threads = [threading.Thread(target=work) for _ in range(8)]
[t.start() for t in threads]
[q.put(i) for i in range(1000)]
[q.put(None) for _ in threads]
[t.join() for t in threads]
print(len(results), sum(results))",
        // Sockets over the loopback, with selectors.
        "import asyncio
async def main():
    async def echo(reader, writer):
        writer.write((await reader.readline()).upper()); await writer.drain(); writer.close()
    server = await asyncio.start_server(echo, '127.0.0.1', 8123)
    async def ask(i):
        r, w = await asyncio.open_connection('127.0.0.1', 8123)
        w.write(b'hello %d\\n' % i); return (await r.readline()).decode().strip()
    print(sorted(await asyncio.gather(*(ask(i) for i in range(50)))))
asyncio.run(main())",
        // Signals and timers.
        "import signal, time
seen = []
signal.signal(signal.SIGALRM, lambda n, f: seen.append(n))
signal.setitimer(signal.ITIMER_REAL, 0.05); time.sleep(0.2); print(seen)",
        // Files.
        "import os, tempfile, pathlib
with tempfile.TemporaryDirectory() as d:
    p = pathlib.Path(d); (p / 'a').write_text('x' * 100000); os.symlink('a', p / 'l'); os.rename(p / 'a', p / 'b')
    print(sorted(os.listdir(d)), (p / 'b').stat().st_size, os.path.exists(p / 'l'))",
        "raise SystemExit('a message')",
        "import ctypes; ctypes.string_at(0)",
    ] {
        let native = sandbox.run(python, &["-c", script]);
        let run =
            ["run", "--rm", "--as", "unikernel", "--network", "none", "-m", "512M", "python", python, "-c", script];
        let ours = sandbox.coracle(&run);
        assert_eq!((ours.code, ours.out.as_str()), (native.code, native.out.as_str()), "{script}:\n{}", ours.err);
    }
    sandbox.assert_clean();
}

#[test]
fn a_call_that_needs_a_second_process_is_refused_and_named() {
    let sandbox = Sandbox::with_busybox();
    let args =
        ["run", "--rm", "--as", "unikernel", "--network", "none", "busybox", "busybox", "sh", "-c", "ls / | wc -l"];
    let done = sandbox.coracle(&args);
    assert_ne!(done.code, 0);
    assert!(
        done.err.contains("container") || done.err.contains("microvm"),
        "names a level that would run it: {}",
        done.err
    );
}

#[test]
fn the_trace_shows_calls_as_strace_does() {
    let sandbox = Sandbox::with_busybox();
    let args = ["run", "--rm", "--as", "unikernel", "--network", "none", "--trace", "syscalls", "busybox", "busybox"];
    let done = sandbox.coracle(&[&args[..], &["cat", "/etc/passwd"]].concat());
    assert_eq!(done.code, 0);
    assert!(done.out.contains("root:x:0:0"));
    for call in ["openat(-100, \"/etc/passwd\"", "sendfile(1, 3", "exit_group(0"] {
        assert!(done.err.contains(call), "{call}: {}", done.err);
    }
}
