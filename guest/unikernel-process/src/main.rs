//! The library OS as one host process: joins the kernel and the process machine.
//!
//! Built for `x86_64-unknown-none`: it brings its own start, and nothing of it touches the vector registers.
#![no_std]
#![no_main]

platform_process::program!(kernel::start);
