//! A machine with a network and a clock, and nothing else.
#![allow(unsafe_code)] // ioctl(2) on the TAP device, and futex waits, have no safe form.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant, SystemTime};

use boot_info::{BootInfo, Network};
use linux_abi::Errno;
use platform::{
    Deadline, IoReady, Machine, MapSource, Prot, Stream, ThreadStart, UserAddr, UserFault, UserRange, WaitOutcome,
};
use rustix::event::{EventfdFlags, PollFd, PollFlags, eventfd, poll};
use rustix::ioctl::{IntegerSetter, Setter, ioctl};

/// The instance's side of the test network.
pub(super) const NETWORK: Network =
    Network { mac: [2, 0, 0, 0, 0, 2], address: [10, 77, 0, 2], prefix: 24, gateway: [10, 77, 0, 1], mtu: 1500 };
/// The host's side.
pub(super) const HOST: &str = "10.77.0.1";

/// The machine.
pub(super) struct TapMachine {
    tap: File,
    kick: std::os::fd::OwnedFd,
    start: Instant,
    /// Host calls to receive and to send.
    pub(super) reads: AtomicU32,
    /// Packets sent.
    pub(super) writes: AtomicU32,
}

impl TapMachine {
    /// Makes a TAP device in the current network namespace, gives the host its address, and installs the machine.
    pub(super) fn install() -> &'static Self {
        let tap = File::options().read(true).write(true).open("/dev/net/tun").unwrap();
        let mut request = [0u8; 40];
        request[..4].copy_from_slice(b"tap0");
        const TAP_NO_PI_VNET_HDR_NONBLOCK: u16 = 0x0002 | 0x1000 | 0x4000;
        request[16..18].copy_from_slice(&TAP_NO_PI_VNET_HDR_NONBLOCK.to_le_bytes());
        // SAFETY: TUNSETIFF reads (and writes back) one `struct ifreq` of 40 bytes.
        unsafe { ioctl(&tap, Setter::<0x4004_54ca, [u8; 40]>::new(request)) }.unwrap();
        // SAFETY: TUNSETVNETHDRSZ reads an int.
        unsafe { ioctl(&tap, Setter::<0x4004_54d8, i32>::new(12)) }.unwrap();
        // SAFETY: TUNSETOFFLOAD takes its flags by value: checksums, TCP segmentation of IPv4 and IPv6.
        unsafe { ioctl(&tap, IntegerSetter::<0x4004_54d0>::new_usize(7)) }.unwrap();
        rustix::io::ioctl_fionbio(&tap, true).unwrap();
        for command in ["link set lo up", "addr add 10.77.0.1/24 dev tap0", "link set tap0 up"] {
            assert!(Command::new("ip").args(command.split(' ')).status().unwrap().success(), "ip {command}");
        }
        let kick = eventfd(0, EventfdFlags::NONBLOCK).unwrap();
        let (reads, writes) = (AtomicU32::new(0), AtomicU32::new(0));
        let machine = Box::leak(Box::new(Self { tap, kick, start: Instant::now(), reads, writes }));
        crate::machine::install(machine);
        machine
    }

    /// Now.
    pub(super) fn clock(&self) -> Deadline {
        self.monotonic_ns()
    }

    /// Runs the stack until `done`; panics after 20 seconds.
    pub(super) fn run_until(&self, mut done: impl FnMut() -> bool) {
        let end = Instant::now() + Duration::from_secs(20);
        loop {
            let deadline = crate::net::poll();
            if done() {
                return;
            }
            assert!(Instant::now() < end, "nothing happened for too long");
            let soon = self.monotonic_ns() + 50_000_000;
            self.wait_io(false, Some(deadline.unwrap_or(soon).min(soon)));
        }
    }
}

static BOOT_INFO: std::sync::OnceLock<BootInfo<'static>> = std::sync::OnceLock::new();

impl Machine for TapMachine {
    fn boot_info(&self) -> &'static BootInfo<'static> {
        BOOT_INFO.get_or_init(|| BootInfo {
            args: Default::default(),
            env: Default::default(),
            cwd: "/",
            hostname: "test",
            etc_hosts: "",
            resolv_conf: "",
            volumes: Default::default(),
            memory_limit: 0,
            cpus: 1,
            max_threads: 0,
            uid: 0,
            gid: 0,
            groups: &[],
            read_only: false,
            terminal: false,
            trace: false,
            network: Some(NETWORK),
        })
    }

    fn monotonic_ns(&self) -> u64 {
        self.start.elapsed().as_nanos() as u64 + 1_000_000_000
    }

    fn realtime_ns(&self) -> u64 {
        SystemTime::UNIX_EPOCH.elapsed().unwrap().as_nanos() as u64
    }

    fn random(&self, buffer: &mut [u8]) {
        rustix::rand::getrandom(buffer, rustix::rand::GetRandomFlags::empty()).unwrap();
    }

    fn current(&self) -> usize {
        0
    }

    fn wait_word(&self, word: &AtomicU32, expected: u32, _deadline: Option<Deadline>) -> WaitOutcome {
        while word.load(Ordering::Acquire) == expected {
            std::thread::yield_now();
        }
        WaitOutcome::Woken
    }

    fn wake_word(&self, _word: &AtomicU32, _count: u32) {}

    fn wait_io(&self, _stdin: bool, deadline: Option<Deadline>) -> IoReady {
        let timeout = deadline.map(|at| Duration::from_nanos(at.saturating_sub(self.monotonic_ns())));
        let timeout = timeout.map(|t| rustix::event::Timespec::try_from(t).unwrap());
        let (packets, kicked) = {
            let mut fds = [PollFd::new(&self.tap, PollFlags::IN), PollFd::new(&self.kick, PollFlags::IN)];
            let _ = poll(&mut fds, timeout.as_ref());
            (!fds[0].revents().is_empty(), !fds[1].revents().is_empty())
        };
        if kicked {
            let _ = rustix::io::read(self.kick.as_fd(), &mut [0u8; 8]);
        }
        IoReady { packets, kicked, ..IoReady::default() }
    }

    fn kick(&self) {
        rustix::io::write(self.kick.as_fd(), &1u64.to_ne_bytes()).unwrap();
    }

    fn receive_packet(&self, buffer: &mut [u8]) -> Option<usize> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        (&self.tap).read(buffer).ok()
    }

    fn send_packet(&self, parts: &[&[u8]]) -> bool {
        self.writes.fetch_add(1, Ordering::Relaxed);
        let whole = parts.concat();
        (&self.tap).write(&whole).map_err(|e| eprintln!("TAP refuses a packet: {e}")).is_ok()
    }

    fn user_space(&self) -> UserRange {
        unreachable!()
    }
    fn map(&self, _: UserRange, _: Prot, _: MapSource) -> Result<(), Errno> {
        unreachable!()
    }
    fn unmap(&self, _: UserRange) -> Result<(), Errno> {
        unreachable!()
    }
    fn protect(&self, _: UserRange, _: Prot) -> Result<(), Errno> {
        unreachable!()
    }
    fn discard(&self, _: UserRange) -> Result<(), Errno> {
        unreachable!()
    }
    fn copy_from_user(&self, from: UserAddr, _: &mut [u8]) -> Result<(), UserFault> {
        Err(UserFault(from))
    }
    fn copy_to_user(&self, to: UserAddr, _: &[u8]) -> Result<(), UserFault> {
        Err(UserFault(to))
    }
    fn load_user_u32(&self, at: UserAddr) -> Result<u32, UserFault> {
        Err(UserFault(at))
    }
    fn cmpxchg_user_u32(&self, at: UserAddr, _: u32, _: u32) -> Result<u32, UserFault> {
        Err(UserFault(at))
    }
    fn image(&self) -> &'static [u8] {
        &[]
    }
    fn cpu_time_ns(&self, _: bool) -> u64 {
        0
    }
    fn set_current(&self, _: usize) {}
    fn start_thread(&self, _: &ThreadStart) -> Result<(), Errno> {
        unreachable!()
    }
    fn exit_thread(&self, _: Option<UserAddr>) -> ! {
        unreachable!()
    }
    fn exit(&self, code: u8) -> ! {
        std::process::exit(code.into())
    }
    fn set_fs_base(&self, _: u64) {}
    fn interrupt_thread(&self, _: usize) {}
    fn yield_now(&self) {
        std::thread::yield_now();
    }
    fn cpus(&self) -> u32 {
        1
    }
    fn console_write(&self, _: Stream, data: &[u8]) -> Result<usize, Errno> {
        Ok(data.len())
    }
    fn console_read(&self, _: &mut [u8]) -> Result<usize, Errno> {
        Ok(0)
    }
    fn window_size(&self) -> Option<(u16, u16)> {
        None
    }
    fn log(&self, message: &str) {
        eprintln!("{message}");
    }
    fn volume_call(&self, _: u32, _: [u64; 6]) -> i64 {
        Errno::ENOSYS.to_return()
    }
    fn vector_state_size(&self) -> usize {
        0
    }
    fn save_vector_state(&self, _: UserAddr) -> Result<(), UserFault> {
        Ok(())
    }
    fn load_vector_state(&self, _: UserAddr) -> Result<(), UserFault> {
        Ok(())
    }
    fn rewrite(&self, _: UserRange, _: u64, _: Option<UserRange>) -> Result<u64, Errno> {
        Ok(0)
    }
    fn vdso(&self) -> Option<u64> {
        None
    }
}
