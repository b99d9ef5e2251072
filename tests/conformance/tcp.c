// TCP over the loopback: the life of a connection as tcp(7), accept(2), connect(2), recv(2), send(2), shutdown(2), poll(2)
// and epoll(7) tell it. Prints "ok" and exits 0 if everything is as on Linux; every line that is not names its check.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

static int failures;
#define CHECK(what) ((what) ? (void)0 : (void)(failures++, printf("line %d: %s (errno %d)\n", __LINE__, #what, errno)))
#define FAILS(call, error) (errno = 0, CHECK((call) == -1 && errno == (error)))

static struct sockaddr_in loopback(int port) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port)};
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return at;
}

static int listener(int family, int *port, int backlog) {
    int fd = socket(family, SOCK_STREAM, 0);
    struct sockaddr_in6 any6 = {.sin6_family = AF_INET6};
    struct sockaddr_in any4 = {.sin_family = AF_INET};
    CHECK(fd >= 0);
    if (family == AF_INET6)
        CHECK(bind(fd, (void *)&any6, sizeof any6) == 0);
    else
        CHECK(bind(fd, (void *)&any4, sizeof any4) == 0);
    CHECK(listen(fd, backlog) == 0);
    struct sockaddr_in6 at;
    socklen_t len = sizeof at;
    CHECK(getsockname(fd, (void *)&at, &len) == 0);
    *port = ntohs(at.sin6_port);
    CHECK(*port >= 1024);
    return fd;
}

static void pair(int *client, int *server) {
    int port, l = listener(AF_INET, &port, 8);
    struct sockaddr_in to = loopback(port);
    *client = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(connect(*client, (void *)&to, sizeof to) == 0);
    *server = accept(l, NULL, NULL);
    CHECK(*server >= 0);
    close(l);
}

static short revents(int fd, short events) {
    struct pollfd p = {.fd = fd, .events = events};
    CHECK(poll(&p, 1, 0) >= 0);
    return p.revents;
}

/* What is to come over the loopback comes in the kernel's own time, which is long on a busy or an emulated machine. */
static short revents_with(int fd, short events, short wanted) {
    for (int i = 0; i < 5000 && (revents(fd, events) & wanted) != wanted; i++)
        usleep(1000);
    return revents(fd, events);
}

static void names_and_accept(void) {
    int port, l = listener(AF_INET, &port, 4);
    int flags = fcntl(l, F_GETFL);
    CHECK((flags & O_ACCMODE) == O_RDWR);
    fcntl(l, F_SETFL, flags | O_NONBLOCK);
    FAILS(accept(l, NULL, NULL), EAGAIN);
    CHECK(revents(l, POLLIN | POLLOUT) == 0);
    int c = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in to = loopback(port), at, peer;
    socklen_t len = sizeof peer;
    FAILS(getpeername(c, (void *)&peer, &len), ENOTCONN);
    CHECK(connect(c, (void *)&to, sizeof to) == 0);
    FAILS(connect(c, (void *)&to, sizeof to), EISCONN);
    CHECK(revents_with(l, POLLIN, POLLIN) == POLLIN);
    int s = accept4(l, (void *)&peer, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
    CHECK(s >= 0 && len == sizeof peer);
    CHECK(fcntl(s, F_GETFL) & O_NONBLOCK);
    CHECK(fcntl(s, F_GETFD) == FD_CLOEXEC);
    len = sizeof at;
    CHECK(getsockname(c, (void *)&at, &len) == 0);
    CHECK(at.sin_port == peer.sin_port && at.sin_addr.s_addr == peer.sin_addr.s_addr);
    CHECK(peer.sin_addr.s_addr == htonl(INADDR_LOOPBACK));
    len = sizeof at;
    CHECK(getpeername(c, (void *)&at, &len) == 0 && at.sin_port == htons(port));
    char byte;
    FAILS(read(s, &byte, 1), EAGAIN);
    FAILS(recv(c, &byte, 1, MSG_DONTWAIT), EAGAIN);
    FAILS(accept4(l, NULL, NULL, 0x1), EINVAL);
    FAILS(accept(c, NULL, NULL), EINVAL);
    close(c), close(s), close(l);
    c = socket(AF_INET, SOCK_STREAM, 0);
    FAILS(connect(c, (void *)&to, sizeof to), ECONNREFUSED);
    close(c);
}

static void data(void) {
    int c, s, n;
    char buffer[64];
    pair(&c, &s);
    CHECK(revents(s, POLLIN | POLLOUT) == POLLOUT);
    CHECK(write(c, "hello world", 11) == 11);
    CHECK(revents_with(s, POLLIN | POLLOUT, POLLIN) == (POLLIN | POLLOUT));
    CHECK(ioctl(s, FIONREAD, &n) == 0 && n == 11);
    CHECK(recv(s, buffer, 5, MSG_PEEK) == 5 && !memcmp(buffer, "hello", 5));
    CHECK(read(s, buffer, 6) == 6 && !memcmp(buffer, "hello ", 6));
    struct iovec v[2] = {{buffer, 2}, {buffer + 10, 20}};
    CHECK(readv(s, v, 2) == 5 && !memcmp(buffer, "wo", 2) && !memcmp(buffer + 10, "rld", 3));
    struct iovec w[2] = {{"ab", 2}, {"cdef", 4}};
    CHECK(writev(s, w, 2) == 6);
    CHECK(send(s, "gh", 2, MSG_MORE) == 2);
    CHECK(send(s, "ij", 2, MSG_NOSIGNAL) == 2);
    CHECK(recv(c, buffer, 10, MSG_WAITALL) == 10 && !memcmp(buffer, "abcdefghij", 10));
    // A stream has no borders and no source address.
    struct msghdr m = {.msg_iov = v, .msg_iovlen = 2};
    CHECK(write(c, "xyz", 3) == 3);
    CHECK(recvmsg(s, &m, 0) == 3 && m.msg_flags == 0);
    close(c), close(s);
}

static void half_close(void) {
    int c, s;
    char buffer[16];
    pair(&c, &s);
    CHECK(write(c, "last", 4) == 4);
    CHECK(shutdown(c, SHUT_WR) == 0);
    CHECK(read(s, buffer, 16) == 4);
    CHECK(read(s, buffer, 16) == 0);
    CHECK(revents_with(s, POLLIN | POLLOUT | POLLRDHUP, POLLIN | POLLRDHUP) == (POLLIN | POLLOUT | POLLRDHUP));
    CHECK(write(s, "answer", 6) == 6);
    CHECK(read(c, buffer, 16) == 6);
    FAILS(send(c, "x", 1, MSG_NOSIGNAL), EPIPE);
    CHECK(shutdown(s, SHUT_WR) == 0);
    CHECK(read(c, buffer, 16) == 0);
    usleep(20000);
    CHECK(revents_with(c, POLLIN | POLLOUT, POLLHUP) & POLLHUP);
    close(c), close(s);
    c = socket(AF_INET, SOCK_STREAM, 0);
    FAILS(shutdown(c, SHUT_WR), ENOTCONN);
    FAILS(read(c, buffer, 1), ENOTCONN);
    FAILS(send(c, "x", 1, MSG_NOSIGNAL), EPIPE);
    CHECK(revents(c, POLLIN | POLLOUT) == (POLLOUT | POLLHUP));
    close(c);
}

static volatile sig_atomic_t pipes;
static void on_pipe(int signal) { pipes += signal == SIGPIPE; }

static void broken(void) {
    int c, s;
    char buffer[16];
    signal(SIGPIPE, on_pipe);
    pair(&c, &s);
    close(s);
    usleep(20000);
    CHECK(read(c, buffer, 16) == 0);
    CHECK(write(c, "x", 1) == 1 || errno == EPIPE);
    usleep(20000);
    int before = pipes;
    ssize_t n = write(c, "x", 1);
    CHECK(n == -1 && (errno == EPIPE || errno == ECONNRESET));
    if (errno == EPIPE)
        CHECK(pipes == before + 1);
    close(c);
    // Data that is never read resets the connection.
    pair(&c, &s);
    CHECK(write(c, "unread", 6) == 6);
    usleep(20000);
    close(s);
    usleep(20000);
    FAILS(read(c, buffer, 16), ECONNRESET);
    close(c);
    signal(SIGPIPE, SIG_DFL);
}

static void full(void) {
    int c, s;
    static char block[65536];
    size_t sent = 0, received = 0;
    ssize_t n;
    pair(&c, &s);
    fcntl(c, F_SETFL, O_NONBLOCK);
    fcntl(s, F_SETFL, O_NONBLOCK);
    while ((n = write(c, block, sizeof block)) > 0)
        sent += n;
    CHECK(n == -1 && errno == EAGAIN && sent >= 65536);
    CHECK((revents(c, POLLOUT) & POLLOUT) == 0);
    while (received < sent) {
        n = read(s, block, sizeof block);
        if (n > 0)
            received += n;
        else if (n == -1 && errno == EAGAIN)
            usleep(1000);
        else
            break;
    }
    CHECK(received == sent);
    usleep(50000);
    CHECK(revents_with(c, POLLOUT, POLLOUT) == POLLOUT);
    close(c), close(s);
}

static void edges(void) {
    int c, s, e = epoll_create1(0);
    char buffer[16];
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET | EPOLLRDHUP, .data.u64 = 42}, got;
    pair(&c, &s);
    CHECK(epoll_ctl(e, EPOLL_CTL_ADD, s, &event) == 0);
    CHECK(epoll_wait(e, &got, 1, 0) == 1 && got.events == EPOLLOUT && got.data.u64 == 42);
    CHECK(epoll_wait(e, &got, 1, 0) == 0);
    CHECK(write(c, "a", 1) == 1);
    CHECK(epoll_wait(e, &got, 1, 1000) == 1 && got.events == (EPOLLIN | EPOLLOUT));
    CHECK(epoll_wait(e, &got, 1, 0) == 0);
    CHECK(write(c, "b", 1) == 1);
    CHECK(epoll_wait(e, &got, 1, 1000) == 1 && (got.events & EPOLLIN));
    CHECK(read(s, buffer, 16) == 2);
    event.events = EPOLLIN;
    CHECK(epoll_ctl(e, EPOLL_CTL_MOD, s, &event) == 0);
    CHECK(epoll_wait(e, &got, 1, 0) == 0);
    close(c);
    CHECK(epoll_wait(e, &got, 1, 1000) == 1 && (got.events & EPOLLIN));
    CHECK(epoll_wait(e, &got, 1, 1000) == 1 && (got.events & EPOLLIN));
    close(s);
    CHECK(epoll_wait(e, &got, 1, 0) == 0);
    close(e);
}

static void binding(void) {
    int port, l = listener(AF_INET, &port, 4), on = 1;
    struct sockaddr_in at = loopback(port), nobody = {.sin_family = AF_INET};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    FAILS(bind(fd, (void *)&at, sizeof at), EADDRINUSE);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    FAILS(bind(fd, (void *)&at, sizeof at), EADDRINUSE);
    inet_pton(AF_INET, "192.0.2.7", &nobody.sin_addr);
    FAILS(bind(fd, (void *)&nobody, sizeof nobody), EADDRNOTAVAIL);
    FAILS(bind(fd, (void *)&at, 4), EINVAL);
    at.sin_port = 0;
    CHECK(bind(fd, (void *)&at, sizeof at) == 0);
    FAILS(bind(fd, (void *)&at, sizeof at), EINVAL);
    close(fd), close(l);
    // With SO_REUSEPORT on both, two may listen.
    int one = socket(AF_INET, SOCK_STREAM, 0), two = socket(AF_INET, SOCK_STREAM, 0);
    socklen_t len = sizeof at;
    setsockopt(one, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
    setsockopt(two, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
    CHECK(bind(one, (void *)&at, sizeof at) == 0 && listen(one, 1) == 0);
    CHECK(getsockname(one, (void *)&at, &len) == 0);
    CHECK(bind(two, (void *)&at, sizeof at) == 0 && listen(two, 1) == 0);
    close(one), close(two);
}

static void dual(void) {
    int port, l = listener(AF_INET6, &port, 4);
    struct sockaddr_in to = loopback(port);
    struct sockaddr_in6 peer, to6 = {.sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    socklen_t len = sizeof peer;
    int c = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(connect(c, (void *)&to, sizeof to) == 0);
    int s = accept(l, (void *)&peer, &len);
    CHECK(s >= 0 && len == sizeof peer && peer.sin6_family == AF_INET6);
    CHECK(IN6_IS_ADDR_V4MAPPED(&peer.sin6_addr));
    close(c), close(s);
    c = socket(AF_INET6, SOCK_STREAM, 0);
    CHECK(connect(c, (void *)&to6, sizeof to6) == 0);
    s = accept(l, (void *)&peer, &len);
    CHECK(s >= 0 && IN6_IS_ADDR_LOOPBACK(&peer.sin6_addr));
    close(c), close(s), close(l);
    int on = 1, only = socket(AF_INET6, SOCK_STREAM, 0);
    to6.sin6_port = 0, to6.sin6_addr = in6addr_any;
    CHECK(setsockopt(only, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) == 0);
    CHECK(bind(only, (void *)&to6, sizeof to6) == 0 && listen(only, 1) == 0);
    len = sizeof to6;
    getsockname(only, (void *)&to6, &len);
    to.sin_port = to6.sin6_port;
    c = socket(AF_INET, SOCK_STREAM, 0);
    FAILS(connect(c, (void *)&to, sizeof to), ECONNREFUSED);
    close(c), close(only);
}

static void *late(void *fd) {
    usleep(50000);
    CHECK(write(*(int *)fd, "late", 4) == 4);
    return NULL;
}

static void waiting(void) {
    int c, s;
    char buffer[16];
    pthread_t thread;
    pair(&c, &s);
    pthread_create(&thread, NULL, late, &c);
    CHECK(read(s, buffer, 16) == 4);
    pthread_join(thread, NULL);
    pthread_create(&thread, NULL, late, &c);
    struct pollfd p = {.fd = s, .events = POLLIN};
    CHECK(poll(&p, 1, 5000) == 1 && p.revents == POLLIN);
    CHECK(read(s, buffer, 16) == 4);
    pthread_join(thread, NULL);
    struct timeval limit = {0, 50000};
    struct timespec begin, end;
    CHECK(setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) == 0);
    clock_gettime(CLOCK_MONOTONIC, &begin);
    FAILS(recv(s, buffer, 16, 0), EAGAIN);
    clock_gettime(CLOCK_MONOTONIC, &end);
    long ms = (end.tv_sec - begin.tv_sec) * 1000 + (end.tv_nsec - begin.tv_nsec) / 1000000;
    CHECK(ms >= 45 && ms < 2000);
    close(c), close(s);
}

int main(void) {
    names_and_accept();
    data();
    half_close();
    broken();
    full();
    edges();
    binding();
    dual();
    waiting();
    if (failures == 0)
        puts("ok");
    return failures != 0;
}
