/* The bare loop that the generators are compared with: one batch of packets that never change, handed to
 * sendmmsg until time is up. Nothing is numbered, timed, checked or counted.
 *   sendmmsg udp FRAME_BYTES BATCH SECONDS
 *   sendmmsg packet FRAME_BYTES BATCH SECONDS INTERFACE
 * From 02:00:00:00:00:01, 10.0.0.1:5000, to 02:00:00:00:00:02, 10.0.0.2:6000; frames without FCS. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BATCH_MAX 1024
#define FRAME_MAX 1514
#define HEADERS 42

static void fail(const char *what) {
    fprintf(stderr, "sendmmsg: %s: %s\n", what, strerror(errno));
    exit(1);
}

static uint32_t sum(const uint8_t *bytes, size_t count) {
    uint32_t total = 0;
    for (size_t i = 0; i < count; i++) {
        total += i % 2 ? bytes[i] : (uint32_t)bytes[i] << 8;
    }
    return total;
}

static void put(uint8_t *place, uint32_t value) {
    place[0] = (uint8_t)(value >> 8);
    place[1] = (uint8_t)value;
}

static void put_checksum(uint8_t *place, uint32_t total) {
    while (total >> 16) {
        total = (total & 0xffff) + (total >> 16);
    }
    put(place, ~total);
}

static void make_frame(uint8_t *frame, size_t bytes) {
    static const uint8_t start[] = {
        2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0, 0x45, 0, 0, 0, 0, 0, 0x40, 0, 64, 17, 0, 0,
        10, 0, 0, 1, 10, 0, 0, 2, 0x13, 0x88, 0x17, 0x70,
    };
    memset(frame, 0, bytes);
    memcpy(frame, start, sizeof start);
    put(frame + 16, bytes - 14);
    put_checksum(frame + 24, sum(frame + 14, 20));
    put(frame + 38, bytes - 34);
    put_checksum(frame + 40, sum(frame + 26, bytes - 26) + 17 + (bytes - 34));
}

static int open_udp(void) {
    struct sockaddr_in from = { .sin_family = AF_INET, .sin_port = htons(5000), .sin_addr.s_addr = inet_addr("10.0.0.1") };
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(6000), .sin_addr.s_addr = inet_addr("10.0.0.2") };
    int file = socket(AF_INET, SOCK_DGRAM, 0);
    if (file < 0 || bind(file, (struct sockaddr *)&from, sizeof from) || connect(file, (struct sockaddr *)&to, sizeof to)) {
        fail("open a UDP socket");
    }
    return file;
}

static int open_packet(const char *interface) {
    struct sockaddr_ll at = { .sll_family = AF_PACKET, .sll_ifindex = (int)if_nametoindex(interface) };
    int file = socket(AF_PACKET, SOCK_RAW, 0);
    if (file < 0 || at.sll_ifindex == 0 || bind(file, (struct sockaddr *)&at, sizeof at)) {
        fail("open a packet socket");
    }
    return file;
}

int main(int count, char **words) {
    static uint8_t slots[BATCH_MAX][2048];
    static struct iovec vectors[BATCH_MAX];
    static struct mmsghdr messages[BATCH_MAX];
    int packet = count == 6 && strcmp(words[1], "packet") == 0;
    if (!packet && !(count == 5 && strcmp(words[1], "udp") == 0)) {
        fprintf(stderr, "usage: sendmmsg udp FRAME_BYTES BATCH SECONDS | sendmmsg packet FRAME_BYTES BATCH SECONDS INTERFACE\n");
        return 2;
    }
    size_t frame_bytes = strtoul(words[2], NULL, 10), batch = strtoul(words[3], NULL, 10);
    if (frame_bytes < 60 || frame_bytes > FRAME_MAX || batch < 1 || batch > BATCH_MAX) {
        fprintf(stderr, "sendmmsg: a frame has 60 to 1514 bytes, a batch 1 to 1024 packets\n");
        return 2;
    }
    int file = packet ? open_packet(words[5]) : open_udp();
    size_t skipped = packet ? 0 : HEADERS;
    for (size_t i = 0; i < batch; i++) {
        make_frame(slots[i], frame_bytes);
        vectors[i] = (struct iovec){ slots[i] + skipped, frame_bytes - skipped };
        messages[i].msg_hdr.msg_iov = &vectors[i];
        messages[i].msg_hdr.msg_iovlen = 1;
    }
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    double end_s = now.tv_sec + now.tv_nsec / 1e9 + atof(words[4]);
    do {
        /* The clock once in so many batches: it must not weigh. */
        for (int i = 0; i < 64; i++) {
            if (sendmmsg(file, messages, (unsigned)batch, MSG_DONTWAIT) < 0 && errno != EAGAIN && errno != ENOBUFS
                && errno != ECONNREFUSED) {
                fail("send");
            }
        }
        clock_gettime(CLOCK_MONOTONIC, &now);
    } while (now.tv_sec + now.tv_nsec / 1e9 < end_s);
    return 0;
}
