//! buildah, `podman build` and `docker build` run the steps of a recipe by the runtime.

use engine_tests::{Cage, Done, Engine, IMAGE, Kind, cases, installed, runtime};

const LIMITS: [&str; 2] = ["--ulimit=nofile=1024:1024", "--ulimit=nproc=4096:4096"];

struct Buildah {
    engine: Engine,
}

impl Buildah {
    /// In Podman's cage and store.
    fn start() -> Option<Self> {
        installed("buildah", &["buildah"]).then(|| Engine::start(Kind::Podman)).flatten().map(|engine| Self { engine })
    }

    fn cage(&self) -> &Cage {
        self.engine.cage()
    }

    fn buildah(&self, words: &[&str]) -> Done {
        let dir = self.cage().dir().display();
        let mut command = self.cage().command("buildah");
        command
            .arg(format!("--root={dir}/store"))
            .arg(format!("--runroot={dir}/runroot"))
            .arg("--storage-driver=overlay");
        command.env("TMPDIR", self.cage().dir()).args(words).output().expect("nsenter runs").into()
    }
}

fn runtime_flag() -> String {
    format!("--runtime={}", runtime().display())
}

#[test]
fn buildah_builds() {
    let Some(buildah) = Buildah::start() else { return };
    let runtime = runtime_flag();
    let group = format!("--cgroup-parent={}", buildah.cage().group());
    let build = |context: &str| {
        let words =
            ["build", &runtime, &group, "--isolation=oci", "--network=none", "--layers", "-t", "built", context];
        buildah.buildah(&[&words[..1], &LIMITS, &words[1..]].concat())
    };
    cases::build(buildah.cage(), build, || buildah.engine.cli(&built(&buildah.engine)));
    cases::failing_build(buildah.cage(), build);
    // A build that failed keeps its working containers.
    buildah.buildah(&["rm", "--all"]).ok();
    buildah.engine.assert_clean();
}

#[test]
fn buildah_runs() {
    let Some(buildah) = Buildah::start() else { return };
    let name = buildah.buildah(&[&["from", "--pull-never"], &LIMITS[..], &[IMAGE]].concat()).ok();
    let runtime = runtime_flag();
    let run = |words: &[&str]| {
        buildah.buildah(&[&["run", &runtime, "--isolation=oci", "--network=none", &name][..], words].concat())
    };
    assert_eq!(run(&["echo", "hi"]).ok(), "hi");
    run(&["sh", "-c", "exit 3"]).fails(3);
    run(&["sh", "-c", "echo kept >/file"]).ok();
    assert_eq!(run(&["cat", "/file"]).ok(), "kept");
    assert_ne!(run(&["nosuch"]).code, 0);
    buildah.buildah(&["rm", &name]).ok();
    buildah.engine.assert_clean();
}

#[test]
fn podman_builds() {
    let Some(engine) = Engine::start(Kind::Podman) else { return };
    let group = format!("--cgroup-parent={}", engine.cage().group());
    let build = |context: &str| {
        let words = ["build", &group, "--isolation=oci", "--network=none", "-t", "built", context];
        engine.cli(&[&words[..1], &LIMITS, &words[1..]].concat())
    };
    cases::build(engine.cage(), build, || engine.cli(&built(&engine)));
    cases::failing_build(engine.cage(), build);
    engine.assert_clean();
}

#[test]
fn docker_builds() {
    let Some(engine) = Engine::start(Kind::Docker) else { return };
    let build = |context: &str| {
        let mut command = engine.command();
        command.env("DOCKER_BUILDKIT", "0").args(["build", "--network=none", "-t", "built", context]);
        command.output().expect("nsenter runs").into()
    };
    cases::build(engine.cage(), build, || engine.cli(&built(&engine)));
    cases::failing_build(engine.cage(), build);
    engine.assert_clean();
}

/// `run` of the image that was built.
fn built(engine: &Engine) -> Vec<&str> {
    let words = engine.words(&["--rm"], &[]);
    words.into_iter().map(|word| if word == IMAGE { "built" } else { word }).collect()
}
