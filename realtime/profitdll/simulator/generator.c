/* The invented market: every trade is a pure function of (seed, symbol, session date, second, place in the second).
 *
 * A second's trades walk along one of four repeating patterns around an anchor price; so the count, the quantity and
 * the turnover of a second need no loop over its trades, and a whole day is summed in a few milliseconds. The anchor
 * itself is a bounded random walk over the seconds of the session. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "market.h"

enum { TABLES = 4, LENGTH = 256, DAYS = 128, MINUTES = 1441, HALTS = 64 };

typedef struct Sums {
    int64_t lots, moved; /* moved: ticks times lots */
    int64_t buy_lots, buy_moved, sell_lots, sell_moved, buys, sells;
} Sums;

typedef struct Day { /* where each minute begins */
    int16_t symbol;
    int32_t session;
    uint64_t used;
    uint32_t before[MINUTES];
    int32_t anchor[MINUTES];
} Day;

typedef struct Halt {
    int16_t symbol;
    bool auction;
    int64_t from_ms, until_ms;
} Halt;

typedef struct Second {
    uint64_t hash;
    int32_t anchor, count;
    uint32_t table, offset;
    bool auction;
} Second;

static struct {
    Pattern pattern[TABLES][LENGTH];
    Sums prefix[TABLES][LENGTH + 1];
    Day *day[DAYS];
    uint64_t uses;
    Halt halt[HALTS];
    int32_t halts;
} generator;

const Pattern *generator_pattern(uint32_t table, uint32_t at) {
    return &generator.pattern[table % TABLES][at % LENGTH];
}

static void make_table(uint32_t table, uint64_t random) {
    static const int32_t sizes[] = {1, 1, 1, 1, 1, 2, 2, 3, 1, 1, 5, 1, 2, 10, 1, 25};
    int32_t ticks = 0;
    bool buys = true;
    Sums sum = {0};
    for (int32_t k = 0; k < LENGTH; k++) {
        uint64_t draw = sim_random(&random);
        if (draw % 4 == 0) buys = !buys; /* aggressors come in runs */
        if ((draw >> 8) % 3 == 0) ticks += buys ? 1 : -1;
        if (ticks > 4 || (k > LENGTH - 8 && ticks > 0)) ticks--;
        if (ticks < -4 || (k > LENGTH - 8 && ticks < 0)) ticks++;
        Pattern *step = &generator.pattern[table][k];
        *step = (Pattern){ticks + buys, sizes[(draw >> 16) % 16], buys ? TRADE_AGGRESSOR_BUY : TRADE_AGGRESSOR_SELL};
        if ((draw >> 24) % 64 == 0) step->type = TRADE_CROSS;
        if ((draw >> 32) % 48 == 0) step->type = TRADE_RLP;
        generator.prefix[table][k] = sum;
        int64_t moved = (int64_t)step->ticks * step->lots;
        sum.lots += step->lots, sum.moved += moved;
        if (step->type == TRADE_AGGRESSOR_BUY) sum.buys++, sum.buy_lots += step->lots, sum.buy_moved += moved;
        if (step->type == TRADE_AGGRESSOR_SELL) sum.sells++, sum.sell_lots += step->lots, sum.sell_moved += moved;
    }
    generator.prefix[table][LENGTH] = sum;
}

void generator_begin(void) {
    for (uint32_t table = 0; table < TABLES; table++) make_table(table, 0x51AB0000u + table);
}

/* ---- seconds ------------------------------------------------------------------------------------------------------- */
static uint64_t key_of(const Symbol *symbol, int32_t session) {
    uint64_t key = settings()->seed * 0x9E3779B97F4A7C15u + (uint64_t)session;
    for (const char *at = symbol->name; *at; at++) key = (key ^ (unsigned char)*at) * 0x100000001B3u;
    return mixed(key);
}

static double volatility(const Symbol *symbol) { return fmax(4, 0.01 * symbol->price / symbol->tick); }

static int32_t opening_anchor(const Symbol *symbol, uint64_t key) {
    int32_t around = (int32_t)volatility(symbol);
    return (int32_t)llround(symbol->price / symbol->tick) + (int32_t)(key % (uint64_t)(2 * around + 1)) - around;
}

static const Halt *halted(const Symbol *symbol, int64_t ms) {
    for (int32_t k = 0; k < generator.halts; k++) {
        const Halt *halt = &generator.halt[k];
        if (halt->symbol == symbol->index && ms >= halt->from_ms && ms < halt->until_ms + 1000) return halt;
    }
    return NULL;
}

static int32_t trades_in(const Symbol *symbol, uint64_t hash) {
    double intensity = symbol->rate * 0.775; /* bursts bring the mean to the rate */
    uint32_t mood = (uint32_t)(hash & 63);
    intensity *= mood < 2 ? 4 + (double)(hash >> 8 & 7) : 0.5 + (double)(hash >> 11 & 63) / 63;
    return (int32_t)(intensity + (double)(hash >> 40 & 0xFFFF) / 65536);
}

static void measure(const Symbol *symbol, int64_t day_ms, int32_t second, Second *at) {
    const Settings *hours = settings();
    at->table = at->hash >> 20 & 3;
    at->offset = at->hash >> 24 & 255;
    at->auction = second == hours->open_s;
    at->count = second < hours->open_s || second >= hours->close_s ? 0 : trades_in(symbol, at->hash);
    if (generator.halts) {
        const Halt *halt = halted(symbol, day_ms + (int64_t)second * 1000);
        bool over = halt && day_ms + (int64_t)second * 1000 >= halt->until_ms;
        if (halt && !over) at->count = 0;
        if (over && halt->auction) at->auction = true;
    }
    if (at->auction) at->count = symbol->rate > 0 ? 3 + (int32_t)(at->hash >> 50 & 3) : 0;
}

typedef struct Wander { /* of the anchor, over a session */
    int32_t low, high;
    uint32_t chance; /* of a step, in 65536 */
} Wander;

static Wander wander_of(const Symbol *symbol, int32_t middle) {
    double vol = volatility(symbol);
    return (Wander){middle - 3 * (int32_t)vol, middle + 3 * (int32_t)vol,
                    (uint32_t)fmin(65535, 65536 * vol * vol / DAY_SECONDS)};
}

static inline int32_t stepped(int32_t anchor, const Wander *wander, uint64_t hash) {
    if (anchor > wander->high) return anchor - 1;
    if (anchor < wander->low) return anchor + 1;
    uint64_t draw = hash * 0xD6E8FEB86659FD93u >> 40;
    return (draw & 0xFFFF) >= wander->chance ? anchor : draw >> 16 & 1 ? anchor + 1 : anchor - 1;
}

static bool trades_on(const Symbol *symbol, int32_t session) {
    int64_t weekday = (date_days(session) + 4) % 7;
    return !symbol->aggregated && !symbol_over(symbol, session) &&
           !(settings()->weekdays && (weekday == 0 || weekday == 6));
}

static Day *fresh_day(void) {
    int32_t oldest = 0;
    for (int32_t k = 0; k < DAYS; k++) {
        if (!generator.day[k]) return generator.day[k] = calloc(1, sizeof(Day));
        if (generator.day[k]->used < generator.day[oldest]->used) oldest = k;
    }
    return generator.day[oldest];
}

/* The index of a session, made once: under a millisecond. */
static Day *day_of(const Symbol *symbol, int32_t session) {
    generator.uses++;
    for (int32_t k = 0; k < DAYS && generator.day[k]; k++) {
        Day *day = generator.day[k];
        if (day->symbol == symbol->index && day->session == session) {
            day->used = generator.uses;
            return day;
        }
    }
    Day *day = fresh_day();
    if (!day) abort();
    *day = (Day){.symbol = symbol->index, .session = session, .used = generator.uses};
    uint64_t key = key_of(symbol, session);
    int32_t anchor = opening_anchor(symbol, key);
    Wander wander = wander_of(symbol, anchor);
    uint32_t before = 0;
    bool open = trades_on(symbol, session);
    if (!open) { /* an expired contract, a weekend: nothing moves */
        for (int32_t minute = 0; minute < MINUTES; minute++) day->anchor[minute] = anchor;
        return day;
    }
    int64_t day_ms = date_ms(session);
    for (int32_t second = 0; second < DAY_SECONDS; second++) {
        if (second % 60 == 0) day->before[second / 60] = before, day->anchor[second / 60] = anchor;
        Second at = {.hash = mixed(key + (uint64_t)second * 0x9E3779B97F4A7C15u), .anchor = anchor};
        measure(symbol, day_ms, second, &at);
        before += (uint32_t)at.count;
        anchor = stepped(anchor, &wander, at.hash);
    }
    day->before[MINUTES - 1] = before;
    day->anchor[MINUTES - 1] = anchor;
    return day;
}

/* Calls `visit` for each second of [from, until); the walk starts at the minute before. */
typedef bool (*Visit)(void *context, int32_t second, uint32_t before, const Second *at);

static void walk(const Symbol *symbol, int32_t session, int32_t from, int32_t until, Visit visit, void *context) {
    const Day *day = day_of(symbol, session);
    uint64_t key = key_of(symbol, session);
    int32_t second = from - from % 60, anchor = day->anchor[second / 60];
    Wander wander = wander_of(symbol, opening_anchor(symbol, key));
    uint32_t before = day->before[second / 60];
    int64_t day_ms = date_ms(session);
    bool open = trades_on(symbol, session);
    if (!open) second = from; /* its anchor stands still */
    for (; second < until && second < DAY_SECONDS; second++) {
        Second at = {.hash = mixed(key + (uint64_t)second * 0x9E3779B97F4A7C15u), .anchor = anchor};
        measure(symbol, day_ms, second, &at);
        if (!open) at.count = 0;
        if (second >= from && !visit(context, second, before, &at)) return;
        before += (uint32_t)at.count;
        if (open) anchor = stepped(anchor, &wander, at.hash);
    }
}

/* ---- trades -------------------------------------------------------------------------------------------------------- */
typedef struct Filled {
    const Symbol *symbol;
    int64_t second_ms;
    Print *prints;
    int32_t room, count;
} Filled;

static bool fill_prints(void *context, int32_t second, uint32_t before, const Second *at) {
    Filled *filled = context;
    const Symbol *symbol = filled->symbol;
    uint64_t random = at->hash;
    (void)second;
    for (int32_t k = 0; k < at->count && k < filled->room; k++) {
        const Pattern *step = generator_pattern(at->table, at->offset + (uint32_t)k);
        uint64_t draw = sim_random(&random);
        int32_t ticks = at->anchor + (at->auction ? 0 : step->ticks);
        Print *print = &filled->prints[filled->count++];
        *print = (Print){.symbol = symbol->index, .index = before + (uint32_t)k, .quantity = step->lots * symbol->lot,
                         .number = (before + (uint32_t)k + 1) * symbol->step,
                         .type = at->auction ? TRADE_AUCTION : step->type,
                         .buy_agent = agent_code(draw), .sell_agent = agent_code(draw >> 16)};
        print->time_ms = filled->second_ms +
                         (int64_t)(((double)k + (double)(draw >> 40 & 0xFFFF) / 65536) * 1000 / at->count);
        print->price = (double)ticks * symbol->tick;
        print->volume = (double)(ticks * print->quantity) * symbol->tick * symbol->multiplier;
    }
    return true;
}

int32_t generator_second(const Symbol *symbol, int32_t session, int32_t second, Print *prints, int32_t room) {
    Filled filled = {symbol, date_ms(session) + (int64_t)second * 1000, prints, room, 0};
    walk(symbol, session, second, second + 1, fill_prints, &filled);
    return filled.count;
}

typedef struct Found {
    int32_t second, count;
    uint32_t index, before;
    int32_t anchor;
} Found;

static bool find_second(void *context, int32_t second, uint32_t before, const Second *at) {
    Found *found = context;
    found->second = second, found->before = before, found->count = at->count, found->anchor = at->anchor;
    return before + (uint32_t)at->count <= found->index;
}

static Found found_at(const Symbol *symbol, int32_t session, int32_t second) {
    Found found = {.index = 0};
    walk(symbol, session, second, second + 1, find_second, &found);
    return found;
}

int32_t generator_count(const Symbol *symbol, int32_t session, int32_t second) {
    return found_at(symbol, session, second).count;
}

uint32_t generator_before(const Symbol *symbol, int32_t session, int32_t second) {
    if (second >= DAY_SECONDS) return day_of(symbol, session)->before[MINUTES - 1];
    return found_at(symbol, session, second).before;
}

double generator_mid(const Symbol *symbol, int32_t session, int32_t second) {
    return found_at(symbol, session, second).anchor * symbol->tick;
}

/* The second in which that trade of the session happens; DAY_SECONDS when it has fewer. */
int32_t generator_second_of(const Symbol *symbol, int32_t session, uint32_t index) {
    const Day *day = day_of(symbol, session);
    if (index >= day->before[MINUTES - 1]) return DAY_SECONDS;
    int32_t low = 0, high = MINUTES - 1;
    while (high - low > 1) {
        int32_t middle = (low + high) / 2;
        if (day->before[middle] <= index)
            low = middle;
        else
            high = middle;
    }
    Found found = {.index = index};
    walk(symbol, session, low * 60, low * 60 + 60, find_second, &found);
    return found.second;
}

bool generator_last(const Symbol *symbol, int32_t session, int32_t second, Print *print) {
    uint32_t before = generator_before(symbol, session, second);
    if (!before) return false;
    int32_t at = generator_second_of(symbol, session, before - 1), count = generator_count(symbol, session, at);
    Print *prints = malloc((size_t)count * sizeof *prints);
    if (!prints) abort();
    generator_second(symbol, session, at, prints, count);
    *print = prints[count - 1];
    free(prints);
    return true;
}

bool generator_print(const Symbol *symbol, int32_t session, uint32_t index, Print *print) {
    int32_t second = generator_second_of(symbol, session, index);
    if (second >= DAY_SECONDS) return false;
    uint32_t first = generator_before(symbol, session, second);
    int32_t count = generator_count(symbol, session, second);
    if (index < first || index - first >= (uint32_t)count) return false;
    Print *prints = malloc((size_t)count * sizeof *prints);
    if (!prints) abort();
    generator_second(symbol, session, second, prints, count);
    *print = prints[index - first];
    free(prints);
    return true;
}

/* ---- totals -------------------------------------------------------------------------------------------------------- */
typedef struct Summed {
    const Symbol *symbol;
    Totals *totals;
} Summed;

static void add_range(Totals *totals, const Sums *from, const Sums *to, const Second *at, int64_t lot, int64_t times) {
    times *= lot;
    int64_t lots = to->lots - from->lots, buys = to->buy_lots - from->buy_lots, sells = to->sell_lots - from->sell_lots;
    totals->quantity += lots * times;
    totals->buyer_quantity += buys * times;
    totals->seller_quantity += sells * times;
    totals->turnover += (at->anchor * lots + to->moved - from->moved) * times;
    totals->buyer_turnover += (at->anchor * buys + to->buy_moved - from->buy_moved) * times;
    totals->seller_turnover += (at->anchor * sells + to->sell_moved - from->sell_moved) * times;
    totals->buyer_trades += (to->buys - from->buys) * times / lot;
    totals->seller_trades += (to->sells - from->sells) * times / lot;
}

static void add_extremes(Totals *totals, const Second *at) {
    int32_t steps = at->count < LENGTH ? at->count : LENGTH;
    for (int32_t k = 0; k < steps; k++) {
        int64_t ticks = at->anchor + (at->auction ? 0 : generator_pattern(at->table, at->offset + (uint32_t)k)->ticks);
        if (!totals->open) totals->open = totals->high = totals->low = ticks;
        if (ticks > totals->high) totals->high = ticks;
        if (ticks < totals->low) totals->low = ticks;
    }
    uint32_t last = at->offset + (uint32_t)at->count - 1;
    totals->close = at->anchor + (at->auction ? 0 : generator_pattern(at->table, last)->ticks);
}

static bool add_second(void *context, int32_t second, uint32_t before, const Second *at) {
    Summed *summed = context;
    (void)second, (void)before;
    if (!at->count) return true;
    Totals *totals = summed->totals;
    totals->trades += at->count;
    add_extremes(totals, at);
    if (at->auction) { /* all at one price, without an aggressor */
        for (int32_t k = 0; k < at->count; k++) {
            int64_t quantity = generator_pattern(at->table, at->offset + (uint32_t)k)->lots * summed->symbol->lot;
            totals->quantity += quantity;
            totals->turnover += at->anchor * quantity;
        }
        return true;
    }
    const Sums *prefix = generator.prefix[at->table];
    uint32_t end = at->offset + (uint32_t)at->count, whole = end / LENGTH;
    add_range(totals, &prefix[at->offset], &prefix[whole ? LENGTH : end], at, summed->symbol->lot, 1);
    if (whole > 1) add_range(totals, &prefix[0], &prefix[LENGTH], at, summed->symbol->lot, whole - 1);
    if (whole) add_range(totals, &prefix[0], &prefix[end % LENGTH], at, summed->symbol->lot, 1);
    return true;
}

void generator_totals(const Symbol *symbol, int32_t session, int32_t until_second, Totals *totals) {
    *totals = (Totals){0};
    if (!trades_on(symbol, session)) return;
    Summed summed = {symbol, totals};
    walk(symbol, session, 0, until_second, add_second, &summed);
}

/* No trades from the next whole second on; after an auction the first ones are auction trades. A restart forgets it. */
void generator_halt(const Symbol *symbol, int64_t from_ms, int64_t until_ms, bool auction) {
    if (generator.halts == HALTS) memmove(generator.halt, generator.halt + 1, --generator.halts * sizeof(Halt));
    from_ms += (1000 - from_ms % 1000) % 1000;
    until_ms -= until_ms % 1000;
    generator.halt[generator.halts++] = (Halt){symbol->index, auction, from_ms, until_ms};
    int32_t session = sim_session_date(from_ms);
    for (int32_t k = 0; k < DAYS && generator.day[k]; k++)
        if (generator.day[k]->symbol == symbol->index && generator.day[k]->session >= session)
            generator.day[k]->session = 0;
}
