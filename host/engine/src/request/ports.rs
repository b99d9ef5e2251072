//! The network that an instance gets, and the ports that lead into it.

use std::net::{IpAddr, Ipv4Addr, TcpListener, UdpSocket};

use image::Image;
use plan::{InstanceId, NetworkMode, NetworkPlan, PortMapping, Protocol};

use crate::{Engine, Error, RunRequest};

impl RunRequest {
    pub(super) fn network_plan(&self, engine: &Engine, image: &Image) -> Result<NetworkPlan, Error> {
        let mode = match &self.network {
            None if engine.is_rootless() => NetworkMode::Pasta,
            None => NetworkMode::Bridge,
            Some(NetworkMode::Container(name)) => {
                NetworkMode::Container(self.shared(engine, name)?.as_str().to_owned())
            }
            Some(mode) => mode.clone(),
        };
        if mode == NetworkMode::Bridge && engine.is_rootless() {
            return Err(Error::Invalid(
                "the bridge needs root; choose --network pasta (the default), host or none".to_owned(),
            ));
        }
        let mut published = self.publish.clone();
        if self.publish_all {
            for port in self.exposed(image) {
                publish_free(&port, &mut published)?;
            }
        }
        Ok(NetworkPlan { mode, published })
    }

    /// `PORT/PROTOCOL`, each once.
    pub(super) fn exposed(&self, image: &Image) -> Vec<String> {
        let full = |port: &String| if port.contains('/') { port.clone() } else { format!("{port}/tcp") };
        let mut all: Vec<String> = image.config.exposed_ports.iter().chain(&self.options.exposed).map(full).collect();
        all.sort();
        all.dedup();
        all
    }

    /// The id of a running container whose namespaces are to be shared.
    pub(super) fn shared(&self, engine: &Engine, name: &str) -> Result<InstanceId, Error> {
        let instance = engine.running(name)?;
        if instance.plan.isolation != plan::Isolation::Container {
            let hint = "; only a container has namespaces to share";
            return Err(Error::Unsupported { what: "container:NAME", level: instance.plan.isolation, hint });
        }
        Ok(instance.plan.id)
    }

    /// The user's, that of the container whose network is shared, or the short id.
    pub(super) fn hostname(&self, engine: &Engine, mode: &NetworkMode, id: &InstanceId) -> Result<String, Error> {
        if let Some(name) = &self.hostname {
            return Ok(name.clone());
        }
        match mode {
            NetworkMode::Container(other) => Ok(engine.find(other)?.plan.hostname),
            NetworkMode::Host => Ok(host_name()),
            _ => Ok(id.short().to_owned()),
        }
    }
}

pub(crate) fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// Publishes a port that is not published yet at a port of the host that nobody uses now.
fn publish_free(exposed: &str, published: &mut Vec<PortMapping>) -> Result<(), Error> {
    let bad = || Error::Invalid(format!("the image exposes '{exposed}', which is no port"));
    let (port, protocol) = exposed.split_once('/').ok_or_else(bad)?;
    let port: u16 = port.parse().ok().filter(|port| *port != 0).ok_or_else(bad)?;
    let protocol = match protocol {
        "tcp" => Protocol::Tcp,
        "udp" => Protocol::Udp,
        // SCTP is nothing that a host could publish here.
        _ => return Ok(()),
    };
    if published.iter().any(|mapping| mapping.port == port && mapping.protocol == protocol) {
        return Ok(());
    }
    let host_port = free_port(protocol).map_err(|e| Error::System("looking for a free port", e))?;
    let host_ip = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
    published.push(PortMapping { host_ip, host_port, port, protocol });
    Ok(())
}

/// The kernel's choice. Somebody may take it before we do; then the publication fails and says so.
fn free_port(protocol: Protocol) -> std::io::Result<u16> {
    let any = (Ipv4Addr::UNSPECIFIED, 0);
    match protocol {
        Protocol::Tcp => TcpListener::bind(any)?.local_addr(),
        Protocol::Udp => UdpSocket::bind(any)?.local_addr(),
    }
    .map(|address| address.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_published_already_stays() {
        let mut published = vec!["8080:80".parse().unwrap()];
        publish_free("80/tcp", &mut published).unwrap();
        assert_eq!(published.len(), 1);
        publish_free("80/udp", &mut published).unwrap();
        assert_eq!((published[1].port, published[1].protocol), (80, Protocol::Udp));
        assert_ne!(published[1].host_port, 0);
        publish_free("80/sctp", &mut published).unwrap();
        assert_eq!(published.len(), 2);
        for bad in ["", "x/tcp", "0/tcp", "80"] {
            assert!(publish_free(bad, &mut published).is_err(), "{bad}");
        }
    }
}
