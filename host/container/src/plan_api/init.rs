//! What a container's first process does before it becomes the program: an ordered list of named stages.
//!
//! It runs in a complete copy of the single-threaded engine process, so ordinary safe code is fine; it never returns.

use std::convert::Infallible;
use std::os::fd::{BorrowedFd, OwnedFd};

use cgroup::Cgroup;
use jail::{ExecArgs, MountAttr, exit_now, seccomp};
use plan::{LaunchPlan, Process, Stdio};
use rustix::io::Errno;
use rustix::thread::{ThreadNameSpaceType, UnshareFlags};

use crate::error::Stage;
use crate::message::{self, AtStage, Failure};
use crate::plan_api::create::EtcFiles;

mod binds;
mod cgroups;
mod dev;
mod identity;
mod mounts;
mod program;
mod rootfs;
mod stdio;
mod system;
mod working_directory;

/// What was made before the clone.
pub(crate) struct Prepared {
    pub(crate) exec: ExecArgs,
    pub(crate) filter: seccomp::Program,
    /// The image, mounted but not attached.
    pub(crate) image: OwnedFd,
}

/// Everything that the first process needs.
pub(crate) struct Context<'a> {
    pub(crate) plan: &'a LaunchPlan,
    pub(crate) etc: &'a EtcFiles,
    pub(crate) io: &'a Stdio,
    pub(crate) cgroup: &'a Cgroup,
    pub(crate) prepared: Prepared,
    pub(crate) socket: &'a OwnedFd,
}

/// Everything that a further program of a running container needs.
pub(crate) struct Joined<'a> {
    pub(crate) pidfd: BorrowedFd<'a>,
    pub(crate) process: &'a Process,
    pub(crate) io: &'a Stdio,
    pub(crate) exec: &'a ExecArgs,
    pub(crate) filter: &'a seccomp::Program,
    /// Whether `CAP_MKNOD` is among its capabilities.
    pub(crate) device_nodes: bool,
    pub(crate) socket: &'a OwnedFd,
}

/// Ends the process even if something unwinds: nothing of the engine may ever run in the child.
struct ExitOnUnwind;

impl Drop for ExitOnUnwind {
    fn drop(&mut self) {
        exit_now(125);
    }
}

/// Becomes the container's program, or reports why not and ends.
pub(crate) fn run(context: &Context<'_>) -> ! {
    let _guard = ExitOnUnwind;
    let Err(failure) = first_process(context);
    message::send_failure(context.socket, &failure);
    exit_now(125)
}

/// Becomes a further program, or reports why not and ends.
pub(crate) fn run_joined(joined: &Joined<'_>) -> ! {
    let _guard = ExitOnUnwind;
    let Err(failure) = further_process(joined);
    message::send_failure(joined.socket, &failure);
    exit_now(125)
}

fn first_process(context: &Context<'_>) -> Result<Infallible, Failure> {
    let plan = context.plan;
    MountAttr::make_all_private().at(Stage::PrivateMounts)?;
    let root = rootfs::mount(plan, context.etc, &context.prepared.image).at(Stage::RootFs)?;
    let proc = system::mount_proc(&root).at(Stage::Proc)?;
    let dev = dev::mount(&root, context.io, plan.process.terminal).at(Stage::Dev)?;
    let sys = system::mount_sys(&root).at(Stage::Sys)?;
    cgroups::mount(&sys, context.cgroup).at(Stage::Cgroups)?;
    binds::etc_files(&root, context.etc)?;
    binds::volumes(&root, &plan.volumes)?;
    let devices = context.cgroup.devices_restricted();
    rootfs::pivot(&root, plan.rootfs.read_only, devices).at(Stage::Pivot)?;
    system::protect(&proc, &sys, &dev).at(Stage::ProtectedPaths)?;
    rustix::system::sethostname(plan.hostname.as_bytes()).about(Stage::Hostname, &plan.hostname)?;
    crate::netlink::loopback_up().at(Stage::Loopback)?;
    wait(context.socket)?;
    jail::unshare(UnshareFlags::NEWCGROUP).at(Stage::CgroupNamespace)?;
    become_program(&plan.process, context.io, &context.prepared.exec, &context.prepared.filter, devices, context.socket)
}

fn further_process(joined: &Joined<'_>) -> Result<Infallible, Failure> {
    let all = ThreadNameSpaceType::MOUNT
        | ThreadNameSpaceType::NETWORK
        | ThreadNameSpaceType::INTER_PROCESS_COMMUNICATION
        | ThreadNameSpaceType::HOST_NAME_AND_NIS_DOMAIN_NAME
        | ThreadNameSpaceType::CONTROL_GROUP;
    wait(joined.socket)?;
    rustix::thread::move_into_thread_name_spaces(joined.pidfd, all).at(Stage::Join)?;
    become_program(joined.process, joined.io, joined.exec, joined.filter, joined.device_nodes, joined.socket)
}

/// Waits until the engine has connected the network and moved the process into its groups.
fn wait(socket: &OwnedFd) -> Result<(), Failure> {
    match message::wait_go(socket).at(Stage::Wait)? {
        true => Ok(()),
        false => Err(Errno::CANCELED).at(Stage::Wait),
    }
}

/// The stages that every program goes through, whether it is the first or not.
fn become_program(
    process: &Process,
    io: &Stdio,
    exec: &ExecArgs,
    filter: &seccomp::Program,
    device_nodes: bool,
    socket: &OwnedFd,
) -> Result<Infallible, Failure> {
    stdio::place(io, process).at(Stage::Terminal)?;
    working_directory::enter(process).about(Stage::WorkingDirectory, &process.cwd)?;
    identity::assume(&process.user, device_nodes).at(Stage::Privileges)?;
    filter.install().at(Stage::Seccomp)?;
    jail::close_on_exec(3, i32::MAX).at(Stage::Descriptors)?;
    Err(program::execute(process, exec, socket))
}
