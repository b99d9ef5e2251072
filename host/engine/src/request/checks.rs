//! What is refused before anything is looked up: what a level cannot do, and what makes no sense at any.

use image::Image;
use plan::options::{CgroupMode, IpcMode, PidMode, SeccompChoice, UserMode, UtsMode};
use plan::{Isolation, NetworkMode};

use crate::{Error, RunRequest};

impl RunRequest {
    pub(super) fn check(&self) -> Result<(), Error> {
        self.check_network()?;
        if self.trace_syscalls && self.isolation != Isolation::Unikernel {
            let hint = "; use --as unikernel, or strace(1) on the host for a container";
            return Err(Error::Unsupported { what: "--trace syscalls", level: self.isolation, hint });
        }
        if let Some(bad) = self.env.iter().find(|e| e.starts_with('=') || e.contains('\0')) {
            return Err(Error::Invalid(format!("invalid environment variable '{bad}'; write NAME=VALUE")));
        }
        if self.isolation != Isolation::Container {
            self.check_level()?;
        }
        crate::limits::check(&self.resources, self.isolation)?;
        self.check_limits()?;
        self.check_user_mode()?;
        let names = [("host", &self.hostname), ("domain", &self.options.domainname)];
        for (kind, name) in names {
            if let Some(name) = name.as_ref().filter(|name| !is_hostname(name)) {
                return Err(Error::Invalid(format!(
                    "invalid {kind} name '{name}'; use letters, digits, '-' and '.', at most 64 bytes"
                )));
            }
        }
        Ok(())
    }

    /// What a user without root cannot have.
    pub(super) fn check_rootless(&self) -> Result<(), Error> {
        let what = match self.isolation {
            Isolation::Unikernel => "the unikernel level",
            Isolation::Microvm => "the microVM level",
            Isolation::Container => match self.options.user {
                UserMode::Host => return Ok(()),
                _ => "--userns, --uidmap or --gidmap",
            },
        };
        Err(Error::NeedsRoot { what, hint: " for now; a container in this user's own namespace does without" })
    }

    fn check_network(&self) -> Result<(), Error> {
        let invalid = |text: &str| Err(Error::Invalid(text.to_owned()));
        let network = self.network.as_ref();
        let publishes = !self.publish.is_empty() || self.publish_all;
        if publishes && matches!(network, Some(NetworkMode::None)) {
            return invalid("ports cannot be published (-p) without a network; leave out --network none");
        }
        if publishes && matches!(network, Some(NetworkMode::Host)) {
            return invalid("with --network host the program's ports are the host's; leave out -p");
        }
        if publishes && matches!(network, Some(NetworkMode::Container(_))) {
            return invalid("ports are published (-p) by the container whose network is used; leave out -p here");
        }
        let bridge = network.is_none_or(|mode| *mode == NetworkMode::Bridge);
        if !bridge && (self.options.ip.is_some() || self.options.mac.is_some()) {
            return invalid("--ip and --mac-address are for the bridge; leave out --network, or them");
        }
        if matches!(network, Some(NetworkMode::Container(_))) && self.hostname.is_some() {
            return invalid("--network container:NAME takes that container's host name; leave out --hostname");
        }
        if self.options.uts == UtsMode::Host && (self.hostname.is_some() || self.options.domainname.is_some()) {
            return invalid("--uts host has the host's names; leave out --hostname and --domainname");
        }
        Ok(())
    }

    /// Flags that only the container level carries out.
    fn check_level(&self) -> Result<(), Error> {
        let (options, limits) = (&self.options, &self.options.limits);
        let security = &options.security;
        let asked = [
            (security.privileged, "--privileged"),
            (!security.cap_add.is_empty() || !security.cap_drop.is_empty(), "--cap-add or --cap-drop"),
            (security.seccomp != SeccompChoice::Default, "--security-opt seccomp"),
            (security.apparmor.is_some() || !security.label.is_empty(), "--security-opt apparmor or label"),
            (!security.mask.is_empty() || !security.unmask.is_empty(), "--security-opt mask, unmask or systempaths"),
            (!options.devices.is_empty() || !options.device_rules.is_empty(), "--device"),
            (
                options.mounts.iter().any(|mount| !mount.kind.is_volume()),
                "--tmpfs, or --mount with tmpfs or propagation,",
            ),
            (options.pid != PidMode::Private, "--pid"),
            (!matches!(options.ipc, IpcMode::Private | IpcMode::Shareable), "--ipc"),
            (options.uts != UtsMode::Private, "--uts"),
            (options.user != UserMode::Host, "--userns, --uidmap or --gidmap"),
            (options.cgroup != CgroupMode::Private || options.cgroup_parent.is_some(), "--cgroupns or --cgroup-parent"),
            (!options.sysctl.is_empty(), "--sysctl"),
            (!options.ulimits.is_empty(), "--ulimit"),
            (options.shm_size.is_some(), "--shm-size"),
            (options.oom_score_adj.is_some(), "--oom-score-adj"),
            (options.domainname.is_some(), "--domainname"),
            (!limits.is_empty(), "a limit other than --memory, --cpus, --cpuset-cpus and --pids-limit"),
            (
                matches!(self.network, Some(NetworkMode::Host | NetworkMode::Container(_) | NetworkMode::Pasta)),
                "this --network",
            ),
            (self.isolation == Isolation::Microvm && !options.hosts.is_empty(), "--add-host"),
            (
                self.isolation == Isolation::Microvm
                    && !(options.dns_search.is_empty() && options.dns_options.is_empty()),
                "--dns-search or --dns-option",
            ),
            (self.lifecycle.init, "--init"),
        ];
        match asked.into_iter().find(|(asked, _)| *asked) {
            Some((_, what)) => {
                Err(Error::Unsupported { what, level: self.isolation, hint: "; leave it out, or use --as container" })
            }
            None => Ok(()),
        }
    }

    /// Without a user namespace, `keep-id` would mean nothing.
    fn check_user_mode(&self) -> Result<(), Error> {
        match self.options.user {
            UserMode::KeepId => Err(Error::Invalid(
                "--userns keep-id is for users without root, and not there yet; use --uidmap as root".to_owned(),
            )),
            _ => Ok(()),
        }
    }

    fn check_limits(&self) -> Result<(), Error> {
        let limits = &self.options.limits;
        let invalid = |text: &str| Err(Error::Invalid(text.to_owned()));
        match (self.resources.memory, limits.memory_swap) {
            (None, Some(swap)) if swap != -1 => return invalid("--memory-swap needs a memory limit; give -m too"),
            (Some(memory), Some(swap)) if swap >= 0 && (swap as u64) < memory => {
                return invalid("--memory-swap is memory and swap together, so it cannot be less than -m");
            }
            _ => {}
        }
        if self.resources.memory.zip(limits.memory_reservation).is_some_and(|(memory, reserved)| reserved > memory) {
            return invalid("--memory-reservation cannot be more than -m");
        }
        if limits.oom_kill_disable && self.resources.memory.is_none() {
            return invalid(
                "--oom-kill-disable without a memory limit would let the instance stop the machine; give -m",
            );
        }
        Ok(())
    }

    /// We run programs of this processor only; so an image of another one is refused by its start, or here with the flag.
    pub(super) fn check_platform(&self, image: &Image) -> Result<(), Error> {
        let Some(asked) = &self.platform else { return Ok(()) };
        let own = format!("{}/{}", image.config.os, image.config.architecture);
        let variant = asked.strip_prefix(&own).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        if variant || *asked == image.config.os || *asked == image.config.architecture {
            return Ok(());
        }
        Err(Error::Invalid(format!(
            "image '{}' is for {own}, not for {asked}; load another, or leave out --platform",
            self.image
        )))
    }
}

fn is_hostname(name: &str) -> bool {
    let fine = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'.');
    !name.is_empty() && name.len() <= 64 && name.bytes().all(fine) && !name.starts_with(['-', '.'])
}
