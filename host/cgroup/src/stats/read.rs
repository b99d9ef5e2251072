//! Statistics from the text of control files. Where the text comes from is the caller's: a group's directories, or a test.

use super::model::{Blkio, Cpu, CpuSet, CpuUsage, HugePages, Memory, MemoryEntry, Pids, Stats, Throttling};
use super::parse;
use crate::Controller;

/// Where a controller's files are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// A version 1 hierarchy.
    V1,
    /// The version 2 hierarchy.
    V2,
}

/// The control files of one container.
pub trait Files {
    /// In which version a controller is; none if the container has it not.
    fn source(&self, controller: Controller) -> Option<Source>;
    /// The text of a controller's file in that version.
    fn text(&self, controller: Controller, source: Source, file: &str) -> Option<String>;
    /// Page sizes of huge pages, as in `hugetlb.2MB.current`.
    fn page_sizes(&self) -> Vec<String>;
}

/// One controller's files.
struct View<'a> {
    files: &'a dyn Files,
    controller: Controller,
    source: Source,
}

impl View<'_> {
    fn text(&self, file: &str) -> String {
        self.files.text(self.controller, self.source, file).unwrap_or_default()
    }

    fn number(&self, file: &str) -> u64 {
        parse::number(&self.text(file)).unwrap_or_default()
    }

    fn is_v1(&self) -> bool {
        self.source == Source::V1
    }
}

impl Stats {
    /// Reads all statistics. What a container or a machine has not is zero or empty.
    pub fn read(files: &dyn Files) -> Self {
        let view = |controller| files.source(controller).map(|source| View { files, controller, source });
        let unified =
            |controller, file: &str| files.text(controller, Source::V2, file).as_deref().and_then(parse::pressure);
        let mut stats = Self {
            cpu: cpu(files),
            cpuset: view(Controller::CpuSet).map(|view| cpuset(&view)).unwrap_or_default(),
            memory: view(Controller::Memory).map(|view| memory(&view)).unwrap_or_default(),
            pids: view(Controller::Pids).map(|view| pids(&view)).unwrap_or_default(),
            blkio: view(Controller::Blkio).map(|view| blkio(&view)).unwrap_or_default(),
            ..Self::default()
        };
        if let Some(view) = view(Controller::HugeTlb) {
            stats.hugetlb =
                files.page_sizes().into_iter().map(|size| (size.clone(), huge_pages(&view, &size))).collect();
        }
        if let Some(view) = view(Controller::Rdma) {
            stats.rdma = parse::rdma(&view.text("rdma.current"));
        }
        stats.cpu.psi = unified(Controller::Cpu, "cpu.pressure");
        stats.memory.psi = unified(Controller::Memory, "memory.pressure");
        stats.blkio.psi = unified(Controller::Blkio, "io.pressure");
        stats
    }
}

/// Version 2 counts CPU time without a controller.
fn cpu(files: &dyn Files) -> Cpu {
    let v1 = |controller| {
        (files.source(controller) == Some(Source::V1)).then_some(View { files, controller, source: Source::V1 })
    };
    let text = files.text(Controller::Cpu, Source::V2, "cpu.stat").unwrap_or_default();
    let from_v2 = |name: &str| parse::key(&text, name).unwrap_or_default();
    let usage = match v1(Controller::CpuAcct) {
        Some(view) => usage_v1(&view),
        None => CpuUsage {
            total: from_v2("usage_usec").saturating_mul(1000),
            kernel: from_v2("system_usec").saturating_mul(1000),
            user: from_v2("user_usec").saturating_mul(1000),
            ..CpuUsage::default()
        },
    };
    let throttling = match v1(Controller::Cpu) {
        Some(view) => throttling(&view.text("cpu.stat"), "throttled_time", 1),
        None => throttling(&text, "throttled_usec", 1000),
    };
    Cpu { usage, throttling, psi: None }
}

fn usage_v1(view: &View<'_>) -> CpuUsage {
    CpuUsage {
        total: view.number("cpuacct.usage"),
        percpu: parse::numbers(&view.text("cpuacct.usage_percpu")),
        percpu_kernel: parse::numbers(&view.text("cpuacct.usage_percpu_sys")),
        percpu_user: parse::numbers(&view.text("cpuacct.usage_percpu_user")),
        kernel: view.number("cpuacct.usage_sys"),
        user: view.number("cpuacct.usage_user"),
    }
}

fn throttling(text: &str, time: &str, nanoseconds: u64) -> Throttling {
    let key = |name: &str| parse::key(text, name).unwrap_or_default();
    Throttling {
        periods: key("nr_periods"),
        throttled_periods: key("nr_throttled"),
        throttled_time: key(time).saturating_mul(nanoseconds),
    }
}

fn cpuset(view: &View<'_>) -> CpuSet {
    let prefix = if view.is_v1() { "cpuset.effective_" } else { "cpuset." };
    let suffix = if view.is_v1() { "" } else { ".effective" };
    let list = |what: &str| parse::list(&view.text(&format!("{prefix}{what}{suffix}")));
    CpuSet { cpus: list("cpus"), mems: list("mems") }
}

fn memory(view: &View<'_>) -> Memory {
    let raw = parse::keyed(&view.text("memory.stat"));
    let stat = |name: &str| raw.get(name).copied().unwrap_or_default();
    if view.is_v1() {
        let entry = |name: &str| MemoryEntry {
            limit: view.number(&format!("memory.{name}limit_in_bytes")),
            usage: view.number(&format!("memory.{name}usage_in_bytes")),
            max: view.number(&format!("memory.{name}max_usage_in_bytes")),
            failcnt: view.number(&format!("memory.{name}failcnt")),
        };
        return Memory {
            cache: raw.get("total_cache").copied().unwrap_or(stat("cache")),
            usage: entry(""),
            swap: entry("memsw."),
            kernel: entry("kmem."),
            kernel_tcp: entry("kmem.tcp."),
            oom_kills: parse::key(&view.text("memory.oom_control"), "oom_kill").unwrap_or_default(),
            raw,
            psi: None,
        };
    }
    let events = view.text("memory.events");
    let entry = |name: &str, failcnt| MemoryEntry {
        limit: view.number(&format!("{name}.max")),
        usage: view.number(&format!("{name}.current")),
        max: view.number(&format!("{name}.peak")),
        failcnt,
    };
    let usage = entry("memory", parse::key(&events, "max").unwrap_or_default());
    let swap_fails = parse::key(&view.text("memory.swap.events"), "fail").unwrap_or_default();
    Memory {
        cache: stat("file"),
        usage,
        swap: together(usage, entry("memory.swap", swap_fails)),
        kernel: MemoryEntry {
            usage: raw.get("kernel").copied().unwrap_or(stat("kernel_stack") + stat("slab")),
            ..MemoryEntry::default()
        },
        kernel_tcp: MemoryEntry { usage: stat("sock"), ..MemoryEntry::default() },
        oom_kills: parse::key(&events, "oom_kill").unwrap_or_default(),
        raw,
        psi: None,
    }
}

/// Version 1 counts memory and swap together, and that is what readers expect.
fn together(memory: MemoryEntry, swap: MemoryEntry) -> MemoryEntry {
    MemoryEntry {
        limit: memory.limit.saturating_add(swap.limit),
        usage: memory.usage.saturating_add(swap.usage),
        max: memory.max.saturating_add(swap.max),
        failcnt: swap.failcnt,
    }
}

fn pids(view: &View<'_>) -> Pids {
    let limit = view.number("pids.max");
    Pids { current: view.number("pids.current"), limit: if limit == u64::MAX { 0 } else { limit } }
}

fn blkio(view: &View<'_>) -> Blkio {
    let (bytes, operations) = if view.is_v1() {
        let table = |what: &str| {
            // The scheduler with weights counts what goes through it; the throttle counts everything, where there is no scheduler.
            let bfq = parse::block_v1(&view.text(&format!("blkio.bfq.{what}_recursive")));
            let all = || parse::block_v1(&view.text(&format!("blkio.throttle.{what}_recursive")));
            if bfq.is_empty() { all() } else { bfq }
        };
        (table("io_service_bytes"), table("io_serviced"))
    } else {
        parse::block_v2(&view.text("io.stat"))
    };
    Blkio { io_service_bytes_recursive: bytes, io_serviced_recursive: operations, psi: None }
}

fn huge_pages(view: &View<'_>, size: &str) -> HugePages {
    let number = |what: &str| view.number(&format!("hugetlb.{size}.{what}"));
    if view.is_v1() {
        let (usage, max) = (number("usage_in_bytes"), number("max_usage_in_bytes"));
        return HugePages { usage, max, failcnt: number("failcnt") };
    }
    let events = view.text(&format!("hugetlb.{size}.events"));
    HugePages { usage: number("current"), max: 0, failcnt: parse::key(&events, "max").unwrap_or_default() }
}
