//! Signals, terminals, floods, crashes.

mod support;

use std::io::{BufRead, BufReader};
use std::os::fd::OwnedFd;
use std::process::Command;
use std::time::{Duration, Instant};

use microvm::{Error, Vm};
use plan::{ExitStatus, Stdio};
use rustix::pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};
use support::{Ends, Fixture, case, fixture, pipes, run, supervise};

fn start(fixture: &Fixture, args: &[&str]) -> (support::Case, Vm, Ends) {
    let case = case(fixture, args);
    let (io, ends) = pipes();
    let vm = microvm::start(&case.plan, io, None, &fixture.kernel, &fixture.agent).unwrap();
    (case, vm, ends)
}

/// Calls the action once, when the program has said `word`.
fn once(word: &'static str, mut action: impl FnMut(&mut Vm)) -> impl FnMut(&mut Vm, &[u8]) {
    let mut done = false;
    move |vm, said| {
        if !done && said.windows(word.len()).any(|bytes| bytes == word.as_bytes()) {
            done = true;
            action(vm);
        }
    }
}

#[test]
fn signals_from_the_host() {
    let Some(fixture) = fixture() else { return };
    let script = "trap 'echo caught; exit 9' USR1; echo ready; while :; do sleep 0.1; done";
    let (_case, vm, ends) = start(fixture, &["sh", "-c", script]);
    let outcome = supervise(vm, ends, once("ready", |vm| vm.signal(10)));
    assert_eq!((outcome.code(), outcome.text()), (9, "ready\ncaught\n"));

    let (_case, vm, ends) = start(fixture, &["sh", "-c", "echo ready; exec sleep 100"]);
    let outcome = supervise(vm, ends, once("ready", |vm| vm.signal(15)));
    assert_eq!(outcome.status.unwrap(), ExitStatus::Signaled(15));

    let (_case, vm, ends) = start(fixture, &["sh", "-c", "trap '' TERM; echo ready; while :; do sleep 1; done"]);
    let outcome = supervise(vm, ends, once("ready", |vm| vm.signal(9)));
    assert_eq!(outcome.code(), 137);
}

#[test]
fn a_flood_of_output_and_input_arrives_whole() {
    let Some(fixture) = fixture() else { return };
    let script = "dd if=/dev/zero bs=64k count=64 2>/dev/null; wc -c >&2";
    let (_case, vm, mut ends) = start(fixture, &["sh", "-c", script]);
    let input = ends.stdin.take().unwrap();
    let writer = std::thread::spawn(move || {
        use std::io::Write;
        std::fs::File::from(input).write_all(&vec![b'x'; 3 << 20]).unwrap();
    });
    let outcome = supervise(vm, ends, |_, _| {});
    writer.join().unwrap();
    assert_eq!(outcome.code(), 0);
    assert_eq!(outcome.stdout.len(), 4 << 20);
    assert_eq!(outcome.stderr, format!("{}\n", 3 << 20).as_bytes());
}

#[test]
fn a_reader_that_leaves_is_sigpipe_and_orphans_end_with_the_program() {
    let Some(fixture) = fixture() else { return };
    let script = "sleep 1000 & (sleep 1000 & ); cat /dev/zero | head -c 100 >/dev/null; exec cat /dev/zero";
    let (_case, mut vm, mut ends) = start(fixture, &["sh", "-c", script]);
    // A descriptor that stays silent takes the reader's place.
    let (silent, _writer) = rustix::pipe::pipe().unwrap();
    drop(ends.stdout.replace(silent));
    let status = loop {
        if let Some(status) = vm.handle_ready().unwrap() {
            break status;
        }
        rustix::event::poll(&mut vm.poll_fds(), None).unwrap();
    };
    assert_eq!(status, ExitStatus::Signaled(13));
}

#[test]
fn a_terminal() {
    let Some(fixture) = fixture() else { return };
    let script = "stty size; read line; echo got:$line; trap 'stty size; echo resized; exit 4' WINCH; echo ready; \
                  while :; do sleep 0.1; done";
    let mut case = case(fixture, &["sh", "-c", script]);
    case.plan.process.terminal = true;
    let (manager, io) = terminal();
    let keyboard = manager.try_clone().unwrap();
    let vm = microvm::start(&case.plan, io, None, &fixture.kernel, &fixture.agent).unwrap();
    let (silent, writer) = rustix::pipe::pipe().unwrap();
    let ends = Ends { stdin: None, stdout: Some(manager), stderr: Some(silent) };
    drop(writer);
    let mut answer = once("24 80", |_| assert_eq!(rustix::io::write(&keyboard, b"hello\n"), Ok(6)));
    let mut resize = once("ready", |vm| vm.resize(132, 50));
    let outcome = supervise(vm, ends, |vm, said| {
        answer(vm, said);
        resize(vm, said);
    });
    assert_eq!(outcome.code(), 4);
    assert_eq!(outcome.text(), "24 80\r\nhello\r\ngot:hello\r\nready\r\n50 132\r\nresized\r\n");
}

fn terminal() -> (OwnedFd, Stdio) {
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    let manager = openpt(flags).unwrap();
    grantpt(&manager).unwrap();
    unlockpt(&manager).unwrap();
    let ours = ioctl_tiocgptpeer(&manager, flags).unwrap();
    tcsetwinsize(&ours, Winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
    let again = || ours.try_clone().unwrap();
    let io = Stdio { stdin: again(), stdout: again(), stderr: again() };
    (manager, io)
}

#[test]
fn a_guest_panic_is_told_with_the_kernels_words() {
    let Some(fixture) = fixture() else { return };
    let (case, vm, ends) = start(fixture, &["sh", "-c", "echo c > /proc/sysrq-trigger; sleep 100"]);
    let outcome = supervise(vm, ends, |_, _| {});
    let error = outcome.status.unwrap_err();
    assert!(matches!(&error, Error::Died { console, .. } if console.contains("sysrq triggered crash")), "{error}");
    assert_eq!(error.class().exit_code(), 125);
    microvm::destroy(&case.plan.id, case.state.path()).unwrap();
    assert_eq!(std::fs::read_dir(case.state.path()).unwrap().count(), 0);
}

#[test]
fn qemu_killed_from_outside_ends_the_program_at_once() {
    let Some(fixture) = fixture() else { return };
    let (_case, vm, ends) = start(fixture, &["sh", "-c", "echo ready; exec sleep 100"]);
    let begin = Instant::now();
    let outcome = supervise(
        vm,
        ends,
        once("ready", |vm| rustix::process::pidfd_send_signal(vm.pidfd(), rustix::process::Signal::KILL).unwrap()),
    );
    assert!(matches!(outcome.status, Ok(ExitStatus::Signaled(9))), "{outcome:?}");
    assert!(begin.elapsed().as_secs() < 5);
}

#[test]
fn what_cannot_be_done_is_refused_before_anything_starts() {
    let Some(fixture) = fixture() else { return };
    let mut small = case(fixture, &["true"]);
    small.plan.resources.memory = Some(16 << 20);
    assert!(matches!(run(fixture, &small, b""), Err(Error::Memory { asked: 16, .. })));
    let mut traced = case(fixture, &["true"]);
    traced.plan.trace_syscalls = true;
    assert!(matches!(run(fixture, &traced, b""), Err(Error::Trace)));
    let mut gone = case(fixture, &["true"]);
    gone.plan.rootfs.erofs = "/nonexistent.erofs".into();
    assert!(matches!(run(fixture, &gone, b""), Err(Error::File { .. })));
    let mut broken = case(fixture, &["true"]);
    broken.plan.rootfs.erofs = fixture.agent.clone();
    let error = run(fixture, &broken, b"").unwrap_err();
    assert!(matches!(&error, Error::Setup(text) if text.contains("erofs")), "{error}");
}

#[test]
fn a_killed_supervisor_takes_its_vm_along() {
    const CHILD: &str = "CORACLE_TEST_SUPERVISOR";
    let Some(fixture) = fixture() else { return };
    if std::env::var_os(CHILD).is_some() {
        let mut case = case(fixture, &["sleep", "1000"]);
        case.plan.volumes = vec!["/tmp:/data".parse().unwrap()];
        let (io, _ends) = pipes();
        let vm = microvm::start(&case.plan, io, None, &fixture.kernel, &fixture.agent).unwrap();
        println!("\nvm {} {} {}", vm.pid(), case.plan.id, case.state.keep().display());
        std::thread::sleep(Duration::from_secs(100));
        return;
    }
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "a_killed_supervisor_takes_its_vm_along", "--nocapture"]).env(CHILD, "1");
    let mut supervisor = command.stdout(std::process::Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(supervisor.stdout.take().unwrap()).lines();
    let line = lines.find_map(|line| line.unwrap().strip_prefix("vm ").map(str::to_owned)).unwrap();
    let [pid, id, state] = line.split(' ').collect::<Vec<_>>().try_into().unwrap();
    let (id, state): (plan::InstanceId, _) = (id.parse().unwrap(), std::path::PathBuf::from(state));
    assert!(processes_of(&id).len() >= 2, "QEMU and virtiofsd");
    supervisor.kill().unwrap();
    supervisor.wait().unwrap();
    let deadline = Instant::now() + Duration::from_secs(5);
    while !processes_of(&id).is_empty() || std::path::Path::new("/proc").join(pid).exists() {
        assert!(Instant::now() < deadline, "still there: {:?}", processes_of(&id));
        std::thread::sleep(Duration::from_millis(10));
    }
    microvm::destroy(&id, &state).unwrap();
    assert!(!cgroup::list().unwrap().contains(&id));
    assert_eq!(std::fs::read_dir(&state).unwrap().count(), 0);
    std::fs::remove_dir(&state).unwrap();
}

fn processes_of(id: &plan::InstanceId) -> Vec<i32> {
    cgroup::Cgroup::open(id).unwrap().processes()
}
