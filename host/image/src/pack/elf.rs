use elf::ElfBytes;
use elf::abi;
use elf::endian::LittleEndian;

/// What the dynamic loader wants to know about a file (elf(5), ld.so(8)).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Elf {
    /// `PT_INTERP`: the dynamic loader.
    pub(crate) interpreter: Option<String>,
    /// `DT_NEEDED`, in order.
    pub(crate) needed: Vec<String>,
    /// `DT_SONAME`
    pub(crate) soname: Option<String>,
    /// `DT_RPATH`, not yet split.
    pub(crate) rpath: Option<String>,
    /// `DT_RUNPATH`, not yet split.
    pub(crate) runpath: Option<String>,
    /// `DF_1_NODEFLIB`: the cache's system directories and the default directories are not searched.
    pub(crate) no_default_directories: bool,
}

/// A file that begins like ELF but cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ElfError {
    /// Not for x86-64.
    #[error("it is for another processor architecture; only 64-bit x86 (amd64) programs run here")]
    Architecture,
    /// The structure is malformed.
    #[error("its ELF structure is malformed: {0}")]
    Malformed(String),
}

/// Whether a file begins like ELF.
pub(crate) fn is_elf(start: &[u8]) -> bool {
    start.starts_with(b"\x7fELF")
}

/// Reads an executable or shared object; `None` if it is another kind of ELF file, or none.
pub(crate) fn parse(bytes: &[u8]) -> Result<Option<Elf>, ElfError> {
    // Relocatable and core files have nothing to load.
    if !is_elf(bytes) || !matches!(bytes.get(16..18), Some([2 | 3, 0])) {
        return Ok(None);
    }
    let machine = bytes.get(18..20).map(|pair| u16::from(pair[0]) | u16::from(pair[1]) << 8);
    if bytes.get(4..6) != Some(&[abi::ELFCLASS64, abi::ELFDATA2LSB]) || machine != Some(abi::EM_X86_64) {
        return Err(ElfError::Architecture);
    }
    let malformed = |error: elf::ParseError| ElfError::Malformed(error.to_string());
    let file = ElfBytes::<LittleEndian>::minimal_parse(bytes).map_err(malformed)?;
    let mut found = Elf::default();
    let Some(segments) = file.segments() else { return Ok(Some(found)) };
    if let Some(header) = segments.iter().find(|header| header.p_type == abi::PT_INTERP) {
        let path = file.segment_data(&header).map_err(malformed)?;
        found.interpreter = Some(text(path, 0).ok_or_else(|| ElfError::Malformed("interpreter".to_owned()))?);
    }
    let Some(dynamic) = file.dynamic().map_err(malformed)? else { return Ok(Some(found)) };
    let value = |tag| dynamic.iter().find(|entry| entry.d_tag == tag).map(|entry| entry.d_val());
    // The string table's address is one of the loaded program; the file has it where its segment is.
    let strings = value(abi::DT_STRTAB).and_then(|address| {
        let segment = segments.iter().find(|header| {
            header.p_type == abi::PT_LOAD
                && address.checked_sub(header.p_vaddr).is_some_and(|offset| offset < header.p_filesz)
        })?;
        let offset = segment.p_offset.checked_add(address - segment.p_vaddr)?;
        bytes.get(usize::try_from(offset).ok()?..)
    });
    let string = |offset: u64| -> Result<String, ElfError> {
        let strings = strings.unwrap_or_default();
        text(strings, offset).ok_or_else(|| ElfError::Malformed("dynamic string".to_owned()))
    };
    for entry in dynamic.iter().take_while(|entry| entry.d_tag != abi::DT_NULL) {
        match entry.d_tag {
            abi::DT_NEEDED => found.needed.push(string(entry.d_val())?),
            abi::DT_SONAME => found.soname = Some(string(entry.d_val())?),
            abi::DT_RPATH => found.rpath = Some(string(entry.d_val())?),
            abi::DT_RUNPATH => found.runpath = Some(string(entry.d_val())?),
            abi::DT_FLAGS_1 => found.no_default_directories = entry.d_val() & DF_1_NODEFLIB != 0,
            _ => {}
        }
    }
    // ld.so(8): DT_RPATH counts only where there is no DT_RUNPATH.
    if found.runpath.is_some() {
        found.rpath = None;
    }
    Ok(Some(found))
}

/// `DF_1_NODEFLIB` of `<elf.h>`
const DF_1_NODEFLIB: u64 = 0x800;

fn text(bytes: &[u8], offset: u64) -> Option<String> {
    let rest = bytes.get(usize::try_from(offset).ok()?..)?;
    let end = rest.iter().position(|byte| *byte == 0)?;
    String::from_utf8(rest[..end].to_vec()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_real_program() {
        let redis = std::fs::read("/usr/bin/redis-server").unwrap();
        let elf = parse(&redis).unwrap().unwrap();
        assert_eq!(elf.interpreter.as_deref(), Some("/lib64/ld-linux-x86-64.so.2"));
        assert!(elf.needed.iter().any(|name| name == "libc.so.6"));
    }

    #[test]
    fn hostile_files_are_no_panic() {
        let redis = std::fs::read("/usr/bin/redis-server").unwrap();
        assert_eq!(parse(b"#!/bin/sh"), Ok(None));
        assert_eq!(parse(b"\x7fELF"), Ok(None));
        let mut other = redis[..4096].to_vec();
        other[18] = 0xb7;
        assert_eq!(parse(&other), Err(ElfError::Architecture));
        let mut narrow = redis[..4096].to_vec();
        narrow[4] = 1;
        assert_eq!(parse(&narrow), Err(ElfError::Architecture));
        for len in [20, 64, 100, 1000, 4096] {
            let _ = parse(&redis[..len]);
        }
        let mut broken = redis[..8192.min(redis.len())].to_vec();
        broken[64..1024].fill(0xff);
        assert!(parse(&broken).is_err());
    }
}
