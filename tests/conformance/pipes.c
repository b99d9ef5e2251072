/* Pipes, FIFOs, eventfd, timerfd, signalfd, splice, and waiting for them with threads. */
#define _GNU_SOURCE
#include "check.h"
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <unistd.h>

static volatile sig_atomic_t broken;

static void on_pipe(int signal)
{
    (void)signal;
    broken++;
}

static void *writer(void *arg)
{
    static char block[300000];
    memset(block, 'w', sizeof block);
    CHECK(write(*(int *)arg, block, sizeof block) == sizeof block);
    close(*(int *)arg);
    return NULL;
}

static void pipes(void)
{
    int p[2], n;
    static char buf[70000];
    CHECK(pipe2(p, O_NONBLOCK | O_CLOEXEC) == 0);
    CHECK_ERROR(read(p[0], buf, 1), EAGAIN);
    CHECK(write(p[1], buf, 65536) == 65536);
    CHECK_ERROR(write(p[1], buf, 1), EAGAIN);
    CHECK(ioctl(p[0], FIONREAD, &n) == 0 && n == 65536);
    CHECK(read(p[0], buf, sizeof buf) == 65536);
    CHECK(fcntl(p[0], F_GETPIPE_SZ) == 65536 && fcntl(p[0], F_SETPIPE_SZ, 4097) == 8192);
    CHECK_ERROR(lseek(p[0], 0, SEEK_SET), ESPIPE);
    CHECK_ERROR(write(p[0], buf, 1), EBADF);
    struct stat st;
    CHECK(fstat(p[0], &st) == 0 && S_ISFIFO(st.st_mode));
    struct sigaction sa = {.sa_handler = on_pipe};
    CHECK(sigaction(SIGPIPE, &sa, NULL) == 0);
    close(p[0]);
    CHECK_ERROR(write(p[1], buf, 1), EPIPE);
    CHECK(broken == 1);
    close(p[1]);

    pthread_t t;
    CHECK(pipe(p) == 0 && pthread_create(&t, NULL, writer, &p[1]) == 0);
    long total = 0;
    for (ssize_t got; (got = read(p[0], buf, 7777)) > 0;)
        total += got;
    CHECK(total == 300000);
    pthread_join(t, NULL);
    close(p[0]);

    CHECK(pipe(p) == 0 && write(p[1], "hello", 5) == 5);
    int q[2];
    CHECK(pipe(q) == 0 && tee(p[0], q[1], 100, 0) == 5 && splice(p[0], NULL, q[1], NULL, 3, 0) == 3);
    CHECK(read(q[0], buf, 100) == 8 && memcmp(buf, "hellohel", 8) == 0);
    for (int i = 0; i < 2; i++) {
        close(p[i]);
        close(q[i]);
    }
}

static void *open_writer(void *path)
{
    int fd = open(path, O_WRONLY);
    CHECK(fd >= 0 && write(fd, "fifo", 4) == 4);
    close(fd);
    return NULL;
}

static void fifos(void)
{
    char path[] = "/tmp/coracle-fifo", buf[8];
    unlink(path);
    CHECK(mkfifo(path, 0600) == 0);
    CHECK_ERROR(open(path, O_WRONLY | O_NONBLOCK), ENXIO);
    pthread_t t;
    CHECK(pthread_create(&t, NULL, open_writer, path) == 0);
    int fd = open(path, O_RDONLY);
    CHECK(fd >= 0 && read(fd, buf, 8) == 4 && read(fd, buf, 8) == 0);
    pthread_join(t, NULL);
    close(fd);
    CHECK(unlink(path) == 0);
}

static void *count_up(void *arg)
{
    usleep(20000);
    CHECK(eventfd_write(*(int *)arg, 5) == 0);
    return NULL;
}

static void counters(void)
{
    eventfd_t value;
    int fd = eventfd(0, 0);
    pthread_t t;
    CHECK(pthread_create(&t, NULL, count_up, &fd) == 0);
    CHECK(eventfd_read(fd, &value) == 0 && value == 5);
    pthread_join(t, NULL);
    close(fd);
    fd = eventfd(2, EFD_SEMAPHORE | EFD_NONBLOCK);
    CHECK(eventfd_read(fd, &value) == 0 && value == 1);
    CHECK(eventfd_read(fd, &value) == 0 && value == 1);
    CHECK_ERROR(eventfd_read(fd, &value), EAGAIN);
    close(fd);
}

static void timers(void)
{
    unsigned long long n;
    int fd = timerfd_create(CLOCK_MONOTONIC, 0);
    struct itimerspec spec = {{0, 5000000}, {0, 5000000}}, old;
    CHECK(timerfd_settime(fd, 0, &spec, NULL) == 0);
    CHECK(read(fd, &n, 8) == 8 && n >= 1);
    usleep(30000);
    CHECK(read(fd, &n, 8) == 8 && n >= 4);
    struct pollfd p = {fd, POLLIN, 0};
    CHECK(poll(&p, 1, 1000) == 1 && p.revents == POLLIN);
    CHECK(timerfd_gettime(fd, &old) == 0 && old.it_interval.tv_nsec == 5000000);
    spec = (struct itimerspec){{0, 0}, {0, 0}};
    CHECK(timerfd_settime(fd, 0, &spec, NULL) == 0 && poll(&p, 1, 20) == 0);
    close(fd);
    fd = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK);
    CHECK_ERROR(read(fd, &n, 8), EAGAIN);
    clock_gettime(CLOCK_REALTIME, &spec.it_value);
    CHECK(timerfd_settime(fd, TFD_TIMER_ABSTIME, &spec, NULL) == 0);
    /* Its time is over, but the interrupt that says so may still be on its way. */
    p.fd = fd;
    CHECK(poll(&p, 1, 1000) == 1 && read(fd, &n, 8) == 8 && n == 1);
    close(fd);
}

static void signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    CHECK(pthread_sigmask(SIG_BLOCK, &set, NULL) == 0);
    int fd = signalfd(-1, &set, SFD_NONBLOCK);
    struct signalfd_siginfo info;
    CHECK_ERROR(read(fd, &info, sizeof info), EAGAIN);
    struct pollfd p = {fd, POLLIN, 0};
    CHECK(poll(&p, 1, 0) == 0 && kill(getpid(), SIGUSR1) == 0 && poll(&p, 1, 1000) == 1);
    CHECK(read(fd, &info, sizeof info) == sizeof info && info.ssi_signo == SIGUSR1 && info.ssi_pid == (unsigned)getpid());
    close(fd);
}

int main(void)
{
    pipes();
    fifos();
    counters();
    timers();
    signals();
    return finish("pipes");
}
