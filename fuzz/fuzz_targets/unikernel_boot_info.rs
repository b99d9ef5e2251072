//! Reads any bytes as what a guest gets from its host: boot information and table of system call instructions.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Ok(info) = boot_info::BootInfo::decode(bytes) {
        info.args.iter().chain(info.env.iter()).for_each(drop);
    }
    if let Some(sites) = boot_info::Sites::new(bytes) {
        sites.within(0, u64::MAX).for_each(drop);
    }
});
