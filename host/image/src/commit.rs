//! A new image: one that exists, a further layer, and changes of its configuration.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};

use serde_json::{Map, Value, json};

use crate::digest::Hashing;
use crate::file::{At, FileError};
use crate::oci::LAYER;
use crate::progress::Meter;
use crate::store::{LayerBlob, NewImage, StagedBlob, Staging};
use crate::{Compression, Digest, Image, Limits, OnProgress, Phase, Reference, Store, StoreError};

/// What the new image is to be.
#[derive(Debug, Clone)]
pub struct Commit<'a> {
    /// The image below.
    pub base: &'a Image,
    /// The new image's name.
    pub name: Reference,
    /// Changes of the configuration, in order.
    pub changes: Vec<Change>,
    /// What made it, for its history.
    pub created_by: String,
    /// Who made it.
    pub author: Option<String>,
    /// Why.
    pub message: Option<String>,
    /// When, RFC 3339.
    pub created: String,
}

/// One change of an image's configuration (OCI image-spec, config.md).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Replaces `Cmd`.
    Cmd(Vec<String>),
    /// Replaces `Entrypoint`.
    Entrypoint(Vec<String>),
    /// Sets a variable of `Env`.
    Env(String, String),
    /// Adds to `ExposedPorts`.
    Expose(String),
    /// Sets one of `Labels`.
    Label(String, String),
    /// Replaces `User`.
    User(String),
    /// Adds to `Volumes`.
    Volume(String),
    /// Replaces `WorkingDir`.
    WorkingDir(String),
    /// Replaces `StopSignal`.
    StopSignal(String),
}

/// Why no image was made.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// A file of the host failed.
    #[error(transparent)]
    File(#[from] FileError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The layer could not be read.
    #[error("reading the layer")]
    Layer(#[source] io::Error),
    /// The image below has a configuration that is no JSON object.
    #[error("the configuration of the image below is damaged; `coracle system check` looks at the store")]
    Config,
}

/// Makes the image; `layer` writes its uncompressed tar stream.
pub fn commit(
    store: &Store,
    commit: &Commit<'_>,
    layer: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    on_progress: OnProgress<'_>,
) -> Result<Image, CommitError> {
    let mut meter = Meter::new(on_progress, Phase::Packing);
    let staging = Staging::new(store)?;
    let path = staging.new_path();
    let file = File::create_new(&path).at("create", &path)?;
    let mut out = Hashing::new(BufWriter::with_capacity(256 << 10, file));
    layer(&mut out).map_err(CommitError::Layer)?;
    let (mut out, digest, size) = out.finish();
    out.flush().at("write", &path)?;
    let config = config(store, commit, digest)?;
    let mut layers = Vec::new();
    for below in &commit.base.layers {
        // A further name of the same file: nothing is copied.
        let (from, to) = (store.blob_file(below.digest), staging.new_path());
        fs::hard_link(&from, &to).at("link", &from)?;
        let blob = StagedBlob { path: to, digest: below.digest, size: below.size };
        layers.push(LayerBlob { blob, media_type: below.media_type.clone(), labelled: None });
    }
    let blob = StagedBlob { path, digest, size };
    layers.push(LayerBlob { blob, media_type: LAYER.to_owned(), labelled: Some(Compression::None) });
    let image = NewImage { manifest: None, config, layers, names: vec![commit.name.clone()] };
    // The layer is this host's own, however large it is.
    let limits = Limits { unpacked_bytes: u64::MAX, entries: u64::MAX, ..Limits::default() };
    let made = store.add(&staging, vec![image], &limits, &mut meter)?.pop();
    made.ok_or(CommitError::Config)
}

/// The configuration below with the changes; fields that nothing here knows stay.
fn config(store: &Store, commit: &Commit<'_>, diff_id: Digest) -> Result<Vec<u8>, CommitError> {
    let path = store.blob_file(commit.base.config_digest);
    let bytes = fs::read(&path).at("read", &path)?;
    let mut config: Value = serde_json::from_slice(&bytes).map_err(|_| CommitError::Config)?;
    let root = config.as_object_mut().ok_or(CommitError::Config)?;
    root.insert("created".to_owned(), json!(commit.created));
    if let Some(author) = &commit.author {
        root.insert("author".to_owned(), json!(author));
    }
    let rootfs = object(root, "rootfs")?;
    list(rootfs, "diff_ids")?.push(json!(diff_id));
    let mut history = json!({"created": commit.created, "created_by": commit.created_by});
    if let Some(author) = &commit.author {
        history["author"] = json!(author);
    }
    if let Some(message) = &commit.message {
        history["comment"] = json!(message);
    }
    list(root, "history")?.push(history);
    let execution = object(root, "config")?;
    for change in &commit.changes {
        apply(execution, change)?;
    }
    serde_json::to_vec(&config).map_err(|_| CommitError::Config)
}

type Object = Map<String, Value>;

/// A field that is an object; null and missing are empty.
fn object<'a>(parent: &'a mut Object, name: &str) -> Result<&'a mut Object, CommitError> {
    let value = parent.entry(name).or_insert(Value::Null);
    if value.is_null() {
        *value = json!({});
    }
    value.as_object_mut().ok_or(CommitError::Config)
}

/// A field that is a list; null and missing are empty.
fn list<'a>(parent: &'a mut Object, name: &str) -> Result<&'a mut Vec<Value>, CommitError> {
    let value = parent.entry(name).or_insert(Value::Null);
    if value.is_null() {
        *value = json!([]);
    }
    value.as_array_mut().ok_or(CommitError::Config)
}

fn apply(config: &mut Object, change: &Change) -> Result<(), CommitError> {
    let mut set = |name: &str, value: Value| {
        config.insert(name.to_owned(), value);
    };
    match change {
        Change::Cmd(args) => set("Cmd", json!(args)),
        Change::Entrypoint(args) => set("Entrypoint", json!(args)),
        Change::User(user) => set("User", json!(user)),
        Change::WorkingDir(dir) => set("WorkingDir", json!(dir)),
        Change::StopSignal(signal) => set("StopSignal", json!(signal)),
        Change::Env(name, value) => {
            let env = list(config, "Env")?;
            env.retain(|old| old.as_str().and_then(|old| old.split('=').next()) != Some(name));
            env.push(json!(format!("{name}={value}")));
        }
        Change::Expose(port) => drop(object(config, "ExposedPorts")?.insert(port.clone(), json!({}))),
        Change::Volume(path) => drop(object(config, "Volumes")?.insert(path.clone(), json!({}))),
        Change::Label(name, value) => drop(object(config, "Labels")?.insert(name.clone(), json!(value))),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_applied_to_what_is_there() {
        let mut config: Object =
            serde_json::from_value(json!({"Env": ["A=1", "B=2"], "Labels": null, "Odd": 1})).unwrap();
        for change in [
            Change::Env("A".into(), "3".into()),
            Change::Label("k".into(), "v".into()),
            Change::Expose("80/tcp".into()),
            Change::Cmd(vec!["x".into()]),
        ] {
            apply(&mut config, &change).unwrap();
        }
        let expected = json!({"Env": ["B=2", "A=3"], "Labels": {"k": "v"}, "ExposedPorts": {"80/tcp": {}}, "Cmd": ["x"],
            "Odd": 1});
        assert_eq!(Value::Object(config), expected);
        let mut bad: Object = serde_json::from_value(json!({"Env": 7})).unwrap();
        assert!(apply(&mut bad, &Change::Env("A".into(), String::new())).is_err());
    }
}
