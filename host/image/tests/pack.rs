//! Packs real programs of this host, and looks at the result with the kernel and with other tools.

mod common;

use std::path::Path;

use common::{run, silent, with_image};
use image::{PackError, PackRequest, Reference, Store, pack};

fn request(name: &str, program: &str) -> PackRequest {
    PackRequest::new(name.parse::<Reference>().unwrap(), program)
}

#[test]
fn redis_runs_from_its_image() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let packed = pack(&store, &request("redis", "/usr/bin/redis-server"), &mut silent()).unwrap();
    assert_eq!(packed.missing, []);
    assert_eq!(packed.image.config.cmd, ["/usr/bin/redis-server"]);
    run("fsck.erofs", &[packed.image.erofs.to_str().unwrap()]);
    let version = with_image(&packed.image.erofs, "chroot $1 /usr/bin/redis-server --version", &[]);
    assert!(version.starts_with("Redis server v="), "{version}");
    with_image(&packed.image.erofs, "test -L $1/lib; test -f $1/etc/ld.so.cache", &[]);
}

#[test]
fn a_static_program_and_additions() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&dir.path().join("store")).unwrap();
    let tree = dir.path().join("tree");
    std::fs::create_dir_all(tree.join("sub")).unwrap();
    std::fs::write(tree.join("sub/file"), "data").unwrap();
    std::os::unix::fs::symlink("sub/file", tree.join("link")).unwrap();
    std::fs::write(tree.join("script"), "#!/usr/bin/env sh\necho hello\n").unwrap();
    run("chmod", &["755", tree.join("script").to_str().unwrap()]);
    let mut request = request("busybox:1", "/bin/busybox");
    request.add = vec![format!("{}:/srv/tree", tree.display()).parse().unwrap()];
    request.add.push("/usr/bin/redis-cli".parse().unwrap());
    let packed = pack(&store, &request, &mut silent()).unwrap();
    let erofs = &packed.image.erofs;
    assert_eq!(with_image(erofs, "chroot $1 /bin/busybox cat /srv/tree/link", &[]), "data");
    assert_eq!(with_image(erofs, "chroot $1 /srv/tree/script", &[]), "hello\n");
    assert!(with_image(erofs, "chroot $1 /usr/bin/redis-cli --version", &[]).starts_with("redis-cli"));
    assert_eq!(with_image(erofs, "stat -c %a $1/tmp", &[]), "1777\n");
}

#[test]
fn the_same_input_gives_the_same_image() {
    let packed = |dir: &Path| {
        let store = Store::open(dir).unwrap();
        let image = pack(&store, &request("redis", "/usr/bin/redis-server"), &mut silent()).unwrap().image;
        (image.digest, std::fs::read(image.erofs).unwrap())
    };
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    assert!(packed(one.path()) == packed(two.path()));
}

#[test]
fn other_tools_read_the_store() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let image = pack(&store, &request("busybox", "/bin/busybox"), &mut silent()).unwrap().image;
    let inspected = run("skopeo", &["inspect", &format!("oci:{}:busybox:latest", dir.path().display())]);
    assert!(inspected.contains(&image.digest.to_string()), "{inspected}");
    run("umoci", &["stat", "--image", &format!("{}:busybox:latest", dir.path().display())]);
}

#[test]
fn what_cannot_be_packed_is_refused_and_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&dir.path().join("store")).unwrap();
    let script = dir.path().join("plain");
    std::fs::write(&script, "x").unwrap();
    let error = |program: &str| pack(&store, &request("x", program), &mut silent()).unwrap_err();
    assert!(matches!(error("/no/such/program"), PackError::NoProgram(_)));
    assert!(matches!(error("/usr/bin"), PackError::NotAFile(_)));
    assert!(matches!(error(script.to_str().unwrap()), PackError::NotExecutable(_)));
    let mut foreign = std::fs::read("/bin/busybox").unwrap();
    foreign[18] = 0xb7;
    let arm = dir.path().join("arm");
    std::fs::write(&arm, foreign).unwrap();
    run("chmod", &["755", arm.to_str().unwrap()]);
    assert!(matches!(error(arm.to_str().unwrap()), PackError::Elf { .. }));
    assert!(store.list().unwrap().is_empty());
    assert_eq!(store.check().unwrap(), []);
}
