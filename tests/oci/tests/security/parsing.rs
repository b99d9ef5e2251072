//! Fields that must mean one thing, or be refused.

use oci_tests::{Bundle, Runtime};
use serde_json::json;

/// A user of `exec` is two decimal numbers. Whatever strtoul(3) would make of these is not what was meant: a name or a typing
/// error must not become root.
#[test]
fn users_are_decimal_numbers() {
    let runtime = Runtime::new();
    let bundle = Bundle::new("sleep 100");
    let id = runtime.start(&bundle);
    let wrong = [
        "0x0",
        " 0",
        "0 ",
        "+0",
        "-1",
        "0:0:0",
        "0:",
        ":0",
        "",
        "root",
        "0:root",
        "1e3",
        "4294967295",
        "4294967296",
        "99999999999999999999",
        "0:0x0",
        "0:+0",
        "0\n",
        "١",
    ];
    for user in wrong {
        let done = runtime.call(&["exec", "--user", user, &id, "id", "-u"]);
        assert_ne!(done.status, 0, "{user:?} was taken: {done:?}");
        assert_eq!(done.stdout, "", "{user:?} was taken: {done:?}");
    }
    assert_eq!(runtime.call(&["exec", "--user", "7:8", &id, "sh", "-c", "id -u; id -g"]).ok(), "7\n8\n");
}

/// The kernel's length of an attribute has 16 bits; a list that needs more must not wrap around (runc CVE-2021-43784).
#[test]
fn long_lists_of_mappings_do_not_wrap_around() {
    let runtime = Runtime::new();
    let mut bundle = Bundle::new("id -u");
    let mappings: Vec<_> =
        (0..6000_u32).map(|i| json!({ "containerID": i, "hostID": 100_000 + 2 * i, "size": 1 })).collect();
    bundle.config["linux"]["uidMappings"] = json!(mappings);
    bundle.config["linux"]["gidMappings"] = json!(mappings);
    bundle.config["linux"]["namespaces"].as_array_mut().unwrap().push(json!({ "type": "user" }));
    let done = runtime.run(&bundle);
    assert_ne!(done.status, 0, "the kernel takes 340 lines: {done:?}");
    assert!(!done.stderr.contains("panic"), "{done:?}");
    let mut bundle = Bundle::new("true");
    bundle.config["linux"]["namespaces"][1] = json!({ "type": "network", "path": format!("/{}", "x".repeat(70_000)) });
    let done = runtime.run(&bundle);
    assert_ne!(done.status, 0, "{done:?}");
    assert!(!done.stderr.contains("panic"), "{done:?}");
}

/// A hook runs on the host: its path must not depend on where the runtime was started.
#[test]
fn hooks_have_absolute_paths() {
    let runtime = Runtime::new();
    for kind in ["prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"] {
        let mut bundle = Bundle::new("true");
        let marker = bundle.path().join("ran");
        std::fs::write(bundle.path().join("hook"), format!("#!/bin/sh\ntouch {}\n", marker.display())).unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(bundle.path().join("hook"), mode).unwrap();
        bundle.config["hooks"] = json!({ kind: [{ "path": "hook" }] });
        bundle.write();
        let id = runtime.id();
        let mut command = runtime.command(&["run", "--bundle", bundle.path().to_str().unwrap(), &id]);
        let status = command.current_dir(bundle.path()).output().unwrap();
        assert!(!status.status.success(), "{kind}: {status:?}");
        assert!(!marker.exists(), "{kind} ran");
    }
}

/// An id is a name, not a path.
#[test]
fn ids_are_no_paths() {
    let runtime = Runtime::new();
    let bundle = Bundle::new("true");
    bundle.write();
    let long = "x".repeat(1025);
    for id in ["..", ".", "../escape", "a/b", "/abs", "", "a b", "a\nb", long.as_str()] {
        for command in ["run", "state", "delete"] {
            let bundle = bundle.path().to_str().unwrap();
            let args =
                if command == "run" { vec!["run", "--bundle", bundle, "--", id] } else { vec![command, "--", id] };
            let done = runtime.call(&args);
            assert_ne!(done.status, 0, "{command} {id:?}: {done:?}");
            assert!(!done.stderr.contains("panic"), "{done:?}");
        }
    }
}

/// The root file system is in the bundle, or where an absolute path says. A magic link says nothing: it is a descriptor of
/// whoever resolves it.
#[test]
fn a_root_is_no_magic_link() {
    let runtime = Runtime::new();
    let canary = crate::Canary::new();
    for path in ["/proc/self/root", "/proc/self/cwd", "/proc/self/fd/3", "../", "link", "climbing/.."] {
        let mut bundle = Bundle::new("echo started");
        std::os::unix::fs::symlink("/proc/self/root", bundle.path().join("link")).unwrap();
        std::os::unix::fs::symlink(canary.path(), bundle.path().join("climbing")).unwrap();
        bundle.config["root"]["path"] = json!(path);
        let done = runtime.run(&bundle);
        assert!(done.status != 0 && done.stdout.is_empty(), "{path}: {done:?}");
    }
    canary.assert_untouched();
}

/// An engine that has closed its end of standard error gets a failed command, not an aborted one, which would leave things behind.
#[test]
fn nobody_need_listen_to_complaints() {
    let runtime = Runtime::new();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let status = runtime.command(&["start", "no-such-container"]).stderr(writer).status().unwrap();
    assert_eq!(status.code(), Some(1), "{status:?}");
}
