//! Small C programs that do inside a container what no shell can.

use std::path::Path;
use std::process::Command;

/// Compiles `source` to the static program `output`. Panics with the compiler's words.
pub fn compile(source: &str, output: &Path) {
    let file = output.with_extension("c");
    std::fs::write(&file, source).expect("a place for the source");
    let result = Command::new("cc").args(["-static", "-O1", "-o"]).arg(output).arg(&file).output().expect("cc");
    assert!(result.status.success(), "{}", String::from_utf8_lossy(&result.stderr));
    std::fs::remove_file(file).expect("the source was there");
}
