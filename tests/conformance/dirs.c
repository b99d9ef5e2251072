/* Directories: making, listing, moving, removing, working directory, paths relative to descriptors. */
#define _GNU_SOURCE
#include "check.h"
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef RENAME_EXCHANGE
#define RENAME_EXCHANGE 2
#endif

static int count(const char *path)
{
    DIR *dir = opendir(path);
    int n = 0;
    while (dir && readdir(dir))
        n++;
    if (dir)
        closedir(dir);
    return n - 2;
}

static void tree(void)
{
    char name[64];
    struct stat st;
    CHECK(mkdir("d", 0755) == 0);
    CHECK_ERROR(mkdir("d", 0755), EEXIST);
    CHECK_ERROR(mkdir("x/y", 0755), ENOENT);
    for (int i = 0; i < 500; i++) {
        snprintf(name, sizeof name, "d/entry-%03d", i);
        int fd = open(name, O_CREAT | O_WRONLY, 0600);
        CHECK(fd >= 0);
        close(fd);
    }
    CHECK(count("d") == 500);
    DIR *dir = opendir("d");
    int removed = 0;
    for (struct dirent *e; (e = readdir(dir));) {
        if (e->d_name[0] == '.')
            continue;
        CHECK(e->d_type == DT_REG && unlinkat(dirfd(dir), e->d_name, 0) == 0);
        removed++;
    }
    CHECK(removed == 500 && count("d") == 0);
    rewinddir(dir);
    CHECK(readdir(dir) != NULL);
    closedir(dir);
    CHECK(mkdir("d/sub", 0755) == 0 && stat("d", &st) == 0 && S_ISDIR(st.st_mode));
    CHECK_ERROR(rmdir("d"), ENOTEMPTY);
    CHECK_ERROR(rename("d", "d/sub/d"), EINVAL);
    CHECK_ERROR(unlink("d/sub"), EISDIR);
    CHECK(mkdir("e", 0755) == 0 && rename("d/sub", "e") == 0 && count("d") == 0);
    CHECK(renameat2(AT_FDCWD, "d", AT_FDCWD, "e", RENAME_EXCHANGE) == 0);
    CHECK_ERROR(renameat2(AT_FDCWD, "d", AT_FDCWD, "e", 1), EEXIST);
    CHECK(rmdir("d") == 0 && rmdir("e") == 0);
    CHECK_ERROR(rmdir("e"), ENOENT);
    CHECK_ERROR(rmdir("."), EINVAL);
}

static void working_directory(const char *base)
{
    char buf[256], expect[256];
    CHECK(mkdir("w", 0755) == 0 && chdir("w") == 0);
    snprintf(expect, sizeof expect, "%s/w", base);
    CHECK(getcwd(buf, sizeof buf) && strcmp(buf, expect) == 0);
    CHECK_ERROR(syscall(SYS_getcwd, buf, 3), ERANGE);
    CHECK(rename("../w", "../v") == 0);
    snprintf(expect, sizeof expect, "%s/v", base);
    CHECK(getcwd(buf, sizeof buf) && strcmp(buf, expect) == 0);
    CHECK(rmdir("../v") == 0);
    CHECK_ERROR(syscall(SYS_getcwd, buf, sizeof buf), ENOENT);
    CHECK_ERROR(open("x", O_CREAT | O_WRONLY, 0600), ENOENT);
    CHECK(chdir("..") == 0 && getcwd(buf, sizeof buf) && strcmp(buf, base) == 0);
    CHECK_ERROR(chdir("missing"), ENOENT);
}

static void relative(void)
{
    CHECK(mkdir("r", 0755) == 0);
    int dir = open("r", O_PATH | O_DIRECTORY | O_CLOEXEC);
    CHECK(dir >= 0);
    int fd = openat(dir, "f", O_CREAT | O_RDWR, 0600);
    CHECK(fd >= 0);
    struct stat st, other;
    CHECK(fstatat(dir, "f", &st, 0) == 0 && fstat(fd, &other) == 0 && st.st_ino == other.st_ino);
    CHECK(fstatat(fd, "", &st, AT_EMPTY_PATH) == 0 && st.st_ino == other.st_ino);
    CHECK_ERROR(openat(fd, "x", O_RDONLY), ENOTDIR);
    CHECK_ERROR(openat(99, "x", O_RDONLY), EBADF);
    CHECK_ERROR(read(dir, &st, 1), EBADF);
    CHECK(symlinkat("f", dir, "s") == 0 && faccessat(dir, "s", R_OK, 0) == 0);
    CHECK(mkdirat(dir, "sub", 0700) == 0 && renameat(dir, "f", dir, "sub/f") == 0);
    CHECK_ERROR(faccessat(dir, "s", R_OK, 0), ENOENT);
    CHECK(unlinkat(dir, "sub/f", 0) == 0 && unlinkat(dir, "sub", AT_REMOVEDIR) == 0 && unlinkat(dir, "s", 0) == 0);
    CHECK(symlink("loop", "r/loop") == 0);
    CHECK_ERROR(open("r/loop", O_RDONLY), ELOOP);
    CHECK(unlink("r/loop") == 0 && rmdir("r") == 0);
    CHECK_ERROR(open("/etc/../tmp/./missing/..", O_RDONLY), ENOENT);
    close(fd);
    close(dir);
}

int main(int argc, char **argv)
{
    char base[128];
    snprintf(base, sizeof base, "%s/coracle-dirs-%d", argc > 1 ? argv[1] : "/tmp", getpid());
    CHECK(mkdir(base, 0755) == 0 && chdir(base) == 0);
    tree();
    working_directory(base);
    relative();
    CHECK(chdir("/") == 0 && rmdir(base) == 0);
    return finish("dirs");
}
