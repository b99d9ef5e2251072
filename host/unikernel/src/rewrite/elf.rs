//! The ELF side: where text lies, and where instructions are known to start.

use boot_info::Site;
use elf::ElfBytes;
use elf::abi::{EM_X86_64, PF_X, PT_GNU_EH_FRAME, PT_LOAD, SHF_EXECINSTR, SHT_NOBITS, STT_FUNC, STT_GNU_IFUNC};
use elf::endian::LittleEndian;
use elf::file::Class;

use super::code::{self, Found};
use super::patch::{self, Targets};

type Elf<'a> = ElfBytes<'a, LittleEndian>;

/// Larger files are not analysed.
const LARGEST: usize = 1 << 30;
/// The one encoding of `.eh_frame_hdr` that linkers write: relative to the header, signed, 4 bytes.
const DATAREL_SDATA4: u8 = 0x3b;
const UDATA4: u8 = 0x03;
const PCREL_SDATA4: u8 = 0x1b;

/// A piece of executable text.
struct Text<'a> {
    address: u64,
    offset: u64,
    bytes: &'a [u8],
}

impl Text<'_> {
    /// Whether the number of rt_sigreturn(2) is loaded right before this address, by the bytes: glibc lets the unwinding entry
    /// of its restorer begin one byte early, so decoding from there misreads the load.
    fn is_restorer(&self, address: u64) -> bool {
        let before = self.bytes.get(..(address - self.address) as usize).unwrap_or_default();
        before.ends_with(&[0x48, 0xc7, 0xc0, 15, 0, 0, 0]) || before.ends_with(&[0xb8, 15, 0, 0, 0])
    }
}

/// The system call instructions of an ELF file that can be patched; offsets are the file's. A malformed file has none, and
/// a file of another architecture neither.
pub fn sites(file: &[u8]) -> Vec<Site> {
    parse(file).unwrap_or_default()
}

fn parse(file: &[u8]) -> Option<Vec<Site>> {
    if file.len() > LARGEST {
        return None;
    }
    let elf = Elf::minimal_parse(file).ok()?;
    if elf.ehdr.class != Class::ELF64 || elf.ehdr.e_machine != EM_X86_64 {
        return None;
    }
    let texts = texts(&elf);
    let mut starts = starts(&elf);
    starts.sort_unstable();
    starts.dedup();
    let mut found = Found::default();
    let mut result = Vec::new();
    for text in &texts {
        functions(text, &starts, &mut found);
    }
    let targets = Targets::new(found.targets);
    for candidate in &found.candidates {
        let Some(site) = patch::choose(candidate, &targets) else { continue };
        let inside =
            |t: &&Text<'_>| site.offset >= t.address && site.offset + site.span() <= t.address + t.bytes.len() as u64;
        if let Some(text) = texts.iter().find(inside)
            && !text.is_restorer(candidate.address)
        {
            result.push(Site { offset: text.offset + (site.offset - text.address), ..site });
        }
    }
    Some(apart(result))
}

/// Two calls close to each other may both claim the instructions between them: the first gets them.
fn apart(mut sites: Vec<Site>) -> Vec<Site> {
    sites.sort_unstable_by_key(|s| s.offset);
    let mut end = 0;
    sites.retain(|s| {
        let free = s.offset >= end;
        if free {
            end = s.offset + s.span();
        }
        free
    });
    sites
}

/// Executable sections; of a file without section headers, executable segments. Addresses that wrap are left out.
fn texts<'a>(elf: &Elf<'a>) -> Vec<Text<'a>> {
    let mut texts = Vec::new();
    for section in elf.section_headers().into_iter().flat_map(|t| t.iter()) {
        let code = section.sh_flags & u64::from(SHF_EXECINSTR) != 0 && section.sh_type != SHT_NOBITS;
        if code && let Ok((bytes, None)) = elf.section_data(&section) {
            texts.push(Text { address: section.sh_addr, offset: section.sh_offset, bytes });
        }
    }
    if texts.is_empty() {
        for segment in
            elf.segments().into_iter().flat_map(|t| t.iter()).filter(|s| s.p_type == PT_LOAD && s.p_flags & PF_X != 0)
        {
            if let Ok(bytes) = elf.segment_data(&segment) {
                texts.push(Text { address: segment.p_vaddr, offset: segment.p_offset, bytes });
            }
        }
    }
    texts.retain(|t| t.address.checked_add(t.bytes.len() as u64).is_some_and(|end| end < 1 << 47));
    texts
}

/// Addresses at which instructions start: functions by symbols and by unwinding entries, and the entry point.
fn starts(elf: &Elf<'_>) -> Vec<u64> {
    let mut starts = vec![elf.ehdr.e_entry];
    for table in [elf.symbol_table(), elf.dynamic_symbol_table()] {
        let Ok(Some((symbols, _))) = table else { continue };
        let functions = symbols.iter().filter(|s| matches!(s.st_symtype(), STT_FUNC | STT_GNU_IFUNC));
        starts.extend(functions.map(|s| s.st_value));
    }
    for segment in elf.segments().into_iter().flat_map(|t| t.iter()).filter(|s| s.p_type == PT_GNU_EH_FRAME) {
        let data = elf.segment_data(&segment).ok();
        starts.extend(data.and_then(|d| unwinding_starts(d, segment.p_vaddr)).into_iter().flatten());
    }
    starts
}

/// The functions in the search table of `.eh_frame_hdr` (LSB, "Exception Frames").
fn unwinding_starts(data: &[u8], address: u64) -> Option<Vec<u64>> {
    let (head, table) = data.split_first_chunk::<12>()?;
    if head[..4] != [1, PCREL_SDATA4, UDATA4, DATAREL_SDATA4] {
        return None;
    }
    let count = u32::from_le_bytes([head[8], head[9], head[10], head[11]]) as usize;
    let (entries, _) = table.as_chunks::<8>();
    let start = |e: &[u8; 8]| address.wrapping_add_signed(i32::from_le_bytes([e[0], e[1], e[2], e[3]]).into());
    Some(entries.iter().take(count).map(start).collect())
}

/// Decodes a text from each known start to the next.
fn functions(text: &Text<'_>, starts: &[u64], found: &mut Found) {
    let end = text.address + text.bytes.len() as u64;
    let first = starts.partition_point(|s| *s <= text.address);
    let mut from = text.address;
    for to in starts[first..].iter().copied().take_while(|s| *s < end).chain([end]) {
        let bytes = &text.bytes[(from - text.address) as usize..(to - text.address) as usize];
        code::scan(bytes, from, found);
        from = to;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_executable_has_patchable_calls() {
        let file = std::fs::read("/proc/self/exe").unwrap();
        let sites = sites(&file);
        assert!(sites.len() > 20, "a static musl program makes dozens of calls, found {}", sites.len());
        for site in sites {
            let at = site.offset as usize + usize::from(site.before);
            assert_eq!(file[at..at + 2], [0x0f, 0x05]);
            assert!(site.span() >= 5);
        }
    }

    #[test]
    fn a_restorer_is_known_by_its_bytes() {
        let text = |bytes| Text { address: 0x1000, offset: 0, bytes };
        assert!(text(&[0x90, 0x48, 0xc7, 0xc0, 15, 0, 0, 0, 0x0f, 5]).is_restorer(0x1008));
        assert!(text(&[0xb8, 15, 0, 0, 0, 0x0f, 5]).is_restorer(0x1005));
        assert!(!text(&[0xb8, 16, 0, 0, 0, 0x0f, 5]).is_restorer(0x1005));
    }

    #[test]
    fn patches_do_not_overlap() {
        let site = |offset, before, after| Site { offset, before, after };
        let sites = apart(vec![site(107, 5, 0), site(100, 0, 8), site(112, 5, 0)]);
        assert_eq!(sites, [site(100, 0, 8), site(112, 5, 0)]);
    }

    #[test]
    fn hostile_files_do_no_harm() {
        let file = std::fs::read("/proc/self/exe").unwrap();
        for len in [0, 4, 16, 63, 64, 100, 1000, file.len() / 2, file.len() - 1] {
            sites(&file[..len]);
        }
        let mut broken = file[..file.len().min(200_000)].to_vec();
        let mut seed = 12345u32;
        for _ in 0..60 {
            for _ in 0..20 {
                seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let at = (seed >> 8) as usize % 4096;
                broken[at] = seed as u8;
            }
            sites(&broken);
        }
    }
}
