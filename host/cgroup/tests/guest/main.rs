//! Version 2, which needs a machine with all controllers in it: this program, inside one microVM that boots Debian's kernel.
//!
//! The tests of the module `inside` are ignored here and run there, all in one boot.

mod inside;

use std::path::{Path, PathBuf};
use std::process::Command;

const BUSYBOX: &str = "/bin/busybox";

const SYSTEMD: &str = "/lib/systemd/systemd";
const DBUS: &str = "/usr/bin/dbus-daemon";

/// Tells the program that it is inside.
const INSIDE: &str = "CORACLE_TEST_INSIDE";

#[test]
fn version_2_in_a_microvm() {
    let machine = match Machine::new() {
        Ok(machine) => machine,
        Err(reason) => {
            eprintln!("SKIP: version 2 of control groups: {reason}");
            return;
        }
    };
    machine.pack();
    let run = ["run", "--as", "microvm", "--network", "none", "--rm", "-m", "512M", "-e", "CORACLE_TEST_INSIDE=1"];
    let test = ["groups", "/test", "--ignored", "--test-threads=1", "--color=never"];
    let (success, text) = machine.coracle(&[&run[..], &test[..]].concat());
    println!("{text}");
    assert!(success && text.contains("test result: ok"), "a case failed inside");
}

/// A state directory of its own, removed at the end.
struct Machine {
    binary: PathBuf,
    root: tempfile::TempDir,
}

impl Machine {
    fn new() -> Result<Self, String> {
        let dist = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../dist/coracle");
        let binary = std::env::var_os("CORACLE_BIN").map_or(dist, PathBuf::from);
        for needed in [binary.as_path(), Path::new(BUSYBOX), Path::new("/usr/bin/qemu-system-x86_64")] {
            if !needed.exists() {
                return Err(format!("no {}", needed.display()));
            }
        }
        if !rustix::process::geteuid().is_root() {
            return Err("not root".to_owned());
        }
        let root = tempfile::tempdir().map_err(|error| error.to_string())?;
        let machine = Self { binary, root };
        let kernels = std::env::var_os("CORACLE_KERNEL_DIR").map_or_else(default_kernels, PathBuf::from);
        if kernels.exists() {
            std::os::unix::fs::symlink(kernels, machine.root.path().join("kernels")).map_err(|e| e.to_string())?;
        }
        match machine.coracle(&["kernel", "install"]) {
            (true, _) => Ok(machine),
            (false, text) => Err(format!("no guest kernel: {text}")),
        }
    }

    /// An image of this program, busybox, and systemd with its bus if they are installed.
    fn pack(&self) {
        let add = |path: &Path, to: &str| ["--add".to_owned(), format!("{}:{to}", path.display())];
        let mut args: Vec<String> = ["image", "pack", "--name", "groups"].map(str::to_owned).to_vec();
        args.extend(add(&std::env::current_exe().unwrap(), "/test"));
        args.extend(add(Path::new(BUSYBOX), BUSYBOX));
        if Path::new(SYSTEMD).exists() && Path::new(DBUS).exists() {
            args.extend(add(Path::new(DBUS), DBUS));
            args.push(SYSTEMD.to_owned());
        } else {
            args.push(BUSYBOX.to_owned());
        }
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let (success, text) = self.coracle(&args);
        assert!(success, "{text}");
    }

    /// Runs `coracle` to its end: whether it succeeded, and what it printed.
    fn coracle(&self, args: &[&str]) -> (bool, String) {
        let output = Command::new(&self.binary).env("CORACLE_ROOT", self.root.path()).args(args).output().unwrap();
        let text = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8_lossy(&text).into_owned())
    }
}

/// Where `make test` keeps kernels: this test lies in `<target>/<triple>/<profile>/deps`.
fn default_kernels() -> PathBuf {
    let exe = std::env::current_exe().unwrap();
    exe.ancestors().nth(4).unwrap().join("kernels")
}
