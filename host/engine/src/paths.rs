use std::path::{Path, PathBuf};

/// Where the engine keeps what it knows.
#[derive(Debug, Clone)]
pub struct Paths {
    root: PathBuf,
    run: PathBuf,
    libexec: PathBuf,
    rootless: bool,
}

impl Paths {
    /// The system's directories: `/var/lib/coracle` for what outlives a reboot, `/run/coracle` for what does not.
    pub fn system() -> Self {
        Self {
            root: "/var/lib/coracle".into(),
            run: "/run/coracle".into(),
            libexec: default_libexec(),
            rootless: false,
        }
    }

    /// As `coracle` finds them without `--root`: below `CORACLE_ROOT` if that is set.
    pub fn from_environment() -> Self {
        std::env::var_os("CORACLE_ROOT").map_or_else(Self::system, |root| Self::below(Path::new(&root)))
    }

    pub(crate) fn at(root: PathBuf, run: PathBuf) -> Self {
        Self { root, run, libexec: default_libexec(), rootless: false }
    }

    /// Everything below one directory (`--root`): separate engines for tests and users do not see each other.
    pub fn below(root: &Path) -> Self {
        Self { root: root.to_owned(), run: root.join("run"), libexec: default_libexec(), rootless: false }
    }

    /// The same for a user without root, who has entered a user namespace of its own.
    pub fn rootless(self) -> Self {
        Self { rootless: true, ..self }
    }

    /// Whether whoever runs the engine is root in a user namespace only.
    pub fn is_rootless(&self) -> bool {
        self.rootless
    }

    /// The image store.
    pub fn images(&self) -> PathBuf {
        self.root.join("images")
    }

    /// One directory per instance.
    pub fn instances(&self) -> PathBuf {
        self.root.join("instances")
    }

    /// One file per instance name, holding the id.
    pub fn names(&self) -> PathBuf {
        self.root.join("names")
    }

    /// One directory per named volume.
    pub fn volumes(&self) -> PathBuf {
        self.root.join("volumes")
    }

    /// One table of system call instructions per image that ran as a unikernel.
    pub fn sites(&self) -> PathBuf {
        self.root.join("sites")
    }

    /// Guest kernels of microVMs.
    pub fn kernels(&self) -> PathBuf {
        self.root.join("kernels")
    }

    /// What happened.
    pub(crate) fn events(&self) -> PathBuf {
        self.root.join("events.log")
    }

    /// What does not outlive a reboot.
    pub fn run(&self) -> &Path {
        &self.run
    }

    /// The root of all that outlives a reboot.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The unikernel's program.
    pub fn unikernel(&self) -> PathBuf {
        self.libexec.join("coracle-unikernel")
    }

    /// The program that measures what a system call costs.
    pub fn probe(&self) -> PathBuf {
        self.libexec.join("coracle-probe")
    }

    /// The first process of containers with `--init`.
    pub fn init(&self) -> PathBuf {
        self.libexec.join("coracle-init")
    }

    /// The microVM's agent.
    pub fn agent(&self) -> PathBuf {
        self.libexec.join("coracle-agent")
    }
}

/// Makes the file of the running program unwritable for programs of containers, by executing it again: see
/// [`container::protect_own_program`]. To be called first by a program that starts or enters instances.
///
/// # Errors
/// The error of the system call that failed.
pub fn protect_own_program() -> std::io::Result<()> {
    let arguments: Vec<_> = std::env::args_os().collect();
    container::protect_own_program(&arguments, &[(LIBEXEC, default_libexec().as_os_str())])
}

const LIBEXEC: &str = "CORACLE_LIBEXEC";

/// Guest programs lie beside `coracle`, or in `../libexec/coracle` of where it is installed; `CORACLE_LIBEXEC` overrides both.
fn default_libexec() -> PathBuf {
    if let Some(dir) = std::env::var_os(LIBEXEC) {
        return dir.into();
    }
    let own = std::env::current_exe().ok().and_then(|exe| exe.parent().map(Path::to_owned)).unwrap_or_default();
    let installed = own.join("../libexec/coracle");
    if installed.join("coracle-unikernel").exists() { installed } else { own }
}
