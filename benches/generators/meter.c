/* The instrument of the generators' benchmark: what the kernel counts at an interface, over a window.
 *   meter INTERFACE SECONDS   waits for traffic, lets it settle, prints the packets received per second
 *   meter now                 prints CLOCK_MONOTONIC in nanoseconds
 * It must not know who sends: all that are compared are measured by this. */
#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Traffic has begun when so many packets have come; what sets up a connection sends fewer. */
#define BEGUN_PACKETS 2000
#define SETTLE_S 0.2
#define PATIENCE_S 10.0

static int64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static void sleep_s(double seconds) {
    struct timespec time = { (time_t)seconds, (long)((seconds - (time_t)seconds) * 1e9) };
    while (nanosleep(&time, &time) != 0) {
    }
}

/* Packets that `interface` of this network namespace has received; -1 if there is no such interface. */
static int64_t received(const char *interface) {
    char line[512];
    long long packets = -1;
    size_t length = strlen(interface);
    FILE *file = fopen("/proc/net/dev", "r");
    if (file == NULL) {
        return -1;
    }
    while (fgets(line, sizeof line, file) != NULL) {
        char *name = line + strspn(line, " ");
        if (strncmp(name, interface, length) == 0 && name[length] == ':') {
            sscanf(name + length + 1, "%*u %lld", &packets);
        }
    }
    fclose(file);
    return packets;
}

int main(int count, char **words) {
    if (count == 2 && strcmp(words[1], "now") == 0) {
        printf("%lld\n", (long long)now_ns());
        return 0;
    }
    if (count != 3) {
        fprintf(stderr, "usage: meter INTERFACE SECONDS | meter now\n");
        return 2;
    }
    int64_t first = received(words[1]);
    int64_t deadline_ns = now_ns() + (int64_t)(PATIENCE_S * 1e9);
    while (first < 0 || received(words[1]) < first + BEGUN_PACKETS) {
        if (first < 0 || now_ns() > deadline_ns) {
            fprintf(stderr, "meter: no traffic at %s\n", words[1]);
            return 1;
        }
        sleep_s(0.002);
    }
    sleep_s(SETTLE_S);
    int64_t from_packets = received(words[1]), from_ns = now_ns();
    sleep_s(atof(words[2]));
    int64_t packets = received(words[1]) - from_packets, ns = now_ns() - from_ns;
    printf("%.0f\n", (double)packets * 1e9 / (double)ns);
    return 0;
}
