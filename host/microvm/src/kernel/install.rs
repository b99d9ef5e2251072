use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::kernel::{Kernel, KernelError, MODULES, bzimage, modinfo};

/// The package whose dependency is the newest cloud kernel.
const META_PACKAGE: &str = "linux-image-cloud-amd64";

/// Downloads Debian's current cloud kernel with apt, which verifies it, and installs it into `dir`.
///
/// Needs no root. Fails without network, without package lists, and on anything but Debian and its descendants.
pub fn fetch(dir: &Path) -> Result<Kernel, KernelError> {
    let package = candidate(&run("apt-cache", &["depends", META_PACKAGE], None)?).ok_or(KernelError::NoCandidate)?;
    let scratch = scratch(dir)?;
    run("apt-get", &["download", &package], Some(scratch.path()))?;
    let deb = find(scratch.path(), |name| name.ends_with(".deb")).ok_or(KernelError::NoCandidate)?;
    install_deb(&deb, dir)
}

/// Installs the kernel of a Debian kernel package into `dir`. A kernel of the same version is replaced.
pub fn install_deb(deb: &Path, dir: &Path) -> Result<Kernel, KernelError> {
    let scratch = scratch(dir)?;
    let (unpacked, home) = (scratch.path().join("package"), scratch.path().join("kernel"));
    run("dpkg-deb", &["--extract", &deb.to_string_lossy(), &unpacked.to_string_lossy()], None)?;
    let image = find(&unpacked.join("boot"), |name| name.starts_with("vmlinuz-"))
        .ok_or_else(|| KernelError::NoImage(deb.to_owned()))?;
    let version = image.file_name().and_then(|name| name.to_str()).and_then(|name| name.strip_prefix("vmlinuz-"));
    let version = version.ok_or_else(|| KernelError::NoImage(deb.to_owned()))?.to_owned();
    make_dir(&home.join("modules"))?;
    extract_vmlinux(&image, &home.join("vmlinux"))?;
    copy_modules(&module_tree(&unpacked, &version), &home.join("modules"), &version)?;
    publish(&home, &dir.join(&version))?;
    Ok(Kernel { vmlinux: dir.join(&version).join("vmlinux"), modules: dir.join(&version).join("modules"), version })
}

/// The kernel package that the meta-package names, such as `linux-image-6.1.0-28-cloud-amd64`.
fn candidate(depends: &str) -> Option<String> {
    let mut names = depends.lines().filter_map(|line| line.trim().strip_prefix("Depends: "));
    let is_kernel = |name: &&str| name.starts_with("linux-image-") && name.ends_with("-cloud-amd64");
    names.find(is_kernel).map(str::to_owned)
}

/// A hidden directory beside the kernels, removed at the end: renaming out of it is atomic.
fn scratch(dir: &Path) -> Result<tempfile::TempDir, KernelError> {
    make_dir(dir)?;
    tempfile::Builder::new()
        .prefix(".install-")
        .tempdir_in(dir)
        .map_err(KernelError::file("making a directory in", dir))
}

fn make_dir(path: &Path) -> Result<(), KernelError> {
    fs::create_dir_all(path).map_err(KernelError::file("making", path))
}

fn run(tool: &'static str, arguments: &[&str], dir: Option<&Path>) -> Result<String, KernelError> {
    let mut command = Command::new(tool);
    command.args(arguments).env("LC_ALL", "C").stdin(Stdio::null()).current_dir(dir.unwrap_or(Path::new("/")));
    let output = command.output().map_err(|source| KernelError::NoTool(tool, source))?;
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr);
        return Err(KernelError::Tool { tool, message: text.trim().lines().last().unwrap_or("").to_owned() });
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn find(dir: &Path, wanted: impl Fn(&str) -> bool) -> Option<PathBuf> {
    let mut entries = fs::read_dir(dir).ok()?.flatten();
    entries.find(|entry| entry.file_name().to_str().is_some_and(&wanted)).map(|entry| entry.path())
}

fn extract_vmlinux(image: &Path, target: &Path) -> Result<(), KernelError> {
    let bytes = fs::read(image).map_err(KernelError::file("reading", image))?;
    let kernel = bzimage::vmlinux_of(&bytes).map_err(|source| KernelError::Image { path: image.to_owned(), source })?;
    fs::write(target, kernel).map_err(KernelError::file("writing", target))
}

/// Debian 12 has `lib/modules`, later releases `usr/lib/modules`.
fn module_tree(unpacked: &Path, version: &str) -> PathBuf {
    let old = unpacked.join("lib/modules").join(version);
    if old.is_dir() { old } else { unpacked.join("usr/lib/modules").join(version) }
}

/// Copies the modules that microVMs need and writes the index of what each depends on. What is built into the kernel needs
/// no module.
fn copy_modules(tree: &Path, target: &Path, version: &str) -> Result<(), KernelError> {
    let mut available = HashMap::new();
    collect_modules(tree, &mut available)?;
    let builtin = fs::read_to_string(tree.join("modules.builtin")).unwrap_or_default();
    let builtin = |name: &str| builtin.lines().filter_map(module_name).any(|line| line == name);
    let mut wanted: Vec<String> = MODULES.iter().map(|name| (*name).to_owned()).collect();
    let mut index = BTreeMap::new();
    while let Some(name) = wanted.pop() {
        if index.contains_key(&name) || builtin(&name) {
            continue;
        }
        let Some(path) = available.get(&name) else {
            return Err(KernelError::NoModule { version: version.to_owned(), module: name });
        };
        let bytes = fs::read(path).map_err(KernelError::file("reading", path))?;
        let copy = target.join(format!("{name}.ko"));
        fs::write(&copy, &bytes).map_err(KernelError::file("writing", &copy))?;
        let dependencies = modinfo::dependencies(&bytes);
        wanted.extend(dependencies.iter().cloned());
        index.insert(name, dependencies);
    }
    let text: String = index.iter().map(|(name, needs)| format!("{name}: {}\n", needs.join(" "))).collect();
    fs::write(target.join("index"), text).map_err(KernelError::file("writing", target.join("index")))
}

fn module_name(path: &str) -> Option<String> {
    Some(modinfo::canonical(Path::new(path).file_name()?.to_str()?.strip_suffix(".ko")?))
}

fn collect_modules(dir: &Path, found: &mut HashMap<String, PathBuf>) -> Result<(), KernelError> {
    for entry in fs::read_dir(dir).map_err(KernelError::file("reading", dir))?.flatten() {
        let path = entry.path();
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            collect_modules(&path, found)?;
        } else if let Some(name) = path.to_str().and_then(module_name) {
            found.insert(name, path);
        }
    }
    Ok(())
}

/// Moves the finished directory to its place. It is readable for everybody: QEMU runs without privileges.
fn publish(home: &Path, place: &Path) -> Result<(), KernelError> {
    let readable = |path: &Path, mode| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).map_err(KernelError::file("publishing", path))
    };
    readable(home, 0o755)?;
    readable(&home.join("vmlinux"), 0o644)?;
    if let Err(error) = fs::remove_dir_all(place)
        && error.kind() != std::io::ErrorKind::NotFound
    {
        return Err(KernelError::File { what: "replacing", path: place.to_owned(), source: error });
    }
    fs::rename(home, place).map_err(KernelError::file("publishing", place))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_candidate_is_the_kernel_itself() {
        let text = "linux-image-cloud-amd64\n  Depends: linux-image-6.1.0-28-cloud-amd64\n  Conflicts: x\n";
        assert_eq!(candidate(text).as_deref(), Some("linux-image-6.1.0-28-cloud-amd64"));
        assert_eq!(candidate("linux-image-cloud-amd64\n"), None);
    }

    #[test]
    fn a_package_without_a_kernel_is_refused_and_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let deb = dir.path().join("x.deb");
        fs::write(&deb, "nonsense").unwrap();
        let kernels = dir.path().join("kernels");
        assert!(matches!(install_deb(&deb, &kernels), Err(KernelError::Tool { tool: "dpkg-deb", .. })));
        assert_eq!(fs::read_dir(&kernels).unwrap().count(), 0);
    }
}
