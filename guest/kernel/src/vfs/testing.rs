//! What the tests of files need: an image made by mkfs.erofs, mounted once, and a process of the test's own.

use std::boxed::Box;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;
use std::string::String;
use std::sync::Once;
use std::vec::Vec;

use linux_abi::Errno;
use platform::{Machine, UserAddr, UserContext};

use crate::task::{Credentials, Process, Thread, adopt};
use crate::vfs::{DescriptorTable, FsContext};

/// Makes an EROFS image of a directory, uncompressed.
pub(crate) fn mkfs(directory: &Path, options: &[&str]) -> &'static [u8] {
    let file = directory.with_extension("erofs");
    let status = Command::new("mkfs.erofs").arg("--quiet").args(options).arg(&file).arg(directory).status();
    assert!(status.expect("mkfs.erofs (package erofs-utils)").success());
    Box::leak(std::fs::read(&file).expect("image").into_boxed_slice())
}

/// The bytes of the test image's large file: every position has its own value.
pub(crate) fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|n| (n ^ (n >> 8) ^ (n >> 16)) as u8).collect()
}

/// Fills a directory as the test image has it.
pub(crate) fn populate(root: &Path) {
    let write = |path: &str, bytes: &[u8]| std::fs::write(root.join(path), bytes).expect(path);
    for directory in ["etc", "data/many", "data/empty", "proc", "dev", "tmp"] {
        std::fs::create_dir_all(root.join(directory)).expect(directory);
    }
    write("etc/passwd", b"root:x:0:0:root:/root:/bin/sh\n");
    write("data/small", b"small");
    write("data/zero", b"");
    write("data/page", &pattern(4096));
    write("data/large", &pattern(1_000_003));
    for n in 0..1000 {
        write(&std::format!("data/many/file-with-a-long-name-{n:04}"), n.to_string().as_bytes());
    }
    std::fs::hard_link(root.join("data/small"), root.join("data/small-too")).expect("link");
    symlink("small", root.join("data/link")).expect("symlink");
    symlink("/data", root.join("absolute")).expect("symlink");
    symlink("loop", root.join("loop")).expect("symlink");
    symlink("missing", root.join("dangling")).expect("symlink");
    std::fs::set_permissions(root.join("tmp"), std::fs::Permissions::from_mode(0o1777)).expect("chmod");
    std::fs::set_permissions(root.join("data/small"), std::fs::Permissions::from_mode(0o640)).expect("chmod");
    assert_eq!(std::fs::metadata(root.join("data/small")).expect("stat").nlink(), 2);
}

/// Mounts the test image and gives the calling test a process of its own, as root.
pub(crate) fn process() {
    static MOUNTED: Once = Once::new();
    MOUNTED.call_once(|| {
        let directory = tempfile();
        populate(&directory);
        let machine = crate::testing::setup_with_image(mkfs(&directory, &[]));
        crate::vfs::init(machine.boot_info()).expect("mounts");
        let _ = std::fs::remove_dir_all(&directory);
        let _ = std::fs::remove_file(directory.with_extension("erofs"));
    });
    process_of(0);
}

/// A directory that is named after this process.
pub(crate) fn tempfile() -> std::path::PathBuf {
    static NEXT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    let n = NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let path = std::env::temp_dir().join(std::format!("coracle-vfs-test-{}-{n}", std::process::id()));
    std::fs::create_dir_all(&path).expect("temporary directory");
    path
}

/// Gives the calling test a new process that runs as this user.
pub(crate) fn process_of(uid: u32) {
    static NEXT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(100);
    let pid = NEXT.fetch_add(10, std::sync::atomic::Ordering::Relaxed);
    let creds = Credentials::new(uid, uid, Vec::new());
    let process = Process::new(pid, creds, DescriptorTable::new(), FsContext::new());
    let thread = Thread::new(pid, process.clone(), [0; 16], 0);
    process.threads.lock().insert(pid, thread.clone());
    crate::testing::setup().set_current(adopt(thread));
}

/// Memory of the "application": a value in the test's own memory.
pub(crate) fn at<T: ?Sized>(value: &T) -> u64 {
    core::ptr::from_ref(value).cast::<u8>().expose_provenance() as u64
}

/// Makes a system call.
pub(crate) fn call(number: u32, args: &[u64]) -> Result<i64, Errno> {
    let mut context = UserContext::default();
    let get = |n: usize| args.get(n).copied().unwrap_or(0);
    context.regs.rax = number.into();
    context.regs.rdi = get(0);
    context.regs.rsi = get(1);
    context.regs.rdx = get(2);
    context.regs.r10 = get(3);
    context.regs.r8 = get(4);
    context.regs.r9 = get(5);
    crate::syscall::dispatch(&mut context)
}

/// The working directory, as a call's argument.
pub(crate) const CWD: u64 = -100i64 as u64;

/// A string as a call takes it.
pub(crate) fn c(text: &str) -> Vec<u8> {
    let mut bytes = text.as_bytes().to_vec();
    bytes.push(0);
    bytes
}

/// openat(2).
pub(crate) fn open(path: &str, flags: u32, mode: u32) -> Result<u64, Errno> {
    call(linux_abi::nr::OPENAT, &[CWD, at(&*c(path)), flags.into(), mode.into()]).map(|fd| fd as u64)
}

/// Reads up to `len` bytes.
pub(crate) fn read(fd: u64, len: usize) -> Result<Vec<u8>, Errno> {
    let buffer = std::vec![0u8; len];
    let n = call(linux_abi::nr::READ, &[fd, at(&*buffer), len as u64])?;
    Ok(buffer[..n as usize].to_vec())
}

/// write(2).
pub(crate) fn write(fd: u64, bytes: &[u8]) -> Result<i64, Errno> {
    call(linux_abi::nr::WRITE, &[fd, at(bytes), bytes.len() as u64])
}

/// close(2).
pub(crate) fn close(fd: u64) {
    assert_eq!(call(linux_abi::nr::CLOSE, &[fd]), Ok(0));
}

/// The whole of a file.
pub(crate) fn slurp(path: &str) -> Result<Vec<u8>, Errno> {
    let fd = open(path, 0, 0)?;
    let mut all = Vec::new();
    loop {
        let piece = read(fd, 10_000)?;
        if piece.is_empty() {
            close(fd);
            return Ok(all);
        }
        all.extend(piece);
    }
}

/// Makes a file with these contents.
pub(crate) fn spill(path: &str, bytes: &[u8]) -> Result<(), Errno> {
    let fd = open(path, 0o1101, 0o644)?;
    assert_eq!(write(fd, bytes)?, bytes.len() as i64);
    close(fd);
    Ok(())
}

/// Calls with one path.
pub(crate) fn with_path(number: u32, path: &str, args: &[u64]) -> Result<i64, Errno> {
    let path = c(path);
    let all: Vec<u64> = [at(&*path)].iter().chain(args).copied().collect();
    call(number, &all)
}

/// Calls with two paths.
pub(crate) fn with_paths(number: u32, one: &str, two: &str) -> Result<i64, Errno> {
    let (one, two) = (c(one), c(two));
    call(number, &[at(&*one), at(&*two)])
}

/// stat(2) or lstat(2).
pub(crate) fn stat(path: &str, follow: bool) -> Result<linux_abi::fs::Stat, Errno> {
    let stat = <linux_abi::fs::Stat as linux_abi::Pod>::zeroed();
    with_path(if follow { linux_abi::nr::STAT } else { linux_abi::nr::LSTAT }, path, &[at(&stat)])?;
    // The call wrote it behind the compiler's back.
    Ok(crate::mem::read_value(UserAddr(at(&stat))).expect("own memory"))
}

/// The names in a directory, sorted, without `.` and `..`.
pub(crate) fn names(path: &str, step: usize) -> Vec<String> {
    let fd = open(path, linux_abi::fs::O_DIRECTORY, 0).expect(path);
    let mut found = Vec::new();
    loop {
        let buffer = std::vec![0u8; step];
        let n = call(linux_abi::nr::GETDENTS64, &[fd, at(&*buffer), step as u64]).expect("getdents64") as usize;
        if n == 0 {
            break;
        }
        let mut at = 0;
        while at < n {
            let len = u16::from_le_bytes([buffer[at + 16], buffer[at + 17]]) as usize;
            let name = &buffer[at + 19..at + len];
            let end = name.iter().position(|b| *b == 0).expect("end of name");
            found.push(String::from_utf8_lossy(&name[..end]).into_owned());
            at += len;
        }
    }
    close(fd);
    assert!(found.contains(&".".into()) && found.contains(&"..".into()));
    found.retain(|name| name != "." && name != "..");
    found.sort();
    found
}
