//! `process.scheduler`: sched_setattr(2).

use jail::SchedAttr;
use oci_spec::runtime::{LinuxSchedulerFlag as Flag, LinuxSchedulerPolicy as Policy, Scheduler};

use super::invalid::InvalidProcess;

/// `SCHED_ISO` is reserved in linux/sched.h and known to no kernel, which will say so.
const SCHED_ISO: u32 = 4;

/// Checks what the kernel would ignore or answer with "invalid argument" alone.
pub(super) fn parse(scheduler: &Scheduler) -> Result<SchedAttr, InvalidProcess> {
    let policy = *scheduler.policy();
    let (nice, priority) = (scheduler.nice().unwrap_or(0), scheduler.priority().unwrap_or(0));
    let deadline = [*scheduler.runtime(), *scheduler.deadline(), *scheduler.period()].map(Option::unwrap_or_default);
    if !(-20..=19).contains(&nice) {
        return Err(InvalidProcess::value("process.scheduler.nice", nice, "from -20 to 19"));
    }
    let real_time = matches!(policy, Policy::SchedFifo | Policy::SchedRr);
    match (real_time, priority) {
        (true, 1..=99) | (false, 0) => {}
        (true, _) => {
            return Err(InvalidProcess::value("process.scheduler.priority", priority, "from 1 to 99 for this policy"));
        }
        (false, _) => {
            return Err(InvalidProcess::rule("process.scheduler.priority", "is for SCHED_FIFO and SCHED_RR only"));
        }
    }
    if policy != Policy::SchedDeadline && deadline != [0; 3] {
        let rule = "has a runtime, deadline or period, which are for SCHED_DEADLINE only";
        return Err(InvalidProcess::rule("process.scheduler", rule));
    }
    let flags = scheduler.flags().as_deref().unwrap_or_default();
    Ok(SchedAttr {
        policy: number(policy),
        flags: flags.iter().map(|flag| bit(*flag)).fold(0, |all, one| all | one),
        nice,
        priority: priority.unsigned_abs(),
        runtime: deadline[0],
        deadline: deadline[1],
        period: deadline[2],
    })
}

fn number(policy: Policy) -> u32 {
    match policy {
        Policy::SchedOther => libc::SCHED_OTHER as u32,
        Policy::SchedFifo => libc::SCHED_FIFO as u32,
        Policy::SchedRr => libc::SCHED_RR as u32,
        Policy::SchedBatch => libc::SCHED_BATCH as u32,
        Policy::SchedIso => SCHED_ISO,
        Policy::SchedIdle => libc::SCHED_IDLE as u32,
        Policy::SchedDeadline => libc::SCHED_DEADLINE as u32,
    }
}

/// `SCHED_FLAG_*` of linux/sched.h.
fn bit(flag: Flag) -> u64 {
    match flag {
        Flag::SchedResetOnFork => 0x01,
        Flag::SchedFlagReclaim => 0x02,
        Flag::SchedFlagDLOverrun => 0x04,
        Flag::SchedFlagKeepPolicy => 0x08,
        Flag::SchedFlagKeepParams => 0x10,
        Flag::SchedFlagUtilClampMin => 0x20,
        Flag::SchedFlagUtilClampMax => 0x40,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(json: &str) -> Result<SchedAttr, InvalidProcess> {
        parse(&serde_json::from_str(json).unwrap())
    }

    #[test]
    fn policies_and_flags() {
        let attr = check(r#"{"policy": "SCHED_BATCH", "nice": 5, "flags": ["SCHED_FLAG_KEEP_POLICY"]}"#).unwrap();
        assert_eq!((attr.policy, attr.nice, attr.flags), (3, 5, 8));
        let attr = check(r#"{"policy": "SCHED_DEADLINE", "runtime": 1, "deadline": 2, "period": 3}"#).unwrap();
        assert_eq!((attr.policy, attr.runtime, attr.deadline, attr.period), (6, 1, 2, 3));
        assert_eq!(check(r#"{"policy": "SCHED_RR", "priority": 99}"#).unwrap().priority, 99);
    }

    #[test]
    fn combinations_that_mean_nothing() {
        for (json, field) in [
            (r#"{"policy": "SCHED_OTHER", "nice": 20}"#, "process.scheduler.nice"),
            (r#"{"policy": "SCHED_OTHER", "priority": 1}"#, "process.scheduler.priority"),
            (r#"{"policy": "SCHED_FIFO"}"#, "process.scheduler.priority"),
            (r#"{"policy": "SCHED_FIFO", "priority": -1}"#, "process.scheduler.priority"),
            (r#"{"policy": "SCHED_IDLE", "runtime": 1}"#, "process.scheduler"),
        ] {
            assert_eq!(check(json).unwrap_err().field, field, "{json}");
        }
    }
}
