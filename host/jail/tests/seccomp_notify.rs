//! A filter with `SCMP_ACT_NOTIFY`: the listener reaches the process that answers, even if the filter refuses all that
//! would be needed to send it. Unsafe for the ioctls of seccomp_unotify(2), which no safe library of ours offers.
#![allow(unsafe_code)]

use std::io::{self, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixListener;
use std::thread;

use jail::seccomp::oci;
use oci_spec::runtime::{ContainerProcessState, State};
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
use serde_json::json;

/// `SECCOMP_IOCTL_NOTIF_RECV` and `SECCOMP_IOCTL_NOTIF_SEND` of linux/seccomp.h.
const RECEIVE: i32 = 0xc050_2100_u32 as i32;
const ANSWER: i32 = 0xc018_2101_u32 as i32;

/// `struct seccomp_notif`.
#[repr(C)]
#[derive(Default)]
struct Notification {
    id: u64,
    pid: u32,
    flags: u32,
    number: i32,
    arch: u32,
    instruction_pointer: u64,
    args: [u64; 6],
}

/// `struct seccomp_notif_resp`.
#[repr(C)]
struct Response {
    id: u64,
    value: i64,
    error: i32,
    flags: u32,
}

fn receive(socket: &UnixListener) -> (ContainerProcessState, OwnedFd) {
    let (connection, _) = socket.accept().unwrap();
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let mut bytes = vec![0; 65536];
    let received =
        recvmsg(&connection, &mut [IoSliceMut::new(&mut bytes)], &mut ancillary, RecvFlags::CMSG_CLOEXEC).unwrap();
    let mut messages = ancillary.drain();
    let Some(RecvAncillaryMessage::ScmRights(mut descriptors)) = messages.next() else {
        panic!("no descriptor came");
    };
    (serde_json::from_slice(&bytes[..received.bytes]).unwrap(), descriptors.next().unwrap())
}

/// Answers one notification with an error number.
fn answer(listener: &OwnedFd, errno: i32) -> i32 {
    let mut notification = Notification::default();
    // SAFETY: the structure has the layout and the size that the request's number says.
    let result = unsafe { libc::ioctl(listener.as_raw_fd(), RECEIVE, &raw mut notification) };
    assert_eq!(result, 0, "{}", io::Error::last_os_error());
    let mut response = Response { id: notification.id, value: 0, error: -errno, flags: 0 };
    // SAFETY: as above.
    let result = unsafe { libc::ioctl(listener.as_raw_fd(), ANSWER, &raw mut response) };
    assert_eq!(result, 0, "{}", io::Error::last_os_error());
    notification.number
}

#[test]
fn the_listener_reaches_the_agent() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("agent.sock");
    let socket = UnixListener::bind(&path).unwrap();
    let profile = json!({
        "defaultAction": "SCMP_ACT_ALLOW", "listenerPath": path, "listenerMetadata": "some data",
        "flags": ["SECCOMP_FILTER_FLAG_TSYNC", "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"],
        "syscalls": [
            { "names": ["getpriority"], "action": "SCMP_ACT_NOTIFY" },
            { "names": ["sendmsg", "sendto", "write", "close", "wait4"], "action": "SCMP_ACT_ERRNO" },
        ],
    });
    let filter = oci::translate(&serde_json::from_value(profile).unwrap()).unwrap();
    // The filter is this thread's alone.
    let contained = thread::spawn(move || {
        let notifier = filter.listener.as_ref().unwrap().connect().unwrap();
        let mut state = State::default();
        state.set_version("1.2.0".into()).set_id("box".into());
        let message = notifier.message(42, state);
        rustix::thread::set_no_new_privs(true).unwrap();
        filter.install(Some((notifier, message))).unwrap();
        // SAFETY: getpriority(2) takes two numbers.
        let result = unsafe { libc::syscall(libc::SYS_getpriority, 0, 0) };
        (result, io::Error::last_os_error().raw_os_error())
    });
    let (state, listener) = receive(&socket);
    assert_eq!((*state.pid(), state.fds().as_slice()), (42, &["seccompFd".to_owned()][..]));
    assert_eq!(state.metadata().as_deref(), Some("some data"));
    assert_eq!((state.version().as_str(), state.state().id().as_str()), ("1.2.0", "box"));
    assert_eq!(answer(&listener, libc::EXDEV), libc::SYS_getpriority as i32);
    assert_eq!(contained.join().unwrap(), (-1, Some(libc::EXDEV)));
}

#[test]
fn an_agent_that_is_not_there_is_an_error() {
    let listener = oci::Listener { path: "/nonexistent/agent.sock".into(), metadata: None };
    assert_eq!(listener.connect().unwrap_err().kind(), io::ErrorKind::NotFound);
}
