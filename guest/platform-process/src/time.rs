//! Clocks by the host's vDSO: no host call, about 30 ns.
#![allow(unsafe_code)] // parses the vDSO that the host's kernel mapped, and calls into it

use crate::host::{self, CLOCK_MONOTONIC, CLOCK_REALTIME, Timespec};

type ClockGettime = unsafe extern "C" fn(u64, *mut Timespec) -> i32;

/// How to read clocks.
pub(crate) struct Clock(Option<ClockGettime>);

impl Clock {
    /// Looks for `__vdso_clock_gettime`.
    ///
    /// # Safety
    /// `vdso` is the value of AT_SYSINFO_EHDR.
    pub(crate) unsafe fn find(vdso: Option<u64>) -> Self {
        // SAFETY: by the contract there is a vDSO image at that address.
        let address = vdso.and_then(|base| unsafe { vdso::symbol(base, b"__vdso_clock_gettime") });
        // SAFETY: the symbol has this type (vdso(7)), and it uses no vector registers: it is built as kernel code.
        Self(address.map(|a| unsafe { core::mem::transmute::<usize, ClockGettime>(a as usize) }))
    }

    fn read(&self, id: u64) -> u64 {
        let Some(function) = self.0 else { return host::clock(id) };
        let mut time = Timespec::default();
        // SAFETY: it writes a timespec.
        match unsafe { function(id, &raw mut time) } {
            0 => time.to_ns(),
            _ => host::clock(id),
        }
    }

    pub(crate) fn monotonic(&self) -> u64 {
        self.read(CLOCK_MONOTONIC)
    }

    pub(crate) fn realtime(&self) -> u64 {
        self.read(CLOCK_REALTIME)
    }
}

/// Reading of the vDSO's ELF structures. They are the host kernel's own, so they are trusted.
mod vdso {
    const PT_LOAD: u32 = 1;
    const PT_DYNAMIC: u32 = 2;
    const DT_HASH: u64 = 4;
    const DT_STRTAB: u64 = 5;
    const DT_SYMTAB: u64 = 6;
    const DT_GNU_HASH: u64 = 0x6fff_fef5;

    unsafe fn read<T: Copy>(address: u64) -> T {
        // SAFETY: the caller stays inside the image.
        unsafe { (address as *const T).read_unaligned() }
    }

    /// The address of a function.
    pub(super) unsafe fn symbol(base: u64, name: &[u8]) -> Option<u64> {
        // SAFETY: offsets are those of Elf64_Ehdr, Elf64_Phdr, Elf64_Dyn and Elf64_Sym; the image is well-formed.
        unsafe {
            let headers = base + read::<u64>(base + 32);
            let count = u64::from(read::<u16>(base + 56));
            let header = |n: u64| headers + n * 56;
            let find = |kind: u32| (0..count).map(header).find(|h| read::<u32>(*h) == kind);
            let bias = base.wrapping_sub(read::<u64>(find(PT_LOAD)? + 16));
            let dynamic = bias.wrapping_add(read::<u64>(find(PT_DYNAMIC)? + 16));
            let (mut hash, mut gnu, mut strings, mut symbols) = (0, 0, 0, 0);
            let mut entry = dynamic;
            while read::<u64>(entry) != 0 {
                let value = bias.wrapping_add(read::<u64>(entry + 8));
                match read::<u64>(entry) {
                    DT_HASH => hash = value,
                    DT_GNU_HASH => gnu = value,
                    DT_STRTAB => strings = value,
                    DT_SYMTAB => symbols = value,
                    _ => {}
                }
                entry += 16;
            }
            let total = if hash != 0 { read::<u32>(hash + 4) } else { gnu_count(gnu) };
            (1..u64::from(total)).map(|n| symbols + n * 24).find_map(|s| {
                let text = strings + u64::from(read::<u32>(s));
                let equal = name.iter().enumerate().all(|(i, b)| read::<u8>(text + i as u64) == *b);
                (equal && read::<u8>(text + name.len() as u64) == 0).then(|| bias.wrapping_add(read::<u64>(s + 8)))
            })
        }
    }

    /// The number of symbols behind a GNU hash table (newer vDSOs have no other).
    unsafe fn gnu_count(table: u64) -> u32 {
        if table == 0 {
            return 0;
        }
        // SAFETY: as above; the chains end with an odd word.
        unsafe {
            let (buckets, first, bloom) = (read::<u32>(table), read::<u32>(table + 4), read::<u32>(table + 8));
            let bucket = table + 16 + u64::from(bloom) * 8;
            let last = (0..u64::from(buckets)).map(|n| read::<u32>(bucket + n * 4)).max().unwrap_or(0);
            if last < first {
                return first;
            }
            let chain = bucket + u64::from(buckets) * 4;
            let mut at = last;
            while read::<u32>(chain + u64::from(at - first) * 4) & 1 == 0 {
                at += 1;
            }
            at + 1
        }
    }
}
