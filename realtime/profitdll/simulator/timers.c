/* Timers of the running clock: a heap by (due, order of insertion), run by the server thread. */
#include <stdlib.h>
#include <string.h>

#include "market.h"

enum { STANDING = 2 }; /* daily bars and changes of the books: see feed_begin */

typedef struct Timer {
    int64_t due;
    uint64_t order;
    SimTask task; /* or an event to queue */
    SimDeliver deliver;
    SimKind kind;
    void *payload;
    size_t size;
} Timer;

static struct {
    Timer *heap;
    size_t count, room;
    uint64_t order;
} timers;

static bool before(const Timer *one, const Timer *other) {
    return one->due != other->due ? one->due < other->due : one->order < other->order;
}

static void add(Timer timer, const void *payload, size_t size) {
    timer.size = size;
    timer.payload = size ? malloc(size) : NULL;
    if (size) memcpy(timer.payload, payload, size);
    sim_lock();
    timer.order = timers.order++;
    if (timers.count == timers.room) {
        timers.room = timers.room ? timers.room * 2 : 64;
        timers.heap = realloc(timers.heap, timers.room * sizeof *timers.heap);
        if (!timers.heap) abort();
    }
    size_t at = timers.count++;
    for (; at > 0 && before(&timer, &timers.heap[(at - 1) / 2]); at = (at - 1) / 2)
        timers.heap[at] = timers.heap[(at - 1) / 2];
    timers.heap[at] = timer;
    bool first = at == 0;
    sim_unlock();
    if (first) server_wake();
}

void sim_post_at(int64_t due, SimKind kind, SimDeliver deliver, const void *payload, size_t size) {
    add((Timer){.due = due, .kind = kind, .deliver = deliver}, payload, size);
}

void sim_run_at(int64_t due, SimTask task, const void *payload, size_t size) {
    add((Timer){.due = due, .task = task}, payload, size);
}

int64_t timers_next(void) { return timers.count ? timers.heap[0].due : INT64_MAX; }

int64_t timers_waiting(void) { return (int64_t)timers.count > STANDING ? (int64_t)timers.count - STANDING : 0; }

static Timer taken(void) {
    Timer first = timers.heap[0], last = timers.heap[--timers.count];
    size_t at = 0;
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= timers.count) break;
        if (child + 1 < timers.count && before(&timers.heap[child + 1], &timers.heap[child])) child++;
        if (!before(&timers.heap[child], &last)) break;
        timers.heap[at] = timers.heap[child];
        at = child;
    }
    timers.heap[at] = last;
    return first;
}

bool timers_run_one(int64_t now) {
    if (!timers.count || timers.heap[0].due > now) return false;
    Timer timer = taken();
    if (timer.task)
        timer.task(timer.payload);
    else
        sim_post(timer.kind, timer.deliver, timer.payload, timer.size);
    free(timer.payload);
    return true;
}

void timers_begin(void) { timers.count = 0; }

void timers_end(void) {
    sim_lock();
    for (size_t k = 0; k < timers.count; k++) free(timers.heap[k].payload);
    free(timers.heap);
    timers.heap = NULL;
    timers.count = timers.room = 0;
    sim_unlock();
}
