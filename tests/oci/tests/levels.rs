//! The same bundle as a container, a unikernel and a microVM: by an annotation, and by the program's name.
//!
//! The guests' programs are those of `make build` (`CORACLE_LIBEXEC` names another directory); the guest kernel is the one of
//! `CORACLE_KERNEL_DIR`.

use std::net::{Ipv4Addr, TcpStream};
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};
use std::{env, fs};

use oci_tests::{Bundle, Done, Runtime};
use serde_json::json;
use tempfile::TempDir;

const LEVELS: [&str; 3] = ["container", "unikernel", "microvm"];

fn project() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("tests/oci is two levels down").to_owned()
}

/// Where Coracle keeps its files during one test, with the guest kernels of all.
fn home() -> TempDir {
    let home = TempDir::with_prefix("coracle-oci-home-").unwrap();
    let kernels = env::var_os("CORACLE_KERNEL_DIR").map_or_else(|| project().join("target/kernels"), PathBuf::from);
    symlink(kernels, home.path().join("kernels")).unwrap();
    home
}

fn has_kernel(home: &TempDir) -> bool {
    fs::read_dir(home.path().join("kernels")).is_ok_and(|mut entries| entries.next().is_some())
}

/// Carries a command of the runtime out, with Coracle's files in `home`.
fn call(runtime: &Runtime, home: &TempDir, args: &[&str]) -> Done {
    let libexec = env::var_os("CORACLE_LIBEXEC").map_or_else(|| project().join("dist"), PathBuf::from);
    let mut command = runtime.command(args);
    command.env("CORACLE_ROOT", home.path()).env("CORACLE_LIBEXEC", libexec);
    command.output().expect("the runtime can be executed").into()
}

/// A bundle whose program needs no second process, for one level.
fn bundle(level: &str, args: &[&str]) -> Bundle {
    let mut bundle = Bundle::new("");
    bundle.config["process"]["args"] = json!(args);
    bundle.config["annotations"] = json!({ "dev.coracle.isolation": level });
    bundle
}

/// Skips, loudly, what needs a guest kernel where there is none.
fn levels(home: &TempDir) -> impl Iterator<Item = &'static str> {
    let kernel = has_kernel(home);
    if !kernel {
        println!("SKIP: no guest kernel for bundles as microVMs; run: coracle kernel install");
    }
    LEVELS.into_iter().filter(move |level| kernel || *level != "microvm")
}

fn path(bundle: &Bundle) -> &str {
    bundle.write().path().to_str().unwrap()
}

#[test]
fn one_bundle_runs_at_every_level() {
    let (runtime, home) = (Runtime::new(), home());
    for level in levels(&home) {
        let bundle = bundle(level, &["/bin/sh", "-c", "echo $TERM; cd /tmp; echo $PWD; exit 7"]);
        let done = call(&runtime, &home, &["run", "--bundle", path(&bundle), &runtime.id()]);
        assert_eq!((done.status, done.stdout.as_str()), (7, "xterm\n/tmp\n"), "{level}: {done:?}");
    }
    assert_eq!(fs::read_dir(home.path().join("oci")).unwrap().count(), 0, "instances leave no files");
}

#[test]
fn the_name_of_the_program_chooses_the_level_and_an_annotation_counts_more() {
    let home = home();
    let directory = TempDir::new().unwrap();
    let link = directory.path().join("coracle-oci-unikernel");
    symlink(Runtime::new().program(), &link).unwrap();
    let runtime = Runtime::of(link);
    let mut bundle = bundle("container", &["/bin/cat", "/proc/version"]);
    let version = |bundle: &Bundle| call(&runtime, &home, &["run", "--bundle", path(bundle), &runtime.id()]).ok();
    let host = fs::read_to_string("/proc/version").unwrap();
    assert_eq!(version(&bundle), host);
    bundle.config["annotations"] = json!({});
    assert_ne!(version(&bundle), host, "a unikernel has a kernel of its own");
    bundle.config["annotations"] = json!({ "dev.coracle.isolation": "vm" });
    let done = call(&runtime, &home, &["run", "--bundle", path(&bundle), &runtime.id()]);
    assert!(done.status == 1 && done.stderr.contains("dev.coracle.isolation"), "{done:?}");
}

#[test]
fn an_instance_goes_through_the_states_of_a_container() {
    let (runtime, home) = (Runtime::new(), home());
    for level in levels(&home) {
        let bundle = bundle(level, &["/bin/sleep", "1000"]);
        let id = runtime.id();
        let log = fs::File::create(bundle.path().join("log")).unwrap();
        let mut create = runtime.command(&["create", "--bundle", path(&bundle), &id]);
        let libexec = env::var_os("CORACLE_LIBEXEC").map_or_else(|| project().join("dist"), PathBuf::from);
        create.env("CORACLE_ROOT", home.path()).env("CORACLE_LIBEXEC", libexec);
        let status = create.stdout(log.try_clone().unwrap()).stderr(log).status().unwrap();
        assert!(status.success(), "{level}: {}", fs::read_to_string(bundle.path().join("log")).unwrap());
        let state = |expected: &str| {
            let deadline = Instant::now() + Duration::from_secs(20);
            loop {
                let text = call(&runtime, &home, &["state", &id]).ok();
                if text.contains(&format!("\"status\": \"{expected}\"")) {
                    return;
                }
                assert!(Instant::now() < deadline, "{level} is not {expected}: {text}");
                std::thread::sleep(Duration::from_millis(20));
            }
        };
        state("created");
        let refused = call(&runtime, &home, &["delete", &id]);
        assert!(refused.status == 1 && refused.stderr.contains("not stopped"), "{level}: {refused:?}");
        call(&runtime, &home, &["start", &id]).ok();
        state("running");
        if level == "unikernel" {
            call(&runtime, &home, &["pause", &id]).ok();
            state("paused");
            call(&runtime, &home, &["resume", &id]).ok();
            state("running");
            let refused = call(&runtime, &home, &["exec", &id, "/bin/true"]);
            assert!(refused.stderr.contains("unikernel cannot"), "{refused:?}");
        }
        call(&runtime, &home, &["kill", &id, "KILL"]).ok();
        state("stopped");
        call(&runtime, &home, &["delete", &id]).ok();
        assert!(call(&runtime, &home, &["state", &id]).stderr.contains("does not exist"), "{level}");
    }
    assert_eq!(fs::read_dir(home.path().join("oci")).unwrap().count(), 0, "instances leave no files");
}

#[test]
fn what_a_level_cannot_do_is_refused_by_name() {
    let (runtime, home) = (Runtime::new(), home());
    let refused = |bundle: &Bundle, words: &[&str]| {
        let done = call(&runtime, &home, &["run", "--bundle", path(bundle), &runtime.id()]);
        assert!(done.status == 1 && words.iter().all(|word| done.stderr.contains(word)), "{done:?}");
    };
    let mut host_network = bundle("unikernel", &["/bin/true"]);
    host_network.config["linux"]["namespaces"] = json!([{ "type": "mount" }]);
    refused(&host_network, &["linux.namespaces", "the host's network", "unikernel"]);
    let mut device = bundle("unikernel", &["/bin/true"]);
    device.config["linux"]["devices"] = json!([{ "path": "/dev/fuse", "type": "c", "major": 10, "minor": 229 }]);
    refused(&device, &["linux.devices", "a device of the host"]);
    let mut hook = bundle("microvm", &["/bin/true"]);
    hook.config["hooks"] = json!({ "startContainer": [{ "path": "/bin/true" }] });
    refused(&hook, &["hooks", "a hook that runs inside the container"]);
    refused(&bundle("unikernel", &["/bin/no-such-program"]), &["no-such-program"]);
}

/// A network namespace as a CNI plugin leaves it: `eth0` with an address, whose other end is in another namespace.
struct Pod {
    outside: String,
    inside: String,
}

impl Pod {
    fn new() -> Self {
        let number = std::process::id();
        let pod = Self { outside: format!("crcl-oci-out-{number}"), inside: format!("crcl-oci-pod-{number}") };
        ip(&["netns", "add", &pod.outside]);
        ip(&["netns", "add", &pod.inside]);
        let pair = ["link", "add", "veth0", "type", "veth", "peer", "name", "eth0", "netns", &pod.inside];
        ip(&[&["-n", pod.outside.as_str()][..], &pair[..]].concat());
        for (netns, device, address) in [(&pod.outside, "veth0", "10.88.0.1/24"), (&pod.inside, "eth0", "10.88.0.5/24")]
        {
            ip(&["-n", netns, "addr", "add", address, "dev", device]);
            ip(&["-n", netns, "link", "set", device, "up"]);
        }
        ip(&["-n", &pod.inside, "route", "add", "default", "via", "10.88.0.1"]);
        pod
    }

    /// What the server of the instance says, asked from the other namespace.
    fn ask(&self) -> String {
        let namespace = fs::File::open(format!("/run/netns/{}", self.outside)).unwrap();
        let asking = std::thread::spawn(move || {
            let kind = Some(rustix::thread::LinkNameSpaceType::Network);
            rustix::thread::move_into_link_name_space(std::os::fd::AsFd::as_fd(&namespace), kind).unwrap();
            let address = (Ipv4Addr::new(10, 88, 0, 5), 7777).into();
            let deadline = Instant::now() + Duration::from_secs(20);
            loop {
                match TcpStream::connect_timeout(&address, Duration::from_secs(1)) {
                    Ok(stream) => return std::io::read_to_string(stream).unwrap(),
                    Err(error) => assert!(Instant::now() < deadline, "{error}"),
                }
                std::thread::sleep(Duration::from_millis(50));
            }
        });
        asking.join().unwrap()
    }
}

impl Drop for Pod {
    fn drop(&mut self) {
        for netns in [&self.inside, &self.outside] {
            let _ = Command::new("ip").args(["netns", "delete", netns]).status();
        }
    }
}

fn ip(args: &[&str]) {
    assert!(Command::new("ip").args(args).status().expect("the package iproute2").success(), "ip {args:?}");
}

#[test]
fn an_instance_has_the_address_that_its_namespace_was_given() {
    let (runtime, home) = (Runtime::new(), home());
    let pod = Pod::new();
    // One after the other in the same namespace, as a pod's container that is started again.
    for level in levels(&home).filter(|level| *level != "container") {
        let mut bundle = bundle(level, &["/bin/nc", "-l", "-p", "7777"]);
        let path_of = format!("/run/netns/{}", pod.inside);
        for namespace in bundle.config["linux"]["namespaces"].as_array_mut().unwrap() {
            if namespace["type"] == "network" {
                namespace["path"] = json!(path_of);
            }
        }
        fs::write(bundle.path().join("greeting"), format!("hello from a {level}")).unwrap();
        let greeting = fs::File::open(bundle.path().join("greeting")).unwrap();
        let id = runtime.id();
        let mut run = runtime.command(&["run", "--bundle", path(&bundle), &id]);
        let libexec = env::var_os("CORACLE_LIBEXEC").map_or_else(|| project().join("dist"), PathBuf::from);
        run.env("CORACLE_ROOT", home.path()).env("CORACLE_LIBEXEC", libexec);
        let mut running = run.stdin(greeting).spawn().unwrap();
        let said = pod.ask();
        call(&runtime, &home, &["delete", "--force", &id]);
        running.wait().unwrap();
        assert_eq!(said, format!("hello from a {level}"));
    }
}
