//! The microVM level: a small Linux virtual machine per instance.
//!
//! One instance is one QEMU process: hardware virtualisation where [a measurement](hypervisor()) shows that it is real,
//! emulation (TCG) elsewhere. The guest is a [`Kernel`] that the user installs once, with our agent as its first process.
//! The image's EROFS file is a read-only disk, volumes are a virtio-fs, the network is a TAP descriptor, and everything
//! else (start, streams, signals, exit status) goes through the agent's virtio-serial port. QEMU runs under a user id
//! of its own, in empty network, IPC and host name namespaces, behind its seccomp filter, and dies with its supervisor.
//!
//! [`start`] returns when the program runs. From then on the caller waits for [`Vm::poll_fds`] and calls
//! [`Vm::handle_ready`].

mod boot;
mod command;
mod console;
mod destroy;
mod error;
mod group;
mod guest_network;
mod hypervisor;
mod initrd;
pub mod kernel;
mod probe;
mod pump;
mod size;
mod spawn;
mod tsc;
mod vm;
mod volumes;

pub use destroy::destroy;
pub use error::Error;
pub use hypervisor::{Hypervisor, HypervisorKind, hypervisor};
pub use kernel::{Kernel, KernelError};
pub use vm::{Vm, start};
