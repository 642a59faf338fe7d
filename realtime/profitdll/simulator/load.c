/* `rate N`: a constant flow over the subscribed symbols, in small batches; trades are a function of their place. */
#include <stdlib.h>

#include "market.h"

static struct {
    int16_t symbol[MAX_SYMBOLS];
    int32_t symbols;
    uint64_t made, limit;
    int64_t started_ns, started_ms;
    uint32_t first[MAX_SYMBOLS]; /* number of the first trade, by symbol */
    bool begun, ended;
} load;

void load_begin(void) {
    load.limit = UINT64_MAX;
    if (settings()->load_count) load.limit = (uint64_t)settings()->load_count;
    if (settings()->load_rate > 0 && settings()->load_seconds > 0)
        load.limit = (uint64_t)(settings()->load_rate * settings()->load_seconds);
}

bool load_running(void) { return load.begun && !load.ended; }

static void start(int64_t now) {
    load.begun = true;
    load.started_ns = now;
    load.started_ms = sim_now();
    for (int32_t k = 0; k < symbol_count(); k++) {
        Symbol *symbol = symbol_at(k);
        if (!symbol->subscribed) continue;
        load.symbol[load.symbols++] = symbol->index;
        uint32_t last = emitted_last(symbol, sim_session_date(load.started_ms));
        load.first[symbol->index] = (last / symbol->step + 1) * symbol->step;
    }
}

static void made(uint64_t place, Print *print) {
    const Symbol *symbol = symbol_at(load.symbol[place % (uint64_t)load.symbols]);
    uint64_t index = place / (uint64_t)load.symbols;
    const Pattern *step = generator_pattern((uint32_t)(index >> 8), (uint32_t)index);
    double rate = settings()->load_rate;
    *print = (Print){.symbol = symbol->index, .index = (uint32_t)index, .quantity = step->lots * symbol->lot,
                     .type = step->type, .buy_agent = 3, .sell_agent = 85,
                     .number = load.first[symbol->index] + (uint32_t)index * symbol->step};
    print->time_ms = load.started_ms + (int64_t)((double)place / (rate > 0 ? rate : 1e6) * 1000);
    print->price = symbol->price + step->ticks * symbol->tick;
    print->volume = print->price * (double)print->quantity * symbol->multiplier;
}

int64_t load_due(void) {
    if (load.ended) return INT64_MAX;
    if (!load.begun) return feed_settled() ? INT64_MIN : sim_clock_ns() + 1000000;
    if (settings()->load_rate == 0) return INT64_MIN;
    double per_quantum = settings()->load_rate * settings()->quantum_us / 1e6; /* at least one trade is due then */
    double next = (double)load.made + (per_quantum > 1 ? per_quantum : 1);
    return load.started_ns + (int64_t)(next / settings()->load_rate * 1e9);
}

int32_t load_run(int64_t now, int32_t most) {
    if (!load.begun) start(now);
    uint64_t until = UINT64_MAX;
    if (settings()->load_rate > 0) until = (uint64_t)((double)(now - load.started_ns) / 1e9 * settings()->load_rate);
    if (until > load.limit) until = load.limit;
    int32_t done = 0;
    queue_hold();
    for (; done < most && load.made < until; done++) {
        Print print;
        made(load.made++, &print);
        feed_print(&print);
    }
    queue_release();
    if (load.made >= load.limit) {
        load.ended = true;
        feed_last_word();
        sim_counters()->load_done = 1;
    }
    return done;
}

/* For history: the index-th trade of a symbol in this load, when it was made. */
bool load_print(const Symbol *symbol, uint64_t index, Print *print) {
    for (int32_t k = 0; k < load.symbols; k++) {
        if (load.symbol[k] != symbol->index) continue;
        uint64_t place = index * (uint64_t)load.symbols + (uint64_t)k;
        if (place >= load.made) return false;
        made(place, print);
        return true;
    }
    return false;
}
