/* mmap(2) and what belongs to it. */
#define _GNU_SOURCE
#include "check.h"
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#define PAGE 4096

static sigjmp_buf escape;
static volatile int fault_signal, fault_code;
static void *volatile fault_address;

static void on_fault(int signal, siginfo_t *info, void *context)
{
    (void)context;
    fault_signal = signal;
    fault_code = info->si_code;
    fault_address = info->si_addr;
    siglongjmp(escape, 1);
}

/* The signal that an access causes; 0 if it works. */
static int touch(volatile char *at, int write)
{
    fault_signal = 0;
    if (sigsetjmp(escape, 1) == 0) {
        if (write)
            *at = 1;
        else
            (void)*at;
    }
    return fault_signal;
}

static char *map(size_t pages, int prot)
{
    char *at = mmap(NULL, pages * PAGE, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(at != MAP_FAILED);
    return at;
}

static void anonymous(void)
{
    char *at = map(4, PROT_READ | PROT_WRITE);
    for (int i = 0; i < 4 * PAGE; i++)
        CHECK(at[i] == 0);
    memset(at, 7, 4 * PAGE);
    CHECK(munmap(at + PAGE, PAGE) == 0);
    CHECK(touch(at, 0) == 0 && at[0] == 7);
    CHECK(touch(at + PAGE, 0) == SIGSEGV && fault_code == SEGV_MAPERR && fault_address == at + PAGE);
    CHECK(at[2 * PAGE] == 7);
    CHECK(munmap(at, 4 * PAGE) == 0);
    CHECK(munmap(at, 4 * PAGE) == 0);
    CHECK_ERROR(munmap(at + 1, PAGE), EINVAL);
    CHECK_ERROR(munmap(at, 0), EINVAL);
    CHECK_ERROR(mmap(NULL, 0, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), EINVAL);
    CHECK_ERROR(mmap(NULL, PAGE, PROT_READ, MAP_ANONYMOUS, -1, 0), EINVAL);
    CHECK_ERROR(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, -1, 0), EBADF);
    CHECK_ERROR(mmap(NULL, (size_t)1 << 62, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), ENOMEM);
}

static void fixed(void)
{
    char *at = map(4, PROT_READ | PROT_WRITE);
    memset(at, 1, 4 * PAGE);
    char *middle = mmap(at + PAGE, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    CHECK(middle == at + PAGE && middle[0] == 0 && at[0] == 1 && at[2 * PAGE] == 1);
    CHECK_ERROR(mmap(at, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0), EEXIST);
    CHECK_ERROR(mmap(at + 1, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0), EINVAL);
    munmap(at, 4 * PAGE);
    char *again = mmap(at, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    CHECK(again == at);
    char *hinted = mmap(at, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(hinted != MAP_FAILED && hinted != at);
    munmap(at, PAGE);
    munmap(hinted, PAGE);
}

static void protection(void)
{
    char *at = map(4, PROT_READ | PROT_WRITE);
    memset(at, 3, 4 * PAGE);
    CHECK(mprotect(at + PAGE, 2 * PAGE, PROT_READ) == 0);
    CHECK(touch(at + PAGE, 1) == SIGSEGV && fault_code == SEGV_ACCERR && fault_address == at + PAGE);
    CHECK(touch(at, 1) == 0 && touch(at + 3 * PAGE, 1) == 0 && touch(at + PAGE, 0) == 0);
    CHECK(mprotect(at, 4 * PAGE, PROT_NONE) == 0);
    CHECK(touch(at + 2 * PAGE, 0) == SIGSEGV);
    CHECK(mprotect(at, 4 * PAGE, PROT_READ | PROT_WRITE) == 0 && at[2 * PAGE] == 3);
    munmap(at + 2 * PAGE, PAGE);
    CHECK_ERROR(mprotect(at, 4 * PAGE, PROT_READ), ENOMEM);
    CHECK_ERROR(mprotect(at + 1, PAGE, PROT_READ), EINVAL);
    munmap(at, 4 * PAGE);
}

static void code(void)
{
    static const unsigned char forty_two[] = {0xb8, 42, 0, 0, 0, 0xc3};
    char *at = map(1, PROT_READ | PROT_WRITE);
    memcpy(at, forty_two, sizeof forty_two);
    CHECK(mprotect(at, PAGE, PROT_READ | PROT_EXEC) == 0);
    int (*function)(void) = (int (*)(void))(uintptr_t)at;
    CHECK(function() == 42);
    /* Code that is made at run time makes system calls as well: getpid. */
    static const unsigned char call[] = {0xb8, 39, 0, 0, 0, 0x0f, 0x05, 0xc3};
    CHECK(mprotect(at, PAGE, PROT_READ | PROT_WRITE) == 0);
    memcpy(at, call, sizeof call);
    CHECK(mprotect(at, PAGE, PROT_READ | PROT_EXEC) == 0);
    CHECK(function() == getpid());
    munmap(at, PAGE);
    char *data = map(1, PROT_READ | PROT_WRITE);
    data[0] = (char)0xc3;
    fault_signal = 0;
    if (sigsetjmp(escape, 1) == 0)
        ((void (*)(void))(uintptr_t)data)();
    CHECK(fault_signal == SIGSEGV);
    munmap(data, PAGE);
}

static void remapping(void)
{
    char *at = map(2, PROT_READ | PROT_WRITE);
    at[0] = 1;
    at[PAGE] = 2;
    char *larger = mremap(at, 2 * PAGE, 64 * PAGE, MREMAP_MAYMOVE);
    CHECK(larger != MAP_FAILED && larger[0] == 1 && larger[PAGE] == 2 && larger[2 * PAGE] == 0 && larger[63 * PAGE] == 0);
    CHECK(mremap(larger, 64 * PAGE, PAGE, 0) == larger && larger[0] == 1);
    CHECK(touch(larger + PAGE, 0) == SIGSEGV);
    char *barrier = mmap(larger + PAGE, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    CHECK(barrier == larger + PAGE);
    CHECK_ERROR(mremap(larger, PAGE, 2 * PAGE, 0), ENOMEM);
    char *target = map(2, PROT_NONE);
    char *moved = mremap(larger, PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, target);
    CHECK(moved == target && moved[0] == 1 && moved[PAGE] == 0);
    CHECK(touch(larger, 0) == SIGSEGV);
    munmap(barrier, PAGE);
    CHECK_ERROR(mremap(larger, PAGE, 2 * PAGE, MREMAP_MAYMOVE), EFAULT);
    munmap(moved, 2 * PAGE);
}

static void advice(void)
{
    char *at = map(8, PROT_READ | PROT_WRITE);
    memset(at, 9, 8 * PAGE);
    CHECK(madvise(at + PAGE, 2 * PAGE, MADV_DONTNEED) == 0);
    CHECK(at[0] == 9 && at[PAGE] == 0 && at[2 * PAGE] == 0 && at[3 * PAGE] == 9);
    CHECK(madvise(at, 8 * PAGE, MADV_WILLNEED) == 0);
    CHECK_ERROR(madvise(at + 1, PAGE, MADV_DONTNEED), EINVAL);
    CHECK_ERROR(madvise(at, PAGE, 12345), EINVAL);
    unsigned char resident[8] = {0};
    CHECK(mincore(at, 8 * PAGE, resident) == 0 && (resident[0] & 1));
    munmap(at, 8 * PAGE);
    CHECK_ERROR(mincore(at, 8 * PAGE, resident), ENOMEM);
    CHECK(msync(map(1, PROT_READ), PAGE, MS_SYNC) == 0);
}

static void reservations(void)
{
    size_t size = (size_t)1 << 38;
    char *at = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    CHECK(at != MAP_FAILED);
    CHECK(mprotect(at + size / 2, 16 * PAGE, PROT_READ | PROT_WRITE) == 0);
    at[size / 2] = 5;
    CHECK(at[size / 2] == 5 && touch(at, 0) == SIGSEGV);
    CHECK(munmap(at, size) == 0);
}

static void heap(void)
{
    char *start = sbrk(0);
    CHECK(start != (void *)-1);
    CHECK(sbrk(3 * PAGE + 5) == start);
    memset(start, 4, 3 * PAGE + 5);
    CHECK((char *)sbrk(0) == start + 3 * PAGE + 5);
    CHECK(brk(start) == 0 && sbrk(0) == start);
    CHECK(sbrk(PAGE * 2) == start && start[PAGE] == 0);
    brk(start);
}

static void files(void)
{
    int fd = open("/proc/self/exe", O_RDONLY);
    CHECK(fd >= 0);
    char head[64];
    CHECK(read(fd, head, 64) == 64);
    char *at = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    CHECK(at != MAP_FAILED && memcmp(at, head, 64) == 0);
    at[0] = 'X';
    char again[64];
    CHECK(pread(fd, again, 64, 0) == 64 && memcmp(again, head, 64) == 0);
    CHECK_ERROR(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), EACCES);
    CHECK_ERROR(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 1), EINVAL);
    off_t size = lseek(fd, 0, SEEK_END);
    size_t pages = (size_t)(size + PAGE - 1) / PAGE;
    char *whole = mmap(NULL, (pages + 2) * PAGE, PROT_READ, MAP_PRIVATE, fd, 0);
    CHECK(whole != MAP_FAILED);
    char last;
    CHECK(pread(fd, &last, 1, size - 1) == 1 && whole[size - 1] == last);
    for (off_t i = size; i < (off_t)(pages * PAGE); i++)
        CHECK(whole[i] == 0);
    CHECK(touch(whole + pages * PAGE, 0) == SIGBUS);
    munmap(whole, (pages + 2) * PAGE);
    munmap(at, PAGE);
    close(fd);

    fd = open("/tmp/conformance-map", O_RDWR | O_CREAT | O_TRUNC, 0600);
    CHECK(fd >= 0 && ftruncate(fd, 2 * PAGE) == 0 && pwrite(fd, "abc", 3, PAGE) == 3);
    char *shared = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    CHECK(shared != MAP_FAILED && memcmp(shared + PAGE, "abc", 3) == 0);
    memcpy(shared, "written", 7);
    CHECK(msync(shared, 2 * PAGE, MS_SYNC) == 0);
    char back[7];
    CHECK(pread(fd, back, 7, 0) == 7 && memcmp(back, "written", 7) == 0);
    munmap(shared, 2 * PAGE);
    close(fd);
    unlink("/tmp/conformance-map");
}

static void limits(void)
{
    struct rlimit limit;
    CHECK(getrlimit(RLIMIT_STACK, &limit) == 0 && limit.rlim_cur >= 64 * 1024);
    CHECK_ERROR(getrlimit(99, &limit), EINVAL);
    CHECK(mlock(&limit, 8) == 0 && munlock(&limit, 8) == 0);
}

/* A deep stack: 4 MiB of the 8 that there are. */
static int deep(int levels)
{
    volatile char frame[PAGE];
    frame[0] = (char)levels;
    return levels == 0 ? 0 : deep(levels - 1) + (frame[0] == (char)levels);
}

int main(void)
{
    static char stack[65536];
    stack_t alternate = {.ss_sp = stack, .ss_size = sizeof stack};
    CHECK(sigaltstack(&alternate, NULL) == 0);
    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    sigaction(SIGSEGV, &action, NULL);
    sigaction(SIGBUS, &action, NULL);
    anonymous();
    fixed();
    protection();
    code();
    remapping();
    advice();
    reservations();
    heap();
    files();
    limits();
    CHECK(deep(1000) == 1000);
    CHECK(touch(NULL, 0) == SIGSEGV && fault_address == NULL);
    return finish("memory");
}
