/* execve(2): the program replaces itself; what is handed on and what is not. */
#define _GNU_SOURCE
#include "check.h"
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

static void handler(int signal)
{
    (void)signal;
}

static int second(char **argv)
{
    struct sigaction action;
    int kept = atoi(argv[2]), closed = atoi(argv[3]);
    CHECK(getpid() == atoi(argv[4]));
    CHECK(strcmp(getenv("MARK"), "here") == 0 && getenv("PATH") == NULL);
    CHECK(fcntl(kept, F_GETFD) == 0);
    CHECK_ERROR(fcntl(closed, F_GETFD), EBADF);
    CHECK(sigaction(SIGUSR1, NULL, &action) == 0 && action.sa_handler == SIG_DFL);
    CHECK(sigaction(SIGUSR2, NULL, &action) == 0 && action.sa_handler == SIG_IGN);
    sigset_t mask;
    CHECK(sigprocmask(SIG_SETMASK, NULL, &mask) == 0 && sigismember(&mask, SIGHUP) && !sigismember(&mask, SIGINT));
    stack_t stack;
    CHECK(sigaltstack(NULL, &stack) == 0 && (stack.ss_flags & SS_DISABLE));
    char *heap = malloc(1 << 20);
    CHECK(heap != NULL && memset(heap, 1, 1 << 20) == heap);
    return finish("exec");
}

int main(int argc, char **argv)
{
    if (argc == 5)
        return second(argv);
    static char stack[32768];
    stack_t alternate = {.ss_sp = stack, .ss_size = sizeof stack};
    sigaltstack(&alternate, NULL);
    signal(SIGUSR1, handler);
    signal(SIGUSR2, SIG_IGN);
    sigset_t mask;
    sigemptyset(&mask);
    sigaddset(&mask, SIGHUP);
    sigprocmask(SIG_SETMASK, &mask, NULL);
    char *volatile bad = (char *)8;
    char *environment[] = {"MARK=here", NULL};
    CHECK_ERROR(execve("/does/not/exist", argv, environment), ENOENT);
    CHECK_ERROR(execve("/", argv, environment), EACCES);
    CHECK_ERROR(execve(bad, argv, environment), EFAULT);
    CHECK_ERROR(execve("/proc/self/exe", (char **)bad, environment), EFAULT);
    if (failures)
        return finish("exec");
    char kept[16], closed[16], pid[16];
    snprintf(kept, sizeof kept, "%d", dup(1));
    snprintf(closed, sizeof closed, "%d", fcntl(1, F_DUPFD_CLOEXEC, 10));
    snprintf(pid, sizeof pid, "%d", getpid());
    char *arguments[] = {argv[0], "again", kept, closed, pid, NULL};
    execve("/proc/self/exe", arguments, environment);
    CHECK(!"execve came back");
    return finish("exec");
}
