use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What an instance may do beyond, or less than, the default.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Security {
    /// All capabilities, all devices, no filter, nothing hidden.
    pub privileged: bool,
    /// Capabilities to add, as `CAP_…`; `ALL` is all of them.
    pub cap_add: Vec<String>,
    /// Capabilities to take away.
    pub cap_drop: Vec<String>,
    /// Whether programs may gain privileges by executing set-user-ID files; `None` is the default of the level.
    pub no_new_privileges: Option<bool>,
    /// The system-call filter.
    pub seccomp: SeccompChoice,
    /// An AppArmor profile.
    pub apparmor: Option<String>,
    /// Parts of an SELinux label: `disable`, `user:…`, `role:…`, `type:…`, `level:…`.
    pub label: Vec<String>,
    /// Further paths to hide.
    pub mask: Vec<String>,
    /// Paths not to hide or protect; `ALL` is all of them.
    pub unmask: Vec<String>,
}

/// Which system-call filter an instance has.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SeccompChoice {
    /// The engine's.
    #[default]
    Default,
    /// None.
    Unconfined,
    /// A profile of the user's: a file at first, its content in the terms of the OCI specification (JSON) once the plan was made.
    Profile(String),
}

/// One `--security-opt`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecurityOption {
    /// `no-new-privileges[=true|false]`.
    NoNewPrivileges(bool),
    /// `seccomp=unconfined`, `seccomp=builtin` or `seccomp=FILE`.
    Seccomp(SeccompChoice),
    /// `apparmor=PROFILE`; `unconfined` is none.
    AppArmor(String),
    /// `label=…`.
    Label(String),
    /// `systempaths=unconfined`.
    SystemPathsUnconfined,
    /// `mask=PATH[:PATH…]`.
    Mask(Vec<String>),
    /// `unmask=ALL` or `unmask=PATH[:PATH…]`.
    Unmask(Vec<String>),
}

/// A `--security-opt` that cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SecurityParseError {
    /// Not one of ours.
    #[error(
        "unknown security option '{0}'; choose no-new-privileges, seccomp=unconfined|FILE, apparmor=PROFILE, label=…, systempaths=unconfined, mask=PATH or unmask=ALL|PATH"
    )]
    Unknown(String),
    /// A path that is relative or goes up.
    #[error("the path '{0}' of mask or unmask must be absolute and without '..'")]
    Path(String),
}

impl FromStr for SecurityOption {
    type Err = SecurityParseError;

    fn from_str(text: &str) -> Result<Self, SecurityParseError> {
        let unknown = || SecurityParseError::Unknown(text.to_owned());
        // Docker wrote a colon until 1.11, and still reads it.
        let (key, value) = text.split_once(['=', ':']).map_or((text, None), |(key, value)| (key, Some(value)));
        let value = value.filter(|value| !value.is_empty());
        match (key, value) {
            ("no-new-privileges", None | Some("true")) => Ok(Self::NoNewPrivileges(true)),
            ("no-new-privileges", Some("false")) => Ok(Self::NoNewPrivileges(false)),
            ("seccomp", Some("unconfined")) => Ok(Self::Seccomp(SeccompChoice::Unconfined)),
            ("seccomp", Some("builtin")) => Ok(Self::Seccomp(SeccompChoice::Default)),
            ("seccomp", Some(file)) => Ok(Self::Seccomp(SeccompChoice::Profile(file.to_owned()))),
            ("apparmor", Some(profile)) => Ok(Self::AppArmor(profile.to_owned())),
            ("label", Some(label)) if is_label(label) => Ok(Self::Label(label.to_owned())),
            ("systempaths", Some("unconfined")) => Ok(Self::SystemPathsUnconfined),
            ("mask", Some(list)) => paths(list).map(Self::Mask),
            ("unmask", Some("ALL" | "all")) => Ok(Self::Unmask(vec!["ALL".to_owned()])),
            ("unmask", Some(list)) => paths(list).map(Self::Unmask),
            _ => Err(unknown()),
        }
    }
}

fn is_label(text: &str) -> bool {
    matches!(text, "disable" | "nested")
        || ["user:", "role:", "type:", "level:", "filetype:"].iter().any(|p| text.starts_with(p))
}

fn paths(list: &str) -> Result<Vec<String>, SecurityParseError> {
    let check = |path: &str| {
        let fine = path.starts_with('/') && !path.contains('\0') && path.split('/').all(|part| part != "..");
        if fine { Ok(path.to_owned()) } else { Err(SecurityParseError::Path(path.to_owned())) }
    };
    list.split(':').map(check).collect()
}

impl Security {
    /// Takes one option over; the last one of a kind counts, lists grow.
    pub fn set(&mut self, option: SecurityOption) {
        match option {
            SecurityOption::NoNewPrivileges(on) => self.no_new_privileges = Some(on),
            SecurityOption::Seccomp(choice) => self.seccomp = choice,
            SecurityOption::AppArmor(profile) => self.apparmor = Some(profile).filter(|name| name != "unconfined"),
            SecurityOption::Label(label) => self.label.push(label),
            SecurityOption::SystemPathsUnconfined => self.unmask.push("ALL".to_owned()),
            SecurityOption::Mask(mut paths) => self.mask.append(&mut paths),
            SecurityOption::Unmask(mut paths) => self.unmask.append(&mut paths),
        }
    }

    /// The file of the filter's profile, before it was read.
    pub fn seccomp_file(&self) -> Option<PathBuf> {
        match &self.seccomp {
            SeccompChoice::Profile(file) => Some(file.into()),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options() {
        let mut security = Security::default();
        for text in ["no-new-privileges:true", "seccomp=unconfined", "unmask=/proc/acpi:/sys/firmware", "label=disable"]
        {
            security.set(text.parse().unwrap());
        }
        assert_eq!(security.no_new_privileges, Some(true));
        assert_eq!(security.seccomp, SeccompChoice::Unconfined);
        assert_eq!(security.unmask, ["/proc/acpi", "/sys/firmware"]);
        for bad in ["", "seccomp", "seccomp=", "what=ever", "systempaths=x", "mask=relative", "mask=/a/../b", "label=x"]
        {
            assert!(bad.parse::<SecurityOption>().is_err(), "{bad}");
        }
    }
}
