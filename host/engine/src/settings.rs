//! What an administrator may set for the whole engine, by environment variables.

use network::Config;

use crate::Error;

/// The network's settings: `CORACLE_BRIDGE` (default `coracle0`) and `CORACLE_SUBNET` (default: the first of a list of private
/// subnets that no route of the host overlaps).
pub(crate) fn network() -> Result<Config, Error> {
    let mut config = Config::default();
    if let Ok(bridge) = std::env::var("CORACLE_BRIDGE") {
        config.bridge = bridge;
    }
    if let Ok(subnet) = std::env::var("CORACLE_SUBNET") {
        config.subnet = Some(subnet.parse().map_err(|e| Error::Invalid(format!("CORACLE_SUBNET: {e}")))?);
    }
    Ok(config)
}
