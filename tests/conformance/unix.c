// AF_UNIX (unix(7)): pairs, names, paths, passed descriptors, credentials.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static int failures;
#define CHECK(what) ((what) ? (void)0 : (void)(failures++, printf("line %d: %s (errno %d)\n", __LINE__, #what, errno)))
#define FAILS(call, error) (errno = 0, CHECK((call) == -1 && errno == (error)))

static socklen_t abstract(struct sockaddr_un *at, const char *name) {
    *at = (struct sockaddr_un){.sun_family = AF_UNIX};
    memcpy(at->sun_path + 1, name, strlen(name));
    return offsetof(struct sockaddr_un, sun_path) + 1 + strlen(name);
}

static void pairs(void) {
    int v[2];
    char buffer[32];
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, v) == 0);
    CHECK(fcntl(v[0], F_GETFD) == FD_CLOEXEC);
    CHECK(write(v[0], "abc", 3) == 3 && write(v[0], "def", 3) == 3);
    CHECK(read(v[1], buffer, 32) == 6 && !memcmp(buffer, "abcdef", 6));
    FAILS(recv(v[1], buffer, 1, MSG_DONTWAIT), EAGAIN);
    CHECK(shutdown(v[0], SHUT_WR) == 0 && read(v[1], buffer, 1) == 0);
    CHECK(write(v[1], "back", 4) == 4 && read(v[0], buffer, 32) == 4);
    close(v[0]);
    FAILS(send(v[1], "x", 1, MSG_NOSIGNAL), EPIPE);
    struct pollfd p = {.fd = v[1], .events = POLLIN};
    CHECK(poll(&p, 1, 0) == 1 && p.revents == (POLLIN | POLLHUP));
    close(v[1]);
    for (int i = 0; i < 2; i++) {
        CHECK(socketpair(AF_UNIX, i ? SOCK_SEQPACKET : SOCK_DGRAM, 0, v) == 0);
        CHECK(write(v[0], "abc", 3) == 3 && write(v[0], "defgh", 5) == 5);
        CHECK(read(v[1], buffer, 2) == 2 && read(v[1], buffer, 32) == 5);
        close(v[0]);
        if (i)
            CHECK(read(v[1], buffer, 1) == 0);
        else
            FAILS(send(v[1], "x", 1, 0), ECONNREFUSED);
        close(v[1]);
    }
}

static void named(void) {
    struct sockaddr_un at, peer;
    socklen_t len = abstract(&at, "coracle-conformance"), plen = sizeof peer;
    int l = socket(AF_UNIX, SOCK_STREAM, 0), c = socket(AF_UNIX, SOCK_STREAM, 0);
    char buffer[8];
    FAILS(connect(c, (void *)&at, len), ECONNREFUSED);
    FAILS(listen(l, 1), EINVAL);
    CHECK(bind(l, (void *)&at, len) == 0 && listen(l, 4) == 0);
    FAILS(bind(c, (void *)&at, len), EADDRINUSE);
    CHECK(connect(c, (void *)&at, len) == 0);
    CHECK(getpeername(c, (void *)&peer, &plen) == 0 && plen == len && !memcmp(&peer, &at, len));
    plen = sizeof peer;
    int s = accept(l, (void *)&peer, &plen);
    CHECK(s >= 0 && plen == 2 && peer.sun_family == AF_UNIX);
    CHECK(write(c, "hi", 2) == 2 && read(s, buffer, 8) == 2);
    struct ucred who;
    socklen_t wlen = sizeof who;
    CHECK(getsockopt(s, SOL_SOCKET, SO_PEERCRED, &who, &wlen) == 0 && who.pid == getpid() && who.uid == geteuid());
    int d = socket(AF_UNIX, SOCK_DGRAM, 0);
    FAILS(connect(d, (void *)&at, len), ECONNREFUSED); // names are of a type
    close(d), close(c), close(s), close(l);
    c = socket(AF_UNIX, SOCK_STREAM, 0);
    FAILS(connect(c, (void *)&at, len), ECONNREFUSED);
    close(c);
}

static void datagrams(void) {
    struct sockaddr_un at, mine, from;
    socklen_t len = abstract(&at, "coracle-conformance-d"), mlen = abstract(&mine, "coracle-conformance-e"), flen = sizeof from;
    int server = socket(AF_UNIX, SOCK_DGRAM, 0), client = socket(AF_UNIX, SOCK_DGRAM, 0);
    char buffer[32];
    CHECK(bind(server, (void *)&at, len) == 0 && bind(client, (void *)&mine, mlen) == 0);
    CHECK(sendto(client, "question", 8, 0, (void *)&at, len) == 8);
    CHECK(recvfrom(server, buffer, 32, 0, (void *)&from, &flen) == 8 && flen == mlen && !memcmp(&from, &mine, mlen));
    CHECK(sendto(server, "answer", 6, 0, (void *)&from, flen) == 6 && read(client, buffer, 32) == 6);
    FAILS(send(client, "x", 1, 0), ENOTCONN);
    CHECK(connect(client, (void *)&at, len) == 0 && send(client, "x", 1, 0) == 1);
    close(server), close(client);
}

static void paths(void) {
    struct sockaddr_un at = {.sun_family = AF_UNIX, .sun_path = "/tmp/coracle-conformance.sock"};
    struct stat info;
    unlink(at.sun_path);
    int l = socket(AF_UNIX, SOCK_STREAM, 0), c = socket(AF_UNIX, SOCK_STREAM, 0);
    FAILS(connect(c, (void *)&at, sizeof at), ENOENT);
    CHECK(bind(l, (void *)&at, sizeof at) == 0 && listen(l, 4) == 0);
    CHECK(stat(at.sun_path, &info) == 0 && S_ISSOCK(info.st_mode));
    FAILS(bind(c, (void *)&at, sizeof at), EADDRINUSE);
    CHECK(connect(c, (void *)&at, sizeof at) == 0);
    close(c), close(l);
    c = socket(AF_UNIX, SOCK_STREAM, 0);
    FAILS(connect(c, (void *)&at, sizeof at), ECONNREFUSED);
    CHECK(unlink(at.sun_path) == 0);
    close(c);
}

static ssize_t send_fds(int to, const int *fds, int count) {
    char control[CMSG_SPACE(4 * sizeof(int))] = {0};
    struct iovec v = {"F", 1};
    struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = control, .msg_controllen = CMSG_SPACE(count * sizeof(int))};
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    c->cmsg_level = SOL_SOCKET, c->cmsg_type = SCM_RIGHTS, c->cmsg_len = CMSG_LEN(count * sizeof(int));
    memcpy(CMSG_DATA(c), fds, count * sizeof(int));
    return sendmsg(to, &m, 0);
}

static void passing(void) {
    int v[2], p[2], got[2], on = 1;
    char buffer[8], control[256];
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, v) == 0 && pipe(p) == 0);
    CHECK(send_fds(v[0], p, 2) == 1);
    close(p[0]), close(p[1]);
    struct iovec iov = {buffer, 8};
    struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    CHECK(recvmsg(v[1], &m, MSG_CMSG_CLOEXEC) == 1 && (m.msg_flags & MSG_CTRUNC) == 0);
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    CHECK(c && c->cmsg_type == SCM_RIGHTS && c->cmsg_len == CMSG_LEN(sizeof got));
    memcpy(got, CMSG_DATA(c), sizeof got);
    CHECK(fcntl(got[0], F_GETFD) == FD_CLOEXEC);
    CHECK(write(got[1], "through", 7) == 7 && read(got[0], buffer, 8) == 7);
    // Without room for them they are closed.
    CHECK(send_fds(v[0], got, 2) == 1);
    m.msg_control = NULL, m.msg_controllen = 0;
    CHECK(recvmsg(v[1], &m, 0) == 1 && (m.msg_flags & MSG_CTRUNC));
    close(got[1]);
    CHECK(read(got[0], buffer, 8) == 0);
    int bad = 999;
    FAILS(send_fds(v[0], &bad, 1), EBADF);
    // Credentials come with every message to who asks for them.
    CHECK(setsockopt(v[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof on) == 0);
    CHECK(write(v[0], "w", 1) == 1);
    m.msg_control = control, m.msg_controllen = sizeof control;
    CHECK(recvmsg(v[1], &m, 0) == 1);
    c = CMSG_FIRSTHDR(&m);
    struct ucred who;
    CHECK(c && c->cmsg_type == SCM_CREDENTIALS && c->cmsg_len == CMSG_LEN(sizeof who));
    memcpy(&who, CMSG_DATA(c), sizeof who);
    CHECK(who.pid == getpid() && who.uid == getuid());
    close(got[0]), close(v[0]), close(v[1]);
}

int main(void) {
    pairs();
    named();
    datagrams();
    paths();
    passing();
    if (failures == 0)
        puts("ok");
    return failures != 0;
}
