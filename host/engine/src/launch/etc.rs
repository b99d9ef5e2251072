//! The files of `/etc` that describe the network, made for each instance.

use std::fmt::Write as _;
use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};

use network::Lease;
use plan::options::HostAddress;
use plan::{Isolation, LaunchPlan, NetworkMode};

use crate::Error;

/// The address at which pasta(1) answers name queries with the host's resolvers.
pub(crate) const PASTA_DNS: Ipv4Addr = Ipv4Addr::new(169, 254, 1, 1);

/// Their text.
pub(super) struct EtcFiles {
    dir: PathBuf,
    pub(super) hosts: String,
    pub(super) resolv_conf: String,
}

impl EtcFiles {
    /// Makes them, for a container as files. `shared` is the directory of the instance whose network is used.
    pub(super) fn write(plan: &LaunchPlan, lease: Option<&Lease>, shared: Option<&Path>) -> Result<Self, Error> {
        let mut files = match (&plan.network.mode, lease, shared) {
            (NetworkMode::Container(_), _, Some(dir)) => Self {
                dir: plan.state_dir.clone(),
                hosts: read(&dir.join("hosts"))?,
                resolv_conf: read(&dir.join("resolv.conf"))?,
            },
            _ => Self { dir: plan.state_dir.clone(), hosts: hosts(plan, lease), resolv_conf: resolv_conf(plan, lease) },
        };
        files.hosts.push_str(&extra_hosts(plan, lease)?);
        if plan.isolation == Isolation::Container {
            files.save("hosts", &files.hosts)?;
            files.save("resolv.conf", &files.resolv_conf)?;
            files.save("hostname", &format!("{}\n", plan.hostname))?;
        }
        Ok(files)
    }

    fn save(&self, name: &str, text: &str) -> Result<(), Error> {
        crate::instance::write_plain(&self.dir.join(name), text.as_bytes())
    }

    /// Host path and place inside.
    pub(super) fn bindings(&self) -> Vec<(PathBuf, &'static str)> {
        let bind = |name: &str, place| (self.dir.join(name), place);
        vec![bind("hosts", "/etc/hosts"), bind("hostname", "/etc/hostname"), bind("resolv.conf", "/etc/resolv.conf")]
    }
}

fn read(path: &Path) -> Result<String, Error> {
    fs::read_to_string(path).map_err(Error::file("reading", path))
}

fn hosts(plan: &LaunchPlan, lease: Option<&Lease>) -> String {
    match (lease, &plan.network.mode) {
        (Some(lease), _) => network::etc_hosts(lease, &plan.hostname),
        // A host without the file has no names.
        (None, NetworkMode::Host) => fs::read_to_string("/etc/hosts").unwrap_or_default(),
        (None, _) => format!("127.0.0.1\tlocalhost {}\n::1\tlocalhost\n", plan.hostname),
    }
}

fn extra_hosts(plan: &LaunchPlan, lease: Option<&Lease>) -> Result<String, Error> {
    let mut text = String::new();
    for entry in &plan.options.hosts {
        let address = match entry.address {
            HostAddress::Address(address) => address,
            HostAddress::HostGateway => gateway(plan, lease)?,
        };
        let _ = writeln!(text, "{address}\t{}", entry.name);
    }
    Ok(text)
}

/// The host as the instance reaches it.
fn gateway(plan: &LaunchPlan, lease: Option<&Lease>) -> Result<IpAddr, Error> {
    match (lease, &plan.network.mode) {
        (Some(lease), _) => Ok(lease.gateway.into()),
        (None, NetworkMode::Host) => Ok(Ipv4Addr::LOCALHOST.into()),
        _ => Err(Error::Invalid(format!(
            "there is no host-gateway (--add-host) with --network {}; it needs bridge or host",
            plan.network.mode
        ))),
    }
}

fn resolv_conf(plan: &LaunchPlan, lease: Option<&Lease>) -> String {
    let options = &plan.options;
    let mut text = match (lease, &plan.network.mode) {
        _ if !options.dns.is_empty() => name_servers(&options.dns),
        (Some(lease), _) => network::resolv_conf(lease),
        (None, NetworkMode::Host) => fs::read_to_string("/etc/resolv.conf").unwrap_or_default(),
        (None, NetworkMode::Pasta) => name_servers(&[PASTA_DNS.into()]),
        (None, _) => String::new(),
    };
    // A later line of these kinds replaces an earlier one, resolv.conf(5). `.` searches nowhere.
    match options.dns_search.as_slice() {
        [] => {}
        [only] if only == "." => text.push_str("search .\n"),
        domains => text.push_str(&format!("search {}\n", domains.join(" "))),
    }
    if !options.dns_options.is_empty() {
        let _ = writeln!(text, "options {}", options.dns_options.join(" "));
    }
    text
}

fn name_servers(servers: &[IpAddr]) -> String {
    servers.iter().map(|server| format!("nameserver {server}\n")).collect()
}
