//! Docker's format of system-call filters to that of the OCI specification.
//!
//! A profile of Docker (<https://docs.docker.com/engine/security/seccomp/>) is the `seccomp` object of config-linux.md with
//! two additions: `archMap` instead of `architectures`, and for each rule conditions on the processor, the kernel and the
//! capabilities of the program. A profile that already is in the OCI format is one without conditions.

use std::collections::BTreeSet;
use std::path::Path;

use oci_spec::runtime::{Arch, LinuxSeccomp, LinuxSeccompAction, LinuxSeccompArg, LinuxSyscall};
use serde::Deserialize;

/// No profile is so long; Docker's own has 15 KiB.
const MAX_PROFILE: u64 = 4 << 20;

/// Why a profile cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    /// The file cannot be read.
    #[error("cannot read the seccomp profile {file}")]
    Read {
        /// The file.
        file: String,
        /// The kernel's answer.
        source: std::io::Error,
    },
    /// Too long.
    #[error("the seccomp profile {0} is longer than 4 MiB")]
    Long(String),
    /// Not a profile.
    #[error("the seccomp profile {file} is not in Docker's or the OCI format")]
    Form {
        /// The file.
        file: String,
        /// What is wrong.
        source: serde_json::Error,
    },
    /// Both forms at once.
    #[error("the seccomp profile {0} has both 'architectures' and 'archMap'; leave one out")]
    TwoArchitectures(String),
    /// A rule with two forms of names.
    #[error("a rule of the seccomp profile {0} has both 'name' and 'names'; leave one out")]
    TwoNames(String),
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Profile {
    default_action: LinuxSeccompAction,
    default_errno_ret: Option<u32>,
    #[serde(default)]
    architectures: Vec<Arch>,
    #[serde(default)]
    arch_map: Vec<ArchMap>,
    #[serde(default)]
    flags: Option<Vec<oci_spec::runtime::LinuxSeccompFilterFlag>>,
    listener_path: Option<std::path::PathBuf>,
    listener_metadata: Option<String>,
    #[serde(default)]
    syscalls: Vec<Rule>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ArchMap {
    architecture: Arch,
    #[serde(default)]
    sub_architectures: Option<Vec<Arch>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Rule {
    #[serde(default)]
    name: String,
    #[serde(default)]
    names: Vec<String>,
    action: LinuxSeccompAction,
    errno_ret: Option<u32>,
    #[serde(default)]
    args: Option<Vec<LinuxSeccompArg>>,
    #[serde(default)]
    includes: Option<Conditions>,
    #[serde(default)]
    excludes: Option<Conditions>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Conditions {
    caps: Option<Vec<String>>,
    arches: Option<Vec<String>>,
    min_kernel: Option<String>,
}

/// Reads a profile for a program with these capabilities (`CAP_…`) on this kernel.
pub(crate) fn read(file: &Path, capabilities: &BTreeSet<String>, kernel: &str) -> Result<LinuxSeccomp, ProfileError> {
    use std::io::Read;
    let name = || file.display().to_string();
    let error = |source| ProfileError::Read { file: name(), source };
    let mut text = String::new();
    let opened = std::fs::File::open(file).map_err(error)?;
    let read = opened.take(MAX_PROFILE + 1).read_to_string(&mut text).map_err(error)?;
    if read as u64 > MAX_PROFILE {
        return Err(ProfileError::Long(name()));
    }
    convert(&text, &name(), capabilities, kernel)
}

fn convert(
    text: &str,
    file: &str,
    capabilities: &BTreeSet<String>,
    kernel: &str,
) -> Result<LinuxSeccomp, ProfileError> {
    let profile: Profile =
        serde_json::from_str(text).map_err(|source| ProfileError::Form { file: file.to_owned(), source })?;
    if !profile.architectures.is_empty() && !profile.arch_map.is_empty() {
        return Err(ProfileError::TwoArchitectures(file.to_owned()));
    }
    let machine = Machine { capabilities, kernel: version(kernel) };
    let mut seccomp = LinuxSeccomp::default();
    seccomp.set_default_action(profile.default_action);
    seccomp.set_default_errno_ret(profile.default_errno_ret);
    seccomp.set_architectures(Some(architectures(profile.architectures, &profile.arch_map)).filter(|a| !a.is_empty()));
    seccomp.set_flags(profile.flags);
    seccomp.set_listener_path(profile.listener_path);
    seccomp.set_listener_metadata(profile.listener_metadata);
    let mut syscalls = Vec::new();
    for rule in profile.syscalls.into_iter().filter(|rule| machine.applies(rule)) {
        if !rule.name.is_empty() && !rule.names.is_empty() {
            return Err(ProfileError::TwoNames(file.to_owned()));
        }
        let names = if rule.name.is_empty() { rule.names } else { vec![rule.name] };
        let mut call = LinuxSyscall::default();
        call.set_names(names);
        call.set_action(rule.action);
        call.set_errno_ret(rule.errno_ret);
        call.set_args(rule.args.filter(|args| !args.is_empty()));
        syscalls.push(call);
    }
    seccomp.set_syscalls(Some(syscalls));
    Ok(seccomp)
}

/// The processor's own convention and those that come with it.
fn architectures(given: Vec<Arch>, map: &[ArchMap]) -> Vec<Arch> {
    let Some(entry) = map.iter().find(|entry| entry.architecture == Arch::ScmpArchX86_64) else { return given };
    let mut all = vec![entry.architecture];
    all.extend(entry.sub_architectures.iter().flatten().copied());
    all
}

/// What conditions ask about.
struct Machine<'a> {
    capabilities: &'a BTreeSet<String>,
    kernel: (u32, u32),
}

impl Machine<'_> {
    /// Every condition of `includes`, and none of `excludes`.
    fn applies(&self, rule: &Rule) -> bool {
        let included = rule.includes.as_ref().is_none_or(|conditions| {
            let arches =
                conditions.arches.as_ref().is_none_or(|list| list.is_empty() || list.iter().any(|a| is_here(a)));
            let caps = conditions.caps.iter().flatten().all(|cap| self.capabilities.contains(cap));
            arches && caps && conditions.min_kernel.as_ref().is_none_or(|least| version(least) <= self.kernel)
        });
        let excluded = rule.excludes.as_ref().is_some_and(|conditions| {
            conditions.arches.iter().flatten().any(|arch| is_here(arch))
                || conditions.caps.iter().flatten().any(|cap| self.capabilities.contains(cap))
                || conditions.min_kernel.as_ref().is_some_and(|least| version(least) <= self.kernel)
        });
        included && !excluded
    }
}

/// Docker's names of processors are Go's, and x32 counts as one beside its 64-bit sibling.
fn is_here(arch: &str) -> bool {
    matches!(arch, "amd64" | "x32" | "x86_64")
}

/// Major and minor number; what cannot be read is 0.
fn version(text: &str) -> (u32, u32) {
    let mut numbers = text.split(|c: char| !c.is_ascii_digit()).map(|part| part.parse().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROFILE: &str = r#"{
        "defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 1,
        "archMap": [{"architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X86", "SCMP_ARCH_X32"]},
                    {"architecture": "SCMP_ARCH_AARCH64", "subArchitectures": ["SCMP_ARCH_ARM"]}],
        "syscalls": [
            {"names": ["read", "write"], "action": "SCMP_ACT_ALLOW"},
            {"names": ["ptrace"], "action": "SCMP_ACT_ALLOW", "includes": {"minKernel": "4.8"}},
            {"names": ["new"], "action": "SCMP_ACT_ALLOW", "includes": {"minKernel": "99.0"}},
            {"names": ["mount"], "action": "SCMP_ACT_ALLOW", "includes": {"caps": ["CAP_SYS_ADMIN"]}},
            {"names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38, "excludes": {"caps": ["CAP_SYS_ADMIN"]}},
            {"names": ["arm_fadvise64_64"], "action": "SCMP_ACT_ALLOW", "includes": {"arches": ["arm", "arm64"]}},
            {"names": ["arch_prctl"], "action": "SCMP_ACT_ALLOW", "includes": {"arches": ["amd64", "x32"]}},
            {"names": ["clone"], "action": "SCMP_ACT_ALLOW",
             "args": [{"index": 0, "value": 2114060288, "op": "SCMP_CMP_MASKED_EQ"}], "excludes": {"arches": ["s390"]}}
        ]}"#;

    fn names(capabilities: &[&str]) -> Vec<String> {
        let capabilities = capabilities.iter().map(|cap| (*cap).to_owned()).collect();
        let seccomp = convert(PROFILE, "file", &capabilities, "6.1.0-13-amd64").unwrap();
        assert_eq!(seccomp.architectures().as_ref().map(Vec::len), Some(3));
        assert_eq!(seccomp.default_errno_ret(), Some(1));
        seccomp.syscalls().iter().flatten().flat_map(|call| call.names().clone()).collect()
    }

    #[test]
    fn conditions() {
        assert_eq!(names(&[]), ["read", "write", "ptrace", "clone3", "arch_prctl", "clone"]);
        assert_eq!(names(&["CAP_SYS_ADMIN"]), ["read", "write", "ptrace", "mount", "arch_prctl", "clone"]);
    }

    #[test]
    fn what_is_no_profile() {
        let none = BTreeSet::new();
        for bad in [
            "",
            "{}",
            "[]",
            r#"{"defaultAction": "SCMP_ACT_MAYBE"}"#,
            r#"{"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86"], "archMap": [{"architecture": "SCMP_ARCH_X86_64"}]}"#,
            r#"{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"name": "a", "names": ["b"], "action": "SCMP_ACT_ALLOW"}]}"#,
        ] {
            assert!(convert(bad, "file", &none, "6.1").is_err(), "{bad}");
        }
        assert!(read(Path::new("/nonexistent"), &none, "6.1").is_err());
    }
}
