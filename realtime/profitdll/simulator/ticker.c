/* The smaller events of a ticker: daily bar, tiny book, last quote, state, theoretical price, progress. */
#include <string.h>

#include "market.h"

typedef struct TickerEvent {
    char16_t ticker[EVENT_TICKER];
    char16_t exchange[2];
    int32_t number;
    int64_t quantity;
    double price;
    char16_t date[SIM_DATE];
} TickerEvent;

static TickerEvent event_of(const Symbol *symbol) {
    TickerEvent event = {.exchange = {symbol->exchange[0], 0}};
    memcpy(event.ticker, symbol->ticker, sizeof event.ticker);
    return event;
}

#define ASSET(event) asset_record((event)->ticker, (event)->exchange)

static int32_t narrowed(int64_t value) { return value > INT32_MAX ? INT32_MAX : (int32_t)value; }

/* ---- daily --------------------------------------------------------------------------------------------------------- */
typedef struct DailyEvent {
    TickerEvent at;
    double value[10];
    int64_t count[7];
} DailyEvent;

static void deliver_daily(void *payload) {
    DailyEvent *event = payload;
    const double *v = event->value;
    const int64_t *n = event->count;
    TDailyCallback call = SIM_CALLBACK(daily);
    if (call)
        call(ASSET(&event->at), event->at.date, v[0], v[1], v[2], v[3], v[4], v[5], v[6], v[7], v[8], v[9],
             narrowed(n[0]), narrowed(n[1]), narrowed(n[2]), narrowed(n[3]), narrowed(n[4]), narrowed(n[5]),
             narrowed(n[6]));
}

static Symbol *source_of(Symbol *symbol) { return symbol->follows >= 0 ? symbol_at(symbol->follows) : symbol; }

/* One day's date with that day's sums: before the first trade of a session those of the last one, as it ended. */
void post_daily(Symbol *symbol) {
    if (!SIM_CALLBACK(daily)) return;
    Symbol *source = source_of(symbol);
    bool today = source->totals.trades > 0 || !feed_closed(source);
    const Totals *t = today ? &source->totals : &source->closed;
    double tick = source->tick, money = tick * source->multiplier;
    double close = today ? source->previous_close : source->closed_before;
    DailyEvent event = {.at = event_of(symbol),
                        .value = {(double)t->open * tick, (double)t->high * tick, (double)t->low * tick,
                                  (double)t->close * tick, (double)t->turnover * money, close, close * 1.1, close * 0.9,
                                  (double)t->buyer_turnover * money, (double)t->seller_turnover * money},
                        .count = {t->quantity, t->trades, source->security == SECURITY_FUTURE ? 250000 : 0,
                                  t->buyer_quantity, t->seller_quantity, t->buyer_trades, t->seller_trades}};
    int64_t time = today ? date_ms(source->session) : source->closed_ms;
    if (today) time = source->last.time_ms >= time ? source->last.time_ms : sim_now() >= time ? sim_now() : time;
    sim_date_text(time, event.at.date);
    sim_post(SIM_DAILY, deliver_daily, &event, sizeof event);
}

/* ---- tiny book, last quote, state, theoretical price, progress ----------------------------------------------------- */
static void deliver_tiny(void *payload) {
    TickerEvent *event = payload;
    TTinyBookCallback call = SIM_CALLBACK(tiny_book);
    if (call) call(ASSET(event), event->price, narrowed(event->quantity), event->number);
}

void post_tiny(Symbol *symbol, int32_t side) {
    if (!SIM_CALLBACK(tiny_book)) return;
    const Symbol *source = source_of(symbol);
    TickerEvent event = event_of(symbol);
    event.price = side == BOOK_BUY ? source->bid : source->ask;
    event.quantity = source->lot * (1 + (int64_t)(mixed((uint64_t)source->last.index + (uint64_t)side) % 40));
    event.number = side;
    if (event.price > 0) sim_post(SIM_TINY, deliver_tiny, &event, sizeof event);
}

static void deliver_quote(void *payload) {
    TickerEvent *event = payload;
    TChangeCotationCallback call = SIM_CALLBACK(quote);
    if (call) call(ASSET(event), event->date, (uint32_t)event->number, event->price);
}

void post_quote(Symbol *symbol, const Print *print) {
    if (!SIM_CALLBACK(quote)) return;
    TickerEvent event = event_of(symbol);
    event.price = print->price;
    event.number = (int32_t)print->number;
    sim_date_text(print->time_ms, event.date);
    sim_post(SIM_QUOTE, deliver_quote, &event, sizeof event);
}

static void deliver_state(void *payload) {
    TickerEvent *event = payload;
    TChangeStateTickerCallback call = SIM_CALLBACK(asset_state);
    if (call) call(ASSET(event), event->date, event->number);
}

void post_asset_state(Symbol *symbol) {
    if (!SIM_CALLBACK(asset_state)) return;
    TickerEvent event = event_of(symbol);
    event.number = source_of(symbol)->state;
    sim_date_text(sim_now(), event.date);
    sim_post(SIM_ASSET_STATE, deliver_state, &event, sizeof event);
}

static void deliver_theoretical(void *payload) {
    TickerEvent *event = payload;
    TTheoreticalPriceCallback call = SIM_CALLBACK(theoretical);
    if (call) call(ASSET(event), event->price, event->quantity);
}

void post_theoretical(Symbol *symbol, double price, int64_t quantity) {
    if (!SIM_CALLBACK(theoretical)) return;
    TickerEvent event = event_of(symbol);
    event.price = price;
    event.quantity = quantity;
    sim_post(SIM_THEORETICAL, deliver_theoretical, &event, sizeof event);
}

static void deliver_progress(void *payload) {
    TickerEvent *event = payload;
    TProgressCallback call = SIM_CALLBACK(progress);
    if (call) call(ASSET(event), event->number);
}

void post_progress(Symbol *symbol, int32_t percent) {
    TickerEvent event = event_of(symbol);
    event.number = percent;
    sim_post(SIM_PROGRESS, deliver_progress, &event, sizeof event);
}

static void deliver_invalid(void *payload) {
    TickerEvent *event = payload;
    TInvalidTickerCallback call = SIM_CALLBACK(invalid_ticker);
    if (call) call(asset_identifier(event->ticker, event->exchange));
}

void post_invalid(PText ticker, PText exchange) {
    TickerEvent event = {0};
    sim_copy(event.ticker, EVENT_TICKER, ticker);
    sim_copy(event.exchange, 2, exchange);
    sim_post(SIM_INVALID_TICKER, deliver_invalid, &event, sizeof event);
}
