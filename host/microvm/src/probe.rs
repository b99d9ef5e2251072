//! Is `/dev/kvm` hardware virtualisation?
//!
//! Opening it proves nothing: some cloud machines have a KVM that emulates privileged code instruction by instruction, and a
//! Linux kernel does not boot usefully on it. So a loop of a known number of instructions is run in privilege level 0 of a
//! throw-away virtual machine, and timed.

#![allow(unsafe_code)] // Guest memory is shared with the kernel by address; KVM's interface has no safe form.

use std::time::{Duration, Instant};

use kvm_bindings::kvm_userspace_memory_region;
use kvm_ioctls::{Kvm, VcpuExit, VcpuFd, VmFd};
use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous, munmap};

const PAGE: usize = 4096;

/// Where the code lies in the guest's memory.
const CODE_ADDRESS: u64 = 0x1000;

/// 16-bit real mode: `loop .` decrements CX until it is 0; then `hlt`.
const CODE: [u8; 3] = [0xe2, 0xfe, 0xf4];

const ITERATIONS: u64 = 10_000;

/// Why nothing could be measured.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProbeError {
    #[error("{step} failed: {source}")]
    Kvm { step: &'static str, source: kvm_ioctls::Error },
    #[error("mapping guest memory failed: {0}")]
    Memory(rustix::io::Errno),
    #[error("the test program ended unexpectedly")]
    Exit,
}

/// The time of one guest instruction in privilege level 0, the best of three runs.
pub(crate) fn instruction_time() -> Result<Duration, ProbeError> {
    let failed = |step| move |source| ProbeError::Kvm { step, source };
    let kvm = Kvm::new().map_err(failed("opening /dev/kvm"))?;
    let vm = kvm.create_vm().map_err(failed("making a virtual machine"))?;
    let memory = GuestPage::new(&CODE)?;
    memory.attach(&vm).map_err(failed("giving it memory"))?;
    let mut vcpu = vm.create_vcpu(0).map_err(failed("making a virtual CPU"))?;
    let mut best = Duration::MAX;
    for _ in 0..3 {
        reset(&vcpu).map_err(failed("setting registers"))?;
        let start = Instant::now();
        if !matches!(vcpu.run().map_err(failed("running it"))?, VcpuExit::Hlt) {
            return Err(ProbeError::Exit);
        }
        best = best.min(start.elapsed());
    }
    drop((vcpu, vm));
    drop(memory);
    Ok(best / ITERATIONS as u32)
}

fn reset(vcpu: &VcpuFd) -> Result<(), kvm_ioctls::Error> {
    let mut segments = vcpu.get_sregs()?;
    (segments.cs.base, segments.cs.selector) = (0, 0);
    vcpu.set_sregs(&segments)?;
    let mut registers = vcpu.get_regs()?;
    (registers.rip, registers.rcx, registers.rflags) = (CODE_ADDRESS, ITERATIONS, 2);
    vcpu.set_regs(&registers)
}

/// One page of guest memory.
struct GuestPage(*mut std::ffi::c_void);

impl GuestPage {
    fn new(code: &[u8]) -> Result<Self, ProbeError> {
        assert!(code.len() <= PAGE);
        // SAFETY: a fresh private mapping overlaps nothing.
        let page = unsafe {
            mmap_anonymous(std::ptr::null_mut(), PAGE, ProtFlags::READ | ProtFlags::WRITE, MapFlags::PRIVATE)
        };
        let page = Self(page.map_err(ProbeError::Memory)?);
        // SAFETY: the page is mapped, writable, ours alone, and holds the code.
        unsafe { std::ptr::copy_nonoverlapping(code.as_ptr(), page.0.cast(), code.len()) };
        Ok(page)
    }

    fn attach(&self, vm: &VmFd) -> Result<(), kvm_ioctls::Error> {
        let region = kvm_userspace_memory_region {
            slot: 0,
            flags: 0,
            guest_phys_addr: CODE_ADDRESS,
            memory_size: PAGE as u64,
            userspace_addr: self.0 as u64,
        };
        // SAFETY: the page stays mapped until after the virtual machine is dropped.
        unsafe { vm.set_user_memory_region(region) }
    }
}

impl Drop for GuestPage {
    fn drop(&mut self) {
        // SAFETY: it was mapped by `new` with this length, and no reference to it is left.
        let _ = unsafe { munmap(self.0, PAGE) };
    }
}
