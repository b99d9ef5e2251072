//! What the processor says about itself, for /proc/cpuinfo.

use alloc::string::String;
use alloc::vec::Vec;
use core::arch::x86_64::{__cpuid, __cpuid_count};

/// What /proc/cpuinfo shows.
pub(super) struct Cpu {
    pub(super) vendor: String,
    pub(super) name: String,
    pub(super) family: u32,
    pub(super) model: u32,
    pub(super) stepping: u32,
    pub(super) flags: String,
}

/// Names of feature bits by leaf and register, as `arch/x86/include/asm/cpufeatures.h` gives them; `""`: not shown.
const LEAF1_EDX: [&str; 32] = [
    "fpu", "vme", "de", "pse", "tsc", "msr", "pae", "mce", "cx8", "apic", "", "sep", "mtrr", "pge", "mca", "cmov",
    "pat", "pse36", "pn", "clflush", "", "dts", "acpi", "mmx", "fxsr", "sse", "sse2", "ss", "ht", "tm", "ia64", "pbe",
];
const LEAF1_ECX: [&str; 32] = [
    "pni",
    "pclmulqdq",
    "dtes64",
    "monitor",
    "ds_cpl",
    "",
    "",
    "est",
    "tm2",
    "ssse3",
    "cid",
    "sdbg",
    "fma",
    "cx16",
    "xtpr",
    "pdcm",
    "",
    "pcid",
    "dca",
    "sse4_1",
    "sse4_2",
    "x2apic",
    "movbe",
    "popcnt",
    "tsc_deadline_timer",
    "aes",
    "xsave",
    "",
    "avx",
    "f16c",
    "rdrand",
    "hypervisor",
];
const LEAF7_EBX: [&str; 32] = [
    "fsgsbase",
    "tsc_adjust",
    "",
    "bmi1",
    "hle",
    "avx2",
    "",
    "smep",
    "bmi2",
    "erms",
    "invpcid",
    "rtm",
    "cqm",
    "",
    "mpx",
    "rdt_a",
    "avx512f",
    "avx512dq",
    "rdseed",
    "adx",
    "smap",
    "avx512ifma",
    "",
    "clflushopt",
    "clwb",
    "intel_pt",
    "avx512pf",
    "avx512er",
    "avx512cd",
    "sha_ni",
    "avx512bw",
    "avx512vl",
];
const EXTENDED_EDX: [(u32, &str); 5] = [(11, "syscall"), (20, "nx"), (26, "pdpe1gb"), (27, "rdtscp"), (29, "lm")];

fn named(names: &[&'static str; 32], bits: u32) -> impl Iterator<Item = &'static str> {
    names.iter().copied().enumerate().filter(move |(n, name)| bits & (1 << n) != 0 && !name.is_empty()).map(|(_, n)| n)
}

fn text(registers: &[u32]) -> String {
    let bytes: Vec<u8> = registers.iter().flat_map(|r| r.to_le_bytes()).filter(|b| *b != 0).collect();
    String::from_utf8_lossy(&bytes).trim().into()
}

/// Asks the processor.
pub(super) fn identify() -> Cpu {
    let vendor = __cpuid(0);
    let leaf1 = __cpuid(1);
    let leaf7 = if vendor.eax >= 7 { __cpuid_count(7, 0).ebx } else { 0 };
    let extended = __cpuid(0x8000_0001);
    let name: Vec<u32> =
        (0x8000_0002..=0x8000_0004u32).map(__cpuid).flat_map(|leaf| [leaf.eax, leaf.ebx, leaf.ecx, leaf.edx]).collect();
    let mut flags: Vec<&str> = named(&LEAF1_EDX, leaf1.edx).collect();
    flags.extend(EXTENDED_EDX.iter().filter(|(bit, _)| extended.edx & (1 << bit) != 0).map(|(_, name)| *name));
    flags.extend(named(&LEAF1_ECX, leaf1.ecx));
    flags.extend(named(&LEAF7_EBX, leaf7));
    let (family, model) = ((leaf1.eax >> 8) & 0xf, (leaf1.eax >> 4) & 0xf);
    Cpu {
        vendor: text(&[vendor.ebx, vendor.edx, vendor.ecx]),
        name: text(&name),
        family: if family == 15 { family + ((leaf1.eax >> 20) & 0xff) } else { family },
        model: if family == 6 || family == 15 { model | ((leaf1.eax >> 12) & 0xf0) } else { model },
        stepping: leaf1.eax & 0xf,
        flags: flags.join(" "),
    }
}
