//! The programs of `tests/conformance`, static and dynamic: natively first, then at every level.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use cli_tests::{Sandbox, microvm_is_possible, project};

/// The programs, built: `NAME-static` and `NAME-dynamic` in one directory.
fn build(dir: &Path) -> Vec<String> {
    let sources = std::fs::read_dir(project().join("tests/conformance")).expect("the sources");
    let sources: BTreeSet<PathBuf> = sources.flatten().map(|e| e.path()).collect();
    let mut names = Vec::new();
    for source in sources.iter().filter(|path| path.extension().is_some_and(|e| e == "c")) {
        let stem = source.file_stem().expect("a name").to_string_lossy().into_owned();
        for (kind, flags) in [("static", &["-static"][..]), ("dynamic", &[])] {
            let name = format!("{stem}-{kind}");
            let mut gcc = Command::new("gcc");
            gcc.args(["-O2", "-Wall", "-pthread", "-o"]).arg(dir.join(&name)).arg(source).args(flags).arg("-lm");
            let done = gcc.output().expect("gcc is installed");
            assert!(done.status.success(), "{name}: {}", String::from_utf8_lossy(&done.stderr));
            names.push(name);
        }
    }
    assert!(names.len() > 10, "the conformance programs are gone");
    names
}

/// A sandbox with an image `conformance` that holds all programs in `/conformance`, and busybox.
fn sandbox(dir: &Path) -> Sandbox {
    let sandbox = Sandbox::new();
    let add = format!("{}:/conformance", dir.display());
    // glibc opens it by name when a thread is cancelled.
    let unwinder = "/lib/x86_64-linux-gnu/libgcc_s.so.1";
    let add_unwinder = format!("{unwinder}:{unwinder}");
    let pack = ["image", "pack", "--name", "conformance", "--add", &add, "--add", &add_unwinder, "/bin/busybox"];
    sandbox.coracle(&pack).ok();
    sandbox
}

/// Programs of volumes get the directory that is one.
fn wants_volume(name: &str) -> bool {
    name.starts_with("volumes-")
}

/// A new directory for an instance's volume.
fn volume(sandbox: &Sandbox) -> String {
    let dir = sandbox.root().join("volume");
    std::fs::create_dir_all(&dir).expect("a directory");
    format!("{}:/volume", dir.display())
}

/// Programs that are known to fail at a level, one a line; `#` begins a comment.
fn known_failures(level: &str) -> BTreeSet<String> {
    let path = project().join(format!("tests/known-failures/{level}.txt"));
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let lines = text.lines().map(|line| line.split('#').next().unwrap_or_default().trim());
    lines.filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

/// Compares with what is known, in both directions: a failure that is mended must leave the list.
fn judge(level: &str, results: &[(String, bool, String)]) {
    let known = known_failures(level);
    let mut wrong = Vec::new();
    for (name, passed, output) in results {
        match (*passed, known.contains(name)) {
            (true, true) => wrong.push(format!("{name} passes now: remove it from tests/known-failures/{level}.txt")),
            (false, false) => wrong.push(format!("{name} fails:\n{output}")),
            (false, true) => eprintln!("SKIP: {level}: {name} is a known failure"),
            (true, false) => {}
        }
    }
    let count = results.iter().filter(|r| r.1).count();
    eprintln!("{level}: {count} of {} conformance programs pass", results.len());
    assert!(wrong.is_empty(), "{level}:\n{}", wrong.join("\n"));
}

#[test]
fn natively() {
    let dir = tempfile::tempdir().expect("a directory");
    let sandbox = Sandbox::new();
    let run = |name: &String| {
        let volume = tempfile::tempdir().expect("a directory");
        let mut command = sandbox.command(&dir.path().join(name).display().to_string());
        command.args(wants_volume(name).then_some(volume.path()));
        let done = cli_tests::Done::from(command.output().expect("nsenter runs"));
        (name.clone(), done.code == 0, format!("{}{}", done.out, done.err))
    };
    let results: Vec<_> = build(dir.path()).iter().map(run).collect();
    judge("native", &results);
}

#[test]
fn in_unikernels() {
    let dir = tempfile::tempdir().expect("a directory");
    let names = build(dir.path());
    let sandbox = sandbox(dir.path());
    let volume = volume(&sandbox);
    let run = |name: &String| {
        let program = format!("/conformance/{name}");
        let mut command = sandbox.command("timeout");
        command.args(["-k", "10", "60"]).arg(cli_tests::binary());
        command.args(["run", "--rm", "--as", "unikernel", "-v", &volume, "conformance", &program]);
        command.args(wants_volume(name).then_some("/volume"));
        let done: cli_tests::Done = command.output().expect("timeout runs").into();
        (name.clone(), done.code == 0, format!("exit status {}\n{}{}", done.code, done.out, done.err))
    };
    let results: Vec<_> = names.iter().map(run).collect();
    judge("unikernel", &results);
}

/// One instance runs them all, so that a virtual machine boots once.
fn in_one_instance(level: &str) {
    let dir = tempfile::tempdir().expect("a directory");
    let names = build(dir.path());
    let sandbox = sandbox(dir.path());
    let script = "for p in /conformance/*; do a=; case $p in */volumes-*) a=/volume;; esac; \
        out=$(busybox timeout -s KILL 60 $p $a 2>&1); echo \"RESULT ${p##*/} $?\"; echo \"$out\"; done";
    let volume = volume(&sandbox);
    let run = ["run", "--rm", "--as", level, "-m", "512M", "-v", &volume];
    let out = sandbox.coracle(&[&run[..], &["conformance", "busybox", "sh", "-c", script]].concat()).out;
    let result = |name: &String| {
        let head = format!("RESULT {name} ");
        let rest = out.split(&head).nth(1).unwrap_or("no result");
        let text = rest.split("RESULT ").next().unwrap_or_default();
        (name.clone(), text.starts_with("0\n"), text.to_owned())
    };
    judge(level, &names.iter().map(result).collect::<Vec<_>>());
}

#[test]
fn in_containers() {
    in_one_instance("container");
}

#[test]
fn in_microvms() {
    if microvm_is_possible() {
        in_one_instance("microvm");
    }
}
