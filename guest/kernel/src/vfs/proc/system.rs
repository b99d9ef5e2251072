//! Files about the whole instance.

use alloc::format;
use alloc::string::String;
use core::fmt::Write;

use linux_abi::Errno;

use super::Subject;
use crate::machine::machine;
use crate::task::current;
use crate::time;

type Result = core::result::Result<String, Errno>;

/// What an instance without a limit says it has.
const UNLIMITED_MEMORY: u64 = 8 << 30;
/// `USER_HZ`: ticks per second in /proc.
const TICK: u64 = 10_000_000;

/// The memory of the instance and what is in use, in bytes.
pub(super) fn memory() -> (u64, u64) {
    let limit = machine().boot_info().memory_limit;
    let total = if limit == 0 { UNLIMITED_MEMORY } else { limit };
    let (files, _) = crate::vfs::tree::usage();
    (total, current().process.mm.mapped_bytes().saturating_add(files).min(total))
}

pub(super) fn meminfo(_: &Subject) -> Result {
    let (total, used) = memory();
    let (files, _) = crate::vfs::tree::usage();
    let mut text = String::new();
    let rows = [
        ("MemTotal", total),
        ("MemFree", total - used),
        ("MemAvailable", total - used),
        ("Buffers", 0),
        ("Cached", files),
        ("SwapCached", 0),
        ("Active", used),
        ("Inactive", 0),
        ("SwapTotal", 0),
        ("SwapFree", 0),
        ("Dirty", 0),
        ("Writeback", 0),
        ("AnonPages", used),
        ("Mapped", 0),
        ("Shmem", files),
        ("CommitLimit", total),
        ("Committed_AS", used),
        ("VmallocTotal", 34_359_738_367 << 10),
        ("VmallocUsed", 0),
    ];
    for (name, bytes) in rows {
        let _ = writeln!(text, "{:<15} {:>8} kB", format!("{name}:"), bytes >> 10);
    }
    text.push_str("HugePages_Total:       0\nHugePages_Free:        0\nHugepagesize:       2048 kB\n");
    Ok(text)
}

pub(super) fn cpuinfo(_: &Subject) -> Result {
    let cpu = crate::vfs::cpu::identify();
    let count = machine().cpus();
    let mut text = String::new();
    for n in 0..count {
        let _ = write!(
            text,
            "processor\t: {n}\nvendor_id\t: {}\ncpu family\t: {}\nmodel\t\t: {}\nmodel name\t: {}\nstepping\t: {}\n\
             physical id\t: 0\nsiblings\t: {count}\ncore id\t\t: {n}\ncpu cores\t: {count}\nfpu\t\t: yes\n\
             flags\t\t: {}\nclflush size\t: 64\naddress sizes\t: 46 bits physical, 48 bits virtual\n\n",
            cpu.vendor, cpu.family, cpu.model, cpu.name, cpu.stepping, cpu.flags
        );
    }
    Ok(text)
}

pub(super) fn loadavg(_: &Subject) -> Result {
    let process = &current().process;
    let threads = process.threads.lock().len();
    Ok(format!("0.00 0.00 0.00 1/{threads} {}\n", process.pid))
}

pub(super) fn stat(_: &Subject) -> Result {
    let cpus = u64::from(machine().cpus());
    let up = time::monotonic() / TICK;
    let busy = machine().cpu_time_ns(true) / TICK;
    let idle = (up * cpus).saturating_sub(busy);
    let mut text = format!("cpu  {busy} 0 0 {idle} 0 0 0 0 0 0\n");
    for n in 0..cpus {
        let _ = writeln!(text, "cpu{n} {} 0 0 {} 0 0 0 0 0 0", busy / cpus, idle / cpus);
    }
    let booted = (time::realtime() - time::monotonic()) / 1_000_000_000;
    let _ = write!(text, "intr 0\nctxt 0\nbtime {booted}\nprocesses 1\nprocs_running 1\nprocs_blocked 0\n");
    Ok(text)
}

pub(super) fn uptime(_: &Subject) -> Result {
    let up = time::monotonic();
    let cpus = u64::from(machine().cpus());
    let idle = (up * cpus).saturating_sub(machine().cpu_time_ns(true));
    let seconds = |ns: u64| format!("{}.{:02}", ns / 1_000_000_000, ns / TICK % 100);
    Ok(format!("{} {}\n", seconds(up), seconds(idle)))
}

pub(super) fn version(_: &Subject) -> Result {
    Ok(format!("Linux version {} (coracle) {}\n", super::sysctl::RELEASE, super::sysctl::VERSION))
}

pub(super) fn cmdline(_: &Subject) -> Result {
    Ok("coracle\n".into())
}

pub(super) fn filesystems(_: &Subject) -> Result {
    Ok("nodev\tproc\nnodev\tsysfs\nnodev\ttmpfs\nnodev\toverlay\n\terofs\n".into())
}

pub(super) fn devices(_: &Subject) -> Result {
    Ok("Character devices:\n  1 mem\n  5 /dev/tty\n136 pts\n\nBlock devices:\n".into())
}

pub(super) fn cgroups(_: &Subject) -> Result {
    Ok("#subsys_name\thierarchy\tnum_cgroups\tenabled\n".into())
}

pub(super) fn partitions(_: &Subject) -> Result {
    Ok("major minor  #blocks  name\n\n".into())
}

pub(super) fn swaps(_: &Subject) -> Result {
    Ok("Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n".into())
}

pub(super) fn vmstat(_: &Subject) -> Result {
    let (total, used) = memory();
    Ok(format!("nr_free_pages {}\npgfault 0\npgmajfault 0\npswpin 0\npswpout 0\noom_kill 0\n", (total - used) / 4096))
}
