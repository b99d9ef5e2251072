//! The network of a user without root: pasta(1) passes packets of the instance on as sockets of its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use plan::{LaunchPlan, PortMapping, Protocol};
use rustix::process::{Pid, Signal};

use crate::Error;
use crate::launch::PASTA_DNS;

const PID_FILE: &str = "pasta.pid";
/// Where the namespace is mounted: pasta gives up the right to open it in /proc before it does.
const NAMESPACE: &str = "netns";

/// Connects the network namespace of a process; returns when the interface is configured and ports are open.
pub(crate) fn connect(plan: &LaunchPlan, process: i32) -> Result<(), Error> {
    let mut command = Command::new("pasta");
    command.args(["--config-net", "--quiet", "--no-map-gw", "-T", "none", "-U", "none"]);
    command.args(["--dns-forward", &PASTA_DNS.to_string(), "-P"]).arg(pid_file(&plan.state_dir));
    for (flag, protocol) in [("-t", Protocol::Tcp), ("-u", Protocol::Udp)] {
        let ports: Vec<String> =
            plan.network.published.iter().filter(|mapping| mapping.protocol == protocol).map(forward).collect();
        if ports.is_empty() {
            command.args([flag, "none"]);
        }
        for port in &ports {
            command.args([flag, port]);
        }
    }
    command.arg("--netns").arg(show_namespace(&plan.state_dir, process)?);
    command.stdin(Stdio::null()).stdout(Stdio::null());
    let output = command
        .output()
        .map_err(|e| Error::System("starting pasta (install the package passt, or use --network none or host)", e))?;
    if output.status.success() {
        return Ok(());
    }
    let tun = fs::OpenOptions::new().read(true).write(true).open("/dev/net/tun");
    if let Err(error) = tun {
        let action = "opening (pasta needs it; have an administrator give everybody access, as udev does)";
        return Err(Error::File { action, path: "/dev/net/tun".into(), source: error });
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(Error::Invalid(format!(
        "pasta could not connect the instance: {}; --network none or host works without it",
        said.trim().replace('\n', ", ")
    )))
}

/// Mounts the network namespace at a file, in this process's mounts only.
fn show_namespace(state_dir: &Path, process: i32) -> Result<PathBuf, Error> {
    let place = state_dir.join(NAMESPACE);
    fs::File::create(&place).map_err(Error::file("creating", &place))?;
    rustix::mount::mount_bind(format!("/proc/{process}/ns/net"), &place)
        .map_err(|e| Error::System("showing the network namespace to pasta", e.into()))?;
    Ok(place)
}

fn forward(mapping: &PortMapping) -> String {
    let ports = format!("{}:{}", mapping.host_port, mapping.port);
    if mapping.host_ip.is_unspecified() { ports } else { format!("{}/{ports}", mapping.host_ip) }
}

/// Ends the program that served an instance, if there is one.
pub(crate) fn disconnect(state_dir: &Path) {
    let place = state_dir.join(NAMESPACE);
    // Mounted in the supervisor's namespace only.
    let _ = rustix::mount::unmount(&place, rustix::mount::UnmountFlags::DETACH);
    let _ = fs::remove_file(&place);
    let file = pid_file(state_dir);
    let Ok(text) = fs::read_to_string(&file) else { return };
    let pid = text.trim().parse().ok().and_then(Pid::from_raw);
    // The number may be somebody else's by now.
    let ours = |pid: &Pid| {
        let line = fs::read(format!("/proc/{}/cmdline", pid.as_raw_nonzero())).unwrap_or_default();
        let own = file.as_os_str().as_encoded_bytes();
        line.split(|byte| *byte == 0).any(|argument| argument == own)
    };
    if let Some(pid) = pid.filter(ours) {
        let _ = rustix::process::kill_process(pid, Signal::TERM);
        for _ in 0..50 {
            if !ours(&pid) {
                break;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }
    let _ = fs::remove_file(&file);
}

fn pid_file(state_dir: &Path) -> PathBuf {
    state_dir.join(PID_FILE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_in_its_own_words() {
        assert_eq!(forward(&"8080:80".parse().unwrap()), "8080:80");
        assert_eq!(forward(&"127.0.0.1:53:5353/udp".parse().unwrap()), "127.0.0.1/53:5353");
    }
}
