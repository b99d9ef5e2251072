//! Mount options by name: those of mount(8), of the OCI specification (config.md, "Linux mount options"), and the additions
//! of runc and crun.

use jail::{MountAttr, Propagation};

/// What an option does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    /// Nothing: it is the default, or it concerns mount(8) only.
    Nothing,
    /// Sets attributes of the mount and, if true, of all below it.
    Set(MountAttr, bool),
    /// Clears attributes.
    Clear(MountAttr, bool),
    /// Chooses among the three ways to note when a file was read.
    AccessTime(MountAttr, bool),
    /// How mounts below it spread.
    Propagate(Propagation, bool),
    /// Binds the source, with the mounts below it if true.
    Bind(bool),
    /// Changes a mount that is there.
    Remount,
    /// Fills the new file system with what it covers.
    CopyUp,
    /// A source that is a symbolic link becomes a link of the same target.
    CopySymlink,
    /// A destination that is a symbolic link is refused.
    DestinationNoFollow,
    /// A source that is a symbolic link is bound itself.
    SourceNoFollow,
    /// Maps the owners of files.
    MapIds(bool),
    /// A flag of the file system, not of the mount.
    FileSystem(&'static str),
}

pub(super) fn effect(option: &str) -> Option<Effect> {
    use Effect::{
        AccessTime, Bind, CopySymlink, CopyUp, DestinationNoFollow, FileSystem, MapIds, Nothing, Propagate, Remount,
        SourceNoFollow,
    };
    if let Some(effect) = attribute(option, false) {
        return Some(effect);
    }
    if let Some(effect) = option.strip_prefix('r').and_then(|plain| attribute(plain, true)) {
        return Some(effect);
    }
    if let Some((kind, recursive)) = propagation(option) {
        return Some(Propagate(kind, recursive));
    }
    Some(match option {
        "defaults" | "async" | "nomand" | "nolazytime" | "loud" | "nodirsync" | "" => Nothing,
        "auto" | "noauto" | "user" | "nouser" | "group" | "owner" | "_netdev" | "nofail" => Nothing,
        "bind" => Bind(false),
        "rbind" => Bind(true),
        "remount" => Remount,
        "tmpcopyup" => CopyUp,
        "copy-symlink" => CopySymlink,
        "nofollow" | "dest-nofollow" => DestinationNoFollow,
        "src-nofollow" => SourceNoFollow,
        "idmap" => MapIds(false),
        "ridmap" => MapIds(true),
        "sync" => FileSystem("sync"),
        "dirsync" => FileSystem("dirsync"),
        "mand" => FileSystem("mand"),
        "lazytime" => FileSystem("lazytime"),
        "silent" => FileSystem("silent"),
        "iversion" => FileSystem("iversion"),
        "noiversion" => Nothing,
        "relatime" | "atime" | "norelatime" | "nostrictatime" => AccessTime(MountAttr::empty(), false),
        _ => return None,
    })
}

/// Options that set or clear an attribute of a mount; with an `r` in front of all mounts below it, too.
fn attribute(option: &str, recursive: bool) -> Option<Effect> {
    use Effect::{AccessTime, Clear, Set};
    Some(match option {
        "ro" => Set(MountAttr::RDONLY, recursive),
        "rw" => Clear(MountAttr::RDONLY, recursive),
        "nosuid" => Set(MountAttr::NOSUID, recursive),
        "suid" => Clear(MountAttr::NOSUID, recursive),
        "nodev" => Set(MountAttr::NODEV, recursive),
        "dev" => Clear(MountAttr::NODEV, recursive),
        "noexec" => Set(MountAttr::NOEXEC, recursive),
        "exec" => Clear(MountAttr::NOEXEC, recursive),
        "nodiratime" => Set(MountAttr::NODIRATIME, recursive),
        "diratime" => Clear(MountAttr::NODIRATIME, recursive),
        "nosymfollow" => Set(MountAttr::NOSYMFOLLOW, recursive),
        "symfollow" => Clear(MountAttr::NOSYMFOLLOW, recursive),
        "noatime" => AccessTime(MountAttr::NOATIME, recursive),
        "strictatime" => AccessTime(MountAttr::STRICTATIME, recursive),
        "relatime" | "atime" | "norelatime" | "nostrictatime" if recursive => AccessTime(MountAttr::empty(), recursive),
        _ => return None,
    })
}

pub(super) fn propagation(option: &str) -> Option<(Propagation, bool)> {
    let kind = |plain| match plain {
        "private" => Some(Propagation::Private),
        "shared" => Some(Propagation::Shared),
        "slave" => Some(Propagation::Slave),
        "unbindable" => Some(Propagation::Unbindable),
        _ => None,
    };
    let recursive = || option.strip_prefix('r').and_then(kind).map(|kind| (kind, true));
    kind(option).map(|kind| (kind, false)).or_else(recursive)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_and_their_recursive_forms() {
        assert_eq!(effect("ro"), Some(Effect::Set(MountAttr::RDONLY, false)));
        assert_eq!(effect("rro"), Some(Effect::Set(MountAttr::RDONLY, true)));
        assert_eq!(effect("rrw"), Some(Effect::Clear(MountAttr::RDONLY, true)));
        assert_eq!(effect("rw"), Some(Effect::Clear(MountAttr::RDONLY, false)));
        assert_eq!(effect("relatime"), Some(Effect::AccessTime(MountAttr::empty(), false)));
        assert_eq!(effect("rrelatime"), Some(Effect::AccessTime(MountAttr::empty(), true)));
        assert_eq!(effect("rslave"), Some(Effect::Propagate(Propagation::Slave, true)));
        assert_eq!(effect("rbind"), Some(Effect::Bind(true)));
        assert_eq!(effect("remount"), Some(Effect::Remount));
        for data in ["size=64k", "mode=755", "rsize=1024", "newinstance", "rsuidx"] {
            assert_eq!(effect(data), None, "{data}");
        }
    }
}
