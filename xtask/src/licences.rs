//! Licences and sources of every crate that is linked, against the list in `deny.toml`.

use std::collections::BTreeSet;
use std::process::Command;

use crate::{Failure, metadata};

/// Every crate's licence expression must be satisfied by the list, and every crate must come from the registry.
pub(crate) fn check() -> Result<(), Failure> {
    let text = std::fs::read_to_string("deny.toml").map_err(|e| format!("deny.toml: {e}"))?;
    let deny: toml::Value = toml::from_str(&text).map_err(|e| format!("deny.toml: {e}"))?;
    let list = deny["licenses"]["allow"].as_array().into_iter().flatten();
    let allow: BTreeSet<String> = list.filter_map(toml::Value::as_str).map(|l| l.replace(" WITH ", "-WITH-")).collect();
    let allow: BTreeSet<&str> = allow.iter().map(String::as_str).collect();
    let metadata = metadata()?;
    let mut found = Vec::new();
    for package in metadata["packages"].as_array().into_iter().flatten() {
        let name = package["name"].as_str().unwrap_or_default();
        let licence = package["license"].as_str().unwrap_or_default();
        if !satisfied(licence, &allow) {
            found.push(format!("{name}: licence '{licence}' is not in deny.toml's list"));
        }
        match package["source"].as_str() {
            Some(source) if !source.starts_with("registry+") => found.push(format!("{name}: comes from {source}")),
            _ => {}
        }
    }
    if found.is_empty() { cargo_deny() } else { Err(found.join("\n")) }
}

/// The real tool, where it is installed; what is above is the part of it that must hold on every machine.
fn cargo_deny() -> Result<(), Failure> {
    let run = |args: &[&str]| Command::new("cargo").arg("deny").args(args).output();
    if !run(&["--version"]).is_ok_and(|output| output.status.success()) {
        eprintln!("SKIP: cargo-deny is not installed (cargo install cargo-deny --locked)");
        return Ok(());
    }
    let output = run(&["--all-features", "check", "bans", "licenses", "sources"]).map_err(|e| e.to_string())?;
    if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).into_owned()) }
}

/// An SPDX expression of `OR`, `AND` and parentheses; `A/B` is the old way to write `OR`. `AND` binds tighter.
fn satisfied(expression: &str, allow: &BTreeSet<&str>) -> bool {
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ").replace(" WITH ", "-WITH-");
    let tokens: Vec<&str> = spaced.split_whitespace().collect();
    let mut at = 0;
    let result = any(&tokens, &mut at, allow);
    result && at == tokens.len()
}

fn any(tokens: &[&str], at: &mut usize, allow: &BTreeSet<&str>) -> bool {
    let mut result = all(tokens, at, allow);
    while tokens.get(*at) == Some(&"OR") {
        *at += 1;
        result |= all(tokens, at, allow);
    }
    result
}

fn all(tokens: &[&str], at: &mut usize, allow: &BTreeSet<&str>) -> bool {
    let mut result = one(tokens, at, allow);
    while tokens.get(*at) == Some(&"AND") {
        *at += 1;
        result &= one(tokens, at, allow);
    }
    result
}

fn one(tokens: &[&str], at: &mut usize, allow: &BTreeSet<&str>) -> bool {
    let Some(token) = tokens.get(*at) else { return false };
    *at += 1;
    if *token != "(" {
        return allow.contains(token);
    }
    let result = any(tokens, at, allow);
    *at += 1;
    result && tokens.get(*at - 1) == Some(&")")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions() {
        let allow = BTreeSet::from(["MIT", "Apache-2.0", "Unicode-3.0"]);
        for fine in ["MIT", "GPL-3.0 OR MIT", "MIT/Apache-2.0", "(MIT OR GPL-3.0) AND Unicode-3.0"] {
            assert!(satisfied(fine, &allow), "{fine}");
        }
        for bad in ["", "GPL-3.0", "MIT AND GPL-3.0", "(GPL-3.0 OR BSD) AND MIT", "MIT GPL", "(MIT"] {
            assert!(!satisfied(bad, &allow), "{bad}");
        }
    }
}
