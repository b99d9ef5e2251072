//! Packs a program of the host into an image: the program, its loader and libraries, and what the user adds.

mod closure;
mod elf;
mod error;
mod files;
mod ldcache;
mod request;
mod script;
mod tarball;

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{BufWriter, Read, Write};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

pub use elf::ElfError;
pub use error::PackError;
pub use ldcache::parse as parse_ld_so_cache;
pub use request::{Addition, AdditionError, Missing, PackRequest, Packed};

use crate::config::{ConfigFile, Execution, RootFs};
use crate::digest::Hashing;
use crate::file::{At, FileError};
use crate::oci::LAYER;
use crate::progress::Meter;
use crate::store::{LayerBlob, NewImage, StagedBlob, Staging, Store};
use crate::{Compression, Limits, OnProgress, Phase};
use closure::Libraries;
use files::{FileSet, Item};

/// What `env` and shells search when the environment has no `PATH`.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// A script may name a script as its interpreter this often (`BINPRM_MAX_RECURSION` of the kernel).
const MAX_SCRIPTS: usize = 5;

/// Files that programs expect of any system. The user's own come first.
const BASE: [(&str, &str); 6] = [
    ("/etc/passwd", "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n"),
    ("/etc/group", "root:x:0:\nnogroup:x:65534:\n"),
    ("/etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n"),
    ("/etc/hosts", ""),
    ("/etc/resolv.conf", ""),
    ("/etc/hostname", ""),
];

const DIRECTORIES: [(&str, u32); 7] = [
    ("/tmp", 0o1777),
    ("/var/tmp", 0o1777),
    ("/run", 0o755),
    ("/root", 0o700),
    ("/proc", 0o755),
    ("/sys", 0o755),
    ("/dev", 0o755),
];

/// Makes an image of a program of this host and puts it into the store.
///
/// The program is not run. The same files give the same digest: entries are sorted, owners are root, and the times of the
/// program and its libraries are zero.
pub fn pack(store: &Store, request: &PackRequest, on_progress: OnProgress<'_>) -> Result<Packed, PackError> {
    if request.name.name().is_none() || request.name.digest().is_some() {
        return Err(PackError::NoName(request.name.clone()));
    }
    let mut meter = Meter::new(on_progress, Phase::Packing);
    let mut packer = Packer { files: FileSet::default(), libraries: Libraries::of_host(), missing: Vec::new() };
    packer.add_merged_directories()?;
    let program = std::path::absolute(&request.program).at("find", &request.program)?;
    packer.add_program(&program)?;
    for addition in &request.add {
        packer.add(addition, request.source_date_epoch)?;
    }
    packer.add_base()?;
    let Packer { files, missing, .. } = packer;
    let staging = Staging::new(store)?;
    let layer = write_layer(&files, &staging, &mut meter)?;
    let config = config(request, &program, &layer)?;
    let layer = LayerBlob { blob: layer, media_type: LAYER.to_owned(), labelled: Some(Compression::None) };
    let image = NewImage { manifest: None, config, layers: vec![layer], names: vec![request.name.clone()] };
    // The host's own files are no stranger's archive.
    let limits = Limits { unpacked_bytes: u64::MAX, entries: u64::MAX, ..Limits::default() };
    let image = store.add(&staging, vec![image], &limits, &mut meter)?.pop();
    let image = image.ok_or_else(|| PackError::NoName(request.name.clone()))?;
    Ok(Packed { image, missing })
}

fn write_layer(files: &FileSet, staging: &Staging, meter: &mut Meter<'_>) -> Result<StagedBlob, PackError> {
    let path = staging.new_path();
    let file = File::create_new(&path).at("create", &path)?;
    let mut out = Hashing::new(BufWriter::with_capacity(256 << 10, file));
    tarball::write(files, &mut out, &path, &mut |bytes| meter.add(bytes))?;
    let (mut out, digest, size) = out.finish();
    out.flush().at("write", &path)?;
    Ok(StagedBlob { path, digest, size })
}

fn config(request: &PackRequest, program: &Path, layer: &StagedBlob) -> Result<Vec<u8>, PackError> {
    let program = program.to_str().ok_or_else(|| PackError::NotUtf8(program.to_owned()))?;
    let mut env = request.env.clone();
    if !env.iter().any(|variable| variable.starts_with("PATH=")) {
        env.insert(0, format!("PATH={PATH}"));
    }
    let cmd = request.cmd.clone().unwrap_or_else(|| vec![program.to_owned()]);
    let execution = Execution {
        user: request.user.clone(),
        exposed_ports: request.exposed_ports.iter().map(|port| (port.clone(), serde_json::json!({}))).collect(),
        env,
        entrypoint: request.entrypoint.clone(),
        cmd,
        working_dir: request.working_dir.clone(),
        ..Execution::default()
    };
    let config = ConfigFile {
        created: Some(request::rfc3339(request.source_date_epoch.unwrap_or(0))),
        architecture: "amd64".to_owned(),
        os: "linux".to_owned(),
        config: execution,
        rootfs: RootFs { diff_ids: vec![layer.digest], ..RootFs::default() },
    };
    Ok(serde_json::to_vec(&config).map_err(std::io::Error::from).at("encode the configuration of", &request.program)?)
}

struct Packer {
    files: FileSet,
    libraries: Libraries,
    missing: Vec<Missing>,
}

impl Packer {
    /// Where the host has `/lib` → `usr/lib` and the like, the image has it too, whatever comes first into it.
    fn add_merged_directories(&mut self) -> Result<(), PackError> {
        for name in ["/bin", "/sbin", "/lib", "/lib64"] {
            let path = Path::new(name);
            if path.is_symlink() && path.is_dir() {
                self.files.add_host_path(path)?;
            }
        }
        Ok(())
    }

    fn add_program(&mut self, program: &Path) -> Result<(), PackError> {
        let metadata = match program.metadata() {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(PackError::NoProgram(program.to_owned()));
            }
            result => result.at("find", program)?,
        };
        if !metadata.is_file() {
            return Err(PackError::NotAFile(program.to_owned()));
        }
        if metadata.permissions().mode() & 0o111 == 0 {
            return Err(PackError::NotExecutable(program.to_owned()));
        }
        let real = self.files.add_host_path(program)?;
        let start = read_start(&real)?;
        let missing = if elf::is_elf(&start) {
            let bytes = fs::read(&real).at("read", &real)?;
            let parsed = elf::parse(&bytes).map_err(|source| PackError::Elf { path: real.clone(), source })?;
            match parsed {
                Some(elf) => self.libraries.add_closure(&mut self.files, &real, &real, elf)?,
                None => Vec::new(),
            }
        } else {
            self.add_interpreter(&real, &start, MAX_SCRIPTS)?
        };
        missing.into_iter().next().map_or(Ok(()), |missing| Err(PackError::Missing(missing)))
    }

    /// Adds what a script is run by; returns what of that does not exist.
    fn add_interpreter(&mut self, script: &Path, start: &[u8], left: usize) -> Result<Vec<Missing>, PackError> {
        let Some(shebang) = script::parse(start).filter(|_| left > 0) else { return Ok(Vec::new()) };
        let lacks = |name: &str| Missing { name: name.to_owned(), needed_by: script.to_owned() };
        let mut missing = Vec::new();
        let mut programs = vec![shebang.interpreter.clone()];
        if let Some(name) = shebang.started_by_env() {
            match find_in_path(name) {
                Some(path) => programs.push(path),
                None => missing.push(lacks(name)),
            }
        }
        for program in programs {
            if !program.is_file() {
                missing.push(lacks(&program.to_string_lossy()));
                continue;
            }
            let real = self.files.add_host_path(&program)?;
            missing.extend(match closure::read_elf(&real)? {
                Some(elf) => self.libraries.add_closure(&mut self.files, &real, &real, elf)?,
                None => self.add_interpreter(&real, &read_start(&real)?, left - 1)?,
            });
        }
        Ok(missing)
    }

    /// Adds a file or a whole directory of the host, and the libraries of all programs in it.
    fn add(&mut self, addition: &Addition, epoch: Option<u64>) -> Result<(), PackError> {
        let host = std::path::absolute(&addition.host).at("find", &addition.host)?;
        let mut pending = vec![(host, addition.guest.clone(), true)];
        while let Some((host, guest, first)) = pending.pop() {
            // What the user named is followed; links inside a directory stay links.
            let metadata = if first { host.metadata() } else { host.symlink_metadata() }.at("find", &host)?;
            // Times are kept, since compiled Python files carry those of their sources; as reproducible-builds.org has it,
            // none is later than SOURCE_DATE_EPOCH.
            let mtime = epoch.map_or(metadata.mtime(), |epoch| metadata.mtime().min(epoch as i64));
            let kind = metadata.file_type();
            if metadata.is_dir() {
                self.files.add_at(&guest, Item::Directory { mode: files::mode_of(&metadata), mtime })?;
                for entry in fs::read_dir(&host).at("read", &host)? {
                    let name = entry.at("read", &host)?.file_name();
                    pending.push((host.join(&name), guest.join(&name), false));
                }
            } else if metadata.is_symlink() {
                let target = fs::read_link(&host).at("read", &host)?;
                self.files.add_at(&guest, Item::Symlink { target, mtime })?;
            } else if metadata.is_file() {
                self.files.add_at(&guest, Item::host_file(&host, &metadata, mtime))?;
                self.add_dependencies(&host, &guest, metadata.mode() & 0o111 != 0)?;
            } else if !kind.is_socket() {
                return Err(PackError::NotAFile(host));
            }
        }
        Ok(())
    }

    fn add_dependencies(&mut self, host: &Path, guest: &Path, executable: bool) -> Result<(), PackError> {
        let missing = match closure::read_elf(host)? {
            Some(elf) => self.libraries.add_closure(&mut self.files, host, guest, elf)?,
            None if executable => self.add_interpreter(host, &read_start(host)?, MAX_SCRIPTS)?,
            None => Vec::new(),
        };
        self.missing.extend(missing);
        Ok(())
    }

    fn add_base(&mut self) -> Result<(), PackError> {
        for (path, mode) in DIRECTORIES {
            if !self.files.contains(Path::new(path)) {
                self.files.add_at(Path::new(path), Item::directory(mode))?;
            }
        }
        let mut base: Vec<(&str, Vec<u8>)> =
            BASE.iter().map(|(path, text)| (*path, text.as_bytes().to_vec())).collect();
        base.extend(std::mem::take(&mut self.libraries).image_cache().map(|cache| ("/etc/ld.so.cache", cache)));
        for (path, bytes) in base {
            if !self.files.contains(Path::new(path)) {
                self.files.add_at(Path::new(path), Item::Bytes { bytes, mode: 0o644 })?;
            }
        }
        // A library in an added directory may be what another one lacks by the loader's rules; whoever runs it sets
        // LD_LIBRARY_PATH then.
        let has =
            |files: &FileSet, name: &str| files.iter().any(|(path, _)| path.file_name() == Some(OsStr::new(name)));
        self.missing.retain(|missing| !has(&self.files, &missing.name));
        self.missing.sort();
        self.missing.dedup();
        Ok(())
    }
}

/// The first bytes of a file, enough for a `#!` line (`BINPRM_BUF_SIZE` of the kernel).
fn read_start(path: &Path) -> Result<Vec<u8>, FileError> {
    let mut start = Vec::new();
    File::open(path).and_then(|file| file.take(256).read_to_end(&mut start)).at("read", path)?;
    Ok(start)
}

fn find_in_path(name: &str) -> Option<PathBuf> {
    PATH.split(':').map(|directory| Path::new(directory).join(name)).find(|path| path.is_file())
}
