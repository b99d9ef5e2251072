mod checks;
mod options;
mod ports;
mod volumes;

use image::{Image, Reference};
use plan::{InstanceId, Isolation, LaunchPlan, NetworkMode, Options, PortMapping, Process, Resources, RootFs, Volume};

use crate::{Engine, Error};

/// What the user asked for, with the same meaning at every level; what is left out comes from the image.
#[derive(Debug, Clone)]
pub struct RunRequest {
    /// The level.
    pub isolation: Isolation,
    /// The image's reference.
    pub image: String,
    /// The command; empty means the image's.
    pub command: Vec<String>,
    /// Replaces the image's entry point; an empty string removes it.
    pub entrypoint: Option<String>,
    /// The instance's name; invented if not given.
    pub name: Option<String>,
    /// `NAME=VALUE`, over the image's environment.
    pub env: Vec<String>,
    /// The working directory.
    pub workdir: Option<String>,
    /// `user[:group]`, names or numbers.
    pub user: Option<String>,
    /// The host name; the short id if not given.
    pub hostname: Option<String>,
    /// Shared directories and files.
    pub volumes: Vec<Volume>,
    /// Published ports.
    pub publish: Vec<PortMapping>,
    /// Publish every port that the image names or `options.exposed`.
    pub publish_all: bool,
    /// The network; what whoever runs the engine may have if not given.
    pub network: Option<NetworkMode>,
    /// Instances whose volumes are shared: `NAME[:ro]`.
    pub volumes_from: Vec<String>,
    /// Further groups of the user, names or numbers.
    pub group_add: Vec<String>,
    /// The signal that asks the program to end; the image's if not given.
    pub stop_signal: Option<i32>,
    /// `OS/ARCH` that the image must be for.
    pub platform: Option<String>,
    /// The rest.
    pub options: Options,
    /// The limits.
    pub resources: Resources,
    /// Refuse writes to the root file system.
    pub read_only: bool,
    /// Keep standard input open.
    pub interactive: bool,
    /// Give the program a terminal.
    pub terminal: bool,
    /// Remove the instance when it ends.
    pub auto_remove: bool,
    /// Print the program's system calls.
    pub trace_syscalls: bool,
    /// Starting again, health checks, logs.
    pub lifecycle: crate::LifecycleRequest,
}

impl RunRequest {
    /// A request with nothing but an image and a level.
    pub fn new(isolation: Isolation, image: &str) -> Self {
        Self {
            isolation,
            image: image.to_owned(),
            command: Vec::new(),
            entrypoint: None,
            name: None,
            env: Vec::new(),
            workdir: None,
            user: None,
            hostname: None,
            volumes: Vec::new(),
            publish: Vec::new(),
            publish_all: false,
            network: None,
            volumes_from: Vec::new(),
            group_add: Vec::new(),
            stop_signal: None,
            platform: None,
            options: Options::default(),
            resources: Resources::default(),
            read_only: false,
            interactive: false,
            terminal: false,
            auto_remove: false,
            trace_syscalls: false,
            lifecycle: crate::LifecycleRequest::default(),
        }
    }

    /// Resolves the image and merges what it says with what was asked.
    pub(crate) fn plan(&self, engine: &Engine) -> Result<LaunchPlan, Error> {
        self.check()?;
        if engine.is_rootless() {
            self.check_rootless()?;
        }
        let reference: Reference = self.image.parse()?;
        let image = engine.images()?.resolve(&reference)?;
        self.check_platform(&image)?;
        let (id, name) = self.identity()?;
        let network = self.network_plan(engine, &image)?;
        let mut plan = LaunchPlan {
            hostname: self.hostname(engine, &network.mode, &id)?,
            state_dir: engine.instances.dir_of(&id),
            name,
            isolation: self.isolation,
            image: self.image.clone(),
            image_digest: image.digest.to_string(),
            process: self.process(&image)?,
            rootfs: RootFs { erofs: image.erofs.clone(), read_only: self.read_only },
            volumes: self.volumes(engine, &image)?,
            resources: self.resources.clone(),
            network,
            auto_remove: self.auto_remove,
            stop_signal: self.stop_signal(&image)?,
            trace_syscalls: self.trace_syscalls,
            lifecycle: self.lifecycle(&image)?,
            options: self.options(engine, &image)?,
            id,
        };
        plan.process.user.additional_gids.extend(self.groups(&image)?);
        Ok(plan)
    }

    fn identity(&self) -> Result<(InstanceId, String), Error> {
        let mut bytes = [0u8; 32];
        rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty())
            .map_err(|e| Error::System("getting random bytes", e.into()))?;
        let id = InstanceId::from_bytes(bytes);
        let seed =
            u64::from_le_bytes([bytes[8], bytes[9], bytes[10], bytes[11], bytes[12], bytes[13], bytes[14], bytes[15]]);
        Ok((id, self.name.clone().unwrap_or_else(|| crate::instance::invent_name(seed))))
    }

    fn process(&self, image: &Image) -> Result<Process, Error> {
        let config = &image.config;
        let user = match self.user.as_deref().or(Some(&config.user)).filter(|u| !u.is_empty()) {
            Some(text) => image::resolve_user(&image.erofs, text)?,
            None => plan::User::default(),
        };
        Ok(Process {
            args: self.args(image)?,
            env: self.environment(image),
            cwd: self.workdir(&config.working_dir)?,
            user,
            terminal: self.terminal,
        })
    }

    /// The user's, or else the image's; relative ones mean nothing inside.
    fn workdir(&self, image: &str) -> Result<String, Error> {
        match self.workdir.as_deref().unwrap_or(image) {
            "" => Ok("/".to_owned()),
            dir if dir.starts_with('/') => Ok(dir.to_owned()),
            dir => Err(Error::Invalid(format!("the working directory '{dir}' is not absolute; write -w /{dir}"))),
        }
    }

    /// Docker's rule: a new entry point forgets the image's command.
    fn args(&self, image: &Image) -> Result<Vec<String>, Error> {
        let (mut args, default) = match self.entrypoint.as_deref() {
            None => (image.config.entrypoint.clone(), image.config.cmd.clone()),
            Some("") => (Vec::new(), Vec::new()),
            Some(entrypoint) => (vec![entrypoint.to_owned()], Vec::new()),
        };
        args.extend(if self.command.is_empty() { default } else { self.command.clone() });
        if args.is_empty() || args[0].is_empty() {
            return Err(Error::NoCommand(self.image.clone()));
        }
        Ok(args)
    }

    fn environment(&self, image: &Image) -> Vec<String> {
        const PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
        let key = |variable: &str| variable.split_once('=').map_or(variable, |(key, _)| key).to_owned();
        let mut env: Vec<String> = vec![PATH.to_owned(), "HOME=/root".to_owned()];
        if self.terminal {
            env.push("TERM=xterm".to_owned());
        }
        for variable in image.config.env.iter().chain(&self.env) {
            let name = key(variable);
            env.retain(|old| key(old) != name);
            if variable.contains('=') {
                env.push(variable.clone());
            } else if let Ok(value) = std::env::var(variable) {
                env.push(format!("{variable}={value}"));
            }
        }
        env
    }

    /// What the user or the image says; an image that names no signal of Linux would otherwise surprise at its first `stop`.
    fn stop_signal(&self, image: &Image) -> Result<i32, Error> {
        if let Some(signal) = self.stop_signal {
            return Ok(signal);
        }
        let Some(text) = image.config.stop_signal.as_deref().filter(|text| !text.is_empty()) else {
            return Ok(libc::SIGTERM);
        };
        let bad = |error| Error::Invalid(format!("the image's configuration has a bad StopSignal: {error}"));
        crate::parse_signal(text).map_err(bad)
    }
}
