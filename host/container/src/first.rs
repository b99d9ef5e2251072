//! What a container's first process does before it becomes the program: an ordered list of named stages.
//!
//! It runs in a complete copy of the single-threaded caller, so ordinary safe code is fine; it never returns.

use std::convert::Infallible;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use cgroup::{Group, Mover};
use jail::{MountAttr, exit_now};
use oci_spec::runtime::{ContainerState, LinuxNamespaceType as Type, Spec, State};
use rustix::io::Errno;
use rustix::process::DumpableBehavior;
use rustix::thread::UnshareFlags;

use crate::error::Stage;
use crate::message::{self, AtStage, Failure, Order};
use crate::mounts::{self, Tree};
use crate::process::{Prepared, PrivateProc};
use crate::request::Io;
use crate::spec::Setup;
use crate::{hooks, netlink, start};

pub(crate) mod console;
pub(crate) mod layers;
mod namespaces;
pub(crate) mod root;

use console::Streams;
pub(crate) use namespaces::become_root;

/// Everything that the first process needs.
pub(crate) struct Context<'a> {
    pub(crate) id: &'a str,
    pub(crate) spec: &'a Spec,
    pub(crate) setup: &'a Setup<'a>,
    pub(crate) bundle: &'a Path,
    pub(crate) process: Prepared,
    pub(crate) root: root::Source<'a>,
    pub(crate) sources: Vec<Option<mounts::Bound>>,
    pub(crate) joined: Vec<(Type, OwnedFd)>,
    pub(crate) io: &'a Io,
    pub(crate) cgroup: &'a Group,
    pub(crate) mover: Mover,
    pub(crate) no_pivot: bool,
    /// Where `start` will connect to.
    pub(crate) listener: Option<OwnedFd>,
    pub(crate) socket: OwnedFd,
}

/// Ends the process even if something unwinds: nothing of the caller may ever run in the child.
pub(crate) struct ExitOnUnwind;

impl Drop for ExitOnUnwind {
    fn drop(&mut self) {
        exit_now(125);
    }
}

/// Becomes the container's program, or reports why not and ends.
pub(crate) fn run(mut context: Context<'_>) -> ! {
    let _guard = ExitOnUnwind;
    let proc = PrivateProc::default();
    let Err(failure) = build(&mut context, &proc).and_then(|()| wait_and_become(&mut context, &proc));
    message::send_failure(&context.socket, &failure);
    exit_now(125)
}

/// Everything up to the program, which is then only to be executed.
fn build(context: &mut Context<'_>, proc: &PrivateProc) -> Result<(), Failure> {
    let setup = context.setup;
    if context.process.notifies() {
        // The host's procfs is still there to tell the number that the host knows this process by.
        let pid = crate::process::pid_in_own_procfs();
        let state = state(context.id, context.spec, context.bundle, ContainerState::Creating, pid);
        context.process.prepare_notification(state);
    }
    context.mover.move_self().at(Stage::Groups)?;
    namespaces::enter(context, proc)?;
    // The programs of a container that shares its PID namespace, and those of `exec` while this process waits, must not reach
    // through its /proc entry to the caller's file (CVE-2019-5736). execve(2) resets it.
    rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable).at(Stage::Namespaces)?;
    let streams = if setup.namespaces.is_new(Type::Mount) {
        build_root(context)?
    } else {
        hooks_of_runtime(context)?;
        run_hooks(context, Hooks::CreateContainer)?;
        console::streams(context.io, None, &context.process).at(Stage::Console)?
    };
    if let Some(name) = setup.hostname {
        rustix::system::sethostname(name.as_bytes()).about(Stage::Hostname, name)?;
    }
    if let Some(name) = setup.domainname {
        rustix::system::setdomainname(name.as_bytes()).about(Stage::DomainName, name)?;
    }
    for (path, value) in &setup.sysctl {
        proc.write(&format!("sys/{path}"), value.as_bytes()).about(Stage::Sysctl, path)?;
    }
    if setup.namespaces.is_new(Type::Network) {
        netlink::loopback_up().at(Stage::Loopback)?;
    }
    context.process.take_streams(streams.get())?;
    context.process.find_program()
}

fn build_root<'a>(context: &mut Context<'a>) -> Result<Streams<'a>, Failure> {
    let setup = context.setup;
    MountAttr::make_all_private().at(Stage::PrivateMounts)?;
    let root = root::attach(std::mem::replace(&mut context.root, root::Source::Joined), setup).at(Stage::RootFs)?;
    let mut tree = Tree::new(root);
    let sources = std::mem::take(&mut context.sources);
    let late = mounts::perform_all(&mut tree, setup, sources, context.bundle, context.cgroup)?;
    mounts::make_devices(&mut tree, setup)?;
    let streams = console::streams(context.io, Some(&mut tree), &context.process).at(Stage::Console)?;
    late.finish().at(Stage::Mount)?;
    hooks_of_runtime(context)?;
    run_hooks(context, Hooks::CreateContainer)?;
    context.process.make_working_directory(tree.root())?;
    root::enter(&tree, context.no_pivot).at(Stage::Pivot)?;
    mounts::protect(&tree, setup)?;
    root::finish(&tree, setup).at(Stage::Pivot)?;
    tree.leave_to_exec();
    Ok(streams)
}

/// Lets the caller run its hooks, which may change the root.
fn hooks_of_runtime(context: &Context<'_>) -> Result<(), Failure> {
    if !has_runtime_hooks(context.spec) {
        return Ok(());
    }
    message::send_at_hooks(&context.socket);
    wait(&context.socket)
}

/// Whether there are hooks for the caller to run before the root is entered.
#[allow(deprecated, reason = "prestart hooks are still part of the specification")]
pub(crate) fn has_runtime_hooks(spec: &Spec) -> bool {
    let some = |hooks: &Option<Vec<_>>| hooks.as_ref().is_some_and(|hooks| !hooks.is_empty());
    spec.hooks().as_ref().is_some_and(|hooks| some(hooks.prestart()) || some(hooks.create_runtime()))
}

/// The hooks that run in the container's namespaces.
#[derive(Debug, Clone, Copy)]
enum Hooks {
    CreateContainer,
    StartContainer,
}

fn run_hooks(context: &Context<'_>, which: Hooks) -> Result<(), Failure> {
    let Some(all) = context.spec.hooks().as_ref() else { return Ok(()) };
    let (point, list, status) = match which {
        Hooks::CreateContainer => ("createContainer", all.create_container(), ContainerState::Creating),
        Hooks::StartContainer => ("startContainer", all.start_container(), ContainerState::Created),
    };
    let Some(list) = list.as_ref().filter(|list| !list.is_empty()) else { return Ok(()) };
    let pid = rustix::process::getpid().as_raw_nonzero().get();
    let state = state(context.id, context.spec, context.bundle, status, pid);
    hooks::run(point, list, &state).map_err(|error| Failure::hook(&error))
}

/// The state that hooks get.
pub(crate) fn state(id: &str, spec: &Spec, bundle: &Path, status: ContainerState, pid: i32) -> State {
    let mut state = State::default();
    state
        .set_version(spec.version().clone())
        .set_id(id.to_owned())
        .set_status(status)
        .set_pid(Some(pid))
        .set_bundle(bundle.to_owned())
        .set_annotations(spec.annotations().clone());
    state
}

/// Waits until the caller has done its part.
fn wait(socket: impl AsFd) -> Result<(), Failure> {
    match message::wait_go(socket).at(Stage::Wait)? {
        true => Ok(()),
        false => Err(Errno::CANCELED).at(Stage::Wait),
    }
}

fn wait_and_become(context: &mut Context<'_>, proc: &PrivateProc) -> Result<Infallible, Failure> {
    message::send_built(&context.socket);
    let order = message::wait_order(&context.socket).at(Stage::Wait)?;
    // It is in its groups by now, which the namespace takes as its root.
    if context.setup.namespaces.is_new(Type::Cgroup) {
        jail::unshare(UnshareFlags::NEWCGROUP).at(Stage::CgroupNamespace)?;
    }
    match (order, context.listener.take()) {
        (Some(Order::Go), _) => {}
        (Some(Order::Leave), Some(listener)) => {
            message::send_ready(&context.socket);
            context.socket = start::accept(listener).at(Stage::Wait)?;
        }
        _ => return Err(Errno::CANCELED).at(Stage::Wait),
    }
    run_hooks(context, Hooks::StartContainer)?;
    context.process.become_program(proc, &context.socket)
}
