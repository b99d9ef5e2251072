//! Runs a program of an image as a unikernel, without the engine: `unikernel-run [-t TABLE] [-m BYTES] [--trace] KERNEL
//! IMAGE PROGRAM [ARGUMENT…]`. With `--make-table IMAGE OUTPUT` it makes the table of every ELF file that
//! starts at a page of the image (or of one plain ELF file).

use std::error::Error;
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use plan::{InstanceId, Isolation, LaunchPlan, NetworkMode, NetworkPlan, Process, Resources, RootFs, Stdio, User};

type Failure = Box<dyn Error>;

fn make_table(file: &str, output: &str) -> Result<ExitCode, Failure> {
    let mut table = unikernel::rewrite::TableBuilder::new();
    let started = Instant::now();
    let image = std::fs::read(file)?;
    for (page, start) in image.chunks(4096).enumerate() {
        if unikernel::rewrite::TableBuilder::wants(start) {
            table.add(page as u64 * 4096, &image[page * 4096..]);
        }
    }
    eprintln!("{} system call instructions in {:?}", table.count(), started.elapsed());
    std::fs::write(output, table.finish())?;
    Ok(ExitCode::SUCCESS)
}

fn launch_plan(image: PathBuf, args: Vec<String>, memory: Option<u64>, trace: bool) -> LaunchPlan {
    let id = InstanceId::from_bytes(std::array::from_fn(|n| (std::process::id() >> (n % 4 * 8)) as u8));
    LaunchPlan {
        name: id.short().to_owned(),
        id,
        isolation: Isolation::Unikernel,
        image: "file".into(),
        image_digest: String::new(),
        rootfs: RootFs { erofs: image, read_only: false },
        process: Process {
            args,
            env: vec!["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".into(), "HOME=/".into()],
            cwd: "/".into(),
            user: User::default(),
            terminal: false,
        },
        hostname: "unikernel".into(),
        volumes: Vec::new(),
        resources: Resources { memory, ..Resources::default() },
        network: NetworkPlan { mode: NetworkMode::None, published: Vec::new() },
        state_dir: std::env::temp_dir(),
        auto_remove: true,
        stop_signal: 15,
        trace_syscalls: trace,
        lifecycle: plan::Lifecycle::default(),
        options: plan::Options::default(),
    }
}

fn main() -> Result<ExitCode, Failure> {
    let mut args: Vec<String> = std::env::args().skip(1).collect();
    let mut table = None;
    let mut memory = None;
    let mut trace = false;
    loop {
        match args.first().map(String::as_str) {
            Some("--make-table") => return make_table(&args[1], &args[2]),
            Some("-t") => table = Some(PathBuf::from(args.drain(..2).nth(1).ok_or("-t FILE")?)),
            Some("-m") => memory = Some(args.drain(..2).nth(1).ok_or("-m BYTES")?.parse()?),
            Some("--trace") => trace = args.drain(..1).next().is_some(),
            _ => break,
        }
    }
    let [kernel, image, ..] = &args[..] else { return Err("unikernel-run [OPTIONS] KERNEL IMAGE PROGRAM…".into()) };
    let plan = launch_plan(image.into(), args[2..].to_vec(), memory, trace);
    let extra = unikernel::Extra { rewrite_table: table, ..unikernel::Extra::default() };
    let io = Stdio {
        stdin: std::io::stdin().as_fd().try_clone_to_owned()?,
        stdout: std::io::stdout().as_fd().try_clone_to_owned()?,
        stderr: std::io::stderr().as_fd().try_clone_to_owned()?,
    };
    let begin = Instant::now();
    let started = unikernel::start(&plan, io, None, Path::new(kernel), &extra);
    let mut instance = match started {
        Ok(instance) => instance,
        Err(error) => {
            let mut source: Option<&dyn Error> = Some(&error);
            while let Some(e) = source {
                eprintln!("unikernel-run: {e}");
                source = e.source();
            }
            return Ok(ExitCode::from(error.class().exit_code()));
        }
    };
    let loaded = begin.elapsed();
    let status = instance.wait()?;
    if std::env::var_os("TIMES").is_some() {
        eprintln!("program loaded after {loaded:?}, ended after {:?}", begin.elapsed());
    }
    unikernel::destroy(&plan.id)?;
    Ok(ExitCode::from(status.code()))
}
