//! Tests of whole calls on a mounted image.

use linux_abi::Errno;
use linux_abi::fs::*;
use linux_abi::nr;

use super::testing::*;

const RW_NEW: u32 = O_RDWR | O_CREAT | O_EXCL;

/// A directory of the test's own on the writable root.
fn own(name: &str) -> std::string::String {
    process();
    let path = std::format!("/tmp/{name}");
    assert_eq!(with_path(nr::MKDIR, &path, &[0o755]), Ok(0));
    path
}

#[test]
fn files_of_the_image_are_read_in_place() {
    process();
    assert_eq!(slurp("/data/small").unwrap(), b"small");
    assert_eq!(slurp("/data/zero").unwrap(), b"");
    assert_eq!(slurp("/data/page").unwrap(), pattern(4096));
    assert_eq!(slurp("/data/large").unwrap(), pattern(1_000_003));
    assert_eq!(slurp("/absolute/link").unwrap(), b"small");
    assert_eq!(slurp("/data/many/file-with-a-long-name-0777").unwrap(), b"777");
    assert_eq!(slurp("/data/many/file-with-a-long-name-1000"), Err(Errno::ENOENT));
}

#[test]
fn reads_at_offsets_and_behind_the_end() {
    process();
    let fd = open("/data/large", O_RDONLY, 0).unwrap();
    let buffer = [0u8; 16];
    let pread = |offset: u64| call(nr::PREAD64, &[fd, at(&buffer), 16, offset]);
    assert_eq!(pread(1_000_000), Ok(3));
    assert_eq!(pread(1_000_003), Ok(0));
    assert_eq!(pread(u64::MAX), Err(Errno::EINVAL));
    assert_eq!(call(nr::LSEEK, &[fd, 5, 2]), Ok(1_000_008));
    assert_eq!(read(fd, 10).unwrap(), b"");
    assert_eq!(call(nr::LSEEK, &[fd, -1i64 as u64, 0]), Err(Errno::EINVAL));
    assert_eq!(write(fd, b"x"), Err(Errno::EBADF));
    close(fd);
    assert_eq!(call(nr::READ, &[fd, at(&buffer), 16]), Err(Errno::EBADF));
}

#[test]
fn listing_shows_every_name_once_whatever_the_buffer() {
    process();
    for step in [64, 300, 4096, 65536] {
        let found = names("/data/many", step);
        assert_eq!(found.len(), 1000, "buffer of {step}");
        assert_eq!(found[999], "file-with-a-long-name-0999");
    }
    assert_eq!(names("/data/empty", 4096).len(), 0);
}

#[test]
fn a_listing_hides_what_was_removed_and_shows_what_was_added() {
    let dir = own("listing");
    for n in 0..50 {
        spill(&std::format!("{dir}/a{n:02}"), b"").unwrap();
    }
    assert_eq!(with_path(nr::UNLINK, &std::format!("{dir}/a07"), &[]), Ok(0));
    assert_eq!(with_path(nr::UNLINK, "/data/many/file-with-a-long-name-0003", &[]), Ok(0));
    spill("/data/many/new", b"").unwrap();
    spill("/data/many/file-with-a-long-name-0003", b"again").unwrap();
    assert_eq!(names(&dir, 128).len(), 49);
    assert_eq!(names("/data/many", 128).iter().filter(|n| n.ends_with("0003")).count(), 1);
    assert_eq!(with_path(nr::UNLINK, "/data/many/new", &[]), Ok(0));
    // As it was, for the other tests.
    spill("/data/many/file-with-a-long-name-0003", b"3").unwrap();
}

#[test]
fn writing_to_a_file_of_the_image_keeps_the_rest_of_it() {
    process();
    let before = stat("/data/page", true).unwrap();
    let fd = open("/data/page", O_RDWR, 0).unwrap();
    assert_eq!(call(nr::PWRITE64, &[fd, at(b"XYZ"), 3, 100]), Ok(3));
    assert_eq!(call(nr::PWRITE64, &[fd, at(b"end"), 3, 9000]), Ok(3));
    close(fd);
    let mut expected = pattern(4096);
    expected[100..103].copy_from_slice(b"XYZ");
    expected.resize(9000, 0);
    expected.extend_from_slice(b"end");
    assert_eq!(slurp("/data/page").unwrap(), expected);
    let after = stat("/data/page", true).unwrap();
    assert_eq!((after.st_ino, after.st_dev, after.st_size), (before.st_ino, before.st_dev, 9003));
    assert!(after.st_mtime > before.st_mtime || after.st_mtime_nsec != before.st_mtime_nsec);
}

#[test]
fn truncation_of_a_file_of_the_image_leaves_zeros_behind() {
    // A private copy, so that the other tests keep theirs.
    let copy = own("truncated") + "/copy";
    let fd = open("/data/large", O_RDWR, 0).unwrap();
    let out = open(&copy, RW_NEW, 0o600).unwrap();
    assert_eq!(call(nr::SENDFILE, &[out, fd, 0, 1 << 30]), Ok(1_000_003));
    close(fd);
    assert_eq!(call(nr::FTRUNCATE, &[out, 10_000]), Ok(0));
    assert_eq!(call(nr::FTRUNCATE, &[out, 20_000]), Ok(0));
    close(out);
    let mut expected = pattern(10_000);
    expected.resize(20_000, 0);
    assert_eq!(slurp(&copy).unwrap(), expected);

    assert_eq!(with_path(nr::TRUNCATE, "/data/many/file-with-a-long-name-0100", &[1]), Ok(0));
    assert_eq!(with_path(nr::TRUNCATE, "/data/many/file-with-a-long-name-0100", &[3]), Ok(0));
    assert_eq!(slurp("/data/many/file-with-a-long-name-0100").unwrap(), b"1\0\0");
}

#[test]
fn hard_links_of_the_image_are_one_file() {
    process();
    let (one, two) = (stat("/data/small", true).unwrap(), stat("/data/small-too", true).unwrap());
    assert_eq!((one.st_ino, one.st_nlink, one.st_mode & 0o7777), (two.st_ino, 2, 0o640));
    assert_eq!(with_path(nr::CHMOD, "/data/small-too", &[0o600]), Ok(0));
    assert_eq!(stat("/data/small", true).unwrap().st_mode & 0o7777, 0o600);
    assert_eq!(with_path(nr::CHMOD, "/data/small-too", &[0o640]), Ok(0));
}

#[test]
fn paths_end_where_linux_says() {
    process();
    let open_error = |path: &str, flags| open(path, flags, 0).unwrap_err();
    assert_eq!(open_error("", O_RDONLY), Errno::ENOENT);
    assert_eq!(open_error("/loop", O_RDONLY), Errno::ELOOP);
    assert_eq!(open_error("/dangling", O_RDONLY), Errno::ENOENT);
    assert_eq!(open_error("/data/small/", O_RDONLY), Errno::ENOTDIR);
    assert_eq!(open_error("/data/small/x", O_RDONLY), Errno::ENOTDIR);
    assert_eq!(open_error("/data/link", O_NOFOLLOW), Errno::ELOOP);
    assert_eq!(open_error("/data/link", O_DIRECTORY), Errno::ENOTDIR);
    assert_eq!(open_error("/data", O_WRONLY), Errno::EISDIR);
    assert_eq!(open_error("/data/new/", O_CREAT | O_WRONLY), Errno::EISDIR);
    assert_eq!(open_error("/data/link", O_CREAT | O_EXCL), Errno::EEXIST);
    assert_eq!(open_error(&"/x".repeat(3000), O_RDONLY), Errno::ENAMETOOLONG);
    assert_eq!(open_error(&(std::string::String::from("/") + &"x".repeat(256)), O_RDONLY), Errno::ENAMETOOLONG);
    assert!(open("/../../data/../data/./small", O_RDONLY, 0).is_ok());
    assert!(open("/absolute/", O_RDONLY, 0).is_ok());
    assert_eq!(stat("/absolute/", false).unwrap().st_mode >> 12, 4);
    assert_eq!(stat("/absolute", false).unwrap().st_mode >> 12, 10);
}

#[test]
fn openat2_keeps_inside() {
    process();
    let dir = open("/data", O_PATH | O_DIRECTORY, 0).unwrap();
    let open2 = |path: &str, resolve: u64| {
        let how = [u64::from(O_RDONLY), 0, resolve];
        call(nr::OPENAT2, &[dir, at(&*c(path)), at(&how), 24])
    };
    assert!(open2("small", RESOLVE_BENEATH).is_ok());
    assert_eq!(open2("../etc/passwd", RESOLVE_BENEATH), Err(Errno::EXDEV));
    assert_eq!(open2("/etc/passwd", RESOLVE_BENEATH), Err(Errno::EXDEV));
    assert_eq!(open2("/etc/passwd", RESOLVE_IN_ROOT), Err(Errno::ENOENT));
    assert!(open2("/../small", RESOLVE_IN_ROOT).is_ok());
    assert_eq!(open2("link", RESOLVE_NO_SYMLINKS), Err(Errno::ELOOP));
    assert_eq!(open2("small", 1 << 40), Err(Errno::EINVAL));
    assert_eq!(open2("../proc/self/stat", RESOLVE_NO_XDEV), Err(Errno::EXDEV));
}

#[test]
fn directories_are_made_moved_and_removed() {
    let dir = own("moves");
    let p = |name: &str| std::format!("{dir}/{name}");
    assert_eq!(with_path(nr::MKDIR, &p("a"), &[0o777]), Ok(0));
    assert_eq!(with_path(nr::MKDIR, &p("a"), &[0o777]), Err(Errno::EEXIST));
    assert_eq!(with_path(nr::MKDIR, &p("a/b"), &[0o777]), Ok(0));
    assert_eq!(stat(&p("a"), true).unwrap().st_nlink, 3);
    assert_eq!(stat(&p("a"), true).unwrap().st_mode & 0o777, 0o755);
    assert_eq!(with_path(nr::RMDIR, &p("a"), &[]), Err(Errno::ENOTEMPTY));
    assert_eq!(with_paths(nr::RENAME, &p("a"), &p("a/b/c")), Err(Errno::EINVAL));
    assert_eq!(with_path(nr::MKDIR, &p("z"), &[0o777]), Ok(0));
    assert_eq!(with_paths(nr::RENAME, &p("a/b"), &p("z")), Ok(0));
    assert_eq!(stat(&p("a"), true).unwrap().st_nlink, 2);
    spill(&p("f"), b"1").unwrap();
    assert_eq!(with_paths(nr::RENAME, &p("f"), &p("z")), Err(Errno::EISDIR));
    assert_eq!(with_paths(nr::RENAME, &p("z"), &p("f")), Err(Errno::ENOTDIR));
    assert_eq!(with_path(nr::CHDIR, &p("z"), &[]), Ok(0));
    assert_eq!(with_path(nr::RMDIR, &p("z"), &[]), Ok(0));
    let buffer = [0u8; 100];
    assert_eq!(call(nr::GETCWD, &[at(&buffer), 100]), Err(Errno::ENOENT));
    assert_eq!(open("x", O_CREAT | O_WRONLY, 0o600), Err(Errno::ENOENT));
}

#[test]
fn a_directory_of_the_image_keeps_its_files_when_it_is_renamed() {
    process();
    assert_eq!(with_paths(nr::RENAME, "/data/many", "/data/others"), Ok(0));
    assert_eq!(slurp("/data/others/file-with-a-long-name-0500").unwrap(), b"500");
    assert_eq!(with_path(nr::CHDIR, "/data/others", &[]), Ok(0));
    let buffer = [0u8; 100];
    assert_eq!(call(nr::GETCWD, &[at(&buffer), 100]), Ok(13));
    assert_eq!(&buffer[..13], b"/data/others\0");
    assert_eq!(with_paths(nr::RENAME, "/data/others", "/data/many"), Ok(0));
    assert_eq!(call(nr::GETCWD, &[at(&buffer), 5]), Err(Errno::ERANGE));
    assert_eq!(slurp("file-with-a-long-name-0500").unwrap(), b"500");
}

#[test]
fn renaming_can_exchange_and_refuse() {
    let dir = own("exchange");
    let p = |name: &str| std::format!("{dir}/{name}");
    spill(&p("a"), b"A").unwrap();
    spill(&p("b"), b"B").unwrap();
    let rename2 = |a: &str, b: &str, flags| call(nr::RENAMEAT2, &[CWD, at(&*c(a)), CWD, at(&*c(b)), flags]);
    assert_eq!(rename2(&p("a"), &p("b"), 1), Err(Errno::EEXIST));
    assert_eq!(rename2(&p("a"), &p("b"), 2), Ok(0));
    assert_eq!((slurp(&p("a")).unwrap(), slurp(&p("b")).unwrap()), (b"B".to_vec(), b"A".to_vec()));
    assert_eq!(rename2(&p("a"), &p("c"), 2), Err(Errno::ENOENT));
    assert_eq!(rename2(&p("a"), &p("c"), 1), Ok(0));
    assert_eq!(rename2(&p("a"), &p("c"), 3), Err(Errno::EINVAL));
}

#[test]
fn an_open_file_outlives_its_name() {
    let dir = own("unlinked");
    let path = std::format!("{dir}/f");
    spill(&path, b"still here").unwrap();
    let fd = open(&path, O_RDWR, 0).unwrap();
    assert_eq!(with_path(nr::UNLINK, &path, &[]), Ok(0));
    assert_eq!(slurp(&path), Err(Errno::ENOENT));
    assert_eq!(read(fd, 100).unwrap(), b"still here");
    let link = [0u8; 100];
    let proc = std::format!("/proc/self/fd/{fd}");
    let n = with_path(nr::READLINK, &proc, &[at(&link), 100]).unwrap() as usize;
    assert_eq!(&link[..n], std::format!("{path} (deleted)").as_bytes());
    assert_eq!(slurp(&proc).unwrap(), b"still here");
}

#[test]
fn holes_cost_nothing_and_are_found() {
    let path = own("holes") + "/f";
    let fd = open(&path, RW_NEW, 0o600).unwrap();
    assert_eq!(call(nr::PWRITE64, &[fd, at(b"x"), 1, 1 << 40]), Ok(1));
    assert_eq!(stat(&path, true).unwrap().st_blocks, 8);
    assert_eq!(call(nr::LSEEK, &[fd, 0, 3]), Ok(1 << 40));
    assert_eq!(call(nr::LSEEK, &[fd, 0, 4]), Ok(0));
    assert_eq!(call(nr::LSEEK, &[fd, 1 << 40, 4]), Ok((1 << 40) + 1));
    assert_eq!(call(nr::LSEEK, &[fd, (1 << 40) + 1, 3]), Err(Errno::ENXIO));
    assert_eq!(call(nr::FALLOCATE, &[fd, 3, (1 << 40) - 4096, 8192]), Ok(0));
    assert_eq!(stat(&path, true).unwrap().st_blocks, 0);
    assert_eq!(stat(&path, true).unwrap().st_size, (1 << 40) + 1);
    assert_eq!(call(nr::FALLOCATE, &[fd, 0, 0, 8192]), Ok(0));
    assert_eq!(stat(&path, true).unwrap().st_blocks, 16);
}

#[test]
fn appending_goes_to_the_end() {
    let path = own("append") + "/f";
    spill(&path, b"one ").unwrap();
    let fd = open(&path, O_RDWR | O_APPEND, 0).unwrap();
    assert_eq!(write(fd, b"two"), Ok(3));
    assert_eq!(call(nr::PWRITE64, &[fd, at(b"!"), 1, 0]), Ok(1));
    assert_eq!(call(nr::LSEEK, &[fd, 0, 1]), Ok(7));
    assert_eq!(slurp(&path).unwrap(), b"one two!");
}

#[test]
fn a_bad_buffer_is_a_fault_and_nothing_else() {
    let path = own("fault") + "/f";
    let fd = open(&path, RW_NEW, 0o600).unwrap();
    assert_eq!(call(nr::WRITE, &[fd, 1, 10]), Err(Errno::EFAULT));
    assert_eq!(stat(&path, true).unwrap().st_size, 0);
    spill(&path, &[7; 5000]).unwrap();
    assert_eq!(call(nr::READ, &[fd, 1, 10]), Err(Errno::EFAULT));
    assert_eq!(call(nr::READ, &[fd, 1, u64::MAX]), Err(Errno::EFAULT));
    let page = crate::testing::page();
    assert_eq!(call(nr::READ, &[fd, page.0 + 4000, 5000]), Err(Errno::EFAULT));
    assert_eq!(call(nr::READ, &[fd, page.0, 4096]), Ok(4096));
}

#[test]
fn strangers_are_kept_out() {
    let dir = own("private");
    let path = std::format!("{dir}/secret");
    spill(&path, b"x").unwrap();
    assert_eq!(with_path(nr::CHMOD, &path, &[0o600]), Ok(0));
    process_of(1000);
    assert_eq!(open(&path, O_RDONLY, 0), Err(Errno::EACCES));
    assert_eq!(open(&std::format!("{dir}/new"), O_CREAT | O_WRONLY, 0o600), Err(Errno::EACCES));
    assert_eq!(with_path(nr::UNLINK, &path, &[]), Err(Errno::EACCES));
    assert_eq!(with_path(nr::CHMOD, &path, &[0o777]), Err(Errno::EPERM));
    assert_eq!(with_path(nr::CHOWN, &path, &[1000, 1000]), Err(Errno::EPERM));
    assert_eq!(with_path(nr::ACCESS, &path, &[4]), Err(Errno::EACCES));
    assert_eq!(with_path(nr::ACCESS, &path, &[0]), Ok(0));
    spill("/tmp/mine", b"").unwrap();
    let mine = stat("/tmp/mine", true).unwrap();
    assert_eq!((mine.st_uid, mine.st_gid), (1000, 1000));
    process_of(1001);
    assert_eq!(with_path(nr::UNLINK, "/tmp/mine", &[]), Err(Errno::EPERM));
    process_of(1000);
    assert_eq!(with_path(nr::CHMOD, &dir, &[0o777]), Err(Errno::EPERM));
    assert_eq!(with_path(nr::UNLINK, "/tmp/mine", &[]), Ok(0));
    assert_eq!(with_path(nr::RENAME, "/proc", &[at(&*c("/tmp/proc"))]), Err(Errno::EACCES));
}

#[test]
fn mount_points_stay() {
    process();
    assert_eq!(with_path(nr::RMDIR, "/proc", &[]), Err(Errno::EBUSY));
    assert_eq!(with_paths(nr::RENAME, "/dev", "/devices"), Err(Errno::EBUSY));
    assert_eq!(with_paths(nr::LINK, "/data/small", "/dev/shm/small"), Err(Errno::EXDEV));
    assert_eq!(with_paths(nr::RENAME, "/data/small", "/dev/shm/small"), Err(Errno::EXDEV));
    assert_eq!(with_path(nr::CHDIR, "/dev/shm", &[]), Ok(0));
    let buffer = [0u8; 100];
    assert_eq!(call(nr::GETCWD, &[at(&buffer), 100]), Ok(9));
    assert_eq!(&buffer[..9], b"/dev/shm\0");
    assert!(stat("../../data/small", true).is_ok());
}

#[test]
fn devices_do_what_they_are_for() {
    process();
    assert_eq!(read(open("/dev/null", O_RDWR, 0).unwrap(), 10).unwrap(), b"");
    assert_eq!(write(open("/dev/null", O_WRONLY | O_APPEND, 0).unwrap(), b"gone"), Ok(4));
    assert_eq!(read(open("/dev/zero", O_RDONLY, 0).unwrap(), 5000).unwrap(), [0; 5000]);
    assert_eq!(write(open("/dev/full", O_WRONLY, 0).unwrap(), b"x"), Err(Errno::ENOSPC));
    assert_ne!(read(open("/dev/urandom", O_RDONLY, 0).unwrap(), 32).unwrap(), [0; 32]);
    assert_eq!(open("/dev/tty", O_RDWR, 0), Err(Errno::ENXIO));
    assert_eq!(open("/dev/ptmx", O_RDWR, 0), Err(Errno::ENOENT));
    assert_eq!(stat("/dev/null", true).unwrap().st_rdev, 0x103);
}

#[test]
fn descriptors_are_the_lowest_free_ones() {
    process();
    let fds: std::vec::Vec<u64> = (0..3).map(|_| open("/data/small", O_RDONLY, 0).unwrap()).collect();
    assert_eq!(fds, [0, 1, 2]);
    close(1);
    assert_eq!(call(nr::DUP, &[0]), Ok(1));
    assert_eq!(call(nr::DUP2, &[0, 10]), Ok(10));
    assert_eq!(call(nr::FCNTL, &[0, F_DUPFD_CLOEXEC as u64, 10]), Ok(11));
    assert_eq!(call(nr::FCNTL, &[11, F_GETFD as u64]), Ok(1));
    assert_eq!(call(nr::DUP3, &[0, 0, 0]), Err(Errno::EINVAL));
    assert_eq!(call(nr::DUP2, &[99, 5]), Err(Errno::EBADF));
    // dup shares the position.
    assert_eq!(read(10, 2).unwrap(), b"sm");
    assert_eq!(read(0, 10).unwrap(), b"all");
    assert_eq!(call(nr::CLOSE_RANGE, &[2, u64::from(u32::MAX), 0]), Ok(0));
    assert_eq!(call(nr::DUP, &[0]), Ok(2));
    let files = &crate::task::current().process.files;
    files.set_limit(4);
    assert_eq!(call(nr::DUP, &[0]), Ok(3));
    assert_eq!(call(nr::DUP, &[0]), Err(Errno::EMFILE));
    assert_eq!(call(nr::DUP2, &[0, 4]), Err(Errno::EBADF));
    let pair = [0u32; 2];
    close(3);
    assert_eq!(call(nr::PIPE2, &[at(&pair), 0]), Err(Errno::EMFILE));
    assert_eq!(call(nr::DUP, &[0]), Ok(3));
    files.close_on_exec();
    assert_eq!(files.open_in(0, 100), [0, 1, 2, 3]);
}

#[test]
fn extended_attributes_are_kept() {
    let path = own("xattrs") + "/f";
    spill(&path, b"").unwrap();
    let set = |name: &str, value: &[u8], flags| {
        with_path(nr::SETXATTR, &path, &[at(&*c(name)), at(value), value.len() as u64, flags])
    };
    let buffer = [0u8; 64];
    let get = |name: &str, size| with_path(nr::GETXATTR, &path, &[at(&*c(name)), at(&buffer), size]);
    assert_eq!(get("user.a", 64), Err(Errno::ENODATA));
    assert_eq!(set("user.a", b"value", 2), Err(Errno::ENODATA));
    assert_eq!(set("user.a", b"value", 1), Ok(0));
    assert_eq!(set("user.a", b"value", 1), Err(Errno::EEXIST));
    assert_eq!(set("other.a", b"value", 0), Err(Errno::EOPNOTSUPP));
    assert_eq!(get("user.a", 0), Ok(5));
    assert_eq!(get("user.a", 3), Err(Errno::ERANGE));
    assert_eq!(get("user.a", 64), Ok(5));
    assert_eq!(&buffer[..5], b"value");
    assert_eq!(with_path(nr::LISTXATTR, &path, &[at(&buffer), 64]), Ok(7));
    assert_eq!(with_path(nr::REMOVEXATTR, &path, &[at(&*c("user.a"))]), Ok(0));
    assert_eq!(get("user.a", 64), Err(Errno::ENODATA));
}

#[test]
fn times_are_set() {
    let path = own("times") + "/f";
    spill(&path, b"").unwrap();
    let times: [i64; 4] = [1, 2, 3, 0x3fff_fffe];
    let before = stat(&path, true).unwrap();
    assert_eq!(call(nr::UTIMENSAT, &[CWD, at(&*c(&path)), at(&times), 0]), Ok(0));
    let after = stat(&path, true).unwrap();
    assert_eq!((after.st_atime, after.st_atime_nsec), (1, 2));
    assert_eq!((after.st_mtime, after.st_mtime_nsec), (before.st_mtime, before.st_mtime_nsec));
    let times: [i64; 4] = [1, 1_000_000_000, 3, 0];
    assert_eq!(call(nr::UTIMENSAT, &[CWD, at(&*c(&path)), at(&times), 0]), Err(Errno::EINVAL));
}

#[test]
fn proc_tells_about_the_process() {
    process();
    let text = |path: &str| std::string::String::from_utf8(slurp(path).expect(path)).unwrap();
    let pid = crate::task::current().process.pid;
    assert!(text("/proc/self/status").contains(&std::format!("Pid:\t{pid}\n")));
    assert!(text("/proc/self/stat").starts_with(&std::format!("{pid} (")));
    assert_eq!(text("/proc/self/stat").split(' ').count(), 52);
    assert!(text("/proc/mounts").contains(" /dev/shm tmpfs "));
    assert!(text("/proc/meminfo").starts_with("MemTotal:"));
    assert!(text("/proc/cpuinfo").contains("flags"));
    assert_eq!(text("/proc/sys/kernel/hostname"), "test\n");
    assert_eq!(text("/sys/devices/system/cpu/online"), "0-1\n");
    assert_eq!(text("/etc/hostname"), "test\n");
    assert_eq!(open("/proc/999999", O_RDONLY, 0), Err(Errno::ENOENT));
    assert!(names("/proc/self", 200).contains(&"maps".into()));
    assert!(names("/proc", 200).contains(&pid.to_string()));
    assert_eq!(names("/proc/self/task", 200), [pid.to_string()]);
    spill("/proc/self/comm", b"renamed\n").unwrap();
    assert_eq!(text("/proc/thread-self/comm"), "renamed\n");
    assert_eq!(open("/proc/new", O_CREAT | O_WRONLY, 0o600), Err(Errno::EROFS));
    assert_eq!(with_path(nr::CHDIR, "/proc/self/fd", &[]), Ok(0));
    let buffer = [0u8; 100];
    let n = call(nr::GETCWD, &[at(&buffer), 100]).unwrap() as usize;
    assert_eq!(&buffer[..n - 1], std::format!("/proc/{pid}/fd").as_bytes());
}

#[test]
fn memfds_have_no_name_and_can_be_sealed() {
    process();
    let fd = call(nr::MEMFD_CREATE, &[at(&*c("thing")), 2]).unwrap() as u64;
    assert_eq!(write(fd, b"12345"), Ok(5));
    let link = [0u8; 100];
    let proc = std::format!("/proc/self/fd/{fd}");
    let n = with_path(nr::READLINK, &proc, &[at(&link), 100]).unwrap() as usize;
    assert_eq!(&link[..n], b"/memfd:thing (deleted)");
    assert_eq!(slurp(&proc).unwrap(), b"12345");
    assert_eq!(call(nr::FCNTL, &[fd, F_ADD_SEALS as u64, u64::from(F_SEAL_SHRINK | F_SEAL_WRITE)]), Ok(0));
    assert_eq!(call(nr::FTRUNCATE, &[fd, 1]), Err(Errno::EPERM));
    assert_eq!(write(fd, b"1"), Err(Errno::EPERM));
    assert_eq!(call(nr::FCNTL, &[fd, F_GET_SEALS as u64]), Ok(10));
    let other = call(nr::MEMFD_CREATE, &[at(&*c("thing")), 0]).unwrap() as u64;
    assert_eq!(call(nr::FCNTL, &[other, F_ADD_SEALS as u64, 1]), Err(Errno::EPERM));
}
