//! Files about a process or a thread.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write;
use core::sync::atomic::{AtomicI32, Ordering};

use linux_abi::Errno;

use super::{Subject, parse};
use crate::machine::machine;
use crate::task::Credentials;
use crate::vfs::path::{How, walk};
use crate::vfs::{Magic, Place, mount};

type Text = Result<String, Errno>;
type Bytes = Result<Vec<u8>, Errno>;

const TICK: u64 = 10_000_000;
const PAGE: u64 = platform::PAGE_SIZE;

pub(super) fn cmdline(subject: &Subject) -> Bytes {
    Ok(subject.process()?.program.lock().cmdline.clone())
}

pub(super) fn environ(subject: &Subject) -> Bytes {
    Ok(subject.process()?.program.lock().environ.clone())
}

pub(super) fn auxv(subject: &Subject) -> Bytes {
    Ok(subject.process()?.program.lock().auxv.clone())
}

pub(super) fn maps(subject: &Subject) -> Bytes {
    Ok(subject.process()?.mm.maps())
}

/// The mappings with their sizes; how much of each is resident is not known.
pub(super) fn smaps(subject: &Subject) -> Bytes {
    let maps = maps(subject)?;
    let mut text = Vec::new();
    for line in maps.split_inclusive(|b| *b == b'\n') {
        text.extend_from_slice(line);
        let size = mapping_size(line).unwrap_or(0) >> 10;
        let rows = format!(
            "Size: {size:>18} kB\nKernelPageSize:        4 kB\nMMUPageSize:           4 kB\nRss: {size:>19} kB\n\
             Pss: {size:>19} kB\nShared_Clean:          0 kB\nShared_Dirty:          0 kB\nPrivate_Clean:         0 kB\n\
             Private_Dirty: {size:>9} kB\nReferenced: {size:>12} kB\nAnonymous: {size:>13} kB\n\
             AnonHugePages:         0 kB\nSwap:                  0 kB\n"
        );
        text.extend_from_slice(rows.as_bytes());
    }
    Ok(text)
}

fn mapping_size(line: &[u8]) -> Option<u64> {
    let (start, end) = core::str::from_utf8(line.split(|b| *b == b' ').next()?).ok()?.split_once('-')?;
    u64::from_str_radix(end, 16).ok()?.checked_sub(u64::from_str_radix(start, 16).ok()?)
}

fn name(subject: &Subject) -> Text {
    let thread = subject.thread()?;
    let name = thread.name.lock();
    let end = name.iter().position(|b| *b == 0).unwrap_or(name.len());
    Ok(String::from_utf8_lossy(&name[..end]).into_owned())
}

pub(super) fn comm(subject: &Subject) -> Text {
    Ok(name(subject)? + "\n")
}

pub(super) fn set_comm(subject: &Subject, text: &[u8]) -> Result<(), Errno> {
    let mut name = [0; 16];
    let len = text.len().min(15);
    name[..len].copy_from_slice(&text[..len]);
    *subject.thread()?.name.lock() = name;
    Ok(())
}

pub(super) fn cwd(subject: &Subject) -> Result<Magic, Errno> {
    let inode = subject.process()?.fs.cwd();
    Ok(Magic::Place(Place { inode, parent: None, name: (*b"").into() }))
}

pub(super) fn cwd_path(subject: &Subject) -> Bytes {
    Ok(mount::path_of(&subject.process()?.fs.cwd()).unwrap_or_else(|| b"(deleted)".to_vec()))
}

pub(super) fn root(_: &Subject) -> Result<Magic, Errno> {
    Ok(Magic::Place(Place { inode: mount::root(), parent: None, name: (*b"").into() }))
}

pub(super) fn exe_path(subject: &Subject) -> Bytes {
    let path = subject.process()?.program.lock().path.clone();
    if path.is_empty() { Err(Errno::ENOENT) } else { Ok(path) }
}

pub(super) fn exe(subject: &Subject) -> Result<Magic, Errno> {
    walk(mount::root(), &exe_path(subject)?, How::FOLLOW)?.to_place().map(Magic::Place)
}

pub(super) fn id_map(_: &Subject) -> Text {
    Ok("         0          0 4294967295\n".into())
}

static OOM_SCORE_ADJ: AtomicI32 = AtomicI32::new(0);

pub(super) fn oom_score_adj(_: &Subject) -> Text {
    Ok(format!("{}\n", OOM_SCORE_ADJ.load(Ordering::Relaxed)))
}

/// Kept for whoever reads it back: there is no other process that could be chosen.
pub(super) fn set_oom_score_adj(_: &Subject, text: &[u8]) -> Result<(), Errno> {
    let value: i32 = parse(text)?;
    if !(-1000..=1000).contains(&value) {
        return Err(Errno::EINVAL);
    }
    OOM_SCORE_ADJ.store(value, Ordering::Relaxed);
    Ok(())
}

pub(super) fn io(_: &Subject) -> Text {
    let names = ["rchar", "wchar", "syscr", "syscw", "read_bytes", "write_bytes", "cancelled_write_bytes"];
    Ok(names.iter().map(|name| format!("{name}: 0\n")).collect())
}

pub(super) fn schedstat(_: &Subject) -> Text {
    Ok(format!("{} 0 0\n", machine().cpu_time_ns(true)))
}

pub(super) fn statm(subject: &Subject) -> Text {
    let pages = subject.process()?.mm.mapped_bytes() / PAGE;
    Ok(format!("{pages} {pages} 0 0 0 {pages} 0\n"))
}

pub(super) fn stat(subject: &Subject) -> Text {
    let process = subject.process()?;
    let thread = subject.thread()?;
    let id = subject.thread.as_ref().map_or(process.pid, |thread| thread.tid);
    let threads = process.threads.lock().len();
    let ticks = machine().cpu_time_ns(true) / TICK;
    let bytes = process.mm.mapped_bytes();
    let waiting = thread.signals.bits.load(Ordering::Relaxed) & 0x7fff_ffff;
    let blocked = thread.signals.mask().0 & 0x7fff_ffff;
    Ok(format!(
        "{id} ({}) R 0 {pid} {pid} 0 -1 4194304 0 0 0 0 {ticks} 0 0 0 20 0 {threads} 0 0 {bytes} {} {} 0 0 0 0 0 \
         {waiting} {blocked} 0 0 0 0 0 17 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n",
        name(subject)?,
        bytes / PAGE,
        u64::MAX,
        pid = process.pid,
    ))
}

fn ids(creds: &Credentials) -> String {
    let mut text = format!(
        "Uid:\t{}\t{}\t{}\t{}\nGid:\t{}\t{}\t{}\t{}\n",
        creds.ruid, creds.euid, creds.suid, creds.fsuid, creds.rgid, creds.egid, creds.sgid, creds.fsgid
    );
    text.push_str("Groups:\t");
    for group in &creds.groups {
        let _ = write!(text, "{group} ");
    }
    text.push('\n');
    text
}

pub(super) fn status(subject: &Subject) -> Text {
    let process = subject.process()?;
    let thread = subject.thread()?;
    let id = subject.thread.as_ref().map_or(process.pid, |thread| thread.tid);
    let creds = process.creds.lock().clone();
    let size = process.mm.mapped_bytes() >> 10;
    let threads = process.threads.lock().len();
    let descriptors = process.files.open_in(0, u32::MAX).len().next_multiple_of(64);
    let mut text = format!(
        "Name:\t{}\nUmask:\t{:04o}\nState:\tR (running)\nTgid:\t{pid}\nNgid:\t0\nPid:\t{id}\nPPid:\t0\nTracerPid:\t0\n",
        name(subject)?,
        process.fs.umask(),
        pid = process.pid
    );
    text.push_str(&ids(&creds));
    let _ = write!(
        text,
        "FDSize:\t{descriptors}\nNStgid:\t{pid}\nNSpid:\t{id}\nVmPeak:\t{size:8} kB\nVmSize:\t{size:8} kB\n\
         VmLck:\t       0 kB\nVmPin:\t       0 kB\nVmHWM:\t{size:8} kB\nVmRSS:\t{size:8} kB\nRssAnon:\t{size:8} kB\n\
         RssFile:\t       0 kB\nRssShmem:\t       0 kB\nVmData:\t{size:8} kB\nVmSwap:\t       0 kB\nThreads:\t{threads}\n",
        pid = process.pid
    );
    let (own, shared) = (thread.signals.bits.load(Ordering::Relaxed), process.signals.bits.load(Ordering::Relaxed));
    let _ = write!(
        text,
        "SigQ:\t0/126000\nSigPnd:\t{own:016x}\nShdPnd:\t{shared:016x}\nSigBlk:\t{:016x}\nCapInh:\t{:016x}\n\
         CapPrm:\t{:016x}\nCapEff:\t{:016x}\nCapBnd:\t{:016x}\nCapAmb:\t{:016x}\nNoNewPrivs:\t1\nSeccomp:\t0\n",
        thread.signals.mask().0,
        creds.inheritable,
        creds.permitted,
        creds.effective,
        creds.permitted,
        0
    );
    let cpus = machine().cpus();
    let mask = if cpus >= 32 { u32::MAX } else { (1 << cpus) - 1 };
    let _ = write!(
        text,
        "Cpus_allowed:\t{mask:x}\nCpus_allowed_list:\t0-{}\nMems_allowed:\t1\nMems_allowed_list:\t0\n\
         voluntary_ctxt_switches:\t0\nnonvoluntary_ctxt_switches:\t0\n",
        cpus.saturating_sub(1)
    );
    Ok(text)
}

pub(super) fn limits(subject: &Subject) -> Text {
    const ROWS: [(&str, &str); 16] = [
        ("Max cpu time", "seconds"),
        ("Max file size", "bytes"),
        ("Max data size", "bytes"),
        ("Max stack size", "bytes"),
        ("Max core file size", "bytes"),
        ("Max resident set", "bytes"),
        ("Max processes", "processes"),
        ("Max open files", "files"),
        ("Max locked memory", "bytes"),
        ("Max address space", "bytes"),
        ("Max file locks", "locks"),
        ("Max pending signals", "signals"),
        ("Max msgqueue size", "bytes"),
        ("Max nice priority", ""),
        ("Max realtime priority", ""),
        ("Max realtime timeout", "us"),
    ];
    let value = |v: u64| if v == u64::MAX { String::from("unlimited") } else { format!("{v}") };
    let limits = *subject.process()?.limits.lock();
    let mut text = format!("{:<25} {:<20} {:<20} {:<10}\n", "Limit", "Soft Limit", "Hard Limit", "Units");
    for ((name, unit), limit) in ROWS.iter().zip(limits) {
        let _ = writeln!(text, "{name:<25} {:<20} {:<20} {unit:<10}", value(limit.cur), value(limit.max));
    }
    Ok(text)
}
