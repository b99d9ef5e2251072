//! `linux.resources.rdma`: rdma.txt.

use std::collections::HashMap;

use oci_spec::runtime::LinuxRdma;

use super::Need;
use crate::group::Place;
use crate::{Controller, Error};

const FIELD: &str = "linux.resources.rdma";

pub(super) fn need(devices: &HashMap<String, LinuxRdma>) -> Option<Need> {
    (!devices.is_empty()).then(|| Need::limit(Controller::Rdma, FIELD))
}

/// Both versions have the same file, one device for each write.
pub(super) fn apply(place: Place<'_>, devices: &HashMap<String, LinuxRdma>) -> Result<(), Error> {
    let (Place::V1(group) | Place::V2(group)) = place;
    for (device, limit) in devices {
        if device.is_empty() || device.contains(char::is_whitespace) {
            let reason = "the name of a device is one word";
            return Err(Error::Value { field: FIELD, value: device.clone(), reason });
        }
        let mut line = device.clone();
        for (name, value) in [("hca_handle", limit.hca_handles()), ("hca_object", limit.hca_objects())] {
            if let Some(value) = value {
                line.push_str(&format!(" {name}={value}"));
            }
        }
        group.set(FIELD, "rdma.max", &line)?;
    }
    Ok(())
}
