//! Prints what the translation of a `linux.seccomp` costs: the median time, and the length of the filter.
//!
//! Usage: `seccomp-cost FILE`, a JSON file with the object `linux.seccomp` of a bundle's configuration.

use std::time::Instant;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let file = std::env::args_os().nth(1).ok_or("which file?")?;
    let seccomp = serde_json::from_slice(&std::fs::read(file)?)?;
    let length = jail::seccomp::oci::translate(&seccomp)?.program.len();
    let mut times: Vec<_> = (0..1001)
        .map(|_| {
            let start = Instant::now();
            std::hint::black_box(jail::seccomp::oci::translate(&seccomp)).map(|_| start.elapsed())
        })
        .collect::<Result<_, _>>()?;
    times.sort();
    println!("{length} instructions, translated in {:?} (median of {})", times[500], times.len());
    Ok(())
}
