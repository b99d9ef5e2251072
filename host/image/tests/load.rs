//! Loads archives of other tools and of our own making, honest ones first.

mod common;

use std::path::Path;

use common::*;
use image::erofs::Reader;
use image::{LoadError, LoadOptions, PackRequest, Store, load, load_directory, pack};
use serde_json::json;

fn load_bytes(store: &Store, bytes: &[u8]) -> Result<Vec<image::Image>, LoadError> {
    load(store, bytes, &LoadOptions::default(), &mut silent())
}

fn contents(image: &image::Image, path: &str) -> Option<String> {
    let reader = Reader::open(&image.erofs).unwrap();
    let inode = reader.lookup(path).ok()?;
    Some(String::from_utf8(reader.read_file(&inode, 1 << 20).unwrap()).unwrap())
}

#[test]
fn archives_of_skopeo_come_back_as_they_were() {
    let (dir, store) = new_store();
    let request = PackRequest::new("redis".parse().unwrap(), "/usr/bin/redis-server");
    let packed = pack(&store, &request, &mut silent()).unwrap().image;
    let original = std::fs::read(&packed.erofs).unwrap();
    let from = format!("oci:{}:redis:latest", store.dir().display());
    for (kind, file) in
        [("docker-archive", "docker.tar:redis:7"), ("oci-archive", "oci.tar:redis:7"), ("oci", "oci:redis:7")]
    {
        let path = dir.path().join(file.split(':').next().unwrap());
        run("skopeo", &["copy", "--insecure-policy", &from, &format!("{kind}:{}/{file}", dir.path().display())]);
        let other = Store::open(&dir.path().join(format!("store-{kind}"))).unwrap();
        let images = if path.is_dir() {
            load_directory(&other, &path, &LoadOptions::default(), &mut silent()).unwrap()
        } else {
            load(&other, std::fs::File::open(&path).unwrap(), &LoadOptions::default(), &mut silent()).unwrap()
        };
        assert_eq!(images.len(), 1);
        assert_eq!(images[0].reference.as_ref().unwrap().to_string(), "redis:7", "{kind}");
        assert_eq!(images[0].config, packed.config);
        assert!(std::fs::read(&images[0].erofs).unwrap() == original, "{kind}");
        assert_eq!(other.check().unwrap(), []);
    }
}

/// Lists everything that stat(2) and listxattr(2) know of a tree.
const LIST: &str = r#"python3 - "$1" <<'PY'
import hashlib, os, stat, sys
root = sys.argv[1].encode()
for dir, dirs, files in os.walk(root):
    for path in [dir] + [os.path.join(dir, f) for f in files] + [os.path.join(dir, d) for d in dirs if os.path.islink(os.path.join(dir, d))]:
        s = os.lstat(path)
        reg, lnk = stat.S_ISREG(s.st_mode), stat.S_ISLNK(s.st_mode)
        print(sorted([path[len(root):]]), oct(s.st_mode), s.st_uid, s.st_gid, s.st_nlink, s.st_mtime_ns, s.st_rdev,
              s.st_size if reg or lnk else 0, os.readlink(path) if lnk else b'',
              hashlib.sha256(open(path, 'rb').read()).hexdigest() if reg else '',
              [(x, os.getxattr(path, x, follow_symlinks=False)) for x in sorted(os.listxattr(path, follow_symlinks=False))])
PY"#;

#[test]
fn the_kernel_sees_the_tree_that_was_archived() {
    let (dir, store) = new_store();
    let tree = dir.path().join("tree");
    shell(
        r#"mkdir -p $1/many $1/d/e; cd $1
        head -c 10000 /dev/urandom > d/file; head -c 4096 /dev/zero > d/page; : > d/empty; printf x > d/one
        ln d/file d/hard; ln -s ../d/file d/soft; ln -s $(printf 'long/%.0s' $(seq 700)) long; ln -s / dirlink
        mknod null c 1 3; mknod disk b 259 70000; mkfifo -m 640 fifo
        cp /bin/true suid; chown 12:3000000 suid; chmod 6755 suid; chmod 1777 d/e
        touch -h -d @-5.25 d/soft d/one; touch -d @4000000000.123456789 d/empty
        seq -f 'many/some-longer-name-for-a-file-%g' 3000 | xargs touch
        touch 'many/-dash' 'many/!bang' "many/$(printf 'n%.0s' $(seq 255))" "many/$(printf '\377\001')"
        truncate -s 5M sparse; printf end >> sparse; printf mid | dd of=sparse bs=1 seek=1000000 conv=notrunc status=none
        python3 -c 'import os
os.setxattr("d/file", "user.a", b"\n\0=")
os.setxattr("d/file", "trusted.t", b"x" * 1000)
os.setxattr("suid", "security.capability", bytes.fromhex("0100000200040000000000000000000000000000"))
os.setxattr("d", "user.dir", b"")'
        find . -print0 | sort -zr | xargs -0 touch -h -d @1700000000.5 -c --no-create 2>/dev/null || true
        touch -h -d @-5.25 d/soft; touch -d @4000000000.123456789 d/empty"#,
        &[&tree],
    );
    let expected = sorted(&shell(LIST, &[&tree]));
    assert!(expected.len() > 3000);
    for flags in ["--format=posix", "--format=posix -S", "--format=posix -S --sparse-version=0.1"] {
        let tar = dir.path().join("layer.tar");
        shell(&format!("tar {flags} --numeric-owner --xattrs --xattrs-include='*' -C $1 -cf $2 ."), &[&tree, &tar]);
        let layer = std::fs::read(&tar).unwrap();
        let mut layout = Layout::default();
        let image = layout.image("amd64", &[(TAR, layer.clone(), layer)]);
        layout.name(image, "tree");
        let image = load_bytes(&store, &layout.archive()).unwrap().remove(0);
        run("fsck.erofs", &[image.erofs.to_str().unwrap()]);
        let seen = sorted(&with_image(&image.erofs, LIST, &[]));
        for (seen, expected) in seen.iter().zip(&expected) {
            assert_eq!(seen, expected, "{flags}");
        }
        assert_eq!(seen.len(), expected.len());
        readers_agree(&image, &tree);
    }
}

fn sorted(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    lines.sort();
    lines
}

/// Our own reader sees what the kernel sees.
fn readers_agree(image: &image::Image, tree: &Path) {
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::MetadataExt;
    let reader = Reader::open(&image.erofs).unwrap();
    let mut visited = 0;
    reader
        .walk(|path, inode| {
            visited += 1;
            let host = tree.join(std::ffi::OsStr::from_bytes(&path[1..]));
            let metadata = host.symlink_metadata().unwrap();
            assert_eq!(inode.st_mode(), metadata.mode(), "{}", host.display());
            assert_eq!((inode.uid, inode.gid, inode.mtime), (metadata.uid(), metadata.gid(), metadata.mtime()));
            if metadata.is_file() {
                let data = std::fs::read(&host).unwrap();
                assert!(reader.read_file(inode, 1 << 30)? == data);
                let offset = inode.data_offset.unwrap();
                assert_eq!(offset % 4096, 0);
                assert_eq!(reader.lookup_no_follow(path)?.nid, inode.nid);
            }
            Ok::<(), image::ErofsError>(())
        })
        .unwrap();
    assert!(visited > 3000);
    assert_eq!(reader.xattrs(&reader.lookup("/d/file").unwrap()).unwrap()[&b"user.a"[..]], b"\n\0=");
}

#[test]
fn layers_add_up() {
    let lower = layer(&[
        File::Dir("etc"),
        File::Data("etc/keep", b"1"),
        File::Data("etc/gone", b"1"),
        File::Data("opaque/old", b"1"),
        File::Data("replaced", b"1"),
        File::Data("dir-to-file/x", b"1"),
        File::Symlink("lib", "usr/lib"),
        File::Data("usr/lib/a", b"1"),
    ]);
    let upper = layer(&[
        File::Data("etc/.wh.gone", b""),
        File::Data("opaque/new", b"2"),
        File::Data("opaque/.wh..wh..opq", b""),
        File::Data("./replaced", b"2"),
        File::HardLink("linked", "replaced"),
        File::Data(".wh.dir-to-file", b""),
        File::Data("dir-to-file", b"2"),
        File::Data("lib/b", b"2"),
        File::Data("/absolute", b"2"),
    ]);
    let (_dir, store) = new_store();
    let mut layout = Layout::default();
    let image =
        layout.image("amd64", &[(TAR_GZIP, gzip(&lower), lower.clone()), (TAR_ZSTD, zstd(&upper), upper.clone())]);
    layout.name(image, "test");
    for archive in [layout.archive(), gzip(&layout.archive()), zstd(&layout.archive())] {
        let image = load_bytes(&store, &archive).unwrap().remove(0);
        for (path, expected) in [
            ("/etc/keep", Some("1")),
            ("/etc/gone", None),
            ("/etc/.wh.gone", None),
            ("/opaque/old", None),
            ("/opaque/new", Some("2")),
            ("/replaced", Some("2")),
            ("/linked", Some("2")),
            ("/dir-to-file", Some("2")),
            ("/usr/lib/a", Some("1")),
            ("/usr/lib/b", Some("2")),
            ("/lib/b", Some("2")),
            ("/absolute", Some("2")),
        ] {
            assert_eq!(contents(&image, path).as_deref(), expected, "{path}");
        }
        run("fsck.erofs", &[image.erofs.to_str().unwrap()]);
    }
}

#[test]
fn the_right_image_of_an_index_is_taken() {
    let (_dir, store) = new_store();
    let mut layout = Layout::default();
    let file = |text: &[u8]| layer(&[File::Data("f", text)]);
    let mut arm = layout.image("arm64", &[(TAR, file(b"arm"), file(b"arm"))]);
    arm["platform"] = json!({ "architecture": "arm64", "os": "linux" });
    let mut amd = layout.image("amd64", &[(TAR, file(b"amd"), file(b"amd"))]);
    amd["platform"] = json!({ "architecture": "amd64", "os": "linux" });
    let nested = json!({ "schemaVersion": 2, "manifests": [arm, amd] });
    let nested = layout.blob("application/vnd.oci.image.index.v1+json", nested.to_string().as_bytes());
    layout.name(nested, "docker.io/library/multi:1");
    let second = layout.image("amd64", &[(TAR, file(b"two"), file(b"two"))]);
    layout.name(second, "two");
    let images = load_bytes(&store, &layout.archive()).unwrap();
    assert_eq!(images.len(), 2);
    let multi = store.resolve(&"multi:1".parse().unwrap()).unwrap();
    assert_eq!(contents(&multi, "/f").as_deref(), Some("amd"));

    let mut layout = Layout::default();
    let arm = layout.image("arm64", &[(TAR, file(b"arm"), file(b"arm"))]);
    layout.name(arm, "arm");
    let error = load_bytes(&store, &layout.archive()).unwrap_err();
    assert!(matches!(&error, LoadError::NoPlatform { found } if found == &["linux/arm64"]), "{error}");
}

#[test]
fn names_of_the_user_come_first() {
    let (_dir, store) = new_store();
    let archive = archive_of(&[layer(&[File::Data("f", b"x")])]);
    let options = LoadOptions { name: Some("mine:2".parse().unwrap()), ..LoadOptions::default() };
    let images = load(&store, archive.as_slice(), &options, &mut silent()).unwrap();
    assert_eq!(images[0].reference.as_ref().unwrap().to_string(), "mine:2");
    assert!(store.resolve(&"test".parse().unwrap()).is_err());
}
