/* GetHistoryTrades: the very trades that the source made, in chunks, with the original's limits and manners. */
#include <stdlib.h>
#include <string.h>

#include "market.h"

enum { MINI_DAYS = 10, CHUNK = 2048 };

typedef struct Request {
    Symbol *target;
    int64_t from_ms, until_ms;
    int32_t session, second; /* the generator's place */
    Print *prints;
    int32_t count, at, room;
    uint64_t cursor; /* load and tape */
    int64_t skip, sent;
    Print held; /* one behind, so that the last can be flagged */
    bool holds;
    int32_t percent;
    uint64_t random;
    uint32_t connection; /* that it was asked over */
} Request;

static uint32_t connections; /* under the lock */

void history_drop(void) { connections++; }

/* Whether the connection is another by now: the rest of the answer is told to nobody. */
static bool cut_off(Request *r) {
    if (r->connection == connections) return false;
    free(r->prints);
    free(r);
    return true;
}

/* ---- the source's trades in order --------------------------------------------------------------------------------- */
static bool next_generated(Request *r, Print *print) {
    for (;;) {
        while (r->at < r->count) {
            const Print *made = &r->prints[r->at++];
            const Symbol *source = symbol_at(made->symbol);
            int32_t live = sim_session_date(source->last.time_ms), session = sim_session_date(made->time_ms);
            bool future = session > live || (session == live && made->index > source->last.index);
            if (future || made->time_ms >= r->until_ms) return false;
            if (made->time_ms < r->from_ms) continue;
            *print = *made;
            return true;
        }
        int64_t second_ms = date_ms(r->session) + (int64_t)r->second * 1000;
        if (second_ms >= r->until_ms || second_ms > sim_now()) return false;
        const Symbol *source = symbol_at(symbol_source(r->target, r->session));
        r->count = r->at = 0;
        if (source && !symbol_expired(r->target, sim_session_date(sim_now()))) {
            int32_t wanted = generator_count(source, r->session, r->second);
            if (wanted > r->room) {
                r->room = wanted * 2;
                r->prints = realloc(r->prints, (size_t)r->room * sizeof *r->prints);
                if (!r->prints) abort();
            }
            r->count = generator_second(source, r->session, r->second, r->prints, wanted);
        }
        if (++r->second == DAY_SECONDS) r->second = 0, r->session = days_date(date_days(r->session) + 1);
    }
}

static bool next_loaded(Request *r, Print *print) {
    while (load_print(r->target, r->cursor, print)) {
        r->cursor++;
        if (print->time_ms >= r->until_ms) return false;
        if (print->time_ms >= r->from_ms) return true;
    }
    return false;
}

/* `history-lose N`: one in N, the same ones in every answer of every process. */
static bool withheld(const Print *print) {
    int64_t in = settings()->history_lose;
    if (in <= 0) return false;
    uint64_t key = settings()->seed ^ (uint64_t)sim_session_date(print->time_ms) << 32;
    for (const char *at = symbol_at(print->symbol)->name; *at; at++) key = mixed(key + (unsigned char)*at);
    return mixed(key + print->number) % (uint64_t)in == 0;
}

static bool next_made(Request *r, Print *print) {
    switch (settings()->source) {
        case SOURCE_LOAD: return next_loaded(r, print);
        case SOURCE_TAPE: return tape_history(r->target, &r->cursor, r->from_ms, r->until_ms, print);
        default: return next_generated(r, print);
    }
}

/* Trades as they stand by now: without those taken back. */
static bool next_trade(Request *r, Print *print) {
    while (next_made(r, print)) {
        if (withheld(print)) continue;
        if (print->flags & PRINT_EDIT) return true; /* a tape tells its own */
        int64_t quantity = revised_quantity(print);
        if (!quantity && print->quantity) continue;
        print->quantity = quantity;
        print->volume = print->price * (double)quantity * symbol_at(print->symbol)->multiplier;
        return true;
    }
    return false;
}

static void rewind_to_start(Request *r) {
    r->session = sim_session_date(r->from_ms);
    r->second = (int32_t)((r->from_ms - date_ms(r->session)) / 1000);
    r->count = r->at = 0;
    r->cursor = 0;
}

/* ---- delivery ------------------------------------------------------------------------------------------------------ */
static void tell_percent(Request *r, int32_t percent) {
    if (percent <= r->percent) return;
    r->percent = percent;
    post_progress(r->target, percent);
}

static bool chance(Request *r, int64_t in) { return in > 0 && sim_random(&r->random) % (uint64_t)in == 0; }

static void send_held(Request *r, uint8_t flags) {
    if (!r->holds) return;
    if (chance(r, settings()->history_sentinels)) {
        Print empty = {.symbol = r->held.symbol, .time_ms = r->held.time_ms};
        trade_history_post(r->target, &empty, PRINT_SENTINEL);
    }
    if (chance(r, settings()->history_untranslatable)) {
        Print broken = r->held;
        trade_history_post(r->target, &broken, PRINT_UNTRANSLATABLE);
    }
    trade_history_post(r->target, &r->held, flags);
    r->sent++;
    r->holds = false;
}

static void finished_task(void *payload) {
    Request *r = *(Request **)payload;
    if (cut_off(r)) return;
    post_progress(r->target, 100);
    free(r->prints);
    free(r);
}

static void chunk_task(void *payload) {
    Request *r = *(Request **)payload;
    if (cut_off(r)) return;
    double rate = settings()->history_rate;
    int32_t most = rate > 0 ? (int32_t)(rate / 100) + 1 : CHUNK;
    if (queue_depth() > settings()->queue / 2) most = 0;
    Print print;
    int32_t done = 0;
    bool more = true;
    queue_hold();
    while (done < most && (more = next_trade(r, &print))) {
        if (r->skip > 0) {
            r->skip--;
            continue;
        }
        send_held(r, 0);
        r->held = print;
        r->holds = true;
        done++;
    }
    if (done) tell_percent(r, (int32_t)((print.time_ms - r->from_ms) * 98 / (r->until_ms - r->from_ms + 1)));
    queue_release();
    if (more) {
        sim_run_at(SIM_AFTER_MS(rate > 0 ? 10 : most ? 0 : 1), chunk_task, &r, sizeof r);
        return;
    }
    tell_percent(r, 99);
    send_held(r, PRINT_LAST);
    sim_run_at(SIM_AFTER_MS(settings()->history_stuck_ms), finished_task, &r, sizeof r);
}

/* The first answer of a ticker may be the tail only. */
static void truncate(Request *r) {
    int64_t limit = settings()->history_truncate, all = 0;
    Print print;
    if (!limit || r->target->history_asked) return;
    while (next_trade(r, &print)) all++;
    rewind_to_start(r);
    if (all > limit) r->skip = all - limit;
}

static void begin_task(void *payload) {
    Request *r = *(Request **)payload;
    if (cut_off(r)) return;
    post_progress(r->target, 0);
    rewind_to_start(r);
    truncate(r);
    r->target->history_asked = true;
    chunk_task(payload);
}

/* ---- the request ---------------------------------------------------------------------------------------------------- */
static int32_t digits(PText at, int count) {
    int32_t value = 0;
    for (int k = 0; k < count; k++) {
        if (at[k] < u'0' || at[k] > u'9') return -1;
        value = value * 10 + (at[k] - u'0');
    }
    return value;
}

/* "DD/MM/YYYY HH:mm:SS" with optional milliseconds; a date alone is accepted, and empties the window. */
static int64_t parsed(PText text, bool *date_only) {
    size_t length = sim_length(text);
    if (length < 10 || text[2] != u'/' || text[5] != u'/') return INT64_MIN;
    int32_t parts[6] = {digits(text, 2), digits(text + 3, 2), digits(text + 6, 4), 0, 0, 0};
    *date_only = length == 10;
    if (!*date_only) {
        if (length < 19 || text[10] != u' ' || text[13] != u':' || text[16] != u':') return INT64_MIN;
        parts[3] = digits(text + 11, 2), parts[4] = digits(text + 14, 2), parts[5] = digits(text + 17, 2);
    }
    int32_t ms = length >= 23 ? digits(text + 20, 3) : 0;
    for (int k = 0; k < 6; k++)
        if (parts[k] < 0) return INT64_MIN;
    TSystemTime time = {.Day = (uint16_t)parts[0], .Month = (uint16_t)parts[1], .Year = (uint16_t)parts[2],
                        .Hour = (uint16_t)parts[3], .Minute = (uint16_t)parts[4], .Second = (uint16_t)parts[5],
                        .Milliseconds = (uint16_t)(ms < 0 ? 0 : ms)};
    return sim_market_ms(&time);
}

static bool is_mini(const Symbol *symbol) {
    return strncmp(symbol->name, "WIN", 3) == 0 || strncmp(symbol->name, "WDO", 3) == 0;
}

static bool denied(const Symbol *symbol) {
    const Settings *s = settings();
    for (int32_t k = 0; k < s->history_denials; k++)
        if (strcmp(s->history_denied[k], "all") == 0 || strcmp(s->history_denied[k], symbol->name) == 0) return true;
    return false;
}

static int32_t request(Symbol *target, PText start, PText end) {
    bool date_only[2] = {false, false};
    int64_t from = parsed(start, &date_only[0]), until = parsed(end, &date_only[1]);
    if (from == INT64_MIN || until == INT64_MIN || until < from) return NL_INVALID_ARGS;
    if (denied(target)) return NL_LICENSE_NOT_ALLOWED;
    int64_t today = date_ms(sim_session_date(sim_now()));
    if (from < today - settings()->history_days * (int64_t)DAY_MS) return NL_HISTORY_PERIOD_LIMIT;
    if (is_mini(target) && until - from >= MINI_DAYS * (int64_t)DAY_MS) return NL_INVALID_ARGS;
    Request *r = calloc(1, sizeof *r);
    if (!r) return NL_INTERNAL_ERROR;
    *r = (Request){.target = target, .from_ms = from, .until_ms = until, .random = settings()->seed ^ (uint64_t)from,
                   .connection = connections};
    if (date_only[0] || date_only[1] || !target->subscribed) r->until_ms = from;
    sim_run_at(sim_clock_ns(), begin_task, &r, sizeof r);
    return NL_OK;
}

PROFIT_EXPORT int32_t PROFIT_CALL GetHistoryTrades(PText ticker, PText exchange, PText start, PText end) {
    SIM_REQUEST("GetHistoryTrades");
    if (!ticker || !exchange || !start || !end) return NL_INVALID_ARGS;
    sim_lock();
    Symbol *symbol;
    int32_t result = symbol_find(ticker, exchange, &symbol);
    if (result == NL_OK) result = sim_state(STATE_MARKET) < MARKET_CONNECTED ? NL_NO_LOGIN : request(symbol, start, end);
    sim_unlock();
    return result;
}
