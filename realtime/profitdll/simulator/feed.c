/* The server thread: runs timers and the source of trades in the order of the running clock. */
#include <stdlib.h>
#include <string.h>

#include "market.h"

enum { STEPS = 256, REFUSED_NS = 200000 }; /* between two releases of the lock */

static _Atomic int64_t allowed = INT64_MAX; /* trades that the source may have made */

static struct {
    PlatformThread thread;
    PlatformMutex lock; /* only for the signal */
    PlatformSignal wakened;
    bool waked;
    _Atomic bool running;
    Print *batch; /* the generator's current second, in order */
    int32_t count, at, room;
    int32_t session, second;
    int64_t settled_at; /* monotonic; sources that wait for subscriptions start then */
    bool slow, ended;
} feed;

void server_wake(void) {
    if (!feed.running) return;
    platform_lock(&feed.lock);
    feed.waked = true;
    platform_unlock(&feed.lock);
    platform_wake(&feed.wakened);
}

void feed_settle(void) { feed.settled_at = platform_monotonic_ns() + (int64_t)(settings()->settle_ms * 1e6); }

bool feed_settled(void) {
    return feed.settled_at && platform_monotonic_ns() >= feed.settled_at && subscriptions_count() >= settings()->await_symbols;
}

/* ---- one trade ------------------------------------------------------------------------------------------------------ */
void sim_on_trade(const SimTick *tick) {
    if (sim_trading.on_tick) sim_trading.on_tick(tick);
}

static void send_live(Symbol *target, const Print *print, bool extras) {
    if (target->skip > 0) {
        target->skip--;
        if (!target->cause) target->cause = CAUSE_SKIP;
        return;
    }
    if (settings()->overflow_drop && queue_depth() >= settings()->queue) {
        SIM_COUNT(dropped[SIM_TRADE]);
        target->cause = CAUSE_OVERFLOW;
        return;
    }
    trade_post(target, print, 0, target->cause);
    target->cause = CAUSE_NONE;
    if (extras) post_quote(target, print);
}

static void move_touch(Symbol *symbol, const Print *print) {
    bool buys = print->type == TRADE_AGGRESSOR_BUY || (print->type != TRADE_AGGRESSOR_SELL && !symbol->bid);
    if (!buys && print->type != TRADE_AGGRESSOR_SELL) return;
    symbol->bid = buys ? print->price - symbol->tick : print->price;
    symbol->ask = buys ? print->price : print->price + symbol->tick;
}

static void tell_quotes(Symbol *target, const Symbol *source, double bid, double ask, int32_t aggressor) {
    if (target->subscribed && source->bid != bid) post_tiny(target, BOOK_BUY);
    if (target->subscribed && source->ask != ask) post_tiny(target, BOOK_SELL);
    if (target->book) book_print(target, aggressor);
}

/* ---- the sums of a session -------------------------------------------------------------------------------------------- */
static void tell_daily(Symbol *source) {
    Symbol *front = symbol_at(source->follower);
    if (source->subscribed) post_daily(source);
    if (front && front->subscribed) post_daily(front);
}

void feed_last_word(void) {
    for (int32_t k = 0; k < symbol_count(); k++)
        if (!symbol_at(k)->aggregated) tell_daily(symbol_at(k));
}

static int32_t session_before(int32_t session) {
    int64_t day = date_days(session) - 1;
    while (settings()->weekdays && ((day + 4) % 7 == 0 || (day + 4) % 7 == 6)) day--;
    return days_date(day);
}

/* The session is over, with all that was made in it. */
static void close_session(Symbol *source) {
    if (!source->totals.trades) return;
    source->closed = source->totals;
    source->closed_session = source->session;
    source->closed_ms = source->last.time_ms;
    source->closed_before = source->previous_close;
}

bool feed_closed(Symbol *source) {
    int32_t session = source->last.number ? sim_session_date(source->last.time_ms) : 0;
    if (settings()->source != SOURCE_GENERATOR || !session || session >= source->session) return false;
    if (source->closed_session == session) return true;
    generator_totals(source, session, DAY_SECONDS, &source->closed);
    revisions_apply(source, session, &source->closed);
    source->closed_session = session;
    source->closed_ms = source->last.time_ms;
    source->closed_before = generator_mid(source, session_before(session), DAY_SECONDS - 1);
    return true;
}

/* An edit of the tape changes the trade that it names; a tape may run over several days. */
static void count(Symbol *source, const Print *print) {
    if (settings()->source != SOURCE_GENERATOR && sim_session_date(print->time_ms) != source->session) {
        tell_daily(source);
        source->session = sim_session_date(print->time_ms);
        source->totals = (Totals){0};
    }
    const Print *made = source->made ? &source->made[print->number % MADE] : NULL;
    if (print->flags & PRINT_EDIT) {
        if (made && made->number == print->number) totals_change(&source->totals, made, made->quantity, print->quantity);
        return;
    }
    totals_add(&source->totals, print);
    revisions_made(print);
    if (!source->taped) return;
    if (!source->made) source->made = calloc(MADE, sizeof *source->made);
    if (source->made) source->made[print->number % MADE] = *print;
}

void feed_print(const Print *print) {
    Symbol *source = symbol_at(print->symbol), *front = symbol_at(source->follower);
    double bid = source->bid, ask = source->ask;
    bool extras = settings()->source != SOURCE_LOAD && settings()->quotes;
    int32_t aggressor = print->type == TRADE_AGGRESSOR_BUY    ? SIDE_BUY
                        : print->type == TRADE_AGGRESSOR_SELL ? SIDE_SELL
                                                              : 0;
    count(source, print);
    source->last = *print;
    move_touch(source, print);
    SimTick tick = {source->index, print->price, print->quantity, source->bid, source->ask, aggressor, print->time_ms};
    sim_on_trade(&tick);
    SimCountersTable *counters = sim_counters();
    counters->trades_made++;
    if (!source->subscribed && !(front && front->subscribed)) counters->trades_silent++;
    if (source->subscribed) send_live(source, print, extras);
    if (front && front->subscribed) send_live(front, print, extras);
    if (!extras) return;
    tell_quotes(source, source, bid, ask, aggressor);
    if (front) tell_quotes(front, source, bid, ask, aggressor);
}

void sim_print_trade(int32_t index, double price, int64_t quantity, int32_t buy_agent, int32_t sell_agent,
                     int32_t aggressor) {
    Symbol *symbol = symbol_at(index);
    if (!settings()->print_fills || !symbol || !symbol->last.number || symbol->step < 2) return;
    Print print = symbol->last; /* between two trades of the market: their numbers leave room */
    if ((print.number + 1) % symbol->step == 0) return;
    print.number++;
    print.price = price, print.quantity = quantity, print.volume = price * (double)quantity * symbol->multiplier;
    print.buy_agent = buy_agent, print.sell_agent = sell_agent, print.time_ms = sim_now();
    print.type = aggressor == SIDE_BUY ? TRADE_AGGRESSOR_BUY : TRADE_AGGRESSOR_SELL;
    print.cause = CAUSE_FILL;
    feed_print(&print);
}

/* ---- states of the day ----------------------------------------------------------------------------------------------- */
static int32_t state_at(const Symbol *symbol, int32_t second) {
    const Settings *hours = settings();
    if (feed.ended || symbol_expired(symbol, feed.session)) return ASSET_CLOSED;
    if (second < hours->pre_opening_s || second >= hours->close_s) return ASSET_CLOSED;
    if (second < hours->auction_s) return ASSET_PRE_OPENING;
    return second < hours->open_s ? ASSET_AUCTIONED : ASSET_OPENED;
}

void feed_state(Symbol *symbol, int32_t state) {
    if (symbol->state == state) return;
    symbol->state = state;
    Symbol *front = symbol_at(symbol->follower);
    Symbol *shown[] = {symbol, front};
    for (int k = 0; k < 2 && shown[k]; k++) {
        if (shown[k]->subscribed) post_asset_state(shown[k]);
        if (shown[k]->book && state != ASSET_AUCTIONED) shown[k]->book->theoretical = false;
    }
    if (state == ASSET_CLOSED) tell_daily(symbol);
    SimTick tick = {.symbol = symbol->index, .bid = symbol->bid, .ask = symbol->ask, .time_ms = sim_now()};
    sim_on_trade(&tick);
}

static void tell_theoretical(Symbol *symbol, int32_t second) {
    uint64_t draw = mixed((uint64_t)second * 31 + (uint64_t)symbol->index);
    double price = generator_mid(symbol, feed.session, settings()->open_s) + (double)(draw % 5) * symbol->tick;
    Symbol *shown[] = {symbol, symbol_at(symbol->follower)};
    for (int k = 0; k < 2; k++) {
        if (!shown[k]) continue;
        if (shown[k]->subscribed) post_theoretical(shown[k], price, symbol->lot * (int64_t)(100 + draw % 900));
        if (!shown[k]->book) continue;
        shown[k]->book->theoretical_price = price;
        shown[k]->book->theoretical_quantity = symbol->lot * (int64_t)(100 + draw % 900);
        depth_theoretical(shown[k]);
    }
}

/* Halts by the script own the state; see faults.c. */
static void each_second(int32_t second) {
    for (int32_t k = 0; k < symbol_count(); k++) {
        Symbol *symbol = symbol_at(k);
        if (symbol->aggregated) continue;
        if (symbol->halted_until_ms > date_ms(feed.session) + (int64_t)second * 1000) {
            if (symbol->state == ASSET_AUCTIONED) tell_theoretical(symbol, second);
            continue;
        }
        int32_t state = state_at(symbol, second);
        if (state != symbol->state) feed_state(symbol, state);
        if (state == ASSET_AUCTIONED) tell_theoretical(symbol, second);
    }
}

/* ---- the generator as a source --------------------------------------------------------------------------------------- */
static int earlier(const void *one, const void *other) {
    const Print *a = one, *b = other;
    if (a->time_ms != b->time_ms) return a->time_ms < b->time_ms ? -1 : 1;
    if (a->symbol != b->symbol) return a->symbol < b->symbol ? -1 : 1;
    return a->index < b->index ? -1 : a->index > b->index;
}

static void load_second(void) {
    feed.count = feed.at = 0;
    for (int32_t k = 0; k < symbol_count(); k++) {
        const Symbol *symbol = symbol_at(k);
        if (symbol->aggregated || symbol_expired(symbol, feed.session)) continue;
        int32_t more = generator_count(symbol, feed.session, feed.second);
        while (feed.count + more > feed.room) {
            feed.room = feed.room ? feed.room * 2 : 1024;
            feed.batch = realloc(feed.batch, (size_t)feed.room * sizeof *feed.batch);
            if (!feed.batch) abort();
        }
        feed.count += generator_second(symbol, feed.session, feed.second, feed.batch + feed.count, more);
    }
    qsort(feed.batch, (size_t)feed.count, sizeof *feed.batch, earlier);
}

/* Everything before this second has happened: totals, last trade, close of the day before. */
static void take_position(int32_t session, int32_t second) {
    feed.session = session;
    feed.second = second;
    for (int32_t k = 0; k < symbol_count(); k++) {
        Symbol *symbol = symbol_at(k);
        if (symbol->aggregated) continue;
        int32_t yesterday = session_before(session);
        symbol->session = session;
        generator_totals(symbol, session, second, &symbol->totals);
        revisions_apply(symbol, session, &symbol->totals);
        if (!generator_last(symbol, session, second, &symbol->last))
            generator_last(symbol, yesterday, DAY_SECONDS, &symbol->last);
        symbol->previous_close = generator_mid(symbol, yesterday, DAY_SECONDS - 1);
        symbol->bid = symbol->last.price - symbol->tick;
        symbol->ask = symbol->last.price;
        symbol->state = state_at(symbol, second);
    }
    load_second();
}

void feed_day(int32_t session) {
    for (int32_t k = 0; k < symbol_count(); k++) {
        if (symbol_at(k)->aggregated) continue;
        tell_daily(symbol_at(k));
        close_session(symbol_at(k));
    }
    assets_session(session);
    take_position(session, 0);
    if (sim_trading.on_day) sim_trading.on_day(session);
    for (int32_t k = 0; k < symbol_count(); k++)
        if (symbol_at(k)->subscribed) post_asset_state(symbol_at(k)), post_daily(symbol_at(k));
}

/* The next session begins now: shortly before its opening. The connection comes back as after a drop. What was left of
 * the old one has happened meanwhile, for its sums and for history. */
void feed_day_change(void) {
    int32_t session = days_date(date_days(sim_session_date(sim_now())) + 1);
    int32_t second = settings()->open_s > 2 ? settings()->open_s - 2 : 0;
    clock_jump(date_ms(session) + (int64_t)second * 1000);
    if (settings()->source != SOURCE_GENERATOR) return;
    assets_session(session);
    take_position(session, second);
    if (sim_trading.on_day) sim_trading.on_day(session);
}

static void next_second(void) {
    if (++feed.second >= DAY_SECONDS)
        feed_day(days_date(date_days(feed.session) + 1));
    else
        load_second();
    each_second(feed.second);
}

/* `stop`: the market closes for good, with the last word about the session. */
static void end_market(void) {
    feed.ended = true;
    for (int32_t k = 0; k < symbol_count(); k++) {
        if (symbol_at(k)->aggregated) continue;
        if (symbol_at(k)->state == ASSET_CLOSED) tell_daily(symbol_at(k));
        feed_state(symbol_at(k), ASSET_CLOSED);
    }
    sim_counters()->load_done = 1;
}

static int64_t generator_next(void) {
    int64_t ms = feed.at < feed.count ? feed.batch[feed.at].time_ms
                                      : date_ms(feed.session) + ((int64_t)feed.second + 1) * 1000;
    return ms < settings()->stop_ms ? ms : settings()->stop_ms;
}

static int64_t generator_due(void) {
    if (feed.ended) return INT64_MAX;
    int64_t ms = generator_next();
    if (settings()->speed > 0) return clock_of_market(ms);
    return feed_settled() ? INT64_MIN : INT64_MAX;
}

static int32_t generator_run(int64_t now, int32_t most) {
    int32_t done = 0;
    for (; done < most && generator_due() <= now; done++) {
        if (generator_next() == settings()->stop_ms) {
            end_market();
            return done;
        }
        if (feed.at >= feed.count) {
            next_second();
            continue;
        }
        const Print *print = &feed.batch[feed.at++];
        if (settings()->speed == 0) clock_follow(print->time_ms);
        feed_print(print);
        if (timers_next() <= now) return done + 1;
    }
    return done;
}

static void position_now(void) {
    bool paced = settings()->speed > 0 || settings()->start_ms == INT64_MIN;
    int64_t now = paced ? sim_now() : settings()->start_ms; /* unpaced, the market waits for subscriptions */
    feed.ended = now >= settings()->stop_ms;
    if (feed.ended) now = settings()->stop_ms, sim_counters()->load_done = 1;
    int32_t session = sim_session_date(now);
    take_position(session, (int32_t)((now - date_ms(session)) / 1000));
    for (int32_t k = 0; settings()->source != SOURCE_GENERATOR && k < symbol_count(); k++)
        symbol_at(k)->totals = (Totals){0}; /* a load or a tape begins with the process */
    while (feed.at < feed.count && feed.batch[feed.at].time_ms <= now && !feed.ended) { /* as if always running */
        const Print *print = &feed.batch[feed.at++];
        Symbol *symbol = symbol_at(print->symbol);
        count(symbol, print);
        symbol->last = *print;
        move_touch(symbol, print);
    }
}

/* ---- the thread -------------------------------------------------------------------------------------------------------- */
void feed_allow(int64_t trades) { allowed = trades; }

static int64_t source_due(void) {
    if (sim_counters()->trades_made >= allowed) return sim_clock_ns() + REFUSED_NS;
    int32_t source = settings()->source;
    return source == SOURCE_LOAD ? load_due() : source == SOURCE_TAPE ? tape_due() : generator_due();
}

static void source_run(int64_t now) {
    int32_t source = settings()->source;
    if (source == SOURCE_LOAD)
        load_run(now, STEPS);
    else if (source == SOURCE_TAPE)
        tape_run(now, STEPS);
    else
        generator_run(now, STEPS);
}

/* Slow local delivery: told once above the threshold, and once when half of it is worked off. */
static void watch_queue(void) {
    int64_t depth = queue_depth(), limit = settings()->slow_at;
    if (!feed.slow && depth >= limit && sim_state(STATE_MARKET) == MARKET_CONNECTED) {
        feed.slow = true;
        sim_post_state(STATE_MARKET, MARKET_DELAYED);
    } else if (feed.slow && depth < limit / 2) {
        feed.slow = false;
        if (sim_state(STATE_MARKET) == MARKET_DELAYED) sim_post_state(STATE_MARKET, MARKET_CONNECTED);
    }
}

static void overdue(int64_t due, int64_t now) {
    if (due == INT64_MIN || due == INT64_MAX) return;
    SimCountersTable *counters = sim_counters();
    if (now - due > counters->overdue_ns) counters->overdue_ns = now - due;
}

static int64_t step(bool *full) {
    sim_lock();
    int64_t now = sim_clock_ns();
    watch_queue();
    bool unpaced = settings()->speed == 0 || (settings()->source == SOURCE_LOAD && settings()->load_rate == 0);
    bool room = (unpaced ? queue_depth() < settings()->slow_at / 2 : queue_make_room()) || settings()->overflow_drop;
    for (int k = 0; k < STEPS && timers_next() <= now && (!room || timers_next() <= source_due()); k++)
        timers_run_one(now);
    if (room && source_due() <= now && source_due() <= timers_next()) {
        overdue(source_due(), now);
        source_run(now);
    } else {
        timers_run_one(now);
    }
    *full = !room && source_due() <= now;
    int64_t due = source_due(), timer = timers_next();
    if (*full || timer < due) due = timer;
    sim_unlock();
    return due;
}

static void server_main(void *unused) {
    (void)unused;
    while (feed.running) {
        bool full;
        int64_t due = step(&full);
        if (full) {
            SIM_COUNT(waits);
            queue_wait_room(1000000);
            continue;
        }
        double speed = settings()->speed > 0 ? settings()->speed : 1;
        int64_t left = due == INT64_MAX ? 50000000 : due == INT64_MIN ? 0 : (int64_t)((double)(due - sim_clock_ns()) / speed);
        if (left <= 0) continue;
        if (left > 50000000) left = 50000000;
        platform_lock(&feed.lock);
        if (!feed.waked && feed.running) platform_wait(&feed.wakened, &feed.lock, left);
        feed.waked = false;
        platform_unlock(&feed.lock);
    }
}

static void daily_task(void *unused) {
    (void)unused;
    for (int32_t k = 0; k < symbol_count(); k++)
        if (symbol_at(k)->subscribed) post_daily(symbol_at(k));
    sim_run_at(sim_clock_ns() + (int64_t)(settings()->daily_every_s * 1e9), daily_task, NULL, 0);
}

static void churn_task(void *unused) {
    (void)unused;
    double span = 0.005;
    int32_t books = 0;
    for (int32_t k = 0; k < symbol_count(); k++) books += symbol_at(k)->book && symbol_at(k)->book->filled;
    for (int32_t k = 0; k < symbol_count(); k++) {
        Book *book = symbol_at(k)->book;
        if (!book || !book->filled || !(book->depth || book->offers_wanted || book->price_book)) continue;
        if (book->stale && queue_depth() < settings()->queue / 2) book_touch(symbol_at(k));
        book->due += settings()->depth_rate * span / books;
        int32_t events = (int32_t)book->due;
        book->due -= events;
        if (events && queue_depth() < settings()->queue) book_churn(symbol_at(k), events);
    }
    sim_run_at(SIM_AFTER_MS(span * 1000), churn_task, NULL, 0);
}

void feed_begin(void) {
    platform_mutex_init(&feed.lock);
    platform_signal_init(&feed.wakened);
    position_now();
    sim_run_at(0, daily_task, NULL, 0);
    sim_run_at(0, churn_task, NULL, 0);
    feed.running = true;
    if (!platform_start(&feed.thread, server_main, NULL, "Server")) abort();
}

void feed_end(void) {
    feed.running = false;
    platform_wake(&feed.wakened);
    platform_join(feed.thread);
    free(feed.batch);
    feed.batch = NULL;
}
