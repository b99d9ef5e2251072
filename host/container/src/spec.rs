//! What a specification asks for, checked as a whole before anything is made, and in the form that the stages need.

use oci_spec::runtime::{Linux, LinuxNamespaceType, Spec};

mod devices;
mod hooks;
mod mount_options;
mod mounts;
mod namespaces;
mod net_devices;
mod paths;
mod problem;
mod rdt;
mod sysctl;
mod time;

pub(crate) use devices::{Device, Node};
pub(crate) use mounts::{IdMap, Kind, Mount};
pub(crate) use namespaces::{Namespaces, id_map_text};
pub(crate) use net_devices::NetDevice;
pub use problem::{InvalidSpec, Problem};

use jail::Propagation;

/// A specification that was found to be possible.
#[derive(Debug)]
pub(crate) struct Setup<'a> {
    pub(crate) namespaces: Namespaces<'a>,
    pub(crate) mounts: Vec<Mount<'a>>,
    pub(crate) devices: Vec<Device<'a>>,
    pub(crate) masked: Vec<&'a str>,
    pub(crate) read_only: Vec<&'a str>,
    pub(crate) root_read_only: bool,
    pub(crate) root_propagation: Option<(Propagation, bool)>,
    /// Files below /proc/sys and their values.
    pub(crate) sysctl: Vec<(String, &'a str)>,
    pub(crate) hostname: Option<&'a str>,
    pub(crate) domainname: Option<&'a str>,
    /// The lines for `timens_offsets` (time_namespaces(7)).
    pub(crate) time_offsets: Option<String>,
    pub(crate) net_devices: Vec<NetDevice<'a>>,
}

impl<'a> Setup<'a> {
    pub(crate) fn new(spec: &'a Spec) -> Result<Self, InvalidSpec> {
        let linux = spec.linux().as_ref().ok_or_else(|| InvalidSpec::missing("linux"))?;
        let namespaces = Namespaces::new(linux)?;
        hooks::check(spec)?;
        linux.intel_rdt().as_ref().map_or(Ok(()), rdt::check)?;
        let setup = Self {
            mounts: mounts::all(spec, namespaces.has(LinuxNamespaceType::User))?,
            devices: devices::all(linux)?,
            masked: paths::all("linux.maskedPaths", linux.masked_paths())?,
            read_only: paths::all("linux.readonlyPaths", linux.readonly_paths())?,
            root_read_only: spec.root().as_ref().is_some_and(|root| root.readonly().unwrap_or(false)),
            root_propagation: root_propagation(linux)?,
            sysctl: sysctl::all(linux, &namespaces)?,
            hostname: name(spec.hostname().as_deref(), "hostname", &namespaces)?,
            domainname: name(spec.domainname().as_deref(), "domainname", &namespaces)?,
            time_offsets: time::offsets(linux, &namespaces)?,
            net_devices: net_devices::all(linux, &namespaces)?,
            namespaces,
        };
        Ok(setup)
    }
}

/// Checks everything of a specification but its process, without making anything.
///
/// # Errors
/// The first field that asks for something impossible.
pub fn validate(spec: &Spec) -> Result<(), InvalidSpec> {
    Setup::new(spec).map(drop)
}

fn root_propagation(linux: &Linux) -> Result<Option<(Propagation, bool)>, InvalidSpec> {
    let Some(text) = linux.rootfs_propagation().as_deref().filter(|text| !text.is_empty()) else { return Ok(None) };
    match mount_options::propagation(text) {
        Some(found) => Ok(Some(found)),
        None => Err(InvalidSpec::new(
            "linux.rootfsPropagation",
            Problem::NotOneOf {
                value: text.to_owned(),
                allowed: "private, shared, slave, unbindable, and these with r",
            },
        )),
    }
}

/// A host or domain name (uname(2)): at most 64 bytes, and only of a UTS namespace that is not the host's.
fn name<'a>(name: Option<&'a str>, field: &str, namespaces: &Namespaces<'_>) -> Result<Option<&'a str>, InvalidSpec> {
    let Some(name) = name.filter(|name| !name.is_empty()) else { return Ok(None) };
    if name.len() > 64 {
        return Err(InvalidSpec::new(field, Problem::TooLong { longest: 64 }));
    }
    if !namespaces.has(LinuxNamespaceType::Uts) {
        return Err(InvalidSpec::new(field, Problem::Needs("a uts namespace in linux.namespaces")));
    }
    Ok(Some(name))
}
