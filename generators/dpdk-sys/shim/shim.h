/* What DPDK defines in headers, as functions that can be linked: bursts of packets, and the few things that are
 * macros or whose layout differs between versions. It must not know what packets mean. */
#ifndef SEPTET_DPDK_SHIM_H
#define SEPTET_DPDK_SHIM_H

#include <stddef.h>
#include <stdint.h>

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>

enum septet_limit {
    SEPTET_HEADROOM = RTE_PKTMBUF_HEADROOM,
    SEPTET_PORTS_MAX = RTE_MAX_ETHPORTS,
    SEPTET_NAME_MAX = RTE_ETH_NAME_MAX_LEN,
    SEPTET_CACHE_MAX = RTE_MEMPOOL_CACHE_MAX_SIZE,
    SEPTET_LOG_ERR = RTE_LOG_ERR,
};

enum septet_offload {
    SEPTET_TX_FAST_FREE = RTE_ETH_TX_OFFLOAD_MBUF_FAST_FREE,
};

enum septet_rss {
    SEPTET_RSS_UDP = RTE_ETH_RSS_IPV4 | RTE_ETH_RSS_NONFRAG_IPV4_UDP,
};

/* Where in a buffer stands where the first segment of its packet lies: the address of the room (a pointer), the
 * distance from there and the length (16 bits each). */
enum septet_buffer {
    SEPTET_BUFFER_ROOM = offsetof(struct rte_mbuf, buf_addr),
    SEPTET_BUFFER_DISTANCE = offsetof(struct rte_mbuf, data_off),
    SEPTET_BUFFER_BYTES = offsetof(struct rte_mbuf, data_len),
};

/* Receives up to `count` packets. Every buffer is the caller's until released. */
uint16_t septet_receive(uint16_t port, uint16_t queue, struct rte_mbuf **buffers, uint16_t count);

/* Gives back buffers that were received. */
void septet_release(struct rte_mempool *pool, struct rte_mbuf **buffers, uint16_t count);

/* Writes `bytes` bytes to where frames begin in every buffer of a pool that is still whole. */
void septet_fill(struct rte_mempool *pool, const uint8_t *frame, uint16_t bytes);

/* Takes `count` buffers of a pool, all or none, and makes each one packet of `bytes` bytes whose data, from
 * `frames` on, is what was left in the buffer. Returns whether it did. */
int septet_acquire(struct rte_mempool *pool, uint16_t bytes, struct rte_mbuf **buffers, uint8_t **frames, uint16_t count);

/* Hands over up to `count` buffers and returns how many were taken; the others remain the caller's. */
uint16_t septet_send(uint16_t port, uint16_t queue, struct rte_mbuf **buffers, uint16_t count);

/* Whether the link is up, without waiting; a negative error number if that cannot be said. */
int septet_link(uint16_t port);

/* The calling thread's `rte_errno`. */
int septet_errno(void);

/* Gets one message of DPDK's log, its bytes not ended by 0. From any thread, one call at a time in each. */
typedef void (*septet_listener)(uint32_t level, const char *text, size_t bytes);

/* Sends DPDK's log to `listener` from now on, for good. Returns 0, or -1. */
int septet_listen(septet_listener listener);

#endif
