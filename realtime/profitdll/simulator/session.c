/* Life-cycle: initialise, the handshake's states, entry checks of every request, health, finalise. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "market.h"

enum { FRESH, RUNNING, FINALISED };

static struct {
    PlatformMutex lock;
    _Atomic int32_t lock_made; /* 0 no, 1 being made, 2 yes */
    _Atomic int32_t phase;
    bool market_only, stalls;
    _Atomic int32_t history_orders, day_trade;
    int32_t state[4];
    _Atomic int32_t health;
    _Atomic int64_t blocked_until;
    _Atomic bool watching;
    PlatformThread watchdog;
    SimCountersTable counters;
    char error[512];
} session = {.history_orders = 1};

SimCountersTable *sim_counters(void) { return &session.counters; }
bool session_ready(void) { return session.phase == RUNNING; }
bool sim_market_only(void) { return session.market_only; }
bool sim_order_history_enabled(void) { return session.history_orders != 0; }
bool sim_day_trade_enabled(void) { return session.day_trade != 0; }
void sim_version_error(void) { SIM_COUNT(version_errors); }

/* The first call may come from any thread; nothing runs before it. */
static void lock_begin(void) {
    int32_t none = 0;
    if (atomic_compare_exchange_strong(&session.lock_made, &none, 1)) {
        platform_mutex_init(&session.lock);
        session.lock_made = 2;
    }
    while (session.lock_made != 2) platform_sleep_ns(1000);
}

void sim_lock(void) {
    if (session.lock_made != 2) lock_begin();
    platform_lock(&session.lock);
}

void sim_unlock(void) { platform_unlock(&session.lock); }

int32_t session_fail(const char *format, ...) {
    va_list given;
    va_start(given, format);
    vsnprintf(session.error, sizeof session.error, format, given);
    va_end(given);
    fprintf(stderr, "ProfitDLL simulator: %s\n", session.error);
    return NL_INVALID_ARGS;
}

PROFIT_EXPORT int32_t PROFIT_CALL SimLastError(char16_t *into, int32_t units) {
    char16_t text[512];
    sim_widen(text, 512, session.error);
    if (into && units > 0) sim_copy(into, (size_t)units, text);
    return (int32_t)sim_length(text);
}

/* ---- entry of requests ------------------------------------------------------------------------------------------- */
int32_t sim_enter_accessor(const char *function) {
    if (session.phase != RUNNING && !sim_on_connector()) return NL_NOT_INITIALIZED; /* callbacks go on in the drain */
    sim_count_request(function);
    return NL_OK;
}

int32_t sim_enter(const char *function, bool routing) {
    if (session.phase != RUNNING) return NL_NOT_INITIALIZED;
    sim_count_request(function);
    if (sim_on_connector()) {
        SIM_COUNT(connector_requests);
        if (!settings()->strict) return NL_INTERNAL_ERROR;
        fprintf(stderr, "ProfitDLL simulator: %s was called inside a callback\n", function);
        abort();
    }
    while (session.phase == RUNNING && session.blocked_until > platform_monotonic_ns()) platform_sleep_ns(1000000);
    if (session.phase != RUNNING) return NL_NOT_INITIALIZED;
    return routing && session.market_only ? NL_MARKET_ONLY : NL_OK;
}

void session_block_calls(double seconds) {
    session.blocked_until = platform_monotonic_ns() + (int64_t)(seconds * 1e9);
}

/* ---- states --------------------------------------------------------------------------------------------------------- */
typedef struct State {
    int32_t type, result;
} State;

static void deliver_state(void *payload) {
    State *state = payload;
    TStateCallback call = SIM_CALLBACK(state);
    if (call) call(state->type, state->result);
}

int32_t sim_state(int32_t type) { return session.state[type]; }

void sim_post_state(int32_t type, int32_t result) {
    State state = {type, result};
    sim_lock();
    session.state[type] = result;
    sim_post(SIM_STATE, deliver_state, &state, sizeof state);
    if (sim_trading.on_state) sim_trading.on_state(type, result);
    sim_unlock();
}

static void state_task(void *payload) {
    State *state = payload;
    sim_post_state(state->type, state->result);
}

static void state_after(double ms, int32_t type, int32_t result) {
    State state = {type, result};
    sim_run_at(SIM_AFTER_MS(ms), state_task, &state, sizeof state);
}

static void handshake(void) {
    double whole = settings()->handshake_ms, broker = settings()->broker_delay_ms;
    int32_t login = settings()->login;
    state_after(whole * 0.2, STATE_ACTIVATION, settings()->activation);
    if (settings()->activation != ACTIVATION_VALID) return;
    state_after(whole * 0.3, STATE_LOGIN, login);
    if (login != LOGIN_CONNECTED) return;
    state_after(whole * 0.4, STATE_MARKET, MARKET_CONNECTING);
    if (!(session.stalls && settings()->stall)) {
        state_after(whole * 0.7, STATE_MARKET, MARKET_WAITING);
        state_after(whole, STATE_MARKET, MARKET_CONNECTED);
    }
    if (session.market_only) return;
    static const int32_t flaps[] = {1, 2, 2, 4, 4, 2, 4, 5, 5};
    for (int k = 0; k < 9; k++) state_after(whole * (0.5 + 0.06 * k) + broker, STATE_ROUTING, flaps[k]);
}

/* ---- health -------------------------------------------------------------------------------------------------------- */
void session_health(int32_t health) {
    if (atomic_exchange(&session.health, health) == health) return;
    THealthCallback call = SIM_CALLBACK(health);
    if (!call) return;
    SIM_COUNT(delivered[SIM_HEALTH]);
    call(health);
}

static bool frozen(void) {
    int64_t since, now = platform_monotonic_ns();
    if (session.blocked_until > now) return true;
    return queue_busy_since(&since) && now - since > (int64_t)(settings()->watchdog_ms * 1e6);
}

static void watchdog_main(void *unused) {
    (void)unused;
    while (session.watching) {
        session_health(frozen() ? HEALTH_FROZEN : HEALTH_RESPONSIVE);
        platform_sleep_ns(10000000);
    }
}

PROFIT_EXPORT int32_t PROFIT_CALL GetHealthStatus(int32_t *health) {
    /* It must answer while calls hang. */
    if (session.phase != RUNNING) return NL_NOT_INITIALIZED;
    sim_count_request("GetHealthStatus");
    if (!health) return NL_INVALID_ARGS;
    *health = session.health;
    return NL_OK;
}

/* ---- initialise and finalise -------------------------------------------------------------------------------------- */
static const char *script_given(void) {
    char path[1024];
    if (!platform_environment("PROFITDLL_SIMULATOR_SCRIPT", path, sizeof path)) return NULL;
    return script_load(path);
}

static int32_t begun(void) {
    const char *wrong = session.error[0] ? session.error : script_given();
    if (!wrong && settings()->tape[0]) wrong = tape_open(settings()->tape);
    if (!wrong && settings()->emitted[0]) wrong = emitted_open(settings()->emitted);
    if (wrong) return wrong == session.error ? NL_INVALID_ARGS : session_fail("%s", wrong);
    platform_fine_timers(true);
    clock_begin();
    assets_begin();
    queue_begin(settings()->queue);
    timers_begin();
    revisions_begin();
    emitted_run();
    load_begin();
    for (int k = 0; k < 4; k++) session.state[k] = -1;
    session.phase = RUNNING;
    if (sim_trading.start) sim_trading.start();
    session.watching = true;
    if (!platform_start(&session.watchdog, watchdog_main, NULL, "Watchdog")) abort();
    handshake();
    faults_begin();
    feed_begin();
    return NL_OK;
}

static int32_t initialised(PText key, PText user, PText password, bool market_only, bool stalls) {
    if (!key || !user || !password) return NL_INVALID_ARGS;
    sim_lock();
    int32_t result = NL_INTERNAL_ERROR; /* one initialisation in the life of a process */
    if (session.phase == FRESH) {
        session.market_only = market_only;
        session.stalls = stalls;
        result = begun();
    }
    sim_unlock();
    return result;
}

#define GIVEN(slot) \
    if (slot) atomic_store(&sim_callbacks()->slot, slot)

PROFIT_EXPORT int32_t PROFIT_CALL DLLInitializeLogin(
    PText key, PText user, PText password, TStateCallback state, THistoryCallback history,
    TOrderChangeCallback order_change, TAccountCallback account, TNewTradeCallback trade, TDailyCallback daily,
    TPriceBookCallback price_book, TOfferBookCallback offer_book, THistoryTradeCallback history_trade,
    TProgressCallback progress, TTinyBookCallback tiny_book) {
    if (session.phase == FRESH) {
        GIVEN(state);
        GIVEN(history);
        GIVEN(order_change);
        GIVEN(account);
        GIVEN(trade);
        GIVEN(daily);
        GIVEN(price_book);
        GIVEN(offer_book);
        GIVEN(history_trade);
        GIVEN(progress);
        GIVEN(tiny_book);
    }
    return initialised(key, user, password, false, !daily || !progress || !tiny_book);
}

PROFIT_EXPORT int32_t PROFIT_CALL DLLInitializeMarketLogin(PText key, PText user, PText password,
                                                           TStateCallback state, TNewTradeCallback trade,
                                                           TDailyCallback daily, TPriceBookCallback price_book,
                                                           TOfferBookCallback offer_book,
                                                           THistoryTradeCallback history_trade,
                                                           TProgressCallback progress, TTinyBookCallback tiny_book) {
    if (session.phase == FRESH) {
        GIVEN(state);
        GIVEN(trade);
        GIVEN(daily);
        GIVEN(price_book);
        GIVEN(offer_book);
        GIVEN(history_trade);
        GIVEN(progress);
        GIVEN(tiny_book);
    }
    return initialised(key, user, password, true, !daily || !progress || !tiny_book);
}

PROFIT_EXPORT int32_t PROFIT_CALL DLLFinalize(void) {
    SIM_REQUEST("DLLFinalize");
    int32_t running = RUNNING;
    if (!atomic_compare_exchange_strong(&session.phase, &running, FINALISED)) return NL_NOT_INITIALIZED;
    session.watching = false;
    platform_join(session.watchdog);
    feed_end();
    sim_post_state(STATE_MARKET, MARKET_DISCONNECTED);
    sim_post_state(STATE_ROUTING, ROUTING_DISCONNECTED);
    sim_post_state(STATE_LOGIN, LOGIN_INVALID); /* teardown, not bad credentials */
    queue_end();
    timers_end();
    sim_lock();
    if (sim_trading.stop) sim_trading.stop();
    sim_unlock();
    arrays_report();
    emitted_close();
    tape_close();
    platform_fine_timers(false);
    return NL_OK;
}

PROFIT_EXPORT int32_t PROFIT_CALL Finalize(void) { return DLLFinalize(); }

PROFIT_EXPORT int32_t PROFIT_CALL SetServerAndPort(PText server, PText port) {
    sim_count_request("SetServerAndPort");
    return server && port ? NL_OK : NL_INVALID_ARGS;
}

PROFIT_EXPORT int32_t PROFIT_CALL SetEnabledLogToDebug(int32_t enabled) {
    (void)enabled;
    sim_count_request("SetEnabledLogToDebug");
    return NL_OK;
}

PROFIT_EXPORT int32_t PROFIT_CALL SetEnabledHistOrder(int32_t enabled) {
    SIM_REQUEST("SetEnabledHistOrder");
    session.history_orders = enabled;
    return NL_OK;
}

PROFIT_EXPORT int32_t PROFIT_CALL SetDayTrade(int32_t enabled) {
    SIM_REQUEST("SetDayTrade");
    session.day_trade = enabled;
    return NL_OK;
}
