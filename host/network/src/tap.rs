//! TAP devices, linux/if_tun.h and Documentation/networking/tuntap.rst of the kernel.
//!
//! Unsafe: `TUNSETIFF` has no safe wrapper in rustix; its argument is a C structure that the kernel reads and writes.
#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsFd as _, OwnedFd};

use rustix::fs::{Mode, OFlags};
use rustix::ioctl::{IntegerSetter, Opcode, Setter, Updater, ioctl};

/// How a TAP device behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TapOptions {
    /// Each frame has a `struct virtio_net_hdr` in front (`IFF_VNET_HDR`): the 12 bytes of virtio 1.0 (`TUNSETVNETHDRSZ`).
    pub vnet_hdr: bool,
    /// The reader takes frames with partial checksums and TCP segments larger than the MTU (`TUNSETOFFLOAD` with `TUN_F_CSUM`,
    /// `TUN_F_TSO4`, `TUN_F_TSO6`). Needs `vnet_hdr`. Leave it out when the reader sets this itself, as QEMU does.
    pub offload: bool,
    /// Reading an empty device fails with `EAGAIN` instead of waiting.
    pub nonblocking: bool,
}

const TUNSETIFF: Opcode = 0x4004_54ca;
const TUNSETVNETHDRSZ: Opcode = 0x4004_54d8;
const TUNSETOFFLOAD: Opcode = 0x4004_54d0;
/// The size of `struct virtio_net_hdr_v1`, virtio 1.0 section 5.1.6.
const VNET_HEADER_LENGTH: i32 = 12;
const IFF_TAP: u16 = 0x0002;
const IFF_NO_PI: u16 = 0x1000;
const IFF_VNET_HDR: u16 = 0x4000;
const TUN_F_CSUM: usize = 0x01;
const TUN_F_TSO4: usize = 0x02;
const TUN_F_TSO6: usize = 0x04;

/// `struct ifreq` of net/if.h as `TUNSETIFF` uses it: 16 bytes of name, flags, and the rest of a 24-byte union.
#[repr(C)]
struct InterfaceRequest {
    name: [u8; 16],
    flags: u16,
    rest: [u8; 22],
}

const _: () = assert!(size_of::<InterfaceRequest>() == size_of::<libc::ifreq>());

/// Opens a TAP interface of this name. It goes away with the last descriptor.
pub(crate) fn open(name: &str, options: TapOptions) -> io::Result<OwnedFd> {
    let mut flags = OFlags::RDWR | OFlags::CLOEXEC;
    flags.set(OFlags::NONBLOCK, options.nonblocking);
    let fd = rustix::fs::open("/dev/net/tun", flags, Mode::empty())?;
    let mut request = InterfaceRequest { name: [0; 16], flags: IFF_TAP | IFF_NO_PI, rest: [0; 22] };
    request.name.iter_mut().zip(name.bytes().take(15)).for_each(|(to, from)| *to = from);
    if options.vnet_hdr {
        request.flags |= IFF_VNET_HDR;
    }
    // SAFETY: TUNSETIFF reads and writes one `struct ifreq`, whose layout `InterfaceRequest` has.
    unsafe { ioctl(fd.as_fd(), Updater::<TUNSETIFF, InterfaceRequest>::new(&mut request))? };
    if options.vnet_hdr {
        // The device's default is the 10 bytes of the header before virtio 1.0, without the number of buffers.
        // SAFETY: TUNSETVNETHDRSZ reads one int.
        unsafe { ioctl(fd.as_fd(), Setter::<TUNSETVNETHDRSZ, i32>::new(VNET_HEADER_LENGTH))? };
    }
    if options.vnet_hdr && options.offload {
        set_offload(&fd)?;
    }
    Ok(fd)
}

fn set_offload(fd: &OwnedFd) -> io::Result<()> {
    let flags = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6;
    // SAFETY: TUNSETOFFLOAD takes a number as its argument, not a pointer; nothing is read or written.
    unsafe { ioctl(fd.as_fd(), IntegerSetter::<TUNSETOFFLOAD>::new_usize(flags))? };
    Ok(())
}
