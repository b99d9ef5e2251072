use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use core::sync::atomic::AtomicU32;

use linux_abi::task::Rlimit;

use crate::mm::Mm;
use crate::signal::ProcessSignals;
use crate::sync::{Mutex, mutex};
use crate::task::{Credentials, Thread};
use crate::vfs::{DescriptorTable, FsContext};

/// What the threads of a process share.
pub(crate) struct Process {
    /// The process id.
    pub(crate) pid: u32,
    /// The address space.
    pub(crate) mm: Mm,
    /// The descriptors.
    pub(crate) files: DescriptorTable,
    /// Working directory, root, umask.
    pub(crate) fs: FsContext,
    /// Who it is.
    pub(crate) creds: Mutex<Credentials>,
    /// Signal actions and signals pending for the process.
    pub(crate) signals: ProcessSignals,
    /// Resource limits, by `RLIMIT_*`.
    pub(crate) limits: Mutex<[Rlimit; 16]>,
    /// Its threads, by id.
    pub(crate) threads: Mutex<BTreeMap<u32, Arc<Thread>>>,
    /// The next thread id.
    pub(crate) next_tid: AtomicU32,
    /// What the loader found: arguments and the path of the program, for /proc.
    pub(crate) program: Mutex<Program>,
}

/// What /proc/self shows of the program.
#[derive(Default, Clone)]
pub(crate) struct Program {
    /// The argument vector, each string ended by a zero byte (/proc/self/cmdline).
    pub(crate) cmdline: alloc::vec::Vec<u8>,
    /// The environment in the same form (/proc/self/environ).
    pub(crate) environ: alloc::vec::Vec<u8>,
    /// The auxiliary vector (/proc/self/auxv).
    pub(crate) auxv: alloc::vec::Vec<u8>,
    /// The absolute path of the program (/proc/self/exe).
    pub(crate) path: alloc::vec::Vec<u8>,
}

/// Those `RLIMIT_*` of getrlimit(2) that mean something here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub(crate) enum Resource {
    FileSize = 1,
    Stack = 3,
    Core = 4,
    OpenFiles = 7,
    AddressSpace = 9,
    MessageQueues = 12,
    Nice = 13,
    RealtimePriority = 14,
}

impl Process {
    /// A process without threads.
    pub(crate) fn new(pid: u32, creds: Credentials, files: DescriptorTable, fs: FsContext) -> Arc<Self> {
        Arc::new(Self {
            pid,
            mm: Mm::new(),
            files,
            fs,
            creds: mutex(creds),
            signals: ProcessSignals::new(),
            limits: mutex(default_limits()),
            threads: mutex(BTreeMap::new()),
            next_tid: AtomicU32::new(pid + 1),
            program: mutex(Program::default()),
        })
    }

    /// The soft limit of a resource.
    pub(crate) fn limit(&self, resource: Resource) -> u64 {
        self.limits.lock()[resource as usize].cur
    }
}

/// Unlimited.
pub(crate) const RLIM_INFINITY: u64 = u64::MAX;

fn default_limits() -> [Rlimit; 16] {
    let mut limits = [Rlimit { cur: RLIM_INFINITY, max: RLIM_INFINITY }; 16];
    limits[Resource::Stack as usize] = Rlimit { cur: 8 << 20, max: RLIM_INFINITY };
    limits[Resource::Core as usize] = Rlimit { cur: 0, max: RLIM_INFINITY };
    limits[Resource::OpenFiles as usize] = Rlimit { cur: 1024 * 1024, max: 1024 * 1024 };
    limits[Resource::MessageQueues as usize] = Rlimit { cur: 819_200, max: 819_200 };
    limits[Resource::Nice as usize] = Rlimit { cur: 0, max: 0 };
    limits[Resource::RealtimePriority as usize] = Rlimit { cur: 0, max: 0 };
    limits
}
