//! Who the process is: user, groups, and which permissions its new files never have.

use std::io;

use oci_spec::runtime::User;
use rustix::fs::Mode;
use rustix::io::Errno;
use rustix::process::{Gid, Uid};

use super::invalid::InvalidProcess;
use crate::error::Stage;
use crate::message::{AtStage, Failure};

/// What new files lack if the specification does not say.
const DEFAULT_UMASK: u32 = 0o022;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) uid: u32,
    pub(super) gid: u32,
    groups: Vec<Gid>,
    umask: u32,
}

impl Identity {
    pub(super) fn parse(user: &User) -> Result<Self, InvalidProcess> {
        let additional = user.additional_gids().as_deref().unwrap_or_default();
        let group = |gid: &u32| id("process.user.additionalGids", *gid).map(Gid::from_raw);
        let umask = user.umask().unwrap_or(DEFAULT_UMASK);
        if umask > 0o777 {
            return Err(InvalidProcess::value("process.user.umask", umask, "at most 511 (octal 777)"));
        }
        Ok(Self {
            uid: id("process.user.uid", user.uid())?,
            gid: id("process.user.gid", user.gid())?,
            groups: additional.iter().map(group).collect::<Result<_, _>>()?,
            umask,
        })
    }

    pub(super) fn set_umask(&self) {
        rustix::process::umask(Mode::from_raw_mode(self.umask));
    }

    /// Becomes this user and these groups for good, groups first: afterwards the privilege for them is gone.
    pub(super) fn assume(&self) -> Result<(), Failure> {
        self.set_groups()?;
        let (uid, gid) = (Uid::from_raw(self.uid), Gid::from_raw(self.gid));
        let set_gid = rustix::thread::set_thread_res_gid(gid, gid, gid);
        set_gid.map_err(unmapped).about(Stage::Privileges, &format!("setgid to {}", self.gid))?;
        let set_uid = rustix::thread::set_thread_res_uid(uid, uid, uid);
        set_uid.map_err(unmapped).about(Stage::Privileges, &format!("setuid to {}", self.uid))
    }

    /// The kernel refuses setgroups(2) in a user namespace that an unprivileged user mapped (user_namespaces(7), "deny"):
    /// there the process keeps the groups it has, which is fine unless others were asked for.
    fn set_groups(&self) -> Result<(), Failure> {
        match rustix::thread::set_thread_groups(&self.groups) {
            Err(Errno::PERM) if self.groups.is_empty() && setgroups_denied() => Ok(()),
            Err(Errno::PERM) => Err(Errno::PERM).about(
                Stage::Privileges,
                "process.user.additionalGids: this user namespace permits no additional groups; map them with newgidmap",
            ),
            other => {
                let groups: Vec<u32> = self.groups.iter().map(|gid| gid.as_raw()).collect();
                other.map_err(unmapped).about(Stage::Privileges, &format!("setgroups to {groups:?}"))
            }
        }
    }
}

fn setgroups_denied() -> bool {
    let read = super::private_proc::PrivateProc::default().read("self/setgroups");
    read.is_ok_and(|text| text.trim_ascii() == b"deny")
}

/// `EINVAL` from these calls means one thing only, which is worth saying.
fn unmapped(errno: Errno) -> io::Error {
    // The number is what the engine gets to know; ENXIO ("no such") with the detail tells more than "invalid argument".
    if errno == Errno::INVAL { Errno::NXIO.into() } else { errno.into() }
}

/// The last number means "unchanged" to setresuid(2), so it would keep the privileges of the runtime.
fn id(field: &'static str, id: u32) -> Result<u32, InvalidProcess> {
    if id == u32::MAX { Err(InvalidProcess::value(field, id, "at most 4294967294")) } else { Ok(id) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(json: &str) -> Result<Identity, InvalidProcess> {
        Identity::parse(&serde_json::from_str(json).unwrap())
    }

    #[test]
    fn users_are_parsed() {
        let user = parse(r#"{"uid": 1, "gid": 2, "additionalGids": [3, 4], "umask": 63}"#).unwrap();
        assert_eq!((user.uid, user.gid, user.umask), (1, 2, 63));
        assert_eq!(user.groups, [Gid::from_raw(3), Gid::from_raw(4)]);
        assert_eq!(parse(r#"{"uid": 0, "gid": 0}"#).unwrap().umask, 0o022);
    }

    #[test]
    fn numbers_that_mean_unchanged_are_refused() {
        for (json, field) in [
            (r#"{"uid": 4294967295, "gid": 0}"#, "process.user.uid"),
            (r#"{"uid": 0, "gid": 4294967295}"#, "process.user.gid"),
            (r#"{"uid": 0, "gid": 0, "additionalGids": [4294967295]}"#, "process.user.additionalGids"),
            (r#"{"uid": 0, "gid": 0, "umask": 512}"#, "process.user.umask"),
        ] {
            assert_eq!(parse(json).unwrap_err().field, field);
        }
        for json in [r#"{"uid": -1, "gid": 0}"#, r#"{"uid": "0", "gid": 0}"#, r#"{"uid": 4294967296, "gid": 0}"#] {
            assert!(serde_json::from_str::<User>(json).is_err(), "{json}");
        }
    }
}
