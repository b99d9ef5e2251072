//! Tests of pipes, FIFOs, counters and timers through their calls.

use linux_abi::Errno;
use linux_abi::fs::*;
use linux_abi::nr;

use super::testing::*;

fn pipe(flags: u32) -> (u64, u64) {
    let pair = [0u32; 2];
    assert_eq!(call(nr::PIPE2, &[at(&pair), flags.into()]), Ok(0));
    let pair: [u32; 2] = crate::mem::read_value(platform::UserAddr(at(&pair))).unwrap();
    (pair[0].into(), pair[1].into())
}

#[test]
fn small_writes_are_whole_and_large_ones_fill_the_pipe() {
    process();
    let (r, w) = pipe(O_NONBLOCK);
    assert_eq!(read(r, 1), Err(Errno::EAGAIN));
    assert_eq!(write(w, &[1; 65536 - 100]), Ok(65436));
    assert_eq!(write(w, &[2; 101]), Err(Errno::EAGAIN));
    assert_eq!(write(w, &[2; 5000]), Ok(100));
    assert_eq!(write(w, b"x"), Err(Errno::EAGAIN));
    let all = read(r, 100_000).unwrap();
    assert_eq!((all.len(), all[65435], all[65436]), (65536, 1, 2));
    assert_eq!(call(nr::FCNTL, &[w, F_GETPIPE_SZ as u64]), Ok(65536));
    assert_eq!(call(nr::FCNTL, &[w, F_SETPIPE_SZ as u64, 5000]), Ok(8192));
    assert_eq!(write(w, &[3; 10_000]), Ok(8192));
    assert_eq!(call(nr::FCNTL, &[w, F_SETPIPE_SZ as u64, 4096]), Err(Errno::EBUSY));
    assert_eq!(call(nr::FCNTL, &[w, F_SETPIPE_SZ as u64, 4 << 20]), Err(Errno::EPERM));
    let left = [0i32];
    assert_eq!(call(nr::IOCTL, &[r, 0x541b, at(&left)]), Ok(0));
    assert_eq!(crate::mem::read_value::<i32>(platform::UserAddr(at(&left))), Ok(8192));
}

#[test]
fn ends_that_close_are_noticed() {
    process();
    let (r, w) = pipe(0);
    write(w, b"last").unwrap();
    close(w);
    assert_eq!(read(r, 10).unwrap(), b"last");
    assert_eq!(read(r, 10).unwrap(), b"");
    let (r, w) = pipe(0);
    assert_eq!(read(w, 1), Err(Errno::EBADF));
    assert_eq!(write(r, b"x"), Err(Errno::EBADF));
    assert_eq!(call(nr::LSEEK, &[r, 0, 0]), Err(Errno::ESPIPE));
    // SIGPIPE is blocked, so that it only becomes pending.
    crate::task::current().signals.set_mask(crate::signal::SigSet::of(13));
    close(r);
    assert_eq!(write(w, b"x"), Err(Errno::EPIPE));
    assert!(crate::task::current().signals.bits.load(std::sync::atomic::Ordering::Relaxed) & (1 << 12) != 0);
}

#[test]
fn a_waiting_writer_goes_on_when_there_is_room() {
    process();
    let (r, w) = pipe(0);
    let writer = crate::task::current().process.files.get(w as i32).unwrap();
    let thread = std::thread::spawn(move || {
        process_of(0);
        writer.write(&mut crate::mem::Source::kernel(&std::vec![5; 300_000])).unwrap()
    });
    let mut total = 0;
    while total < 300_000 {
        total += read(r, 7_777).unwrap().len();
    }
    assert_eq!(thread.join().unwrap(), 300_000);
}

#[test]
fn splice_and_tee_move_and_copy() {
    process();
    let ((r1, w1), (r2, w2)) = (pipe(O_NONBLOCK), pipe(O_NONBLOCK));
    write(w1, b"hello").unwrap();
    assert_eq!(call(nr::TEE, &[r1, w2, 100, 0]), Ok(5));
    assert_eq!(read(r2, 100).unwrap(), b"hello");
    assert_eq!(call(nr::SPLICE, &[r1, 0, w2, 0, 3, 0]), Ok(3));
    assert_eq!((read(r1, 100).unwrap(), read(r2, 100).unwrap()), (b"lo".to_vec(), b"hel".to_vec()));
    let file = open("/data/small", O_RDONLY, 0).unwrap();
    let offset = [1i64];
    assert_eq!(call(nr::SPLICE, &[file, at(&offset), w1, 0, 100, 0]), Ok(4));
    assert_eq!(read(r1, 100).unwrap(), b"mall");
    assert_eq!(crate::mem::read_value::<i64>(platform::UserAddr(at(&offset))), Ok(5));
    assert_eq!(call(nr::SPLICE, &[r1, at(&offset), w2, 0, 1, 0]), Err(Errno::ESPIPE));
    assert_eq!(call(nr::SPLICE, &[file, 0, file, 0, 1, 0]), Err(Errno::EBADF));
}

#[test]
fn fifos_meet_by_name() {
    process();
    assert_eq!(with_path(nr::MKNOD, "/tmp/fifo", &[0o10600, 0]), Ok(0));
    assert_eq!(open("/tmp/fifo", O_WRONLY | O_NONBLOCK, 0), Err(Errno::ENXIO));
    let r = open("/tmp/fifo", O_RDONLY | O_NONBLOCK, 0).unwrap();
    assert_eq!(read(r, 1).unwrap(), b"");
    let w = open("/tmp/fifo", O_WRONLY, 0).unwrap();
    assert_eq!(read(r, 1), Err(Errno::EAGAIN));
    write(w, b"x").unwrap();
    assert_eq!(read(r, 1).unwrap(), b"x");
}

#[test]
fn counters_count() {
    process();
    let fd = call(nr::EVENTFD2, &[3, O_NONBLOCK.into()]).unwrap() as u64;
    write(fd, &4u64.to_le_bytes()).unwrap();
    assert_eq!(read(fd, 8).unwrap(), 7u64.to_le_bytes());
    assert_eq!(read(fd, 8), Err(Errno::EAGAIN));
    assert_eq!(read(fd, 7), Err(Errno::EINVAL));
    assert_eq!(write(fd, &u64::MAX.to_le_bytes()), Err(Errno::EINVAL));
    write(fd, &(u64::MAX - 1).to_le_bytes()).unwrap();
    assert_eq!(write(fd, &1u64.to_le_bytes()), Err(Errno::EAGAIN));
    let semaphore = call(nr::EVENTFD2, &[2, u64::from(O_NONBLOCK) | 1]).unwrap() as u64;
    assert_eq!(read(semaphore, 8).unwrap(), 1u64.to_le_bytes());
    assert_eq!(read(semaphore, 8).unwrap(), 1u64.to_le_bytes());
    assert_eq!(read(semaphore, 8), Err(Errno::EAGAIN));
}

#[test]
fn timers_expire() {
    process();
    let fd = call(nr::TIMERFD_CREATE, &[1, 0]).unwrap() as u64;
    let setting = [0i64, 5_000_000, 0, 10_000_000];
    assert_eq!(call(nr::TIMERFD_SETTIME, &[fd, 0, at(&setting), 0]), Ok(0));
    let start = std::time::Instant::now();
    // More than one on a busy machine.
    assert_ne!(read(fd, 8).unwrap(), 0u64.to_le_bytes());
    assert!(start.elapsed().as_millis() >= 9);
    std::thread::sleep(std::time::Duration::from_millis(30));
    let expired = u64::from_le_bytes(read(fd, 8).unwrap().try_into().unwrap());
    assert!(expired >= 5, "{expired}");
    let old = [0i64; 4];
    assert_eq!(call(nr::TIMERFD_SETTIME, &[fd, 0, at(&[0i64; 4]), at(&old)]), Ok(0));
    assert_eq!(crate::mem::read_value::<[i64; 4]>(platform::UserAddr(at(&old))).unwrap()[1], 5_000_000);
    let fds = [[fd as u32, 1]];
    assert_eq!(call(nr::POLL, &[at(&fds), 1, 20]), Ok(0));
}

#[test]
fn signals_are_read() {
    process();
    let mask = [1u64 << 9];
    crate::task::current().signals.set_mask(crate::signal::SigSet(1 << 9));
    let fd = call(nr::SIGNALFD4, &[u64::MAX, at(&mask), 8, O_NONBLOCK.into()]).unwrap() as u64;
    assert_eq!(read(fd, 128), Err(Errno::EAGAIN));
    crate::task::send_signal(10);
    let record = read(fd, 1000).unwrap();
    assert_eq!((record.len(), record[0]), (128, 10));
    assert_eq!(read(fd, 128), Err(Errno::EAGAIN));
}

#[test]
fn locks_exclude_other_descriptions() {
    process();
    let path = "/tmp/locked";
    spill(path, b"0123456789").unwrap();
    let (a, b) = (open(path, O_RDWR, 0).unwrap(), open(path, O_RDWR, 0).unwrap());
    assert_eq!(call(nr::FLOCK, &[a, LOCK_EX as u64]), Ok(0));
    assert_eq!(call(nr::FLOCK, &[b, (LOCK_SH | LOCK_NB) as u64]), Err(Errno::EAGAIN));
    close(a);
    assert_eq!(call(nr::FLOCK, &[b, (LOCK_SH | LOCK_NB) as u64]), Ok(0));
    let lock = |kind: i16, start: i64, len: i64| Flock {
        l_type: kind,
        l_whence: 0,
        padding: 0,
        l_start: start,
        l_len: len,
        l_pid: 0,
        padding2: 0,
    };
    let set = |fd: u64, command: i32, flock: &Flock| call(nr::FCNTL, &[fd, command as u64, at(flock)]);
    assert_eq!(set(b, F_SETLK, &lock(F_WRLCK, 2, 3)), Ok(0));
    let c = open(path, O_RDWR, 0).unwrap();
    assert_eq!(set(c, F_OFD_SETLK, &lock(F_WRLCK, 4, 1)), Err(Errno::EAGAIN));
    let probe = lock(F_RDLCK, 0, 0);
    assert_eq!(set(c, F_OFD_GETLK, &probe), Ok(0));
    let found: Flock = crate::mem::read_value(platform::UserAddr(at(&probe))).unwrap();
    assert_eq!((found.l_type, found.l_start, found.l_len), (F_WRLCK, 2, 3));
    assert_eq!(found.l_pid as u32, crate::task::current().process.pid);
    // Closing any descriptor of the file drops the process's locks.
    close(open(path, O_RDONLY, 0).unwrap());
    assert_eq!(set(c, F_OFD_SETLK, &lock(F_WRLCK, 4, 1)), Ok(0));
}

#[test]
fn changes_are_told() {
    process();
    assert_eq!(with_path(nr::MKDIR, "/tmp/watched", &[0o755]), Ok(0));
    let fd = call(nr::INOTIFY_INIT1, &[O_NONBLOCK.into()]).unwrap() as u64;
    let watch = |path: &str, mask: u32| call(nr::INOTIFY_ADD_WATCH, &[fd, at(&*c(path)), mask.into()]);
    assert_eq!(watch("/tmp/missing", IN_ALL_EVENTS), Err(Errno::ENOENT));
    assert_eq!(watch("/tmp/watched", 0), Err(Errno::EINVAL));
    assert_eq!(watch("/tmp/watched", IN_CREATE | IN_MODIFY | IN_CLOSE_WRITE | IN_MOVED_TO | IN_DELETE), Ok(1));
    assert_eq!(read(fd, 100), Err(Errno::EAGAIN));
    spill("/tmp/watched/f", b"x").unwrap();
    assert_eq!(with_paths(nr::RENAME, "/tmp/watched/f", "/tmp/watched/g"), Ok(0));
    assert_eq!(with_path(nr::UNLINK, "/tmp/watched/g", &[]), Ok(0));
    assert_eq!(read(fd, 20), Err(Errno::EINVAL));
    let events = read(fd, 4096).unwrap();
    let seen: std::vec::Vec<(u32, u8)> =
        events.chunks(32).map(|e| (u32::from_le_bytes([e[4], e[5], e[6], e[7]]), e[16])).collect();
    let expected =
        [(IN_CREATE, b'f'), (IN_MODIFY, b'f'), (IN_CLOSE_WRITE, b'f'), (IN_MOVED_TO, b'g'), (IN_DELETE, b'g')];
    assert_eq!(seen, expected);
    assert_eq!(call(nr::INOTIFY_RM_WATCH, &[fd, 1]), Ok(0));
    assert_eq!(read(fd, 100).unwrap().len(), 16);
    assert_eq!(call(nr::INOTIFY_RM_WATCH, &[fd, 1]), Err(Errno::EINVAL));
}
