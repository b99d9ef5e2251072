//! sched_setattr(2) and ioprio_set(2), which neither rustix nor the C library wraps.
#![allow(unsafe_code)]

use std::io;

/// How the kernel schedules a thread. A field that the policy does not use stays 0.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SchedAttr {
    /// `SCHED_*` of linux/sched.h.
    pub policy: u32,
    /// `SCHED_FLAG_*`.
    pub flags: u64,
    /// -20 (favoured) to 19, for `SCHED_OTHER` and `SCHED_BATCH`.
    pub nice: i32,
    /// 1 to 99, for `SCHED_FIFO` and `SCHED_RR`.
    pub priority: u32,
    /// Nanoseconds, for `SCHED_DEADLINE`.
    pub runtime: u64,
    /// Nanoseconds, for `SCHED_DEADLINE`.
    pub deadline: u64,
    /// Nanoseconds, for `SCHED_DEADLINE`.
    pub period: u64,
}

/// `struct sched_attr` of linux/sched/types.h with its utilisation clamps (Linux 5.3).
#[repr(C)]
struct RawSchedAttr {
    size: u32,
    policy: u32,
    flags: u64,
    nice: i32,
    priority: u32,
    runtime: u64,
    deadline: u64,
    period: u64,
    util_min: u32,
    util_max: u32,
}

const _: () = assert!(size_of::<RawSchedAttr>() == 56);

impl SchedAttr {
    /// Gives the attributes to this thread and all that it becomes or starts.
    pub fn apply(&self) -> io::Result<()> {
        let Self { policy, flags, nice, priority, runtime, deadline, period } = *self;
        let size = size_of::<RawSchedAttr>() as u32;
        let attr =
            RawSchedAttr { size, policy, flags, nice, priority, runtime, deadline, period, util_min: 0, util_max: 0 };
        // SAFETY: the structure says its own size and outlives the call, which only reads it.
        let result = unsafe { libc::syscall(libc::SYS_sched_setattr, 0, &raw const attr, 0) };
        if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }
}

/// A class of I/O scheduling, `IOPRIO_CLASS_*` of linux/ioprio.h.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u16)]
pub enum IoClass {
    /// First access to the disk, whoever else waits.
    RealTime = 1,
    /// What a process without a class of its own gets.
    BestEffort = 2,
    /// Only while nobody else needs the disk.
    Idle = 3,
}

/// Sets the I/O priority of this thread and all that it becomes or starts; 0 is the highest level and 7 the lowest.
pub fn set_io_priority(class: IoClass, level: u8) -> io::Result<()> {
    const IOPRIO_WHO_PROCESS: i32 = 1;
    const IOPRIO_CLASS_SHIFT: u32 = 13;
    let value = ((class as i32) << IOPRIO_CLASS_SHIFT) | i32::from(level);
    // SAFETY: integers only.
    let result = unsafe { libc::syscall(libc::SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, value) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
