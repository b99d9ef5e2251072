use linux_abi::Errno;
use linux_abi::fs::{O_CLOEXEC, O_NONBLOCK};
use linux_abi::nr;
use linux_abi::poll::{EPOLL_CTL_ADD, EPOLL_CTL_DEL, EPOLL_CTL_MOD, EPOLLET, EPOLLONESHOT};

use crate::vfs::testing::*;

const IN: u32 = 1;
const OUT: u32 = 4;
const HUP: u32 = 0x10;

fn epoll() -> u64 {
    call(nr::EPOLL_CREATE1, &[O_CLOEXEC.into()]).unwrap() as u64
}

fn pipe() -> (u64, u64) {
    let pair = [0u32; 2];
    assert_eq!(call(nr::PIPE2, &[at(&pair), O_NONBLOCK.into()]), Ok(0));
    let pair: [u32; 2] = crate::mem::read_value(platform::UserAddr(at(&pair))).unwrap();
    (pair[0].into(), pair[1].into())
}

fn ctl(epoll: u64, operation: i32, fd: u64, events: u32, data: u64) -> Result<i64, Errno> {
    let event = [events, data as u32, (data >> 32) as u32];
    call(nr::EPOLL_CTL, &[epoll, operation as u64, fd, at(&event)])
}

/// Waits without waiting; gives events and data of what is ready.
fn ready(epoll: u64) -> std::vec::Vec<(u32, u64)> {
    let events = [[0u32; 3]; 16];
    let n = call(nr::EPOLL_WAIT, &[epoll, at(&events), 16, 0]).unwrap() as usize;
    let events: [[u32; 3]; 16] = crate::mem::read_value(platform::UserAddr(at(&events))).unwrap();
    events[..n].iter().map(|e| (e[0], u64::from(e[1]) | u64::from(e[2]) << 32)).collect()
}

#[test]
fn level_triggered_reports_as_long_as_it_lasts() {
    process();
    let (ep, (r, w)) = (epoll(), pipe());
    let data = 0x1234_5678_9abc_def0;
    assert_eq!(ctl(ep, EPOLL_CTL_ADD, r, IN, data), Ok(0));
    assert_eq!(ready(ep), []);
    write(w, b"ab").unwrap();
    assert_eq!(ready(ep), [(IN, data)]);
    assert_eq!(ready(ep), [(IN, data)]);
    read(r, 1).unwrap();
    assert_eq!(ready(ep), [(IN, data)]);
    read(r, 1).unwrap();
    assert_eq!(ready(ep), []);
    close(w);
    assert_eq!(ready(ep), [(HUP, data)]);
}

#[test]
fn edge_triggered_reports_each_arrival_once() {
    process();
    let (ep, (r, w)) = (epoll(), pipe());
    write(w, b"before").unwrap();
    assert_eq!(ctl(ep, EPOLL_CTL_ADD, r, IN | EPOLLET, 1), Ok(0));
    assert_eq!(ready(ep), [(IN, 1)]);
    assert_eq!(ready(ep), []);
    write(w, b"more").unwrap();
    assert_eq!(ready(ep), [(IN, 1)]);
    assert_eq!(ready(ep), []);
    assert_eq!(ctl(ep, EPOLL_CTL_MOD, r, IN | EPOLLET, 2), Ok(0));
    assert_eq!(ready(ep), [(IN, 2)]);
}

#[test]
fn one_shot_reports_once_until_armed_again() {
    process();
    let (ep, (r, w)) = (epoll(), pipe());
    assert_eq!(ctl(ep, EPOLL_CTL_ADD, r, IN | EPOLLONESHOT, 1), Ok(0));
    write(w, b"x").unwrap();
    assert_eq!(ready(ep), [(IN, 1)]);
    write(w, b"y").unwrap();
    assert_eq!(ready(ep), []);
    assert_eq!(ctl(ep, EPOLL_CTL_MOD, r, IN | EPOLLONESHOT, 3), Ok(0));
    assert_eq!(ready(ep), [(IN, 3)]);
}

#[test]
fn control_refuses_what_makes_no_sense() {
    process();
    let (ep, (r, _w)) = (epoll(), pipe());
    assert_eq!(ctl(ep, EPOLL_CTL_MOD, r, IN, 0), Err(Errno::ENOENT));
    assert_eq!(ctl(ep, EPOLL_CTL_DEL, r, 0, 0), Err(Errno::ENOENT));
    assert_eq!(ctl(ep, EPOLL_CTL_ADD, r, IN, 0), Ok(0));
    assert_eq!(ctl(ep, EPOLL_CTL_ADD, r, IN, 0), Err(Errno::EEXIST));
    assert_eq!(ctl(ep, EPOLL_CTL_ADD, ep, IN, 0), Err(Errno::EINVAL));
    assert_eq!(ctl(ep, EPOLL_CTL_ADD, 99, IN, 0), Err(Errno::EBADF));
    assert_eq!(ctl(r, EPOLL_CTL_ADD, ep, IN, 0), Err(Errno::EINVAL));
    let file = open("/data/small", 0, 0).unwrap();
    assert_eq!(ctl(ep, EPOLL_CTL_ADD, file, IN, 0), Err(Errno::EPERM));
    assert_eq!(call(nr::EPOLL_WAIT, &[ep, at(&[0u8; 12]), 0, 0]), Err(Errno::EINVAL));
    let other = epoll();
    assert_eq!(ctl(other, EPOLL_CTL_ADD, ep, IN, 0), Ok(0));
    assert_eq!(ctl(ep, EPOLL_CTL_ADD, other, IN, 0), Err(Errno::ELOOP));
}

#[test]
fn instances_watch_instances() {
    process();
    let (outer, inner, (r, w)) = (epoll(), epoll(), pipe());
    assert_eq!(ctl(inner, EPOLL_CTL_ADD, r, IN, 1), Ok(0));
    assert_eq!(ctl(outer, EPOLL_CTL_ADD, inner, IN, 2), Ok(0));
    assert_eq!(ready(outer), []);
    write(w, b"x").unwrap();
    assert_eq!(ready(outer), [(IN, 2)]);
    read(r, 1).unwrap();
    assert_eq!(ready(outer), []);
}

#[test]
fn a_closed_file_is_forgotten() {
    process();
    let (ep, (r, w)) = (epoll(), pipe());
    assert_eq!(ctl(ep, EPOLL_CTL_ADD, r, IN, 1), Ok(0));
    let copy = call(nr::DUP, &[r]).unwrap() as u64;
    write(w, b"x").unwrap();
    close(r);
    // The description is still there (epoll(7), question 6).
    assert_eq!(ready(ep), [(IN, 1)]);
    close(copy);
    assert_eq!(ready(ep), []);
    let (again, _w) = pipe();
    assert_eq!(again, r);
    assert_eq!(ctl(ep, EPOLL_CTL_ADD, again, IN, 2), Ok(0));
}

#[test]
fn waiting_ends_when_another_thread_writes_and_at_the_deadline() {
    process();
    let (ep, (r, w)) = (epoll(), pipe());
    assert_eq!(ctl(ep, EPOLL_CTL_ADD, r, IN, 7), Ok(0));
    let events = [[0u32; 3]; 4];
    let start = std::time::Instant::now();
    assert_eq!(call(nr::EPOLL_WAIT, &[ep, at(&events), 4, 30]), Ok(0));
    assert!(start.elapsed().as_millis() >= 30);
    let writer = crate::task::current().process.files.get(w as i32).unwrap();
    let thread = std::thread::spawn(move || {
        std::thread::sleep(std::time::Duration::from_millis(30));
        writer.write(&mut crate::mem::Source::kernel(b"x")).unwrap();
    });
    assert_eq!(call(nr::EPOLL_WAIT, &[ep, at(&events), 4, 10_000]), Ok(1));
    assert!(start.elapsed().as_secs() < 5);
    thread.join().unwrap();
}

#[test]
fn poll_and_select_agree() {
    process();
    let (r, w) = pipe();
    let fds = [[r as u32, 1], [w as u32, 4], [99, 1], [u32::MAX, 1]];
    assert_eq!(call(nr::POLL, &[at(&fds), 4, 0]), Ok(2));
    let fds: [[u32; 2]; 4] = crate::mem::read_value(platform::UserAddr(at(&fds))).unwrap();
    assert_eq!(fds.map(|fd| fd[1] >> 16), [0, OUT, 0x20, 0]);
    write(w, b"x").unwrap();
    let (reads, writes) = ([1u64 << r], [1u64 << w]);
    let timeout = [0i64; 2];
    assert_eq!(call(nr::SELECT, &[w + 1, at(&reads), at(&writes), 0, at(&timeout)]), Ok(2));
    let bad = [1u64 << 60];
    assert_eq!(call(nr::SELECT, &[61, at(&bad), 0, 0, at(&timeout)]), Err(Errno::EBADF));
    close(w);
    read(r, 1).unwrap();
    let fds = [[r as u32, 1]];
    assert_eq!(call(nr::POLL, &[at(&fds), 1, 0]), Ok(1));
    let fds: [u32; 2] = crate::mem::read_value(platform::UserAddr(at(&fds))).unwrap();
    assert_eq!(fds[1] >> 16, HUP);
}
