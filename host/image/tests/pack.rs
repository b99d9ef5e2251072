//! Packs real programs of this host, and looks at the result with the kernel and with other tools.

mod common;

use std::path::Path;

use common::{run, shell, silent, with_image};
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
fn added_files_keep_their_times_up_to_the_epoch_of_the_source() {
    let (dir, store) = common::new_store();
    let (old, new) = (dir.path().join("old"), dir.path().join("new"));
    shell("touch -d @1000 $1; touch -d @5000 $2", &[&old, &new]);
    let mut request = request("busybox", "/bin/busybox");
    request.add =
        vec![format!("{}:/old", old.display()).parse().unwrap(), format!("{}:/new", new.display()).parse().unwrap()];
    request.source_date_epoch = Some(3000);
    let image = pack(&store, &request, &mut silent()).unwrap().image;
    assert_eq!(image.config.created.as_deref(), Some("1970-01-01T00:50:00Z"));
    assert_eq!(with_image(&image.erofs, "cd $1; stat -c %Y old new bin/busybox", &[]), "1000\n3000\n0\n");
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
    let orphan = dir.path().join("orphan");
    std::fs::write(&orphan, "#!/no/such/interpreter\n").unwrap();
    run("chmod", &["755", orphan.to_str().unwrap()]);
    assert!(matches!(error(orphan.to_str().unwrap()), PackError::Missing(_)));
    assert!(store.list().unwrap().is_empty());
    assert_eq!(store.check().unwrap(), []);
}

#[test]
fn libraries_beside_the_program_move_with_it() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&dir.path().join("store")).unwrap();
    shell(
        r#"mkdir -p $1/build/bin $1/build/lib/deep; cd $1/build
        echo 'int deep(void) { return 40; }' | cc -shared -fPIC -o lib/deep/libdeep.so.1 -Wl,-soname,libdeep.so.1 -x c -
        echo 'int deep(void); int near(void) { return deep() + 2; }' |
            cc -shared -fPIC -o lib/libnear.so -x c - -x none lib/deep/libdeep.so.1 -Wl,--enable-new-dtags,-rpath,'$ORIGIN/deep'
        echo 'int near(void); int main(void) { return near() != 42; }' |
            cc -o bin/program -x c - -Llib -lnear -Wl,-rpath-link,lib/deep -Wl,--disable-new-dtags,-rpath,'${ORIGIN}/../lib'
        printf x > lib/unrelated"#,
        &[dir.path()],
    );
    // As the program itself: everything at its own path.
    let program = dir.path().join("build/bin/program");
    let image = pack(&store, &request("own", program.to_str().unwrap()), &mut silent()).unwrap().image;
    // The loader asks /proc for $ORIGIN.
    let run = format!("mount -t proc proc $1/proc; chroot $1 {}", program.display());
    with_image(&image.erofs, &run, &[]);
    // Added elsewhere: its libraries are where $ORIGIN leads from there.
    let mut elsewhere = request("elsewhere", "/bin/busybox");
    elsewhere.add = vec![format!("{}:/app/bin/program", program.display()).parse().unwrap()];
    let packed = pack(&store, &elsewhere, &mut silent()).unwrap();
    assert_eq!(packed.missing, []);
    with_image(&packed.image.erofs, "mount -t proc proc $1/proc; chroot $1 /app/bin/program", &[]);
    with_image(&packed.image.erofs, "test -f $1/app/lib/deep/libdeep.so.1; test ! -e $1/app/lib/unrelated", &[]);
    // Without its library it is refused.
    std::fs::remove_file(dir.path().join("build/lib/deep/libdeep.so.1")).unwrap();
    let error = pack(&store, &request("own", program.to_str().unwrap()), &mut silent()).unwrap_err();
    assert!(matches!(&error, PackError::Missing(missing) if missing.name == "libdeep.so.1"), "{error}");
}

#[test]
fn python_with_its_library() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let mut python = request("python", "/usr/bin/python3");
    python.add = vec!["/usr/lib/python3.11".parse().unwrap()];
    let packed = pack(&store, &python, &mut silent()).unwrap();
    // Scripts for interpreters that this host lacks are told of, not fatal.
    assert!(packed.missing.iter().all(|missing| missing.needed_by.starts_with("/usr/lib/python3.11")));
    let script =
        "chroot $1 /usr/bin/python3 -c 'import json, zlib, ctypes, ssl; print(json.dumps([zlib.crc32(b\"x\")]))'";
    assert_eq!(with_image(&packed.image.erofs, script, &[]), "[2363233923]\n");
}
