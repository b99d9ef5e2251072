//! The ELF header and program headers (elf(5), System V ABI), read from foreign bytes.

use alloc::vec::Vec;

use platform::{PAGE_SIZE, Prot, page_down, page_up};

/// Why a file is no program for this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ElfError {
    /// It does not start as an ELF file does.
    NotElf,
    /// It is for another processor or word size; holds `e_machine`.
    Machine(u16),
    /// It is no executable (an object file, a core dump); holds `e_type`.
    Type(u16),
    /// It ends before its headers do.
    Truncated,
    /// A program header contradicts itself or another.
    Segment,
    /// There is nothing to load.
    Empty,
}

impl core::fmt::Display for ElfError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::NotElf => f.write_str("it is neither an ELF program nor a script that starts with `#!`"),
            Self::Machine(m) => write!(f, "it was built for another processor (ELF machine {m}); x86-64 is needed"),
            Self::Type(t) => write!(f, "it is an ELF file of type {t}, not a program"),
            Self::Truncated => f.write_str("the file is cut off inside its ELF headers"),
            Self::Segment => f.write_str("its ELF program headers contradict each other"),
            Self::Empty => f.write_str("it has no segment to load"),
        }
    }
}

/// A part of the file that is loaded (`PT_LOAD`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Byte in the file.
    pub offset: u64,
    /// Address (before the program is moved).
    pub vaddr: u64,
    /// Bytes that come from the file.
    pub file_size: u64,
    /// Bytes in memory; those behind `file_size` are zero.
    pub mem_size: u64,
    /// Its protection.
    pub prot: Prot,
}

/// What the headers say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Elf {
    /// The program can be at any address (`ET_DYN`).
    pub movable: bool,
    /// Where it starts.
    pub entry: u64,
    /// The parts to load, by address; they do not share pages that would need two contents.
    pub segments: Vec<Segment>,
    /// The byte range of the interpreter's path, without its zero byte (`PT_INTERP`).
    pub interpreter: Option<(u64, u64)>,
    /// The largest alignment asked for, a power of two.
    pub align: u64,
    /// The address of the program headers in memory, if they are loaded.
    pub headers: Option<u64>,
    /// How many program headers there are.
    pub header_count: u16,
}

const HEADER: usize = 64;
/// The size of a program header.
pub const PROGRAM_HEADER: usize = 56;
/// Linux reads at most 64 KiB of program headers.
const MAX_HEADERS: usize = 65536 / PROGRAM_HEADER;
const MAX_INTERPRETER: u64 = 4096;
/// Addresses end here on x86-64 with four levels of page tables.
const ADDRESS_END: u64 = 1 << 47;

const ET_EXEC: u16 = 2;
const ET_DYN: u16 = 3;
const EM_X86_64: u16 = 62;
const PT_LOAD: u32 = 1;
const PT_INTERP: u32 = 3;

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// Where the program headers lie in the file: offset and length in bytes. `start` is the file's beginning.
pub fn header_range(start: &[u8]) -> Result<(u64, usize), ElfError> {
    if start.get(..4) != Some(b"\x7fELF") {
        return Err(ElfError::NotElf);
    }
    if start.len() < HEADER {
        return Err(ElfError::Truncated);
    }
    let machine = u16_at(start, 18).ok_or(ElfError::Truncated)?;
    // 64-bit, little-endian, current version.
    if start[4..7] != [2, 1, 1] || machine != EM_X86_64 {
        return Err(ElfError::Machine(machine));
    }
    let offset = u64_at(start, 32).ok_or(ElfError::Truncated)?;
    let size = usize::from(u16_at(start, 54).ok_or(ElfError::Truncated)?);
    let count = usize::from(u16_at(start, 56).ok_or(ElfError::Truncated)?);
    if size != PROGRAM_HEADER || count > MAX_HEADERS {
        return Err(ElfError::Segment);
    }
    if count == 0 {
        return Err(ElfError::Empty);
    }
    Ok((offset, count * PROGRAM_HEADER))
}

/// Reads the headers. `start` is the file's beginning, `headers` the bytes that [`header_range`] names.
pub fn parse(start: &[u8], headers: &[u8]) -> Result<Elf, ElfError> {
    let (table_offset, table_len) = header_range(start)?;
    let headers = headers.get(..table_len).ok_or(ElfError::Truncated)?;
    let kind = u16_at(start, 16).ok_or(ElfError::Truncated)?;
    if kind != ET_EXEC && kind != ET_DYN {
        return Err(ElfError::Type(kind));
    }
    let mut elf = Elf {
        movable: kind == ET_DYN,
        entry: u64_at(start, 24).ok_or(ElfError::Truncated)?,
        segments: Vec::new(),
        interpreter: None,
        align: PAGE_SIZE,
        headers: None,
        header_count: (table_len / PROGRAM_HEADER) as u16,
    };
    for header in headers.chunks_exact(PROGRAM_HEADER) {
        elf.add(header)?;
    }
    elf.segments.sort_by_key(|segment| segment.vaddr);
    elf.check()?;
    let table = |s: &&Segment| s.offset <= table_offset && table_offset - s.offset < s.file_size;
    elf.headers = elf.segments.iter().find(table).map(|s| s.vaddr + (table_offset - s.offset));
    Ok(elf)
}

impl Elf {
    fn add(&mut self, header: &[u8]) -> Result<(), ElfError> {
        let word = |at| u64_at(header, at).ok_or(ElfError::Truncated);
        let (offset, vaddr, file_size, mem_size, align) = (word(8)?, word(16)?, word(32)?, word(40)?, word(48)?);
        let flags = u32_at(header, 4).ok_or(ElfError::Truncated)?;
        match u32_at(header, 0).ok_or(ElfError::Truncated)? {
            PT_LOAD if mem_size > 0 => {
                if align > 1 && !align.is_power_of_two() {
                    return Err(ElfError::Segment);
                }
                // Alignment beyond 1 GiB would be a joke on the address space.
                self.align = self.align.max(align.min(1 << 30));
                let prot = Prot { read: flags & 4 != 0, write: flags & 2 != 0, exec: flags & 1 != 0 };
                self.segments.push(Segment { offset, vaddr, file_size, mem_size, prot });
            }
            PT_INTERP if self.interpreter.is_none() => {
                if !(2..=MAX_INTERPRETER).contains(&file_size) {
                    return Err(ElfError::Segment);
                }
                self.interpreter = Some((offset, file_size - 1));
            }
            _ => {}
        }
        Ok(())
    }

    fn check(&self) -> Result<(), ElfError> {
        let mut previous_end = 0;
        for segment in &self.segments {
            let end = segment.vaddr.checked_add(segment.mem_size).and_then(page_up).ok_or(ElfError::Segment)?;
            let sane = segment.file_size <= segment.mem_size
                && segment.offset % PAGE_SIZE == segment.vaddr % PAGE_SIZE
                && segment.offset.checked_add(segment.file_size).is_some_and(|end| end < i64::MAX as u64)
                && end <= ADDRESS_END
                && page_down(segment.vaddr) >= previous_end;
            if !sane {
                return Err(ElfError::Segment);
            }
            previous_end = end;
        }
        if self.segments.is_empty() { Err(ElfError::Empty) } else { Ok(()) }
    }

    /// The page-aligned addresses from the first segment's start to the last one's end.
    pub fn span(&self) -> (u64, u64) {
        let start = self.segments.first().map_or(0, |s| page_down(s.vaddr));
        let end = self.segments.last().and_then(|s| page_up(s.vaddr + s.mem_size)).unwrap_or(start);
        (start, end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(segments: &[(u32, u32, [u64; 6])]) -> Vec<u8> {
        let mut file = Vec::from(*b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0");
        file.extend(3u16.to_le_bytes());
        file.extend(62u16.to_le_bytes());
        file.extend(1u32.to_le_bytes());
        for word in [0x1040u64, 64, 0] {
            file.extend(word.to_le_bytes());
        }
        file.extend(0u32.to_le_bytes());
        for half in [64u16, 56, segments.len() as u16, 0, 0, 0] {
            file.extend(half.to_le_bytes());
        }
        for (kind, flags, words) in segments {
            file.extend(kind.to_le_bytes());
            file.extend(flags.to_le_bytes());
            words.iter().for_each(|word| file.extend(word.to_le_bytes()));
        }
        file
    }

    fn read(file: &[u8]) -> Result<Elf, ElfError> {
        let (offset, len) = header_range(file)?;
        let end = (offset as usize).saturating_add(len).min(file.len());
        parse(file, file.get(offset as usize..end).unwrap_or(&[]))
    }

    const TEXT: (u32, u32, [u64; 6]) = (PT_LOAD, 5, [0, 0, 0, 0x1500, 0x1500, 0x1000]);
    const DATA: (u32, u32, [u64; 6]) = (PT_LOAD, 6, [0x2100, 0x4100, 0x4100, 0x200, 0x2000, 0x1000]);

    #[test]
    fn a_good_program() {
        let elf = read(&image(&[DATA, TEXT, (PT_INTERP, 4, [0x100, 0, 0, 28, 28, 1])])).unwrap();
        assert!(elf.movable && elf.entry == 0x1040 && elf.header_count == 3);
        assert_eq!(elf.span(), (0, 0x7000));
        assert_eq!(elf.interpreter, Some((0x100, 27)));
        assert_eq!(elf.headers, Some(64));
        assert!(elf.segments[0].prot.exec && !elf.segments[0].prot.write && elf.segments[1].prot.write);
    }

    #[test]
    fn contradictions_are_refused() {
        let bad = |change: fn(&mut (u32, u32, [u64; 6]))| {
            let mut data = DATA;
            change(&mut data);
            read(&image(&[TEXT, data]))
        };
        assert_eq!(bad(|d| d.2[3] = 0x3000), Err(ElfError::Segment), "more in the file than in memory");
        assert_eq!(bad(|d| d.2[0] = 0x2101), Err(ElfError::Segment), "offset and address disagree");
        assert_eq!(bad(|d| d.2[1] = u64::MAX - 0xeff), Err(ElfError::Segment), "wraps");
        assert_eq!(bad(|d| d.2[4] = u64::MAX), Err(ElfError::Segment), "endless");
        assert_eq!(bad(|d| d.2[1] = 0x1100), Err(ElfError::Segment), "shares a page with the text");
        assert_eq!(bad(|d| d.2[5] = 3), Err(ElfError::Segment), "alignment");
        assert_eq!(read(&image(&[])), Err(ElfError::Empty));
        assert_eq!(read(b"#!/bin/sh"), Err(ElfError::NotElf));
        let mut other = image(&[TEXT]);
        other[18] = 183;
        assert_eq!(read(&other), Err(ElfError::Machine(183)));
    }

    #[test]
    fn any_prefix_and_any_flipped_byte_is_survived() {
        let good = image(&[TEXT, DATA, (PT_INTERP, 4, [0x100, 0, 0, 28, 28, 1])]);
        for len in 0..good.len() {
            assert!(read(&good[..len]).is_err());
        }
        for at in 0..good.len() {
            for value in [0, 1, 0x7f, 0x80, 0xff] {
                let mut bad = good.clone();
                bad[at] = value;
                let _ = read(&bad);
            }
        }
    }
}
