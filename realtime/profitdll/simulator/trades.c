/* Trades on their way to the client: queueing, delivery, TranslateTrade, repeats. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "market.h"

typedef struct TradeEvent {
    Print print; /* its address is the opaque handle */
    Symbol *target;
    char16_t ticker[EVENT_TICKER];
    char16_t exchange[2];
} TradeEvent;
_Static_assert(sizeof(TradeEvent) <= 128, "a trade fits into a slot of the queue");

static struct {
    _Atomic(const Print *) current; /* of the callback in progress */
} trades;

static int32_t legacy_quantity(int64_t quantity) { return quantity > INT32_MAX ? INT32_MAX : (int32_t)quantity; }

static uint32_t client_flags(const Print *print) {
    return (print->flags & PRINT_EDIT ? TRADE_EDIT : 0u) | (print->flags & PRINT_LAST ? TRADE_LAST_PACKET : 0u);
}

static int64_t shown_time(const Print *print) { return print->flags & PRINT_SENTINEL ? INT64_MIN : print->time_ms; }

static void date_of(const Print *print, char16_t date[SIM_DATE]) {
    if (shown_time(print) != INT64_MIN)
        sim_date_text(print->time_ms, date);
    else
        sim_copy(date, SIM_DATE, u"00/00/0000 00:00:00.000");
}

static void deliver_trade(void *payload) {
    TradeEvent *event = payload;
    const Print *print = &event->print;
    emitted_trade(event->target, print, print->time_ms / DAY_MS);
    TTradeCallbackV2 call = SIM_CALLBACK(trade_v2);
    if (call) {
        if (settings()->stamp) event->print.volume = (double)platform_monotonic_ns(); /* when it was told, for benchmarks */
        atomic_store_explicit(&trades.current, print, memory_order_release);
        call(asset_identifier(event->ticker, event->exchange), &event->print, client_flags(print));
        atomic_store_explicit(&trades.current, NULL, memory_order_release);
    }
    TNewTradeCallback legacy = SIM_CALLBACK(trade);
    if (legacy) {
        char16_t date[SIM_DATE];
        date_of(print, date);
        legacy(asset_record(event->ticker, event->exchange), date, print->number, print->price, print->volume,
               legacy_quantity(print->quantity), print->buy_agent, print->sell_agent, print->type,
               (char16_t)(client_flags(print) & TRADE_EDIT));
    }
    if (!call && !legacy) SIM_COUNT(callbacks_without_slot);
}

static void deliver_history(void *payload) {
    TradeEvent *event = payload;
    const Print *print = &event->print;
    THistoryTradeCallbackV2 call = SIM_CALLBACK(history_trade_v2);
    if (call) {
        atomic_store_explicit(&trades.current, print, memory_order_release);
        call(asset_identifier(event->ticker, event->exchange), &event->print, client_flags(print));
        atomic_store_explicit(&trades.current, NULL, memory_order_release);
    }
    THistoryTradeCallback legacy = SIM_CALLBACK(history_trade);
    if (!legacy) return;
    char16_t date[SIM_DATE];
    date_of(print, date);
    legacy(asset_record(event->ticker, event->exchange), date, print->number, print->price, print->volume,
           legacy_quantity(print->quantity), print->buy_agent, print->sell_agent, print->type);
}

static void queue_trade(SimKind kind, SimDeliver deliver, Symbol *target, const Print *print, uint8_t flags,
                        uint8_t cause) {
    queue_hold();
    TradeEvent *event = queue_inline(kind, deliver, sizeof *event);
    event->print = *print;
    event->print.flags |= flags;
    if (cause) event->print.cause = cause;
    event->target = target;
    memcpy(event->ticker, target->ticker, sizeof event->ticker);
    memcpy(event->exchange, target->exchange, sizeof event->exchange);
    queue_release();
}

static void remember(Symbol *target, const Print *print) {
    if (!target->recent) target->recent = calloc(RECENT, sizeof *target->recent);
    if (target->recent) target->recent[target->recents++ % RECENT] = *print;
    target->sent = *print;
}

void trade_post(Symbol *target, const Print *print, uint8_t flags, uint8_t cause) {
    queue_trade(SIM_TRADE, deliver_trade, target, print, flags, cause);
    if (!(flags & (PRINT_EDIT | PRINT_CACHED | PRINT_REPEATED | PRINT_SENTINEL))) remember(target, print);
}

void trade_history_post(Symbol *target, const Print *print, uint8_t flags) {
    queue_trade(SIM_HISTORY, deliver_history, target, print, flags, CAUSE_NONE);
}

/* The last `count` trades once more, oldest first. */
void trade_repeat(Symbol *target, int64_t count, uint8_t cause) {
    if (count > RECENT) count = RECENT;
    if (count > target->recents) count = target->recents;
    for (uint32_t at = target->recents - (uint32_t)count; at < target->recents; at++)
        trade_post(target, &target->recent[at % RECENT], PRINT_REPEATED, cause);
}

void totals_add(Totals *totals, const Print *print) {
    double tick = symbol_at(print->symbol)->tick;
    int64_t ticks = llround(print->price / tick), turnover = ticks * print->quantity;
    if (!totals->trades) totals->open = totals->high = totals->low = ticks;
    totals->trades++;
    totals->quantity += print->quantity;
    totals->turnover += turnover;
    totals->close = ticks;
    if (ticks > totals->high) totals->high = ticks;
    if (ticks < totals->low) totals->low = ticks;
    if (print->type == TRADE_AGGRESSOR_BUY)
        totals->buyer_trades++, totals->buyer_quantity += print->quantity, totals->buyer_turnover += turnover;
    if (print->type == TRADE_AGGRESSOR_SELL)
        totals->seller_trades++, totals->seller_quantity += print->quantity, totals->seller_turnover += turnover;
}

/* Open, high, low and close stay as they were when the trade was made. */
void totals_change(Totals *totals, const Print *print, int64_t before, int64_t after) {
    int64_t ticks = llround(print->price / symbol_at(print->symbol)->tick);
    int64_t more = after - before, trades = (after > 0) - (before > 0);
    totals->trades += trades;
    totals->quantity += more;
    totals->turnover += ticks * more;
    if (print->type == TRADE_AGGRESSOR_BUY)
        totals->buyer_trades += trades, totals->buyer_quantity += more, totals->buyer_turnover += ticks * more;
    if (print->type == TRADE_AGGRESSOR_SELL)
        totals->seller_trades += trades, totals->seller_quantity += more, totals->seller_turnover += ticks * more;
}

PROFIT_EXPORT int32_t PROFIT_CALL TranslateTrade(const void *handle, TConnectorTrade *trade) {
    if (!session_ready() && !sim_on_connector()) return NL_NOT_INITIALIZED;
    const Print *print = atomic_load_explicit(&trades.current, memory_order_acquire);
    if (!handle || !trade) return NL_INVALID_ARGS;
    if (handle != (const void *)print || !sim_on_connector()) {
        SIM_COUNT(stale_translations);
        return NL_INVALID_ARGS;
    }
    if (trade->Version > 0) {
        sim_version_error();
        return NL_VERSION_NOT_SUPPORTED;
    }
    if (print->flags & PRINT_UNTRANSLATABLE) return NL_INTERNAL_ERROR;
    bool sentinel = print->flags & PRINT_SENTINEL;
    trade->TradeDate = sentinel ? (TSystemTime){0} : sim_system_time(print->time_ms);
    trade->TradeNumber = print->number;
    trade->Price = sentinel ? 0 : print->price;
    trade->Quantity = print->quantity;
    trade->Volume = print->volume;
    trade->BuyAgent = print->buy_agent;
    trade->SellAgent = print->sell_agent;
    trade->TradeType = sentinel ? 0 : print->type;
    return NL_OK;
}
