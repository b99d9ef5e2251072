//! Helpers of the integration tests. They need root, `erofs-utils`, `skopeo`, `umoci`, `zstd` and `python3`.
#![allow(dead_code, reason = "each test program uses some of them")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use image::{Digest, Progress, Store};
use serde_json::{Value, json};

/// A listener for progress that does not care.
pub(crate) fn silent() -> impl FnMut(Progress) {
    |_| {}
}

/// Runs a program and returns its output; it must succeed.
pub(crate) fn run(program: &str, args: &[&str]) -> String {
    text(program, Command::new(program).args(args).output().unwrap())
}

/// Runs a shell script with arguments from `$1` on.
pub(crate) fn shell(script: &str, args: &[&Path]) -> String {
    text(script, Command::new("sh").args(["-euc", script, "sh"]).args(args).output().unwrap())
}

fn text(program: &str, output: Output) -> String {
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{program}: {} {error}", output.status);
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Runs a shell script with an image mounted by the kernel at `$1`, in a mount namespace of its own that ends with it.
pub(crate) fn with_image(erofs: &Path, script: &str, args: &[&Path]) -> String {
    let dir = tempfile::tempdir().unwrap();
    let script = format!("mount -t erofs -o ro \"$0\" \"$1\"; {script}");
    let mut command = Command::new("unshare");
    command.args(["-m", "sh", "-euc", &script]).arg(erofs).arg(dir.path()).args(args);
    text(&script, command.output().unwrap())
}

/// An empty store in a directory of its own.
pub(crate) fn new_store() -> (tempfile::TempDir, Store) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&dir.path().join("store")).unwrap();
    (dir, store)
}

/// Everything under the store's directory, to see that nothing was left behind.
pub(crate) fn files_of(store: &Store) -> Vec<PathBuf> {
    let listing = shell("find \"$1\" -mindepth 1 ! -name lock ! -name index.json | sort", &[store.dir()]);
    listing.lines().map(PathBuf::from).collect()
}

/// Something to put into a layer.
pub(crate) enum File<'a> {
    Data(&'a str, &'a [u8]),
    Dir(&'a str),
    Symlink(&'a str, &'a str),
    HardLink(&'a str, &'a str),
}

/// A layer of these entries, in this order. Names are written as they are, however hostile.
pub(crate) fn layer(files: &[File<'_>]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for file in files {
        let (path, kind, data, link) = match file {
            File::Data(path, data) => (*path, tar::EntryType::Regular, *data, None),
            File::Dir(path) => (*path, tar::EntryType::Directory, &b""[..], None),
            File::Symlink(path, link) => (*path, tar::EntryType::Symlink, &b""[..], Some(*link)),
            File::HardLink(path, link) => (*path, tar::EntryType::Link, &b""[..], Some(*link)),
        };
        let mut header = tar::Header::new_ustar();
        // set_path() refuses hostile names.
        header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
        link.iter().for_each(|link| header.set_link_name_literal(link).unwrap());
        header.set_entry_type(kind);
        header.set_size(data.len() as u64);
        header.set_mode(if kind == tar::EntryType::Directory { 0o755 } else { 0o644 });
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(1);
        header.set_cksum();
        builder.append(&header, data).unwrap();
    }
    builder.into_inner().unwrap()
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut encoder, bytes).unwrap();
    encoder.finish().unwrap()
}

pub(crate) fn zstd(bytes: &[u8]) -> Vec<u8> {
    ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Fastest)
}

pub(crate) const TAR: &str = "application/vnd.oci.image.layer.v1.tar";
pub(crate) const TAR_GZIP: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
pub(crate) const TAR_ZSTD: &str = "application/vnd.oci.image.layer.v1.tar+zstd";

/// An OCI layout being written by hand.
#[derive(Default)]
pub(crate) struct Layout {
    pub(crate) files: Vec<(String, Vec<u8>)>,
    pub(crate) index: Vec<Value>,
}

impl Layout {
    pub(crate) fn blob(&mut self, media_type: &str, bytes: &[u8]) -> Value {
        let digest = Digest::of(bytes);
        self.files.push((format!("blobs/sha256/{}", digest.hex()), bytes.to_vec()));
        json!({ "mediaType": media_type, "digest": digest, "size": bytes.len() })
    }

    /// Adds an image of layers (media type, stored bytes, unpacked bytes) and returns its descriptor.
    pub(crate) fn image(&mut self, architecture: &str, layers: &[(&str, Vec<u8>, Vec<u8>)]) -> Value {
        let diff_ids: Vec<Digest> = layers.iter().map(|(_, _, unpacked)| Digest::of(unpacked)).collect();
        let config = json!({ "architecture": architecture, "os": "linux", "config": { "Cmd": ["/x"] },
            "rootfs": { "type": "layers", "diff_ids": diff_ids } });
        let config = self.blob("application/vnd.oci.image.config.v1+json", config.to_string().as_bytes());
        let layers: Vec<Value> = layers.iter().map(|(media_type, stored, _)| self.blob(media_type, stored)).collect();
        let manifest = json!({ "schemaVersion": 2, "config": config, "layers": layers });
        self.blob("application/vnd.oci.image.manifest.v1+json", manifest.to_string().as_bytes())
    }

    pub(crate) fn name(&mut self, mut descriptor: Value, name: &str) {
        descriptor["annotations"] = json!({ "org.opencontainers.image.ref.name": name });
        self.index.push(descriptor);
    }

    /// The layout as an archive.
    pub(crate) fn archive(&self) -> Vec<u8> {
        let index = json!({ "schemaVersion": 2, "manifests": self.index }).to_string();
        let mut files = vec![File::Data("oci-layout", b"{\"imageLayoutVersion\":\"1.0.0\"}")];
        files.push(File::Data("index.json", index.as_bytes()));
        files.extend(self.files.iter().map(|(name, bytes)| File::Data(name, bytes)));
        layer(&files)
    }
}

/// An archive with one image, `test:latest`, of plain layers.
pub(crate) fn archive_of(layers: &[Vec<u8>]) -> Vec<u8> {
    let mut layout = Layout::default();
    let layers: Vec<_> = layers.iter().map(|layer| (TAR, layer.clone(), layer.clone())).collect();
    let image = layout.image("amd64", &layers);
    layout.name(image, "test");
    layout.archive()
}
