use std::path::Path;

use oci_spec::runtime::{Linux, LinuxIdMapping, LinuxNamespaceType as Type};

use super::{InvalidSpec, Problem};

/// Which namespaces are made and which are joined.
#[derive(Debug)]
pub(crate) struct Namespaces<'a> {
    /// Those to be made.
    new: Vec<Type>,
    /// Those to be joined.
    pub(crate) joined: Vec<(Type, &'a Path)>,
    /// User ids of the new user namespace.
    pub(crate) uids: &'a [LinuxIdMapping],
    /// Group ids of the new user namespace.
    pub(crate) gids: &'a [LinuxIdMapping],
}

impl<'a> Namespaces<'a> {
    pub(super) fn new(linux: &'a Linux) -> Result<Self, InvalidSpec> {
        let mut all = Self {
            new: Vec::new(),
            joined: Vec::new(),
            uids: linux.uid_mappings().as_deref().unwrap_or_default(),
            gids: linux.gid_mappings().as_deref().unwrap_or_default(),
        };
        for (index, namespace) in linux.namespaces().iter().flatten().enumerate() {
            let kind = namespace.typ();
            if all.has(kind) {
                let field = format!("linux.namespaces[{index}].type");
                return Err(InvalidSpec::new(field, Problem::Duplicate(kind.to_string())));
            }
            match namespace.path().as_deref().filter(|path| !path.as_os_str().is_empty()) {
                Some(path) if !path.is_absolute() => {
                    let field = format!("linux.namespaces[{index}].path");
                    return Err(InvalidSpec::new(field, Problem::NotAbsolute(path.display().to_string())));
                }
                Some(path) => all.joined.push((kind, path)),
                None => all.new.push(kind),
            }
        }
        if !all.has(Type::Mount) {
            return Err(InvalidSpec::new("linux.namespaces", Problem::Needs("a mount namespace")));
        }
        all.check_mappings()?;
        Ok(all)
    }

    /// Whether the container has one of this kind that is not its creator's.
    pub(crate) fn has(&self, kind: Type) -> bool {
        self.is_new(kind) || self.joins(kind).is_some()
    }

    pub(crate) fn is_new(&self, kind: Type) -> bool {
        self.new.contains(&kind)
    }

    /// The path by which one of this kind is joined.
    pub(crate) fn joins(&self, kind: Type) -> Option<&'a Path> {
        self.joined.iter().find(|(joined, _)| *joined == kind).map(|(_, path)| *path)
    }

    /// The flags of clone3(2) for those to be made. The cgroup namespace is made once the process is in its group, the time
    /// namespace once its clocks are known.
    pub(crate) fn clone_flags(&self) -> u64 {
        let later = [Type::Cgroup, Type::Time];
        // The values of the type are those of the flags.
        self.new.iter().filter(|kind| !later.contains(kind)).fold(0, |flags, kind| flags | *kind as u64)
    }

    fn check_mappings(&self) -> Result<(), InvalidSpec> {
        let user = self.is_new(Type::User);
        for (field, mappings) in [("linux.uidMappings", self.uids), ("linux.gidMappings", self.gids)] {
            // With a path the mappings only repeat what that namespace has.
            if user && mappings.is_empty() {
                return Err(InvalidSpec::missing(field));
            }
            if !self.has(Type::User) && !mappings.is_empty() {
                return Err(InvalidSpec::new(field, Problem::Needs("a user namespace in linux.namespaces")));
            }
            check(field, mappings)?;
        }
        Ok(())
    }
}

/// The lines of `uid_map` and `gid_map` (user_namespaces(7)).
pub(crate) fn id_map_text(mappings: &[LinuxIdMapping]) -> String {
    let line = |m: &LinuxIdMapping| format!("{} {} {}\n", m.container_id(), m.host_id(), m.size());
    mappings.iter().map(line).collect()
}

/// Sizes that are not zero, and ranges that do not end past the largest id.
pub(super) fn check(field: &str, mappings: &[LinuxIdMapping]) -> Result<(), InvalidSpec> {
    // user_namespaces(7)
    if mappings.len() > 340 {
        return Err(InvalidSpec::new(field, Problem::TooLong { longest: 340 }));
    }
    for (index, mapping) in mappings.iter().enumerate() {
        let most = u32::MAX - mapping.host_id().max(mapping.container_id());
        if mapping.size() == 0 || mapping.size() > most {
            return Err(InvalidSpec::new(
                format!("{field}[{index}].size"),
                Problem::OutOfRange { value: mapping.size().into(), least: 1, most: most.into() },
            ));
        }
    }
    Ok(())
}
