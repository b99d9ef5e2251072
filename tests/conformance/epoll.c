/* epoll: level and edge triggered, one-shot, nesting, closing; poll and select. */
#define _GNU_SOURCE
#include "check.h"
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/select.h>
#include <time.h>
#include <unistd.h>

static struct epoll_event events[64];

static int add(int ep, int op, int fd, unsigned what, unsigned long data)
{
    struct epoll_event event = {.events = what, .data.u64 = data};
    return epoll_ctl(ep, op, fd, &event);
}

static void triggers(void)
{
    int p[2], ep = epoll_create1(EPOLL_CLOEXEC);
    char c;
    CHECK(ep >= 0 && pipe(p) == 0 && add(ep, EPOLL_CTL_ADD, p[0], EPOLLIN, 0x123456789abcUL) == 0);
    CHECK(epoll_wait(ep, events, 64, 0) == 0);
    CHECK(write(p[1], "ab", 2) == 2);
    for (int i = 0; i < 2; i++)
        CHECK(epoll_wait(ep, events, 64, 0) == 1 && events[0].data.u64 == 0x123456789abcUL &&
              events[0].events == EPOLLIN);
    CHECK(add(ep, EPOLL_CTL_MOD, p[0], EPOLLIN | EPOLLET, 2) == 0);
    CHECK(epoll_wait(ep, events, 64, 0) == 1 && epoll_wait(ep, events, 64, 0) == 0);
    CHECK(write(p[1], "c", 1) == 1 && epoll_wait(ep, events, 64, 0) == 1 && epoll_wait(ep, events, 64, 0) == 0);
    CHECK(add(ep, EPOLL_CTL_MOD, p[0], EPOLLIN | EPOLLONESHOT, 3) == 0);
    CHECK(epoll_wait(ep, events, 64, 0) == 1 && epoll_wait(ep, events, 64, 0) == 0);
    CHECK(write(p[1], "d", 1) == 1 && epoll_wait(ep, events, 64, 0) == 0);
    CHECK(add(ep, EPOLL_CTL_MOD, p[0], EPOLLIN, 4) == 0 && epoll_wait(ep, events, 64, 0) == 1);
    for (int i = 0; i < 4; i++)
        CHECK(read(p[0], &c, 1) == 1);
    CHECK(epoll_wait(ep, events, 64, 0) == 0);
    close(p[1]);
    CHECK(epoll_wait(ep, events, 64, 0) == 1 && events[0].events == EPOLLHUP);
    close(p[0]);
    CHECK(epoll_wait(ep, events, 64, 0) == 0);
    close(ep);
}

static void refusals(void)
{
    int p[2], ep = epoll_create1(0), other = epoll_create1(0);
    CHECK(pipe(p) == 0);
    CHECK_ERROR(add(ep, EPOLL_CTL_MOD, p[0], EPOLLIN, 0), ENOENT);
    CHECK_ERROR(add(ep, EPOLL_CTL_DEL, p[0], EPOLLIN, 0), ENOENT);
    CHECK(add(ep, EPOLL_CTL_ADD, p[0], EPOLLIN, 0) == 0);
    CHECK_ERROR(add(ep, EPOLL_CTL_ADD, p[0], EPOLLIN, 0), EEXIST);
    CHECK_ERROR(add(ep, EPOLL_CTL_ADD, ep, EPOLLIN, 0), EINVAL);
    CHECK_ERROR(add(p[0], EPOLL_CTL_ADD, ep, EPOLLIN, 0), EINVAL);
    CHECK_ERROR(add(ep, EPOLL_CTL_ADD, 99, EPOLLIN, 0), EBADF);
    CHECK_ERROR(epoll_wait(ep, events, 0, 0), EINVAL);
    CHECK_ERROR(epoll_create1(1), EINVAL);
    CHECK(add(ep, EPOLL_CTL_ADD, other, EPOLLIN, 7) == 0);
    CHECK_ERROR(add(other, EPOLL_CTL_ADD, ep, EPOLLIN, 0), ELOOP);
    CHECK(add(other, EPOLL_CTL_ADD, p[0], EPOLLIN, 8) == 0 && epoll_wait(ep, events, 64, 0) == 0);
    CHECK(write(p[1], "x", 1) == 1 && epoll_wait(ep, events, 64, 0) == 2);
    int file = open("/etc/passwd", O_RDONLY);
    if (file >= 0)
        CHECK_ERROR(add(ep, EPOLL_CTL_ADD, file, EPOLLIN, 0), EPERM);
    close(file);
    close(p[0]);
    close(p[1]);
    close(other);
    close(ep);
}

static void *later(void *arg)
{
    usleep(30000);
    CHECK(eventfd_write(*(int *)arg, 1) == 0);
    return NULL;
}

static void waiting(void)
{
    struct timespec a, b;
    int ep = epoll_create1(0), fd = eventfd(0, 0);
    CHECK(add(ep, EPOLL_CTL_ADD, fd, EPOLLIN, fd) == 0);
    clock_gettime(CLOCK_MONOTONIC, &a);
    CHECK(epoll_wait(ep, events, 64, 50) == 0);
    clock_gettime(CLOCK_MONOTONIC, &b);
    CHECK((b.tv_sec - a.tv_sec) * 1000 + (b.tv_nsec - a.tv_nsec) / 1000000 >= 49);
    pthread_t t;
    CHECK(pthread_create(&t, NULL, later, &fd) == 0);
    CHECK(epoll_wait(ep, events, 64, -1) == 1);
    pthread_join(t, NULL);
    struct pollfd p[3] = {{fd, POLLIN | POLLOUT, 0}, {-1, POLLIN, 0}, {99, POLLIN, 0}};
    CHECK(poll(p, 3, -1) == 2 && p[0].revents == (POLLIN | POLLOUT) && p[1].revents == 0 && p[2].revents == POLLNVAL);
    fd_set reads, writes;
    FD_ZERO(&reads);
    FD_ZERO(&writes);
    FD_SET(fd, &reads);
    FD_SET(fd, &writes);
    struct timeval timeout = {1, 0};
    CHECK(select(fd + 1, &reads, &writes, NULL, &timeout) == 2 && timeout.tv_sec <= 1);
    eventfd_t value;
    CHECK(eventfd_read(fd, &value) == 0);
    FD_SET(fd, &reads);
    timeout = (struct timeval){0, 20000};
    CHECK(select(fd + 1, &reads, NULL, NULL, &timeout) == 0 && !FD_ISSET(fd, &reads));
    // Below 64: Linux looks at no more bits than its descriptor table has room for.
    FD_SET(60, &reads);
    CHECK_ERROR(select(61, &reads, NULL, NULL, NULL), EBADF);
    close(fd);
    close(ep);
}

static volatile sig_atomic_t signals;

static void on_signal(int signal)
{
    (void)signal;
    signals++;
}

static void interrupted(void)
{
    struct sigaction sa = {.sa_handler = on_signal};
    sigset_t blocked, open;
    sigemptyset(&open);
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGUSR1);
    CHECK(sigaction(SIGUSR1, &sa, NULL) == 0 && sigprocmask(SIG_BLOCK, &blocked, NULL) == 0);
    CHECK(kill(getpid(), SIGUSR1) == 0 && signals == 0);
    int ep = epoll_create1(0);
    CHECK_ERROR(epoll_pwait(ep, events, 64, 1000, &open), EINTR);
    CHECK(signals == 1);
    sigset_t now;
    CHECK(sigprocmask(SIG_BLOCK, NULL, &now) == 0 && sigismember(&now, SIGUSR1));
    CHECK(kill(getpid(), SIGUSR1) == 0);
    struct timespec second = {1, 0};
    CHECK_ERROR(ppoll(NULL, 0, &second, &open), EINTR);
    CHECK(signals == 2);
    close(ep);
}

static void many(void)
{
    int ep = epoll_create1(0), fds[200];
    for (int i = 0; i < 200; i++) {
        fds[i] = eventfd(0, EFD_NONBLOCK);
        CHECK(fds[i] >= 0 && add(ep, EPOLL_CTL_ADD, fds[i], EPOLLIN, i) == 0);
    }
    CHECK(eventfd_write(fds[17], 1) == 0 && eventfd_write(fds[150], 1) == 0);
    CHECK(epoll_wait(ep, events, 64, 0) == 2);
    CHECK(epoll_wait(ep, events, 1, 0) == 1);
    int first = events[0].data.u32;
    CHECK(epoll_wait(ep, events, 1, 0) == 1 && (int)events[0].data.u32 != first);
    for (int i = 0; i < 200; i++)
        close(fds[i]);
    CHECK(epoll_wait(ep, events, 64, 0) == 0);
    close(ep);
}

int main(void)
{
    triggers();
    refusals();
    waiting();
    interrupted();
    many();
    return finish("epoll");
}
