//! The runtime's own binary, which runs on the host as root next time.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use oci_tests::{Bundle, Runtime, compile};

/// A copy of the runtime that may be lost.
fn copy(bundle: &Bundle) -> (Runtime, PathBuf, Vec<u8>) {
    let program = bundle.path().join("runtime");
    fs::copy(Runtime::new().program(), &program).unwrap();
    let bytes = fs::read(&program).unwrap();
    (Runtime::of(program.clone()), program, bytes)
}

/// Opens every program that it sees but its own, and writes to it once nobody executes it any more.
const OVERWRITER: &str = include_str!("overwriter.c");

/// A process that joins and executes /proc/self/exe would execute the runtime inside the container, where the program above can
/// open it and write to it later (runc CVE-2019-5736).
#[test]
fn the_runtime_cannot_be_overwritten_from_inside() {
    let bundle = Bundle::new("exec /overwriter");
    compile(OVERWRITER, &bundle.inside("overwriter"));
    let (runtime, program, before) = copy(&bundle);
    symlink("/proc/self/exe", bundle.inside("bin/itself")).unwrap();
    fs::write(bundle.inside("bin/script"), "#!/proc/self/exe\n").unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(bundle.inside("bin/script"), mode).unwrap();
    let id = runtime.start(&bundle);
    let end = Instant::now() + Duration::from_secs(4);
    while Instant::now() < end {
        for args in [&["/proc/self/exe", "--help"][..], &["itself"], &["script"], &["true"], &["/proc/1/exe"]] {
            let mut command = runtime.command(&[&["exec", &id], args].concat());
            let mut child =
                command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null()).spawn().unwrap();
            let limit = Instant::now() + Duration::from_secs(2);
            while child.try_wait().unwrap().is_none() {
                if Instant::now() > limit
                    || args[0] == "/proc/1/exe" && limit - Instant::now() < Duration::from_millis(1900)
                {
                    child.kill().unwrap();
                }
                std::thread::sleep(Duration::from_millis(5));
            }
        }
        assert_eq!(fs::read(&program).unwrap(), before, "the runtime was overwritten: {}", log(&bundle));
    }
    println!("seen from inside: {:?}", log(&bundle));
}

/// Swaps two names as fast as it can.
const SWAPPER: &str = include_str!("swapper.c");

/// A program that is looked at and found harmless can be a link to /proc/self/exe when it is executed, because programs inside
/// swap the two. The runtime then runs inside, and waits there (for a configuration that never comes) while it is overwritten.
#[test]
fn a_program_that_turns_into_the_runtime_cannot_write_to_it() {
    let bundle = Bundle::new("/swapper & exec /overwriter");
    compile(OVERWRITER, &bundle.inside("overwriter"));
    compile(SWAPPER, &bundle.inside("swapper"));
    let (runtime, program, before) = copy(&bundle);
    fs::copy(bundle.inside("bin/busybox"), bundle.inside("bin/program")).unwrap();
    symlink("/proc/self/exe", bundle.inside("bin/evil")).unwrap();
    fs::create_dir(bundle.inside("fifo")).unwrap();
    let fifo = bundle.inside("fifo/config.json");
    rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    let id = runtime.start(&bundle);
    let end = Instant::now() + Duration::from_secs(6);
    let mut rounds = 0;
    while Instant::now() < end {
        rounds += 1;
        let mut command = runtime.command(&["exec", &id, "program", "run", "--bundle", "/fifo", "x"]);
        let output = std::process::Stdio::null;
        let mut child = command.stdout(output()).stderr(output()).spawn().unwrap();
        let limit = Instant::now() + Duration::from_millis(100);
        while child.try_wait().unwrap().is_none() && Instant::now() < limit {
            std::thread::sleep(Duration::from_millis(2));
        }
        let _ = child.kill();
        child.wait().unwrap();
        // Those that wait inside end with their configuration.
        let flags = rustix::fs::OFlags::WRONLY | rustix::fs::OFlags::NONBLOCK;
        drop(rustix::fs::open(&fifo, flags, rustix::fs::Mode::empty()));
        assert_eq!(fs::read(&program).unwrap(), before, "the runtime was overwritten: {}", log(&bundle));
    }
    println!("{rounds} rounds; seen from inside: {:?}", log(&bundle));
}

/// The same with an image whose first program is /proc/self/exe.
#[test]
fn an_image_that_starts_the_runtime_gets_nothing_of_it() {
    let bundle = Bundle::new("exec /overwriter");
    let (runtime, program, before) = copy(&bundle);
    for script in ["#!/proc/self/exe\n", "#!/proc/thread-self/exe -x\n"] {
        let mut image = Bundle::new("");
        fs::write(image.inside("bin/script"), script).unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        fs::set_permissions(image.inside("bin/script"), mode).unwrap();
        for args in [&["/bin/script"][..], &["/proc/self/exe", "list"]] {
            image.config["process"]["args"] = serde_json::json!(args);
            image.write();
            let id = runtime.id();
            runtime.call(&["run", "--bundle", image.path().to_str().unwrap(), &id]);
        }
    }
    assert_eq!(fs::read(program).unwrap(), before);
}

fn log(bundle: &Bundle) -> String {
    let text = fs::read_to_string(bundle.inside("log")).unwrap_or_default();
    let mut lines: Vec<_> = text.lines().collect();
    lines.sort_unstable();
    lines.dedup();
    lines.join("; ")
}
