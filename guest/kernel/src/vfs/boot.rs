//! What is there when the first program starts: the mounts and the three standard descriptors.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

use boot_info::BootInfo;
use linux_abi::Errno;
use linux_abi::fs::{O_RDONLY, O_RDWR, O_WRONLY};
use platform::Stream;

use crate::machine::machine;
use crate::mem::Source;
use crate::sync::Once;
use crate::vfs::console::Console;
use crate::vfs::erofs::Image;
use crate::vfs::mount::{self, Mount};
use crate::vfs::path::{How, walk};
use crate::vfs::tree::{self, Node, Tree};
use crate::vfs::{DescriptorTable, File, Inode, Kind, NewNode, OpenFile, dev, proc, sys, volume};

/// Device numbers of the file systems.
const ROOT_DEVICE: u64 = 0x10;
const DEV_DEVICE: u64 = 0x11;
const SHM_DEVICE: u64 = 0x12;

const DIRECTORY: NewNode<'static> =
    NewNode { kind: Kind::Directory, mode: 0o755, uid: 0, gid: 0, rdev: 0, target: b"" };

/// File contents in memory may take half of the instance's memory, as on a tmpfs.
fn set_budget(info: &BootInfo<'_>) {
    if info.memory_limit != 0 {
        tree::set_limit(info.memory_limit / 2);
    }
}

/// Mounts everything: the image, /dev, /proc, /sys, the volumes. Called once, before the first process is made.
pub(crate) fn init(info: &BootInfo<'_>) -> Result<(), Errno> {
    set_budget(info);
    let image = Image::new(machine().image())?;
    let root_tree: &'static Tree = Box::leak(Box::new(Tree::over(image, ROOT_DEVICE, info.read_only)));
    let root = root_tree.root()?;
    for (path, contents) in
        [("etc/hosts", info.etc_hosts), ("etc/resolv.conf", info.resolv_conf), ("etc/hostname", info.hostname)]
    {
        if !contents.is_empty() {
            write_over(&root, path, contents)?;
        }
    }
    let root: Arc<dyn Inode> = root;
    let access = if info.read_only { "ro,relatime" } else { "rw,relatime" };
    let mut mounts = alloc::vec![Mount {
        covered: None,
        root: root.clone(),
        path: b"/".to_vec(),
        label: ["coracle", "overlay", access],
    }];
    let dev = make_dev()?;
    let shm = dev.clone().lookup(b"shm")?;
    add(&mut mounts, "/dev", directory_at(&root, "dev")?, dev, ["tmpfs", "tmpfs", "rw,nosuid,mode=755"]);
    let proc_options = "rw,nosuid,nodev,noexec,relatime";
    add(&mut mounts, "/proc", directory_at(&root, "proc")?, proc::root(), ["proc", "proc", proc_options]);
    let sys_options = "ro,nosuid,nodev,noexec,relatime";
    add(&mut mounts, "/sys", directory_at(&root, "sys")?, sys::root(info)?, ["sysfs", "sysfs", sys_options]);
    let shm_tree: &'static Tree = Box::leak(Box::new(Tree::empty(SHM_DEVICE)));
    add(&mut mounts, "/dev/shm", shm, shm_tree.root()?, ["shm", "tmpfs", "rw,nosuid,nodev,noexec"]);
    mount::set(mounts);
    mount::set_volumes(volume::mounts(info)?);
    Ok(())
}

/// What a volume at this path covers; what is missing of the path is made. `EINVAL` inside another volume.
pub(super) fn mount_point(path: &[u8], is_directory: bool) -> Result<Arc<dyn Inode>, Errno> {
    let ends = path.iter().enumerate().filter(|(n, byte)| **byte == b'/' && *n > 0).map(|(n, _)| n);
    for end in ends.chain([path.len()]) {
        let found = walk(mount::root(), &path[..end], How::FOLLOW)?;
        if found.inode.is_none() {
            let kind = if end == path.len() && !is_directory { Kind::Regular } else { Kind::Directory };
            node(&found.parent)?.add_unchecked(&found.name, &NewNode { kind, ..DIRECTORY })?;
        }
    }
    let inode = walk(mount::root(), path, How::FOLLOW)?.existing()?.clone();
    // Only inodes of trees keep their identity from lookup to lookup.
    let node = node(&inode).map_err(|_| Errno::EINVAL)?;
    match (node.kind() == Kind::Directory, is_directory) {
        (true, false) => return Err(Errno::EISDIR),
        (false, true) => return Err(Errno::ENOTDIR),
        _ => {}
    }
    Ok(inode)
}

fn add(mounts: &mut Vec<Mount>, path: &str, covered: Arc<dyn Inode>, root: Arc<dyn Inode>, label: [&'static str; 3]) {
    mounts.push(Mount { covered: Some(covered), root, path: path.as_bytes().to_vec(), label });
}

/// The directory of this name in the root; made if it is missing.
fn directory_at(root: &Arc<dyn Inode>, name: &str) -> Result<Arc<dyn Inode>, Errno> {
    match root.clone().lookup(name.as_bytes()) {
        Ok(inode) if inode.kind() == Kind::Directory => Ok(inode),
        Ok(_) => Err(Errno::ENOTDIR),
        Err(Errno::ENOENT) => Ok(node(root)?.add_unchecked(name.as_bytes(), &DIRECTORY)?),
        Err(e) => Err(e),
    }
}

fn node(inode: &Arc<dyn Inode>) -> Result<Arc<Node>, Errno> {
    inode.clone().into_any().downcast().map_err(|_| Errno::ENOTDIR)
}

/// Puts a file of the engine's over the image's.
fn write_over(root: &Arc<Node>, path: &str, contents: &str) -> Result<(), Errno> {
    let (directory, name) = path.split_once('/').ok_or(Errno::EINVAL)?;
    let directory = node(&directory_at(&(root.clone() as Arc<dyn Inode>), directory)?)?;
    let new = NewNode { kind: Kind::Regular, mode: 0o644, ..DIRECTORY };
    let file = directory.replace_unchecked(name.as_bytes(), &new)?;
    let newline = if contents.ends_with('\n') { "" } else { "\n" };
    fill(&file, &[contents, newline].concat())
}

fn fill(file: &Arc<Node>, contents: &str) -> Result<(), Errno> {
    file.write(&mut Source::kernel(contents.as_bytes()), 0).map(|_| ())
}

fn make_dev() -> Result<Arc<Node>, Errno> {
    let tree: &'static Tree = Box::leak(Box::new(Tree::empty(DEV_DEVICE)));
    let root = tree.root()?;
    root.set_mode(0o755);
    for (name, rdev) in dev::DEVICES {
        let new = NewNode { kind: Kind::CharDevice, mode: 0o666, rdev: *rdev, ..DIRECTORY };
        root.add_unchecked(name.as_bytes(), &new)?;
    }
    let links = [
        ("fd", "/proc/self/fd"),
        ("stdin", "/proc/self/fd/0"),
        ("stdout", "/proc/self/fd/1"),
        ("stderr", "/proc/self/fd/2"),
    ];
    for (name, target) in links {
        let new = NewNode { kind: Kind::Symlink, mode: 0o777, target: target.as_bytes(), ..DIRECTORY };
        root.add_unchecked(name.as_bytes(), &new)?;
    }
    for name in ["shm", "pts", "mqueue"] {
        root.add_unchecked(name.as_bytes(), &DIRECTORY)?;
    }
    Ok(root)
}

/// The descriptors of the first process: 0, 1 and 2 on the console.
pub(crate) fn initial_descriptors() -> DescriptorTable {
    let table = DescriptorTable::new();
    let terminal = machine().boot_info().terminal;
    for (stream, access) in [(Stream::Stdin, O_RDONLY), (Stream::Stdout, O_WRONLY), (Stream::Stderr, O_WRONLY)] {
        let flags = if terminal { O_RDWR } else { access };
        // A fresh table has room for three.
        let _ = table.insert(OpenFile::new(Arc::new(Console::stream(stream)), flags), false, 0);
    }
    table
}

/// The directory at an absolute path; `ENOTDIR` if it is something else.
pub(crate) fn directory(path: &[u8]) -> Result<Arc<dyn Inode>, Errno> {
    let inode = walk(mount::root(), path, How::FOLLOW)?.existing()?.clone();
    if inode.kind() == Kind::Directory { Ok(inode) } else { Err(Errno::ENOTDIR) }
}

/// The tree of the files that memfd_create(2) makes.
pub(super) fn memfd_tree() -> Result<&'static Tree, Errno> {
    static TREE: Once<&'static Tree> = Once::new();
    if TREE.try_get().is_none() {
        TREE.set(Box::leak(Box::new(Tree::empty(tree::MEMFD_DEVICE))));
    }
    // Another thread may be just setting it.
    TREE.try_get().copied().ok_or(Errno::EAGAIN)
}
