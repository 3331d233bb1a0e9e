/* The programs of the traced incidents; see make.sh. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

static char *page;

/* eat touches n MB of anonymous memory and then sleeps. */
static void eat(int mb)
{
	size_t n = (size_t)mb << 20;
	char *p = mmap(0, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	for (size_t i = 0; i < n; i += 4096)
		p[i] = 1;
	pause();
}

/* The faulter writes to a page of a frozen file system: it waits for the thaw
 * in ext4_page_mkwrite() with mmap_lock held for reading. */
static void *faulter(void *arg)
{
	prctl(PR_SET_NAME, "faulter");
	page[0] = 2;
	return arg;
}

/* The mapper needs the same mmap_lock for writing. */
static void *mapper(void *arg)
{
	prctl(PR_SET_NAME, "mapper");
	sleep(2);
	mmap(0, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return arg;
}

int main(int argc, char **argv)
{
	if (argc == 4 && !strcmp(argv[1], "eat")) {
		prctl(PR_SET_NAME, argv[3]);
		eat(atoi(argv[2]));
	}
	if (argc == 3 && !strcmp(argv[1], "frozen")) {
		pthread_t a, b;
		int fd = open(argv[2], O_RDWR);

		page = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		(void)*(volatile char *)page;
		pthread_create(&b, 0, mapper, 0);
		sleep(1); /* its stack is mapped */
		pthread_create(&a, 0, faulter, 0);
		pause();
	}
	return 2;
}
