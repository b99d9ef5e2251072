use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::parse_size;

/// A mount as `--mount` and `--tmpfs` describe it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mount {
    /// The path inside, absolute and without `..`.
    pub target: PathBuf,
    /// What is mounted there.
    pub kind: MountKind,
    /// Refuses writes.
    pub read_only: bool,
}

/// What is mounted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MountKind {
    /// A file or directory of the host.
    Bind(BindOptions),
    /// A new file system in memory.
    Tmpfs(TmpfsOptions),
    /// A named volume.
    Volume(String),
}

impl MountKind {
    /// Whether it is something of the host that every level can share: a volume, or a plain bind mount.
    pub fn is_volume(&self) -> bool {
        match self {
            Self::Volume(_) => true,
            Self::Bind(bind) => bind.propagation == Propagation::Rprivate && !bind.non_recursive,
            Self::Tmpfs(_) => false,
        }
    }
}

/// A bind mount.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BindOptions {
    /// The path on the host, absolute.
    pub source: PathBuf,
    /// How mounts that are made later on one side appear on the other.
    pub propagation: Propagation,
    /// Leaves out what is mounted below the source.
    pub non_recursive: bool,
}

/// Propagation of mounts: mount_namespaces(7).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Propagation {
    /// Not at all, for this mount and those below.
    #[default]
    Rprivate,
    /// Not at all.
    Private,
    /// Both ways, for this mount and those below.
    Rshared,
    /// Both ways.
    Shared,
    /// From the host into the instance, for this mount and those below.
    Rslave,
    /// From the host into the instance.
    Slave,
}

impl Propagation {
    /// The word that mount(8) and the OCI specification have for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Rprivate => "rprivate",
            Self::Private => "private",
            Self::Rshared => "rshared",
            Self::Shared => "shared",
            Self::Rslave => "rslave",
            Self::Slave => "slave",
        }
    }

    fn from_word(word: &str) -> Option<Self> {
        let all = [Self::Rprivate, Self::Private, Self::Rshared, Self::Shared, Self::Rslave, Self::Slave];
        all.into_iter().find(|one| one.word() == word)
    }
}

/// A file system in memory (tmpfs(5)).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TmpfsOptions {
    /// Its size in bytes; half of the memory if not given.
    pub size: Option<u64>,
    /// The permissions of its root; 1777 if not given.
    pub mode: Option<u32>,
    /// Further words: `exec`, `suid`, `dev`, `noatime`, `uid=…`, …
    pub options: Vec<String>,
}

/// A `--mount` or `--tmpfs` argument that cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MountParseError {
    /// A key that no mount has, or that this kind of mount has not.
    #[error(
        "--mount does not know '{0}'; write type=bind|volume|tmpfs,source=PATH,target=PATH[,readonly] (see docs/running.md)"
    )]
    Key(String),
    /// A key without a usable value.
    #[error("--mount: '{key}' cannot be '{value}'")]
    Value {
        /// The key.
        key: String,
        /// Its value.
        value: String,
    },
    /// Something is missing.
    #[error("--mount '{text}' has no {missing}")]
    Missing {
        /// The argument.
        text: String,
        /// The key.
        missing: &'static str,
    },
    /// A path that is relative, the root or goes up.
    #[error("the mount's path '{0}' must be absolute, without '..', and not the root")]
    Path(String),
    /// An option that tmpfs has not.
    #[error(
        "--tmpfs does not know '{0}'; it takes size=, mode=, uid=, gid=, nr_inodes=, nr_blocks=, ro, rw, [no]exec, [no]suid, [no]dev, [no]atime"
    )]
    Tmpfs(String),
}

/// Reads `PATH[:OPTIONS]` of `--tmpfs`.
pub fn parse_tmpfs(text: &str) -> Result<Mount, MountParseError> {
    let (target, options) = text.split_once(':').unwrap_or((text, ""));
    let mut mount = Mount { target: path(target)?, kind: MountKind::Tmpfs(TmpfsOptions::default()), read_only: false };
    let mut tmpfs = TmpfsOptions::default();
    for word in options.split(',').filter(|word| !word.is_empty()) {
        match word.split_once('=') {
            Some(("size", size)) => tmpfs.size = Some(tmpfs_size(size, word)?),
            Some(("mode", mode)) => tmpfs.mode = Some(octal("mode", mode)?),
            Some(("uid" | "gid" | "nr_inodes" | "nr_blocks", value)) if is_number(value) => {
                tmpfs.options.push(word.to_owned());
            }
            None => match word {
                "ro" => mount.read_only = true,
                "rw" => mount.read_only = false,
                "exec" | "noexec" | "suid" | "nosuid" | "dev" | "nodev" | "atime" | "noatime" | "relatime" => {
                    tmpfs.options.push(word.to_owned());
                }
                _ => return Err(MountParseError::Tmpfs(word.to_owned())),
            },
            Some(_) => return Err(MountParseError::Tmpfs(word.to_owned())),
        }
    }
    mount.kind = MountKind::Tmpfs(tmpfs);
    Ok(mount)
}

fn is_number(text: &str) -> bool {
    text.parse::<u32>().is_ok() && text.bytes().all(|b| b.is_ascii_digit())
}

fn tmpfs_size(text: &str, word: &str) -> Result<u64, MountParseError> {
    parse_size(text).map_err(|_| MountParseError::Tmpfs(word.to_owned()))
}

fn octal(key: &str, text: &str) -> Result<u32, MountParseError> {
    let bad = || MountParseError::Value { key: key.to_owned(), value: text.to_owned() };
    u32::from_str_radix(text, 8).ok().filter(|mode| *mode <= 0o7777).ok_or_else(bad)
}

fn path(text: &str) -> Result<PathBuf, MountParseError> {
    let up = text.split('/').any(|part| part == "..");
    if !text.starts_with('/') || up || text.contains('\0') || text.trim_matches('/').is_empty() {
        return Err(MountParseError::Path(text.to_owned()));
    }
    Ok(text.into())
}

impl FromStr for Mount {
    type Err = MountParseError;

    fn from_str(text: &str) -> Result<Self, MountParseError> {
        let mut fields = Fields::default();
        for field in text.split(',') {
            let (key, value) = field.split_once('=').map_or((field, None), |(key, value)| (key, Some(value)));
            fields.set(key, value)?;
        }
        fields.mount(text)
    }
}

/// The fields of one `--mount`.
#[derive(Default)]
struct Fields {
    kind: Option<String>,
    source: Option<String>,
    target: Option<String>,
    read_only: bool,
    propagation: Option<Propagation>,
    non_recursive: bool,
    size: Option<u64>,
    mode: Option<u32>,
}

impl Fields {
    fn set(&mut self, key: &str, value: Option<&str>) -> Result<(), MountParseError> {
        let bad = |value: &str| MountParseError::Value { key: key.to_owned(), value: value.to_owned() };
        let text = || value.filter(|value| !value.is_empty()).map(str::to_owned).ok_or_else(|| bad(""));
        match key {
            "type" => self.kind = Some(text()?),
            "source" | "src" => self.source = Some(text()?),
            "target" | "destination" | "dst" => self.target = Some(text()?),
            "readonly" | "ro" => self.read_only = flag(value).ok_or_else(|| bad(value.unwrap_or_default()))?,
            "bind-propagation" => {
                let text = text()?;
                self.propagation = Some(Propagation::from_word(&text).ok_or_else(|| bad(&text))?);
            }
            "bind-nonrecursive" => self.non_recursive = flag(value).ok_or_else(|| bad(value.unwrap_or_default()))?,
            "tmpfs-size" => self.size = Some(parse_size(&text()?).map_err(|_| bad(value.unwrap_or_default()))?),
            "tmpfs-mode" => self.mode = Some(octal(key, &text()?)?),
            "volume-nocopy" | "consistency" => {}
            _ => return Err(MountParseError::Key(key.to_owned())),
        }
        Ok(())
    }

    fn mount(self, text: &str) -> Result<Mount, MountParseError> {
        let missing = |missing| MountParseError::Missing { text: text.to_owned(), missing };
        let target = path(&self.target.ok_or_else(|| missing("target"))?)?;
        let bind = self.propagation.is_some() || self.non_recursive;
        let tmpfs = self.size.is_some() || self.mode.is_some();
        let kind = match self.kind.as_deref().unwrap_or("volume") {
            "bind" if !tmpfs => MountKind::Bind(BindOptions {
                source: absolute(self.source.ok_or_else(|| missing("source"))?)?,
                propagation: self.propagation.unwrap_or_default(),
                non_recursive: self.non_recursive,
            }),
            "tmpfs" if !bind && self.source.is_none() => {
                MountKind::Tmpfs(TmpfsOptions { size: self.size, mode: self.mode, options: Vec::new() })
            }
            "volume" if !bind && !tmpfs => {
                MountKind::Volume(self.source.ok_or_else(|| missing("source (the volume's name)"))?)
            }
            kind @ ("bind" | "tmpfs" | "volume") => {
                let option = if bind {
                    "bind-…"
                } else if tmpfs {
                    "tmpfs-…"
                } else {
                    "source"
                };
                return Err(MountParseError::Key(format!("{option} with type={kind}")));
            }
            other => return Err(MountParseError::Value { key: "type".to_owned(), value: other.to_owned() }),
        };
        Ok(Mount { target, kind, read_only: self.read_only })
    }
}

/// The root of the host is a fine source.
fn absolute(text: String) -> Result<PathBuf, MountParseError> {
    if text.starts_with('/') && !text.contains('\0') && text.split('/').all(|part| part != "..") {
        Ok(text.into())
    } else {
        Err(MountParseError::Path(text))
    }
}

/// `ro`, `ro=true`, `ro=1`.
fn flag(value: Option<&str>) -> Option<bool> {
    match value {
        None | Some("true" | "1") => Some(true),
        Some("false" | "0") => Some(false),
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mounts() {
        let mount: Mount = "type=bind,src=/srv,dst=/data,ro,bind-propagation=rslave".parse().unwrap();
        assert!(mount.read_only);
        let MountKind::Bind(bind) = mount.kind else { panic!("not a bind mount") };
        assert_eq!((bind.source.to_str(), bind.propagation), (Some("/srv"), Propagation::Rslave));
        let mount: Mount = "type=tmpfs,target=/t,tmpfs-size=1m,tmpfs-mode=700".parse().unwrap();
        assert_eq!(
            mount.kind,
            MountKind::Tmpfs(TmpfsOptions { size: Some(1 << 20), mode: Some(0o700), options: vec![] })
        );
        let mount: Mount = "source=data,target=/d".parse().unwrap();
        assert_eq!(mount.kind, MountKind::Volume("data".to_owned()));
        for bad in [
            "",
            "type=bind,dst=/x",
            "type=bind,src=a,dst=/x",
            "type=bind,src=/a",
            "type=bind,src=/a,dst=/",
            "type=bind,src=/a,dst=/../x",
            "type=tmpfs,dst=/x,src=/y",
            "type=tmpfs,dst=/x,bind-propagation=shared",
            "type=bind,src=/a,dst=/b,tmpfs-size=1",
            "type=nfs,src=a,dst=/b",
            "type=bind,src=/a,dst=/b,bind-propagation=no",
            "type=tmpfs,dst=/x,tmpfs-mode=99",
            "type=bind,src=/a,dst=/b,what",
            "type=bind,src=/a,dst=/b,ro=maybe",
        ] {
            assert!(bad.parse::<Mount>().is_err(), "{bad}");
        }
    }

    #[test]
    fn file_systems_in_memory() {
        let mount = parse_tmpfs("/run:rw,noexec,size=64k,mode=0755,uid=5").unwrap();
        let MountKind::Tmpfs(tmpfs) = mount.kind else { panic!("not in memory") };
        assert_eq!(
            (tmpfs.size, tmpfs.mode, tmpfs.options),
            (Some(65536), Some(0o755), vec!["noexec".into(), "uid=5".into()])
        );
        for bad in ["", "run", "/run:size", "/run:size=0", "/run:mode=8", "/run:uid=x", "/run:loop", "/:ro"] {
            assert!(parse_tmpfs(bad).is_err(), "{bad}");
        }
    }
}
