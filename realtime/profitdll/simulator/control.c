/* The simulator's own exports, prefixed Sim: absent from the original and never called by production code. */
#include <stdio.h>
#include <string.h>

#include "market.h"

static struct {
    struct {
        _Atomic(const char *) name;
        _Atomic int64_t count;
    } request[SIM_FUNCTIONS];
} control;

void sim_count_request(const char *function) {
    for (int32_t k = 0; k < SIM_FUNCTIONS; k++) {
        const char *known = atomic_load_explicit(&control.request[k].name, memory_order_acquire);
        if (!known && atomic_compare_exchange_strong(&control.request[k].name, &known, function)) known = function;
        if (known != function && strcmp(known, function) != 0) continue;
        atomic_fetch_add_explicit(&control.request[k].count, 1, memory_order_relaxed);
        return;
    }
}

PROFIT_EXPORT int64_t PROFIT_CALL SimRequests(PText function) {
    char name[64];
    sim_narrow(name, sizeof name, function);
    for (int32_t k = 0; k < SIM_FUNCTIONS; k++) {
        const char *known = control.request[k].name;
        if (known && strcmp(known, name) == 0) return control.request[k].count;
    }
    return 0;
}

PROFIT_EXPORT int32_t PROFIT_CALL SimLoadScript(PText path) {
    char name[1024];
    if (!path) return NL_INVALID_ARGS;
    if (session_ready()) return NL_INTERNAL_ERROR;
    sim_narrow(name, sizeof name, path);
    sim_lock();
    const char *wrong = script_load(name);
    int32_t result = wrong ? session_fail("%s", wrong) : NL_OK;
    sim_unlock();
    return result;
}

PROFIT_EXPORT int32_t PROFIT_CALL SimCommand(PText line) {
    char text[1024];
    if (!line) return NL_INVALID_ARGS;
    if (!session_ready()) return NL_NOT_INITIALIZED;
    sim_narrow(text, sizeof text, line);
    sim_lock();
    const char *wrong = script_line(text, true);
    int32_t result = wrong ? session_fail("%s", wrong) : NL_OK;
    sim_unlock();
    return result;
}

/* A reader that must not lose a trade lets the source make only what it has room for. Any time, also before the login. */
PROFIT_EXPORT int32_t PROFIT_CALL SimAllow(int64_t trades) {
    if (trades < 0) return NL_INVALID_ARGS;
    feed_allow(trades);
    return NL_OK;
}

PROFIT_EXPORT int32_t PROFIT_CALL SimCounters(void *into, int32_t size) {
    if (!into || size <= 0) return NL_INVALID_ARGS;
    sim_lock();
    SimCountersTable table = *sim_counters();
    table.size = sizeof table;
    table.timers_waiting = timers_waiting();
    table.queue_depth = queue_depth();
    sim_unlock();
    memcpy(into, &table, (size_t)size < sizeof table ? (size_t)size : sizeof table);
    return NL_OK;
}

/* The place of each struct and field, for comparison with other languages; null after the last. */
PROFIT_EXPORT const char *PROFIT_CALL SimLayout(int32_t index, int32_t *offset, int32_t *size) {
    static const struct {
        const char *name;
        size_t offset, size;
    } known[] = {
#define STRUCT(type, bytes) {#type, 0, sizeof(type)},
#define FIELD(type, field, at, bytes) {#type "." #field, offsetof(type, field), sizeof(((type *)0)->field)},
        PROFIT_LAYOUTS(STRUCT, FIELD)
#undef STRUCT
#undef FIELD
    };
    if (index < 0 || (size_t)index >= sizeof known / sizeof *known || !offset || !size) return NULL;
    *offset = (int32_t)known[index].offset;
    *size = (int32_t)known[index].size;
    return known[index].name;
}
