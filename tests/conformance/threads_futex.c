/* Threads: clone(2), futex(2), thread-local storage, what they share. */
#define _GNU_SOURCE
#include "check.h"
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define THREADS 8
#define ROUNDS 20000

static long futex(void *word, int operation, uint32_t value, const struct timespec *timeout, void *word2, uint32_t value3)
{
    return syscall(SYS_futex, word, operation, value, timeout, word2, value3);
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static long counter;
static __thread long local = 5;

static void *count(void *argument)
{
    CHECK(local == 5);
    for (int i = 0; i < ROUNDS; i++) {
        pthread_mutex_lock(&mutex);
        counter++;
        pthread_mutex_unlock(&mutex);
        local++;
    }
    CHECK(local == 5 + ROUNDS);
    return argument;
}

static void mutexes(void)
{
    pthread_t threads[THREADS];
    for (intptr_t i = 0; i < THREADS; i++)
        CHECK(pthread_create(&threads[i], NULL, count, (void *)i) == 0);
    for (intptr_t i = 0; i < THREADS; i++) {
        void *result;
        CHECK(pthread_join(threads[i], &result) == 0 && (intptr_t)result == i);
    }
    CHECK(counter == (long)THREADS * ROUNDS);
}

static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static int turn;

static void *ping(void *argument)
{
    int own = (int)(intptr_t)argument;
    for (int i = 0; i < 2000; i++) {
        pthread_mutex_lock(&mutex);
        while (turn != own)
            pthread_cond_wait(&condition, &mutex);
        turn = (own + 1) % 3;
        pthread_cond_broadcast(&condition);
        pthread_mutex_unlock(&mutex);
    }
    return NULL;
}

static void conditions(void)
{
    pthread_t threads[3];
    for (intptr_t i = 0; i < 3; i++)
        pthread_create(&threads[i], NULL, ping, (void *)i);
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    CHECK(turn == 0);
}

static uint32_t word;
static int woken;

static void *sleeper(void *argument)
{
    (void)argument;
    CHECK(futex(&word, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0) == 0);
    __atomic_add_fetch(&woken, 1, __ATOMIC_SEQ_CST);
    return NULL;
}

static void waiting(void)
{
    CHECK_ERROR(futex(&word, FUTEX_WAIT, 1, NULL, NULL, 0), EAGAIN);
    CHECK_ERROR(futex((char *)&word + 1, FUTEX_WAIT, 0, NULL, NULL, 0), EINVAL);
    CHECK_ERROR(futex((void *)8, FUTEX_WAIT, 0, NULL, NULL, 0), EFAULT);
    struct timespec wrong = {.tv_sec = 0, .tv_nsec = 1000000000};
    CHECK_ERROR(futex(&word, FUTEX_WAIT, 0, &wrong, NULL, 0), EINVAL);
    struct timespec span = {.tv_sec = 0, .tv_nsec = 30000000};
    double start = now();
    CHECK_ERROR(futex(&word, FUTEX_WAIT, 0, &span, NULL, 0), ETIMEDOUT);
    CHECK(now() - start >= 0.03 && now() - start < 2);
    struct timespec point;
    clock_gettime(CLOCK_REALTIME, &point);
    point.tv_nsec += 20000000;
    if (point.tv_nsec >= 1000000000) {
        point.tv_sec++;
        point.tv_nsec -= 1000000000;
    }
    start = now();
    CHECK_ERROR(futex(&word, FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME, 0, &point, NULL, ~0u), ETIMEDOUT);
    CHECK(now() - start >= 0.015);
    CHECK(futex(&word, FUTEX_WAKE, 1, NULL, NULL, 0) == 0);

    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, sleeper, NULL);
    long seen = 0;
    for (int i = 0; i < 1000 && seen < 2; i++) {
        seen += futex(&word, FUTEX_WAKE_PRIVATE, (uint32_t)(2 - seen), NULL, NULL, 0);
        usleep(1000);
    }
    CHECK(seen == 2);
    /* The others move to another word; that the first wakes nobody there shows that they did. */
    static uint32_t other;
    long moved = 0;
    for (int i = 0; i < 1000 && moved < 2; i++) {
        moved += futex(&word, FUTEX_CMP_REQUEUE_PRIVATE, 0, (void *)4, &other, 0);
        usleep(1000);
    }
    CHECK(moved == 2);
    CHECK(futex(&word, FUTEX_WAKE_PRIVATE, 9, NULL, NULL, 0) == 0);
    CHECK_ERROR(futex(&word, FUTEX_CMP_REQUEUE_PRIVATE, 0, (void *)4, &other, 1), EAGAIN);
    CHECK(futex(&other, FUTEX_WAKE_PRIVATE, 9, NULL, NULL, 0) == 2);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    CHECK(woken == 4);
    uint32_t second = 5;
    CHECK(futex(&word, FUTEX_WAKE_OP, 1, (void *)1, &second, FUTEX_OP(FUTEX_OP_ADD, 3, FUTEX_OP_CMP_EQ, 5)) == 0);
    CHECK(second == 8);
}

static void *identity(void *argument)
{
    (void)argument;
    pid_t tid = (pid_t)syscall(SYS_gettid);
    CHECK(tid != getpid() && tid > 0);
    CHECK(syscall(SYS_tgkill, getpid(), tid, 0) == 0);
    char name[16];
    CHECK(pthread_setname_np(pthread_self(), "worker") == 0 && pthread_getname_np(pthread_self(), name, 16) == 0);
    CHECK(strcmp(name, "worker") == 0);
    return (void *)(intptr_t)tid;
}

static void identities(void)
{
    CHECK((pid_t)syscall(SYS_gettid) == getpid());
    pthread_t a, b;
    void *ta, *tb;
    pthread_create(&a, NULL, identity, NULL);
    pthread_create(&b, NULL, identity, NULL);
    pthread_join(a, &ta);
    pthread_join(b, &tb);
    CHECK(ta != tb);
    /* A thread that was joined has let go of its stack; its number goes a moment later. */
    for (int i = 0; i < 1000 && syscall(SYS_tgkill, getpid(), (int)(intptr_t)ta, 0) == 0; i++)
        usleep(1000);
    CHECK_ERROR(syscall(SYS_tgkill, getpid(), (int)(intptr_t)ta, 0), ESRCH);
    cpu_set_t set;
    CHECK(sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) >= 1);
    CHECK(sched_yield() == 0);
}

static void *owner(void *argument)
{
    pthread_mutex_lock(argument);
    return NULL;
}

static void robust(void)
{
    pthread_mutexattr_t attributes;
    pthread_mutex_t held;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
    pthread_mutex_init(&held, &attributes);
    pthread_t thread;
    pthread_create(&thread, NULL, owner, &held);
    pthread_join(thread, NULL);
    CHECK(pthread_mutex_lock(&held) == EOWNERDEAD);
    CHECK(pthread_mutex_consistent(&held) == 0 && pthread_mutex_unlock(&held) == 0);
}

static void *canceled(void *argument)
{
    for (;;)
        pause();
    return argument;
}

static void cancellation(void)
{
    pthread_t thread;
    void *result;
    CHECK(pthread_create(&thread, NULL, canceled, NULL) == 0);
    usleep(10000);
    CHECK(pthread_cancel(thread) == 0 && pthread_join(thread, &result) == 0 && result == PTHREAD_CANCELED);
}

static void *nothing(void *argument)
{
    return argument;
}

static void many(void)
{
    for (int round = 0; round < 20; round++) {
        pthread_t threads[25];
        for (int i = 0; i < 25; i++)
            CHECK(pthread_create(&threads[i], NULL, nothing, NULL) == 0);
        for (int i = 0; i < 25; i++)
            pthread_join(threads[i], NULL);
    }
    sem_t semaphore;
    sem_init(&semaphore, 0, 1);
    CHECK(sem_wait(&semaphore) == 0);
    struct timespec point;
    clock_gettime(CLOCK_REALTIME, &point);
    CHECK_ERROR(sem_timedwait(&semaphore, &point), ETIMEDOUT);
}

int main(void)
{
    mutexes();
    conditions();
    waiting();
    identities();
    robust();
    cancellation();
    many();
    return finish("threads_futex");
}
