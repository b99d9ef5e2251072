// UDP over the loopback (udp(7)): borders, truncation, connected sockets, many messages in one call.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static int failures;
#define CHECK(what) ((what) ? (void)0 : (void)(failures++, printf("line %d: %s (errno %d)\n", __LINE__, #what, errno)))
#define FAILS(call, error) (errno = 0, CHECK((call) == -1 && errno == (error)))

static int bound(struct sockaddr_in *at) {
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    socklen_t len = sizeof *at;
    *at = (struct sockaddr_in){.sin_family = AF_INET};
    at->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    CHECK(fd >= 0 && bind(fd, (void *)at, sizeof *at) == 0);
    CHECK(getsockname(fd, (void *)at, &len) == 0 && at->sin_port != 0);
    return fd;
}

static void borders(void) {
    struct sockaddr_in at, from;
    int server = bound(&at), client = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0), n;
    char buffer[64];
    socklen_t len = sizeof from;
    struct pollfd p = {.fd = server, .events = POLLIN | POLLOUT};
    CHECK(poll(&p, 1, 0) == 1 && p.revents == POLLOUT);
    FAILS(recv(client, buffer, 8, 0), EAGAIN);
    FAILS(send(client, "x", 1, 0), EDESTADDRREQ);
    CHECK(sendto(client, "first", 5, 0, (void *)&at, sizeof at) == 5);
    CHECK(sendto(client, "", 0, 0, (void *)&at, sizeof at) == 0);
    CHECK(sendto(client, "third message", 13, 0, (void *)&at, sizeof at) == 13);
    CHECK(poll(&p, 1, 1000) == 1 && p.revents == (POLLIN | POLLOUT));
    CHECK(ioctl(server, FIONREAD, &n) == 0 && n == 5);
    CHECK(recvfrom(server, buffer, 64, MSG_PEEK, (void *)&from, &len) == 5);
    CHECK(recvfrom(server, buffer, 64, 0, (void *)&from, &len) == 5 && !memcmp(buffer, "first", 5));
    CHECK(len == sizeof from && from.sin_addr.s_addr == htonl(INADDR_LOOPBACK) && from.sin_port != 0);
    CHECK(recv(server, buffer, 64, 0) == 0);
    CHECK(recv(server, buffer, 5, MSG_TRUNC) == 13 && !memcmp(buffer, "third", 5));
    FAILS(recv(server, buffer, 5, MSG_DONTWAIT), EAGAIN);
    CHECK(sendto(server, "answer", 6, 0, (void *)&from, len) == 6);
    CHECK(recv(client, buffer, 64, 0) == 6);
    close(server), close(client);
}

static void connected(void) {
    struct sockaddr_in at, other, name, none = {.sin_family = AF_UNSPEC};
    int server = bound(&at), stranger = bound(&other), client = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    char buffer[16];
    socklen_t len = sizeof name;
    FAILS(getpeername(client, (void *)&name, &len), ENOTCONN);
    CHECK(connect(client, (void *)&at, sizeof at) == 0);
    CHECK(getpeername(client, (void *)&name, &len) == 0 && name.sin_port == at.sin_port);
    CHECK(getsockname(client, (void *)&name, &len) == 0 && name.sin_addr.s_addr == htonl(INADDR_LOOPBACK));
    CHECK(send(client, "hi", 2, 0) == 2 && recv(server, buffer, 16, 0) == 2);
    CHECK(sendto(stranger, "no", 2, 0, (void *)&name, sizeof name) == 2);
    FAILS(recv(client, buffer, 16, 0), EAGAIN);
    CHECK(sendto(server, "yes", 3, 0, (void *)&name, sizeof name) == 3 && recv(client, buffer, 16, 0) == 3);
    close(server);
    CHECK(send(client, "gone", 4, 0) == 4);
    FAILS(recv(client, buffer, 16, 0), ECONNREFUSED);
    FAILS(recv(client, buffer, 16, 0), EAGAIN);
    CHECK(connect(client, (void *)&none, sizeof none) == 0);
    FAILS(send(client, "x", 1, 0), EDESTADDRREQ);
    close(client), close(stranger);
}

static void many(void) {
    struct sockaddr_in at;
    int server = bound(&at), client = socket(AF_INET, SOCK_DGRAM, 0);
    struct iovec out[3] = {{"one", 3}, {"two", 3}, {"three", 5}}, in[4];
    struct mmsghdr m[4] = {0};
    char buffer[4][16];
    CHECK(connect(client, (void *)&at, sizeof at) == 0);
    for (int i = 0; i < 3; i++)
        m[i].msg_hdr = (struct msghdr){.msg_iov = &out[i], .msg_iovlen = 1};
    CHECK(sendmmsg(client, m, 3, 0) == 3 && m[2].msg_len == 5);
    for (int i = 0; i < 4; i++) {
        in[i] = (struct iovec){buffer[i], 4};
        m[i].msg_hdr = (struct msghdr){.msg_iov = &in[i], .msg_iovlen = 1};
    }
    CHECK(recvmmsg(server, m, 4, MSG_WAITFORONE, NULL) == 3);
    CHECK(m[0].msg_len == 3 && m[2].msg_len == 4 && (m[2].msg_hdr.msg_flags & MSG_TRUNC) && !m[0].msg_hdr.msg_flags);
    close(server), close(client);
}

static void sharing(void) {
    struct sockaddr_in at;
    int one = bound(&at), two = socket(AF_INET, SOCK_DGRAM, 0), on = 1;
    FAILS(bind(two, (void *)&at, sizeof at), EADDRINUSE);
    CHECK(setsockopt(two, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0);
    FAILS(bind(two, (void *)&at, sizeof at), EADDRINUSE);
    CHECK(setsockopt(one, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0);
    static char large[70000];
    FAILS(sendto(two, large, sizeof large, 0, (void *)&at, sizeof at), EMSGSIZE);
    FAILS(listen(two, 1), EOPNOTSUPP);
    close(one), close(two);
}

int main(void) {
    borders();
    connected();
    many();
    sharing();
    if (failures == 0)
        puts("ok");
    return failures != 0;
}
