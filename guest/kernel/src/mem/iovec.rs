//! Scattered data of the application (`struct iovec`), or a kernel buffer in its place.

use alloc::vec::Vec;

use linux_abi::Errno;
use platform::UserAddr;

use crate::machine::machine;

/// One piece: address and length in bytes.
pub(crate) type Piece = (UserAddr, usize);

enum Target<'a> {
    User(Vec<Piece>),
    One(Piece),
    Kernel(&'a mut [u8]),
}

/// Where a read puts its data: a cursor over the application's buffers, or over one of the kernel.
pub(crate) struct Sink<'a> {
    target: Target<'a>,
    done: usize,
    len: usize,
}

impl<'a> Sink<'a> {
    /// One buffer of the application.
    pub(crate) fn user(at: UserAddr, len: usize) -> Self {
        Self { target: Target::One((at, len)), done: 0, len }
    }

    /// Several buffers of the application, of at most `isize::MAX` bytes in all (checked by the caller).
    pub(crate) fn user_pieces(pieces: Vec<Piece>) -> Self {
        let len = pieces.iter().map(|p| p.1).sum();
        Self { target: Target::User(pieces), done: 0, len }
    }

    /// A buffer of the kernel.
    pub(crate) fn kernel(buffer: &'a mut [u8]) -> Self {
        let len = buffer.len();
        Self { target: Target::Kernel(buffer), done: 0, len }
    }

    /// How many bytes still fit.
    pub(crate) fn remaining(&self) -> usize {
        self.len - self.done
    }

    /// How many bytes were put in.
    pub(crate) fn done(&self) -> usize {
        self.done
    }

    /// Puts data behind what is there; takes as much as fits and says how much. `EFAULT` only if nothing could be put.
    pub(crate) fn put(&mut self, data: &[u8]) -> Result<usize, Errno> {
        let data = &data[..data.len().min(self.remaining())];
        let mut taken = 0;
        while taken < data.len() {
            let step = match &mut self.target {
                Target::Kernel(buffer) => {
                    buffer[self.done..self.done + data.len()].copy_from_slice(data);
                    data.len()
                }
                Target::One(piece) => {
                    put_piece(locate(core::slice::from_ref(piece), self.done), &data[taken..], taken)?
                }
                Target::User(pieces) => put_piece(locate(pieces, self.done), &data[taken..], taken)?,
            };
            if step == 0 {
                break;
            }
            taken += step;
            self.done += step;
        }
        Ok(taken)
    }
}

fn put_piece(piece: Piece, data: &[u8], taken: usize) -> Result<usize, Errno> {
    let n = piece.1.min(data.len());
    match machine().copy_to_user(piece.0, &data[..n]) {
        Ok(()) => Ok(n),
        Err(_) if taken > 0 => Ok(0),
        Err(fault) => Err(fault.into()),
    }
}

/// The rest of the piece in which byte `offset` lies.
fn locate(pieces: &[Piece], mut offset: usize) -> Piece {
    for (at, len) in pieces {
        if offset < *len {
            return (at.add(offset as u64), len - offset);
        }
        offset -= len;
    }
    (UserAddr::NULL, 0)
}

enum Origin<'a> {
    User(Vec<Piece>),
    One(Piece),
    Kernel(&'a [u8]),
}

/// Where a write takes its data: a cursor over the application's buffers, or over one of the kernel.
pub(crate) struct Source<'a> {
    origin: Origin<'a>,
    done: usize,
    len: usize,
}

impl<'a> Source<'a> {
    /// One buffer of the application.
    pub(crate) fn user(at: UserAddr, len: usize) -> Self {
        Self { origin: Origin::One((at, len)), done: 0, len }
    }

    /// Several buffers of the application, of at most `isize::MAX` bytes in all (checked by the caller).
    pub(crate) fn user_pieces(pieces: Vec<Piece>) -> Self {
        let len = pieces.iter().map(|p| p.1).sum();
        Self { origin: Origin::User(pieces), done: 0, len }
    }

    /// A buffer of the kernel.
    pub(crate) fn kernel(buffer: &'a [u8]) -> Self {
        Self { origin: Origin::Kernel(buffer), done: 0, len: buffer.len() }
    }

    /// How many bytes are left.
    pub(crate) fn remaining(&self) -> usize {
        self.len - self.done
    }

    /// How many bytes were taken.
    pub(crate) fn done(&self) -> usize {
        self.done
    }

    /// Takes the next bytes; fills as much of `buffer` as there is and says how much. `EFAULT` only if nothing could be read.
    pub(crate) fn take(&mut self, buffer: &mut [u8]) -> Result<usize, Errno> {
        let want = buffer.len().min(self.remaining());
        let mut taken = 0;
        while taken < want {
            let piece = match &self.origin {
                Origin::Kernel(data) => {
                    buffer[..want].copy_from_slice(&data[self.done..self.done + want]);
                    self.done += want;
                    return Ok(want);
                }
                Origin::One(piece) => locate(core::slice::from_ref(piece), self.done),
                Origin::User(pieces) => locate(pieces, self.done),
            };
            let n = piece.1.min(want - taken);
            match machine().copy_from_user(piece.0, &mut buffer[taken..taken + n]) {
                Ok(()) => {}
                Err(_) if taken > 0 => break,
                Err(fault) => return Err(fault.into()),
            }
            taken += n;
            self.done += n;
        }
        Ok(taken)
    }

    /// Goes back over bytes that were taken but could not be used.
    pub(crate) fn give_back(&mut self, count: usize) {
        self.done -= count.min(self.done);
    }
}
