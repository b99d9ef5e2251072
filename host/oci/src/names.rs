//! Names that the specification admits and the model does not know.
//!
//! Looked at only after a configuration was refused, so correct ones cost nothing.

use oci_spec::runtime::{Capability, LinuxSchedulerFlag};
use serde_json::Value;

/// The specification's names and the model's.
const SCHEDULER_FLAGS: [(&str, LinuxSchedulerFlag); 2] = [
    ("SCHED_FLAG_RESET_ON_FORK", LinuxSchedulerFlag::SchedResetOnFork),
    ("SCHED_FLAG_DL_OVERRUN", LinuxSchedulerFlag::SchedFlagDLOverrun),
];

/// A configuration, or a process of its own, with these names corrected, and what was left out; none if nothing had to be.
pub(crate) fn corrected(mut configuration: Value) -> Option<(Value, Vec<String>)> {
    let process = match configuration.get("process") {
        Some(_) => configuration.get_mut("process")?,
        None => &mut configuration,
    };
    let mut left_out = Vec::new();
    let renamed = rename_flags(process);
    leave_out_capabilities(process, &mut left_out);
    (renamed || !left_out.is_empty()).then_some((configuration, left_out))
}

fn rename_flags(process: &mut Value) -> bool {
    let mut renamed = false;
    let flags = process.pointer_mut("/scheduler/flags").and_then(Value::as_array_mut);
    for flag in flags.into_iter().flatten() {
        let known = SCHEDULER_FLAGS.iter().find(|(name, _)| flag.as_str() == Some(name));
        if let Some(models) = known.and_then(|(_, flag)| serde_json::to_value(flag).ok()) {
            (*flag, renamed) = (models, true);
        }
    }
    renamed
}

/// Engines name every capability that they know, which may be more than this runtime knows.
fn leave_out_capabilities(process: &mut Value, left_out: &mut Vec<String>) {
    let sets = process.get_mut("capabilities").and_then(Value::as_object_mut);
    for (set, names) in sets.into_iter().flatten() {
        let Some(names) = names.as_array_mut() else { continue };
        names.retain(|name| {
            let known = !name.is_string() || serde_json::from_value::<Capability>(name.clone()).is_ok();
            if !known {
                left_out.push(format!("process.capabilities.{set}: unknown capability {name} is ignored"));
            }
            known
        });
    }
}

#[cfg(test)]
mod tests {
    use oci_spec::runtime::Process;
    use serde_json::json;

    use super::*;

    #[test]
    fn unknown_capabilities_are_left_out() {
        let process = json!({ "capabilities": { "bounding": ["CAP_KILL", "CAP_TOMORROW"] } });
        let (corrected, left_out) = corrected(json!({ "process": process })).unwrap();
        assert_eq!(corrected["process"]["capabilities"]["bounding"], json!(["CAP_KILL"]));
        assert!(left_out[0].contains("CAP_TOMORROW"), "{left_out:?}");
    }

    #[test]
    fn flags_of_the_scheduler_are_found() {
        let flags = ["SCHED_FLAG_RESET_ON_FORK", "SCHED_FLAG_DL_OVERRUN", "SCHED_FLAG_RECLAIM"];
        let process = json!({ "cwd": "/", "user": {}, "scheduler": { "policy": "SCHED_OTHER", "flags": flags } });
        assert!(serde_json::from_value::<Process>(process.clone()).is_err());
        let (corrected, left_out) = corrected(process).unwrap();
        assert!(left_out.is_empty());
        let process: Process = serde_json::from_value(corrected).unwrap();
        assert_eq!(process.scheduler().as_ref().unwrap().flags().as_ref().map(Vec::len), Some(3));
    }

    #[test]
    fn nothing_else_is_touched() {
        for untouched in
            [json!({}), json!([]), json!({ "process": null }), json!({ "capabilities": { "bounding": [7] } })]
        {
            assert_eq!(corrected(untouched), None);
        }
    }
}
