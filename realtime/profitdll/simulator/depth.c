/* The aggregated book as the client sees it: changes travel as events and are applied when they are delivered, so that
 * an accessor called inside the callback answers for exactly that event. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "market.h"

typedef struct DepthEvent {
    Symbol *symbol; /* first: see depth_dropped */
    char16_t ticker[EVENT_TICKER];
    char16_t exchange[2];
    int32_t position;
    uint8_t side, update;
    Level level;
} DepthEvent;

typedef struct FullEvent {
    DepthEvent at;
    Level level[2][MAX_LEVELS];
    int32_t levels[2];
} FullEvent;

static DepthEvent event_of(Symbol *symbol, int32_t update, int32_t side, int32_t position) {
    DepthEvent event = {.symbol = symbol, .exchange = {symbol->exchange[0], 0}, .position = position,
                        .side = (uint8_t)side, .update = (uint8_t)update};
    memcpy(event.ticker, symbol->ticker, sizeof event.ticker);
    return event;
}

static void apply(Level *levels, int32_t *count, const DepthEvent *event) {
    int32_t at = event->position;
    if (event->update == DEPTH_INSERT && at <= *count && *count < MAX_LEVELS) {
        memmove(&levels[at + 1], &levels[at], (size_t)(*count - at) * sizeof *levels);
        levels[at] = event->level;
        ++*count;
    } else if (event->update == DEPTH_EDIT && at < *count) {
        levels[at] = event->level;
    } else if (event->update == DEPTH_DELETE && at < *count) {
        --*count;
        memmove(&levels[at], &levels[at + 1], (size_t)(*count - at) * sizeof *levels);
    } else if (event->update == DEPTH_DELETE_FROM && at < *count) {
        *count = at;
    }
}

static void tell(DepthEvent *event) {
    TPriceDepthCallback call = SIM_CALLBACK(price_depth);
    if (call)
        call(asset_identifier(event->ticker, event->exchange), event->side, event->position, event->update);
}

static void deliver_depth(void *payload) {
    DepthEvent *event = payload;
    sim_lock();
    Book *book = event->symbol->book;
    if (event->side < 2) apply(book->seen[event->side], &book->levels[event->side], event);
    sim_unlock();
    tell(event);
}

static void deliver_full(void *payload) {
    FullEvent *event = payload;
    sim_lock();
    Book *book = event->at.symbol->book;
    memcpy(book->seen, event->level, sizeof book->seen);
    memcpy(book->levels, event->levels, sizeof book->levels);
    sim_unlock();
    tell(&event->at);
}

void depth_dropped(void *payload) { (*(Symbol **)payload)->book->stale = true; }

static void post(Symbol *symbol, int32_t update, int32_t side, int32_t position, const Level *level) {
    DepthEvent event = event_of(symbol, update, side, position);
    if (level) event.level = *level;
    sim_post(SIM_DEPTH, deliver_depth, &event, sizeof event);
}

static void take_levels(Symbol *symbol) {
    Book *book = symbol->book;
    for (int32_t side = 0; side < 2; side++) book->posted_levels[side] = book_levels(symbol, side, book->posted[side]);
}

void depth_full(Symbol *symbol) {
    FullEvent *event = calloc(1, sizeof *event);
    if (!event) abort();
    take_levels(symbol);
    event->at = event_of(symbol, DEPTH_FULL, BOOK_BOTH, 0);
    memcpy(event->level, symbol->book->posted, sizeof event->level);
    memcpy(event->levels, symbol->book->posted_levels, sizeof event->levels);
    sim_post(SIM_DEPTH, deliver_full, event, sizeof *event);
    free(event);
}

void depth_theoretical(Symbol *symbol) {
    symbol->book->theoretical = true;
    if (symbol->book->depth) post(symbol, DEPTH_THEORETICAL, BOOK_BOTH, 0, NULL);
}

/* One change towards `wanted`; the legacy price book hears of it with its own names. */
static void change(Symbol *symbol, int32_t side, int32_t update, int32_t at, const Level *level) {
    Book *book = symbol->book;
    DepthEvent event = event_of(symbol, update, side, at);
    if (level) event.level = *level;
    if (book->price_book && update == DEPTH_DELETE_FROM) {
        for (int32_t k = book->posted_levels[side] - 1; k >= at; k--)
            price_book_event(symbol, BOOK_DELETE, k, side, &book->posted[side][k]);
    } else if (book->price_book) {
        int32_t action = update == DEPTH_INSERT ? BOOK_ADD : update == DEPTH_EDIT ? BOOK_EDIT : BOOK_DELETE;
        price_book_event(symbol, action, at, side, level ? level : &book->posted[side][at]);
    }
    apply(book->posted[side], &book->posted_levels[side], &event);
    if (book->depth) sim_post(SIM_DEPTH, deliver_depth, &event, sizeof event);
}

static void change_side(Symbol *symbol, int32_t side, const Level *wanted, int32_t count) {
    Book *book = symbol->book;
    const Level *now = book->posted[side];
    for (int32_t at = 0; at < count;) {
        bool end = at >= book->posted_levels[side];
        bool worse = !end && (side == BOOK_BUY ? now[at].price < wanted[at].price : now[at].price > wanted[at].price);
        if (!end && now[at].price != wanted[at].price && !worse) {
            change(symbol, side, DEPTH_DELETE, at, NULL);
            continue;
        }
        if ((end || worse) && book->posted_levels[side] == MAX_LEVELS)
            change(symbol, side, DEPTH_DELETE, MAX_LEVELS - 1, NULL);
        if (end || worse)
            change(symbol, side, DEPTH_INSERT, at, &wanted[at]);
        else if (now[at].quantity != wanted[at].quantity || now[at].count != wanted[at].count)
            change(symbol, side, DEPTH_EDIT, at, &wanted[at]);
        at++;
    }
    if (book->posted_levels[side] > count) change(symbol, side, DEPTH_DELETE_FROM, count, NULL);
}

static bool differs(const Book *book, int32_t side, const Level *wanted, int32_t count) {
    if (count != book->posted_levels[side]) return true;
    for (int32_t k = 0; k < count; k++) {
        const Level *known = &book->posted[side][k];
        if (known->price != wanted[k].price || known->quantity != wanted[k].quantity || known->count != wanted[k].count)
            return true;
    }
    return false;
}

void depth_changes(Symbol *symbol) {
    Book *book = symbol->book;
    if (!book->depth && !book->price_book) return;
    Level wanted[2][MAX_LEVELS];
    int32_t count[2];
    bool any = false;
    for (int32_t side = 0; side < 2; side++) {
        count[side] = book_levels(symbol, side, wanted[side]);
        any = any || differs(book, side, wanted[side], count[side]);
    }
    if (!any) return;
    if (book->depth) post(symbol, DEPTH_PREPARE, BOOK_BOTH, 0, NULL);
    for (int32_t side = 0; side < 2; side++) change_side(symbol, side, wanted[side], count[side]);
    if (book->depth) post(symbol, DEPTH_FLUSH, BOOK_BOTH, 0, NULL);
}

/* ---- accessors: legal inside callbacks ------------------------------------------------------------------------------ */
static int32_t book_of(const TConnectorAssetIdentifier *asset, Symbol **symbol) {
    if (!asset || !asset->Ticker) return NL_INVALID_ARGS;
    if (asset->Version > 0) {
        sim_version_error();
        return NL_VERSION_NOT_SUPPORTED;
    }
    int32_t result = symbol_find(asset->Ticker, asset->Exchange, symbol);
    if (result == NL_EXCHANGE_UNKNOWN) return result;
    return result == NL_OK && (*symbol)->book && (*symbol)->book->depth ? NL_OK : NL_NOT_FOUND;
}

PROFIT_EXPORT int32_t PROFIT_CALL GetPriceDepthSideCount(const TConnectorAssetIdentifier *asset, uint8_t side) {
    SIM_ACCESSOR("GetPriceDepthSideCount");
    if (side > BOOK_SELL) return NL_INVALID_ARGS;
    sim_lock();
    Symbol *symbol;
    int32_t result = book_of(asset, &symbol);
    if (result == NL_OK) result = symbol->book->levels[side] + (symbol->book->theoretical ? 1 : 0);
    sim_unlock();
    return result;
}

static int32_t group_at(const Symbol *symbol, int32_t side, int32_t position, TConnectorPriceGroup *group) {
    const Book *book = symbol->book;
    int32_t auction = book->theoretical ? 1 : 0; /* the theoretical group stands first */
    if (position < 0 || position - auction >= book->levels[side]) return NL_OUT_OF_RANGE;
    memset(&group->Version + 1, 0, sizeof *group - 1); /* padding too: some bindings read Count as 64 bits */
    if (position < auction) {
        group->Price = -INFINITY;
        group->Quantity = book->theoretical_quantity;
        group->PriceGroupFlags = PG_THEORETICAL;
        return NL_OK;
    }
    const Level *level = &book->seen[side][position - auction];
    group->Price = level->price, group->Quantity = level->quantity, group->Count = level->count;
    return NL_OK;
}

PROFIT_EXPORT int32_t PROFIT_CALL GetPriceGroup(const TConnectorAssetIdentifier *asset, uint8_t side,
                                                int32_t position, TConnectorPriceGroup *group) {
    SIM_ACCESSOR("GetPriceGroup");
    if (side > BOOK_SELL || !group) return NL_INVALID_ARGS;
    if (group->Version > 0) {
        sim_version_error();
        return NL_VERSION_NOT_SUPPORTED;
    }
    sim_lock();
    Symbol *symbol;
    int32_t result = book_of(asset, &symbol);
    if (result == NL_OK) result = group_at(symbol, side, position, group);
    sim_unlock();
    return result;
}

PROFIT_EXPORT int32_t PROFIT_CALL GetTheoreticalValues(const TConnectorAssetIdentifier *asset, double *price,
                                                       int64_t *quantity) {
    SIM_ACCESSOR("GetTheoreticalValues");
    if (!price || !quantity) return NL_INVALID_ARGS;
    sim_lock();
    Symbol *symbol;
    int32_t result = book_of(asset, &symbol);
    if (result == NL_OK) *price = symbol->book->theoretical_price, *quantity = symbol->book->theoretical_quantity;
    sim_unlock();
    return result;
}
