/* Signals: actions, masks, delivery, frames, restarting. */
#define _GNU_SOURCE
#include "check.h"
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

static volatile int count, last, last_code, last_value;
static volatile uintptr_t handler_stack;

static void handler(int signal, siginfo_t *info, void *context)
{
    char here;
    (void)context;
    count++;
    last = signal;
    last_code = info->si_code;
    last_value = info->si_value.sival_int;
    handler_stack = (uintptr_t)&here;
}

static void install(int signal, int flags)
{
    struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | flags};
    CHECK(sigaction(signal, &action, NULL) == 0);
}

static sigset_t only(int signal)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, signal);
    return set;
}

static void actions(void)
{
    struct sigaction action;
    install(SIGUSR1, 0);
    CHECK(sigaction(SIGUSR1, NULL, &action) == 0 && action.sa_sigaction == handler && (action.sa_flags & SA_SIGINFO));
    CHECK(raise(SIGUSR1) == 0 && count == 1 && last == SIGUSR1 && last_code == SI_TKILL);
    CHECK(kill(getpid(), SIGUSR1) == 0 && count == 2 && last_code == SI_USER);
    CHECK_ERROR(sigaction(SIGKILL, &(struct sigaction){.sa_handler = SIG_IGN}, NULL), EINVAL);
    CHECK_ERROR(sigaction(65, NULL, NULL), EINVAL);
    CHECK_ERROR(kill(getpid(), 65), EINVAL);
    CHECK(kill(getpid(), 0) == 0);
    signal(SIGUSR2, SIG_IGN);
    CHECK(raise(SIGUSR2) == 0 && count == 2);
    signal(SIGCHLD, SIG_DFL);
    CHECK(raise(SIGCHLD) == 0);
    install(SIGUSR2, SA_RESETHAND);
    raise(SIGUSR2);
    CHECK(sigaction(SIGUSR2, NULL, &action) == 0 && action.sa_handler == SIG_DFL);
}

static void masks(void)
{
    sigset_t set = only(SIGUSR1), old, pending;
    count = 0;
    CHECK(sigprocmask(SIG_BLOCK, &set, &old) == 0 && !sigismember(&old, SIGUSR1));
    raise(SIGUSR1);
    raise(SIGUSR1);
    CHECK(count == 0 && sigpending(&pending) == 0 && sigismember(&pending, SIGUSR1));
    CHECK(sigprocmask(SIG_UNBLOCK, &set, NULL) == 0 && count == 1);
    /* Real-time signals queue, with their values in order. */
    install(SIGRTMIN + 1, 0);
    set = only(SIGRTMIN + 1);
    sigprocmask(SIG_BLOCK, &set, NULL);
    for (int i = 1; i <= 3; i++)
        CHECK(sigqueue(getpid(), SIGRTMIN + 1, (union sigval){.sival_int = i}) == 0);
    count = 0;
    sigprocmask(SIG_UNBLOCK, &set, NULL);
    CHECK(count == 3 && last_code == SI_QUEUE && last_value == 3);
    /* sigwaitinfo takes a blocked signal. */
    sigprocmask(SIG_BLOCK, &set, NULL);
    sigqueue(getpid(), SIGRTMIN + 1, (union sigval){.sival_int = 9});
    siginfo_t info;
    CHECK(sigwaitinfo(&set, &info) == SIGRTMIN + 1 && info.si_value.sival_int == 9);
    struct timespec span = {.tv_nsec = 10000000};
    CHECK_ERROR(sigtimedwait(&set, NULL, &span), EAGAIN);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
    /* A pending signal that becomes ignored is gone. */
    set = only(SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, NULL);
    raise(SIGUSR1);
    signal(SIGUSR1, SIG_IGN);
    CHECK(sigpending(&pending) == 0 && !sigismember(&pending, SIGUSR1));
    install(SIGUSR1, 0);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
}

static volatile int nested, depth;

static void nesting(int signal)
{
    (void)signal;
    depth++;
    if (depth == 1)
        raise(SIGUSR1);
    nested = depth;
}

static void nests(void)
{
    struct sigaction action = {.sa_handler = nesting};
    sigaction(SIGUSR1, &action, NULL);
    depth = nested = 0;
    raise(SIGUSR1);
    CHECK(depth == 2 && nested == 2);
    action.sa_flags = SA_NODEFER;
    sigaction(SIGUSR1, &action, NULL);
    depth = 0;
    raise(SIGUSR1);
    CHECK(depth == 2);
}

static void alternate(void)
{
    static char stack[32768];
    stack_t new = {.ss_sp = stack, .ss_size = sizeof stack}, old;
    CHECK(sigaltstack(&new, NULL) == 0);
    CHECK(sigaltstack(NULL, &old) == 0 && old.ss_sp == stack && old.ss_flags == 0);
    install(SIGUSR1, SA_ONSTACK);
    raise(SIGUSR1);
    CHECK(handler_stack >= (uintptr_t)stack && handler_stack < (uintptr_t)stack + sizeof stack);
    install(SIGUSR1, 0);
    raise(SIGUSR1);
    CHECK(handler_stack < (uintptr_t)stack || handler_stack >= (uintptr_t)stack + sizeof stack);
    new.ss_size = 16;
    CHECK_ERROR(sigaltstack(&new, NULL), ENOMEM);
    new.ss_flags = SS_DISABLE;
    CHECK(sigaltstack(&new, NULL) == 0 && sigaltstack(NULL, &old) == 0 && (old.ss_flags & SS_DISABLE));
}

static void *later(void *argument)
{
    usleep(30000);
    pthread_kill(*(pthread_t *)argument, SIGUSR1);
    return NULL;
}

/* Reads from an empty pipe while a signal comes; writes to it afterwards if the read is to go on. */
static void *later_then_write(void *argument)
{
    int *fds = argument;
    usleep(30000);
    kill(getpid(), SIGUSR1);
    usleep(30000);
    CHECK(write(fds[1], "x", 1) == 1);
    return NULL;
}

static void restarting(void)
{
    int fds[2];
    char byte;
    pthread_t self = pthread_self(), other;
    sigset_t set = only(SIGUSR1);
    CHECK(pipe(fds) == 0);
    install(SIGUSR1, 0);
    pthread_create(&other, NULL, later, &self);
    CHECK_ERROR(read(fds[0], &byte, 1), EINTR);
    pthread_join(other, NULL);
    install(SIGUSR1, SA_RESTART);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    pthread_create(&other, NULL, later_then_write, fds);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
    count = 0;
    CHECK(read(fds[0], &byte, 1) == 1 && byte == 'x' && count == 1);
    pthread_join(other, NULL);
    /* Sleeping is never restarted. */
    pthread_create(&other, NULL, later, &self);
    struct timespec span = {.tv_sec = 2}, rest;
    CHECK_ERROR(nanosleep(&span, &rest), EINTR);
    CHECK(rest.tv_sec == 1 && rest.tv_nsec > 500000000);
    pthread_join(other, NULL);
    /* sigsuspend: the signal comes only while it waits. */
    sigset_t old, none;
    sigemptyset(&none);
    sigprocmask(SIG_BLOCK, &set, &old);
    count = 0;
    raise(SIGUSR1);
    CHECK(count == 0);
    CHECK_ERROR(sigsuspend(&none), EINTR);
    CHECK(count == 1);
    sigset_t now;
    sigprocmask(SIG_SETMASK, NULL, &now);
    CHECK(sigismember(&now, SIGUSR1));
    sigprocmask(SIG_SETMASK, &old, NULL);
    close(fds[0]);
    close(fds[1]);
}

static void skip(int signal, siginfo_t *info, void *context)
{
    ucontext_t *uc = context;
    (void)info;
    last = signal;
    uc->uc_mcontext.gregs[REG_RIP] += 2;
    uc->uc_mcontext.gregs[REG_RBX] = 77;
}

static void contexts(void)
{
    struct sigaction action = {.sa_sigaction = skip, .sa_flags = SA_SIGINFO};
    sigaction(SIGILL, &action, NULL);
    long rbx = 0;
    double x = 1.5, y;
    long r12 = 12, r15 = 15;
    __asm__ volatile("movq $12, %%r12; movq $15, %%r15; movsd %4, %%xmm7; ud2; movsd %%xmm7, %3; movq %%rbx, %0;"
                     "movq %%r12, %1; movq %%r15, %2"
                     : "=m"(rbx), "=m"(r12), "=m"(r15), "=m"(y)
                     : "m"(x)
                     : "rbx", "r12", "r15", "xmm7", "memory");
    CHECK(last == SIGILL && rbx == 77 && r12 == 12 && r15 == 15 && y == 1.5);
}

static sigjmp_buf escape;

static void leave(int signal)
{
    siglongjmp(escape, signal);
}

static void faults(void)
{
    struct sigaction action = {.sa_handler = leave};
    int seen;
    sigaction(SIGSEGV, &action, NULL);
    sigaction(SIGFPE, &action, NULL);
    sigaction(SIGTRAP, &action, NULL);
    if ((seen = sigsetjmp(escape, 1)) == 0)
        *(volatile int *)(uintptr_t)((unsigned)getpid() & 0) = 1;
    CHECK(seen == SIGSEGV);
    if ((seen = sigsetjmp(escape, 1)) == 0)
        *(volatile int *)0x8000000000000000 = 1;
    CHECK(seen == SIGSEGV);
    volatile int zero = 0;
    if ((seen = sigsetjmp(escape, 1)) == 0)
        zero = 100 / zero;
    CHECK(seen == SIGFPE);
    if ((seen = sigsetjmp(escape, 1)) == 0)
        __asm__ volatile("int3");
    CHECK(seen == SIGTRAP);
    if ((seen = sigsetjmp(escape, 1)) == 0)
        __asm__ volatile("hlt");
    CHECK(seen == SIGSEGV);
}

static volatile long ticks;

static void tick(int signal)
{
    (void)signal;
    ticks++;
}

/* A timer must reach a program that makes no system calls, and must not disturb what it computes. */
static void interruptions(void)
{
    struct sigaction action = {.sa_handler = tick, .sa_flags = SA_RESTART};
    sigaction(SIGALRM, &action, NULL);
    struct itimerval timer = {.it_interval = {.tv_usec = 2000}, .it_value = {.tv_usec = 2000}};
    CHECK(setitimer(ITIMER_REAL, &timer, NULL) == 0);
    double sum = 0, expected = 0;
    time_t end = time(NULL) + 10;
    for (int i = 0; i < 1000; i++)
        expected += i * 0.5;
    while (ticks < 20 && time(NULL) < end) {
        sum = 0;
        for (volatile int i = 0; i < 1000; i++)
            sum += i * 0.5;
        if (sum != expected)
            break;
    }
    CHECK(ticks >= 20 && sum == expected);
    memset(&timer, 0, sizeof timer);
    CHECK(setitimer(ITIMER_REAL, &timer, NULL) == 0);
}

static void pipes(void)
{
    int fds[2];
    CHECK(pipe(fds) == 0);
    close(fds[0]);
    install(SIGPIPE, 0);
    last = 0;
    CHECK_ERROR(write(fds[1], "x", 1), EPIPE);
    CHECK(last == SIGPIPE);
    close(fds[1]);
}

int main(void)
{
    actions();
    masks();
    nests();
    alternate();
    restarting();
    contexts();
    faults();
    interruptions();
    pipes();
    return finish("signals");
}
