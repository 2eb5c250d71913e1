/* How far two cores are from each other: the time in which a cache line goes from one to the other and back.
 *   apart CPU CPU   prints nanoseconds, the least of many
 * A virtual machine's cores move: cores of one cache and cores of two differ sixfold. It must not know packets. */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define ROUNDS 40
#define TRIPS 100

static _Alignas(128) atomic_int ball;
static atomic_int over;

static int64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000000LL + now.tv_nsec;
}

/* The calling thread stays on the processor that `word` names. */
static void stay_on(const char *word) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(atoi(word), &set);
    if (sched_setaffinity(0, sizeof set, &set) != 0) {
        perror("apart: sched_setaffinity");
        exit(1);
    }
}

static void *give_back(void *word) {
    stay_on(word);
    while (!atomic_load(&over)) {
        if (atomic_load(&ball) == 1) {
            atomic_store(&ball, 0);
        }
    }
    return NULL;
}

int main(int count, char **words) {
    if (count != 3) {
        fprintf(stderr, "usage: apart CPU CPU\n");
        return 2;
    }
    pthread_t other;
    stay_on(words[1]);
    if (pthread_create(&other, NULL, give_back, words[2]) != 0) {
        fprintf(stderr, "apart: failed to start a thread\n");
        return 1;
    }
    int64_t least_ns = INT64_MAX;
    for (int round = 0; round < ROUNDS; round++) {
        int64_t from_ns = now_ns();
        for (int trip = 0; trip < TRIPS; trip++) {
            atomic_store(&ball, 1);
            while (atomic_load(&ball) == 1) {
            }
        }
        int64_t ns = (now_ns() - from_ns) / TRIPS;
        least_ns = ns < least_ns ? ns : least_ns;
    }
    atomic_store(&over, 1);
    pthread_join(other, NULL);
    printf("%lld\n", (long long)least_ns);
    return 0;
}
