//! Resource limits (getrlimit(2)).

use oci_spec::runtime::{PosixRlimit, PosixRlimitType as Type};
use rustix::io::Errno;
use rustix::process::{Pid, Resource, Rlimit};

use super::invalid::{InvalidProcess, Reason};
use crate::error::Stage;
use crate::message::{AtStage, Failure};

const FIELD: &str = "process.rlimits";

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Rlimits(Vec<(Type, Rlimit)>);

impl Rlimits {
    pub(super) fn parse(limits: &[PosixRlimit]) -> Result<Self, InvalidProcess> {
        let mut parsed: Vec<(Type, Rlimit)> = Vec::with_capacity(limits.len());
        for limit in limits {
            if limit.soft() > limit.hard() {
                let value = format!("{}: soft {} above hard {}", limit.typ(), limit.soft(), limit.hard());
                return Err(InvalidProcess::value(FIELD, value, "soft ≤ hard"));
            }
            if parsed.iter().any(|(typ, _)| *typ == limit.typ()) {
                return Err(InvalidProcess { field: FIELD, reason: Reason::Twice(limit.typ().to_string()) });
            }
            let value = Rlimit { current: bounded(limit.soft()), maximum: bounded(limit.hard()) };
            parsed.push((limit.typ(), value));
        }
        Ok(Self(parsed))
    }

    /// Sets the limits of this process.
    pub(super) fn apply(&self) -> Result<(), Failure> {
        self.0.iter().try_for_each(|(typ, limit)| {
            let set = rustix::process::setrlimit(resource(*typ), *limit);
            set.about(Stage::Rlimits, &detail(*typ, *limit, set.err()))
        })
    }

    /// Raises hard limits of a process whose user namespace takes the privilege for that away from it. Its soft limits stay,
    /// so that nothing fails until it sets them itself; its own attempt tells what is not possible.
    pub(super) fn raise_for(&self, pid: Pid) {
        for (typ, limit) in &self.0 {
            let own = rustix::process::getrlimit(resource(*typ));
            let above = own.maximum.is_some_and(|own| limit.maximum.is_none_or(|wanted| wanted > own));
            if above {
                let raised = Rlimit { current: own.current, maximum: limit.maximum };
                let _ = rustix::process::prlimit(Some(pid), resource(*typ), raised);
            }
        }
    }
}

fn detail(typ: Type, limit: Rlimit, error: Option<Errno>) -> String {
    let Some(error) = error else { return String::new() };
    let show = |value: Option<u64>| value.map_or("unlimited".to_owned(), |value| value.to_string());
    let mut text = format!("{typ} to soft {} and hard {}", show(limit.current), show(limit.maximum));
    if error == Errno::PERM {
        // The host's limit is the fact that is missing to understand the refusal.
        let own = rustix::process::getrlimit(resource(typ)).maximum;
        text.push_str(&format!("; the runtime's own hard limit is {}, and it lacks CAP_SYS_RESOURCE", show(own)));
    }
    text
}

/// `RLIM_INFINITY` is the largest number.
fn bounded(value: u64) -> Option<u64> {
    (value != u64::MAX).then_some(value)
}

fn resource(typ: Type) -> Resource {
    match typ {
        Type::RlimitCpu => Resource::Cpu,
        Type::RlimitFsize => Resource::Fsize,
        Type::RlimitData => Resource::Data,
        Type::RlimitStack => Resource::Stack,
        Type::RlimitCore => Resource::Core,
        Type::RlimitRss => Resource::Rss,
        Type::RlimitNproc => Resource::Nproc,
        Type::RlimitNofile => Resource::Nofile,
        Type::RlimitMemlock => Resource::Memlock,
        Type::RlimitAs => Resource::As,
        Type::RlimitLocks => Resource::Locks,
        Type::RlimitSigpending => Resource::Sigpending,
        Type::RlimitMsgqueue => Resource::Msgqueue,
        Type::RlimitNice => Resource::Nice,
        Type::RlimitRtprio => Resource::Rtprio,
        Type::RlimitRttime => Resource::Rttime,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(json: &str) -> Result<Rlimits, InvalidProcess> {
        Rlimits::parse(&serde_json::from_str::<Vec<PosixRlimit>>(json).unwrap())
    }

    #[test]
    fn limits_are_parsed() {
        let limits = parse(r#"[{"type": "RLIMIT_CORE", "soft": 0, "hard": 18446744073709551615}]"#).unwrap();
        assert_eq!(limits.0, [(Type::RlimitCore, Rlimit { current: Some(0), maximum: None })]);
    }

    #[test]
    fn contradictions_are_refused() {
        let error = parse(r#"[{"type": "RLIMIT_CPU", "soft": 2, "hard": 1}]"#).unwrap_err();
        assert!(error.to_string().contains("RLIMIT_CPU: soft 2 above hard 1"), "{error}");
        let one = r#"{"type": "RLIMIT_CPU", "soft": 1, "hard": 1}"#;
        let error = parse(&format!("[{one}, {one}]")).unwrap_err();
        assert_eq!(error.reason, Reason::Twice("RLIMIT_CPU".to_owned()));
    }

    #[test]
    fn every_name_is_known() {
        for name in [
            "CPU",
            "FSIZE",
            "DATA",
            "STACK",
            "CORE",
            "RSS",
            "NPROC",
            "NOFILE",
            "MEMLOCK",
            "AS",
            "LOCKS",
            "SIGPENDING",
            "MSGQUEUE",
            "NICE",
            "RTPRIO",
            "RTTIME",
        ] {
            let limits = parse(&format!(r#"[{{"type": "RLIMIT_{name}", "soft": 1, "hard": 2}}]"#)).unwrap();
            assert_eq!(limits.0[0].0.to_string(), format!("RLIMIT_{name}"));
        }
        let unknown = r#"[{"type": "RLIMIT_SPEED", "soft": 1, "hard": 1}]"#;
        assert!(serde_json::from_str::<Vec<PosixRlimit>>(unknown).is_err());
    }
}
