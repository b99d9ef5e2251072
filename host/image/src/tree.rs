//! A file system in memory without its files' contents: what the layers of an image add up to.
//!
//! Layers are applied to this tree and never to a directory of the host, so no entry can reach anything outside: there is
//! no outside. Symbolic links among the parents of an entry are followed *within the tree* (`..` at its root stays there),
//! as containerd does with `fs.RootPath`.

use std::collections::{BTreeMap, VecDeque};

use crate::Limits;

/// The kernel's own bound on symbolic links in one path (`MAXSYMLINKS`, path_resolution(7)).
const MAX_SYMLINKS: usize = 40;

/// A file's bytes in the EROFS file: whole blocks from `block` on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Extent {
    pub(crate) block: u32,
    pub(crate) size: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct NodeId(usize);

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Attributes {
    /// Permission bits with set-user-ID, set-group-ID and sticky bit.
    pub(crate) mode: u16,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) mtime: i64,
    pub(crate) mtime_nsec: u32,
    pub(crate) xattrs: BTreeMap<Vec<u8>, Vec<u8>>,
}

impl Attributes {
    /// What a directory has that no layer describes.
    fn implied_directory() -> Self {
        Self { mode: 0o755, ..Self::default() }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Content {
    Directory(BTreeMap<Vec<u8>, NodeId>),
    File(Extent),
    Symlink(Vec<u8>),
    CharDevice { major: u32, minor: u32 },
    BlockDevice { major: u32, minor: u32 },
    Fifo,
}

#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) attributes: Attributes,
    pub(crate) content: Content,
    /// Names of it in the tree.
    pub(crate) links: u32,
    /// The last layer that touched it.
    layer: u32,
    depth: u32,
}

/// An entry that has no place in the tree.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TreeError {
    /// The path has a `..`.
    #[error("path '{0}' goes up with '..'; no image needs that, so the archive is refused")]
    GoesUp(String),
    /// A path or one of its components is too long, or holds a zero byte.
    #[error("path '{0}' is malformed or too long")]
    BadPath(String),
    /// There are too many directories above the file.
    #[error("path '{path}' is more than {limit} directories deep")]
    TooDeep {
        /// The path.
        path: String,
        /// The limit.
        limit: u32,
    },
    /// Symbolic links lead in a circle.
    #[error("path '{0}' leads through too many symbolic links")]
    SymlinkLoop(String),
    /// A parent is neither a directory nor a symbolic link.
    #[error("path '{0}' leads through something that is not a directory")]
    NotADirectory(String),
    /// A hard link's target is missing or a directory.
    #[error("hard link '{path}' to '{target}', which is missing or a directory")]
    BadHardLink {
        /// The link.
        path: String,
        /// Its target.
        target: String,
    },
    /// The image has more files than allowed.
    #[error("the image has more than {0} files")]
    TooManyEntries(u64),
}

/// Paths in messages: never raw bytes of a stranger on the terminal.
pub(crate) fn shown(path: &[u8]) -> String {
    path[..path.len().min(256)].escape_ascii().to_string()
}

#[derive(Debug)]
pub(crate) struct Tree {
    nodes: Vec<Node>,
    layer: u32,
    limits: Limits,
    dead: Vec<Extent>,
}

impl Tree {
    pub(crate) const ROOT: NodeId = NodeId(0);

    pub(crate) fn new(limits: &Limits) -> Self {
        let root = Node {
            attributes: Attributes::implied_directory(),
            content: Content::Directory(BTreeMap::new()),
            links: 1,
            layer: 0,
            depth: 0,
        };
        Self { nodes: vec![root], layer: 0, limits: limits.clone(), dead: Vec::new() }
    }

    pub(crate) fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id.0]
    }

    /// Blocks of files that upper layers replaced or removed.
    pub(crate) fn dead_extents(&self) -> &[Extent] {
        &self.dead
    }

    /// From here on, whiteouts hide everything that was there before.
    pub(crate) fn begin_layer(&mut self) {
        self.layer += 1;
    }

    /// Puts something at a path, in place of what was there; two directories become one with the newer attributes.
    pub(crate) fn insert(&mut self, path: &[u8], attributes: Attributes, content: Content) -> Result<(), TreeError> {
        let Some((parent, name)) = self.place(path)? else {
            // The root itself: only its attributes can change.
            if matches!(content, Content::Directory(_)) {
                (self.nodes[0].attributes, self.nodes[0].layer) = (attributes, self.layer);
                return Ok(());
            }
            return Err(TreeError::BadPath(shown(path)));
        };
        if let (Content::Directory(_), Some(existing)) = (&content, self.child(parent, &name))
            && matches!(self.node(existing).content, Content::Directory(_))
        {
            let layer = self.layer;
            let node = &mut self.nodes[existing.0];
            (node.attributes, node.layer) = (attributes, layer);
            return Ok(());
        }
        let id = self.add_node(path, parent, attributes, content)?;
        self.set_child(parent, name, id);
        Ok(())
    }

    /// Gives a second name to a file.
    pub(crate) fn hard_link(&mut self, path: &[u8], target: &[u8]) -> Result<(), TreeError> {
        let bad = || TreeError::BadHardLink { path: shown(path), target: shown(target) };
        let (target_parent, target_name) = self.place(target)?.ok_or_else(bad)?;
        let id = self.child(target_parent, &target_name).ok_or_else(bad)?;
        if matches!(self.node(id).content, Content::Directory(_)) {
            return Err(bad());
        }
        let (parent, name) = self.place(path)?.ok_or_else(bad)?;
        if self.child(parent, &name) == Some(id) {
            return Ok(());
        }
        self.nodes[id.0].links += 1;
        self.nodes[id.0].layer = self.layer;
        self.set_child(parent, name, id);
        Ok(())
    }

    /// A whiteout: hides what lower layers have at this path (OCI image-spec, layer.md).
    pub(crate) fn remove_lower(&mut self, path: &[u8]) -> Result<(), TreeError> {
        let Some((parent, name)) = self.place(path)? else { return Err(TreeError::BadPath(shown(path))) };
        self.prune(parent, &name);
        Ok(())
    }

    /// An opaque whiteout: hides all that lower layers have in this directory.
    pub(crate) fn clear_lower(&mut self, directory: &[u8]) -> Result<(), TreeError> {
        let parts = self.split(directory)?;
        let id = self.descend(directory, parts)?;
        for name in self.names(id) {
            self.prune(id, &name);
        }
        Ok(())
    }

    /// Looks a path up without following its last component.
    #[cfg(test)]
    pub(crate) fn lookup(&mut self, path: &[u8]) -> Result<Option<NodeId>, TreeError> {
        Ok(match self.place(path)? {
            None => Some(Self::ROOT),
            Some((parent, name)) => self.child(parent, &name),
        })
    }

    fn names(&self, id: NodeId) -> Vec<Vec<u8>> {
        match &self.node(id).content {
            Content::Directory(children) => children.keys().cloned().collect(),
            _ => Vec::new(),
        }
    }

    fn child(&self, parent: NodeId, name: &[u8]) -> Option<NodeId> {
        match &self.node(parent).content {
            Content::Directory(children) => children.get(name).copied(),
            _ => None,
        }
    }

    fn set_child(&mut self, parent: NodeId, name: Vec<u8>, id: NodeId) {
        let Content::Directory(children) = &mut self.nodes[parent.0].content else { return };
        if let Some(old) = children.insert(name, id) {
            self.unlink(old);
        }
    }

    /// Removes a name's lower part; a directory in which this layer put something stays, with that alone.
    fn prune(&mut self, parent: NodeId, name: &[u8]) {
        let Some(id) = self.child(parent, name) else { return };
        for inner in self.names(id) {
            self.prune(id, &inner);
        }
        let has_children = matches!(&self.node(id).content, Content::Directory(children) if !children.is_empty());
        if self.node(id).layer == self.layer || has_children {
            return;
        }
        if let Content::Directory(children) = &mut self.nodes[parent.0].content {
            children.remove(name);
        }
        self.unlink(id);
    }

    /// One name fewer; the last one takes the contents along. The depth is bounded by [`Limits::path_depth`].
    fn unlink(&mut self, id: NodeId) {
        let node = &mut self.nodes[id.0];
        node.links = node.links.saturating_sub(1);
        if node.links > 0 {
            return;
        }
        match std::mem::replace(&mut node.content, Content::Fifo) {
            Content::File(extent) => self.dead.push(extent),
            Content::Directory(children) => children.into_values().for_each(|child| self.unlink(child)),
            _ => {}
        }
    }

    fn add_node(
        &mut self,
        path: &[u8],
        parent: NodeId,
        attributes: Attributes,
        content: Content,
    ) -> Result<NodeId, TreeError> {
        let depth = self.node(parent).depth + 1;
        if depth > self.limits.path_depth {
            return Err(TreeError::TooDeep { path: shown(path), limit: self.limits.path_depth });
        }
        if self.nodes.len() as u64 > self.limits.entries {
            return Err(TreeError::TooManyEntries(self.limits.entries));
        }
        self.nodes.push(Node { attributes, content, links: 1, layer: self.layer, depth });
        Ok(NodeId(self.nodes.len() - 1))
    }

    /// The components of a path of the archive. A leading slash means the image's root, as in Docker.
    fn split(&self, path: &[u8]) -> Result<VecDeque<Vec<u8>>, TreeError> {
        if path.len() > self.limits.path_bytes || path.contains(&0) {
            return Err(TreeError::BadPath(shown(path)));
        }
        let mut parts = VecDeque::new();
        for part in path.split(|b| *b == b'/') {
            match part {
                b"" | b"." => {}
                b".." => return Err(TreeError::GoesUp(shown(path))),
                part if part.len() > 255 => return Err(TreeError::BadPath(shown(path))),
                part => parts.push_back(part.to_vec()),
            }
        }
        Ok(parts)
    }

    /// The directory in which a path's last component belongs, and that component; `None` for the root.
    fn place(&mut self, path: &[u8]) -> Result<Option<(NodeId, Vec<u8>)>, TreeError> {
        let mut parts = self.split(path)?;
        let Some(name) = parts.pop_back() else { return Ok(None) };
        Ok(Some((self.descend(path, parts)?, name)))
    }

    /// Walks down from the root, through symbolic links, and makes the directories that are missing.
    fn descend(&mut self, path: &[u8], mut parts: VecDeque<Vec<u8>>) -> Result<NodeId, TreeError> {
        let mut above = Vec::new();
        let mut current = Self::ROOT;
        let mut followed = 0;
        while let Some(part) = parts.pop_front() {
            if part == b".." {
                current = above.pop().unwrap_or(Self::ROOT);
                continue;
            }
            let next = match self.child(current, &part) {
                Some(id) => id,
                None => {
                    let empty = Content::Directory(BTreeMap::new());
                    let id = self.add_node(path, current, Attributes::implied_directory(), empty)?;
                    self.set_child(current, part, id);
                    id
                }
            };
            match &self.node(next).content {
                Content::Directory(_) => {
                    above.push(current);
                    current = next;
                }
                Content::Symlink(target) => {
                    followed += 1;
                    if followed > MAX_SYMLINKS {
                        return Err(TreeError::SymlinkLoop(shown(path)));
                    }
                    if target.starts_with(b"/") {
                        above.clear();
                        current = Self::ROOT;
                    }
                    let names = target.split(|b| *b == b'/').filter(|part| !matches!(*part, b"" | b"."));
                    names.rev().for_each(|name| parts.push_front(name.to_vec()));
                }
                _ => return Err(TreeError::NotADirectory(shown(path))),
            }
        }
        Ok(current)
    }
}

#[cfg(test)]
mod tests;
