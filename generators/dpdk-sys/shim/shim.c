/* See shim.h. One call a burst; the loops over packets are here only where they touch a buffer's header, whose
 * layout differs between versions of DPDK. */
#define _GNU_SOURCE
#include "shim.h"

#include <stdio.h>
#include <string.h>

#include <rte_lcore.h>
#include <rte_log.h>

/* The local cache that a pool has for the calling thread: without it, every burst costs an atomic operation. */
static inline struct rte_mempool_cache *cache_of(struct rte_mempool *pool) {
    return rte_mempool_default_cache(pool, rte_lcore_id());
}

uint16_t septet_receive(uint16_t port, uint16_t queue, struct rte_mbuf **buffers, uint16_t count) {
    return rte_eth_rx_burst(port, queue, buffers, count);
}

/* What is not as in a buffer that can go back to `pool` as it is: one reference, one segment, its own memory. It is
 * looked for in every buffer, so in as few words as it takes. */
static inline uint64_t oddities(const struct rte_mbuf *buffer, const struct rte_mempool *pool) {
    const uint16_t plain[] = { 1, 1 };
    uint32_t found, wanted;
    _Static_assert(offsetof(struct rte_mbuf, nb_segs) == offsetof(struct rte_mbuf, refcnt) + 2, "side by side");
    memcpy(&found, &buffer->refcnt, sizeof found);
    memcpy(&wanted, plain, sizeof wanted);
    return ((uintptr_t)buffer->pool ^ (uintptr_t)pool) | (found ^ wanted)
        | (buffer->ol_flags & (RTE_MBUF_F_INDIRECT | RTE_MBUF_F_EXTERNAL));
}

void septet_release(struct rte_mempool *pool, struct rte_mbuf **buffers, uint16_t count) {
    uint64_t odd = 0;
    for (uint16_t i = 0; i < count; i++) {
        odd |= oddities(buffers[i], pool);
    }
    if (unlikely(odd != 0)) {
        rte_pktmbuf_free_bulk(buffers, count);
        return;
    }
#ifdef SEPTET_HAS_RAW_BULK
    rte_mbuf_raw_free_bulk(pool, buffers, count);
#else
    rte_mempool_generic_put(pool, (void **)buffers, count, cache_of(pool));
#endif
}

struct contents {
    const uint8_t *frame;
    uint16_t bytes;
};

static void fill_one(struct rte_mempool *pool, void *argument, void *object, unsigned index) {
    const struct contents *contents = argument;
    struct rte_mbuf *buffer = object;
    (void)pool;
    (void)index;
    memcpy((uint8_t *)buffer->buf_addr + RTE_PKTMBUF_HEADROOM, contents->frame, contents->bytes);
}

void septet_fill(struct rte_mempool *pool, const uint8_t *frame, uint16_t bytes) {
    struct contents contents = { frame, bytes };
    rte_mempool_obj_iter(pool, fill_one, &contents);
}

int septet_acquire(struct rte_mempool *pool, uint16_t bytes, struct rte_mbuf **buffers, uint8_t **frames, uint16_t count) {
#ifdef SEPTET_HAS_RAW_BULK
    int failed = rte_mbuf_raw_alloc_bulk(pool, buffers, count);
#else
    int failed = rte_mempool_generic_get(pool, (void **)buffers, count, cache_of(pool));
#endif
    if (unlikely(failed)) {
        return 0;
    }
    for (uint16_t i = 0; i < count; i++) {
        struct rte_mbuf *buffer = buffers[i];
        /* A buffer in a pool has one reference and no successor (rte_mbuf.h); the rest a driver may have changed. */
        buffer->data_off = RTE_PKTMBUF_HEADROOM;
        buffer->ol_flags = 0;
        buffer->data_len = bytes;
        buffer->pkt_len = bytes;
        frames[i] = (uint8_t *)buffer->buf_addr + RTE_PKTMBUF_HEADROOM;
    }
    return 1;
}

uint16_t septet_send(uint16_t port, uint16_t queue, struct rte_mbuf **buffers, uint16_t count) {
    return rte_eth_tx_burst(port, queue, buffers, count);
}

int septet_link(uint16_t port) {
    struct rte_eth_link link;
    memset(&link, 0, sizeof link);
    int failed = rte_eth_link_get_nowait(port, &link);
    return failed != 0 ? failed : link.link_status == RTE_ETH_LINK_UP;
}

int septet_errno(void) {
    return rte_errno;
}

static septet_listener heard_by;

static ssize_t hear(void *cookie, const char *text, size_t bytes) {
    (void)cookie;
    heard_by((uint32_t)rte_log_cur_msg_loglevel(), text, bytes);
    return (ssize_t)bytes;
}

int septet_listen(septet_listener listener) {
    heard_by = listener;
    FILE *stream = fopencookie(NULL, "w", (cookie_io_functions_t){ .write = hear });
    return stream == NULL ? -1 : rte_openlog_stream(stream);
}
