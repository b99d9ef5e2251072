use std::collections::BTreeMap;

use serde::Serialize;

use crate::commands::{Context, groups, print};
use crate::error::Error;
use crate::id::ContainerId;
use crate::state::{Entry, Record, Status};

/// What `state` and `list` print: the specification's state with runc's additions.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Shown {
    oci_version: String,
    pub(crate) id: String,
    pub(crate) pid: i32,
    pub(crate) status: Status,
    pub(crate) bundle: String,
    rootfs: String,
    pub(crate) created: String,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    annotations: BTreeMap<String, String>,
    pub(crate) owner: String,
}

/// <https://github.com/opencontainers/runtime-spec/blob/main/runtime.md#query-state>
pub(crate) fn state(context: &Context, id: &ContainerId) -> Result<(), Error> {
    let entry = context.root.open(id)?;
    let shown = show(id, &entry)?;
    print(&serde_json::to_string_pretty(&shown).map_err(|e| Error::System { action: "write JSON", source: e.into() })?)
}

/// The present state of a container; one whose creator was killed before it wrote anything has little to show.
pub(crate) fn show(id: &ContainerId, entry: &Entry) -> Result<Shown, Error> {
    let record = match entry.read() {
        // Half of the first state is normal while `create` is at work.
        Err(Error::DamagedState { .. }) if entry.is_locked()? => None,
        other => other?,
    };
    let (status, pid) = status(entry, record.as_ref())?;
    let text = |path: &std::path::Path| path.to_string_lossy().into_owned();
    Ok(match record {
        Some(record) => Shown {
            oci_version: record.oci_version,
            id: id.to_string(),
            pid,
            status,
            bundle: text(&record.bundle),
            rootfs: text(&record.rootfs),
            created: record.created,
            annotations: record.annotations,
            owner: user_name(record.owner),
        },
        None => Shown {
            oci_version: "1.3.0".to_owned(),
            id: id.to_string(),
            pid,
            status,
            bundle: String::new(),
            rootfs: String::new(),
            created: String::new(),
            annotations: BTreeMap::new(),
            owner: String::new(),
        },
    })
}

/// The status with `paused`, and the first process's id or 0.
fn status(entry: &Entry, record: Option<&Record>) -> Result<(Status, i32), Error> {
    let (status, process) = entry.status(record)?;
    let pid = process.map_or(0, |process| process.pid);
    match record {
        Some(record) if status == Status::Running && groups::is_paused(record)? => Ok((Status::Paused, pid)),
        _ => Ok((status, pid)),
    }
}

/// The name in /etc/passwd, or `#` and the number.
fn user_name(uid: u32) -> String {
    let table = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let name = table.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(uid)).then(|| name.to_owned())
    });
    name.unwrap_or_else(|| format!("#{uid}"))
}
