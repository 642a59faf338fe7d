/* The offer book and the legacy price book on their way to the client, and the arrays that the client must release. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "market.h"

enum { PAGE = 40 };

/* ---- arrays -------------------------------------------------------------------------------------------------------- */
typedef struct Array {
    void *memory;
    size_t size;
} Array;

static struct {
    Array *known;
    size_t count, room;
} arrays;

void *array_allocate(size_t size) {
    void *memory = malloc(size);
    if (!memory) abort();
    sim_lock();
    if (arrays.count == arrays.room) {
        arrays.room = arrays.room ? arrays.room * 2 : 64;
        arrays.known = realloc(arrays.known, arrays.room * sizeof *arrays.known);
        if (!arrays.known) abort();
    }
    arrays.known[arrays.count++] = (Array){memory, size};
    sim_counters()->arrays_outstanding++;
    sim_counters()->arrays_allocated++;
    sim_unlock();
    return memory;
}

PROFIT_EXPORT int32_t PROFIT_CALL FreePointer(void *pointer, int32_t size) {
    SIM_ACCESSOR("FreePointer");
    int32_t result = NL_INVALID_ARGS;
    sim_lock();
    SimCountersTable *counters = sim_counters();
    size_t at = 0;
    while (at < arrays.count && arrays.known[at].memory != pointer) at++;
    if (at == arrays.count) {
        counters->double_frees++;
    } else if (arrays.known[at].size != (size_t)size) {
        counters->wrong_sizes++;
    } else {
        memset(pointer, 0xDB, (size_t)size);
        free(pointer);
        arrays.known[at] = arrays.known[--arrays.count];
        counters->arrays_outstanding--;
        result = NL_OK;
    }
    sim_unlock();
    return result;
}

void arrays_report(void) {
    const SimCountersTable *counters = sim_counters();
    if (counters->arrays_outstanding || counters->double_frees || counters->wrong_sizes)
        fprintf(stderr, "ProfitDLL simulator: %lld arrays not released, %lld released twice, %lld with a wrong size\n",
                (long long)counters->arrays_outstanding, (long long)counters->double_frees,
                (long long)counters->wrong_sizes);
}

/* ---- offers ------------------------------------------------------------------------------------------------------- */
typedef struct OfferEvent {
    Symbol *symbol; /* first: see depth_dropped */
    char16_t ticker[EVENT_TICKER];
    char16_t exchange[2];
    int32_t position;
    double price;
    int64_t quantity, id;
    int32_t agent;
    uint8_t action, side, dated;
} OfferEvent;
_Static_assert(sizeof(OfferEvent) <= 128, "a change of the offer book fits into a slot of the queue");

typedef struct OffersEvent {
    OfferEvent at;
    Offer offer[2][MAX_OFFERS];
    int32_t offers[2];
    bool apart; /* one side per event */
    int64_t time_ms;
} OffersEvent;

static OfferEvent event_of(Symbol *symbol, int32_t action) {
    OfferEvent event = {.symbol = symbol, .exchange = {symbol->exchange[0], 0}, .action = (uint8_t)action};
    memcpy(event.ticker, symbol->ticker, sizeof event.ticker);
    return event;
}

/* What an absent date points at: plainly no date, and as much room as careless clients read without looking. */
static const char16_t stale_date[64] = {0xDBDB, 0xDBDB, 0xDBDB};

static void call_both(const OfferEvent *event, void *sell, void *buy, void *sell_v1, void *buy_v1) {
    TAssetIDRec asset = asset_record(event->ticker, event->exchange);
    bool add = event->action == BOOK_ADD, edit = event->action == BOOK_EDIT;
    char16_t date[SIM_DATE];
    PText shown = stale_date;
    if (event->dated) sim_date_text(sim_now(), date), shown = date;
    char16_t priced = add, counted = add || edit, named = add || edit, dated = event->dated;
    TOfferBookCallbackV2 call = SIM_CALLBACK(offer_book_v2);
    if (call)
        call(asset, event->action, event->position, event->side, event->quantity, event->agent, event->id,
             event->price, priced, counted, dated, named, add, shown, sell, buy);
    TOfferBookCallback legacy = SIM_CALLBACK(offer_book);
    if (legacy)
        legacy(asset, event->action, event->position, event->side, (int32_t)event->quantity, event->agent, event->id,
               event->price, priced, counted, dated, named, add, shown, sell_v1, buy_v1);
}

static void deliver_offer(void *payload) { call_both(payload, NULL, NULL, NULL, NULL); }

void offers_event(Symbol *symbol, int32_t action, int32_t position, int32_t side, int64_t quantity,
                  const Offer *offer) {
    if (!symbol->book->offers_wanted) return;
    OfferEvent event = event_of(symbol, action);
    event.position = position, event.side = (uint8_t)side, event.quantity = quantity;
    event.id = offer->id, event.agent = offer->agent, event.price = offer_price(symbol, offer);
    event.dated = action == BOOK_ADD && sim_random(&symbol->book->random) % 12 == 0; /* 3 % of all changes */
    sim_post(SIM_OFFER, deliver_offer, &event, sizeof event);
}

static void write_date(char into[23], int64_t ms) {
    char16_t text[SIM_DATE];
    sim_date_text(ms, text);
    for (int k = 0; k < 23; k++) into[k] = (char)text[k];
}

/* Entries [from, until) of the list from worst to best, packed; null when there are none. */
static void *page_of(const OffersEvent *event, int32_t side, int32_t from, bool v2) {
    int32_t all = event->offers[side], until = from + PAGE < all ? from + PAGE : all, count = until - from;
    if (count <= 0) return NULL;
    size_t entry = v2 ? sizeof(TOfferEntryV2) : sizeof(TOfferEntryV1), size = 12 + entry * (size_t)count;
    unsigned char *array = array_allocate(size), *at = array + 8;
    TOfferHeader header = {count, (int32_t)size};
    memcpy(array, &header, sizeof header);
    for (int32_t k = from; k < until; k++, at += entry) {
        const Offer *offer = &event->offer[side][all - 1 - k];
        TOfferEntryV2 two = {offer_price(event->at.symbol, offer), offer->quantity, offer->agent, offer->id, 23, {0}};
        write_date(two.Date, event->time_ms);
        TOfferEntryV1 one = {two.Price, (int32_t)two.Quantity, two.Agent, two.OfferID, 23, {0}};
        memcpy(one.Date, two.Date, 23);
        memcpy(at, v2 ? (void *)&two : (void *)&one, entry);
    }
    uint32_t flags = (from == 0 ? OB_FIRST_PACKET : 0u) | (until == all ? OB_LAST_PACKET : 0u);
    memcpy(at, &flags, sizeof flags);
    return array;
}

static void tell_page(const OffersEvent *event, int32_t from, bool sells, bool buys) {
    bool v2 = SIM_CALLBACK(offer_book_v2) != NULL, v1 = SIM_CALLBACK(offer_book) != NULL;
    call_both(&event->at, v2 && sells ? page_of(event, BOOK_SELL, from, true) : NULL,
              v2 && buys ? page_of(event, BOOK_BUY, from, true) : NULL,
              v1 && sells ? page_of(event, BOOK_SELL, from, false) : NULL,
              v1 && buys ? page_of(event, BOOK_BUY, from, false) : NULL);
}

static void deliver_offers(void *payload) {
    const OffersEvent *event = payload;
    int32_t most = event->offers[0] > event->offers[1] ? event->offers[0] : event->offers[1];
    for (int32_t from = 0; !event->apart && from < most; from += PAGE) tell_page(event, from, true, true);
    for (int32_t side = 0; event->apart && side < 2; side++)
        for (int32_t from = 0; from < event->offers[side]; from += PAGE)
            tell_page(event, from, side == BOOK_SELL, side == BOOK_BUY);
}

void offers_full(Symbol *symbol) {
    OffersEvent *event = calloc(1, sizeof *event);
    if (!event) abort();
    event->at = event_of(symbol, BOOK_FULL);
    memcpy(event->offer, symbol->book->offer, sizeof event->offer);
    memcpy(event->offers, symbol->book->offers, sizeof event->offers);
    event->apart = sim_random(&symbol->book->random) & 1;
    event->time_ms = sim_now();
    sim_post(SIM_OFFER, deliver_offers, event, sizeof *event);
    free(event);
}

/* ---- the legacy price book ------------------------------------------------------------------------------------------ */
typedef struct PriceEvent {
    Symbol *symbol; /* first: see depth_dropped */
    char16_t ticker[EVENT_TICKER];
    char16_t exchange[2];
    int32_t action, position, side;
    Level level;
} PriceEvent;

typedef struct PricesEvent {
    PriceEvent at;
    Level level[2][MAX_LEVELS];
    int32_t levels[2];
} PricesEvent;

static PriceEvent price_event(Symbol *symbol, int32_t action) {
    PriceEvent event = {.symbol = symbol, .exchange = {symbol->exchange[0], 0}, .action = action};
    memcpy(event.ticker, symbol->ticker, sizeof event.ticker);
    return event;
}

static void call_prices(const PriceEvent *event, void *sell, void *buy, void *sell_v2, void *buy_v2) {
    TAssetIDRec asset = asset_record(event->ticker, event->exchange);
    const Level *level = &event->level;
    TPriceBookCallback call = SIM_CALLBACK(price_book);
    if (call)
        call(asset, event->action, event->position, event->side, (int32_t)level->quantity, (int32_t)level->count,
             level->price, sell, buy);
    TPriceBookCallbackV2 call_v2 = SIM_CALLBACK(price_book_v2);
    if (call_v2)
        call_v2(asset, event->action, event->position, event->side, level->quantity, (int32_t)level->count,
                level->price, sell_v2, buy_v2);
}

static void deliver_price(void *payload) { call_prices(payload, NULL, NULL, NULL, NULL); }

void price_book_event(Symbol *symbol, int32_t action, int32_t position, int32_t side, const Level *level) {
    PriceEvent event = price_event(symbol, action);
    event.position = position, event.side = side, event.level = *level;
    sim_post(SIM_PRICE_BOOK, deliver_price, &event, sizeof event);
}

static void *prices_of(const PricesEvent *event, int32_t side, bool v2) {
    int32_t count = event->levels[side];
    size_t entry = v2 ? sizeof(TPriceEntryV2) : sizeof(TPriceEntryV1), size = 8 + entry * (size_t)count;
    unsigned char *array = array_allocate(size);
    TOfferHeader header = {count, (int32_t)size};
    memcpy(array, &header, sizeof header);
    for (int32_t k = 0; k < count; k++) {
        const Level *level = &event->level[side][count - 1 - k];
        TPriceEntryV1 one = {level->price, (int32_t)level->quantity, (int32_t)level->count};
        TPriceEntryV2 two = {level->price, level->quantity, level->count};
        memcpy(array + 8 + entry * (size_t)k, v2 ? (void *)&two : (void *)&one, entry);
    }
    return array;
}

static void deliver_prices(void *payload) {
    const PricesEvent *event = payload;
    bool v1 = SIM_CALLBACK(price_book) != NULL, v2 = SIM_CALLBACK(price_book_v2) != NULL;
    call_prices(&event->at, v1 ? prices_of(event, BOOK_SELL, false) : NULL,
                v1 ? prices_of(event, BOOK_BUY, false) : NULL, v2 ? prices_of(event, BOOK_SELL, true) : NULL,
                v2 ? prices_of(event, BOOK_BUY, true) : NULL);
}

void price_book_full(Symbol *symbol) {
    PricesEvent *event = calloc(1, sizeof *event);
    if (!event) abort();
    Book *book = symbol->book;
    event->at = price_event(symbol, BOOK_FULL);
    for (int32_t side = 0; side < 2; side++) {
        event->levels[side] = book_levels(symbol, side, event->level[side]);
        memcpy(book->posted[side], event->level[side], sizeof book->posted[side]);
        book->posted_levels[side] = event->levels[side];
    }
    sim_post(SIM_PRICE_BOOK, deliver_prices, event, sizeof *event);
    free(event);
}
