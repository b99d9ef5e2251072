//! /proc/self/fd and fdinfo.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;

use linux_abi::Errno;
use linux_abi::fs::O_CLOEXEC;

use super::{Changing, Node, Subject};
use crate::vfs::{Kind, Magic, OpenFile};

pub(super) const LINKS: Node = Node::Changing(&Descriptors(Node::Object(object, target)), &[]);
pub(super) const DETAILS: Node = Node::Changing(&Descriptors(Node::Bytes(details)), &[]);

/// A directory with an entry of this form for each descriptor.
struct Descriptors(Node);

impl Changing for Descriptors {
    fn find(&self, subject: &Subject, name: &str) -> Option<(Subject, Node)> {
        let fd: i32 = name.parse().ok()?;
        subject.process.as_ref()?.files.get(fd).ok()?;
        Some((Subject { fd, ..subject.clone() }, self.0))
    }

    fn names(&self, subject: &Subject) -> Vec<(String, Kind)> {
        let Some(process) = &subject.process else { return Vec::new() };
        process.files.open_in(0, u32::MAX).iter().map(|fd| (fd.to_string(), self.0.kind())).collect()
    }
}

fn file(subject: &Subject) -> Result<Arc<OpenFile>, Errno> {
    subject.process()?.files.get(subject.fd).map_err(|_| Errno::ENOENT)
}

fn object(subject: &Subject) -> Result<Magic, Errno> {
    let file = file(subject)?;
    Ok(match &file.place {
        Some(place) => Magic::Place(place.clone()),
        None => Magic::Description(file),
    })
}

fn target(subject: &Subject) -> Result<Vec<u8>, Errno> {
    Ok(file(subject)?.path())
}

fn details(subject: &Subject) -> Result<Vec<u8>, Errno> {
    let file = file(subject)?;
    let close_on_exec = subject.process()?.files.is_close_on_exec(subject.fd).unwrap_or(false);
    let flags = file.flags() | if close_on_exec { O_CLOEXEC } else { 0 };
    let ino = file.attributes().map_or(0, |a| a.ino);
    let position = *file.offset.lock();
    let mut text = format!("pos:\t{position}\nflags:\t0{flags:o}\nmnt_id:\t20\nino:\t{ino}\n").into_bytes();
    text.extend_from_slice(&file.file.details());
    Ok(text)
}
