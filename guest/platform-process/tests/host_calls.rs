//! The published list of host calls is the filter's own table. `UPDATE_DOCS=1` writes it anew.

use std::fmt::Write as _;
use std::path::Path;

use platform_process::filter::{Check, RULES, Rule, Test, Value, When};

const HEAD: &str = "# The host calls of the process machine

Made from `guest/platform-process/src/filter/table.rs`; a test keeps it so. A call that comes from the kernel's gate and is in no row
kills the process; a call from anywhere else is the program's and goes to the kernel. Numbers are of x86-64; an argument
without a condition is free. 4: image, 5: TAP, 6: status pipe.

| call | conditions | when | why |
|---|---|---|---|
";

fn value(value: Value) -> String {
    match value {
        Value::Const(u64::MAX) => "-1".into(),
        Value::Const(n) if n < 4096 => n.to_string(),
        Value::Const(n) => format!("{n:#x}"),
        Value::Process => "own process".into(),
        Value::Kick => "kick eventfd".into(),
        Value::StacksStart => "stacks".into(),
        Value::StacksEnd => "stacks end".into(),
    }
}

fn condition(Check(argument, test): &Check) -> String {
    match test {
        Test::Equals(v) => format!("a{argument} = {}", value(*v)),
        Test::Within(from, to) => format!("{} ≤ a{argument} < {}", value(*from), value(*to)),
        Test::Bits(mask) => format!("a{argument} only bits {mask:#x}"),
    }
}

fn row(rule: &Rule) -> String {
    let name = linux_abi::nr::name(rule.number).unwrap_or("?");
    let conditions: Vec<String> = rule.checks.iter().map(condition).collect();
    let when = match rule.when {
        When::Always => "always",
        When::Network => "network",
        When::Volumes => "volumes",
        When::NoFsgsbase => "no FSGSBASE",
    };
    format!("| `{name}` | {} | {when} | {} |", conditions.join("; "), rule.why)
}

#[test]
fn the_published_list_is_the_table() {
    let mut text = HEAD.to_owned();
    RULES.iter().for_each(|rule| writeln!(text, "{}", row(rule)).unwrap());
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/decisions/unikernel-host-calls.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let published = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(published == text, "{} is out of date: run this test with UPDATE_DOCS=1", path.display());
}
