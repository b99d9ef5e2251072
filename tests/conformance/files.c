/* Files: open, read, write, seek, truncate, append, links, times, locks, holes, copies. Works in the directory of its
 * first argument (/tmp by default). */
#define _GNU_SOURCE
#pragma GCC diagnostic ignored "-Wstringop-overflow" /* bad arguments are meant */
#pragma GCC diagnostic ignored "-Wstringop-overread"
#include "check.h"
#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <unistd.h>

static void basics(void)
{
    char buf[64];
    unlink("f");
    int fd = open("f", O_RDWR | O_CREAT | O_EXCL, 0640);
    CHECK(fd >= 0);
    CHECK_ERROR(open("f", O_CREAT | O_EXCL | O_RDWR, 0640), EEXIST);
    CHECK(write(fd, "0123456789", 10) == 10);
    CHECK(lseek(fd, 0, SEEK_CUR) == 10);
    CHECK(lseek(fd, -4, SEEK_END) == 6);
    CHECK(read(fd, buf, sizeof buf) == 4 && memcmp(buf, "6789", 4) == 0);
    CHECK(read(fd, buf, sizeof buf) == 0);
    CHECK(pread(fd, buf, 3, 2) == 3 && memcmp(buf, "234", 3) == 0);
    CHECK(pwrite(fd, "ab", 2, 3) == 2);
    CHECK_ERROR(pread(fd, buf, 1, -1), EINVAL);
    CHECK_ERROR(lseek(fd, -1, SEEK_SET), EINVAL);
    CHECK(lseek(fd, 0, SEEK_SET) == 0);
    CHECK_ERROR(read(fd, (void *)8, 1), EFAULT);
    struct iovec v[3] = {{buf, 2}, {buf + 10, 0}, {buf + 20, 20}};
    CHECK(preadv(fd, v, 3, 1) == 9 && memcmp(buf, "12", 2) == 0 && memcmp(buf + 20, "ab56789", 7) == 0);
    CHECK_ERROR(readv(fd, v, 1025), EINVAL);
    CHECK_ERROR(readv(fd, v, -1), EINVAL);
    struct stat st;
    CHECK(fstat(fd, &st) == 0 && st.st_size == 10 && S_ISREG(st.st_mode) && (st.st_mode & 0777) == 0640);
    CHECK(st.st_nlink == 1 && st.st_blksize > 0);
    CHECK((fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDWR);
    close(fd);
    CHECK_ERROR(read(fd, buf, 1), EBADF);
    fd = open("f", O_RDONLY);
    CHECK_ERROR(write(fd, "x", 1), EBADF);
    CHECK_ERROR(ftruncate(fd, 0), EINVAL);
    close(fd);
    fd = open("f", O_WRONLY | O_APPEND);
    CHECK(lseek(fd, 0, SEEK_SET) == 0 && write(fd, "end", 3) == 3 && lseek(fd, 0, SEEK_CUR) == 13);
    close(fd);
    fd = open("f", O_RDWR | O_TRUNC);
    CHECK(fstat(fd, &st) == 0 && st.st_size == 0);
    CHECK(ftruncate(fd, 5) == 0 && read(fd, buf, 10) == 5 && memcmp(buf, "\0\0\0\0\0", 5) == 0);
    CHECK_ERROR(ftruncate(fd, -1), EINVAL);
    close(fd);
}

static void names(void)
{
    struct stat st, other;
    unlink("g");
    unlink("s");
    CHECK(link("f", "g") == 0 && stat("f", &st) == 0 && stat("g", &other) == 0);
    CHECK(st.st_ino == other.st_ino && st.st_nlink == 2);
    CHECK_ERROR(link("f", "g"), EEXIST);
    CHECK_ERROR(link("missing", "h"), ENOENT);
    CHECK(symlink("g", "s") == 0 && lstat("s", &st) == 0 && S_ISLNK(st.st_mode) && st.st_size == 1);
    CHECK(stat("s", &st) == 0 && st.st_ino == other.st_ino);
    char buf[8];
    CHECK(readlink("s", buf, sizeof buf) == 1 && buf[0] == 'g');
    CHECK_ERROR(readlink("g", buf, sizeof buf), EINVAL);
    CHECK_ERROR(open("s", O_NOFOLLOW), ELOOP);
    CHECK(rename("g", "f") == 0 && stat("g", &st) == 0); /* both name the same file: nothing happens */
    CHECK(unlink("g") == 0);
    CHECK_ERROR(open("s", O_RDONLY), ENOENT);
    CHECK(unlink("s") == 0);
    CHECK_ERROR(unlink("s"), ENOENT);
    int fd = open("f", O_RDWR);
    CHECK(unlink("f") == 0 && fstat(fd, &st) == 0 && st.st_nlink == 0);
    CHECK(write(fd, "still", 5) == 5 && pread(fd, buf, 5, 0) == 5 && memcmp(buf, "still", 5) == 0);
    close(fd);
    CHECK_ERROR(open("", O_RDONLY), ENOENT);
    CHECK_ERROR(open("x/", O_CREAT | O_WRONLY, 0600), EISDIR);
    char longer[300];
    memset(longer, 'x', 299);
    longer[299] = 0;
    CHECK_ERROR(open(longer, O_RDONLY), ENAMETOOLONG);
    CHECK_ERROR(open((char *)8, O_RDONLY), EFAULT);
}

static void holes_and_copies(void)
{
    char buf[4096];
    int fd = open("f", O_RDWR | O_CREAT | O_TRUNC, 0600);
    memset(buf, 'x', sizeof buf);
    CHECK(pwrite(fd, buf, 4096, 1 << 20) == 4096);
    struct stat st;
    CHECK(fstat(fd, &st) == 0 && st.st_size == (1 << 20) + 4096 && st.st_blocks < 1024);
    CHECK(lseek(fd, 0, SEEK_DATA) <= 1 << 20 && lseek(fd, 1 << 20, SEEK_HOLE) == (1 << 20) + 4096);
    CHECK_ERROR(lseek(fd, 2 << 20, SEEK_DATA), ENXIO);
    if (fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 1 << 20, 100) == 0)
        CHECK(pread(fd, buf, 200, 1 << 20) == 200 && buf[99] == 0 && buf[100] == 'x');
    CHECK(posix_fallocate(fd, 0, 8192) == 0);
    int out = open("g", O_RDWR | O_CREAT | O_TRUNC, 0600);
    off_t from = (1 << 20) + 4000;
    CHECK(sendfile(out, fd, &from, 1000) == 96 && from == (1 << 20) + 4096);
    CHECK(fstat(out, &st) == 0 && st.st_size == 96);
    loff_t to = 1000;
    from = (1 << 20) + 200;
    CHECK(copy_file_range(fd, &from, out, &to, 50, 0) == 50 && to == 1050 && from == (1 << 20) + 250);
    CHECK(pread(out, buf, 50, 1000) == 50 && buf[0] == 'x');
    close(out);
    close(fd);
    unlink("f");
    unlink("g");
}

static void attributes(void)
{
    struct stat st;
    int fd = open("f", O_RDWR | O_CREAT | O_TRUNC, 0666);
    struct timespec times[2] = {{1000, 5}, {2000, 6}};
    CHECK(futimens(fd, times) == 0 && fstat(fd, &st) == 0);
    CHECK(st.st_atim.tv_sec == 1000 && st.st_mtim.tv_sec == 2000 && st.st_mtim.tv_nsec == 6);
    CHECK(fchmod(fd, 04711) == 0 && stat("f", &st) == 0 && (st.st_mode & 07777) == 04711);
    mode_t old = umask(077);
    CHECK(umask(old) == 077);
    struct statx sx;
    CHECK(statx(AT_FDCWD, "f", 0, STATX_BASIC_STATS, &sx) == 0 && sx.stx_ino == st.st_ino && sx.stx_size == 0);
    CHECK(statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &sx) == 0 && (sx.stx_mode & 07777) == 04711);
    struct statfs fs;
    CHECK(statfs(".", &fs) == 0 && fs.f_bsize > 0 && fs.f_namelen == 255);
    CHECK(access("f", R_OK | W_OK) == 0);
    CHECK_ERROR(access("f", 99), EINVAL);
    CHECK_ERROR(access("missing", F_OK), ENOENT);
    CHECK(fsync(fd) == 0 && fdatasync(fd) == 0);
    close(fd);
    unlink("f");
}

static void locks(void)
{
    int a = open("f", O_RDWR | O_CREAT, 0600), b = open("f", O_RDWR);
    CHECK(flock(a, LOCK_EX) == 0);
    CHECK_ERROR(flock(b, LOCK_SH | LOCK_NB), EAGAIN);
    CHECK(flock(a, LOCK_UN) == 0 && flock(b, LOCK_SH | LOCK_NB) == 0 && flock(a, LOCK_SH | LOCK_NB) == 0);
    struct flock l = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 10, .l_len = 10};
    CHECK(fcntl(a, F_SETLK, &l) == 0 && fcntl(b, F_SETLK, &l) == 0); /* one process: no conflict */
    l.l_pid = 0;
    CHECK_ERROR(fcntl(b, F_OFD_SETLK, &l), EAGAIN);
    l.l_start = 15;
    l.l_len = 0;
    CHECK(fcntl(b, F_OFD_GETLK, &l) == 0 && l.l_type == F_WRLCK && l.l_start == 10 && l.l_len == 10);
    CHECK(l.l_pid == getpid());
    close(a); /* closes the process's locks on the file, whatever the descriptor */
    l = (struct flock){.l_type = F_WRLCK, .l_whence = SEEK_SET};
    CHECK(fcntl(b, F_OFD_SETLK, &l) == 0);
    close(b);
    unlink("f");
}

static void mapped(void)
{
    int fd = open("f", O_RDWR | O_CREAT | O_TRUNC, 0600);
    char page[4096];
    memset(page, 'm', sizeof page);
    CHECK(write(fd, page, 4096) == 4096 && write(fd, "tail", 4) == 4);
    char *p = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    CHECK(p != MAP_FAILED && p[0] == 'm' && memcmp(p + 4096, "tail", 5) == 0);
    p[0] = 'p';
    CHECK(pread(fd, page, 1, 0) == 1 && page[0] == 'm');
    CHECK(munmap(p, 8192) == 0);
    close(fd);
    unlink("f");
}

static void unnamed(void)
{
    int fd = open(".", O_TMPFILE | O_RDWR, 0600);
    if (fd < 0 && errno == EOPNOTSUPP)
        return;
    CHECK(fd >= 0 && write(fd, "tmp", 3) == 3);
    char path[64], buf[4];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    CHECK(linkat(AT_FDCWD, path, AT_FDCWD, "named", AT_SYMLINK_FOLLOW) == 0);
    close(fd);
    fd = open("named", O_RDONLY);
    CHECK(read(fd, buf, 4) == 3 && memcmp(buf, "tmp", 3) == 0);
    close(fd);
    unlink("named");
    fd = memfd_create("m", MFD_ALLOW_SEALING | MFD_CLOEXEC);
    CHECK(fd >= 0 && write(fd, "12", 2) == 2 && fcntl(fd, F_ADD_SEALS, F_SEAL_GROW) == 0);
    CHECK_ERROR(write(fd, "3", 1), EPERM);
    CHECK(fcntl(fd, F_GET_SEALS) == F_SEAL_GROW);
    close(fd);
}

int main(int argc, char **argv)
{
    CHECK(chdir(argc > 1 ? argv[1] : "/tmp") == 0);
    basics();
    names();
    holes_and_copies();
    attributes();
    locks();
    mapped();
    unnamed();
    return finish("files");
}
