/* Checks of the conformance programs: each failure is printed, the exit status says whether there was one.
 * Programs are run on Linux first: what fails there is a mistake of the program. */
#ifndef CORACLE_CHECK_H
#define CORACLE_CHECK_H
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int failures;

#define CHECK(condition)                                                                                              \
    do {                                                                                                              \
        int saved_errno = errno;                                                                                      \
        if (!(condition)) {                                                                                           \
            printf("FAIL %s:%d: %s (errno %d %s)\n", __FILE__, __LINE__, #condition, saved_errno,                     \
                   strerror(saved_errno));                                                                            \
            __atomic_add_fetch(&failures, 1, __ATOMIC_RELAXED);                                                       \
        }                                                                                                             \
    } while (0)

/* The call fails with exactly this error. */
#define CHECK_ERROR(call, error)                                                                                      \
    do {                                                                                                              \
        errno = 0;                                                                                                    \
        long result_ = (long)(call);                                                                                  \
        int seen_ = errno;                                                                                            \
        if (result_ != -1 || seen_ != (error)) {                                                                      \
            printf("FAIL %s:%d: %s gave %ld, errno %d %s, not %s\n", __FILE__, __LINE__, #call, result_, seen_,       \
                   strerror(seen_), #error);                                                                          \
            __atomic_add_fetch(&failures, 1, __ATOMIC_RELAXED);                                                       \
        }                                                                                                             \
    } while (0)

static inline int finish(const char *name)
{
    printf("%s: %s\n", name, failures ? "FAILED" : "ok");
    fflush(stdout);
    return failures != 0;
}
#endif
