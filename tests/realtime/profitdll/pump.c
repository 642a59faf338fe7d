/* A pump with ProfitDLL's interface, for tests and benchmarks of what is called back: trades as fast as a thread can,
 * one event of each kind with known values, and the same ring as the C# side's, written in C. Not the simulator. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "profitdll.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define X PROFIT_EXPORT

static int64_t nanoseconds(clockid_t clock) {
    struct timespec t;
    clock_gettime(clock, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}
static inline int64_t now(void) { return nanoseconds(CLOCK_MONOTONIC); }

/* ---- callbacks as they were given ---------------------------------------------------------------------------- */
static TStateCallback state;
static TAccountCallback account;
static TDailyCallback daily;
static TProgressCallback progress;
static TTinyBookCallback tiny;
static _Atomic(TTradeCallbackV2) trade;
#define SETTER(name, type, place) \
    static type place;            \
    X int32_t name(type callback) { place = callback; return NL_OK; }
SETTER(SetHealthCallback, THealthCallback, health)
SETTER(SetBrokerAccountListChangedCallback, TBrokerAccountListChangedCallback, accounts_changed)
SETTER(SetBrokerSubAccountListChangedCallback, TBrokerSubAccountListChangedCallback, sub_accounts_changed)
SETTER(SetHistoryTradeCallbackV2, THistoryTradeCallbackV2, history)
SETTER(SetPriceDepthCallback, TPriceDepthCallback, depth)
SETTER(SetOfferBookCallbackV2, TOfferBookCallbackV2, offers)
SETTER(SetTheoreticalPriceCallback, TTheoreticalPriceCallback, theoretical)
SETTER(SetChangeCotationCallback, TChangeCotationCallback, quotation)
SETTER(SetChangeStateTickerCallback, TChangeStateTickerCallback, asset_state)
SETTER(SetInvalidTickerCallback, TInvalidTickerCallback, invalid)
SETTER(SetAssetListCallback, TAssetListCallback, asset_list)
SETTER(SetAssetListInfoCallbackV2, TAssetListInfoCallbackV2, asset_info)
SETTER(SetOrderCallback, TOrderCallback, order)
SETTER(SetOrderHistoryCallback, TOrderHistoryCallback, order_history)
SETTER(SetAssetPositionListCallback, TAssetPositionListCallback, positions)
SETTER(SetTradingMessageResultCallback, TTradingMessageResultCallback, message)
/* SetAdjustHistoryCallbackV2 is absent on purpose: an old build. */
X int32_t SetTradeCallbackV2(TTradeCallbackV2 callback) { atomic_store(&trade, callback); return NL_OK; }

X int32_t DLLInitializeLogin(PText key, PText user, PText password, TStateCallback on_state, THistoryCallback a,
                             TOrderChangeCallback b, TAccountCallback on_account, TNewTradeCallback c,
                             TDailyCallback on_daily, TPriceBookCallback d, TOfferBookCallback e,
                             THistoryTradeCallback f, TProgressCallback on_progress, TTinyBookCallback on_tiny) {
    if (!key || !user || !password || a || b || c || d || e || f) return NL_INVALID_ARGS;
    state = on_state, account = on_account, daily = on_daily, progress = on_progress, tiny = on_tiny;
    return key[0] == u'!' ? NL_NO_LICENSE : NL_OK;
}
X int32_t DLLInitializeMarketLogin(PText key, PText user, PText password, TStateCallback on_state, TNewTradeCallback c,
                                   TDailyCallback on_daily, TPriceBookCallback d, TOfferBookCallback e,
                                   THistoryTradeCallback f, TProgressCallback on_progress, TTinyBookCallback on_tiny) {
    return DLLInitializeLogin(key, user, password, on_state, 0, 0, 0, c, on_daily, d, e, f, on_progress, on_tiny);
}
static _Atomic int finalized;
X int32_t DLLFinalize(void) { finalized++; return NL_OK; }
X int32_t PumpFinalized(void) { return finalized; }

/* ---- trades ---------------------------------------------------------------------------------------------------- */
typedef struct Raw {
    int64_t number;
    double price;
    int64_t quantity;
    int32_t buyer, seller;
    TSystemTime at;
} Raw;
static const char16_t *TICKERS[] = {u"WINZ26", u"WDOZ26", u"PETR4", u"VALE3", u"ITUB4", u"PETRK320", u"BBDC4", u"B3SA3"};
static const char16_t *EXCHANGES[] = {u"F", u"F", u"B", u"B", u"B", u"B", u"B", u"B"};

X int32_t TranslateTrade(const void *handle, TConnectorTrade *out) {
    const Raw *raw = handle;
    if (!raw || !out || raw->number == 13000013) return NL_INVALID_ARGS;
    if (out->Version) return NL_VERSION_NOT_SUPPORTED;
    out->TradeDate = raw->at;
    out->TradeNumber = (uint32_t)raw->number;
    out->Price = raw->price;
    out->Quantity = raw->quantity;
    out->Volume = raw->price * (double)raw->quantity;
    out->BuyAgent = raw->buyer;
    out->SellAgent = raw->seller;
    out->TradeType = raw->number & 1 ? TRADE_AGGRESSOR_BUY : TRADE_AGGRESSOR_SELL;
    return NL_OK;
}

static pthread_t pump;
static _Atomic int stop;
static int64_t count, interval, elapsed, worked, first_number;
static uint32_t *took;
static int timed;

static _Atomic int64_t *tail;
/* From now on a trade comes only when the reader has taken the one before; NULL: no more. */
X void PumpFollow(void *reader) { tail = reader; }

static void *run(void *unused) {
    (void)unused;
    char16_t names[8][16], exchanges[8][4];
    for (int i = 0; i < 8; i++) {
        for (int k = 0; k < 16 && (k == 0 || names[i][k - 1]); k++) names[i][k] = TICKERS[i][k];
        memcpy(exchanges[i], EXCHANGES[i], 4);
    }
    int64_t taken = tail ? *tail : 0;
    Raw raw = {0, 0, 0, 0, 0, {2026, 11, 5, 20, 10, 0, 0, 0}};
    int64_t start = now(), next = start, work = nanoseconds(CLOCK_THREAD_CPUTIME_ID);
    for (int64_t i = 0; i < count && !stop; i++) {
        if (interval) {
            next += interval;
            while (now() < next) {
                struct timespec until = {next / 1000000000LL, next % 1000000000LL};
                clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
            }
        }
        while (tail && *tail < taken + i && !stop) continue;
        raw.number = first_number + i;
        raw.price = 100.0 + (double)(i % 1000) * 0.5;
        raw.quantity = 1 + i % 50;
        raw.buyer = (int32_t)(i % 300), raw.seller = (int32_t)(i % 177);
        raw.at.Minute = (uint16_t)(i / 1000000 % 60), raw.at.Milliseconds = (uint16_t)(i / 1000 % 1000);
        int k = (int)(i & 7);
        TConnectorAssetIdentifier asset = {0, names[k], exchanges[k], 0};
        if (timed) {
            int64_t from = now();
            trade(asset, &raw, 0);
            int64_t took_now = now() - from;
            took[i] = took_now > 4000000000LL ? 4000000000U : (uint32_t)took_now;
        } else {
            trade(asset, &raw, 0);
        }
    }
    elapsed = now() - start, worked = nanoseconds(CLOCK_THREAD_CPUTIME_ID) - work;
    return NULL;
}

/* Trades from number `first`, every `nanoseconds` (0: at once); `with_times` keeps what each call took. */
X int32_t PumpStart(int64_t trades, int64_t nanoseconds, int64_t first, int32_t with_times) {
    free(took);
    took = NULL;
    if (with_times) memset(took = malloc((size_t)trades * 4), 0xFF, (size_t)trades * 4);
    count = trades, interval = nanoseconds, first_number = first, timed = with_times, stop = 0;
    return pthread_create(&pump, NULL, run, NULL);
}
X int64_t PumpJoin(void) { pthread_join(pump, NULL); return elapsed; }
X int64_t PumpWorked(void) { return worked; } /* the thread's own time, without what others took from it */
X void PumpStop(void) { stop = 1; }
X uint32_t *PumpTook(void) { return took; }
X int64_t PumpNow(void) { return now(); }

/* ---- the books behind the accessors ----------------------------------------------------------------------------- */
X int32_t GetPriceDepthSideCount(const TConnectorAssetIdentifier *asset, uint8_t side) {
    return asset->Ticker[0] == u'N' ? NL_NOT_FOUND : side == 0 ? 25 : side == 1 ? 0 : NL_INVALID_ARGS;
}
X int32_t GetPriceGroup(const TConnectorAssetIdentifier *asset, uint8_t side, int32_t position, TConnectorPriceGroup *out) {
    (void)asset;
    if (out->Version) return NL_VERSION_NOT_SUPPORTED;
    if (side > 1) return NL_INVALID_ARGS;
    if (position < 0 || position >= 25) return NL_OUT_OF_RANGE;
    out->Price = 1000.0 - position;
    out->Count = 3 + (uint32_t)position;
    out->Quantity = 5000000000LL + position;
    out->PriceGroupFlags = position == 7 ? PG_THEORETICAL : 0;
    return NL_OK;
}
X int32_t GetTheoreticalValues(const TConnectorAssetIdentifier *asset, double *price, int64_t *quantity) {
    (void)asset;
    *price = 123.5, *quantity = 6000000000LL;
    return NL_OK;
}
static _Atomic int pages, wrong_releases;
X int32_t FreePointer(void *pointer, int32_t size) {
    if (((TOfferHeader *)pointer)->TotalSize != size) wrong_releases++;
    free(pointer);
    pages--;
    return NL_OK;
}
X int32_t PumpPages(void) { return pages * 1000 + wrong_releases; }

static void *page(int entries, uint32_t flags, int size_error) {
    int32_t size = 53 * entries + 12;
    char *made = malloc((size_t)size);
    ((TOfferHeader *)made)->Count = entries;
    ((TOfferHeader *)made)->TotalSize = size + size_error;
    TOfferEntryV2 *entry = (TOfferEntryV2 *)(made + 8);
    for (int i = 0; i < entries; i++) {
        entry[i].Price = 99.0 + i, entry[i].Quantity = 7000000000LL + i, entry[i].Agent = 40 + i;
        entry[i].OfferID = 8000000000LL + i, entry[i].DateLength = i ? 23 : 0;
        memcpy(entry[i].Date, "05/11/2026 10:11:12.345", 23);
    }
    memcpy(made + 8 + 53 * entries, &flags, 4);
    pages++;
    return made;
}

/* ---- one event of a kind, from a thread of its own, its texts overwritten afterwards ------------------------------ */
static char16_t text[12][64];
static PText T(int at, const char16_t *value) {
    int i = 0;
    for (; value[i]; i++) text[at][i] = value[i];
    text[at][i] = 0;
    return text[at];
}
static int fired;
static void *fire(void *unused) {
    (void)unused;
    TAssetIDRec legacy = {T(0, u"PETR4"), T(1, u"B"), 0};
    TConnectorAssetIdentifier asset = {0, text[0], text[1], 0};
    TConnectorAccountIdentifier who = {0, 1003, T(2, u"00123"), T(3, u"7"), 0};
    PText date = T(4, u"05/11/2026 10:11:12.345");
    Raw raw = {21, 34.5, 200, 3, 8, {2026, 11, 4, 5, 10, 11, 12, 345}};
    TConnectorTradingMessageResult result = {0, 1003, {0, 55, T(5, u"CL-55")}, 9000000000LL, 24, T(6, u"Bloqueada: ação"), 15};
    switch (fired) {
    case 0: state(2, 4); break;
    case 1: health(1); break;
    case 2: account(1003, T(5, u"Corretora"), text[2], T(6, u"José")); break;
    case 3: accounts_changed(1003, 1); break;
    case 4: sub_accounts_changed(who); break;
    case 5: trade(asset, &raw, 1); break;
    case 6: history(asset, &raw, 2); break;
    case 7: progress(legacy, 99); break;
    case 8: daily(legacy, date, 1.5, 2.5, 3.5, 4.5, 5.5, 6.5, 7.5, 8.5, 9.5, 10.5, 11, 12, 13, 14, 15, 16, 17); break;
    case 9: tiny(legacy, 34.25, 300, 1); break;
    case 10: depth(asset, 1, 2, DEPTH_EDIT); break;
    case 11: depth(asset, 0, 99, DEPTH_INSERT); break;
    case 12: depth(asset, 0, 0, DEPTH_FULL); break;
    case 13: depth(asset, 0, 0, DEPTH_THEORETICAL); break;
    case 14: depth(asset, 1, 3, DEPTH_DELETE_FROM); break;
    case 15: offers(legacy, 1, 4, 0, -70, 88, 4000000000LL, 34.75, 0xFF01, 0xAA01, 0xAA00, 0x1200, 1, (PText)1, 0, 0); break;
    case 16: offers(legacy, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, (PText)1, page(0, 3, 0), page(3, 2, 0)); break;
    case 17: offers(legacy, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, (PText)1, page(2, 3, 5), 0); break;
    case 18: theoretical(legacy, 33.5, 5000000000LL); break;
    case 19: quotation(legacy, T(4, u"05/11/2026 10:11:12:345"), 4000000000U, 34.0); break;
    case 20: asset_state(legacy, date, 13); break;
    case 21: invalid(asset); break;
    case 22: asset_list(legacy, T(5, u"PETROBRAS PN")); break;
    case 23: asset_info(legacy, T(5, u"PETROBRAS"), T(6, u"Petróleo"), 1, 5000000000LL, 100, 15, 26, 0.01, 1.0,
                        T(7, u"31/12/2026"), T(8, u"BRPETRACNPR6"), T(9, u"a"), T(10, u"b"), T(11, u"c")); break;
    case 24: { TConnectorOrderIdentifier id = {0, 5000000055LL, T(5, u"CL-55")}; order(id); break; }
    case 25: order_history(who); break;
    case 26: positions(who, asset, 6000000001LL); break;
    case 27: message(&result); break;
    case 28: raw.at.Year = 0; trade(asset, &raw, 0); break;
    case 29: raw.number = 13000013; history(asset, &raw, 2); break;
    case 30: { TConnectorAssetIdentifier odd = {0, T(5, u"A TICKER OF MORE THAN SIXTEEN"), text[1], 255}; trade(odd, &raw, 0); break; }
    case 31: { TConnectorAssetIdentifier none = {0, NULL, NULL, 0}; trade(none, &raw, 0); break; }
    case 32: { TAssetIDRec same = {T(5, u"A TICKER OF MORE THAN SIXTEEN"), text[1], 255}; tiny(same, 1, 1, 0); break; }
    }
    memset(text, 0xEE, sizeof text);
    return NULL;
}
X void PumpFire(int what) {
    pthread_t thread;
    fired = what;
    pthread_create(&thread, NULL, fire, NULL);
    pthread_join(thread, NULL);
}
static int64_t states;
static void *many_states(void *unused) {
    for (int64_t i = 0; i < states; i++) unused ? health((int32_t)i) : state(9, (int32_t)i);
    return NULL;
}
/* States from one thread and health from another, at once. */
X void PumpControl(int64_t events) {
    pthread_t a, b;
    states = events;
    pthread_create(&a, NULL, many_states, NULL);
    pthread_create(&b, NULL, many_states, (void *)1);
    pthread_join(a, NULL);
    pthread_join(b, NULL);
}

/* ---- the same ring in C: what the C# side is measured against ------------------------------------------------------- */
typedef struct Record {
    int64_t seq, mono, time;
    double price;
    int64_t quantity;
    double volume;
    int64_t number;
    int32_t buyer, seller, asset, position, count;
    uint8_t kind, action, side, has;
    uint64_t flags, reserved;
} Record;
_Static_assert(sizeof(Record) == 96, "a record has 96 bytes");
typedef struct Entry {
    uint64_t a, b, c;
    int64_t number;
} Entry;
enum { HEAD = 0, TAIL = 8, WAITING = 16, DROPPED = 24, EVENTS = 40, KNOWN_TAIL = 41 };
static _Atomic int64_t *header;
static Record *records;
static int64_t capacity;
static Entry entries[1 << 17];
static int32_t assets;
static uint32_t day_key;
static int64_t day_ms;
static TConnectorTrade scratch;

X void *PumpRing(int64_t slots) {
    char *memory = aligned_alloc(4096, (size_t)(512 + slots * 96 + 4095) / 4096 * 4096);
    memset(memory, 0, (size_t)(512 + slots * 96));
    header = (void *)memory, records = (Record *)(memory + 512), capacity = slots;
    return memory;
}
#define RELAXED(at) atomic_load_explicit(&header[at], memory_order_relaxed)
#define PUT(at, value) atomic_store_explicit(&header[at], value, memory_order_relaxed)

static int64_t days(int year, int month, int day) {
    if (month <= 2) year--;
    int64_t era = year / 400;
    int of_era = (int)(year - era * 400), of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}
static int32_t number_of(const char16_t *ticker, const char16_t *exchange, uint8_t feed) {
    uint64_t a = 0, b = 0, c = 0x100 | feed, unit;
    for (const char16_t *p = ticker; (unit = *p); p++) {
        if (a >> 56) b = b << 8 | a >> 56;
        a = a << 8 | unit;
    }
    for (const char16_t *p = exchange; (unit = *p); p++) c = c << 8 | unit;
    uint64_t hash = (a ^ b * 0x9E3779B97F4A7C15u ^ c << 29) * 0xD6E8FEB86659FD93u;
    for (Entry *entry = &entries[hash >> 47];; entry = entry + 1 == entries + (1 << 17) ? entries : entry + 1) {
        if (entry->number && entry->a == a && entry->b == b && entry->c == c) return (int32_t)entry->number;
        if (entry->number) continue;
        *entry = (Entry){a, b, c, ++assets};
        return assets;
    }
}
static void ring_trade(TConnectorAssetIdentifier asset, void *handle, uint32_t flags) {
    TConnectorTrade *from = &scratch;
    from->Version = 0;
    if (TranslateTrade(handle, from) || !from->TradeDate.Year || from->Price == 0) return;
    int32_t number = number_of(asset.Ticker, asset.Exchange, asset.FeedType);
    int64_t head = RELAXED(HEAD);
    if (head - RELAXED(KNOWN_TAIL) >= capacity) {
        PUT(KNOWN_TAIL, atomic_load_explicit(&header[TAIL], memory_order_acquire));
        if (head - RELAXED(KNOWN_TAIL) >= capacity) {
            PUT(DROPPED, RELAXED(DROPPED) + 1);
            PUT(DROPPED + 1, RELAXED(DROPPED + 1) + 1);
            PUT(EVENTS, RELAXED(EVENTS) + 1);
            return;
        }
    }
    Record *to = &records[head & (capacity - 1)];
    to->seq = RELAXED(EVENTS) + 1;
    PUT(EVENTS, to->seq);
    to->mono = now();
    TSystemTime *at = &from->TradeDate;
    uint32_t key = (uint32_t)at->Year << 16 | (uint32_t)at->Month << 8 | at->Day;
    if (key != day_key) day_key = key, day_ms = days(at->Year, at->Month, at->Day) * 86400000LL;
    to->time = day_ms + ((at->Hour * 60 + at->Minute) * 60 + at->Second) * 1000LL + at->Milliseconds;
    to->price = from->Price, to->quantity = from->Quantity, to->volume = from->Volume;
    to->number = from->TradeNumber, to->buyer = from->BuyAgent, to->seller = from->SellAgent;
    to->asset = number, to->position = 0, to->count = 0;
    to->kind = 1, to->action = from->TradeType, to->side = 255, to->has = 0;
    to->flags = flags, to->reserved = 0;
    atomic_exchange(&header[HEAD], head + 1);
    if (RELAXED(WAITING)) atomic_exchange(&header[WAITING], 0);
}
X void PumpIntoRing(void) { atomic_store(&trade, ring_trade); }
