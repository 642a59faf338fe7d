/* The one queue and the connector thread that empties it. Payloads are copied in, poisoned and freed after delivery.
 *
 * A ring of slots with absolute positions: the connector claims a batch, delivers it in place without the lock, then
 * releases it. Small payloads lie in the slot; their memory is only reused after the ring has gone round. */
#include <stdlib.h>
#include <string.h>

#include "market.h"

enum { INLINE = 128, BATCH = 128, POISON = 0xDB };

typedef struct Slot {
    SimDeliver deliver;
    void *heap; /* null: the payload is inline */
    uint32_t size;
    uint16_t kind;
    _Alignas(8) unsigned char payload[INLINE];
} Slot;

static struct {
    PlatformMutex lock;
    PlatformSignal filled, emptied;
    PlatformThread thread;
    Slot *ring, *claimed_ring;
    uint64_t mask, head, claimed, tail; /* events are [tail, head); [tail, claimed) are being delivered */
    int64_t capacity, paused_until;
    int32_t holds;
    bool sleeping, closing, awaited;
    _Atomic int64_t depth;
    _Atomic int64_t busy_since;
    _Atomic uint64_t connector;
} queue;

bool sim_on_connector(void) { return queue.connector == platform_thread_id(); }
int64_t queue_depth(void) { return atomic_load_explicit(&queue.depth, memory_order_relaxed); }

bool queue_busy_since(int64_t *since_ns) {
    *since_ns = queue.busy_since;
    return *since_ns != 0;
}

static bool is_book(uint16_t kind) {
    return kind == SIM_DEPTH || kind == SIM_OFFER || kind == SIM_PRICE_BOOK || kind == SIM_TINY;
}

static void delivered(Slot *slot, int64_t *clock) {
    void *payload = slot->heap ? slot->heap : slot->payload;
    atomic_store_explicit(&queue.busy_since, *clock, memory_order_relaxed);
    slot->deliver(payload);
    int64_t now = platform_monotonic_ns(), took = now - *clock;
    *clock = now;
    atomic_store_explicit(&queue.busy_since, 0, memory_order_relaxed);
    SimCountersTable *counters = sim_counters();
    counters->delivered[slot->kind]++; /* only this thread writes these */
    if (took > counters->longest_callback_ns) counters->longest_callback_ns = took;
    memset(payload, POISON, slot->size);
    free(slot->heap);
}

static uint64_t claimed_batch(void) {
    uint64_t count = queue.head - queue.tail;
    if (count > BATCH) count = BATCH;
    queue.claimed = queue.tail + count;
    queue.claimed_ring = queue.ring;
    return count;
}

static void released_batch(Slot *ring, uint64_t count) {
    queue.tail += count;
    if (ring != queue.ring) free(ring); /* it grew meanwhile */
    queue.claimed_ring = NULL;
    atomic_fetch_sub_explicit(&queue.depth, (int64_t)count, memory_order_relaxed);
    if (queue.awaited) platform_wake(&queue.emptied);
}

static void connector_main(void *unused) {
    (void)unused;
    queue.connector = platform_thread_id();
    platform_lock(&queue.lock);
    for (;;) {
        int64_t pause = queue.paused_until - platform_monotonic_ns();
        if (pause > 0 && !queue.closing) {
            platform_wait(&queue.filled, &queue.lock, pause);
            continue;
        }
        if (queue.head == queue.tail) {
            if (queue.closing) break;
            queue.sleeping = true;
            platform_wait(&queue.filled, &queue.lock, -1);
            queue.sleeping = false;
            continue;
        }
        uint64_t count = claimed_batch(), from = queue.tail, mask = queue.mask;
        Slot *ring = queue.ring;
        platform_unlock(&queue.lock);
        int64_t clock = platform_monotonic_ns();
        for (uint64_t k = 0; k < count; k++) delivered(&ring[(from + k) & mask], &clock);
        platform_lock(&queue.lock);
        released_batch(ring, count);
    }
    platform_unlock(&queue.lock);
}

static void grown(void) {
    uint64_t size = (queue.mask + 1) * 2;
    Slot *ring = malloc(size * sizeof *ring);
    if (!ring) abort();
    uint64_t from = queue.claimed_ring ? queue.claimed : queue.tail;
    for (uint64_t at = from; at < queue.head; at++) ring[at & (size - 1)] = queue.ring[at & queue.mask];
    if (queue.claimed_ring != queue.ring) free(queue.ring);
    queue.ring = ring;
    queue.mask = size - 1;
}

static Slot *added(SimKind kind, SimDeliver deliver, size_t size) {
    if (queue.head - queue.tail > queue.mask) grown();
    Slot *slot = &queue.ring[queue.head++ & queue.mask];
    slot->deliver = deliver;
    slot->kind = (uint16_t)kind;
    slot->size = (uint32_t)size;
    slot->heap = NULL;
    int64_t depth = atomic_fetch_add_explicit(&queue.depth, 1, memory_order_relaxed) + 1;
    if (depth > sim_counters()->queue_max) sim_counters()->queue_max = depth;
    return slot;
}

void queue_hold(void) {
    platform_lock(&queue.lock);
    queue.holds++;
}

void queue_release(void) {
    bool wake = --queue.holds == 0 && queue.sleeping && queue.head != queue.tail;
    platform_unlock(&queue.lock);
    if (wake) platform_wake(&queue.filled);
}

void *queue_inline(SimKind kind, SimDeliver deliver, size_t size) { return added(kind, deliver, size)->payload; }

void sim_post(SimKind kind, SimDeliver deliver, const void *payload, size_t size) {
    void *copy = NULL;
    if (size > INLINE) {
        copy = malloc(size);
        if (!copy) abort();
        memcpy(copy, payload, size);
    }
    queue_hold();
    if (queue.ring) {
        Slot *slot = added(kind, deliver, size);
        slot->heap = copy;
        if (!copy && size) memcpy(slot->payload, payload, size);
    } else {
        free(copy); /* after DLLFinalize */
    }
    queue_release();
}

/* Takes the oldest half of the book events not yet claimed out of the ring. */
static void thinned(void) {
    uint64_t from = queue.claimed_ring ? queue.claimed : queue.tail, books = 0, to = from;
    for (uint64_t at = from; at < queue.head; at++) books += is_book(queue.ring[at & queue.mask].kind);
    uint64_t surplus = books / 2;
    for (uint64_t at = from; at < queue.head; at++) {
        Slot *slot = &queue.ring[at & queue.mask];
        if (surplus && is_book(slot->kind)) {
            surplus--;
            sim_counters()->dropped[slot->kind]++;
            if (slot->kind != SIM_TINY) depth_dropped(slot->heap ? slot->heap : slot->payload);
            free(slot->heap);
            continue;
        }
        if (to != at) queue.ring[to & queue.mask] = *slot;
        to++;
    }
    atomic_fetch_sub_explicit(&queue.depth, (int64_t)(queue.head - to), memory_order_relaxed);
    queue.head = to;
}

bool queue_make_room(void) {
    if (queue_depth() < queue.capacity) return true;
    platform_lock(&queue.lock);
    if (queue_depth() >= queue.capacity) thinned();
    platform_unlock(&queue.lock);
    return queue_depth() < queue.capacity;
}

void queue_wait_room(int64_t ns) {
    platform_lock(&queue.lock);
    queue.awaited = true;
    platform_wait(&queue.emptied, &queue.lock, ns);
    queue.awaited = false;
    platform_unlock(&queue.lock);
}

void queue_pause(int64_t ns) {
    platform_lock(&queue.lock);
    queue.paused_until = platform_monotonic_ns() + ns;
    platform_unlock(&queue.lock);
    platform_wake(&queue.filled);
}

void queue_begin(int64_t capacity) {
    uint64_t size = 16384;
    while ((int64_t)size < capacity + capacity / 4) size *= 2;
    platform_mutex_init(&queue.lock);
    platform_signal_init(&queue.filled);
    platform_signal_init(&queue.emptied);
    queue.ring = calloc(size, sizeof *queue.ring);
    if (!queue.ring) abort();
    queue.mask = size - 1;
    queue.capacity = sim_counters()->queue_capacity = capacity;
    if (!platform_start(&queue.thread, connector_main, NULL, "ConnectorThread")) abort();
}

void queue_end(void) {
    platform_lock(&queue.lock);
    queue.closing = true;
    platform_unlock(&queue.lock);
    platform_wake(&queue.filled);
    platform_join(queue.thread);
    platform_lock(&queue.lock);
    free(queue.ring);
    queue.ring = NULL;
    queue.connector = 0;
    platform_unlock(&queue.lock);
}
