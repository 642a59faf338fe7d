/* Subscriptions and the questions about one ticker. Nothing survives a drop of the connection: as with the original. */
#include "market.h"

static bool connected(void) { return sim_state(STATE_MARKET) >= MARKET_CONNECTED; }

int32_t subscriptions_count(void) {
    int32_t count = 0;
    for (int32_t k = 0; k < symbol_count(); k++) count += symbol_at(k)->subscribed;
    return count;
}

void subscriptions_drop(int64_t lose, int64_t repeat) {
    history_drop();
    for (int32_t k = 0; k < symbol_count(); k++) {
        Symbol *symbol = symbol_at(k);
        if (symbol->subscribed) {
            symbol->resumes = true;
            symbol->lose = lose;
            symbol->repeat = repeat;
        }
        symbol->subscribed = symbol->adjusts = false;
        book_drop(symbol);
    }
}

/* ---- ticker ------------------------------------------------------------------------------------------------------- */
typedef struct Missed {
    Symbol *target;
    uint32_t from, until;
} Missed;

/* The trades made since the last one sent, without the first `lose`: a server that kept a backlog. */
static void catch_up(Symbol *target, const Symbol *source) {
    if (target->lose < 0 || settings()->source != SOURCE_GENERATOR) {
        target->cause = CAUSE_DROP;
        return;
    }
    int32_t session = sim_session_date(source->last.time_ms);
    if (!target->sent.number || sim_session_date(target->sent.time_ms) != session) return;
    int64_t missed = (int64_t)source->last.index - target->sent.index, lost = target->lose;
    if (lost > 0) target->cause = CAUSE_DROP;
    if (lost > missed) target->skip = lost - missed;
    uint32_t index = target->sent.index + 1 + (uint32_t)(lost < missed ? lost : missed);
    while (index <= source->last.index) {
        static Print prints[4096]; /* under the lock */
        int32_t second = generator_second_of(source, session, index);
        int32_t count = generator_second(source, session, second, prints, 4096);
        uint32_t first = count ? prints[0].index : index;
        if (!count || index - first >= (uint32_t)count) break;
        for (uint32_t k = index - first; k < (uint32_t)count && prints[k].index <= source->last.index; k++, index++) {
            trade_post(target, &prints[k], 0, target->cause);
            target->cause = CAUSE_NONE;
        }
    }
}

static void begin_flow(Symbol *target) {
    const Symbol *source = target->follows >= 0 ? symbol_at(target->follows) : target;
    post_asset_state(target);
    post_info(target);
    post_daily(target);
    post_tiny(target, BOOK_BUY);
    post_tiny(target, BOOK_SELL);
    if (source->last.number && settings()->source == SOURCE_GENERATOR) {
        trade_post(target, &source->last, PRINT_CACHED, CAUSE_CACHED);
        post_quote(target, &source->last);
    }
    if (target->resumes) {
        if (target->repeat) trade_repeat(target, target->repeat, CAUSE_DROP);
        catch_up(target, source);
        target->resumes = false;
    } else {
        target->cause = CAUSE_UNSUBSCRIBED;
    }
    target->subscribed = true;
    feed_settle();
}

void subscriptions_resume(void) {
    for (int32_t k = 0; k < symbol_count(); k++)
        if (symbol_at(k)->resumes && !symbol_at(k)->subscribed) begin_flow(symbol_at(k));
}

PROFIT_EXPORT int32_t PROFIT_CALL SubscribeTicker(PText ticker, PText exchange) {
    SIM_REQUEST("SubscribeTicker");
    if (!ticker || !exchange || !ticker[0]) return NL_INVALID_ARGS;
    sim_lock();
    Symbol *symbol;
    int32_t result = exchange[0] ? symbol_find(ticker, exchange, &symbol) : NL_EXCHANGE_UNKNOWN;
    if (connected() && result == NL_INVALID_TICKER) post_invalid(ticker, exchange);
    if (connected() && result == NL_OK && !symbol->subscribed) begin_flow(symbol);
    sim_unlock();
    return result == NL_INVALID_TICKER ? NL_OK : result; /* an unknown ticker is told later */
}

PROFIT_EXPORT int32_t PROFIT_CALL UnsubscribeTicker(PText ticker, PText exchange) {
    SIM_REQUEST("UnsubscribeTicker");
    sim_lock();
    Symbol *symbol;
    int32_t result = symbol_find(ticker, exchange, &symbol);
    if (result == NL_OK) symbol->subscribed = symbol->resumes = false;
    sim_unlock();
    return result == NL_INVALID_TICKER ? NL_OK : result;
}

/* ---- books -------------------------------------------------------------------------------------------------------- */
typedef enum BookKind { DEPTH, OFFERS, PRICES } BookKind;

static int32_t set_book(PText ticker, PText exchange, BookKind kind, bool wanted) {
    sim_lock();
    Symbol *symbol;
    int32_t result = symbol_find(ticker, exchange, &symbol);
    if (result == NL_OK && (connected() || !wanted)) {
        if (wanted) book_begin(symbol);
        Book *book = symbol->book;
        bool *flag = !book ? NULL : kind == DEPTH ? &book->depth : kind == OFFERS ? &book->offers_wanted
                                                                                  : &book->price_book;
        bool fresh = flag && wanted && !*flag;
        if (flag) *flag = wanted;
        if (fresh && kind == OFFERS) offers_full(symbol);
        if (fresh && kind == DEPTH) depth_full(symbol);
        if (fresh && kind == PRICES) price_book_full(symbol);
        server_wake();
    }
    sim_unlock();
    return result;
}

static int32_t set_depth(const TConnectorAssetIdentifier *asset, bool wanted) {
    if (!asset || !asset->Ticker) return NL_INVALID_ARGS;
    if (asset->Version > 0) {
        sim_version_error();
        return NL_VERSION_NOT_SUPPORTED;
    }
    int32_t result = set_book(asset->Ticker, asset->Exchange, DEPTH, wanted);
    if (result != NL_INVALID_TICKER) return result;
    if (wanted && connected()) post_invalid(asset->Ticker, asset->Exchange);
    return NL_OK;
}

PROFIT_EXPORT int32_t PROFIT_CALL SubscribePriceDepth(const TConnectorAssetIdentifier *asset) {
    SIM_REQUEST("SubscribePriceDepth");
    return set_depth(asset, true);
}

PROFIT_EXPORT int32_t PROFIT_CALL UnsubscribePriceDepth(const TConnectorAssetIdentifier *asset) {
    SIM_REQUEST("UnsubscribePriceDepth");
    return set_depth(asset, false);
}

PROFIT_EXPORT int32_t PROFIT_CALL SubscribeOfferBook(PText ticker, PText exchange) {
    SIM_REQUEST("SubscribeOfferBook");
    return set_book(ticker, exchange, OFFERS, true);
}

PROFIT_EXPORT int32_t PROFIT_CALL UnsubscribeOfferBook(PText ticker, PText exchange) {
    SIM_REQUEST("UnsubscribeOfferBook");
    return set_book(ticker, exchange, OFFERS, false);
}

PROFIT_EXPORT int32_t PROFIT_CALL SubscribePriceBook(PText ticker, PText exchange) {
    SIM_REQUEST("SubscribePriceBook");
    return set_book(ticker, exchange, PRICES, true);
}

PROFIT_EXPORT int32_t PROFIT_CALL UnsubscribePriceBook(PText ticker, PText exchange) {
    SIM_REQUEST("UnsubscribePriceBook");
    return set_book(ticker, exchange, PRICES, false);
}

/* ---- corporate actions, description, last close ------------------------------------------------------------------- */
static int32_t set_adjusts(PText ticker, PText exchange, bool wanted) {
    sim_lock();
    Symbol *symbol;
    int32_t result = symbol_find(ticker, exchange, &symbol);
    if (result == NL_OK) {
        if (wanted && connected() && !symbol->adjusts) post_adjusts(symbol);
        symbol->adjusts = wanted && connected();
    }
    sim_unlock();
    return result == NL_INVALID_TICKER ? NL_OK : result;
}

PROFIT_EXPORT int32_t PROFIT_CALL SubscribeAdjustHistory(PText ticker, PText exchange) {
    SIM_REQUEST("SubscribeAdjustHistory");
    return set_adjusts(ticker, exchange, true);
}

PROFIT_EXPORT int32_t PROFIT_CALL UnsubscribeAdjustHistory(PText ticker, PText exchange) {
    SIM_REQUEST("UnsubscribeAdjustHistory");
    return set_adjusts(ticker, exchange, false);
}

PROFIT_EXPORT int32_t PROFIT_CALL RequestTickerInfo(PText ticker, PText exchange) {
    SIM_REQUEST("RequestTickerInfo");
    sim_lock();
    Symbol *symbol;
    int32_t result = symbol_find(ticker, exchange, &symbol);
    if (connected() && result == NL_OK) post_info(symbol);
    if (connected() && result == NL_INVALID_TICKER) post_invalid(ticker, exchange);
    sim_unlock();
    return result == NL_INVALID_TICKER ? NL_OK : result;
}

/* Gone from the current releases; programs for older ones do not start without it. */
PROFIT_EXPORT int32_t PROFIT_CALL GetAllTicker(PText exchange) {
    SIM_REQUEST("GetAllTicker");
    Symbol *symbol;
    sim_lock();
    int32_t result = exchange && exchange[0] ? symbol_find(u"?", exchange, &symbol) : NL_INVALID_ARGS;
    bool wanted = connected() && result == NL_INVALID_TICKER; /* the exchange at least is one */
    for (int32_t k = 0; wanted && k < symbol_count(); k++)
        if ((symbol = symbol_at(k))->exchange[0] == exchange[0]) post_info(symbol);
    sim_unlock();
    return result == NL_INVALID_TICKER ? NL_OK : result;
}

PROFIT_EXPORT int32_t PROFIT_CALL GetLastDailyClose(PText ticker, PText exchange, double *close, int32_t adjusted) {
    SIM_REQUEST("GetLastDailyClose");
    if (!ticker || !close) return NL_INVALID_ARGS;
    sim_lock();
    Symbol *symbol;
    int32_t result = symbol_find(ticker, exchange, &symbol);
    if (result == NL_INVALID_TICKER || (result == NL_OK && !symbol->subscribed)) result = NL_INVALID_ARGS;
    if (result == NL_OK && !symbol->close_asked) {
        symbol->close_asked = true;
        post_progress(symbol, 0);
        post_adjusts(symbol);
        post_progress(symbol, 100);
        result = NL_WAITING_SERVER;
    } else if (result == NL_OK) {
        const Symbol *source = symbol->follows >= 0 ? symbol_at(symbol->follows) : symbol;
        *close = source->previous_close * (adjusted ? adjusts_factor(symbol) : 1);
    }
    sim_unlock();
    return result;
}
