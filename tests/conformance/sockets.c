// What socket(2), getsockopt(2) and setsockopt(2) accept and refuse, and the interfaces of getifaddrs(3).
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

static int failures;
#define CHECK(what) ((what) ? (void)0 : (void)(failures++, printf("line %d: %s (errno %d)\n", __LINE__, #what, errno)))
#define FAILS(call, error) (errno = 0, CHECK((call) == -1 && errno == (error)))

static int get(int fd, int level, int name) {
    int value = -1;
    socklen_t len = sizeof value;
    CHECK(getsockopt(fd, level, name, &value, &len) == 0 && len == sizeof value);
    return value;
}

static void kinds(void) {
    struct stat info;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
    CHECK(fd >= 0 && (fcntl(fd, F_GETFL) & O_NONBLOCK) && fcntl(fd, F_GETFD) == FD_CLOEXEC);
    CHECK(fstat(fd, &info) == 0 && S_ISSOCK(info.st_mode));
    CHECK(get(fd, SOL_SOCKET, SO_TYPE) == SOCK_STREAM && get(fd, SOL_SOCKET, SO_DOMAIN) == AF_INET);
    CHECK(get(fd, SOL_SOCKET, SO_PROTOCOL) == IPPROTO_TCP && get(fd, SOL_SOCKET, SO_ERROR) == 0);
    FAILS(lseek(fd, 0, SEEK_CUR), ESPIPE);
    close(fd);
    FAILS(socket(AF_INET, SOCK_STREAM, IPPROTO_UDP), EPROTONOSUPPORT);
    FAILS(socket(AF_INET, 77, 0), EINVAL);
    FAILS(socket(AF_INET, SOCK_STREAM | 0x100, 0), EINVAL);
    FAILS(socket(12345, SOCK_STREAM, 0), EAFNOSUPPORT);
    FAILS(socket(AF_UNIX, SOCK_STREAM, 17), EPROTONOSUPPORT);
    int v[2];
    FAILS(socketpair(AF_INET, SOCK_STREAM, 0, v), EOPNOTSUPP);
    int null = open("/dev/null", O_RDONLY);
    FAILS(listen(null, 1), ENOTSOCK);
    FAILS(listen(-1, 1), EBADF);
    close(null);
}

static void options(void) {
    int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1, value;
    socklen_t len;
    int level_name[][2] = {{SOL_SOCKET, SO_REUSEADDR}, {SOL_SOCKET, SO_REUSEPORT}, {SOL_SOCKET, SO_KEEPALIVE},
                           {IPPROTO_TCP, TCP_NODELAY}, {IPPROTO_TCP, TCP_CORK}};
    for (unsigned i = 0; i < sizeof level_name / sizeof *level_name; i++) {
        CHECK(get(fd, level_name[i][0], level_name[i][1]) == 0);
        CHECK(setsockopt(fd, level_name[i][0], level_name[i][1], &on, sizeof on) == 0);
        CHECK(get(fd, level_name[i][0], level_name[i][1]) == 1);
    }
    value = 30;
    CHECK(setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &value, sizeof value) == 0 && get(fd, IPPROTO_TCP, TCP_KEEPIDLE) == 30);
    CHECK(setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &value, sizeof value) == 0 && get(fd, IPPROTO_TCP, TCP_KEEPINTVL) == 30);
    value = 0;
    FAILS(setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &value, sizeof value), EINVAL);
    value = 20000;
    CHECK(setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &value, sizeof value) == 0 && get(fd, SOL_SOCKET, SO_SNDBUF) == 40000);
    CHECK(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &value, sizeof value) == 0 && get(fd, SOL_SOCKET, SO_RCVBUF) == 40000);
    struct timeval time = {1, 500000}, back;
    len = sizeof back;
    CHECK(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time) == 0);
    CHECK(getsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &back, &len) == 0 && back.tv_sec == 1 && back.tv_usec == 500000);
    time.tv_usec = 1000000;
    FAILS(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time), EDOM);
    struct linger linger = {1, 5}, lback;
    len = sizeof lback;
    CHECK(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger) == 0);
    CHECK(getsockopt(fd, SOL_SOCKET, SO_LINGER, &lback, &len) == 0 && lback.l_onoff == 1 && lback.l_linger == 5);
    struct tcp_info info;
    len = sizeof info;
    CHECK(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) == 0 && info.tcpi_state == TCP_CLOSE);
    value = 12;
    CHECK(setsockopt(fd, IPPROTO_IP, IP_TTL, &value, sizeof value) == 0 && get(fd, IPPROTO_IP, IP_TTL) == 12);
    FAILS(setsockopt(fd, SOL_SOCKET, 9999, &on, sizeof on), ENOPROTOOPT);
    FAILS(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, 1), EINVAL);
    FAILS(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, (void *)8, sizeof on), EFAULT);
    FAILS(setsockopt(fd, SOL_SOCKET, SO_TYPE, &on, sizeof on), ENOPROTOOPT);
    CHECK(get(fd, SOL_SOCKET, SO_ACCEPTCONN) == 0 && listen(fd, 1) == 0 && get(fd, SOL_SOCKET, SO_ACCEPTCONN) == 1);
    close(fd);
}

static void interfaces(void) {
    struct ifaddrs *all, *i;
    int loopback = 0, links = 0;
    CHECK(getifaddrs(&all) == 0);
    for (i = all; i; i = i->ifa_next) {
        if (i->ifa_addr && i->ifa_addr->sa_family == AF_PACKET)
            links++;
        if (i->ifa_addr && i->ifa_addr->sa_family == AF_INET && !strcmp(i->ifa_name, "lo")) {
            struct sockaddr_in *at = (void *)i->ifa_addr, *mask = (void *)i->ifa_netmask;
            loopback += at->sin_addr.s_addr == htonl(INADDR_LOOPBACK) && mask->sin_addr.s_addr == htonl(0xff000000);
            CHECK(i->ifa_flags & IFF_LOOPBACK);
        }
    }
    CHECK(loopback == 1 && links >= 1);
    freeifaddrs(all);
    CHECK(if_nametoindex("lo") == 1);
    struct ifreq request = {.ifr_name = "lo"};
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    CHECK(ioctl(fd, SIOCGIFFLAGS, &request) == 0 && (request.ifr_flags & (IFF_UP | IFF_LOOPBACK)) == (IFF_UP | IFF_LOOPBACK));
    CHECK(ioctl(fd, SIOCGIFADDR, &request) == 0);
    CHECK(((struct sockaddr_in *)&request.ifr_addr)->sin_addr.s_addr == htonl(INADDR_LOOPBACK));
    strcpy(request.ifr_name, "nosuch0");
    FAILS(ioctl(fd, SIOCGIFINDEX, &request), ENODEV);
    close(fd);
}

int main(void) {
    kinds();
    options();
    interfaces();
    if (failures == 0)
        puts("ok");
    return failures != 0;
}
