/* Reads profiles, a line for each part, and prints the filters that libseccomp makes of them.
 *
 *   default ACTION      begins a profile
 *   arch ARCH           serves another architecture
 *   rule ACTION NAME COUNT (INDEX OPERATOR VALUE VALUE)*
 *   end                 prints "newest A B C", "instruction CODE JT JF K" lines, and "end"
 *
 * The prototypes are those of seccomp.h, so that the library's development files need not be installed. */
#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct compare {
	unsigned int arg;
	int op;
	uint64_t first, second;
};

void *seccomp_init(uint32_t action);
void seccomp_release(void *context);
int seccomp_arch_add(void *context, uint32_t arch);
int seccomp_rule_add_array(void *context, uint32_t action, int number, unsigned int count, const struct compare *args);
int seccomp_syscall_resolve_name(const char *name);
int seccomp_syscall_resolve_name_arch(uint32_t arch, const char *name);
int seccomp_export_bpf(void *context, int fd);

static const uint32_t archs[3] = { 0xc000003e, 0x4000003e, 0x40000003 };

static void print_filter(void *context, const int newest[3])
{
	struct { uint16_t code; uint8_t jt, jf; uint32_t k; } instruction;
	int fd = memfd_create("filter", 0);

	if (fd < 0 || seccomp_export_bpf(context, fd) != 0)
		exit(2);
	printf("newest %d %d %d\n", newest[0], newest[1], newest[2]);
	lseek(fd, 0, SEEK_SET);
	while (read(fd, &instruction, sizeof instruction) == sizeof instruction)
		printf("instruction %u %u %u %u\n", instruction.code, instruction.jt, instruction.jf, instruction.k);
	puts("end");
	fflush(stdout);
	close(fd);
}

static void add_rule(void *context, uint32_t default_action, const char *line, int newest[3])
{
	struct compare compares[6];
	char name[64];
	unsigned int action, count;
	int length, number;

	if (sscanf(line, "rule %u %63s %u%n", &action, name, &count, &length) != 3 || count > 6)
		exit(3);
	for (unsigned int i = 0; i < count; i++) {
		int more;

		line += length;
		if (sscanf(line, "%u %d %lu %lu%n", &compares[i].arg, &compares[i].op, &compares[i].first,
			   &compares[i].second, &more) != 4)
			exit(4);
		length = more;
	}
	for (int i = 0; i < 3; i++) {
		number = seccomp_syscall_resolve_name_arch(archs[i], name);
		if (number > newest[i])
			newest[i] = number;
	}
	number = seccomp_syscall_resolve_name(name);
	/* A duplicate is an error that changes nothing. */
	if (action != default_action && number != -1)
		seccomp_rule_add_array(context, action, number, count, compares);
}

int main(void)
{
	char line[1024];
	void *context = NULL;
	unsigned int value, default_action = 0;
	int newest[3] = { 0 };

	while (fgets(line, sizeof line, stdin)) {
		if (sscanf(line, "default %u", &value) == 1) {
			default_action = value;
			memset(newest, 0, sizeof newest);
			context = seccomp_init(value);
		} else if (sscanf(line, "arch %u", &value) == 1) {
			seccomp_arch_add(context, value);
		} else if (strncmp(line, "rule ", 5) == 0) {
			add_rule(context, default_action, line, newest);
		} else if (strcmp(line, "end\n") == 0) {
			print_filter(context, newest);
			seccomp_release(context);
		}
	}
	return 0;
}
