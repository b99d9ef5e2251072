//! From a plan to a running program: the one place that tells the isolation levels apart.

mod container_level;
mod etc;
mod shared;

use std::net::Ipv4Addr;
use std::os::fd::OwnedFd;
use std::path::PathBuf;

use container::Io;
use network::{Attachment, Lease, Network, TapOptions, Wishes};
use plan::{ExitStatus, Isolation, LaunchPlan, NetworkMode, Stdio};
use rustix::event::{PollFd, PollFlags};

use crate::{Error, Paths};
pub(crate) use container_level::{group, has_default_filter, target_spec};
use etc::EtcFiles;
pub(crate) use etc::PASTA_DNS;
pub(crate) use shared::Shared;

/// A program that runs, at whatever level.
pub(crate) enum Running {
    Container(container::Running),
    /// With a copy of the TAP: the kernel takes some 16 ms to close the last one, which the instance's end shall not wait for.
    Unikernel(unikernel::Instance, #[allow(dead_code)] Option<OwnedFd>),
    Microvm(Box<microvm::Vm>),
}

/// What a start gives.
pub(crate) struct Launched {
    pub(crate) running: Running,
    pub(crate) network: Option<Network>,
}

/// Opens the network of a state directory.
pub(crate) fn open_network(paths: &Paths) -> Result<Network, Error> {
    Ok(Network::open(paths.run(), crate::settings::network()?)?)
}

/// Starts what the plan says. `record` is told the host process as soon as there is one; a container's program has not been
/// executed by then.
pub(crate) fn launch(
    paths: &Paths,
    plan: &LaunchPlan,
    io: Io,
    record: impl FnOnce(i32, Option<Ipv4Addr>) -> Result<(), Error>,
) -> Result<Launched, Error> {
    let connection = connect(paths, plan)?;
    let shared = Shared::find(paths, plan)?;
    let etc =
        EtcFiles::write(plan, connection.as_ref().map(|c| &c.1), shared.network.as_ref().map(|s| s.dir.as_path()))?;
    let address = connection.as_ref().map(|c| c.1.address);
    let running = match plan.isolation {
        Isolation::Container => {
            let start = container_level::Start { paths, plan, etc: &etc, shared: &shared };
            Running::Container(start.run(io, connection.as_ref(), |pid| record(pid, address))?)
        }
        Isolation::Unikernel => {
            let tap = connection.as_ref().map(|connection| tap(connection, plan, true)).transpose()?;
            let table = crate::rewrite::table(paths, plan)?;
            let keep = tap.as_ref().and_then(|tap| tap.tap.try_clone().ok());
            let instance = unikernel::start(plan, given(io)?, tap, &paths.unikernel(), &etc.texts(table))?;
            record(instance.pid(), address)?;
            Running::Unikernel(instance, keep)
        }
        Isolation::Microvm => {
            let kernel = microvm::kernel::locate(&paths.kernels())?;
            let tap = connection.as_ref().map(|connection| tap(connection, plan, false)).transpose()?;
            let vm = microvm::start(plan, given(io)?, tap, &kernel, &paths.agent())?;
            record(vm.pid() as i32, address)?;
            Running::Microvm(Box::new(vm))
        }
    };
    Ok(Launched { running, network: connection.map(|c| c.0) })
}

/// A terminal of its own is a container's only: the others' programs have theirs in the guest, or none.
fn given(io: Io) -> Result<Stdio, Error> {
    match io {
        Io::Given(stdio) => Ok(stdio),
        Io::Inherit | Io::ConsoleSocket(_) => {
            Err(Error::Invalid("this level takes no terminal of a container".to_owned()))
        }
    }
}

fn connect(paths: &Paths, plan: &LaunchPlan) -> Result<Option<(Network, Lease)>, Error> {
    if plan.network.mode != NetworkMode::Bridge {
        return Ok(None);
    }
    let network = open_network(paths)?;
    let wishes = Wishes { address: plan.options.ip, mac: plan.options.mac };
    let lease = network.lease_with(&plan.id, &plan.name, &wishes)?;
    network.publish(&lease, &plan.network.published)?;
    Ok(Some((network, lease)))
}

/// Takes back all that a start made outside of the instance's directory. May be called at any time, and again.
pub(crate) fn destroy(paths: &Paths, plan: &LaunchPlan) -> Result<(), Error> {
    destroy_processes(plan)?;
    if plan.network.mode == NetworkMode::Bridge {
        open_network(paths)?.release(&plan.id)?;
    }
    Ok(())
}

/// [`destroy`] for an instance whose program has ended: its interface vanishes with it, in the kernel's own time.
pub(crate) fn destroy_ended(network: Option<&Network>, plan: &LaunchPlan) -> Result<(), Error> {
    destroy_processes(plan)?;
    match network {
        Some(network) => Ok(network.release_after_exit(&plan.id)?),
        None => Ok(()),
    }
}

fn destroy_processes(plan: &LaunchPlan) -> Result<(), Error> {
    match plan.isolation {
        Isolation::Container => container_level::destroy(plan)?,
        Isolation::Unikernel => unikernel::destroy(&plan.id)?,
        Isolation::Microvm => microvm::destroy(&plan.id, &plan.state_dir)?,
    }
    Ok(())
}

impl Running {
    /// What to poll for.
    pub(crate) fn poll_fds(&self) -> Vec<PollFd<'_>> {
        let ended = |pidfd| vec![PollFd::from_borrowed_fd(pidfd, PollFlags::IN)];
        match self {
            Self::Container(c) => ended(c.pidfd()),
            Self::Unikernel(u, _) => ended(u.pidfd()),
            Self::Microvm(vm) => vm.poll_fds(),
        }
    }

    /// Does what is to be done after one of the descriptors became readable; the exit status once the program has ended.
    pub(crate) fn handle_ready(&mut self) -> Result<Option<ExitStatus>, Error> {
        Ok(match self {
            Self::Container(c) => c.try_wait()?,
            Self::Unikernel(u, _) => u.try_wait()?,
            Self::Microvm(vm) => vm.handle_ready()?,
        })
    }

    /// Sends a signal to the program.
    pub(crate) fn signal(&mut self, signal: i32) -> Result<(), Error> {
        match self {
            Self::Container(c) => c.signal(signal)?,
            Self::Unikernel(u, _) => u.signal(signal)?,
            Self::Microvm(vm) => vm.signal(signal),
        }
        Ok(())
    }

    /// Tells a guest with a terminal of its own the new size.
    pub(crate) fn resize(&mut self, columns: u16, rows: u16) {
        if let Self::Microvm(vm) = self {
            vm.resize(columns, rows);
        }
    }
}

impl EtcFiles {
    fn texts(&self, rewrite_table: PathBuf) -> unikernel::Extra {
        unikernel::Extra {
            etc_hosts: self.hosts.clone(),
            resolv_conf: self.resolv_conf.clone(),
            rewrite_table: Some(rewrite_table),
        }
    }
}

/// The TAP device of an instance with a network stack of its own. QEMU switches the offloads on by itself.
fn tap((network, lease): &(Network, Lease), plan: &LaunchPlan, offload: bool) -> Result<Attachment, Error> {
    let tap = network.open_tap(lease, TapOptions { vnet_hdr: true, offload, nonblocking: true })?;
    let mut attachment = lease.attachment(tap);
    if !plan.options.dns.is_empty() {
        attachment.dns = plan.options.dns.clone();
    }
    Ok(attachment)
}
