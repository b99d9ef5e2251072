//! Limits that this machine cannot keep, refused before anything is made.

use std::collections::BTreeSet;
use std::fs;

use plan::{Isolation, Resources};

/// The least memory that a limit may leave, as Docker's: with less, not even the set-up of an instance gets through.
const MIN_MEMORY: u64 = 6 << 20;

/// A limit that makes no sense here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LimitError {
    /// Less than any program needs.
    #[error("a memory limit of {0} bytes is too small; give at least 6M (-m)")]
    LittleMemory(u64),
    /// A virtual machine takes its memory from the host's.
    #[error("a microVM of {asked} MiB does not fit this machine's {here} MiB; lower -m")]
    MuchMemory {
        /// What was asked for, in MiB.
        asked: u64,
        /// What there is, in MiB.
        here: u64,
    },
    /// More CPUs than there are.
    #[error("{asked} CPUs were asked for (--cpus), and this machine has {here}; lower --cpus")]
    ManyCpus {
        /// What was asked for.
        asked: String,
        /// How many there are.
        here: usize,
    },
    /// CPUs that do not exist or are off.
    #[error("the CPUs '{asked}' (--cpuset-cpus) are not all here; this machine has {here}")]
    NoCpus {
        /// What was asked for.
        asked: String,
        /// The list of those that are on.
        here: String,
    },
}

/// Refuses what cannot be. Looks at the machine only for limits that were asked for.
pub(crate) fn check(resources: &Resources, level: Isolation) -> Result<(), LimitError> {
    if let Some(bytes) = resources.memory {
        check_memory(bytes, level, crate::system::memory_total())?;
    }
    if resources.cpu_millis.is_none() && resources.cpuset.is_none() {
        return Ok(());
    }
    match fs::read_to_string("/sys/devices/system/cpu/online") {
        Ok(online) => check_cpus(resources, online.trim()),
        // Without sysfs the control groups have the last word.
        Err(_) => Ok(()),
    }
}

fn check_memory(bytes: u64, level: Isolation, total: u64) -> Result<(), LimitError> {
    if bytes < MIN_MEMORY {
        return Err(LimitError::LittleMemory(bytes));
    }
    if level == Isolation::Microvm && total != 0 && bytes > total {
        return Err(LimitError::MuchMemory { asked: bytes >> 20, here: total >> 20 });
    }
    Ok(())
}

fn check_cpus(resources: &Resources, online: &str) -> Result<(), LimitError> {
    let here = set(online);
    if let Some(millis) = resources.cpu_millis
        && millis as usize > here.len() * 1000
    {
        let asked = format!("{}.{:03}", millis / 1000, millis % 1000);
        let asked = asked.trim_end_matches('0').trim_end_matches('.').to_owned();
        return Err(LimitError::ManyCpus { asked, here: here.len() });
    }
    match &resources.cpuset {
        Some(list) if !set(list).is_subset(&here) => {
            Err(LimitError::NoCpus { asked: list.clone(), here: online.to_owned() })
        }
        _ => Ok(()),
    }
}

/// The list format of cpuset(7).
fn set(list: &str) -> BTreeSet<u16> {
    let range = |part: &str| {
        let (low, high) = part.split_once('-').unwrap_or((part, part));
        Some(low.parse::<u16>().ok()?..=high.parse::<u16>().ok()?)
    };
    list.split(',').filter_map(range).flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpus_must_be_here() {
        let asked = |millis: Option<u32>, list: Option<&str>| Resources {
            cpu_millis: millis,
            cpuset: list.map(str::to_owned),
            ..Resources::default()
        };
        for good in [asked(Some(4000), None), asked(None, Some("0,2-3")), asked(None, None)] {
            assert_eq!(check_cpus(&good, "0-3"), Ok(()));
        }
        let many = check_cpus(&asked(Some(4500), None), "0-3").unwrap_err();
        assert_eq!(many, LimitError::ManyCpus { asked: "4.5".into(), here: 4 });
        assert!(matches!(check_cpus(&asked(None, Some("1")), "0,2"), Err(LimitError::NoCpus { .. })));
        assert!(matches!(check_cpus(&asked(None, Some("0-4")), "0-3"), Err(LimitError::NoCpus { .. })));
    }

    #[test]
    fn memory_must_suffice_and_exist() {
        assert!(matches!(check_memory(1024, Isolation::Container, 1 << 30), Err(LimitError::LittleMemory(1024))));
        assert_eq!(check_memory(1 << 40, Isolation::Container, 1 << 30), Ok(()), "a limit may be higher");
        assert!(check_memory(1 << 40, Isolation::Microvm, 1 << 30).is_err());
        assert_eq!(check_memory(1 << 28, Isolation::Microvm, 1 << 30), Ok(()));
    }
}
