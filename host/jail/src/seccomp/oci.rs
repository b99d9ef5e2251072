//! `linux.seccomp` of the OCI runtime specification
//! (<https://github.com/opencontainers/runtime-spec/blob/main/config-linux.md#seccomp>), with the meaning that
//! libseccomp, as runc uses it, gives it:
//!
//! - The 64-bit convention is always served, i386 and x32 if they are listed. Calls of others end the thread.
//! - Calls that no convention knows are ignored: profiles list calls of newer kernels and of other machines.
//! - A rule without arguments overrules those with. Of these, the first that holds decides (libseccomp's order is its
//!   own where rules with different actions overlap).
//! - Arguments with the same index in one rule are alternatives; others have to hold together.
//! - Numbers above all that the profile names fail with `ENOSYS`, unless the default is permissive: a C library then
//!   falls back to an older call, where it would give up after `EPERM`.

mod action;
mod arguments;
mod multiplexed;
mod notify;
mod numbers;
mod rules;

use std::path::PathBuf;

use oci_spec::runtime::{Arch, LinuxSeccomp, LinuxSeccompAction, LinuxSeccompFilterFlag};

pub use self::notify::Notifier;
use self::numbers::Convention;
use self::rules::Rules;
use super::install::{FilterFlags, Program};
use super::tree::{FilterError, Region, Verdict, X32_BIT, assemble};

/// A filter that is ready to be installed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    /// The instructions.
    pub program: Program,
    /// How to install them.
    pub flags: FilterFlags,
    /// Who is told of the listener; present if a rule has the action `SCMP_ACT_NOTIFY`.
    pub listener: Option<Listener>,
}

/// Where the descriptor that answers notifications goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listener {
    /// A Unix socket.
    pub path: PathBuf,
    /// `listenerMetadata`, which is passed on.
    pub metadata: Option<String>,
}

/// A part of `linux.seccomp` that cannot be carried out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// `errnoRet` where nothing is returned.
    #[error("linux.seccomp: errnoRet {errno} is given with {action}, which returns no error number; remove it")]
    ErrnoWithout {
        /// The action.
        action: LinuxSeccompAction,
        /// The number.
        errno: u32,
    },
    /// `errnoRet` that is no error number.
    #[error("linux.seccomp: errnoRet {errno} of {action} is greater than {most}")]
    ErrnoTooGreat {
        /// The action.
        action: LinuxSeccompAction,
        /// The number.
        errno: u32,
        /// The greatest that it can be.
        most: u16,
    },
    /// An argument that no call has.
    #[error("linux.seccomp: the rule for {name:?} checks argument {index}; system calls have 6, counted from 0")]
    Argument {
        /// The call.
        name: String,
        /// The index.
        index: usize,
    },
    /// A call without a name.
    #[error("linux.seccomp: a rule names an empty string as system call")]
    NoName,
    /// Notifications that nobody would answer.
    #[error("linux.seccomp: SCMP_ACT_NOTIFY needs listenerPath, the socket of the process that answers")]
    NoListener,
    /// Metadata for nobody.
    #[error("linux.seccomp: listenerMetadata needs listenerPath")]
    Metadata,
    /// A relative socket.
    #[error("linux.seccomp: listenerPath {} is not absolute", .0.display())]
    ListenerPath(PathBuf),
    /// A container that would wait for its own start.
    #[error(
        "linux.seccomp: SCMP_ACT_NOTIFY cannot be the default action, nor that of write: nobody could start the container"
    )]
    NotifyForAll,
    /// No filter results.
    #[error("linux.seccomp: {0}")]
    Filter(#[from] FilterError),
}

/// Makes the filter that `linux.seccomp` describes.
///
/// # Errors
/// See [`Error`].
pub fn translate(seccomp: &LinuxSeccomp) -> Result<Filter, Error> {
    let default = action::verdict(seccomp.default_action(), seccomp.default_errno_ret())?;
    if default == Verdict::Notify {
        return Err(Error::NotifyForAll);
    }
    let syscalls = seccomp.syscalls().as_deref().unwrap_or_default();
    let rules = Rules::new(syscalls, default)?;
    let program = assemble_all(&rules, default, Served::new(seccomp))?;
    let listener = listener(seccomp, rules.notify())?;
    Ok(Filter { program, flags: flags(seccomp, listener.is_some()), listener })
}

/// The conventions that a profile lists.
struct Served {
    x86_64: bool,
    i386: bool,
    x32: bool,
}

impl Served {
    fn new(seccomp: &LinuxSeccomp) -> Self {
        let listed = seccomp.architectures().as_deref().unwrap_or_default();
        Self {
            x86_64: listed.contains(&Arch::ScmpArchX86_64) || listed.contains(&Arch::ScmpArchNative),
            i386: listed.contains(&Arch::ScmpArchX86),
            x32: listed.contains(&Arch::ScmpArchX32),
        }
    }
}

/// What libseccomp does with calls of an architecture that a filter does not serve.
const BAD_ARCHITECTURE: Verdict = Verdict::KillThread;
/// Numbers with bit 31 set, of which those with [`X32_BIT`] are x32's for libseccomp.
const BIT_31: u32 = 0x8000_0000;

fn assemble_all(rules: &Rules, default: Verdict, served: Served) -> Result<Program, FilterError> {
    let enosys = Verdict::Errno(libc::ENOSYS as u16);
    // A tracer that emulates calls, or the kernel itself, knows best which ones there are.
    let permissive = matches!(default, Verdict::Allow | Verdict::Log | Verdict::Trace(_));
    // runc leaves the numbers alone of a convention that is served but not listed, or of which no call is named.
    let newer = |listed: bool, convention| {
        rules.last_known(convention).filter(|_| listed && !permissive && default != enosys).map(|last| (last, enosys))
    };
    let (wide, x32, i386) = (rules.of(Convention::X86_64), rules.of(Convention::X32), rules.of(Convention::I386));
    let newer_wide = newer(served.x86_64, Convention::X86_64);
    let beyond = newer_wide.map_or(default, |(_, verdict)| verdict);
    let mut regions = vec![Region { first: 0, rules: &wide, default, newer: newer_wide }];
    if served.x32 {
        let newer = newer(true, Convention::X32);
        regions.push(Region { first: X32_BIT, rules: &x32, default, newer });
        let above = newer.map_or(default, |(_, verdict)| verdict);
        regions.extend([Region::plain(BIT_31, beyond), Region::plain(BIT_31 | X32_BIT, above)]);
    } else {
        regions.push(Region::plain(X32_BIT, BAD_ARCHITECTURE));
        // Without an ENOSYS of ours, libseccomp takes all numbers from X32_BIT on for x32's.
        if newer_wide.is_some() {
            regions.extend([Region::plain(BIT_31, beyond), Region::plain(BIT_31 | X32_BIT, BAD_ARCHITECTURE)]);
        }
        // The number of a call that a tracer has skipped.
        regions.push(Region::plain(u32::MAX, default));
    }
    let narrow = Region { first: 0, rules: &i386, default, newer: newer(true, Convention::I386) };
    assemble(&regions, if served.i386 { std::slice::from_ref(&narrow) } else { &[] }, BAD_ARCHITECTURE)
}

fn listener(seccomp: &LinuxSeccomp, notify: bool) -> Result<Option<Listener>, Error> {
    match seccomp.listener_path() {
        None if notify => Err(Error::NoListener),
        None if seccomp.listener_metadata().as_ref().is_some_and(|metadata| !metadata.is_empty()) => {
            Err(Error::Metadata)
        }
        Some(path) if notify && !path.is_absolute() => Err(Error::ListenerPath(path.clone())),
        Some(path) if notify => {
            Ok(Some(Listener { path: path.clone(), metadata: seccomp.listener_metadata().clone() }))
        }
        _ => Ok(None),
    }
}

fn flags(seccomp: &LinuxSeccomp, listener: bool) -> FilterFlags {
    let Some(listed) = seccomp.flags() else {
        // As runc and crun: a filter alone does not switch on the (slow) mitigation of speculative stores.
        return FilterFlags::SPEC_ALLOW;
    };
    let mut flags = FilterFlags::empty();
    for flag in listed {
        flags |= match flag {
            LinuxSeccompFilterFlag::SeccompFilterFlagTsync => FilterFlags::TSYNC,
            LinuxSeccompFilterFlag::SeccompFilterFlagLog => FilterFlags::LOG,
            LinuxSeccompFilterFlag::SeccompFilterFlagSpecAllow => FilterFlags::SPEC_ALLOW,
            // The kernel takes it with a listener only.
            LinuxSeccompFilterFlag::SeccompFilterFlagWaitKillableRecv if listener => FilterFlags::WAIT_KILLABLE_RECV,
            LinuxSeccompFilterFlag::SeccompFilterFlagWaitKillableRecv => FilterFlags::empty(),
        };
    }
    flags
}

#[cfg(test)]
mod tests;
