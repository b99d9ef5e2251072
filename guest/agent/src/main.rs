//! The agent: PID 1 of a microVM.
//!
//! It loads the drivers, announces itself on a virtio-serial port, receives one [`Start`](agent_proto::Start) message,
//! builds the root file system and the network from it, runs the program and passes its streams, signals and exit
//! status on. The program is not PID 1 itself: the agent reaps orphans and keeps the default action of signals, as a
//! container with an init process would.
//!
//! Nothing on this side protects the host. What the agent refuses, it refuses for clear error messages; the boundary is
//! the hypervisor, and the host treats all that comes out of the channel as hostile.

mod channel;
mod devices;
mod error;
mod lookup;
mod modules;
mod netlink;
mod network;
mod process;
mod reaper;
mod root;
mod session;
mod setup;
mod streams;

use std::time::Duration;

use agent_proto::{FailureKind, Hello, StartFailure, ToGuest, ToHost, VERSION};

use crate::channel::Channel;
use crate::error::Error;

fn main() {
    if std::process::id() != 1 {
        eprintln!("coracle-agent is the first process of a microVM; it does nothing elsewhere");
        std::process::exit(1);
    }
    if let Err(error) = run() {
        eprintln!("coracle-agent: {}", error::chain(&error));
    }
    // The host has what it needs and usually ends the VM before this line; rebooting ends it in any case.
    std::thread::sleep(Duration::from_secs(2));
    if let Err(error) = rustix::system::reboot(rustix::system::RebootCommand::Restart) {
        eprintln!("coracle-agent: reboot: {error}");
    }
}

fn run() -> Result<(), Error> {
    root::mount_early()?;
    let modules = modules::Modules::read()?;
    modules.load(modules::BASE)?;
    let mut channel = Channel::open()?;
    channel.send(&ToHost::Hello(Hello { version: VERSION }));
    let ToGuest::Start(start) = channel.wait_for_message()? else { return Err(Error::OutOfOrder) };
    match setup::start(&start, &modules) {
        Ok(running) => session::Session::new(channel, running).run(),
        Err(error) => {
            let kind = match &error {
                Error::NotFound { .. } => FailureKind::NotFound,
                Error::NotExecutable { .. } => FailureKind::NotExecutable,
                _ => FailureKind::Setup,
            };
            channel.send(&ToHost::Failed(StartFailure { kind, message: error::chain(&error) }));
            channel.flush()
        }
    }
}
