#![no_main]

use kernel::parse;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let _ = parse::script(data);
    if let Ok((offset, len)) = parse::header_range(data) {
        let from = usize::try_from(offset).unwrap_or(usize::MAX).min(data.len());
        let _ = parse::elf(data, &data[from..(from.saturating_add(len)).min(data.len())]);
    }
});
