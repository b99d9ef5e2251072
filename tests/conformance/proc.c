/* What programs look for in /proc, /sys and /dev. */
#define _GNU_SOURCE
#include "check.h"
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

static char text[65536];

static const char *read_file(const char *path)
{
    int fd = open(path, O_RDONLY);
    CHECK(fd >= 0);
    ssize_t n = 0, got;
    while (fd >= 0 && (got = read(fd, text + n, sizeof text - 1 - n)) > 0)
        n += got;
    text[n] = 0;
    if (n == 0)
        printf("%s is empty\n", path);
    close(fd);
    return text;
}

int main(int argc, char **argv)
{
    (void)argc;
    char path[64], link[256];
    int pid;
    char state;
    CHECK(sscanf(read_file("/proc/self/stat"), "%d (%*[^)]) %c", &pid, &state) == 2 && pid == getpid());
    CHECK(strstr(read_file("/proc/self/status"), "\nVmRSS:") && strstr(text, "\nThreads:\t1\n"));
    snprintf(path, sizeof path, "/proc/%d/statm", getpid());
    CHECK(atol(read_file(path)) > 0);
    CHECK(strstr(read_file("/proc/self/maps"), "[stack]"));
    CHECK(strcmp(read_file("/proc/self/cmdline"), argv[0]) == 0);
    ssize_t n = readlink("/proc/self/exe", link, sizeof link - 1);
    CHECK(n > 0 && link[0] == '/');
    CHECK(open("/proc/self/exe", O_RDONLY) >= 0);
    CHECK(strchr(read_file("/proc/self/limits"), '\n') && strstr(text, "Max open files"));
    CHECK(strstr(read_file("/proc/self/mounts"), " / "));
    CHECK(strstr(read_file("/proc/mounts"), " /proc proc "));
    CHECK(strstr(read_file("/proc/self/mountinfo"), " - "));
    CHECK(strstr(read_file("/proc/meminfo"), "MemAvailable:"));
    CHECK(strstr(read_file("/proc/cpuinfo"), "processor\t: 0\n"));
    CHECK(atof(read_file("/proc/uptime")) > 0);
    CHECK(strncmp(read_file("/proc/stat"), "cpu ", 4) == 0);
    CHECK(strncmp(read_file("/proc/version"), "Linux version ", 14) == 0);
    CHECK(atoi(read_file("/proc/sys/kernel/pid_max")) > 0);
    CHECK(atoi(read_file("/proc/sys/net/core/somaxconn")) >= 128);
    CHECK(strlen(read_file("/proc/sys/kernel/random/uuid")) == 37);
    CHECK(strlen(read_file("/sys/devices/system/cpu/online")) >= 2);
    CHECK(strchr(read_file("/proc/loadavg"), '/'));

    int fd = open("/etc/passwd", O_RDONLY);
    if (fd >= 0) {
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        CHECK((n = readlink(path, link, sizeof link - 1)) > 0 && (link[n] = 0, strcmp(link, "/etc/passwd") == 0));
        int again = open(path, O_RDONLY);
        CHECK(again >= 0);
        snprintf(path, sizeof path, "/proc/self/fdinfo/%d", fd);
        CHECK(strncmp(read_file(path), "pos:\t0\n", 7) == 0);
    }
    int p[2];
    CHECK(pipe(p) == 0);
    snprintf(path, sizeof path, "/proc/self/fd/%d", p[0]);
    CHECK(readlink(path, link, sizeof link) > 6 && memcmp(link, "pipe:[", 6) == 0);
    DIR *dir = opendir("/proc/self/task");
    int tasks = 0;
    for (struct dirent *e; dir && (e = readdir(dir));)
        tasks += e->d_name[0] != '.';
    CHECK(tasks == 1);
    CHECK_ERROR(open("/proc/self/nothing", O_RDONLY), ENOENT);
    CHECK(open("/proc/new", O_CREAT | O_WRONLY, 0600) == -1);

    struct stat st;
    CHECK(stat("/dev/null", &st) == 0 && S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3));
    fd = open("/dev/zero", O_RDONLY);
    CHECK(read(fd, text, 100) == 100 && text[0] == 0 && text[99] == 0);
    fd = open("/dev/urandom", O_RDONLY);
    CHECK(read(fd, text, 16) == 16);
    fd = open("/dev/full", O_WRONLY);
    CHECK_ERROR(write(fd, "x", 1), ENOSPC);
    fd = open("/dev/stdout", O_WRONLY);
    CHECK(fd >= 0);
    fd = open("/dev/shm/coracle-test", O_CREAT | O_RDWR, 0600);
    CHECK(fd >= 0 && write(fd, "x", 1) == 1 && unlink("/dev/shm/coracle-test") == 0);
    return finish("proc");
}
