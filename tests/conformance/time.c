/* Clocks, sleeping, timers. */
#define _GNU_SOURCE
#include "check.h"
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/times.h>
#include <time.h>
#include <unistd.h>

static int64_t nanos(clockid_t clock)
{
    struct timespec t;
    CHECK(clock_gettime(clock, &t) == 0);
    return t.tv_sec * 1000000000ll + t.tv_nsec;
}

static void clocks(void)
{
    clockid_t all[] = {CLOCK_REALTIME,  CLOCK_MONOTONIC,        CLOCK_MONOTONIC_RAW,      CLOCK_REALTIME_COARSE,
                       CLOCK_BOOTTIME,  CLOCK_MONOTONIC_COARSE, CLOCK_PROCESS_CPUTIME_ID, CLOCK_THREAD_CPUTIME_ID};
    for (unsigned i = 0; i < sizeof all / sizeof *all; i++) {
        int64_t a = nanos(all[i]), b = nanos(all[i]);
        CHECK(a > 0 && b >= a);
        struct timespec resolution;
        CHECK(clock_getres(all[i], &resolution) == 0 && resolution.tv_sec == 0 && resolution.tv_nsec > 0);
        struct timespec direct;
        CHECK(syscall(SYS_clock_gettime, all[i], &direct) == 0);
    }
    CHECK_ERROR(syscall(SYS_clock_gettime, 99, NULL), EINVAL);
    CHECK_ERROR(syscall(SYS_clock_gettime, CLOCK_REALTIME, (void *)8), EFAULT);
    struct timeval day;
    CHECK(gettimeofday(&day, NULL) == 0 && llabs(day.tv_sec - time(NULL)) <= 1);
    CHECK(syscall(SYS_time, NULL) >= 1600000000);
    int64_t before = nanos(CLOCK_MONOTONIC);
    for (int i = 0; i < 1000; i++) {
        int64_t next = nanos(CLOCK_MONOTONIC);
        CHECK(next >= before);
        before = next;
    }
}

static void sleeping(void)
{
    int64_t start = nanos(CLOCK_MONOTONIC);
    CHECK(usleep(20000) == 0);
    int64_t took = nanos(CLOCK_MONOTONIC) - start;
    CHECK(took >= 20000000 && took < 2000000000);
    struct timespec point;
    clock_gettime(CLOCK_MONOTONIC, &point);
    point.tv_nsec += 15000000;
    if (point.tv_nsec >= 1000000000) {
        point.tv_sec++;
        point.tv_nsec -= 1000000000;
    }
    CHECK(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &point, NULL) == 0);
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    CHECK(now.tv_sec > point.tv_sec || (now.tv_sec == point.tv_sec && now.tv_nsec >= point.tv_nsec));
    struct timespec past = {.tv_sec = 1};
    CHECK(clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &past, NULL) == 0);
    struct timespec wrong = {.tv_nsec = -1};
    CHECK_ERROR(nanosleep(&wrong, NULL), EINVAL);
    CHECK(clock_nanosleep(99, 0, &past, NULL) == EINVAL);
}

static volatile int fired, value;

static void on_timer(int signal, siginfo_t *info, void *context)
{
    (void)signal;
    (void)context;
    fired++;
    value = info->si_value.sival_int;
}

static void *on_thread(void *argument)
{
    __atomic_add_fetch((int *)argument, 1, __ATOMIC_SEQ_CST);
    return NULL;
}

static void notified(union sigval argument)
{
    on_thread(argument.sival_ptr);
}

static void posix_timers(void)
{
    struct sigaction action = {.sa_sigaction = on_timer, .sa_flags = SA_SIGINFO};
    sigaction(SIGRTMIN, &action, NULL);
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN, .sigev_value.sival_int = 42};
    timer_t timer;
    CHECK(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0);
    struct itimerspec spec = {.it_value.tv_nsec = 10000000, .it_interval.tv_nsec = 10000000}, old;
    CHECK(timer_settime(timer, 0, &spec, NULL) == 0);
    CHECK(timer_gettime(timer, &old) == 0 && old.it_interval.tv_nsec == 10000000 && old.it_value.tv_nsec > 0);
    for (int i = 0; i < 200 && fired < 3; i++)
        usleep(10000);
    CHECK(fired >= 3 && value == 42);
    memset(&spec, 0, sizeof spec);
    CHECK(timer_settime(timer, 0, &spec, &old) == 0);
    int seen = fired;
    usleep(30000);
    CHECK(fired == seen);
    CHECK(timer_delete(timer) == 0);
    CHECK_ERROR(syscall(SYS_timer_delete, 12345), EINVAL);

    static int threads;
    struct sigevent on = {.sigev_notify = SIGEV_THREAD, .sigev_notify_function = notified,
                          .sigev_value.sival_ptr = &threads};
    CHECK(timer_create(CLOCK_REALTIME, &on, &timer) == 0);
    spec.it_value.tv_nsec = 5000000;
    CHECK(timer_settime(timer, 0, &spec, NULL) == 0);
    for (int i = 0; i < 200 && __atomic_load_n(&threads, __ATOMIC_SEQ_CST) == 0; i++)
        usleep(10000);
    CHECK(__atomic_load_n(&threads, __ATOMIC_SEQ_CST) == 1);
    timer_delete(timer);
}

static void alarms(void)
{
    struct sigaction action = {.sa_sigaction = on_timer, .sa_flags = SA_SIGINFO};
    sigaction(SIGALRM, &action, NULL);
    CHECK(alarm(100) == 0);
    unsigned left = alarm(0);
    CHECK(left >= 99 && left <= 100);
    fired = 0;
    struct itimerval timer = {.it_value.tv_usec = 10000}, old;
    CHECK(setitimer(ITIMER_REAL, &timer, NULL) == 0);
    CHECK(getitimer(ITIMER_REAL, &old) == 0 && old.it_value.tv_usec > 0 && old.it_value.tv_usec <= 10000);
    pause();
    CHECK(fired == 1);
}

static void usage(void)
{
    struct rusage self;
    struct tms times_now;
    for (volatile long i = 0; i < 20000000; i++)
        ;
    CHECK(getrusage(RUSAGE_SELF, &self) == 0 && self.ru_utime.tv_sec * 1000000 + self.ru_utime.tv_usec > 0);
    CHECK(times(&times_now) > 0);
    CHECK(clock() > 0);
    CHECK(nanos(CLOCK_PROCESS_CPUTIME_ID) > 1000000);
}

int main(void)
{
    clocks();
    sleeping();
    posix_timers();
    alarms();
    usage();
    return finish("time");
}
