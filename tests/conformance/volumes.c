/* A volume: run with the volume's path as the argument (or any directory on plain Linux). The volume holds what earlier runs
 * left, so names are removed first. */
#define _GNU_SOURCE
#include "check.h"
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    char buf[64];
    struct stat st, dir;
    if (argc < 2)
        return fprintf(stderr, "usage: volumes DIRECTORY\n"), 2;
    CHECK(stat(argv[1], &dir) == 0 && S_ISDIR(dir.st_mode) && chdir(argv[1]) == 0);
    unlink("v-file");
    unlink("v-link");
    unlink("v-other");
    int fd = open("v-file", O_RDWR | O_CREAT | O_EXCL, 0600);
    CHECK(fd >= 0 && write(fd, "persistent", 10) == 10 && fsync(fd) == 0);
    CHECK(fstat(fd, &st) == 0 && st.st_size == 10 && st.st_dev == dir.st_dev);
    /* A shared mapping reaches the file. */
    char *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    CHECK(p != MAP_FAILED && memcmp(p, "persistent", 10) == 0);
    p[0] = 'P';
    CHECK(msync(p, 4096, MS_SYNC) == 0 && munmap(p, 4096) == 0);
    CHECK(pread(fd, buf, 10, 0) == 10 && buf[0] == 'P');
    /* Links are followed inside, wherever they lead. */
    CHECK(symlink("/proc/self/status", "v-link") == 0);
    int link = open("v-link", O_RDONLY);
    CHECK(link >= 0 && read(link, buf, 5) == 5 && memcmp(buf, "Name:", 5) == 0);
    CHECK_ERROR(open("v-link", O_RDONLY | O_NOFOLLOW), ELOOP);
    CHECK(readlink("v-link", buf, sizeof buf) == 17);
    /* Other file systems are other devices. */
    if (stat("/dev/shm", &st) == 0 && st.st_dev != dir.st_dev)
        CHECK_ERROR(rename("v-file", "/dev/shm/v-file"), EXDEV);
    CHECK(rename("v-file", "v-other") == 0 && pwrite(fd, "again", 5, 0) == 5);
    CHECK(truncate("v-other", 5) == 0 && stat("v-other", &st) == 0 && st.st_size == 5);
    CHECK(chmod("v-other", 0640) == 0 && stat("v-other", &st) == 0 && (st.st_mode & 0777) == 0640);
    CHECK(open("..", O_RDONLY | O_DIRECTORY) >= 0 && stat("..", &st) == 0);
    CHECK(unlink("v-other") == 0 && unlink("v-link") == 0);
    CHECK_ERROR(access("v-other", F_OK), ENOENT);
    close(fd);
    close(link);
    return finish("volumes");
}
