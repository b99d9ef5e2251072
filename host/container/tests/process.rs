//! What a program finds out about itself, and what becomes of it.

mod common;

use std::io::Read;

use common::Fixture;
use plan::User;

#[test]
fn exit_codes_and_signals_pass() {
    assert_eq!(Fixture::new(&["true"]).run().status.code(), Some(0));
    assert_eq!(Fixture::new(&["false"]).run().status.code(), Some(1));
    assert_eq!(Fixture::new(&["sh", "-c", "exit 42"]).run().status.code(), Some(42));
    // A signal from inside cannot end process 1; from outside SIGKILL can.
    let fixture = Fixture::new(&["sleep", "60"]);
    let (mut child, pid) = fixture.start();
    rustix::process::kill_process(rustix::process::Pid::from_raw(pid).unwrap(), rustix::process::Signal::KILL).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(137));
    fixture.assert_nothing_is_left();
}

#[test]
fn environment_directory_host_name_and_process_1() {
    let mut fixture = Fixture::new(&["sh", "-c", "echo $COLOUR; pwd; hostname; echo $$; umask; ls -d /proc/[0-9]*"]);
    fixture.plan.process.cwd = "/made/on/demand".to_owned();
    assert_eq!(fixture.stdout(), "blue\n/made/on/demand\nbox\n1\n0022\n/proc/1\n");
}

#[test]
fn users_and_their_privileges() {
    let status = "grep -E '^(Cap(Prm|Eff|Bnd|Amb|Inh)|NoNewPrivs|Seccomp):' /proc/self/status; id -u; id -g; id -G";
    let mut fixture = Fixture::new(&["sh", "-c", status]);
    let root = "CapInh:\t0000000000000000\nCapPrm:\t00000000a80425fb\nCapEff:\t00000000a80425fb\n\
                CapBnd:\t00000000a80425fb\nCapAmb:\t0000000000000000\nNoNewPrivs:\t1\nSeccomp:\t2\n0\n0\n0\n";
    assert_eq!(fixture.stdout(), root);
    fixture.plan.process.user = User { uid: 1000, gid: 1001, additional_gids: vec![7] };
    fixture.plan.process.cwd = "/home/user".to_owned();
    fixture.plan.process.args[2] = format!("touch here && echo again > /dev/stdout; {status}");
    let user = root.replace(
        "CapPrm:\t00000000a80425fb\nCapEff:\t00000000a80425fb",
        "CapPrm:\t0000000000000000\nCapEff:\t0000000000000000",
    );
    assert_eq!(fixture.stdout(), format!("again\n{}", user.replace("0\n0\n0\n", "1000\n1001\n1001 7\n")));
}

#[test]
fn refused_system_calls() {
    let errors = Fixture::new(&["unshare", "-m", "true"]).fails(1);
    assert!(errors.contains("Operation not permitted"), "{errors}");
    let errors = Fixture::new(&["mount", "-t", "tmpfs", "none", "/dev/shm"]).fails(1);
    assert!(errors.contains("ermission denied") || errors.contains("not permitted"), "{errors}");
}

#[test]
fn programs_that_cannot_be_executed() {
    let fixture = Fixture::new(&["nothing-of-this-name"]);
    assert!(fixture.fails(127).contains("'nothing-of-this-name' not found in the image"));
    assert!(Fixture::new(&["/no/path"]).fails(127).contains("not found in the image"));
    assert!(Fixture::new(&["/bin"]).fails(126).contains("cannot be executed"));
    let broken = Fixture::with_image(&["/text"], |image| {
        std::fs::write(image.join("text"), "no program").unwrap();
        std::fs::set_permissions(image.join("text"), std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    });
    assert!(broken.fails(126).contains("cannot be executed"));
    let foreign = Fixture::with_image(&["/arm"], |image| {
        // The header of a 64-bit ARM program.
        let mut elf = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x02\0\xb7\0\x01\0\0\0".to_vec();
        elf.resize(200, 0);
        std::fs::write(image.join("arm"), elf).unwrap();
        std::fs::set_permissions(image.join("arm"), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    });
    assert!(foreign.fails(126).contains("for this architecture"));
    let script = Fixture::with_image(&["/script"], |image| {
        std::fs::write(image.join("script"), "#!/bin/absent\n").unwrap();
        std::fs::set_permissions(image.join("script"), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    });
    assert!(script.fails(127).contains("interpreter"));
}

#[test]
fn the_engine_cannot_be_executed_inside() {
    let direct = Fixture::new(&["/proc/self/exe"]);
    direct.fails(126);
    let script = Fixture::with_image(&["/script"], |image| {
        std::fs::write(image.join("script"), "#!/proc/self/exe\n").unwrap();
        std::fs::set_permissions(image.join("script"), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    });
    script.fails(126);
}

#[test]
fn a_second_program_joins() {
    let fixture = Fixture::new(&["sh", "-c", "touch /mark; sleep 60"]);
    let (mut child, pid) = fixture.start();
    let script = "until test -e /mark; do :; done; hostname; ls /mark; grep -E '^(CapEff|Seccomp|NoNewPrivs):' /proc/self/status; echo; cat /proc/self/cgroup | grep ^0; readlink /proc/self/ns/* /proc/1/ns/* | sort | uniq -u";
    let output = fixture.exec(pid, &["sh", "-c", script]);
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    let expected = "box\n/mark\nCapEff:\t00000000a80425fb\nNoNewPrivs:\t1\nSeccomp:\t2\n\n0::/\n";
    assert_eq!((&*text, output.status.code()), (expected, Some(0)), "{errors}");
    assert_eq!(fixture.exec(pid, &["sh", "-c", "exit 9"]).status.code(), Some(9));
    assert_eq!(fixture.exec(pid, &["absent"]).status.code(), Some(127));
    assert_eq!(fixture.exec(pid, &["/proc/self/exe"]).status.code(), Some(126));
    container::plan_api::destroy(&fixture.plan.id).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(137));
    fixture.assert_nothing_is_left();
}

#[test]
fn it_outlives_its_supervisor_and_can_still_be_destroyed() {
    let fixture = Fixture::new(&["sleep", "60"]);
    let (mut child, pid) = fixture.start();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(std::path::Path::new(&format!("/proc/{pid}/ns/mnt")).exists(), "the container ended with its supervisor");
    let live = std::collections::HashSet::new();
    assert!(container::plan_api::orphans(&live).unwrap().contains(&fixture.plan.id));
    container::plan_api::destroy(&fixture.plan.id).unwrap();
    fixture.assert_nothing_is_left();
}

#[test]
fn a_supervisor_killed_at_any_moment_leaves_nothing_that_cannot_be_destroyed() {
    let fixture = Fixture::new(&["sleep", "60"]);
    for step in 0..60 {
        let mut child = fixture.command().stderr(std::process::Stdio::null()).spawn().unwrap();
        std::thread::sleep(std::time::Duration::from_micros(200 * step));
        child.kill().unwrap();
        child.wait().unwrap();
        container::plan_api::destroy(&fixture.plan.id).unwrap();
        fixture.assert_nothing_is_left();
    }
    let marker = fixture.directory.path().to_string_lossy().into_owned();
    let running = std::fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .filter(|entry| std::fs::read_to_string(entry.path().join("cmdline")).is_ok_and(|line| line.contains(&marker)));
    assert_eq!(running.count(), 0, "a process that never became the program is left");
}

#[test]
fn a_terminal_is_the_controlling_one() {
    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
    let mut fixture = Fixture::new(&["sh", "-c", "tty; echo typed > /dev/tty; ls /dev/console"]);
    fixture.plan.process.terminal = true;
    let manager = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
    grantpt(&manager).unwrap();
    unlockpt(&manager).unwrap();
    let name = ptsname(&manager, Vec::new()).unwrap();
    let flags = rustix::fs::OFlags::RDWR | rustix::fs::OFlags::NOCTTY | rustix::fs::OFlags::CLOEXEC;
    let stream = || std::process::Stdio::from(rustix::fs::open(&name, flags, rustix::fs::Mode::empty()).unwrap());
    let mut child = fixture.command().stdin(stream()).stdout(stream()).stderr(stream()).spawn().unwrap();
    let status = child.wait().unwrap();
    let mut text = [0u8; 4096];
    let length = std::fs::File::from(manager).read(&mut text).unwrap();
    let text = String::from_utf8_lossy(&text[..length]);
    assert!(status.success(), "{text:?}");
    assert_eq!(text, "/dev/console\r\ntyped\r\n/dev/console\r\n");
}
