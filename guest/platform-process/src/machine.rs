use core::sync::atomic::AtomicU32;

use boot_info::BootInfo;
use linux_abi::Errno;
use platform::{
    Deadline, IoReady, Machine, MapSource, Prot, StartFailure, Stream, ThreadStart, UserAddr, UserFault, UserRange,
    WaitOutcome,
};

use crate::state::state;
use crate::{fd, host, io, layout, memory, pending, rewrite, status, thread, user, volume};

/// One locked-down host process as a machine.
pub(crate) struct ProcessMachine;

/// The one machine of the process.
pub(crate) static MACHINE: ProcessMachine = ProcessMachine;

impl Machine for ProcessMachine {
    fn boot_info(&self) -> &'static BootInfo<'static> {
        &state().info
    }

    fn user_space(&self) -> UserRange {
        UserRange { start: layout::USER_START, end: layout::USER_END }
    }

    fn map(&self, range: UserRange, prot: Prot, source: MapSource) -> Result<(), Errno> {
        memory::map(range, prot, source)
    }

    fn unmap(&self, range: UserRange) -> Result<(), Errno> {
        memory::unmap(range)
    }

    fn protect(&self, range: UserRange, prot: Prot) -> Result<(), Errno> {
        memory::protect(range, prot)
    }

    fn discard(&self, range: UserRange) -> Result<(), Errno> {
        memory::discard(range)
    }

    fn copy_from_user(&self, from: UserAddr, to: &mut [u8]) -> Result<(), UserFault> {
        user::copy_from(from, to)
    }

    fn copy_to_user(&self, to: UserAddr, from: &[u8]) -> Result<(), UserFault> {
        user::copy_to(to, from)
    }

    fn load_user_u32(&self, at: UserAddr) -> Result<u32, UserFault> {
        user::load_u32(at)
    }

    fn cmpxchg_user_u32(&self, at: UserAddr, old: u32, new: u32) -> Result<u32, UserFault> {
        user::cmpxchg_u32(at, old, new)
    }

    fn image(&self) -> &'static [u8] {
        state().image
    }

    fn monotonic_ns(&self) -> u64 {
        state().clock.monotonic()
    }

    fn realtime_ns(&self) -> u64 {
        state().clock.realtime()
    }

    fn cpu_time_ns(&self, whole_instance: bool) -> u64 {
        host::clock(if whole_instance { host::CLOCK_PROCESS_CPUTIME_ID } else { host::CLOCK_THREAD_CPUTIME_ID })
    }

    fn random(&self, buffer: &mut [u8]) {
        host::random(buffer);
    }

    fn current(&self) -> usize {
        thread::token()
    }

    fn set_current(&self, token: usize) {
        thread::set_token(token);
    }

    fn start_thread(&self, start: &ThreadStart) -> Result<(), Errno> {
        thread::start(start)
    }

    fn exit_thread(&self, clear: Option<UserAddr>) -> ! {
        thread::exit(clear)
    }

    fn exit(&self, code: u8) -> ! {
        host::exit_group(code)
    }

    fn fail_start(&self, failure: StartFailure, message: &str) -> ! {
        status::fail(failure as u8, format_args!("{message}"))
    }

    fn set_fs_base(&self, base: u64) {
        thread::set_fs_base(base);
    }

    fn wait_word(&self, word: &AtomicU32, expected: u32, deadline: Option<Deadline>) -> WaitOutcome {
        match host::futex_wait(word, expected, deadline, true) {
            Err(Errno::EINTR) => {
                pending::clear();
                WaitOutcome::Interrupted
            }
            Err(Errno::ETIMEDOUT) => WaitOutcome::TimedOut,
            _ => WaitOutcome::Woken,
        }
    }

    fn wake_word(&self, word: &AtomicU32, count: u32) {
        host::futex_wake(user::word_address(word), count);
    }

    fn interrupt_thread(&self, token: usize) {
        thread::interrupt(token);
    }

    fn yield_now(&self) {
        host::yield_now();
    }

    fn cpus(&self) -> u32 {
        state().info.cpus.max(1)
    }

    fn wait_io(&self, stdin: bool, deadline: Option<Deadline>) -> IoReady {
        io::wait(stdin, deadline)
    }

    fn kick(&self) {
        io::kick();
    }

    fn receive_packet(&self, buffer: &mut [u8]) -> Option<usize> {
        io::receive(buffer)
    }

    fn send_packet(&self, parts: &[&[u8]]) -> bool {
        io::send(parts)
    }

    fn console_write(&self, stream: Stream, data: &[u8]) -> Result<usize, Errno> {
        io::write(stream, data)
    }

    fn console_read(&self, data: &mut [u8]) -> Result<usize, Errno> {
        io::read(data)
    }

    fn window_size(&self) -> Option<(u16, u16)> {
        io::window_size()
    }

    fn set_terminal(&self, termios: &[u8; 36]) {
        io::set_terminal(termios);
    }

    fn log(&self, message: &str) {
        host::write_raw(fd::STDERR, message.as_bytes());
        if !message.ends_with('\n') {
            host::write_raw(fd::STDERR, b"\n");
        }
    }

    fn volume_call(&self, number: u32, args: [u64; 6]) -> i64 {
        volume::call(number, args)
    }

    fn vector_state_size(&self) -> usize {
        state().vector.frame_size()
    }

    fn save_vector_state(&self, to: UserAddr) -> Result<(), UserFault> {
        state().vector.save(to)
    }

    fn load_vector_state(&self, from: UserAddr) -> Result<(), UserFault> {
        state().vector.load(from)
    }

    fn rewrite(&self, text: UserRange, image_offset: u64, stubs: Option<UserRange>) -> Result<u64, Errno> {
        rewrite::rewrite(text, image_offset, stubs)
    }

    fn original_rip(&self, rip: u64) -> u64 {
        rewrite::original(rip)
    }

    fn resume_rip(&self, rip: u64) -> u64 {
        rewrite::resume(rip)
    }

    fn restart_rip(&self, rip: u64) -> u64 {
        rewrite::restart(rip)
    }

    fn vdso(&self) -> Option<u64> {
        state().vdso
    }
}
