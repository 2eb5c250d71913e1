/* Sets the wall clock of a program that is started with it, by SEPTET_TEST_CLOCK seconds; nothing else of it. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
int clock_gettime(clockid_t id, struct timespec *at) {
	int done = (int)syscall(SYS_clock_gettime, id, at);
	const char *by = getenv("SEPTET_TEST_CLOCK");
	if (done == 0 && id == CLOCK_REALTIME && by)
		at->tv_sec += atol(by);
	return done;
}
