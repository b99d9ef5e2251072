//! Finds the libraries of a program by the dynamic loader's own rules (ld.so(8)), without running it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::{Path, PathBuf};
use std::{fs, io};

use super::elf::{self, Elf};
use super::files::{FileSet, Item};
use super::{Missing, PackError, ldcache};
use crate::file::{At, FileError};

/// Where glibc looks at last; distributions differ, and each has only some of them.
const DEFAULT_DIRECTORIES: [&str; 6] =
    ["/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu", "/lib64", "/usr/lib64", "/lib", "/usr/lib"];
/// What `$LIB` stands for: Debian's and the others' value.
const LIB_NAMES: [&str; 2] = ["lib/x86_64-linux-gnu", "lib64"];
/// Names that musl's loader takes for itself (musl, `ldso/dynlink.c`).
const MUSL_OWN: [&str; 7] = ["libc.", "libpthread.", "librt.", "libm.", "libdl.", "libutil.", "libxnet."];
/// A file that is larger is not looked into.
const MAX_ELF: u64 = 2 << 30;

/// A directory of the host and where its files go: the same path but for what `$ORIGIN` leads to from an added file.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Directory {
    host: PathBuf,
    guest: PathBuf,
}

impl Directory {
    fn same(path: impl Into<PathBuf>) -> Self {
        let host = path.into();
        Self { guest: host.clone(), host }
    }
}

/// A loaded file.
#[derive(Debug)]
struct Object {
    /// The directory that `$ORIGIN` means.
    origin: Directory,
    path: PathBuf,
    elf: Elf,
    /// Who asked for it.
    loader: Option<usize>,
}

/// A library that was found.
#[derive(Debug)]
struct Found {
    directory: Directory,
    /// Its name there.
    file: String,
    elf: Elf,
    /// Whether the cache or a default directory had it, and not a path of the file that needs it.
    by_system: bool,
}

/// What is known of the host's libraries.
#[derive(Debug, Default)]
pub(crate) struct Libraries {
    cache: BTreeMap<String, PathBuf>,
    /// Libraries that were found through the cache or in default directories: the image's own cache lists them.
    cached: BTreeMap<String, String>,
}

/// Which loader's rules count.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Rules {
    Glibc,
    Musl { directories: Vec<PathBuf> },
}

impl Libraries {
    /// Reads `/etc/ld.so.cache`. A host without it, or with one that is damaged, has default directories only.
    pub(crate) fn of_host() -> Self {
        let file = fs::read("/etc/ld.so.cache").unwrap_or_default();
        let mut cache = BTreeMap::new();
        for (name, path) in ldcache::parse(&file).unwrap_or_default() {
            cache.entry(name.to_owned()).or_insert_with(|| PathBuf::from(path));
        }
        Self { cache, cached: BTreeMap::new() }
    }

    /// The contents of the image's `/etc/ld.so.cache`; `None` if nothing is in it.
    pub(crate) fn image_cache(self) -> Option<Vec<u8>> {
        let libraries: Vec<(String, String)> = self.cached.into_iter().collect();
        (!libraries.is_empty()).then(|| ldcache::encode(&libraries))
    }

    /// Adds the loader and the libraries of one file that is, or will be, in the image; returns those that do not exist.
    pub(crate) fn add_closure(
        &mut self,
        files: &mut FileSet,
        host: &Path,
        guest: &Path,
        root: Elf,
    ) -> Result<Vec<Missing>, PackError> {
        let mut loaded = BTreeSet::new();
        let rules = rules_of(&root);
        if let Some(interpreter) = &root.interpreter {
            let path = Path::new(interpreter);
            if !path.is_file() {
                return Ok(vec![Missing { name: interpreter.clone(), needed_by: host.to_owned() }]);
            }
            files.add_host_path(path)?;
            loaded.extend(path.file_name().and_then(|name| name.to_str()).map(str::to_owned));
            loaded.extend(read_elf(path)?.and_then(|elf| elf.soname));
        }
        let parent = |path: &Path| path.parent().unwrap_or(Path::new("/")).to_owned();
        let origin = Directory { host: parent(host), guest: parent(guest) };
        let mut objects = vec![Object { origin, path: host.to_owned(), elf: root, loader: None }];
        // Breadth first, as the loader does it: the first file of a name serves all who need that name.
        let mut queue: VecDeque<(usize, String)> = objects[0].elf.needed.iter().map(|name| (0, name.clone())).collect();
        let mut missing = Vec::new();
        while let Some((user, name)) = queue.pop_front() {
            if loaded.contains(&name) || (rules != Rules::Glibc && is_musl_itself(&name)) {
                continue;
            }
            let Some(Found { directory, file, elf, by_system }) = self.find(&objects, user, &name, &rules)? else {
                missing.push(Missing { name: name.clone(), needed_by: objects[user].path.clone() });
                loaded.insert(name);
                continue;
            };
            let (host, guest) = (directory.host.join(&file), directory.guest.join(&file));
            add_library(files, &host, &guest)?;
            if by_system && rules == Rules::Glibc {
                self.cached.extend(guest.to_str().map(|path| (name.clone(), path.to_owned())));
            }
            loaded.extend(elf.soname.clone());
            loaded.insert(name);
            let index = objects.len();
            queue.extend(elf.needed.iter().map(|name| (index, name.clone())));
            objects.push(Object { origin: directory, path: host, elf, loader: Some(user) });
        }
        Ok(missing)
    }

    /// Finds one library.
    fn find(&self, objects: &[Object], user: usize, name: &str, rules: &Rules) -> Result<Option<Found>, PackError> {
        let object = &objects[user];
        if name.contains('/') {
            // A path: not searched for.
            for directory in expand(name, &object.origin) {
                let file = directory.host.file_name().and_then(|file| file.to_str()).unwrap_or_default().to_owned();
                if let Some(elf) = read_elf(&directory.host)? {
                    let up = |path: &Path| path.parent().unwrap_or(Path::new("/")).to_owned();
                    let parents = Directory { host: up(&directory.host), guest: up(&directory.guest) };
                    return Ok(Some(Found { directory: parents, file, elf, by_system: false }));
                }
            }
            return Ok(None);
        }
        for directory in own_directories(objects, user) {
            if let Some(elf) = read_elf(&directory.host.join(name))? {
                return Ok(Some(Found { directory, file: name.to_owned(), elf, by_system: false }));
            }
        }
        for directory in self.system_directories(object, name, rules) {
            if let Some(elf) = read_elf(&directory.join(name))? {
                let directory = Directory::same(directory);
                return Ok(Some(Found { directory, file: name.to_owned(), elf, by_system: true }));
            }
        }
        Ok(None)
    }

    /// Cache and default directories.
    fn system_directories(&self, object: &Object, name: &str, rules: &Rules) -> Vec<PathBuf> {
        if let Rules::Musl { directories } = rules {
            return directories.clone();
        }
        let is_default = |path: &Path| DEFAULT_DIRECTORIES.iter().any(|directory| path == Path::new(directory));
        let cached = self.cache.get(name).and_then(|path| path.parent()).map(Path::to_owned);
        let no_defaults = object.elf.no_default_directories;
        let defaults = DEFAULT_DIRECTORIES.iter().map(PathBuf::from).filter(|_| !no_defaults);
        cached.into_iter().filter(|path| !(no_defaults && is_default(path))).chain(defaults).collect()
    }
}

fn add_library(files: &mut FileSet, host: &Path, guest: &Path) -> Result<(), PackError> {
    if host == guest {
        return files.add_host_path(host).map(drop);
    }
    let metadata = host.metadata().at("find", host)?;
    files.add_at(guest, Item::host_file(host, &metadata, 0))
}

fn rules_of(root: &Elf) -> Rules {
    let musl = root.interpreter.as_deref().is_some_and(|path| path.contains("/ld-musl-"));
    if !musl {
        return Rules::Glibc;
    }
    let list =
        fs::read_to_string("/etc/ld-musl-x86_64.path").unwrap_or_else(|_| "/lib:/usr/local/lib:/usr/lib".to_owned());
    Rules::Musl { directories: list.split([':', '\n']).filter(|part| !part.is_empty()).map(PathBuf::from).collect() }
}

fn is_musl_itself(name: &str) -> bool {
    MUSL_OWN.iter().any(|own| name.starts_with(own)) || name.starts_with("ld-musl-")
}

/// `DT_RPATH` of the file, of who loaded it and so on up to the program; then its own `DT_RUNPATH`.
fn own_directories(objects: &[Object], user: usize) -> Vec<Directory> {
    let mut directories = Vec::new();
    let own = &objects[user];
    if own.elf.runpath.is_none() {
        let mut next = Some(user);
        while let Some(index) = next {
            let object = &objects[index];
            directories.extend(object.elf.rpath.iter().flat_map(|list| expand_list(list, &object.origin)));
            next = object.loader;
        }
    }
    directories.extend(own.elf.runpath.iter().flat_map(|list| expand_list(list, &own.origin)));
    directories
}

fn expand_list(list: &str, origin: &Directory) -> Vec<Directory> {
    list.split(':').filter(|part| !part.is_empty()).flat_map(|part| expand(part, origin)).collect()
}

/// Replaces `$ORIGIN`, `$LIB` and `$PLATFORM` (ld.so(8), "Dynamic string tokens"). What stays relative depends on the
/// working directory of some later day and is left out.
fn expand(text: &str, origin: &Directory) -> Vec<Directory> {
    let token = |text: &str, name: &str, value: &str| {
        text.replace(&format!("${{{name}}}"), value).replace(&format!("${name}"), value)
    };
    let has_lib = token(text, "LIB", "") != text;
    let variants = if has_lib { &LIB_NAMES[..] } else { &LIB_NAMES[..1] };
    let expanded = variants.iter().map(|lib| token(&token(text, "LIB", lib), "PLATFORM", "x86_64"));
    expanded
        .filter_map(|text| {
            let with = |origin: &Path| origin.to_str().map(|origin| PathBuf::from(token(&text, "ORIGIN", origin)));
            Some(Directory { host: with(&origin.host)?, guest: with(&origin.guest)? })
        })
        .filter(|directory| directory.host.is_absolute())
        .collect()
}

/// Reads a library. What does not exist or is of another kind is passed over, as the loader does.
pub(crate) fn read_elf(path: &Path) -> Result<Option<Elf>, PackError> {
    let metadata = match path.metadata() {
        Ok(metadata) if metadata.is_file() && metadata.len() <= MAX_ELF => metadata,
        Err(error) if matches!(error.kind(), io::ErrorKind::PermissionDenied) => return Err(unreadable(path, error)),
        _ => return Ok(None),
    };
    let mut start = [0; 64];
    let file = fs::File::open(path).at("open", path)?;
    let head = start.len().min(usize::try_from(metadata.len()).unwrap_or(0));
    std::os::unix::fs::FileExt::read_exact_at(&file, &mut start[..head], 0).at("read", path)?;
    if !elf::is_elf(&start) {
        return Ok(None);
    }
    match elf::parse(&fs::read(path).at("read", path)?) {
        Ok(elf) => Ok(elf),
        Err(elf::ElfError::Architecture) => Ok(None),
        Err(source) => Err(PackError::Elf { path: path.to_owned(), source }),
    }
}

fn unreadable(path: &Path, source: io::Error) -> PackError {
    FileError { action: "read", path: path.to_owned(), source }.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(host: &str, guest: &str) -> Directory {
        Directory { host: host.into(), guest: guest.into() }
    }

    #[test]
    fn tokens_are_expanded_on_both_sides() {
        let at = origin("/build/bin", "/app/bin");
        assert_eq!(expand("$ORIGIN/../lib", &at), [origin("/build/bin/../lib", "/app/bin/../lib")]);
        assert_eq!(expand("${ORIGIN}", &at), std::slice::from_ref(&at));
        assert_eq!(expand("/opt/$LIB", &at).len(), 2);
        assert_eq!(expand("/opt/$PLATFORM", &at), [Directory::same("/opt/x86_64")]);
        assert!(expand("lib", &at).is_empty());
        assert_eq!(expand_list("/a::/b", &at).len(), 2);
    }

    #[test]
    fn runpath_counts_for_the_file_itself_and_rpath_for_all_below() {
        let object = |rpath: Option<&str>, runpath: Option<&str>, loader| Object {
            origin: Directory::same("/o"),
            path: PathBuf::new(),
            elf: Elf { rpath: rpath.map(str::to_owned), runpath: runpath.map(str::to_owned), ..Elf::default() },
            loader,
        };
        let same = |paths: &[&str]| paths.iter().map(Directory::same).collect::<Vec<_>>();
        let chain = [object(Some("/program"), None, None), object(Some("/library"), None, Some(0))];
        assert_eq!(own_directories(&chain, 1), same(&["/library", "/program"]));
        let with_runpath = [object(Some("/program"), None, None), object(None, Some("/run"), Some(0))];
        assert_eq!(own_directories(&with_runpath, 1), same(&["/run"]));
        let below_runpath = [object(None, Some("/program"), None), object(None, None, Some(0))];
        assert_eq!(own_directories(&below_runpath, 1), []);
    }

    #[test]
    fn the_loader_itself_agrees() {
        let program = Path::new("/usr/bin/redis-server");
        let elf = read_elf(program).unwrap().unwrap();
        let mut files = FileSet::default();
        let missing = Libraries::of_host().add_closure(&mut files, program, program, elf).unwrap();
        assert_eq!(missing, []);
        // ldd runs the loader; this is a test, and the program is the distribution's.
        let out = std::process::Command::new("/usr/bin/ldd").arg(program).output().unwrap();
        let listing = String::from_utf8(out.stdout).unwrap();
        let expected: Vec<PathBuf> = listing
            .split_whitespace()
            .filter(|word| word.starts_with('/'))
            .map(|path| fs::canonicalize(path).unwrap())
            .collect();
        assert!(expected.len() > 5);
        for path in expected {
            assert!(files.contains(&path), "{}", path.display());
        }
    }
}
