//! A container in a user namespace that exists already: everything else has to be made with the rights of that namespace, so
//! a process enters it first and clones from there. It ends at once; the first process is its sibling.

use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};

use jail::{Cloned, Namespaces, exit_now};
use oci_spec::runtime::LinuxNamespaceType as Type;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
};
use rustix::process::{WaitId, WaitIdOptions};
use rustix::thread::LinkNameSpaceType;

use crate::error::{Error, Stage};
use crate::first::{self, Context, ExitOnUnwind};
use crate::message::{self, AtStage, Failure};

/// Clones the first process by way of the user namespace; returns its id and descriptor.
pub(super) fn launch(context: Context<'_>, socket: &OwnedFd) -> Result<(i32, OwnedFd), Error> {
    let (ours, theirs) = message::pair()?;
    match jail::clone_process(Namespaces::NONE, context.cgroup.birth_directory())? {
        Cloned::Child => {
            drop(ours);
            run(context, &theirs)
        }
        Cloned::Parent { pidfd, .. } => {
            drop(theirs);
            let process = context.process;
            drop(context.socket);
            let received = receive(&ours);
            if let Some((pid, _)) = &received {
                process.help(*pid);
            }
            let _ = rustix::process::waitid(WaitId::PidFd(pidfd.as_fd()), WaitIdOptions::EXITED);
            match received {
                Some(first) => Ok(first),
                // It has told why, at the first process's socket.
                None => Err(message::receive(socket).err().unwrap_or(Error::Died)),
            }
        }
    }
}

fn run(mut context: Context<'_>, socket: &OwnedFd) -> ! {
    let _guard = ExitOnUnwind;
    let failure = match enter(&mut context) {
        Ok(Cloned::Child) => first::run(context),
        Ok(Cloned::Parent { pid, pidfd }) => {
            send(socket, pid, &pidfd);
            exit_now(0)
        }
        Err(failure) => failure,
    };
    message::send_failure(&context.socket, &failure);
    exit_now(125)
}

fn enter(context: &mut Context<'_>) -> Result<Cloned, Failure> {
    context.mover.move_self().at(Stage::Groups)?;
    // The order of `joined::open`: the user namespace is the first.
    for (kind, namespace) in &context.joined {
        let link = match kind {
            Type::User => LinkNameSpaceType::User,
            Type::Pid => LinkNameSpaceType::ProcessID,
            _ => continue,
        };
        rustix::thread::move_into_link_name_space(namespace.as_fd(), Some(link))
            .about(Stage::Namespaces, &kind.to_string().to_lowercase())?;
    }
    first::become_root().at(Stage::Namespaces)?;
    jail::clone_sibling(Namespaces::from_flags(context.setup.namespaces.clone_flags())).map_err(|error| {
        let errno = std::error::Error::source(&error)
            .and_then(|source| source.downcast_ref::<std::io::Error>())
            .and_then(std::io::Error::raw_os_error);
        Failure {
            stage: Stage::Namespaces,
            errno: errno.unwrap_or(libc::EAGAIN),
            detail: error.to_string(),
            kind: crate::message::FailureKind::Stage,
        }
    })
}

fn send(socket: &OwnedFd, pid: i32, pidfd: &OwnedFd) {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    let descriptors = [pidfd.as_fd()];
    ancillary.push(SendAncillaryMessage::ScmRights(&descriptors));
    // If the caller is gone, the first process ends by its own socket.
    let _ = rustix::net::sendmsg(socket, &[IoSlice::new(&pid.to_ne_bytes())], &mut ancillary, SendFlags::NOSIGNAL);
}

fn receive(socket: &OwnedFd) -> Option<(i32, OwnedFd)> {
    let mut number = [0; 4];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let received = rustix::io::retry_on_intr(|| {
        rustix::net::recvmsg(socket, &mut [IoSliceMut::new(&mut number)], &mut ancillary, RecvFlags::CMSG_CLOEXEC)
    });
    if received.ok()?.bytes != number.len() {
        return None;
    }
    let pidfd = ancillary.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut descriptors) => descriptors.next(),
        _ => None,
    })?;
    Some((i32::from_ne_bytes(number), pidfd))
}
