/* The programs of the incidents; see init and README.md. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static void die(const char *what)
{
	perror(what);
	exit(1);
}

/* eat touches n MB of anonymous memory, says so and sleeps. */
static void eat(int mb)
{
	size_t n = (size_t)mb << 20;
	char *p = mmap(0, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	for (size_t i = 0; i < n; i += 4096)
		p[i] = 1;
	dprintf(1, "lab: %d has its %d MB\n", getpid(), mb);
	pause();
}

/* handler listens for the group's OOM events as a userspace OOM handler does,
 * and never acts on one. */
static void handler(const char *group)
{
	char path[256], line[64];
	uint64_t n;
	int fd, ctl, efd = eventfd(0, 0);

	snprintf(path, sizeof path, "%s/memory.oom_control", group);
	ctl = open(path, O_RDONLY);
	snprintf(path, sizeof path, "%s/cgroup.event_control", group);
	fd = open(path, O_WRONLY);
	snprintf(line, sizeof line, "%d %d", efd, ctl);
	if (write(fd, line, strlen(line)) < 0)
		die("cgroup.event_control");
	while (read(efd, &n, sizeof n) == sizeof n)
		dprintf(1, "lab: the handler was told of %d OOM(s)\n", (int)n);
}

/* hold writes to a file out of a buffer that nobody ever fills: it sleeps in
 * the write with the file's i_rwsem held. */
static void hold(const char *file)
{
	struct uffdio_api api = {.api = UFFD_API};
	struct uffdio_register reg;
	char *p = mmap(0, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int u = syscall(SYS_userfaultfd, O_CLOEXEC);
	int fd = open(file, O_WRONLY);

	memset(&reg, 0, sizeof reg);
	reg.range.start = (unsigned long)p;
	reg.range.len = 65536;
	reg.mode = UFFDIO_REGISTER_MODE_MISSING;
	if (u < 0 || fd < 0 || ioctl(u, UFFDIO_API, &api) || ioctl(u, UFFDIO_REGISTER, &reg))
		die("userfaultfd");
	if (write(fd, p, 65536) < 0)
		die("write");
}

int main(int argc, char **argv)
{
	if (argc < 4)
		return 2;
	prctl(PR_SET_NAME, argv[1]);
	if (!strcmp(argv[2], "eat"))
		eat(atoi(argv[3]));
	else if (!strcmp(argv[2], "handler"))
		handler(argv[3]);
	else if (!strcmp(argv[2], "hold"))
		hold(argv[3]);
	else if (!strcmp(argv[2], "truncate"))
		open(argv[3], O_WRONLY | O_TRUNC);
	else if (!strcmp(argv[2], "write")) {
		int fd = open(argv[3], O_WRONLY);

		if (write(fd, "x", 1) < 0)
			die("write");
	} else if (!strcmp(argv[2], "unlink"))
		unlink(argv[3]);
	else if (!strcmp(argv[2], "create"))
		open(argv[3], O_WRONLY | O_CREAT, 0644);
	else
		return 2;
	return 0;
}
