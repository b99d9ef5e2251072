//! What the system tells about itself: uname(2), sysinfo(2), limits, usage, randomness.

use alloc::vec;
use core::sync::atomic::Ordering;

use linux_abi::task::{Rlimit, Rusage, Sysinfo, Utsname};
use linux_abi::time::Timeval;
use linux_abi::{Errno, Pod};

use crate::machine::machine;
use crate::mem::{read_value, write_value};
use crate::syscall::Call;
use crate::task::{Resource, current};

/// The version of Linux whose interface this is.
const RELEASE: &str = "6.1.0-coracle";
const VERSION: &str = concat!("#1 Coracle ", env!("CARGO_PKG_VERSION"));

/// uname(2).
pub(super) fn uname(call: &mut Call<'_>) -> Result<i64, Errno> {
    let hostname = machine().boot_info().hostname;
    let name = Utsname {
        sysname: field("Linux"),
        nodename: field(if hostname.is_empty() { "coracle" } else { hostname }),
        release: field(RELEASE),
        version: field(VERSION),
        machine: field("x86_64"),
        domainname: field("(none)"),
    };
    write_value(call.addr(0), &name)?;
    Ok(0)
}

fn field(text: &str) -> [u8; 65] {
    let mut field = [0; 65];
    let len = text.len().min(64);
    field[..len].copy_from_slice(&text.as_bytes()[..len]);
    field
}

/// The instance's memory in bytes: its limit, or a guess of 1 GiB where it has none.
fn memory_total() -> u64 {
    match machine().boot_info().memory_limit {
        0 => 1 << 30,
        limit => limit,
    }
}

/// sysinfo(2).
pub(super) fn sysinfo(call: &mut Call<'_>) -> Result<i64, Errno> {
    let total = memory_total();
    let process = &current().process;
    let info = Sysinfo {
        uptime: (crate::time::uptime() / 1_000_000_000) as i64,
        totalram: total,
        freeram: total / 4 * 3,
        procs: process.threads.lock().len() as u16,
        mem_unit: 1,
        ..Sysinfo::zeroed()
    };
    write_value(call.addr(0), &info)?;
    Ok(0)
}

/// getrandom(2): never waits; the machine's randomness is always ready.
pub(super) fn getrandom(call: &mut Call<'_>) -> Result<i64, Errno> {
    const KNOWN: u32 = 7;
    if call.uint(2) & !KNOWN != 0 || call.uint(2) & 6 == 6 {
        return Err(Errno::EINVAL);
    }
    let len = call.size(1).min(i32::MAX as usize);
    let mut chunk = vec![0; len.min(4096)];
    let mut done = 0;
    while done < len {
        let n = chunk.len().min(len - done);
        machine().random(&mut chunk[..n]);
        machine().copy_to_user(call.addr(0).add(done as u64), &chunk[..n])?;
        done += n;
    }
    Ok(done as i64)
}

fn resource(number: u32) -> Result<usize, Errno> {
    if number < 16 { Ok(number as usize) } else { Err(Errno::EINVAL) }
}

/// prlimit64(2).
pub(super) fn prlimit64(call: &mut Call<'_>) -> Result<i64, Errno> {
    let which = resource(call.uint(1))?;
    let process = &current().process;
    if call.uint(0) != 0 && call.uint(0) != process.pid {
        return Err(Errno::ESRCH);
    }
    let new = if call.addr(2).is_null() { None } else { Some(read_value::<Rlimit>(call.addr(2))?) };
    let old = process.limits.lock()[which];
    if let Some(new) = new {
        set_limit(which, new)?;
    }
    if !call.addr(3).is_null() {
        write_value(call.addr(3), &old)?;
    }
    Ok(0)
}

/// getrlimit(2).
pub(super) fn getrlimit(call: &mut Call<'_>) -> Result<i64, Errno> {
    let limit = current().process.limits.lock()[resource(call.uint(0))?];
    write_value(call.addr(1), &limit)?;
    Ok(0)
}

/// setrlimit(2).
pub(super) fn setrlimit(call: &mut Call<'_>) -> Result<i64, Errno> {
    set_limit(resource(call.uint(0))?, read_value(call.addr(1))?)?;
    Ok(0)
}

/// Sets a limit; the hard one can only go down (there is no CAP_SYS_RESOURCE).
fn set_limit(which: usize, new: Rlimit) -> Result<(), Errno> {
    if new.cur > new.max {
        return Err(Errno::EINVAL);
    }
    let process = &current().process;
    let mut limits = process.limits.lock();
    if new.max > limits[which].max {
        return Err(Errno::EPERM);
    }
    limits[which] = new;
    drop(limits);
    if which == Resource::OpenFiles as usize {
        process.files.set_limit(new.cur);
    }
    if which == Resource::AddressSpace as usize {
        process.mm.set_limit(new.cur);
    }
    Ok(())
}

const RUSAGE_SELF: i32 = 0;
const RUSAGE_CHILDREN: i32 = -1;
const RUSAGE_THREAD: i32 = 1;

/// getrusage(2).
pub(super) fn getrusage(call: &mut Call<'_>) -> Result<i64, Errno> {
    let time = match call.int(0) {
        RUSAGE_SELF => machine().cpu_time_ns(true),
        RUSAGE_THREAD => machine().cpu_time_ns(false),
        RUSAGE_CHILDREN => 0,
        _ => return Err(Errno::EINVAL),
    };
    // A system call is part of the program here: all of its time is user time.
    let usage = Rusage { utime: Timeval::from_nanos(time), ..Rusage::zeroed() };
    write_value(call.addr(1), &usage)?;
    Ok(0)
}

const PR_SET_PDEATHSIG: i32 = 1;
const PR_GET_PDEATHSIG: i32 = 2;
const PR_GET_DUMPABLE: i32 = 3;
const PR_SET_DUMPABLE: i32 = 4;
const PR_GET_KEEPCAPS: i32 = 7;
const PR_SET_KEEPCAPS: i32 = 8;
const PR_SET_NAME: i32 = 15;
const PR_GET_NAME: i32 = 16;
const PR_CAPBSET_READ: i32 = 23;
const PR_CAPBSET_DROP: i32 = 24;
const PR_SET_TIMERSLACK: i32 = 29;
const PR_GET_TIMERSLACK: i32 = 30;
const PR_SET_CHILD_SUBREAPER: i32 = 36;
const PR_SET_NO_NEW_PRIVS: i32 = 38;
const PR_GET_NO_NEW_PRIVS: i32 = 39;
const PR_SET_THP_DISABLE: i32 = 41;
const PR_GET_THP_DISABLE: i32 = 42;
const PR_CAP_AMBIENT: i32 = 47;
const PR_SET_VMA: i32 = 0x5356_4d41;

/// prctl(2).
pub(super) fn prctl(call: &mut Call<'_>) -> Result<i64, Errno> {
    let thread = current();
    match call.int(0) {
        PR_SET_NAME => {
            let mut name = [0; 16];
            let text = crate::mem::read_cstr(call.addr(1), 16).or_else(|error| match error {
                // Longer names are cut.
                Errno::ENAMETOOLONG => read_value::<[u8; 16]>(call.addr(1)).map(|bytes| bytes[..15].to_vec()),
                error => Err(error),
            })?;
            name[..text.len()].copy_from_slice(&text);
            *thread.name.lock() = name;
            Ok(0)
        }
        PR_GET_NAME => {
            let name = *thread.name.lock();
            write_value(call.addr(1), &name)?;
            Ok(0)
        }
        PR_GET_DUMPABLE => Ok(1),
        PR_GET_PDEATHSIG => write_value(call.addr(1), &0i32).map(|()| 0),
        PR_GET_TIMERSLACK => Ok(50_000),
        PR_CAPBSET_READ if call.args[1] > 63 => Err(Errno::EINVAL),
        PR_CAPBSET_READ => Ok(i64::from(thread.process.creds.lock().permitted & (1 << call.args[1]) != 0)),
        PR_SET_NO_NEW_PRIVS if call.args[1] != 1 => Err(Errno::EINVAL),
        // No program can gain privileges by execve: there is none.
        PR_GET_NO_NEW_PRIVS | PR_SET_NO_NEW_PRIVS => Ok(i64::from(call.int(0) == PR_GET_NO_NEW_PRIVS)),
        PR_GET_KEEPCAPS | PR_GET_THP_DISABLE => Ok(0),
        PR_SET_PDEATHSIG | PR_SET_DUMPABLE | PR_SET_KEEPCAPS | PR_SET_TIMERSLACK | PR_SET_CHILD_SUBREAPER => Ok(0),
        PR_SET_THP_DISABLE | PR_CAPBSET_DROP | PR_SET_VMA => Ok(0),
        PR_CAP_AMBIENT => Ok(0),
        _ => Err(Errno::EINVAL),
    }
}

const ARCH_SET_GS: u64 = 0x1001;
const ARCH_SET_FS: u64 = 0x1002;
const ARCH_GET_FS: u64 = 0x1003;

/// arch_prctl(2). GS belongs to the kernel.
pub(super) fn arch_prctl(call: &mut Call<'_>) -> Result<i64, Errno> {
    match call.args[0] {
        ARCH_SET_FS if call.args[1] >= 1 << 47 => Err(Errno::EPERM),
        ARCH_SET_FS => {
            call.context.fs_base = call.args[1];
            machine().set_fs_base(call.args[1]);
            Ok(0)
        }
        ARCH_GET_FS => {
            write_value(call.addr(1), &call.context.fs_base)?;
            Ok(0)
        }
        ARCH_SET_GS => Err(Errno::EPERM),
        _ => Err(Errno::EINVAL),
    }
}

/// set_tid_address(2).
pub(super) fn set_tid_address(call: &mut Call<'_>) -> Result<i64, Errno> {
    let thread = current();
    thread.clear_tid.store(call.args[0], Ordering::Relaxed);
    Ok(thread.tid.into())
}

/// set_robust_list(2).
pub(super) fn set_robust_list(call: &mut Call<'_>) -> Result<i64, Errno> {
    if call.size(1) != 24 {
        return Err(Errno::EINVAL);
    }
    current().robust_list.store(call.args[0], Ordering::Relaxed);
    Ok(0)
}

/// get_robust_list(2).
pub(super) fn get_robust_list(call: &mut Call<'_>) -> Result<i64, Errno> {
    let own = current();
    let thread = match call.uint(0) {
        0 => own.arc(),
        tid => own.process.threads.lock().get(&tid).cloned().ok_or(Errno::ESRCH)?,
    };
    write_value(call.addr(1), &thread.robust_list.load(Ordering::Relaxed))?;
    write_value(call.addr(2), &24u64)?;
    Ok(0)
}
