use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::Digest;
use crate::oci::null_is_default;

/// What an image says about how it wants to run (OCI image-spec, config.md).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ImageConfig {
    /// The beginning of the argument vector, which arguments of the user do not replace.
    pub entrypoint: Vec<String>,
    /// The rest of the argument vector, or its default.
    pub cmd: Vec<String>,
    /// The environment, `NAME=VALUE`.
    pub env: Vec<String>,
    /// The working directory; empty means `/`.
    pub working_dir: String,
    /// `USER[:GROUP]`, names or numbers; empty means root. See [`crate::resolve_user`].
    pub user: String,
    /// Ports the program listens on, `PORT/PROTOCOL`.
    pub exposed_ports: Vec<String>,
    /// Directories that hold data.
    pub volumes: Vec<String>,
    /// Free key-value pairs.
    pub labels: BTreeMap<String, String>,
    /// The signal that stops the program, a name or a number; `None` means SIGTERM.
    pub stop_signal: Option<String>,
    /// How the image wants to be checked, if it says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub healthcheck: Option<Healthcheck>,
    /// The processor, in Go's names: `amd64`.
    pub architecture: String,
    /// The operating system, in Go's names: `linux`.
    pub os: String,
    /// When the image was made, RFC 3339.
    pub created: Option<String>,
}

/// `Healthcheck` of an image's configuration, an extension of Docker's (image-spec, config.md). Times are in nanoseconds; zero
/// means the default.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct Healthcheck {
    /// `["NONE"]`, `["CMD", args…]` or `["CMD-SHELL", command]`; empty inherits.
    #[serde(deserialize_with = "null_is_default")]
    pub test: Vec<String>,
    /// Between two checks.
    pub interval: u64,
    /// Of one check.
    pub timeout: u64,
    /// In which failures do not count.
    pub start_period: u64,
    /// Failures in a row that mean unhealthy.
    pub retries: u32,
}

/// The configuration as JSON has it.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct ConfigFile {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) created: Option<String>,
    pub(crate) architecture: String,
    pub(crate) os: String,
    #[serde(default, deserialize_with = "null_is_default")]
    pub(crate) config: Execution,
    pub(crate) rootfs: RootFs,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct RootFs {
    #[serde(rename = "type")]
    pub(crate) kind: String,
    #[serde(default, deserialize_with = "null_is_default")]
    pub(crate) diff_ids: Vec<Digest>,
}

impl Default for RootFs {
    fn default() -> Self {
        Self { kind: "layers".to_owned(), diff_ids: Vec::new() }
    }
}

type Set = BTreeMap<String, serde_json::Value>;

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(crate) struct Execution {
    #[serde(deserialize_with = "null_is_default", skip_serializing_if = "String::is_empty")]
    pub(crate) user: String,
    #[serde(deserialize_with = "null_is_default", skip_serializing_if = "Set::is_empty")]
    pub(crate) exposed_ports: Set,
    #[serde(deserialize_with = "null_is_default", skip_serializing_if = "Vec::is_empty")]
    pub(crate) env: Vec<String>,
    #[serde(deserialize_with = "null_is_default", skip_serializing_if = "Vec::is_empty")]
    pub(crate) entrypoint: Vec<String>,
    #[serde(deserialize_with = "null_is_default", skip_serializing_if = "Vec::is_empty")]
    pub(crate) cmd: Vec<String>,
    #[serde(deserialize_with = "null_is_default", skip_serializing_if = "Set::is_empty")]
    pub(crate) volumes: Set,
    #[serde(deserialize_with = "null_is_default", skip_serializing_if = "String::is_empty")]
    pub(crate) working_dir: String,
    #[serde(deserialize_with = "null_is_default", skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) labels: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) stop_signal: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) healthcheck: Option<Healthcheck>,
}

impl From<ConfigFile> for ImageConfig {
    fn from(file: ConfigFile) -> Self {
        let Execution {
            user,
            exposed_ports,
            env,
            entrypoint,
            cmd,
            volumes,
            working_dir,
            labels,
            stop_signal,
            healthcheck,
        } = file.config;
        Self {
            entrypoint,
            cmd,
            env,
            working_dir,
            user,
            exposed_ports: exposed_ports.into_keys().collect(),
            volumes: volumes.into_keys().collect(),
            labels,
            stop_signal,
            healthcheck,
            architecture: file.architecture,
            os: file.os,
            created: file.created,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_as_docker_writes_it() {
        let json = r#"{"architecture":"amd64","os":"linux","created":"2024-01-01T00:00:00Z","history":[{}],
            "config":{"Env":["PATH=/bin"],"Cmd":null,"Entrypoint":["/e"],"ExposedPorts":{"6379/tcp":{}},"Volumes":null,
            "WorkingDir":"/data","User":"redis","Labels":{"a":"b"},"StopSignal":"SIGINT","OnBuild":null},
            "rootfs":{"type":"layers","diff_ids":[]}}"#;
        let config: ImageConfig = serde_json::from_str::<ConfigFile>(json).unwrap().into();
        assert_eq!(config.entrypoint, ["/e"]);
        assert!(config.cmd.is_empty() && config.volumes.is_empty());
        assert_eq!(config.exposed_ports, ["6379/tcp"]);
        assert_eq!((config.user.as_str(), config.working_dir.as_str()), ("redis", "/data"));
        assert_eq!(config.stop_signal.as_deref(), Some("SIGINT"));
    }

    #[test]
    fn the_least_configuration() {
        let json = r#"{"architecture":"amd64","os":"linux","config":null,"rootfs":{"type":"layers","diff_ids":null}}"#;
        let config: ImageConfig = serde_json::from_str::<ConfigFile>(json).unwrap().into();
        assert_eq!(config, ImageConfig { architecture: "amd64".into(), os: "linux".into(), ..ImageConfig::default() });
        assert!(serde_json::from_str::<ConfigFile>(r#"{"os":"linux"}"#).is_err());
    }
}
