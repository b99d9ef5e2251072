use oci_spec::runtime::LinuxIntelRdt;

use super::{InvalidSpec, Problem};

/// A class of service is one directory of resctrl, and a line of its schemata one line.
pub(super) fn check(rdt: &LinuxIntelRdt) -> Result<(), InvalidSpec> {
    if let Some(class) = rdt.clos_id()
        && (class.is_empty() || class == "." || class == ".." || class.contains(['/', '\n', '\0']))
    {
        let allowed = "the names that a directory can have";
        return Err(InvalidSpec::new("linux.intelRdt.closID", Problem::NotOneOf { value: class.clone(), allowed }));
    }
    for (field, line) in [("l3CacheSchema", rdt.l3_cache_schema()), ("memBwSchema", rdt.mem_bw_schema())] {
        if line.as_ref().is_some_and(|line| line.contains(['\n', '\0'])) {
            return Err(InvalidSpec::new(format!("linux.intelRdt.{field}"), Problem::NotText));
        }
    }
    Ok(())
}
