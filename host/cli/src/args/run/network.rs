use std::net::{IpAddr, Ipv4Addr};

use clap::Args;
use plan::options::HostEntry;
use plan::{MacAddress, NetworkMode, PortMapping};

#[derive(Debug, Args)]
#[command(next_help_heading = "Network")]
pub(crate) struct NetworkArgs {
    /// bridge, none, host, container:NAME or pasta; without root the default is pasta
    #[arg(long, alias = "net", value_name = "NETWORK")]
    pub(crate) network: Option<NetworkMode>,
    /// Publish a port
    #[arg(short, long, value_name = "[IP:]HOST_PORT:PORT[/udp]")]
    pub(crate) publish: Vec<PortMapping>,
    /// Publish all ports that the image or --expose names, each as a free one of the host
    #[arg(short = 'P', long)]
    pub(crate) publish_all: bool,
    /// Name a port that the program listens on
    #[arg(long, value_name = "PORT[/udp]", value_parser = parse_exposed)]
    pub(crate) expose: Vec<String>,
    /// The address on the bridge
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) ip: Option<Ipv4Addr>,
    /// The Ethernet address
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) mac_address: Option<MacAddress>,
    /// A name server instead of the engine's
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) dns: Vec<IpAddr>,
    /// A domain in which short names are looked up
    #[arg(long, value_name = "DOMAIN")]
    pub(crate) dns_search: Vec<String>,
    /// An option of resolv.conf(5)
    #[arg(long, alias = "dns-opt", value_name = "OPTION")]
    pub(crate) dns_option: Vec<String>,
    /// A line for /etc/hosts; host-gateway is the host
    #[arg(long, value_name = "NAME:ADDRESS")]
    pub(crate) add_host: Vec<HostEntry>,
    /// The host name inside
    #[arg(long, value_name = "NAME")]
    pub(crate) hostname: Option<String>,
    /// The NIS domain name inside
    #[arg(long, value_name = "NAME")]
    pub(crate) domainname: Option<String>,
}

/// In the form in which images name them.
fn parse_exposed(text: &str) -> Result<String, String> {
    let (port, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    match (port.parse::<u16>(), protocol) {
        (Ok(1..), "tcp" | "udp") => Ok(format!("{port}/{protocol}")),
        _ => Err("write PORT[/tcp|/udp]".to_owned()),
    }
}
