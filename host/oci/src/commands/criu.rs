//! Checkpoint and restore by CRIU's command line (criu(8)).

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use oci_spec::runtime::{LinuxNamespaceType, Spec};

use crate::args::{CgroupsMode, CheckpointArgs, CriuArgs, RestoreArgs};
use crate::bundle::Bundle;
use crate::commands::create::New;
use crate::commands::{Context, delete, groups, levels, terminal};
use crate::error::Error;
use crate::state::{Identity, Level, Status};

/// Files that CRIU must be told about because they come from outside: the mounts of the configuration that are binds.
fn external_mounts(spec: &Spec) -> Vec<(String, PathBuf)> {
    let is_bind = |mount: &&oci_spec::runtime::Mount| {
        mount.typ().as_deref() == Some("bind")
            || mount.options().iter().flatten().any(|option| matches!(option.as_str(), "bind" | "rbind"))
    };
    let mounts = spec.mounts().iter().flatten().filter(is_bind);
    mounts.filter_map(|mount| Some((mount.destination().to_str()?.to_owned(), mount.source().clone()?))).collect()
}

/// Saves a running container.
pub(crate) fn checkpoint(context: &Context, args: &CheckpointArgs) -> Result<(), Error> {
    let entry = context.root.open(&args.id)?;
    let _lock = entry.wait_lock()?;
    let record = entry.record()?;
    refuse_level(record.level, "be saved")?;
    let (status, process) = entry.status(Some(&record))?;
    let Some(process) = process.filter(|_| status == Status::Running) else {
        return Err(Error::Status { action: "checkpoint", id: args.id.to_string(), status, wanted: "running" });
    };
    let spec = entry.spec(&record)?;
    let mut criu = command(context, if args.pre_dump { "pre-dump" } else { "dump" }, &args.criu)?;
    criu.arg("--tree").arg(process.pid.to_string()).arg("--root").arg(&record.rootfs);
    for (destination, _) in external_mounts(&spec) {
        criu.arg("--external").arg(format!("mnt[{destination}]:{destination}"));
    }
    if args.leave_running {
        criu.arg("--leave-running");
    }
    if args.pre_dump || args.parent_path.is_some() {
        criu.arg("--track-mem");
    }
    if let Some(parent) = &args.parent_path {
        criu.arg("--prev-images-dir").arg(parent);
    }
    if let Some(server) = &args.page_server {
        let (address, port) = server.rsplit_once(':').ok_or(Error::Usage("--page-server is ADDRESS:PORT"))?;
        criu.args(["--page-server", "--address", address, "--port", port]);
    }
    if let Some(fd) = args.status_fd {
        criu.arg("--status-fd").arg(fd.to_string());
    }
    run(criu, "dump", &args.criu)?;
    if args.leave_running || args.pre_dump { Ok(()) } else { delete::finish(context, &entry, &record) }
}

/// Makes a container of what was saved.
pub(crate) fn restore(context: &Context, args: &RestoreArgs) -> Result<u8, Error> {
    let bundle = Bundle::open(&args.io.bundle, None)?;
    refuse_level(levels::choose(context, &bundle.spec)?, "be restored")?;
    let mut new = New::reserve(context, &args.id, &bundle, Level::Container)?;
    let restored = restore_processes(context, args, &bundle, &mut new);
    let identity = new.finish(restored)?;
    if args.detach {
        return Ok(0);
    }
    // CRIU's restored process is not our child, so its status is not ours to know; its end is.
    if let Ok(Some(process)) = identity.open() {
        let mut ended = [rustix::event::PollFd::from_borrowed_fd(process.pidfd(), rustix::event::PollFlags::IN)];
        let waited = rustix::io::retry_on_intr(|| rustix::event::poll(&mut ended, None));
        waited.map_err(Error::system("wait for the restored program"))?;
    }
    delete::delete(context, &args.id, true)?;
    Ok(0)
}

fn restore_processes(context: &Context, args: &RestoreArgs, bundle: &Bundle, new: &mut New) -> Result<Identity, Error> {
    let path = groups::path(&args.id, &bundle.spec)?;
    let group = groups::create(context, &path, new.record.cgroups, &bundle.spec)?;
    let pid_file = new.entry.path().join("restored.pid");
    let restored = (|| {
        let mut criu = command(context, "restore", &args.criu)?;
        criu.arg("--root").arg(bundle.rootfs()).arg("--restore-detached").arg("--pidfile").arg(&pid_file);
        for (destination, source) in external_mounts(&bundle.spec) {
            let source = bundle.path.join(source);
            criu.arg("--external").arg(format!("mnt[{destination}]:{}", source.display()));
        }
        for (flag, value) in [("--lsm-profile", &args.lsm_profile), ("--lsm-mount-context", &args.lsm_mount_context)] {
            if let Some(value) = value {
                criu.arg(flag).arg(value);
            }
        }
        if args.io.console_socket.is_some() {
            return Err(Error::Usage("restore cannot give the program a new terminal: leave --console-socket out"));
        }
        run(criu, "restore", &args.criu)?;
        let text = crate::bundle::read_text(&pid_file)?;
        let pid = text.trim().parse().map_err(|_| Error::Usage("criu wrote no process id"))?;
        group.add(pid)?;
        let identity = Identity::of(pid).map_err(|_| Error::Container(container::Error::Died))?;
        new.record.process = Some(identity);
        new.entry.replace(&new.record)?;
        if let Ok(Some(process)) = identity.open() {
            terminal::announce(pid, process.pidfd(), args.io.pid_file.as_deref(), None)?;
        }
        Ok(identity)
    })();
    restored.inspect_err(|_| {
        let _ = group.remove();
    })
}

fn refuse_level(level: Level, action: &'static str) -> Result<(), Error> {
    let (level, reason) = match level {
        Level::Container => return Ok(()),
        Level::Unikernel => ("unikernel", "CRIU knows processes of Linux only"),
        Level::Microvm => ("microVM", "CRIU cannot look into a virtual machine"),
    };
    Err(Error::Level { level, action, reason })
}

/// CRIU with what dump and restore have in common.
fn command(context: &Context, action: &str, args: &CriuArgs) -> Result<Command, Error> {
    let make = |path: &Path| {
        std::fs::create_dir_all(path).map_err(|source| Error::File {
            action: "make the directory",
            path: path.to_owned(),
            source,
        })
    };
    if action != "restore" {
        make(&args.image_path)?;
    }
    let work = work_path(args);
    make(work)?;
    let mut criu = Command::new(&context.globals.criu);
    criu.arg(action).arg("--images-dir").arg(&args.image_path).arg("--work-dir").arg(work);
    criu.args(["--log-file", LOG, "-v4"]);
    let mode = match args.manage_cgroups_mode {
        CgroupsMode::Soft => "soft",
        CgroupsMode::Full => "full",
        CgroupsMode::Strict => "strict",
        CgroupsMode::Ignore => "ignore",
    };
    criu.arg(format!("--manage-cgroups={mode}"));
    let flags = [
        (args.tcp_established, "--tcp-established"),
        (args.ext_unix_sk, "--ext-unix-sk"),
        (args.shell_job, "--shell-job"),
        (args.file_locks, "--file-locks"),
        (args.auto_dedup, "--auto-dedup"),
        (args.lazy_pages, "--lazy-pages"),
    ];
    criu.args(flags.iter().filter(|(given, _)| *given).map(|(_, flag)| flag));
    for namespace in &args.empty_ns {
        if namespace != &LinuxNamespaceType::Network.to_string() && namespace != "net" {
            return Err(Error::Usage("--empty-ns: CRIU knows this for the network namespace only"));
        }
        criu.args(["--empty-ns", "net"]);
    }
    Ok(criu)
}

const LOG: &str = "criu.log";

fn work_path(args: &CriuArgs) -> &Path {
    args.work_path.as_deref().unwrap_or(&args.image_path)
}

/// Runs it; its failure is told in its own words, the last error line of its log.
fn run(mut criu: Command, action: &'static str, args: &CriuArgs) -> Result<(), Error> {
    let output = criu.stdin(Stdio::null()).output();
    let output = output.map_err(|source| match source.kind() {
        std::io::ErrorKind::NotFound => Error::Criu { action, reason: "criu is not installed".to_owned() },
        _ => Error::System { action: "run criu", source },
    })?;
    if output.status.success() {
        return Ok(());
    }
    let log_file = work_path(args).join(LOG);
    let log = std::fs::read(&log_file).unwrap_or_default();
    let log = String::from_utf8_lossy(&log);
    let said = String::from_utf8_lossy(&output.stderr);
    let error =
        log.lines().find(|line| line.contains("Error ")).or_else(|| said.lines().last()).unwrap_or("no reason given");
    let reason: String = error.chars().filter(|c| !c.is_control()).collect();
    Err(Error::Criu { action, reason: format!("{} (see {})", reason.trim(), log_file.display()) })
}
