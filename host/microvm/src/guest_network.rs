use network::Attachment;

/// The guest's part of its connection.
pub(crate) fn for_agent(connection: &Attachment) -> agent_proto::Network {
    let Attachment { address, prefix, gateway, mtu, .. } = *connection;
    agent_proto::Network { address, prefix, gateway, mtu, dns: connection.dns.clone() }
}
