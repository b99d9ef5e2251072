//! `coracle-oci`: see the library.
//!
//! The C entry point is taken instead of Rust's: an engine executes this program three times for each container, and what
//! the standard library prepares before `main` (a stack for reports of overflows, checks of the standard streams) is more
//! system calls than some commands make.
#![no_main]
#![allow(unsafe_code)] // An entry point without mangling is unsafe by name; its arguments are C strings.

mod memory;

use std::ffi::{CStr, OsString, c_char, c_int};
use std::os::unix::ffi::OsStringExt;

/// musl's own allocator maps and unmaps memory for every few objects: half of the system calls of a start.
#[global_allocator]
static ALLOCATOR: memory::Memory = memory::Memory::new();

// SAFETY: the program has no other `main`, and this one has the C library's signature.
#[unsafe(no_mangle)]
extern "C" fn main(count: c_int, arguments: *const *const c_char) -> c_int {
    let count = usize::try_from(count).unwrap_or(0);
    let arguments = (0..count).map(|index| {
        // SAFETY: the C library passes `count` pointers to C strings that live as long as the process.
        let argument = unsafe { CStr::from_ptr(*arguments.add(index)) };
        OsString::from_vec(argument.to_bytes().to_vec())
    });
    oci::main(arguments.collect()).into()
}
