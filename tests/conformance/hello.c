/* What a program finds when it starts: arguments, environment, auxiliary vector, standard streams. */
#define _GNU_SOURCE
#include "check.h"
#include <elf.h>
#include <sys/auxv.h>
#include <sys/utsname.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    CHECK(argc >= 1 && argv[0] && argv[argc] == NULL);
    CHECK(getauxval(AT_PAGESZ) == 4096);
    CHECK(getauxval(AT_CLKTCK) == 100);
    CHECK(getauxval(AT_PHENT) == sizeof(Elf64_Phdr));
    CHECK(getauxval(AT_PHNUM) > 1);
    CHECK(getauxval(AT_ENTRY) != 0);
    CHECK(getauxval(AT_UID) == getuid() && getauxval(AT_EGID) == getegid());
    CHECK(getauxval(AT_SECURE) == 0);
    CHECK(getauxval(AT_MINSIGSTKSZ) >= 2048);
    CHECK(getauxval(AT_HWCAP) != 0);
    const unsigned char *random = (const unsigned char *)getauxval(AT_RANDOM);
    int any = 0;
    for (int i = 0; random && i < 16; i++)
        any |= random[i];
    CHECK(random && any);
    CHECK(strcmp((char *)getauxval(AT_PLATFORM), "x86_64") == 0);
    CHECK(((char *)getauxval(AT_EXECFN))[0] != 0);
    CHECK((unsigned long)__builtin_frame_address(0) % 16 == 0);
    struct utsname name;
    CHECK(uname(&name) == 0 && strcmp(name.sysname, "Linux") == 0 && strcmp(name.machine, "x86_64") == 0);
    CHECK_ERROR(uname((void *)8), EFAULT);
    CHECK(write(1, "hello, world\n", 13) == 13);
    CHECK_ERROR(write(99, "", 0), EBADF);
    CHECK_ERROR(syscall(9999), ENOSYS);
    return finish("hello");
}
