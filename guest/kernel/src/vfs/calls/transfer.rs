//! Moving data between descriptors: sendfile(2), splice(2), tee(2), copy_file_range(2).

use alloc::vec;

use linux_abi::Errno;
use linux_abi::fs::{MAX_RW_COUNT, O_APPEND};
use platform::UserAddr;

use super::arguments::file;
use crate::mem::{Sink, Source, read_value, write_value};
use crate::syscall::Call;
use crate::vfs::pipe::End;
use crate::vfs::{Kind, OpenFile};

type Result = core::result::Result<i64, Errno>;

/// How much moves at once.
const CHUNK: usize = 64 << 10;

/// Where one side of a transfer stands: an offset of the application's, or the description's own position.
struct Position {
    at: UserAddr,
    offset: Option<u64>,
}

impl Position {
    fn new(at: UserAddr) -> core::result::Result<Self, Errno> {
        if at.is_null() {
            return Ok(Self { at, offset: None });
        }
        let offset: i64 = read_value(at)?;
        Ok(Self { at, offset: Some(u64::try_from(offset).map_err(|_| Errno::EINVAL)?) })
    }

    fn advance(&mut self, by: usize) {
        self.offset = self.offset.map(|offset| offset + by as u64);
    }

    fn store(&self) -> core::result::Result<(), Errno> {
        self.offset.map_or(Ok(()), |offset| write_value(self.at, &(offset as i64)))
    }

    fn read(&self, file: &OpenFile, buffer: &mut [u8]) -> core::result::Result<usize, Errno> {
        let mut to = Sink::kernel(buffer);
        match self.offset {
            Some(offset) => file.read_at(&mut to, offset),
            None => file.read(&mut to),
        }
    }

    fn write(&self, file: &OpenFile, data: &[u8]) -> core::result::Result<usize, Errno> {
        let mut from = Source::kernel(data);
        match self.offset {
            Some(offset) => file.write_at(&mut from, offset),
            None => file.write(&mut from),
        }
    }
}

fn check(input: &OpenFile, output: &OpenFile) -> core::result::Result<(), Errno> {
    input.check_readable()?;
    output.check_writable()
}

/// Moves up to `count` bytes. Of the input only what was written is used up, if it has positions.
fn transfer(
    (input, from): (&OpenFile, &mut Position),
    (output, to): (&OpenFile, &mut Position),
    count: usize,
) -> core::result::Result<usize, Errno> {
    let mut buffer = vec![0; CHUNK.min(count)];
    let mut done = 0;
    while done < count {
        let want = CHUNK.min(count - done);
        let read = match from.read(input, &mut buffer[..want]) {
            Ok(0) => break,
            Ok(read) => read,
            Err(_) if done > 0 => break,
            Err(e) => return Err(e),
        };
        let written = to.write(output, &buffer[..read]);
        let used = *written.as_ref().unwrap_or(&0);
        if used < read && from.offset.is_none() && input.file.seekable() {
            *input.offset.lock() -= (read - used) as u64;
        }
        from.advance(used);
        to.advance(used);
        done += used;
        match written {
            Err(e) if done == 0 => return Err(e),
            Ok(n) if n == read && read == want => {}
            // The end of the input, or no room in the output.
            _ => break,
        }
    }
    Ok(done)
}

pub(super) fn sendfile(call: &mut Call<'_>) -> Result {
    let (output, input) = (file(call.int(0))?, file(call.int(1))?);
    check(&input, &output)?;
    if !input.file.seekable() || output.flags() & O_APPEND != 0 {
        return Err(Errno::EINVAL);
    }
    let mut from = Position::new(call.addr(2))?;
    let mut to = Position { at: UserAddr::NULL, offset: None };
    let n = transfer((&input, &mut from), (&output, &mut to), call.size(3).min(MAX_RW_COUNT))?;
    from.store()?;
    Ok(n as i64)
}

pub(super) fn copy_file_range(call: &mut Call<'_>) -> Result {
    let (input, output) = (file(call.int(0))?, file(call.int(2))?);
    check(&input, &output)?;
    if call.uint(5) != 0 {
        return Err(Errno::EINVAL);
    }
    for file in [&input, &output] {
        match file.attributes()?.kind {
            Kind::Regular => {}
            Kind::Directory => return Err(Errno::EISDIR),
            _ => return Err(Errno::EINVAL),
        }
    }
    if output.flags() & O_APPEND != 0 {
        return Err(Errno::EBADF);
    }
    let (mut from, mut to) = (Position::new(call.addr(1))?, Position::new(call.addr(3))?);
    let n = transfer((&input, &mut from), (&output, &mut to), call.size(4).min(MAX_RW_COUNT))?;
    from.store()?;
    to.store()?;
    Ok(n as i64)
}

fn pipe_end(file: &OpenFile) -> Option<&End> {
    file.file.as_any().downcast_ref()
}

const SPLICE_F_NONBLOCK: u32 = 2;
const SPLICE_FLAGS: u32 = 15;

/// Moves from a pipe what the output takes, and leaves the rest in the pipe.
fn from_pipe(input: &OpenFile, end: &End, output: &OpenFile, to: &mut Position, count: usize, wait: bool) -> Result {
    let mut buffer = vec![0; CHUNK.min(count)];
    let nonblocking = !wait || input.nonblocking();
    let read = input.waiting(nonblocking, || end.peek(&mut Sink::kernel(&mut buffer)))?;
    if read == 0 {
        return Ok(0);
    }
    let written = match (wait, to.offset) {
        (false, None) if !output.file.seekable() => output.write_stream(&mut Source::kernel(&buffer[..read]), true),
        _ => to.write(output, &buffer[..read]),
    }?;
    end.consume(written);
    to.advance(written);
    Ok(written as i64)
}

/// Moves into a pipe as much as it takes without waiting for a reader more than once.
fn into_pipe(input: &OpenFile, from: &mut Position, output: &OpenFile, count: usize, wait: bool) -> Result {
    // What is read from a stream cannot be put back: so first there must be room.
    let nonblocking = !wait || output.nonblocking();
    let room = output.waiting(nonblocking, || match pipe_end(output).map_or(0, End::room) {
        0 => Err(Errno::EAGAIN),
        room => Ok(room),
    })?;
    let mut buffer = vec![0; room.min(CHUNK).min(count)];
    let read = match (wait, from.offset) {
        (false, None) if !input.file.seekable() => input.file.read(&mut Sink::kernel(&mut buffer), 0),
        _ => from.read(input, &mut buffer),
    }?;
    if read == 0 {
        return Ok(0);
    }
    let written = output.write(&mut Source::kernel(&buffer[..read]))?;
    from.advance(written);
    Ok(written as i64)
}

pub(super) fn splice(call: &mut Call<'_>) -> Result {
    let (input, output) = (file(call.int(0))?, file(call.int(2))?);
    let (count, flags) = (call.size(4).min(MAX_RW_COUNT), call.uint(5));
    if flags & !SPLICE_FLAGS != 0 {
        return Err(Errno::EINVAL);
    }
    check(&input, &output)?;
    let (source, target) = (pipe_end(&input), pipe_end(&output));
    if (source.is_some() && !call.addr(1).is_null()) || (target.is_some() && !call.addr(3).is_null()) {
        return Err(Errno::ESPIPE);
    }
    if count == 0 {
        return Ok(0);
    }
    let (mut from, mut to) = (Position::new(call.addr(1))?, Position::new(call.addr(3))?);
    let wait = flags & SPLICE_F_NONBLOCK == 0;
    let moved = match (source, target) {
        (Some(a), Some(b)) if a.same_pipe(b) => return Err(Errno::EINVAL),
        (Some(end), _) => from_pipe(&input, end, &output, &mut to, count, wait)?,
        (None, Some(_)) => into_pipe(&input, &mut from, &output, count, wait)?,
        (None, None) => return Err(Errno::EINVAL),
    };
    from.store()?;
    to.store()?;
    Ok(moved)
}

pub(super) fn tee(call: &mut Call<'_>) -> Result {
    let (input, output) = (file(call.int(0))?, file(call.int(1))?);
    if call.uint(3) & !SPLICE_FLAGS != 0 {
        return Err(Errno::EINVAL);
    }
    check(&input, &output)?;
    let (Some(source), Some(target)) = (pipe_end(&input), pipe_end(&output)) else { return Err(Errno::EINVAL) };
    if source.same_pipe(target) {
        return Err(Errno::EINVAL);
    }
    let nonblocking = call.uint(3) & SPLICE_F_NONBLOCK != 0;
    let mut buffer = vec![0; call.size(2).min(CHUNK)];
    let read = input.waiting(nonblocking || input.nonblocking(), || source.peek(&mut Sink::kernel(&mut buffer)))?;
    if read == 0 {
        return Ok(0);
    }
    output.write_stream(&mut Source::kernel(&buffer[..read]), nonblocking || output.nonblocking()).map(|n| n as i64)
}
