use alloc::vec::Vec;

/// Who a process is (credentials(7)).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Credentials {
    /// Real user id.
    pub(crate) ruid: u32,
    /// Effective user id.
    pub(crate) euid: u32,
    /// Saved user id.
    pub(crate) suid: u32,
    /// User id of file access.
    pub(crate) fsuid: u32,
    /// Real group id.
    pub(crate) rgid: u32,
    /// Effective group id.
    pub(crate) egid: u32,
    /// Saved group id.
    pub(crate) sgid: u32,
    /// Group id of file access.
    pub(crate) fsgid: u32,
    /// Supplementary groups.
    pub(crate) groups: Vec<u32>,
    /// Effective capabilities (capabilities(7)), a bit for each.
    pub(crate) effective: u64,
    /// Permitted capabilities.
    pub(crate) permitted: u64,
    /// Inheritable capabilities.
    pub(crate) inheritable: u64,
}

/// `CAP_SETGID`.
pub(crate) const CAP_SETGID: u32 = 6;
/// `CAP_SETUID`.
pub(crate) const CAP_SETUID: u32 = 7;

/// The capabilities that a container's root has by default in Docker; a unikernel's root has the same.
const DEFAULT_CAPABILITIES: u64 = 0xa804_25fb;

impl Credentials {
    /// Of a program that starts as this user.
    pub(crate) fn new(uid: u32, gid: u32, groups: Vec<u32>) -> Self {
        let caps = if uid == 0 { DEFAULT_CAPABILITIES } else { 0 };
        Self {
            ruid: uid,
            euid: uid,
            suid: uid,
            fsuid: uid,
            rgid: gid,
            egid: gid,
            sgid: gid,
            fsgid: gid,
            groups,
            effective: caps,
            permitted: caps,
            inheritable: 0,
        }
    }

    /// Whether a capability is effective.
    pub(crate) fn capable(&self, capability: u32) -> bool {
        self.effective & (1 << capability) != 0
    }

    /// Whether a group is the file-access group or a supplementary one.
    pub(crate) fn in_group(&self, gid: u32) -> bool {
        self.fsgid == gid || self.groups.contains(&gid)
    }
}
