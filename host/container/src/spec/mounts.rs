use std::ffi::{CStr, CString};
use std::path::Path;

use jail::{MountAttr, Propagation};
use oci_spec::runtime::{LinuxIdMapping, Spec};

use super::mount_options::{self, Effect};
use super::{InvalidSpec, Problem, namespaces, paths};

/// One entry of `mounts`.
#[derive(Debug)]
pub(crate) struct Mount<'a> {
    /// Cleaned, from the root.
    pub(crate) destination: String,
    pub(crate) kind: Kind<'a>,
    pub(crate) attributes: Attributes,
    /// The same for all mounts below.
    pub(crate) recursive: Attributes,
    pub(crate) propagation: Vec<(Propagation, bool)>,
    pub(crate) copy_up: bool,
    pub(crate) destination_no_follow: bool,
    pub(crate) id_map: Option<IdMap<'a>>,
}

/// What is mounted.
#[derive(Debug)]
pub(crate) enum Kind<'a> {
    /// A part of the host's tree.
    Bind { source: &'a Path, recursive: bool, no_follow: bool, copy_symlink: bool },
    /// A new file system.
    New { file_system: CString, options: Vec<(CString, Option<CString>)> },
    /// The container's control groups.
    Cgroup,
    /// What is there gets other attributes.
    Remount { options: Option<Vec<(CString, Option<CString>)>> },
}

/// Attributes to set and to clear.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Attributes {
    pub(crate) set: MountAttr,
    pub(crate) clear: MountAttr,
}

/// How the owners of files are mapped.
#[derive(Debug)]
pub(crate) struct IdMap<'a> {
    pub(crate) recursive: bool,
    /// Empty: as the container's user namespace does.
    pub(crate) uids: &'a [LinuxIdMapping],
    pub(crate) gids: &'a [LinuxIdMapping],
}

impl Default for Attributes {
    fn default() -> Self {
        Self { set: MountAttr::empty(), clear: MountAttr::empty() }
    }
}

impl Attributes {
    const NONE: Self = Self { set: MountAttr::empty(), clear: MountAttr::empty() };

    pub(crate) fn is_empty(self) -> bool {
        self == Self::NONE
    }

    fn set(&mut self, attributes: MountAttr) {
        self.set |= attributes;
        self.clear &= !attributes;
    }

    fn clear(&mut self, attributes: MountAttr) {
        self.clear |= attributes;
        self.set &= !attributes;
    }

    fn choose_access_time(&mut self, choice: MountAttr) {
        self.set = (self.set & !MountAttr::ATIME) | choice;
        self.clear |= MountAttr::ATIME;
    }
}

pub(super) fn all(spec: &Spec, has_user_namespace: bool) -> Result<Vec<Mount<'_>>, InvalidSpec> {
    let mounts = spec.mounts().iter().flatten().enumerate().map(|(index, mount)| one(index, mount, has_user_namespace));
    let mut mounts: Vec<_> = mounts.collect::<Result<_, _>>()?;
    let label = spec.linux().as_ref().and_then(|linux| linux.mount_label().as_deref());
    let invalid = |_| InvalidSpec::new("linux.mountLabel", Problem::NotText);
    if let Some(label) = crate::process::mount_label(label).map_err(invalid)? {
        let label = CString::new(label).map_err(|_| InvalidSpec::new("linux.mountLabel", Problem::NotText))?;
        mounts.iter_mut().for_each(|mount| mount.label(&label));
    }
    Ok(mounts)
}

/// File systems whose files have labels of their own.
const LABELLED: [&CStr; 3] = [c"proc", c"sysfs", c"mqueue"];

impl Mount<'_> {
    /// Gives all files of a new file system this label of SELinux.
    fn label(&mut self, label: &CStr) {
        match &mut self.kind {
            Kind::New { file_system, options } if !LABELLED.contains(&file_system.as_c_str()) => {
                options.push((c"context".to_owned(), Some(label.to_owned())));
            }
            _ => {}
        }
    }
}

/// Collects what the options say.
#[derive(Default)]
struct Options {
    attributes: Attributes,
    recursive: Attributes,
    propagation: Vec<(Propagation, bool)>,
    bind: Option<bool>,
    remount: bool,
    copy_up: bool,
    copy_symlink: bool,
    destination_no_follow: bool,
    source_no_follow: bool,
    map_ids: Option<bool>,
    data: Vec<(CString, Option<CString>)>,
    /// The first option that only a new file system can take.
    data_index: Option<usize>,
}

fn one<'a>(
    index: usize,
    mount: &'a oci_spec::runtime::Mount,
    has_user_namespace: bool,
) -> Result<Mount<'a>, InvalidSpec> {
    let field = |name: &str| format!("mounts[{index}].{name}");
    let destination = paths::clean(&field("destination"), mount.destination())?;
    if destination == "/" {
        return Err(InvalidSpec::new(field("destination"), Problem::Conflicts("root, which is mounted there")));
    }
    let options = read_options(mount.options().as_deref().unwrap_or_default(), &field("options"))?;
    let id_map = id_map(mount, &options, &field)?;
    if id_map.as_ref().is_some_and(|map| map.uids.is_empty()) && !has_user_namespace {
        return Err(InvalidSpec::new(field("options"), Problem::Needs("uidMappings, or a user namespace, for idmap")));
    }
    let kind = kind(mount, &options, &field)?;
    if id_map.is_some() && !matches!(kind, Kind::Bind { .. }) {
        return Err(InvalidSpec::new(field("uidMappings"), Problem::Needs("a bind mount")));
    }
    if options.copy_up && !matches!(&kind, Kind::New { file_system, .. } if file_system.as_c_str() == c"tmpfs") {
        return Err(InvalidSpec::new(field("options"), Problem::Needs("the type tmpfs for tmpcopyup")));
    }
    Ok(Mount {
        destination,
        kind,
        attributes: options.attributes,
        recursive: options.recursive,
        propagation: options.propagation,
        copy_up: options.copy_up,
        destination_no_follow: options.destination_no_follow,
        id_map,
    })
}

fn kind<'a>(
    mount: &'a oci_spec::runtime::Mount,
    options: &Options,
    field: &dyn Fn(&str) -> String,
) -> Result<Kind<'a>, InvalidSpec> {
    let file_system = mount.typ().as_deref().unwrap_or("");
    let bind = options.bind.or((file_system == "bind").then_some(false));
    if options.remount {
        let new_options = bind.is_none().then(|| options.data.clone());
        return Ok(Kind::Remount { options: new_options });
    }
    if let Some(recursive) = bind {
        if let Some(index) = options.data_index {
            let field = format!("{}[{index}]", field("options"));
            return Err(InvalidSpec::new(
                field,
                Problem::Conflicts("bind, which makes no file system that could take it"),
            ));
        }
        let source = mount.source().as_deref().filter(|source| !source.as_os_str().is_empty());
        let source = source.ok_or_else(|| InvalidSpec::missing(field("source")))?;
        let Options { source_no_follow, copy_symlink, .. } = *options;
        return Ok(Kind::Bind { source, recursive, no_follow: source_no_follow || copy_symlink, copy_symlink });
    }
    if options.copy_symlink || options.source_no_follow {
        return Err(InvalidSpec::new(
            field("options"),
            Problem::Needs("a bind mount for copy-symlink and src-nofollow"),
        ));
    }
    match file_system {
        "" | "none" => Err(InvalidSpec::missing(field("type"))),
        "cgroup" | "cgroup2" => Ok(Kind::Cgroup),
        _ => new_file_system(mount, file_system, options, field),
    }
}

fn new_file_system<'a>(
    mount: &'a oci_spec::runtime::Mount,
    file_system: &str,
    options: &Options,
    field: &dyn Fn(&str) -> String,
) -> Result<Kind<'a>, InvalidSpec> {
    let text = |name: &str, text: &str| CString::new(text).map_err(|_| InvalidSpec::new(field(name), Problem::NotText));
    let mut data = options.data.clone();
    // What a source means depends on the file system; for these it is only a name.
    let named_only =
        ["proc", "sysfs", "tmpfs", "devpts", "mqueue", "ramfs", "debugfs", "tracefs"].contains(&file_system);
    if let Some(source) = mount.source().as_ref().and_then(|source| source.to_str())
        && !source.is_empty()
        && !named_only
    {
        data.insert(0, (c"source".to_owned(), Some(text("source", source)?)));
    }
    Ok(Kind::New { file_system: text("type", file_system)?, options: data })
}

fn id_map<'a>(
    mount: &'a oci_spec::runtime::Mount,
    options: &Options,
    field: &dyn Fn(&str) -> String,
) -> Result<Option<IdMap<'a>>, InvalidSpec> {
    let uids = mount.uid_mappings().as_deref().unwrap_or_default();
    let gids = mount.gid_mappings().as_deref().unwrap_or_default();
    namespaces::check(&field("uidMappings"), uids)?;
    namespaces::check(&field("gidMappings"), gids)?;
    match (options.map_ids, uids.is_empty(), gids.is_empty()) {
        (_, true, false) => Err(InvalidSpec::missing(field("uidMappings"))),
        (_, false, true) => Err(InvalidSpec::missing(field("gidMappings"))),
        (None, true, true) => Ok(None),
        (recursive, ..) => Ok(Some(IdMap { recursive: recursive.unwrap_or(false), uids, gids })),
    }
}

fn read_options(texts: &[String], field: &str) -> Result<Options, InvalidSpec> {
    let mut options = Options::default();
    for (index, text) in texts.iter().enumerate() {
        match mount_options::effect(text) {
            Some(effect) => options.apply(effect),
            None => {
                let c = |text: &str| {
                    CString::new(text).map_err(|_| InvalidSpec::new(format!("{field}[{index}]"), Problem::NotText))
                };
                options.data.push(match text.split_once('=') {
                    Some((key, value)) => (c(key)?, Some(c(value)?)),
                    None => (c(text)?, None),
                });
                options.data_index = options.data_index.or(Some(index));
            }
        }
    }
    Ok(options)
}

impl Options {
    fn apply(&mut self, effect: Effect) {
        match effect {
            Effect::Nothing => {}
            Effect::Set(attributes, recursive) => self.chosen(recursive).set(attributes),
            Effect::Clear(attributes, recursive) => self.chosen(recursive).clear(attributes),
            Effect::AccessTime(choice, recursive) => self.chosen(recursive).choose_access_time(choice),
            Effect::Propagate(kind, recursive) => self.propagation.push((kind, recursive)),
            Effect::Bind(recursive) => self.bind = Some(recursive),
            Effect::Remount => self.remount = true,
            Effect::CopyUp => self.copy_up = true,
            Effect::CopySymlink => self.copy_symlink = true,
            Effect::DestinationNoFollow => self.destination_no_follow = true,
            Effect::SourceNoFollow => self.source_no_follow = true,
            Effect::MapIds(recursive) => self.map_ids = Some(recursive),
            Effect::FileSystem(flag) => {
                if let Ok(flag) = CString::new(flag) {
                    self.data.push((flag, None));
                }
            }
        }
    }

    fn chosen(&mut self, recursive: bool) -> &mut Attributes {
        if recursive { &mut self.recursive } else { &mut self.attributes }
    }
}
