//! What /proc/self/maps shows (proc_pid_maps(5)).

use alloc::format;
use alloc::vec::Vec;

use crate::mm::Mm;
use crate::mm::vma::{Content, Vma};

impl Mm {
    /// The text of /proc/self/maps.
    pub(crate) fn maps(&self) -> Vec<u8> {
        let inner = self.inner.lock();
        let mut text = Vec::new();
        for (start, vma) in inner.map.iter() {
            line(&mut text, start, vma);
        }
        text
    }
}

fn line(text: &mut Vec<u8>, start: u64, vma: &Vma) {
    let flag = |set: bool, letter: char| if set { letter } else { '-' };
    let (r, w, x) = (flag(vma.prot.read, 'r'), flag(vma.prot.write, 'w'), flag(vma.prot.exec, 'x'));
    let s = if vma.shared { 's' } else { 'p' };
    let (offset, device, inode) = match &vma.content {
        Content::File(backing, offset) => match backing.file.attributes() {
            Ok(attributes) => (*offset, attributes.dev, attributes.ino),
            Err(_) => (*offset, 0, 0),
        },
        _ => (0, 0, 0),
    };
    let (major, minor) = (device >> 8 & 0xfff, device & 0xff);
    let head = format!("{start:08x}-{:08x} {r}{w}{x}{s} {offset:08x} {major:02x}:{minor:02x} {inode} ", vma.end);
    text.extend_from_slice(head.as_bytes());
    let name = match &vma.content {
        Content::Anonymous => Vec::new(),
        Content::Named(name) => name.as_bytes().to_vec(),
        Content::Stubs => b"[stubs]".to_vec(),
        Content::File(backing, _) => backing.file.path(),
    };
    if !name.is_empty() {
        text.resize(text.len() + 73usize.saturating_sub(head.len()), b' ');
        text.extend_from_slice(&name);
    }
    text.push(b'\n');
}
