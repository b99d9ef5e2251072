//! The console: standard input, output and error of the instance. Line editing is the host's terminal's work.

use alloc::vec::Vec;
use core::any::Any;

use linux_abi::Errno;
use platform::{Stream, UserAddr};

use crate::machine::machine;
use crate::mem::{Sink, Source, read_value, write_value};
use crate::sync::{Mutex, mutex};
use crate::vfs::file::{ANONYMOUS_DEVICE, Events};
use crate::vfs::{Attributes, File, Kind, dev, ioctl};
use crate::wait::{self, WaitQueue};

/// How much moves at once between console and kernel.
const CHUNK: usize = 32 << 10;

/// What was read from the console and not yet by the program: poll(2) can only find out by reading.
struct Input {
    bytes: Vec<u8>,
    taken: usize,
    /// The next read says that input ended.
    ended: bool,
}

static INPUT: Mutex<Input> = mutex(Input { bytes: Vec::new(), taken: 0, ended: false });
/// One write at a time, so that writes of several threads do not mix.
static OUTPUT: Mutex<Vec<u8>> = mutex(Vec::new());

impl Input {
    fn is_ready(&self) -> bool {
        self.ended || self.taken < self.bytes.len()
    }

    /// Asks the console if there is nothing here.
    fn refill(&mut self) -> Result<(), Errno> {
        if self.is_ready() {
            return Ok(());
        }
        self.taken = 0;
        self.bytes.resize(CHUNK, 0);
        let read = machine().console_read(&mut self.bytes);
        self.bytes.truncate(*read.as_ref().unwrap_or(&0));
        match read {
            Ok(n) => self.ended = n == 0,
            Err(Errno::EAGAIN) => {
                wait::stdin_drained();
                return Err(Errno::EAGAIN);
            }
            Err(e) => return Err(e),
        }
        Ok(())
    }
}

/// A description of the console.
pub(super) struct Console {
    reads: bool,
    output: Stream,
}

impl Console {
    /// One of the three streams that a program starts with.
    pub(super) fn stream(stream: Stream) -> Self {
        let output = if stream == Stream::Stderr { Stream::Stderr } else { Stream::Stdout };
        Self { reads: stream == Stream::Stdin || machine().boot_info().terminal, output }
    }

    /// The terminal: both directions.
    pub(super) fn terminal() -> Self {
        Self { reads: true, output: Stream::Stdout }
    }
}

impl File for Console {
    fn read(&self, to: &mut Sink<'_>, _offset: u64) -> Result<usize, Errno> {
        if to.remaining() == 0 {
            return Ok(0);
        }
        let mut input = INPUT.lock();
        input.refill()?;
        if input.ended {
            input.ended = false;
            return Ok(0);
        }
        let n = to.put(&input.bytes[input.taken..])?;
        input.taken += n;
        Ok(n)
    }

    fn write(&self, from: &mut Source<'_>, _offset: u64) -> Result<usize, Errno> {
        let mut buffer = OUTPUT.lock();
        let mut done = 0;
        while from.remaining() > 0 {
            buffer.resize(CHUNK.min(from.remaining()), 0);
            let taken = match from.take(&mut buffer) {
                Ok(taken) => taken,
                Err(_) if done > 0 => break,
                Err(e) => return Err(e),
            };
            let written = match machine().console_write(self.output, &buffer[..taken]) {
                Ok(written) => written,
                Err(Errno::EPIPE) => {
                    crate::task::send_signal(13);
                    return Err(Errno::EPIPE);
                }
                Err(_) if done > 0 => break,
                Err(e) => return Err(e),
            };
            done += written;
            if written < taken {
                from.give_back(taken - written);
                break;
            }
        }
        Ok(done)
    }

    fn poll(&self) -> Events {
        if !self.reads {
            return Events::OUT;
        }
        let ready = INPUT.lock().refill() != Err(Errno::EAGAIN);
        if ready { Events::IN | Events::OUT } else { Events::OUT }
    }

    fn queue(&self) -> Option<&WaitQueue> {
        self.reads.then(wait::stdin_queue)
    }

    fn ioctl(&self, request: u32, argument: UserAddr) -> Result<i64, Errno> {
        if request == ioctl::FIONREAD {
            let mut input = INPUT.lock();
            let _ = input.refill();
            let left = (input.bytes.len() - input.taken) as i32;
            return write_value(argument, &left).map(|()| 0);
        }
        if !machine().boot_info().terminal {
            return Err(Errno::ENOTTY);
        }
        terminal_ioctl(request, argument).map(|()| 0)
    }

    fn attributes(&self) -> Result<Attributes, Errno> {
        Ok(match machine().boot_info().terminal {
            true => Attributes {
                rdev: dev::number(136, 0),
                ..Attributes::synthetic(ANONYMOUS_DEVICE, 3, Kind::CharDevice, 0o620)
            },
            false => Attributes::synthetic(ANONYMOUS_DEVICE, 2, Kind::Fifo, 0o600),
        })
    }

    fn describe(&self) -> Vec<u8> {
        match machine().boot_info().terminal {
            true => b"/dev/console".to_vec(),
            false => b"pipe:[2]".to_vec(),
        }
    }

    fn sync(&self, _data_only: bool) -> Result<(), Errno> {
        Err(Errno::EINVAL)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// `struct termios` of the kernel: four words of flags, the line discipline and 19 control characters.
type Termios = [u8; 36];

static TERMIOS: Mutex<Termios> = mutex(initial_termios());

/// As Linux initialises a terminal: ICRNL|IXON, OPOST|ONLCR, B38400|CS8|CREAD, ISIG|ICANON|ECHO….
const fn initial_termios() -> Termios {
    let mut termios = [0; 36];
    let flags: [u32; 4] = [0x500, 0x5, 0xbf, 0x8a3b];
    let mut i = 0;
    while i < 16 {
        termios[i] = flags[i / 4].to_le_bytes()[i % 4];
        i += 1;
    }
    let characters: [u8; 17] = [3, 0x1c, 0x7f, 0x15, 4, 0, 1, 0, 0x11, 0x13, 0x1a, 0, 0x12, 0xf, 0x17, 0x16, 0];
    let mut i = 0;
    while i < characters.len() {
        termios[17 + i] = characters[i];
        i += 1;
    }
    termios
}

fn terminal_ioctl(request: u32, argument: UserAddr) -> Result<(), Errno> {
    match request {
        ioctl::TCGETS => {
            let termios = *TERMIOS.lock();
            write_value(argument, &termios)
        }
        ioctl::TCSETS | ioctl::TCSETSW | ioctl::TCSETSF => {
            let termios: Termios = read_value(argument)?;
            *TERMIOS.lock() = termios;
            machine().set_terminal(&termios);
            Ok(())
        }
        ioctl::TIOCGWINSZ => {
            let (columns, rows) = machine().window_size().unwrap_or((80, 24));
            write_value(argument, &[rows, columns, 0u16, 0u16])
        }
        ioctl::TIOCGPGRP | ioctl::TIOCGSID => write_value(argument, &(crate::task::current().process.pid as i32)),
        ioctl::TIOCSPGRP | ioctl::TIOCSCTTY | ioctl::TIOCNOTTY | ioctl::TIOCSWINSZ | ioctl::TCFLSH => Ok(()),
        _ => Err(Errno::ENOTTY),
    }
}
