//! Path resolution (path_resolution(7), openat2(2)).

use alloc::borrow::Cow;
use alloc::sync::Arc;
use alloc::vec::Vec;

use linux_abi::Errno;
use linux_abi::fs::{
    NAME_MAX, RESOLVE_BENEATH, RESOLVE_IN_ROOT, RESOLVE_NO_MAGICLINKS, RESOLVE_NO_SYMLINKS, RESOLVE_NO_XDEV,
    SYMLINK_LIMIT,
};

use crate::vfs::{Inode, Kind, Magic, OpenFile, Place, access, mount};

/// The form of a path's last component.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Last {
    /// A name.
    Name,
    /// `.`, or nothing behind the root.
    Dot,
    /// `..`
    DotDot,
}

/// Where a path leads.
pub(super) struct Found {
    /// The directory of the last component.
    pub(super) parent: Arc<dyn Inode>,
    /// The last component.
    pub(super) name: Vec<u8>,
    /// Its form.
    pub(super) last: Last,
    /// What it names; `None` if there is nothing.
    pub(super) inode: Option<Arc<dyn Inode>>,
    /// The path ends with a slash.
    pub(super) slash: bool,
    /// The last component was a magic link to something outside all file systems.
    pub(super) description: Option<Arc<OpenFile>>,
}

impl Found {
    fn directory(directory: Arc<dyn Inode>, last: Last) -> Self {
        let inode = Some(directory.clone());
        Self { parent: directory, name: Vec::new(), last, inode, slash: false, description: None }
    }

    fn place(place: Place, slash: bool) -> Self {
        let parent = place.parent.unwrap_or_else(|| mount::above(&place.inode));
        let name = place.name.to_vec();
        Self { parent, name, last: Last::Name, inode: Some(place.inode), slash, description: None }
    }

    /// The inode; `ENOENT` if there is none.
    pub(super) fn existing(&self) -> Result<&Arc<dyn Inode>, Errno> {
        self.inode.as_ref().ok_or(Errno::ENOENT)
    }

    /// The inode with the way to it.
    pub(super) fn to_place(&self) -> Result<Place, Errno> {
        let inode = self.existing()?.clone();
        let parent = (inode.kind() != Kind::Directory).then(|| self.parent.clone());
        Ok(Place { inode, parent, name: self.name.as_slice().into() })
    }
}

/// How to walk.
#[derive(Clone, Copy, Default)]
pub(super) struct How {
    /// Follow a symbolic link in the last component.
    pub(super) follow: bool,
    /// `RESOLVE_*` of openat2(2).
    pub(super) resolve: u64,
}

impl How {
    pub(super) const FOLLOW: Self = Self { follow: true, resolve: 0 };
    pub(super) const NO_FOLLOW: Self = Self { follow: false, resolve: 0 };

    fn has(self, flag: u64) -> bool {
        self.resolve & flag != 0
    }
}

struct Walk<'a> {
    how: How,
    /// Where absolute paths begin, and where `..` ends.
    root: Arc<dyn Inode>,
    directory: Arc<dyn Inode>,
    path: Cow<'a, [u8]>,
    at: usize,
    links: usize,
    overrides: bool,
}

/// Follows `path` from `start`. A name that does not exist is no error if it is the last one.
pub(super) fn walk(start: Arc<dyn Inode>, path: &[u8], how: How) -> Result<Found, Errno> {
    if path.is_empty() {
        return Err(Errno::ENOENT);
    }
    let confined = how.has(RESOLVE_BENEATH) || how.has(RESOLVE_IN_ROOT);
    let root = if confined { start.clone() } else { mount::root() };
    let directory = if path[0] == b'/' { root.clone() } else { start };
    if path[0] == b'/' && how.has(RESOLVE_BENEATH) {
        return Err(Errno::EXDEV);
    }
    let overrides = access::overrides();
    Walk { how, root, directory, path: Cow::Borrowed(path), at: 0, links: 0, overrides }.run()
}

/// One component of the path.
struct Component {
    start: usize,
    end: usize,
    /// Nothing but slashes follows.
    last: bool,
    /// Slashes follow.
    slash: bool,
}

enum Step {
    Done(Found),
    GoOn,
}

impl Walk<'_> {
    fn component(&mut self) -> Option<Component> {
        let path = &self.path;
        let start = self.at + path[self.at..].iter().position(|b| *b != b'/')?;
        let end = start + path[start..].iter().position(|b| *b == b'/').unwrap_or(path.len() - start);
        self.at = end + path[end..].iter().position(|b| *b != b'/').unwrap_or(path.len() - end);
        Some(Component { start, end, last: self.at == path.len(), slash: end < self.at })
    }

    fn run(mut self) -> Result<Found, Errno> {
        loop {
            let Some(component) = self.component() else {
                return Ok(Found::directory(self.directory, Last::Dot));
            };
            match self.step(&component)? {
                Step::Done(found) => return Ok(found),
                Step::GoOn => {}
            }
        }
    }

    fn step(&mut self, component: &Component) -> Result<Step, Errno> {
        if self.directory.kind() != Kind::Directory {
            return Err(Errno::ENOTDIR);
        }
        if !self.overrides {
            access::check(&*self.directory, access::EXECUTE)?;
        }
        match &self.path[component.start..component.end] {
            b"." => return Ok(self.dot(component, Last::Dot)),
            b".." => {
                self.go_up()?;
                return Ok(self.dot(component, Last::DotDot));
            }
            name if name.len() > NAME_MAX => return Err(Errno::ENAMETOOLONG),
            _ => {}
        }
        let name = &self.path[component.start..component.end];
        let inode = match self.directory.clone().lookup(name) {
            Ok(inode) => self.cross(inode)?,
            Err(Errno::ENOENT) if component.last => return Ok(Step::Done(self.found(component, None))),
            Err(e) => return Err(e),
        };
        match inode.kind() {
            Kind::Symlink if !component.last || self.how.follow || component.slash => self.follow(component, &inode),
            kind if component.last => match component.slash && kind != Kind::Directory {
                true => Err(Errno::ENOTDIR),
                false => Ok(Step::Done(self.found(component, Some(inode)))),
            },
            _ => {
                self.directory = inode;
                Ok(Step::GoOn)
            }
        }
    }

    fn dot(&self, component: &Component, last: Last) -> Step {
        if component.last { Step::Done(Found::directory(self.directory.clone(), last)) } else { Step::GoOn }
    }

    fn go_up(&mut self) -> Result<(), Errno> {
        if mount::same(&self.directory, &self.root) {
            return if self.how.has(RESOLVE_BENEATH) { Err(Errno::EXDEV) } else { Ok(()) };
        }
        let above = mount::above(&self.directory);
        self.check_device(&above)?;
        self.directory = above;
        Ok(())
    }

    fn cross(&self, inode: Arc<dyn Inode>) -> Result<Arc<dyn Inode>, Errno> {
        let inode = mount::cross(inode);
        self.check_device(&inode)?;
        Ok(inode)
    }

    fn check_device(&self, next: &Arc<dyn Inode>) -> Result<(), Errno> {
        let confined = self.how.has(RESOLVE_NO_XDEV);
        match confined && next.attributes()?.dev != self.directory.attributes()?.dev {
            true => Err(Errno::EXDEV),
            false => Ok(()),
        }
    }

    fn found(&self, component: &Component, inode: Option<Arc<dyn Inode>>) -> Found {
        Found {
            parent: self.directory.clone(),
            name: self.path[component.start..component.end].to_vec(),
            last: Last::Name,
            inode,
            slash: component.slash,
            description: None,
        }
    }

    fn follow(&mut self, component: &Component, link: &Arc<dyn Inode>) -> Result<Step, Errno> {
        self.links += 1;
        if self.links > SYMLINK_LIMIT || self.how.has(RESOLVE_NO_SYMLINKS) {
            return Err(Errno::ELOOP);
        }
        if let Some(magic) = link.magic() {
            return self.follow_magic(component, magic?);
        }
        let mut target = link.read_link()?;
        match target.first() {
            None => return Err(Errno::ENOENT),
            Some(b'/') if self.how.has(RESOLVE_BENEATH) => return Err(Errno::EXDEV),
            Some(b'/') => self.directory = self.root.clone(),
            Some(_) => {}
        }
        if component.slash {
            target.push(b'/');
            target.extend_from_slice(&self.path[self.at..]);
        }
        self.path = Cow::Owned(target);
        self.at = 0;
        Ok(Step::GoOn)
    }

    fn follow_magic(&mut self, component: &Component, magic: Magic) -> Result<Step, Errno> {
        if self.how.has(RESOLVE_NO_MAGICLINKS) {
            return Err(Errno::ELOOP);
        }
        if self.how.has(RESOLVE_BENEATH | RESOLVE_IN_ROOT) {
            return Err(Errno::EXDEV);
        }
        match magic {
            Magic::Place(place) if component.last => {
                if component.slash && place.inode.kind() != Kind::Directory {
                    return Err(Errno::ENOTDIR);
                }
                Ok(Step::Done(Found::place(place, component.slash)))
            }
            Magic::Place(place) => {
                self.directory = place.inode;
                Ok(Step::GoOn)
            }
            Magic::Description(file) if component.last => {
                let mut found = self.found(component, None);
                found.description = Some(file);
                Ok(Step::Done(found))
            }
            Magic::Description(_) => Err(Errno::ENOTDIR),
        }
    }
}

/// The path of a place, as /proc shows it; ` (deleted)` behind it if nothing leads there any more.
pub(crate) fn path_of(place: &Place) -> Vec<u8> {
    const DELETED: &[u8] = b" (deleted)";
    let Some(parent) = &place.parent else {
        if place.inode.kind() != Kind::Directory {
            // A file that never had a name: memfd_create(2).
            return [b"/", &*place.name, DELETED].concat();
        }
        return mount::path_of(&place.inode).unwrap_or_else(|| [&place.name, DELETED].concat());
    };
    let mut path = mount::path_of(parent).unwrap_or_default();
    if path.last() != Some(&b'/') {
        path.push(b'/');
    }
    path.extend_from_slice(&place.name);
    if place.inode.removed() {
        path.extend_from_slice(DELETED);
    }
    path
}
