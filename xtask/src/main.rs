//! Chores of the project: `cargo xtask check` enforces what was decided, so that nobody has to remember it.

mod abi;
mod layers;
mod licences;

use std::process::{Command, ExitCode};

/// A check that did not pass, in one or more lines.
type Failure = String;

/// A check: its name, and what carries it out.
type Check = (&'static str, fn() -> Result<(), Failure>);

fn main() -> ExitCode {
    let task = std::env::args().nth(1).unwrap_or_default();
    let result = match task.as_str() {
        "check" => check(),
        "abi" => abi::write_page(),
        _ => Err("usage: cargo xtask check | abi".to_owned()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("xtask: {why}");
            ExitCode::FAILURE
        }
    }
}

/// Everything, also after a failure: one run shows all that is to be mended.
fn check() -> Result<(), Failure> {
    let checks: [Check; 7] = [
        ("format", || cargo(&["fmt", "--all", "--check"])),
        ("layers", layers::check),
        ("licences", licences::check),
        ("coverage page", abi::check_page),
        ("clippy (host)", clippy_host),
        ("clippy (guest)", clippy_guest),
        ("fuzz targets", fuzz_targets),
    ];
    let mut failed = Vec::new();
    for (name, run) in checks {
        eprintln!("check: {name}");
        if let Err(why) = run() {
            failed.push(format!("{name}: {why}"));
        }
    }
    if failed.is_empty() { Ok(()) } else { Err(failed.join("\n")) }
}

/// The lint `undocumented_unsafe_blocks` is in the workspace's list: a missing SAFETY comment fails here.
fn clippy_host() -> Result<(), Failure> {
    cargo(&["clippy", "--quiet", "--all-targets", "--", "-D", "warnings"])
}

fn clippy_guest() -> Result<(), Failure> {
    let packages = ["-p", "kernel", "-p", "platform-process", "-p", "unikernel-process"];
    let target = ["--target", "x86_64-unknown-none", "--", "-D", "warnings"];
    cargo(&[&["clippy", "--quiet"], &packages[..], &target[..]].concat())
}

/// They link against the libc of the host's compiler, so they have a target of their own.
fn fuzz_targets() -> Result<(), Failure> {
    let target = ["--target", "x86_64-unknown-linux-gnu", "--target-dir", "target/fuzz"];
    cargo(&[&["check", "--quiet", "--bins", "--manifest-path", "fuzz/Cargo.toml"], &target[..]].concat())
}

fn cargo(args: &[&str]) -> Result<(), Failure> {
    let status = Command::new("cargo").args(args).status().map_err(|e| format!("cannot run cargo: {e}"))?;
    if status.success() { Ok(()) } else { Err(format!("`cargo {}` failed", args.join(" "))) }
}

/// `cargo metadata`, parsed.
fn metadata() -> Result<serde_json::Value, Failure> {
    let output = Command::new("cargo").args(["metadata", "--format-version", "1", "--locked"]).output();
    let output = output.map_err(|e| format!("cannot run cargo: {e}"))?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    serde_json::from_slice(&output.stdout).map_err(|e| e.to_string())
}
