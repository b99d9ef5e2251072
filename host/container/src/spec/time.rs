use oci_spec::runtime::{Linux, LinuxNamespaceType};

use super::{InvalidSpec, Namespaces, Problem};

/// The lines for `timens_offsets` (time_namespaces(7)); sorted, so that equal specifications give equal texts.
pub(super) fn offsets(linux: &Linux, namespaces: &Namespaces<'_>) -> Result<Option<String>, InvalidSpec> {
    let Some(offsets) = linux.time_offsets().as_ref().filter(|offsets| !offsets.is_empty()) else { return Ok(None) };
    if !namespaces.is_new(LinuxNamespaceType::Time) {
        let problem = Problem::Needs("a new time namespace in linux.namespaces");
        return Err(InvalidSpec::new("linux.timeOffsets", problem));
    }
    let mut lines = Vec::new();
    for (clock, offset) in offsets {
        let field = format!("linux.timeOffsets.{clock}");
        if !["monotonic", "boottime"].contains(&clock.as_str()) {
            let problem = Problem::NotOneOf { value: clock.clone(), allowed: "monotonic, boottime" };
            return Err(InvalidSpec::new(field, problem));
        }
        let nanoseconds = offset.nanosecs().unwrap_or(0);
        if nanoseconds > 999_999_999 {
            let problem = Problem::OutOfRange { value: nanoseconds.into(), least: 0, most: 999_999_999 };
            return Err(InvalidSpec::new(format!("{field}.nanosecs"), problem));
        }
        lines.push(format!("{clock} {} {nanoseconds}\n", offset.secs().unwrap_or(0)));
    }
    lines.sort();
    Ok(Some(lines.concat()))
}
