//! Writes an image: block 0 with the superblock, then file data as it comes, then large directories, then the inodes.
//!
//! The same tree and the same data in the same order give the same bytes.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};

use rustix::fs::FallocateFlags;

use super::directory::{self, Entry};
use super::layout::*;
use super::xattr;
use crate::tree::{Content, Extent, Node, NodeId, Tree};

/// The root's inode number. It has 16 bits in the superblock, so the root comes first; slots 0 and 1 stay free because
/// programs take an inode number of zero for "deleted".
const ROOT_NID: u64 = 2;

/// An image that could not be written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The source of a file's data failed.
    #[error("cannot read the file's data")]
    Source(#[source] io::Error),
    /// The source of a file's data ended early.
    #[error("the file's data end early")]
    Truncated,
    /// The image file could not be written.
    #[error("cannot write the file system image; check the free space of the image store")]
    Image(#[source] io::Error),
    /// The image would have more than 2^32 blocks.
    #[error("the image is too large for its file system (16 TiB)")]
    TooLarge,
}

/// A run of a sparse file that is stored; what lies between is holes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Segment {
    pub(crate) offset: u64,
    pub(crate) len: u64,
}

/// An image whose file data are being written; the metadata follow in [`DataWriter::finish`].
#[derive(Debug)]
pub(crate) struct DataWriter {
    out: BufWriter<File>,
    next_block: u64,
    buffer: Vec<u8>,
}

impl DataWriter {
    /// Starts an image in an empty file.
    pub(crate) fn new(file: File) -> Result<Self, WriteError> {
        let mut out = BufWriter::with_capacity(256 << 10, file);
        out.write_all(&[0; BLOCK as usize]).map_err(WriteError::Image)?;
        Ok(Self { out, next_block: 1, buffer: vec![0; 128 << 10] })
    }

    /// Appends one file of `size` bytes of which the segments are read from `source`, one after the other.
    pub(crate) fn write_file(
        &mut self,
        size: u64,
        segments: &[Segment],
        source: &mut dyn Read,
    ) -> Result<Extent, WriteError> {
        let block = u32::try_from(self.next_block).map_err(|_| WriteError::TooLarge)?;
        let blocks = size.div_ceil(BLOCK);
        if self.next_block + blocks > u64::from(u32::MAX) {
            return Err(WriteError::TooLarge);
        }
        let mut position = 0;
        for segment in segments {
            self.skip(segment.offset - position)?;
            self.copy(segment.len, source)?;
            position = segment.offset + segment.len;
        }
        self.skip(blocks * BLOCK - position)?;
        self.next_block += blocks;
        Ok(Extent { block, size })
    }

    fn copy(&mut self, len: u64, source: &mut dyn Read) -> Result<(), WriteError> {
        let mut left = len;
        while left > 0 {
            let want = self.buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            let read = source.read(&mut self.buffer[..want]).map_err(WriteError::Source)?;
            if read == 0 {
                return Err(WriteError::Truncated);
            }
            self.out.write_all(&self.buffer[..read]).map_err(WriteError::Image)?;
            left -= read as u64;
        }
        Ok(())
    }

    /// Advances over zeros: short ones are written, long ones become a hole.
    fn skip(&mut self, len: u64) -> Result<(), WriteError> {
        if len < 2 * BLOCK {
            return self.out.write_all(&vec![0; len as usize]).map_err(WriteError::Image);
        }
        let forward = i64::try_from(len).map_err(|_| WriteError::TooLarge)?;
        self.out.seek(SeekFrom::Current(forward)).map(drop).map_err(WriteError::Image)
    }

    /// Writes the tree behind the data and gives the file back, complete but not yet synchronised with the disk.
    pub(crate) fn finish(mut self, tree: &Tree) -> Result<File, WriteError> {
        let layout = Layout::plan(tree, self.next_block)?;
        let (blocks, metadata) = layout.encode(tree);
        for block in blocks {
            self.out.write_all(&block).map_err(WriteError::Image)?;
            self.skip((block.len() as u64).next_multiple_of(BLOCK) - block.len() as u64)?;
        }
        self.out.write_all(&metadata).map_err(WriteError::Image)?;
        self.out.seek(SeekFrom::Start(0)).map_err(WriteError::Image)?;
        self.out.write_all(&layout.super_block(metadata.len() as u64 / BLOCK)).map_err(WriteError::Image)?;
        let file = self.out.into_inner().map_err(|error| WriteError::Image(error.into_error()))?;
        tree.dead_extents().iter().try_for_each(|extent| erase(&file, *extent)).map_err(WriteError::Image)?;
        Ok(file)
    }
}

/// Takes the data of a replaced file away: as a hole where the host's file system can, as zeros elsewhere.
fn erase(file: &File, extent: Extent) -> io::Result<()> {
    use std::os::unix::fs::FileExt;
    let (mut start, len) = (u64::from(extent.block) * BLOCK, extent.size.next_multiple_of(BLOCK));
    if len == 0 {
        return Ok(());
    }
    match rustix::fs::fallocate(file, FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE, start, len) {
        Err(rustix::io::Errno::OPNOTSUPP) => {
            let end = start + len;
            while start < end {
                file.write_all_at(&[0; BLOCK as usize], start)?;
                start += BLOCK;
            }
            Ok(())
        }
        result => Ok(result?),
    }
}

/// Where one inode and its data go.
#[derive(Debug, Clone, Copy)]
struct Place {
    nid: u64,
    /// `i_ino`, a number from 1 for programs whose inode numbers have 32 bits.
    number: u32,
    /// The size of directory data or link target.
    size: u64,
    /// The first block of data outside the inode; `None` if they follow it.
    block: Option<u32>,
    parent: NodeId,
}

#[derive(Debug)]
struct Layout {
    places: HashMap<NodeId, Place>,
    /// Depth first and by name: the order on the disk.
    order: Vec<NodeId>,
    meta_block: u32,
    meta_bytes: u64,
    blocks: u64,
}

impl Layout {
    fn plan(tree: &Tree, first_block: u64) -> Result<Self, WriteError> {
        let mut layout = Self {
            places: HashMap::new(),
            order: Vec::new(),
            meta_block: 0,
            meta_bytes: ROOT_NID * SLOT,
            blocks: first_block,
        };
        let mut pending = vec![(Tree::ROOT, Tree::ROOT)];
        while let Some((id, parent)) = pending.pop() {
            if layout.places.contains_key(&id) {
                continue;
            }
            let node = tree.node(id);
            let place = layout.place(node, parent)?;
            layout.places.insert(id, place);
            layout.order.push(id);
            if let Content::Directory(children) = &node.content {
                pending.extend(children.values().rev().map(|child| (*child, id)));
            }
        }
        layout.meta_block = u32::try_from(layout.blocks).map_err(|_| WriteError::TooLarge)?;
        Ok(layout)
    }

    /// An inode, its attributes and inline data never cross a block: the kernel reads inline data from one block only.
    fn place(&mut self, node: &Node, parent: NodeId) -> Result<Place, WriteError> {
        let head = (EXTENDED_INODE + xattr::size(&node.attributes.xattrs)) as u64;
        let size = match &node.content {
            Content::Directory(children) => {
                directory::size(sorted_names(children.keys().map(Vec::as_slice)).into_iter())
            }
            Content::Symlink(target) => target.len() as u64,
            Content::File(extent) => extent.size,
            _ => 0,
        };
        let small_data = matches!(node.content, Content::Directory(_) | Content::Symlink(_));
        let inline = small_data && size < BLOCK && head + size <= BLOCK;
        let total = head + if inline { size } else { 0 };
        let used = self.meta_bytes % BLOCK;
        if used != 0 && used + total > BLOCK {
            self.meta_bytes += BLOCK - used;
        }
        let nid = self.meta_bytes / SLOT;
        self.meta_bytes = (self.meta_bytes + total).next_multiple_of(SLOT);
        let block = match &node.content {
            Content::File(extent) => Some(extent.block),
            _ if small_data && !inline => {
                let block = u32::try_from(self.blocks).map_err(|_| WriteError::TooLarge)?;
                self.blocks += size.div_ceil(BLOCK);
                Some(block)
            }
            _ => None,
        };
        let number = u32::try_from(self.order.len() + 1).unwrap_or(u32::MAX);
        Ok(Place { nid, number, size, block, parent })
    }

    /// The data blocks of large directories and links, in order, and the metadata area.
    fn encode(&self, tree: &Tree) -> (Vec<Vec<u8>>, Vec<u8>) {
        let mut blocks = Vec::new();
        let mut metadata = vec![0; self.meta_bytes.next_multiple_of(BLOCK) as usize];
        for id in &self.order {
            let (node, place) = (tree.node(*id), &self.places[id]);
            let mut bytes = inode(tree, node, place).to_vec();
            xattr::encode(&node.attributes.xattrs, &mut bytes);
            let data = match &node.content {
                Content::Directory(children) => self.directory(tree, *id, place.parent, children.iter()),
                Content::Symlink(target) => target.clone(),
                _ => Vec::new(),
            };
            match place.block {
                Some(_) if !data.is_empty() => blocks.push(data),
                _ => bytes.extend(data),
            }
            let start = (place.nid * SLOT) as usize;
            metadata[start..start + bytes.len()].copy_from_slice(&bytes);
        }
        (blocks, metadata)
    }

    fn directory<'a>(
        &self,
        tree: &Tree,
        id: NodeId,
        parent: NodeId,
        children: impl Iterator<Item = (&'a Vec<u8>, &'a NodeId)>,
    ) -> Vec<u8> {
        let entry = |name: &'a [u8], id: NodeId| Entry {
            name,
            nid: self.places[&id].nid,
            file_type: kind(&tree.node(id).content).dirent_type(),
        };
        let mut entries = vec![entry(b".", id), entry(b"..", parent)];
        entries.extend(children.map(|(name, id)| entry(name, *id)));
        entries.sort_by_key(|entry| entry.name);
        directory::encode(&entries)
    }

    /// `struct erofs_super_block` with the rest of block 0, as its checksum covers that too.
    fn super_block(&self, meta_blocks: u64) -> [u8; BLOCK as usize] {
        let mut block = [0; BLOCK as usize];
        let mut fields = Fields(&mut block[SUPER_OFFSET..]);
        fields.put(0, MAGIC.to_le_bytes());
        fields.put(8, (COMPAT_SB_CHKSUM | COMPAT_MTIME).to_le_bytes());
        fields.put(12, [BLOCK_BITS]);
        fields.put(14, (ROOT_NID as u16).to_le_bytes());
        fields.put(16, (self.order.len() as u64).to_le_bytes());
        // Fits: the metadata begin below 2^32 blocks, and they are far smaller than the rest of that range.
        fields.put(36, ((self.blocks + meta_blocks) as u32).to_le_bytes());
        fields.put(40, self.meta_block.to_le_bytes());
        let checksum = crc32c(!0, &block[SUPER_OFFSET..]);
        Fields(&mut block[SUPER_OFFSET..]).put(4, checksum.to_le_bytes());
        block
    }
}

/// `struct erofs_inode_extended`
fn inode(tree: &Tree, node: &Node, place: &Place) -> [u8; EXTENDED_INODE] {
    let attributes = &node.attributes;
    let inline = place.block.is_none() && matches!(node.content, Content::Directory(_) | Content::Symlink(_));
    let data = match node.content {
        Content::CharDevice { major, minor } | Content::BlockDevice { major, minor } => encode_device(major, minor),
        _ => place.block.unwrap_or(0),
    };
    let links = match &node.content {
        Content::Directory(children) => 2 + children.values().filter(|id| is_directory(tree, **id)).count() as u32,
        _ => node.links,
    };
    let mut bytes = [0; EXTENDED_INODE];
    let mut fields = Fields(&mut bytes);
    let layout = if inline { FLAT_INLINE } else { FLAT_PLAIN };
    fields.put(0, (1 | layout << 1).to_le_bytes());
    fields.put(2, xattr::icount(xattr::size(&attributes.xattrs)).to_le_bytes());
    fields.put(4, (kind(&node.content).mode_bits() | attributes.mode).to_le_bytes());
    fields.put(8, place.size.to_le_bytes());
    fields.put(16, data.to_le_bytes());
    fields.put(20, place.number.to_le_bytes());
    fields.put(24, attributes.uid.to_le_bytes());
    fields.put(28, attributes.gid.to_le_bytes());
    fields.put(32, attributes.mtime.to_le_bytes());
    fields.put(40, attributes.mtime_nsec.to_le_bytes());
    fields.put(44, links.to_le_bytes());
    bytes
}

fn is_directory(tree: &Tree, id: NodeId) -> bool {
    matches!(tree.node(id).content, Content::Directory(_))
}

fn kind(content: &Content) -> FileKind {
    match content {
        Content::Directory(_) => FileKind::Directory,
        Content::File(_) => FileKind::Regular,
        Content::Symlink(_) => FileKind::Symlink,
        Content::CharDevice { .. } => FileKind::CharDevice,
        Content::BlockDevice { .. } => FileKind::BlockDevice,
        Content::Fifo => FileKind::Fifo,
    }
}

/// A directory's names with `.` and `..`, in the order of their bytes, by which the kernel searches them.
fn sorted_names<'a>(names: impl Iterator<Item = &'a [u8]>) -> Vec<&'a [u8]> {
    let mut all: Vec<&[u8]> = names.chain([&b"."[..], b".."]).collect();
    all.sort_unstable();
    all
}
