//! Intel RDT's resource control file system (Documentation/arch/x86/resctrl.rst).

use std::path::PathBuf;

use oci_spec::runtime::Spec;

use crate::error::Error;
use crate::id::ContainerId;

const MOUNT: &str = "/sys/fs/resctrl";

/// Changes the schemata of a container's class of service.
pub(crate) fn update(id: &ContainerId, spec: &Spec, l3: Option<&str>, bandwidth: Option<&str>) -> Result<(), Error> {
    let rdt = spec.linux().as_ref().and_then(|linux| linux.intel_rdt().as_ref());
    let class = rdt.and_then(|rdt| rdt.clos_id().as_deref()).unwrap_or(id.as_str());
    if class.contains('/') || class.starts_with('.') {
        return Err(Error::Usage("linux.intelRdt.closID: it is not the name of a class of service"));
    }
    let path = PathBuf::from(MOUNT).join(class).join("schemata");
    for schema in [l3, bandwidth].into_iter().flatten() {
        std::fs::write(&path, format!("{schema}\n")).map_err(|source| Error::File {
            action: "write the Intel RDT schema to",
            path: path.clone(),
            source,
        })?;
    }
    Ok(())
}
