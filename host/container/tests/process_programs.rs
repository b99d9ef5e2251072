//! Arguments, environment, working directory, and programs that cannot be executed.

mod bundle;

use std::os::unix::fs::{MetadataExt, symlink};

use bundle::{Bundle, stdout_of};
use serde_json::json;

#[test]
fn environments() {
    let mut bundle = Bundle::new(&["env"]);
    bundle.config["process"]["env"] = json!(["PATH=/bin", "A=1", "B=", "A=2=3"]);
    assert_eq!(bundle.stdout(), "PATH=/bin\nB=\nA=2=3\nHOME=/\n");
    std::fs::write(bundle.inside("etc/passwd"), "root:x:0:0::/root:/bin/sh\nme:x:7:7::/home/me:/bin/sh\n").unwrap();
    assert!(bundle.stdout().ends_with("HOME=/root\n"));
    bundle.config["process"]["user"] = json!({ "uid": 7, "gid": 7 });
    assert!(bundle.stdout().ends_with("HOME=/home/me\n"));
    bundle.config["process"]["env"] = json!(["PATH=/bin", "HOME=/own"]);
    assert_eq!(bundle.stdout(), "PATH=/bin\nHOME=/own\n");
    bundle.config["process"]["env"] = json!(["PATH"]);
    assert!(bundle.fails(125).contains("process.env"));
}

#[test]
fn a_hostile_passwd_file() {
    let bundle = Bundle::script("echo $HOME");
    for target in ["/proc/1/root/etc/passwd", "/dev/zero", "/etc/passwd", "nowhere", "/dev/ptmx"] {
        let _ = std::fs::remove_file(bundle.inside("etc/passwd"));
        symlink(target, bundle.inside("etc/passwd")).unwrap();
        assert_eq!(bundle.stdout(), "/\n", "{target}");
    }
}

#[test]
fn working_directories() {
    let mut bundle = Bundle::script("pwd; touch mine && stat -c %u mine");
    bundle.config["process"]["cwd"] = json!("/made/on/demand");
    bundle.config["process"]["user"] = json!({ "uid": 1000, "gid": 1001 });
    assert_eq!(bundle.stdout(), "/made/on/demand\n1000\n");
    let made = std::fs::metadata(bundle.inside("made/on/demand")).unwrap();
    assert_eq!((made.uid(), made.gid()), (1000, 1001));
    // A link that points out of the root stays in it.
    symlink("/../../../tmp", bundle.inside("link")).unwrap();
    bundle.config["process"]["cwd"] = json!("/link/../etc");
    bundle.config["process"]["args"] = json!(["pwd"]);
    assert_eq!(bundle.stdout(), "/etc\n");
    for (cwd, words) in [("relative", "an absolute path"), ("", "must not be empty"), ("/bin/sh", "Not a directory")] {
        bundle.config["process"]["cwd"] = json!(cwd);
        let errors = bundle.fails(125);
        assert!(errors.contains(words), "{cwd}: {errors}");
    }
}

#[test]
fn a_read_only_root_has_its_working_directory_made_before() {
    let mut bundle = Bundle::new(&["pwd"]);
    bundle.config["root"]["readonly"] = json!(true);
    bundle.config["process"]["cwd"] = json!("/new");
    assert_eq!(bundle.stdout(), "/new\n");
}

#[test]
fn a_further_program_makes_no_directory() {
    let bundle = Bundle::new(&["sleep", "60"]);
    bundle.start();
    let output = bundle.exec(&["pwd"], json!({ "cwd": "/absent" }));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(errors.contains("/absent") && errors.to_lowercase().contains("no such file or directory"), "{errors}");
    assert_eq!(stdout_of(bundle.exec(&["pwd"], json!({ "cwd": "/etc" }))), "/etc\n");
    let user = json!({ "user": { "uid": 5, "gid": 6, "additionalGids": [7] }, "env": ["PATH=/bin", "X=y"] });
    assert_eq!(stdout_of(bundle.exec(&["sh", "-c", "id -u; id -G; echo $X $HOME"], user)), "5\n6 7\ny /\n");
    let output = bundle.exec(&["absent"], json!({}));
    assert_eq!(output.status.code(), Some(127));
}

#[test]
fn programs_that_engines_must_recognise() {
    let mut bundle = Bundle::new(&["absent"]);
    let text = b"no program";
    bundle.add_program("bin/denied", text, 0o644);
    bundle.add_program("bin/text", text, 0o755);
    bundle.add_program("bin/script", b"#!/absent/sh\n", 0o755);
    bundle.add_program("bin/magic", b"#!/proc/self/exe\n", 0o755);
    let mut foreign = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x02\0\xb7\0\x01\0\0\0".to_vec();
    foreign.resize(200, 0);
    bundle.add_program("bin/arm", &foreign, 0o755);
    for (program, code, words) in [
        ("absent", 127, r#"exec: "absent": executable file not found in $PATH"#),
        ("", 127, r#"exec: "": executable file not found in $PATH"#),
        ("/no/path", 127, r#"exec: "/no/path": stat /no/path: no such file or directory"#),
        ("/bin/denied", 126, r#"exec: "/bin/denied": permission denied"#),
        ("denied", 126, "permission denied"),
        ("/bin", 126, r#"exec: "/bin": is a directory"#),
        ("/bin/text", 126, "exec /bin/text: exec format error"),
        ("arm", 126, "exec /bin/arm: exec format error"),
        ("script", 127, "no such file or directory"),
        ("magic", 126, "cannot be executed"),
        ("/proc/self/exe", 126, "cannot be executed"),
    ] {
        bundle.config["process"]["args"] = json!([program]);
        let errors = bundle.fails(code);
        assert!(errors.contains(words), "{program}: {errors}");
    }
    bundle.config["process"]["args"] = json!([]);
    assert!(bundle.fails(125).contains("process.args"));
}

#[test]
fn a_missing_program_fails_the_creation() {
    let bundle = Bundle::new(&["absent"]);
    let output = bundle.command(&["create"]).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(127), "{errors}");
    assert!(errors.contains("executable file not found in $PATH"), "{errors}");
}

#[test]
fn the_search_goes_on_after_a_file_that_is_denied() {
    let mut bundle = Bundle::new(&["tool"]);
    for name in ["first", "second"] {
        std::fs::create_dir(bundle.inside(name)).unwrap();
    }
    bundle.add_program("first/tool", b"#!/bin/sh\necho first\n", 0o700);
    bundle.add_program("second/tool", b"#!/bin/sh\necho second\n", 0o755);
    bundle.config["process"]["env"] = json!(["PATH=/first:/second"]);
    assert_eq!(bundle.stdout(), "first\n");
    bundle.config["process"]["user"] = json!({ "uid": 1000, "gid": 1000 });
    assert_eq!(bundle.stdout(), "second\n");
}
