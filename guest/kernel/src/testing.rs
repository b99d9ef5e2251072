//! A machine for unit tests on the build host: real memory, real waiting, nothing outside. Application addresses are plain
//! addresses of the test process.
#![allow(unsafe_code)] // mappings at chosen addresses and copies that survive bad pointers need the host's own calls

use std::boxed::Box;
use std::cell::Cell;
use std::collections::VecDeque;
use std::string::String;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, OnceLock};
use std::time::{Duration, Instant, SystemTime};
use std::vec::Vec;

use boot_info::{BootInfo, StrList};
use linux_abi::Errno;
use platform::{
    Deadline, IoReady, Machine, MapSource, Prot, Stream, ThreadStart, UserAddr, UserFault, UserRange, WaitOutcome,
};

/// The addresses that tests may map: unused by the host's own placement.
const USER: UserRange = UserRange { start: 0x2000_0000_0000, end: 0x3000_0000_0000 };

/// The machine of the tests. One for the whole test process: its state is shared by tests that run at the same time.
#[derive(Default)]
pub(crate) struct TestMachine {
    image: OnceLock<&'static [u8]>,
    kicked: Mutex<bool>,
    kick: Condvar,
    /// What was written to the console.
    pub(crate) console: Mutex<Vec<u8>>,
    /// What standard input gives.
    pub(crate) stdin: Mutex<VecDeque<u8>>,
    /// What the kernel logged.
    pub(crate) logged: Mutex<String>,
    /// What `rewrite` says that it needs, and how often it was called with room.
    pub(crate) stubs_needed: AtomicU64,
    pub(crate) rewrites: AtomicU32,
}

std::thread_local! {
    static TOKEN: Cell<usize> = const { Cell::new(0) };
}

static MACHINE: OnceLock<&'static TestMachine> = OnceLock::new();

/// Installs the machine (once) and gives it.
pub(crate) fn setup() -> &'static TestMachine {
    MACHINE.get_or_init(|| {
        let machine: &'static TestMachine = Box::leak(Box::default());
        crate::machine::install(machine);
        crate::time::init();
        machine
    })
}

/// [`setup`] with an image file; only the first one of the test process counts.
pub(crate) fn setup_with_image(image: &'static [u8]) -> &'static TestMachine {
    let machine = setup();
    let _ = machine.image.set(image);
    machine
}

/// A free range of application addresses for one test, not mapped yet.
pub(crate) fn room(len: u64) -> UserRange {
    static NEXT: AtomicU64 = AtomicU64::new(USER.start);
    let start = NEXT.fetch_add((len + 0xffff) & !0xffff, Ordering::Relaxed);
    UserRange { start, end: start + len }
}

/// One page of application memory for a test.
pub(crate) fn page() -> UserAddr {
    let range = room(4096);
    assert_eq!(setup().map(range, Prot::RW, MapSource::Anonymous), Ok(()));
    UserAddr(range.start)
}

fn bits(prot: Prot) -> i32 {
    let bit = |set, bit| if set { bit } else { 0 };
    bit(prot.read, libc::PROT_READ) | bit(prot.write, libc::PROT_WRITE) | bit(prot.exec, libc::PROT_EXEC)
}

fn check(result: i64) -> Result<i64, Errno> {
    if result < 0 {
        let number = std::io::Error::last_os_error().raw_os_error().unwrap_or(libc::EIO);
        return Err(Errno::from_return(-i64::from(number)).unwrap_or(Errno::EIO));
    }
    Ok(result)
}

fn inside(range: UserRange) -> Result<UserRange, Errno> {
    if range.start >= USER.start && range.end <= USER.end { Ok(range) } else { Err(Errno::ENOMEM) }
}

/// Copies between this process and itself, so that a bad pointer gives an error.
fn copy(from: u64, to: u64, len: usize, write: bool) -> bool {
    let piece = |base: u64| libc::iovec { iov_base: base as *mut libc::c_void, iov_len: len };
    let (local, remote) = if write { (piece(from), piece(to)) } else { (piece(to), piece(from)) };
    // SAFETY: the local piece is the caller's slice; the host checks the remote one.
    let done = unsafe {
        match write {
            true => libc::process_vm_writev(libc::getpid(), &local, 1, &remote, 1, 0),
            false => libc::process_vm_readv(libc::getpid(), &local, 1, &remote, 1, 0),
        }
    };
    len == 0 || done == len as isize
}

fn start() -> Instant {
    static START: OnceLock<Instant> = OnceLock::new();
    *START.get_or_init(Instant::now)
}

fn futex(word: &AtomicU32, operation: i32, value: u32, timeout: Option<Duration>) -> i64 {
    let spec = timeout.map(|t| libc::timespec { tv_sec: t.as_secs() as i64, tv_nsec: t.subsec_nanos().into() });
    let spec = spec.as_ref().map_or(core::ptr::null(), core::ptr::from_ref);
    // SAFETY: the word and the timeout live for the call.
    unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), operation, value, spec) }
}

impl Machine for TestMachine {
    fn boot_info(&self) -> &'static BootInfo<'static> {
        static INFO: OnceLock<BootInfo<'static>> = OnceLock::new();
        let empty = || StrList::new(b"").unwrap_or_default();
        INFO.get_or_init(|| BootInfo {
            args: empty(),
            env: empty(),
            cwd: "/",
            hostname: "test",
            etc_hosts: "",
            resolv_conf: "",
            volumes: empty(),
            memory_limit: 1 << 40,
            cpus: 2,
            max_threads: 0,
            uid: 0,
            gid: 0,
            groups: &[],
            read_only: false,
            terminal: false,
            trace: false,
            network: None,
        })
    }

    fn user_space(&self) -> UserRange {
        USER
    }

    fn map(&self, range: UserRange, prot: Prot, source: MapSource) -> Result<(), Errno> {
        let range = inside(range)?;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED | libc::MAP_NORESERVE;
        let at = range.start as *mut libc::c_void;
        // SAFETY: the range is the tests' alone.
        let done = unsafe { libc::mmap(at, range.len() as usize, bits(Prot::RW), flags, -1, 0) };
        check(if done == libc::MAP_FAILED { -1 } else { 0 })?;
        if let MapSource::Image(offset) = source {
            let data = self.image().get(offset as usize..).unwrap_or(&[]);
            let len = data.len().min(range.len() as usize);
            self.copy_to_user(UserAddr(range.start), &data[..len])?;
        }
        self.protect(range, prot)
    }

    fn unmap(&self, range: UserRange) -> Result<(), Errno> {
        let range = inside(range)?;
        // SAFETY: as in `map`.
        check(unsafe { libc::munmap(range.start as *mut libc::c_void, range.len() as usize) }.into()).map(drop)
    }

    fn protect(&self, range: UserRange, prot: Prot) -> Result<(), Errno> {
        let range = inside(range)?;
        let at = range.start as *mut libc::c_void;
        // SAFETY: as in `map`.
        check(unsafe { libc::mprotect(at, range.len() as usize, bits(prot)) }.into()).map(drop)
    }

    fn discard(&self, range: UserRange) -> Result<(), Errno> {
        let range = inside(range)?;
        let at = range.start as *mut libc::c_void;
        // SAFETY: as in `map`.
        check(unsafe { libc::madvise(at, range.len() as usize, libc::MADV_DONTNEED) }.into()).map(drop)
    }

    fn copy_from_user(&self, from: UserAddr, to: &mut [u8]) -> Result<(), UserFault> {
        if copy(from.0, to.as_mut_ptr() as u64, to.len(), false) { Ok(()) } else { Err(UserFault(from)) }
    }

    fn copy_to_user(&self, to: UserAddr, from: &[u8]) -> Result<(), UserFault> {
        if copy(from.as_ptr() as u64, to.0, from.len(), true) { Ok(()) } else { Err(UserFault(to)) }
    }

    fn load_user_u32(&self, at: UserAddr) -> Result<u32, UserFault> {
        let mut bytes = [0; 4];
        self.copy_from_user(at, &mut bytes).map(|()| u32::from_ne_bytes(bytes))
    }

    fn cmpxchg_user_u32(&self, at: UserAddr, old: u32, new: u32) -> Result<u32, UserFault> {
        self.load_user_u32(at)?;
        // SAFETY: the word was just read, so it is mapped; tests do not unmap it meanwhile.
        let word = unsafe { AtomicU32::from_ptr(at.0 as *mut u32) };
        Ok(word.compare_exchange(old, new, Ordering::AcqRel, Ordering::Acquire).unwrap_or_else(|seen| seen))
    }

    fn image(&self) -> &'static [u8] {
        self.image.get().copied().unwrap_or(&[])
    }

    fn monotonic_ns(&self) -> u64 {
        start().elapsed().as_nanos() as u64 + 1_000_000_000
    }

    fn realtime_ns(&self) -> u64 {
        SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |d| d.as_nanos() as u64)
    }

    fn cpu_time_ns(&self, _whole_instance: bool) -> u64 {
        start().elapsed().as_nanos() as u64
    }

    fn random(&self, buffer: &mut [u8]) {
        // SAFETY: the buffer is the caller's.
        let done = unsafe { libc::getrandom(buffer.as_mut_ptr().cast(), buffer.len(), 0) };
        assert_eq!(done, buffer.len() as isize);
    }

    fn current(&self) -> usize {
        TOKEN.get()
    }

    fn set_current(&self, token: usize) {
        TOKEN.set(token);
    }

    fn start_thread(&self, _start: &ThreadStart) -> Result<(), Errno> {
        Err(Errno::EAGAIN)
    }

    fn exit_thread(&self, _clear: Option<UserAddr>) -> ! {
        panic!("the thread ended")
    }

    fn exit(&self, code: u8) -> ! {
        panic!("the instance ended with {code}")
    }

    fn set_fs_base(&self, _base: u64) {}

    fn wait_word(&self, word: &AtomicU32, expected: u32, deadline: Option<Deadline>) -> WaitOutcome {
        let left = deadline.map(|at| Duration::from_nanos(at.saturating_sub(self.monotonic_ns())));
        let result = futex(word, libc::FUTEX_WAIT, expected, left);
        match std::io::Error::last_os_error().raw_os_error() {
            Some(libc::ETIMEDOUT) if result < 0 => WaitOutcome::TimedOut,
            Some(libc::EINTR) if result < 0 => WaitOutcome::Interrupted,
            _ => WaitOutcome::Woken,
        }
    }

    fn wake_word(&self, word: &AtomicU32, count: u32) {
        futex(word, libc::FUTEX_WAKE, count, None);
    }

    fn interrupt_thread(&self, _token: usize) {}

    fn yield_now(&self) {
        std::thread::yield_now();
    }

    fn cpus(&self) -> u32 {
        2
    }

    fn wait_io(&self, stdin: bool, deadline: Option<Deadline>) -> IoReady {
        let has_input = || stdin && self.stdin.lock().is_ok_and(|s| !s.is_empty());
        let Ok(mut kicked) = self.kicked.lock() else { return IoReady::default() };
        loop {
            let timed_out = deadline.is_some_and(|at| self.monotonic_ns() >= at);
            if core::mem::take(&mut *kicked) {
                return IoReady { kicked: true, ..IoReady::default() };
            }
            if timed_out || has_input() {
                return IoReady { timed_out, stdin: has_input(), ..IoReady::default() };
            }
            let left = deadline.map_or(Duration::from_millis(50), |at| {
                Duration::from_nanos(at.saturating_sub(self.monotonic_ns())).min(Duration::from_millis(50))
            });
            match self.kick.wait_timeout(kicked, left) {
                Ok((guard, _)) => kicked = guard,
                Err(_) => return IoReady::default(),
            }
        }
    }

    fn kick(&self) {
        if let Ok(mut kicked) = self.kicked.lock() {
            *kicked = true;
        }
        self.kick.notify_all();
    }

    fn receive_packet(&self, _buffer: &mut [u8]) -> Option<usize> {
        None
    }

    fn send_packet(&self, _parts: &[&[u8]]) -> bool {
        true
    }

    fn console_write(&self, _stream: Stream, data: &[u8]) -> Result<usize, Errno> {
        self.console.lock().map_err(|_| Errno::EIO)?.extend_from_slice(data);
        Ok(data.len())
    }

    fn console_read(&self, data: &mut [u8]) -> Result<usize, Errno> {
        let mut stdin = self.stdin.lock().map_err(|_| Errno::EIO)?;
        if stdin.is_empty() {
            return Err(Errno::EAGAIN);
        }
        let len = data.len().min(stdin.len());
        stdin.drain(..len).zip(data).for_each(|(from, to)| *to = from);
        Ok(len)
    }

    fn window_size(&self) -> Option<(u16, u16)> {
        None
    }

    fn log(&self, message: &str) {
        if let Ok(mut logged) = self.logged.lock() {
            logged.push_str(message);
        }
    }

    fn volume_call(&self, _number: u32, _args: [u64; 6]) -> i64 {
        Errno::ENOSYS.to_return()
    }

    fn vector_state_size(&self) -> usize {
        836
    }

    fn save_vector_state(&self, to: UserAddr) -> Result<(), UserFault> {
        self.copy_to_user(to, &[0x5a; 836])
    }

    fn load_vector_state(&self, from: UserAddr) -> Result<(), UserFault> {
        let mut state = [0; 836];
        self.copy_from_user(from, &mut state)?;
        if state == [0x5a; 836] { Ok(()) } else { Err(UserFault(from)) }
    }

    fn rewrite(&self, _text: UserRange, _offset: u64, stubs: Option<UserRange>) -> Result<u64, Errno> {
        let needed = self.stubs_needed.load(Ordering::Relaxed);
        if let Some(stubs) = stubs {
            self.rewrites.fetch_add(1, Ordering::Relaxed);
            assert!(stubs.len() >= needed);
        }
        Ok(needed)
    }

    fn vdso(&self) -> Option<u64> {
        None
    }
}
