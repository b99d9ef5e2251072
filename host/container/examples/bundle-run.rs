//! Runs one container from a bundle: the smallest possible supervisor, single-threaded as `create` demands. The tests drive it.
//!
//! `bundle-run BUNDLE run`: runs it and exits with the program's status.
//! `bundle-run BUNDLE create [CONSOLE-SOCKET]`: creates it, waiting at the bundle's socket `start`, and writes its `pid`.
//! `bundle-run BUNDLE start`: starts what was created.
//! `bundle-run BUNDLE exec PROCESS.json [CONSOLE-SOCKET]`: runs another program in it and exits with its status.
//! `bundle-run BUNDLE delete`: kills it and removes its groups.
//!
//! The file `options` of the bundle may hold the words `no-pivot`, `no-new-keyring` and `preserve-fds=N`.

use std::error::Error;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use cgroup::{DevicePolicy, Group, GroupPath, Manager};
use container::{ExecOptions, Io, Options, Request, RootSource, Target};
use oci_spec::runtime::{Process, Spec};
use plan::ExitStatus;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketType};
use rustix::process::{Pid, PidfdFlags};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().collect();
    let args: Vec<&str> = args.iter().skip(1).map(String::as_str).collect();
    let result = match args[..] {
        [bundle, "run"] => run(Path::new(bundle)),
        [bundle, "create"] => create(Path::new(bundle), None),
        [bundle, "create", socket] => create(Path::new(bundle), Some(socket)),
        [bundle, "start"] => container::start(Path::new(bundle)).map(|()| ExitStatus::Exited(0)).map_err(Into::into),
        [bundle, "exec", process] => exec(Path::new(bundle), process, None),
        [bundle, "exec", process, socket] => exec(Path::new(bundle), process, Some(socket)),
        [bundle, "delete"] => delete(Path::new(bundle)),
        _ => Err("usage: bundle-run BUNDLE run | create | start | exec | delete".into()),
    };
    match result {
        Ok(status) => ExitCode::from(status.code()),
        Err(error) => {
            let class = error.downcast_ref::<container::Error>().map_or(125, |error| error.class().exit_code());
            eprint!("bundle-run: {error}");
            let mut source = error.source();
            while let Some(error) = source {
                eprint!(": {error}");
                source = error.source();
            }
            eprintln!();
            ExitCode::from(class)
        }
    }
}

/// A bundle, read.
struct Loaded {
    bundle: PathBuf,
    spec: Spec,
    id: String,
    words: Vec<String>,
}

impl Loaded {
    fn new(bundle: &Path) -> Result<Self> {
        let options = std::fs::read_to_string(bundle.join("options")).unwrap_or_default();
        Ok(Self {
            bundle: bundle.to_owned(),
            spec: serde_json::from_slice(&std::fs::read(bundle.join("config.json"))?)?,
            id: std::fs::read_to_string(bundle.join("id"))?.trim().to_owned(),
            words: options.split_ascii_whitespace().map(str::to_owned).collect(),
        })
    }

    fn group(&self) -> Result<Group> {
        let path = GroupPath::for_container(&self.id)?;
        let resources = self.spec.linux().as_ref().and_then(|linux| linux.resources().as_ref());
        Ok(Group::create(&path, Manager::Cgroupfs, resources, DevicePolicy::Rules, false)?)
    }

    fn has(&self, word: &str) -> bool {
        self.words.iter().any(|other| other == word)
    }

    fn preserve_fds(&self) -> u32 {
        self.words.iter().find_map(|word| word.strip_prefix("preserve-fds=")?.parse().ok()).unwrap_or(0)
    }

    fn request<'a>(&'a self, cgroup: &'a Group, io: Io, state_dir: Option<&'a Path>) -> Request<'a> {
        let root = match self.bundle.join("image.erofs") {
            _ if !self.has("image") => RootSource::Spec,
            erofs => RootSource::Image { erofs: Box::leak(erofs.into_boxed_path()), layer: None, volatile: true },
        };
        Request {
            id: &self.id,
            spec: &self.spec,
            bundle: &self.bundle,
            root,
            io,
            cgroup,
            options: Options {
                default_filter: false,
                no_pivot: self.has("no-pivot"),
                no_new_keyring: self.has("no-new-keyring"),
                preserve_fds: self.preserve_fds(),
                listen_fds: 0,
                state_dir,
            },
        }
    }
}

fn run(bundle: &Path) -> Result<ExitStatus> {
    let loaded = Loaded::new(bundle)?;
    let cgroup = loaded.group()?;
    let result = container::create(&loaded.request(&cgroup, Io::Inherit, None)).and_then(|created| {
        let mut running = created.start()?;
        running.wait()
    });
    cgroup.kill()?;
    cgroup.remove()?;
    Ok(result?)
}

fn io(socket: Option<&str>) -> Result<Io> {
    let Some(path) = socket else { return Ok(Io::Inherit) };
    let socket = rustix::net::socket(AddressFamily::UNIX, SocketType::STREAM, None)?;
    rustix::net::connect(&socket, &SocketAddrUnix::new(path)?)?;
    Ok(Io::ConsoleSocket(socket))
}

fn create(bundle: &Path, socket: Option<&str>) -> Result<ExitStatus> {
    let loaded = Loaded::new(bundle)?;
    let cgroup = loaded.group()?;
    let made =
        container::create(&loaded.request(&cgroup, io(socket)?, Some(bundle))).and_then(|created| created.leave());
    match made {
        Ok(running) => {
            std::fs::write(bundle.join("pid"), running.pid().to_string())?;
            Ok(ExitStatus::Exited(0))
        }
        Err(error) => {
            cgroup.remove()?;
            Err(error.into())
        }
    }
}

fn exec(bundle: &Path, process: &str, socket: Option<&str>) -> Result<ExitStatus> {
    let loaded = Loaded::new(bundle)?;
    let process: Process = serde_json::from_slice(&std::fs::read(process)?)?;
    let pid: i32 = std::fs::read_to_string(bundle.join("pid"))?.parse()?;
    let pidfd: OwnedFd = rustix::process::pidfd_open(Pid::from_raw(pid).ok_or("not a process")?, PidfdFlags::empty())?;
    let cgroup = Group::open(&GroupPath::for_container(&loaded.id)?)?;
    let target = Target { pid, pidfd: pidfd.as_fd(), spec: &loaded.spec, cgroup: &cgroup };
    let options = ExecOptions {
        no_new_keyring: loaded.has("no-new-keyring"),
        preserve_fds: loaded.preserve_fds(),
        ..ExecOptions::default()
    };
    Ok(container::exec(&target, &process, io(socket)?, &options)?.wait()?)
}

fn delete(bundle: &Path) -> Result<ExitStatus> {
    let loaded = Loaded::new(bundle)?;
    let cgroup = Group::open(&GroupPath::for_container(&loaded.id)?)?;
    cgroup.kill()?;
    cgroup.remove()?;
    let _ = std::fs::remove_file(bundle.join("start"));
    Ok(ExitStatus::Exited(0))
}
