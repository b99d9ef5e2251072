//! Measures start to first output, and the proportional set size of a running virtual machine.
//!
//! `start_time KERNELS AGENT IMAGE [ROUNDS [MIB [CPUS [SECONDS]]]]`; the image needs `/bin/sh` and `sleep`.

use std::path::Path;
use std::time::{Duration, Instant};

use plan::{InstanceId, Isolation, LaunchPlan, NetworkMode, NetworkPlan, Process, Resources, RootFs, Stdio, User};
use rustix::pipe::{PipeFlags, pipe_with};

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let number =
        |index: usize, default: u64| arguments.get(index).and_then(|text| text.parse().ok()).unwrap_or(default);
    let kernel = microvm::kernel::locate(Path::new(&arguments[1])).expect("an installed kernel");
    println!("{:?}", microvm::hypervisor());
    let mut times = Vec::new();
    for round in 0..number(4, 5) {
        let state = tempfile::tempdir().expect("a directory");
        let plan = plan(&arguments[3], state.path(), number(5, 256) << 20, number(6, 1) as u32 * 1000);
        let pipe = || pipe_with(PipeFlags::CLOEXEC).expect("a pipe");
        let ((stdin, _to), (from, stdout), (_error, stderr)) = (pipe(), pipe(), pipe());
        let begin = Instant::now();
        let mut vm = microvm::start(&plan, Stdio { stdin, stdout, stderr }, None, &kernel, Path::new(&arguments[2]))
            .expect("a virtual machine");
        let started = begin.elapsed();
        rustix::io::ioctl_fionbio(&from, true).expect("non-blocking");
        while rustix::io::read(&from, &mut [0; 16]).unwrap_or(0) == 0 {
            vm.handle_ready().expect("a running program");
            std::thread::sleep(Duration::from_micros(200));
        }
        times.push(begin.elapsed());
        std::thread::sleep(Duration::from_secs(number(7, 1)));
        let rollup = std::fs::read_to_string(format!("/proc/{}/smaps_rollup", vm.pid())).unwrap_or_default();
        let fields = rollup.lines().filter(|line| line.starts_with("Pss") || line.starts_with("Rss"));
        let fields: Vec<String> =
            fields.map(|line| line.split_whitespace().take(2).collect::<Vec<_>>().join(" ")).collect();
        println!(
            "round {round}: started {started:.2?}, first output {:.2?}; {}",
            times[times.len() - 1],
            fields.join(", ")
        );
    }
    times.sort();
    println!("median start to first output: {:.2?}", times[times.len() / 2]);
}

fn plan(image: &str, state: &Path, memory: u64, cpu_millis: u32) -> LaunchPlan {
    let mut id = [0; 32];
    rustix::rand::getrandom(&mut id, rustix::rand::GetRandomFlags::empty()).expect("random bytes");
    LaunchPlan {
        id: InstanceId::from_bytes(id),
        name: "measure".into(),
        isolation: Isolation::Microvm,
        image: "measure".into(),
        image_digest: String::new(),
        rootfs: RootFs { erofs: image.into(), read_only: false },
        process: Process {
            args: ["/bin/sh", "-c", "echo up; exec sleep 1000"].map(str::to_owned).to_vec(),
            env: vec!["PATH=/bin".into()],
            cwd: "/".into(),
            user: User::default(),
            terminal: false,
        },
        hostname: "measure".into(),
        volumes: Vec::new(),
        resources: Resources { memory: Some(memory), cpu_millis: Some(cpu_millis), cpuset: None, pids: None },
        network: NetworkPlan { mode: NetworkMode::None, published: Vec::new() },
        state_dir: state.to_owned(),
        auto_remove: false,
        stop_signal: 15,
        trace_syscalls: false,
        lifecycle: plan::Lifecycle::default(),
        options: plan::Options::default(),
    }
}
