/* What the script lets happen: at a moment, again and again, or at random moments under the seed. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "market.h"

typedef struct Fault Fault;
typedef const char *(*Strike)(const Fault *fault);

struct Fault {
    Strike strike;
    Range span, count, lose, repeat, multiplier;
    bool any_loss; /* `lose` was not given: whatever the outage takes */
    bool resubscribe;
    uint32_t flags;
    char symbol[SIM_TICKER];
    char text[32];
    int32_t when;
    Range seconds;
};

enum { FAULTS = 256 };
static struct {
    Fault fault[FAULTS];
    int32_t count;
    uint64_t random;
} faults;

static double drawn(Range range) {
    if (range.low == range.high) return range.low;
    return range.low + (double)(sim_random(&faults.random) >> 11) / 9007199254740992.0 * (range.high - range.low);
}

static int64_t drawn_whole(Range range) { return (int64_t)drawn((Range){range.low, range.high + 0.999}); }

/* ---- states --------------------------------------------------------------------------------------------------------- */
typedef struct Later {
    int32_t type, result;
    bool resubscribe;
} Later;

static void later_task(void *payload) {
    Later *later = payload;
    sim_post_state(later->type, later->result);
    if (later->resubscribe) subscriptions_resume();
}

static void later(double seconds, int32_t type, int32_t result, bool resubscribe) {
    Later state = {type, result, resubscribe};
    sim_run_at(SIM_AFTER_MS(seconds * 1000), later_task, &state, sizeof state);
}

static void come_back(double seconds, bool resubscribe) {
    later(seconds * 0.3, STATE_MARKET, MARKET_CONNECTING, false);
    later(seconds * 0.9, STATE_MARKET, MARKET_WAITING, false);
    later(seconds, STATE_MARKET, MARKET_CONNECTED, resubscribe || settings()->resubscribe);
}

static const char *market_drop(const Fault *fault) {
    if (sim_state(STATE_MARKET) < MARKET_CONNECTED) return NULL; /* already down */
    subscriptions_drop(fault->any_loss ? -1 : drawn_whole(fault->lose), drawn_whole(fault->repeat));
    sim_post_state(STATE_MARKET, MARKET_DISCONNECTED);
    come_back(fault->span.high > 0 ? drawn(fault->span) : 1, fault->resubscribe);
    return NULL;
}

static const char *degraded(const Fault *fault) {
    sim_post_state(STATE_MARKET, MARKET_DEGRADED);
    double seconds = fault->span.high > 0 ? drawn(fault->span) : drawn(fault->count);
    later(seconds, STATE_MARKET, MARKET_CONNECTED, false);
    return NULL;
}

static const char *routing(const Fault *fault) {
    sim_post_state(STATE_ROUTING, (int32_t)fault->count.low);
    return NULL;
}

static const char *routing_flap(const Fault *fault) {
    static const int32_t states[] = {2, 4, 3, 5};
    (void)fault;
    double at = 0;
    for (int k = 0; k < 4; k++)
        for (int64_t times = drawn_whole((Range){1, 12}); times > 0; times--)
            later(at += 0.005, STATE_ROUTING, states[k], false);
    return NULL;
}

static const char *broker_down(const Fault *fault) {
    sim_post_state(STATE_ROUTING, ROUTING_BROKER_DISCONNECTED);
    double seconds = fault->span.high > 0 ? drawn(fault->span) : 3;
    later(seconds * 0.8, STATE_ROUTING, ROUTING_BROKER_CONNECTING, false);
    later(seconds, STATE_ROUTING, ROUTING_BROKER_CONNECTED, false);
    return NULL;
}

static const char *storm(const Fault *fault) {
    for (int64_t times = drawn_whole(fault->count); times > 0; times--)
        sim_post_state(STATE_ROUTING, sim_state(STATE_ROUTING) < 0 ? 0 : sim_state(STATE_ROUTING));
    return NULL;
}

static const char *second_process(const Fault *fault) {
    (void)fault;
    sim_post_state(STATE_LOGIN, LOGIN_UNKNOWN);
    return NULL;
}

static const char *hang(const Fault *fault) {
    session_block_calls(fault->span.high > 0 ? drawn(fault->span) : drawn(fault->count));
    return NULL;
}

static const char *freeze(const Fault *fault) {
    double seconds = fault->span.high > 0 ? drawn(fault->span) : drawn(fault->count);
    session_block_calls(seconds);
    queue_pause((int64_t)(seconds * 1e9));
    return NULL;
}

static const char *pass(const Fault *fault) {
    clock_pass(drawn(fault->count));
    server_wake();
    return NULL;
}

static void day_task(void *unused) {
    (void)unused;
    feed_day_change();
}

static const char *day_change(const Fault *fault) {
    subscriptions_drop(-1, 0);
    sim_post_state(STATE_MARKET, MARKET_DISCONNECTED);
    double seconds = fault->span.high > 0 ? drawn(fault->span) : 0.3;
    sim_run_at(SIM_AFTER_MS(seconds * 500), day_task, NULL, 0);
    come_back(seconds, fault->resubscribe);
    return NULL;
}

/* ---- symbols -------------------------------------------------------------------------------------------------------- */
typedef void (*Each)(Symbol *symbol, const Fault *fault);

static const char *for_each(const Fault *fault, Each each, bool sources) {
    int32_t done = 0;
    for (int32_t k = 0; k < symbol_count(); k++) {
        Symbol *symbol = symbol_at(k);
        bool named = fault->symbol[0] && strcmp(symbol->name, fault->symbol) == 0;
        if (named && sources && symbol->follows >= 0) symbol = symbol_at(symbol->follows);
        if (!named && (fault->symbol[0] || (sources ? symbol->aggregated : !symbol->subscribed))) continue;
        each(symbol, fault);
        done++;
    }
    return fault->symbol[0] && !done ? "no such symbol" : NULL;
}

static void skip_each(Symbol *symbol, const Fault *fault) { symbol->skip += drawn_whole(fault->count); }

static void duplicate_each(Symbol *symbol, const Fault *fault) {
    if (symbol->subscribed) trade_repeat(symbol, drawn_whole(fault->count), CAUSE_DUPLICATE);
}

static void revise(Symbol *symbol, const Fault *fault, bool cancels) {
    uint32_t known = symbol->recents < RECENT ? symbol->recents : RECENT;
    for (int64_t times = drawn_whole(fault->count); times > 0 && known && symbol->subscribed; times--) {
        uint32_t back = 1 + (uint32_t)(sim_random(&faults.random) % known);
        Print print = symbol->recent[(symbol->recents - back) % RECENT];
        print.quantity = revise_trade(&print, cancels); /* a cancellation leaves nothing of it */
        print.volume = print.price * (double)print.quantity * symbol->multiplier;
        trade_post(symbol, &print, PRINT_EDIT, cancels ? CAUSE_CANCEL : CAUSE_EDIT);
    }
}

static void edit_each(Symbol *symbol, const Fault *fault) { revise(symbol, fault, false); }
static void cancel_each(Symbol *symbol, const Fault *fault) { revise(symbol, fault, true); }

static void odd(Symbol *symbol, const Fault *fault, uint8_t flag, uint8_t cause) {
    for (int64_t times = drawn_whole(fault->count); times > 0 && symbol->subscribed; times--) {
        Print print = symbol->sent;
        print.symbol = symbol->index;
        if (!print.time_ms) print.time_ms = sim_now();
        if (flag == PRINT_SENTINEL) print.price = 0, print.number = 0, print.quantity = 0, print.volume = 0;
        trade_post(symbol, &print, (uint8_t)(flag | PRINT_REPEATED), cause);
    }
}

static void sentinel_each(Symbol *symbol, const Fault *fault) { odd(symbol, fault, PRINT_SENTINEL, CAUSE_SENTINEL); }

static void untranslatable_each(Symbol *symbol, const Fault *fault) {
    odd(symbol, fault, PRINT_UNTRANSLATABLE, CAUSE_UNTRANSLATABLE);
}

typedef struct Halting {
    int16_t symbol;
    int32_t state;
} Halting;

static void halting_task(void *payload) {
    Halting *halting = payload;
    feed_state(symbol_at(halting->symbol), halting->state);
}

/* From the next whole second on; the state returns by itself when the time is over. */
static void halt(Symbol *symbol, const Fault *fault, int32_t state) {
    int64_t from = sim_now() / 1000 * 1000 + 1000;
    int64_t until = from + (int64_t)((fault->span.high > 0 ? drawn(fault->span) : 10) * 1000) / 1000 * 1000;
    Halting halting = {symbol->index, state};
    generator_halt(symbol, from, until, state == ASSET_AUCTIONED);
    symbol->halted_until_ms = until;
    sim_run_at(clock_of_market(from) - 1000000, halting_task, &halting, sizeof halting);
}

static void auction_each(Symbol *symbol, const Fault *fault) { halt(symbol, fault, ASSET_AUCTIONED); }
static void breaks_each(Symbol *symbol, const Fault *fault) { halt(symbol, fault, ASSET_FROZEN); }
static void inhibit_each(Symbol *symbol, const Fault *fault) { halt(symbol, fault, ASSET_INHIBITED); }

static void adjust_each(Symbol *symbol, const Fault *fault) {
    adjusts_add(symbol, fault->count.low, fault->text[0] ? fault->text : "Dividendo", fault->flags,
                fault->multiplier.low);
}

#define EACH(name, sources) \
    static const char *name(const Fault *fault) { return for_each(fault, name##_each, sources); }
EACH(skip, false)
EACH(duplicate, false)
EACH(edit, false)
EACH(cancel, false)
EACH(sentinel, false)
EACH(untranslatable, false)
EACH(auction, true)
EACH(breaks, true)
EACH(inhibit, true)
EACH(adjust, false)

static const char *rollover(const Fault *fault) { return assets_roll(fault->symbol[0] ? fault->symbol : NULL); }

/* ---- lines ---------------------------------------------------------------------------------------------------------- */
static const struct {
    const char *one, *two; /* `market drop` and `market-drop` are the same */
    Strike strike;
} verbs[] = {{"market-drop", NULL, market_drop}, {"market", "drop", market_drop}, {"degraded", NULL, degraded},
             {"routing-flap", NULL, routing_flap}, {"routing", "flap", routing_flap}, {"routing", NULL, routing},
             {"broker-down", NULL, broker_down}, {"broker", "down", broker_down}, {"storm", NULL, storm},
             {"second-process", NULL, second_process}, {"hang", NULL, hang}, {"freeze", NULL, freeze},
             {"day-change", NULL, day_change}, {"skip", NULL, skip}, {"duplicate", NULL, duplicate},
             {"edit", NULL, edit}, {"cancel", NULL, cancel}, {"sentinel", NULL, sentinel},
             {"untranslatable", NULL, untranslatable}, {"auction", NULL, auction}, {"circuit-break", NULL, breaks},
             {"inhibit", NULL, inhibit}, {"adjust", NULL, adjust}, {"rollover", NULL, rollover},
             {"pass", NULL, pass}};

static int32_t find_verb(int32_t words, char *word[], Strike *strike) {
    for (size_t k = 0; k < sizeof verbs / sizeof *verbs; k++) {
        if (strcmp(verbs[k].one, word[0]) != 0) continue;
        if (verbs[k].two && (words < 2 || strcmp(verbs[k].two, word[1]) != 0)) continue;
        *strike = verbs[k].strike;
        return verbs[k].two ? 2 : 1;
    }
    return 0;
}

static const char *arguments(Fault *fault, int32_t words, char *word[]) {
    static char wrong[120];
    for (int32_t k = 0; k < words; k++) {
        Range *into = strcmp(word[k], "for") == 0          ? &fault->span
                      : strcmp(word[k], "lose") == 0       ? &fault->lose
                      : strcmp(word[k], "repeat") == 0     ? &fault->repeat
                      : strcmp(word[k], "multiplier") == 0 ? &fault->multiplier
                                                           : NULL;
        bool flags = strcmp(word[k], "flags") == 0, type = strcmp(word[k], "type") == 0;
        Range plain;
        if (into && k + 1 < words && script_range(word[k + 1], into)) {
            if (into == &fault->lose) fault->any_loss = false;
            k++;
        } else if (flags && k + 1 < words) {
            fault->flags = (uint32_t)atoi(word[++k]);
        } else if (type && k + 1 < words) {
            snprintf(fault->text, sizeof fault->text, "%s", word[++k]);
        } else if (strcmp(word[k], "resubscribe") == 0) {
            fault->resubscribe = true;
        } else if (script_range(word[k], &plain)) {
            fault->count = plain;
        } else if (word[k][0] >= 'A' && word[k][0] <= 'Z') {
            snprintf(fault->symbol, sizeof fault->symbol, "%s", word[k]);
        } else {
            snprintf(wrong, sizeof wrong, "unknown word: %.80s", word[k]);
            return wrong;
        }
    }
    return NULL;
}

static void strike_task(void *payload) {
    const Fault *fault = *(Fault **)payload;
    const char *wrong = fault->strike(fault);
    if (wrong) fprintf(stderr, "ProfitDLL simulator: %s %s\n", fault->symbol, wrong);
    if (fault->when == WHEN_AT || fault->when == WHEN_NOW) return;
    sim_run_at(sim_clock_ns() + (int64_t)(drawn(fault->seconds) * 1e9), strike_task, payload, sizeof(Fault *));
}

static void schedule(Fault *fault) {
    int64_t due = (int64_t)(drawn(fault->seconds) * 1e9);
    sim_run_at(fault->when == WHEN_AT ? due : sim_clock_ns() + due, strike_task, &fault, sizeof fault);
}

const char *fault_line(int32_t words, char *word[], int32_t when, Range seconds, bool running) {
    Fault fault = {.count = {1, 1}, .any_loss = true, .multiplier = {1, 1}, .when = when, .seconds = seconds};
    int32_t taken = words > 0 ? find_verb(words, word, &fault.strike) : 0;
    static char wrong[120];
    if (!taken) {
        snprintf(wrong, sizeof wrong, "unknown word: %.80s", words > 0 ? word[0] : "");
        return wrong;
    }
    const char *found = arguments(&fault, words - taken, word + taken);
    if (found) return found;
    if (running && when == WHEN_NOW) return fault.strike(&fault);
    if (faults.count == FAULTS) return "too many events";
    faults.fault[faults.count++] = fault;
    if (running) schedule(&faults.fault[faults.count - 1]);
    return NULL;
}

void faults_begin(void) {
    faults.random = settings()->seed ^ 0xFA017A;
    for (int32_t k = 0; k < faults.count; k++) schedule(&faults.fault[k]);
}
