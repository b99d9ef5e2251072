//! The engine run by a user without root: a real one, with ids of its own, in private copies of `/etc/passwd`, `/etc/subuid` and
//! `/etc/subgid` that only its processes see.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::Command;

use cli_tests::{Done, Sandbox, eventually, which};
use tempfile::TempDir;

const UID: u32 = 51_234;

/// A user with a home, a network with a default route that leads nowhere, and a copy of the programs.
struct User {
    /// Its network and nothing else is used.
    sandbox: Sandbox,
    dir: TempDir,
}

impl User {
    /// `None`, with the reason, where it cannot be.
    fn new(subids: &str) -> Option<Self> {
        if !which("newuidmap") || !which("setpriv") {
            eprintln!("SKIP: newuidmap (package uidmap) or setpriv is missing");
            return None;
        }
        let (sandbox, dir) = (Sandbox::new(), TempDir::with_prefix("coracle-user-").unwrap());
        let path = |name: &str| dir.path().join(name);
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
        for name in ["home", "run"] {
            fs::create_dir(path(name)).unwrap();
            chown(path(name), Some(UID), Some(UID)).unwrap();
            fs::set_permissions(path(name), fs::Permissions::from_mode(0o700)).unwrap();
        }
        let passwd = fs::read_to_string("/etc/passwd").unwrap();
        let home = path("home");
        fs::write(path("passwd"), format!("{passwd}coracle-test:x:{UID}:{UID}::{}:/bin/sh\n", home.display())).unwrap();
        fs::write(path("subuid"), subids).unwrap();
        fs::write(path("subgid"), subids).unwrap();
        fs::copy(cli_tests::binary(), path("coracle")).unwrap();
        if let Some(init) = libexec().map(|dir| dir.join("coracle-init")).filter(|init| init.exists()) {
            fs::copy(init, path("coracle-init")).unwrap();
        }
        // Udev gives /dev/net/tun to everybody; a machine without it may not.
        let tun = path("tun").display().to_string();
        sandbox.run("mknod", &["-m", "666", &tun, "c", "10", "200"]).ok();
        for words in [
            "link add up0 type veth peer name up1",
            "address add 192.0.2.2/24 dev up0",
            "link set up0 up",
            "link set up1 up",
            "route add default via 192.0.2.1",
        ] {
            sandbox.run("ip", &words.split(' ').collect::<Vec<_>>()).ok();
        }
        Some(Self { sandbox, dir })
    }

    /// Another user's program in its surroundings.
    fn command(&self, program: &Path, args: &[&str]) -> Command {
        let dir = self.dir.path().display();
        let script = format!(
            "for f in passwd subuid subgid; do mount --bind {dir}/$f /etc/$f; done; mount --bind {dir}/tun /dev/net/tun; \
             exec setpriv --reuid {UID} --regid {UID} --clear-groups env -i PATH=$PATH HOME={dir}/home \
             XDG_RUNTIME_DIR={dir}/run CORACLE_LIBEXEC={dir} \"$@\""
        );
        let mut command = self.sandbox.command("unshare");
        command.args(["-m", "sh", "-ec", &script, "sh"]).arg(program).args(args);
        command
    }

    fn coracle(&self, args: &[&str]) -> Done {
        let program = self.dir.path().join("coracle");
        self.command(&program, args).output().expect("unshare runs").into()
    }

    fn with_busybox(subids: &str) -> Option<Self> {
        let user = Self::new(subids)?;
        user.coracle(&["image", "pack", "--name", "busybox", "/bin/busybox", "sh"]).ok();
        Some(user)
    }

    #[track_caller]
    fn shell(&self, flags: &[&str], script: &str) -> String {
        self.coracle(&[&["run", "--rm"], flags, &["busybox", "busybox", "sh", "-c", script]].concat()).ok()
    }

    /// Fails if anything of an instance is left.
    #[track_caller]
    fn assert_clean(&self) {
        let state = self.dir.path().join("home/.local/share/coracle");
        for dir in ["instances", "names"] {
            let left: Vec<_> = fs::read_dir(state.join(dir)).into_iter().flatten().flatten().collect();
            assert!(left.is_empty(), "left in {dir}: {left:?}");
        }
        let mounts = fs::read_to_string("/proc/mounts").unwrap();
        assert!(!mounts.contains(&self.dir.path().display().to_string()), "a mount is left");
    }
}

impl Drop for User {
    fn drop(&mut self) {
        for id in self.coracle(&["ps", "-a", "-q"]).out.split_whitespace() {
            self.coracle(&["rm", "-f", id]);
        }
    }
}

fn libexec() -> Option<PathBuf> {
    let beside = cli_tests::binary().parent().map(Path::to_owned);
    std::env::var_os("CORACLE_LIBEXEC").map(PathBuf::from).filter(|dir| dir.join("coracle-init").exists()).or(beside)
}

fn ids() -> String {
    format!("coracle-test:700000:65536\n{UID}:800000:1000\n")
}

#[test]
fn a_container_of_a_user() {
    let Some(user) = User::with_busybox(&ids()) else { return };
    let none = ["--network", "none"];
    let map = user.shell(&none, "cat /proc/self/uid_map | tr -s ' '");
    assert_eq!(map, format!(" 0 {UID} 1\n 1 700000 65536\n 65537 800000 1000\n"));
    let script = "id -u; touch /etc/new /root/x && rm -r /root && mkdir /root && ls /root | wc -l; hostname; echo > /dev/null && echo ok";
    let out = user.shell(&[&none[..], &["--hostname", "box"]].concat(), script);
    assert_eq!(out, "0\n0\nbox\nok\n");
    assert_eq!(
        user.shell(&[&none[..], &["-u", "5:6"]].concat(), "id -u; touch /tmp/x; stat -c '%u %g' /tmp/x"),
        "5\n5 6\n"
    );
    assert_eq!(user.shell(&[&none[..], &["--read-only"]].concat(), "touch /x 2>/dev/null || echo ro"), "ro\n");
    let done = user.coracle(&["run", "--rm", "--network", "none", "busybox", "busybox", "sh", "-c", "exit 7"]);
    assert_eq!(done.code, 7, "{}", done.err);
    user.coracle(&["run", "--rm", "--network", "none", "busybox", "nonesuch"]).fails(127);
    user.assert_clean();
}

#[test]
fn the_life_of_an_instance() {
    let Some(user) = User::with_busybox(&ids()) else { return };
    user.coracle(&[
        "run",
        "-d",
        "--name",
        "one",
        "--network",
        "none",
        "-v",
        "data:/data",
        "busybox",
        "busybox",
        "sh",
        "-c",
        "echo hello; touch /data/kept; exec sleep 1000",
    ])
    .ok();
    assert_eq!(
        user.coracle(&["exec", "one", "busybox", "sh", "-c", "id -u; hostname; cat /proc/1/comm"]).ok().lines().count(),
        3
    );
    eventually("the output is logged", 5, || user.coracle(&["logs", "one"]).out == "hello\n");
    let shared = ["run", "--rm", "--network", "container:one", "--pid", "container:one", "busybox", "busybox", "ps"];
    assert!(user.coracle(&shared).ok().contains("sleep 1000"));
    user.coracle(&["stop", "-t", "1", "one"]).ok();
    user.coracle(&["rm", "one"]).ok();
    assert_eq!(user.shell(&["--network", "none", "-v", "data:/data"], "ls /data"), "kept\n");
    user.coracle(&["volume", "rm", "data"]).ok();
    user.coracle(&["image", "rm", "busybox"]).ok();
    let trees = user.dir.path().join("home/.local/share/coracle/trees");
    assert_eq!(fs::read_dir(trees).unwrap().count(), 0, "the unpacked image goes with the image");
    user.assert_clean();
}

#[test]
fn a_network_through_pasta() {
    if !which("pasta") {
        eprintln!("SKIP: pasta (package passt) is missing");
        return;
    }
    let Some(user) = User::with_busybox(&ids()) else { return };
    let out = user.shell(
        &[],
        "ip -4 -o address | grep -v ' lo ' | awk '{print $4}'; ip route | grep -c default; cat /etc/resolv.conf",
    );
    assert_eq!(out, "192.0.2.2/24\n1\nnameserver 169.254.1.1\n");
    let server = [
        "run",
        "-d",
        "--name",
        "web",
        "-p",
        "127.0.0.1:8081:8080",
        "busybox",
        "busybox",
        "httpd",
        "-f",
        "-p",
        "8080",
        "-h",
        "/etc",
    ];
    user.coracle(&server).ok();
    let fetch = ["wget", "-q", "-O", "-", "http://127.0.0.1:8081/hostname"];
    eventually("the published port answers", 5, || user.sandbox.run("busybox", &fetch).code == 0);
    user.coracle(&["rm", "-f", "web"]).ok();
    assert_ne!(user.sandbox.run("busybox", &fetch).code, 0, "the port is closed");
    let host = user.sandbox.run("readlink", &["/proc/self/ns/net"]).ok();
    assert_eq!(user.shell(&["--network", "host"], "readlink /proc/self/ns/net"), host);
    user.assert_clean();
}

#[test]
fn what_a_user_cannot_have() {
    let Some(user) = User::with_busybox(&ids()) else { return };
    let run =
        |flags: &[&str]| user.coracle(&[&["run", "--rm"], flags, &["busybox", "busybox", "true"]].concat()).fails(125);
    assert!(run(&["--network", "bridge"]).contains("the bridge needs root"));
    assert!(run(&["--network", "none", "-m", "64m"]).contains("delegated"));
    assert!(run(&["--network", "none", "--as", "unikernel"]).contains("needs root"));
    assert!(run(&["--network", "none", "--uidmap", "0:1:5"]).contains("needs root"));
    let script = "mknod /x c 1 3 2>/dev/null || echo refused; cat /dev/kmsg 2>/dev/null || echo closed";
    assert_eq!(user.shell(&["--network", "none"], script), "refused\nclosed\n");
    user.assert_clean();
}

#[test]
fn a_user_without_further_ids() {
    let Some(user) = User::with_busybox("") else { return };
    assert_eq!(
        user.shell(&["--network", "none"], "cat /proc/self/uid_map | tr -s ' '; id -u"),
        format!(" 0 {UID} 1\n0\n")
    );
    user.assert_clean();
}

#[test]
fn a_runtime_directory_of_somebody_else_s() {
    let Some(user) = User::new(&ids()) else { return };
    let stolen = PathBuf::from(format!("/tmp/coracle-{UID}"));
    if stolen.exists() {
        eprintln!("SKIP: {} exists", stolen.display());
        return;
    }
    fs::create_dir(&stolen).unwrap();
    let program = user.dir.path().join("coracle");
    let args = ["-u", "XDG_RUNTIME_DIR", program.to_str().unwrap(), "ps"];
    let done = Done::from(user.command(Path::new("/usr/bin/env"), &args).output().unwrap());
    fs::remove_dir(&stolen).unwrap();
    assert!(done.fails(125).contains("nobody else can use"));
}
