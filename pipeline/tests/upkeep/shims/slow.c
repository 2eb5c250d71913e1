/* The first time that a file is opened whose name has SEPTET_TEST_SLOW in it, makes the file SEPTET_TEST_MARK and waits until it is gone. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
static void look(const char *path) {
	static int once;
	const char *slow = getenv("SEPTET_TEST_SLOW"), *mark = getenv("SEPTET_TEST_MARK");
	if (!slow || !mark || !strstr(path, slow) || __sync_lock_test_and_set(&once, 1))
		return;
	close(creat(mark, 0600));
	for (int tenths = 0; tenths < 600 && access(mark, F_OK) == 0; tenths++)
		usleep(100000);
}
long syscall(long number, ...) {
	va_list rest;
	va_start(rest, number);
	long with[6];
	for (int place = 0; place < 6; place++)
		with[place] = va_arg(rest, long);
	va_end(rest);
	static long (*real)(long, ...);
	if (!real)
		real = (long (*)(long, ...))dlsym(RTLD_NEXT, "syscall");
	if (number == SYS_openat2)
		look((const char *)with[1]);
	return real(number, with[0], with[1], with[2], with[3], with[4], with[5]);
}
#define MODE(flags) \
	mode_t mode = 0; \
	if ((flags) & (O_CREAT | O_TMPFILE)) { va_list rest; va_start(rest, flags); mode = va_arg(rest, mode_t); va_end(rest); }
int open64(const char *path, int flags, ...) {
	MODE(flags)
	int (*real)(const char *, int, ...) = dlsym(RTLD_NEXT, "open64");
	look(path);
	return real(path, flags, mode);
}
int openat64(int folder, const char *path, int flags, ...) {
	MODE(flags)
	int (*real)(int, const char *, int, ...) = dlsym(RTLD_NEXT, "openat64");
	look(path);
	return real(folder, path, flags, mode);
}
int openat(int folder, const char *path, int flags, ...) {
	MODE(flags)
	int (*real)(int, const char *, int, ...) = dlsym(RTLD_NEXT, "openat");
	look(path);
	return real(folder, path, flags, mode);
}
