//! Who the process is: identifiers and credentials (credentials(7)).

use linux_abi::task::{CapData, CapHeader};
use linux_abi::{Errno, Pod};

use crate::mem::{read_slice, read_value, write_slice, write_value};
use crate::syscall::Call;
use crate::task::credentials::{CAP_SETGID, CAP_SETUID};
use crate::task::{Credentials, current};

/// "Leave it as it is" (setreuid(2), setresuid(2)).
const KEEP: u32 = u32::MAX;

/// getpid(2).
pub(super) fn getpid(_: &mut Call<'_>) -> Result<i64, Errno> {
    Ok(current().process.pid.into())
}

/// gettid(2).
pub(super) fn gettid(_: &mut Call<'_>) -> Result<i64, Errno> {
    Ok(current().tid.into())
}

/// getppid(2): nobody started the first process.
pub(super) fn getppid(_: &mut Call<'_>) -> Result<i64, Errno> {
    Ok(0)
}

/// getpgid(2), getsid(2) of the process itself, which leads its group and session.
pub(super) fn getpgid(call: &mut Call<'_>) -> Result<i64, Errno> {
    let own = current().process.pid;
    if call.uint(0) == 0 || call.uint(0) == own { Ok(own.into()) } else { Err(Errno::ESRCH) }
}

/// setpgid(2): the process leads a session, so it stays where it is.
pub(super) fn setpgid(call: &mut Call<'_>) -> Result<i64, Errno> {
    let own = current().process.pid;
    let (pid, group) = (call.uint(0), call.uint(1));
    if call.int(1) < 0 {
        return Err(Errno::EINVAL);
    }
    if pid != 0 && pid != own {
        return Err(Errno::ESRCH);
    }
    if group == 0 || group == own { Ok(0) } else { Err(Errno::EPERM) }
}

/// setsid(2): the first process leads its process group already.
pub(super) fn setsid(_: &mut Call<'_>) -> Result<i64, Errno> {
    Err(Errno::EPERM)
}

fn creds<T>(read: impl FnOnce(&mut Credentials) -> T) -> T {
    read(&mut current().process.creds.lock())
}

/// getuid(2).
pub(super) fn getuid(_: &mut Call<'_>) -> Result<i64, Errno> {
    Ok(creds(|c| c.ruid).into())
}

/// geteuid(2).
pub(super) fn geteuid(_: &mut Call<'_>) -> Result<i64, Errno> {
    Ok(creds(|c| c.euid).into())
}

/// getgid(2).
pub(super) fn getgid(_: &mut Call<'_>) -> Result<i64, Errno> {
    Ok(creds(|c| c.rgid).into())
}

/// getegid(2).
pub(super) fn getegid(_: &mut Call<'_>) -> Result<i64, Errno> {
    Ok(creds(|c| c.egid).into())
}

/// getresuid(2).
pub(super) fn getresuid(call: &mut Call<'_>) -> Result<i64, Errno> {
    write_three(call, creds(|c| [c.ruid, c.euid, c.suid]))
}

/// getresgid(2).
pub(super) fn getresgid(call: &mut Call<'_>) -> Result<i64, Errno> {
    write_three(call, creds(|c| [c.rgid, c.egid, c.sgid]))
}

fn write_three(call: &Call<'_>, ids: [u32; 3]) -> Result<i64, Errno> {
    for (n, id) in ids.iter().enumerate() {
        write_value(call.addr(n), id)?;
    }
    Ok(0)
}

/// The three ids of a kind after a change to `wanted` (real, effective, saved); `EPERM` for one that is not the caller's.
fn change(privileged: bool, own: [u32; 3], wanted: [u32; 3]) -> Result<[u32; 3], Errno> {
    let allowed = |id: u32| id == KEEP || privileged || own.contains(&id);
    if !wanted.iter().all(|id| allowed(*id)) {
        return Err(Errno::EPERM);
    }
    let pick = |n: usize| if wanted[n] == KEEP { own[n] } else { wanted[n] };
    Ok([pick(0), pick(1), pick(2)])
}

impl Credentials {
    fn set_uids(&mut self, wanted: [u32; 3]) -> Result<i64, Errno> {
        let new = change(self.capable(CAP_SETUID), [self.ruid, self.euid, self.suid], wanted)?;
        let was_root = [self.ruid, self.euid, self.suid].contains(&0);
        [self.ruid, self.euid, self.suid] = new;
        self.fsuid = self.euid;
        // capabilities(7), "Effect of user ID changes on capabilities".
        if was_root && !new.contains(&0) {
            self.permitted = 0;
        }
        self.effective = if self.euid == 0 { self.permitted } else { 0 };
        Ok(0)
    }

    fn set_gids(&mut self, wanted: [u32; 3]) -> Result<i64, Errno> {
        let new = change(self.capable(CAP_SETGID), [self.rgid, self.egid, self.sgid], wanted)?;
        [self.rgid, self.egid, self.sgid] = new;
        self.fsgid = self.egid;
        Ok(0)
    }
}

/// setuid(2).
pub(super) fn setuid(call: &mut Call<'_>) -> Result<i64, Errno> {
    let id = call.uint(0);
    creds(|c| c.set_uids(if c.capable(CAP_SETUID) { [id; 3] } else { [KEEP, id, KEEP] }))
}

/// setgid(2).
pub(super) fn setgid(call: &mut Call<'_>) -> Result<i64, Errno> {
    let id = call.uint(0);
    creds(|c| c.set_gids(if c.capable(CAP_SETGID) { [id; 3] } else { [KEEP, id, KEEP] }))
}

/// setreuid(2).
pub(super) fn setreuid(call: &mut Call<'_>) -> Result<i64, Errno> {
    let (real, effective) = (call.uint(0), call.uint(1));
    creds(|c| {
        let saved = if real != KEEP || effective != KEEP && effective != c.ruid { effective } else { KEEP };
        c.set_uids([real, effective, saved])
    })
}

/// setregid(2).
pub(super) fn setregid(call: &mut Call<'_>) -> Result<i64, Errno> {
    let (real, effective) = (call.uint(0), call.uint(1));
    creds(|c| {
        let saved = if real != KEEP || effective != KEEP && effective != c.rgid { effective } else { KEEP };
        c.set_gids([real, effective, saved])
    })
}

/// setresuid(2).
pub(super) fn setresuid(call: &mut Call<'_>) -> Result<i64, Errno> {
    let ids = [call.uint(0), call.uint(1), call.uint(2)];
    creds(|c| c.set_uids(ids))
}

/// setresgid(2).
pub(super) fn setresgid(call: &mut Call<'_>) -> Result<i64, Errno> {
    let ids = [call.uint(0), call.uint(1), call.uint(2)];
    creds(|c| c.set_gids(ids))
}

/// setfsuid(2): gives the old one, whether it was changed or not.
pub(super) fn setfsuid(call: &mut Call<'_>) -> Result<i64, Errno> {
    let id = call.uint(0);
    Ok(creds(|c| {
        let old = c.fsuid;
        if c.capable(CAP_SETUID) || [c.ruid, c.euid, c.suid].contains(&id) {
            c.fsuid = id;
        }
        old
    })
    .into())
}

/// setfsgid(2).
pub(super) fn setfsgid(call: &mut Call<'_>) -> Result<i64, Errno> {
    let id = call.uint(0);
    Ok(creds(|c| {
        let old = c.fsgid;
        if c.capable(CAP_SETGID) || [c.rgid, c.egid, c.sgid].contains(&id) {
            c.fsgid = id;
        }
        old
    })
    .into())
}

/// getgroups(2).
pub(super) fn getgroups(call: &mut Call<'_>) -> Result<i64, Errno> {
    let groups = creds(|c| c.groups.clone());
    let room = call.int(0);
    if room != 0 {
        if room < groups.len() as i32 {
            return Err(Errno::EINVAL);
        }
        write_slice(call.addr(1), &groups)?;
    }
    Ok(groups.len() as i64)
}

/// setgroups(2).
pub(super) fn setgroups(call: &mut Call<'_>) -> Result<i64, Errno> {
    const MAX: usize = 65536;
    if !creds(|c| c.capable(CAP_SETGID)) {
        return Err(Errno::EPERM);
    }
    if call.size(0) > MAX {
        return Err(Errno::EINVAL);
    }
    let groups = read_slice(call.addr(1), call.size(0))?;
    creds(|c| c.groups = groups);
    Ok(0)
}

const CAPABILITY_VERSION_3: u32 = 0x2008_0522;
const CAPABILITY_VERSION_2: u32 = 0x2007_1026;

fn cap_header(call: &Call<'_>) -> Result<(), Errno> {
    let header: CapHeader = read_value(call.addr(0))?;
    if header.version != CAPABILITY_VERSION_3 && header.version != CAPABILITY_VERSION_2 {
        write_value(call.addr(0), &CAPABILITY_VERSION_3)?;
        return if call.addr(1).is_null() { Ok(()) } else { Err(Errno::EINVAL) };
    }
    let own = current();
    match header.pid {
        0 => Ok(()),
        pid if pid as u32 == own.tid || pid as u32 == own.process.pid => Ok(()),
        _ => Err(Errno::ESRCH),
    }
}

/// capget(2).
pub(super) fn capget(call: &mut Call<'_>) -> Result<i64, Errno> {
    cap_header(call)?;
    if call.addr(1).is_null() {
        return Ok(0);
    }
    let (effective, permitted, inheritable) = creds(|c| (c.effective, c.permitted, c.inheritable));
    let half = |shift: u32| CapData {
        effective: (effective >> shift) as u32,
        permitted: (permitted >> shift) as u32,
        inheritable: (inheritable >> shift) as u32,
    };
    write_slice(call.addr(1), &[half(0), half(32)])?;
    Ok(0)
}

/// capset(2).
pub(super) fn capset(call: &mut Call<'_>) -> Result<i64, Errno> {
    cap_header(call)?;
    let data: [[u32; 3]; 2] =
        [read_value(call.addr(1))?, read_value(call.addr(1).add(CapData::zeroed().bytes().len() as u64))?];
    let whole = |n: usize| u64::from(data[0][n]) | u64::from(data[1][n]) << 32;
    let (effective, permitted, inheritable) = (whole(0), whole(1), whole(2));
    creds(|c| {
        let too_much = permitted & !c.permitted | effective & !permitted | inheritable & !(c.inheritable | c.permitted);
        if too_much != 0 {
            return Err(Errno::EPERM);
        }
        (c.effective, c.permitted, c.inheritable) = (effective, permitted, inheritable);
        Ok(0)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    #[test]
    fn dropping_root_drops_capabilities() {
        let mut c = Credentials::new(0, 0, Vec::new());
        assert!(c.capable(CAP_SETUID));
        assert_eq!(c.set_uids([1000; 3]), Ok(0));
        assert_eq!((c.effective, c.permitted, c.fsuid), (0, 0, 1000));
        assert_eq!(c.set_uids([0, KEEP, KEEP]), Err(Errno::EPERM));
        assert_eq!(c.set_uids([1000, 1000, KEEP]), Ok(0));
    }

    #[test]
    fn a_saved_id_leads_back() {
        let mut c = Credentials::new(0, 0, Vec::new());
        assert_eq!(c.set_uids([KEEP, 7, KEEP]), Ok(0));
        assert!(!c.capable(CAP_SETUID));
        assert_eq!(c.set_uids([KEEP, 0, KEEP]), Ok(0));
        assert!(c.capable(CAP_SETUID));
    }
}
