//! `coracle-oci`: see the library.

use std::process::ExitCode;

/// musl's own allocator maps and unmaps memory for every few objects: half of the system calls of a start.
#[global_allocator]
static ALLOCATOR: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

fn main() -> ExitCode {
    oci::main(std::env::args_os())
}
