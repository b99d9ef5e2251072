//! `process.execCPUAffinity`: on which processors a further process runs (sched_setaffinity(2)).

use oci_spec::runtime::ExecCPUAffinity;
use rustix::thread::CpuSet;

use super::invalid::InvalidProcess;
use super::number_list;

/// Where a process runs before and after it is in the container's control groups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Affinity {
    pub(super) initial: Option<CpuSet>,
    pub(super) last: Option<CpuSet>,
}

impl Affinity {
    pub(super) fn parse(affinity: &ExecCPUAffinity) -> Result<Self, InvalidProcess> {
        Ok(Self {
            initial: set("process.execCPUAffinity.initial", affinity.initial().as_deref())?,
            last: set("process.execCPUAffinity.final", affinity.cpu_affinity_final().as_deref())?,
        })
    }
}

fn set(field: &'static str, list: Option<&str>) -> Result<Option<CpuSet>, InvalidProcess> {
    let words = number_list::parse(field, list.unwrap_or_default())?;
    if words.is_empty() {
        return Ok(None);
    }
    let mut set = CpuSet::new();
    for number in (0..words.len() * 64).filter(|number| words[number / 64] >> (number % 64) & 1 == 1) {
        if number >= CpuSet::MAX_CPU {
            return Err(InvalidProcess::value(field, number, "a list of processors below 1024"));
        }
        set.set(number);
    }
    Ok(Some(set))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_processors() {
        let parse = |json: &str| Affinity::parse(&serde_json::from_str(json).unwrap());
        let affinity = parse(r#"{"initial": "0-1,65", "final": "1"}"#).unwrap();
        let initial = affinity.initial.unwrap();
        assert!(initial.is_set(0) && initial.is_set(1) && initial.is_set(65) && initial.count() == 3);
        assert_eq!(affinity.last.unwrap().count(), 1);
        assert_eq!(parse("{}").unwrap(), Affinity { initial: None, last: None });
        assert_eq!(parse(r#"{"final": "1024"}"#).unwrap_err().field, "process.execCPUAffinity.final");
        assert_eq!(parse(r#"{"initial": "3-1"}"#).unwrap_err().field, "process.execCPUAffinity.initial");
    }
}
