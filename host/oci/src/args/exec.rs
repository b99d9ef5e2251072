use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;

use crate::id::ContainerId;

/// `exec`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  coracle-oci exec box ls -l /
  coracle-oci exec -t -u 1000:1000 -e TERM=xterm --cwd /srv box sh
  coracle-oci exec --process process.json --detach --pid-file /run/exec.pid box

Exit status: the program's own, 128+n if signal n ended it, 255 if it was not started.")]
pub(crate) struct ExecArgs {
    /// Take everything about the process from this file
    #[arg(short, long, value_name = "FILE")]
    pub(crate) process: Option<PathBuf>,
    /// The working directory
    #[arg(long, value_name = "DIR")]
    pub(crate) cwd: Option<PathBuf>,
    /// Add an environment variable
    #[arg(short, long, value_name = "NAME=VALUE", value_parser = parse_env)]
    pub(crate) env: Vec<String>,
    /// The user's and the group's number
    #[arg(short, long, value_name = "UID[:GID]")]
    pub(crate) user: Option<UserArg>,
    /// Give the program a terminal
    #[arg(short, long)]
    pub(crate) tty: bool,
    /// Add supplementary groups
    #[arg(short = 'g', long, value_name = "GID")]
    pub(crate) additional_gids: Vec<u32>,
    /// Add a capability
    #[arg(short, long, value_name = "CAP", value_parser = parse_capability)]
    pub(crate) cap: Vec<oci_spec::runtime::Capability>,
    /// A control group below the container's, [CONTROLLER[,CONTROLLER]:]PATH
    #[arg(long, value_name = "PATH")]
    pub(crate) cgroup: Vec<String>,
    /// Hand down this many descriptors after the standard ones and those of LISTEN_FDS
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) preserve_fds: u32,
    /// Even if the container is paused
    #[arg(long)]
    pub(crate) ignore_paused: bool,
    /// Return when the program runs
    #[arg(short, long)]
    pub(crate) detach: bool,
    /// Write the process's id to this file
    #[arg(long, value_name = "FILE")]
    pub(crate) pid_file: Option<PathBuf>,
    /// A socket that receives a pidfd of the process
    #[arg(long, value_name = "SOCKET")]
    pub(crate) pidfd_socket: Option<PathBuf>,
    /// A socket that receives the terminal's master side
    #[arg(long, value_name = "SOCKET")]
    pub(crate) console_socket: Option<PathBuf>,
    /// The AppArmor profile
    #[arg(long, value_name = "PROFILE")]
    pub(crate) apparmor: Option<String>,
    /// Never gain privileges by execve(2)
    #[arg(long)]
    pub(crate) no_new_privs: bool,
    /// The SELinux label
    #[arg(long, value_name = "LABEL")]
    pub(crate) process_label: Option<String>,
    /// Kept for compatibility
    #[arg(long, hide = true)]
    pub(crate) no_subreaper: bool,
    /// The container
    #[arg(value_name = "CONTAINER")]
    pub(crate) id: ContainerId,
    /// The program and its arguments
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "COMMAND")]
    pub(crate) command: Vec<String>,
}

/// `UID[:GID]`: decimal digits only. `-1` would be "unchanged" to setuid(2), a name is the image's to resolve.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct UserArg {
    /// The user.
    pub(crate) uid: u32,
    /// The group, if one was given.
    pub(crate) gid: Option<u32>,
}

impl FromStr for UserArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (uid, gid) = match text.split_once(':') {
            Some((uid, gid)) => (uid, Some(gid)),
            None => (text, None),
        };
        Ok(Self { uid: parse_number(uid)?, gid: gid.map(parse_number).transpose()? })
    }
}

fn parse_number(text: &str) -> Result<u32, String> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    match text.parse() {
        // The highest number is `(uid_t) -1`, which setresuid(2) takes for "leave it".
        Ok(u32::MAX) | Err(_) => Err(format!("'{text}' is not a user or group number (0 to 4294967294)")),
        Ok(number) if digits => Ok(number),
        Ok(_) => Err(format!("'{text}' is not a user or group number: write digits only")),
    }
}

fn parse_env(text: &str) -> Result<String, String> {
    match text.split_once('=') {
        Some((name, _)) if !name.is_empty() => Ok(text.to_owned()),
        _ => Err(format!("'{text}' is not of the form NAME=VALUE")),
    }
}

fn parse_capability(text: &str) -> Result<oci_spec::runtime::Capability, String> {
    use serde::Deserialize;
    use serde::de::value::{Error, StrDeserializer};
    let name = text.to_ascii_uppercase();
    let name = if name.starts_with("CAP_") { name } else { format!("CAP_{name}") };
    let read = StrDeserializer::<Error>::new(&name);
    oci_spec::runtime::Capability::deserialize(read).map_err(|_| format!("'{text}' is not a capability"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_numbers() {
        assert_eq!("0".parse(), Ok(UserArg { uid: 0, gid: None }));
        assert_eq!("1000:4294967294".parse(), Ok(UserArg { uid: 1000, gid: Some(4294967294) }));
        for bad in [
            "",
            ":",
            "1:",
            ":1",
            "-1",
            "+1",
            "0:-1",
            "0:+5",
            "root",
            "1000:",
            "1:2:3",
            "4294967295",
            "4294967296",
            " 1",
            "0x1",
        ] {
            assert!(bad.parse::<UserArg>().is_err(), "{bad}");
        }
    }

    #[test]
    fn capabilities_by_any_spelling() {
        assert_eq!(parse_capability("CAP_SYS_ADMIN"), Ok(oci_spec::runtime::Capability::SysAdmin));
        assert_eq!(parse_capability("net_raw"), Ok(oci_spec::runtime::Capability::NetRaw));
        assert!(parse_capability("CAP_EVERYTHING").is_err());
    }
}
