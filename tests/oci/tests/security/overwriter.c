/* Opens every program that it sees but its own and busybox, and writes to it once nobody executes it any more. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
int main(void)
{
	char path[64], target[256], again[64];
	int log = open("/log", O_WRONLY | O_CREAT | O_APPEND, 0644);
	for (;;) {
		DIR *proc = opendir("/proc");
		struct dirent *entry;
		while ((entry = readdir(proc))) {
			if (atoi(entry->d_name) <= 1 || atoi(entry->d_name) == getpid())
				continue;
			snprintf(path, sizeof path, "/proc/%s/exe", entry->d_name);
			ssize_t length = readlink(path, target, sizeof target - 1);
			if (length < 0 || (target[length] = 0, strstr(target, "busybox") || strstr(target, "swapper") || strstr(target, "overwriter") || strstr(target, "/bin/program")))
				continue;
			int fd = open(path, O_RDONLY | O_CLOEXEC);
			if (fd < 0)
				continue;
			dprintf(log, "opened %s\n", target);
			snprintf(again, sizeof again, "/proc/self/fd/%d", fd);
			for (int i = 0; i < 20000; i++) {
				int writable = open(again, O_WRONLY | O_CLOEXEC);
				if (writable >= 0) {
					if (pwrite(writable, "#!/bin/false\n", 13, 0) == 13)
						dprintf(log, "written %s\n", target);
					close(writable);
					break;
				}
				if (errno != ETXTBSY)
					break;
				usleep(100);
			}
			close(fd);
		}
		closedir(proc);
	}
}
