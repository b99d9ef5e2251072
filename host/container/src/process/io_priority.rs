//! `process.ioPriority`: ioprio_set(2).

use jail::IoClass;
use oci_spec::runtime::{IOPriorityClass as Class, LinuxIOPriority};

use super::invalid::InvalidProcess;

/// Class and level.
pub(super) fn parse(priority: &LinuxIOPriority) -> Result<(IoClass, u8), InvalidProcess> {
    let class = match priority.class() {
        Class::IoprioClassRt => IoClass::RealTime,
        Class::IoprioClassBe => IoClass::BestEffort,
        Class::IoprioClassIdle => IoClass::Idle,
    };
    match u8::try_from(priority.priority()) {
        Ok(level @ 0..=7) => Ok((class, level)),
        _ => Err(InvalidProcess::value("process.ioPriority.priority", priority.priority(), "from 0 to 7")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_and_levels() {
        let parse = |json: &str| super::parse(&serde_json::from_str(json).unwrap());
        assert_eq!(parse(r#"{"class": "IOPRIO_CLASS_IDLE", "priority": 0}"#), Ok((IoClass::Idle, 0)));
        assert_eq!(parse(r#"{"class": "IOPRIO_CLASS_BE", "priority": 7}"#), Ok((IoClass::BestEffort, 7)));
        for level in ["8", "-1", "256", "9223372036854775807"] {
            assert!(parse(&format!(r#"{{"class": "IOPRIO_CLASS_RT", "priority": {level}}}"#)).is_err(), "{level}");
        }
    }
}
