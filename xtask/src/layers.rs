//! Which crate may depend on which: `layers.toml` against `cargo metadata`.

use std::collections::{BTreeMap, BTreeSet};

use crate::{Failure, metadata};

type Layers = BTreeMap<String, BTreeSet<String>>;

/// Compares the allowed dependencies with the real ones. Test-only dependencies are free.
pub(crate) fn check() -> Result<(), Failure> {
    let text = std::fs::read_to_string("layers.toml").map_err(|e| format!("layers.toml: {e}"))?;
    let found = compare(&allowed(&text)?, &real(&metadata()?));
    if found.is_empty() { Ok(()) } else { Err(found.join("\n")) }
}

fn allowed(text: &str) -> Result<Layers, Failure> {
    let table: BTreeMap<String, Layers> = toml::from_str(text).map_err(|e| e.to_string())?;
    table.into_values().next().ok_or_else(|| "layers.toml has no [layers]".to_owned())
}

fn real(metadata: &serde_json::Value) -> Layers {
    let packages = metadata["packages"].as_array().into_iter().flatten();
    let own: Vec<_> = packages.filter(|package| package["source"].is_null()).collect();
    let name = |package: &serde_json::Value| package["name"].as_str().unwrap_or_default().to_owned();
    let names: BTreeSet<String> = own.iter().map(|package| name(package)).collect();
    let dependencies = |package: &serde_json::Value| {
        let all = package["dependencies"].as_array().into_iter().flatten();
        all.filter(|d| d["kind"] != "dev").map(name).filter(|n| names.contains(n)).collect()
    };
    own.iter().map(|package| (name(package), dependencies(package))).collect()
}

fn compare(allowed: &Layers, real: &Layers) -> Vec<String> {
    let mut found = Vec::new();
    for (name, dependencies) in real {
        match allowed.get(name) {
            None => found.push(format!("{name} is not in layers.toml")),
            Some(permitted) => found.extend(
                dependencies.difference(permitted).map(|d| format!("{name} may not depend on {d} (layers.toml)")),
            ),
        }
    }
    found.extend(
        allowed.keys().filter(|n| !real.contains_key(*n)).map(|n| format!("layers.toml names {n}, which is no crate")),
    );
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_allowed_is_found() {
        let layers = |pairs: &[(&str, &[&str])]| -> Layers {
            pairs.iter().map(|(n, d)| ((*n).to_owned(), d.iter().map(|d| (*d).to_owned()).collect())).collect()
        };
        let permitted = layers(&[("a", &["b"]), ("b", &[])]);
        assert!(compare(&permitted, &layers(&[("a", &["b"]), ("b", &[])])).is_empty());
        assert_eq!(compare(&permitted, &layers(&[("a", &[]), ("b", &["a"])])).len(), 1);
        assert_eq!(compare(&permitted, &layers(&[("a", &[]), ("b", &[]), ("c", &[])])).len(), 1);
        assert_eq!(compare(&permitted, &layers(&[("a", &[])])).len(), 1);
    }
}
