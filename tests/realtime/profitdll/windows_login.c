/* Run under Wine: loads the DLL, prints its layouts and compares them with this compiler's, logs in, and takes a thousand
 * trades. */
#include <stdio.h>
#include <string.h>

#include "profitdll.h"
#include <windows.h>

static volatile LONG connected, trades, wrong;

typedef int32_t(PROFIT_CALL *Translate)(const void *, TConnectorTrade *);
static Translate translate;
static uint32_t last;

static void PROFIT_CALL on_state(int32_t type, int32_t result) {
    if (type == STATE_MARKET && result == MARKET_CONNECTED) InterlockedExchange(&connected, 1);
}

static void PROFIT_CALL on_trade(TConnectorAssetIdentifier asset, void *handle, uint32_t flags) {
    TConnectorTrade trade = {0};
    (void)flags;
    if (translate(handle, &trade) != NL_OK || memcmp(asset.Ticker, L"WINX99", 14) != 0 || trade.Quantity <= 0 ||
        trade.TradeDate.Year != 2026 || (last && trade.TradeNumber != last + 10))
        InterlockedIncrement(&wrong);
    last = trade.TradeNumber;
    InterlockedIncrement(&trades);
}

static void PROFIT_CALL on_daily(TAssetIDRec asset, PText date, double o, double h, double l, double c, double v,
                                 double a, double x, double n, double b, double s, int32_t q, int32_t t, int32_t oc,
                                 int32_t bq, int32_t sq, int32_t bt, int32_t st) {
    (void)asset, (void)date, (void)o, (void)h, (void)l, (void)c, (void)v, (void)a, (void)x, (void)n, (void)b, (void)s;
    (void)q, (void)t, (void)oc, (void)bq, (void)sq, (void)bt, (void)st;
}

static void PROFIT_CALL on_progress(TAssetIDRec asset, int32_t percent) { (void)asset, (void)percent; }

static void PROFIT_CALL on_tiny(TAssetIDRec asset, double price, int32_t quantity, int32_t side) {
    (void)asset, (void)price, (void)quantity, (void)side;
}

static int layouts_differ(HMODULE dll) {
    static const struct {
        const char *name;
        int32_t offset, size;
    } mine[] = {
#define STRUCT(type, bytes) {#type, 0, sizeof(type)},
#define FIELD(type, field, at, bytes) {#type "." #field, offsetof(type, field), sizeof(((type *)0)->field)},
        PROFIT_LAYOUTS(STRUCT, FIELD)
    };
    const char *(*layout)(int32_t, int32_t *, int32_t *) = (void *)GetProcAddress(dll, "SimLayout");
    int32_t offset, size, count = sizeof mine / sizeof *mine, differing = 0;
    for (int32_t k = 0; k < count; k++) {
        const char *name = layout(k, &offset, &size);
        printf("layout %s %d %d\n", name, offset, size);
        differing += !name || strcmp(name, mine[k].name) != 0 || offset != mine[k].offset || size != mine[k].size;
    }
    printf("layouts %d differing %d\n", count, differing);
    return differing;
}

int main(int argc, char **argv) {
    (void)argc;
    HMODULE dll = LoadLibraryA(argv[1]);
    if (!dll) return printf("not loaded: %lu\n", GetLastError()), 2;
    translate = (Translate)(void *)GetProcAddress(dll, "TranslateTrade");
    int32_t(PROFIT_CALL * login)(PText, PText, PText, TStateCallback, TNewTradeCallback, TDailyCallback,
                                 TPriceBookCallback, TOfferBookCallback, THistoryTradeCallback, TProgressCallback,
                                 TTinyBookCallback) = (void *)GetProcAddress(dll, "DLLInitializeMarketLogin");
    int32_t(PROFIT_CALL * set)(TTradeCallbackV2) = (void *)GetProcAddress(dll, "SetTradeCallbackV2");
    int32_t(PROFIT_CALL * subscribe)(PText, PText) = (void *)GetProcAddress(dll, "SubscribeTicker");
    int32_t(PROFIT_CALL * finalise)(void) = (void *)GetProcAddress(dll, "DLLFinalize");
    if (layouts_differ(dll)) return 3;
    if (login(u"key", u"user", u"password", on_state, NULL, on_daily, NULL, NULL, NULL, on_progress, on_tiny)) return 4;
    set(on_trade);
    for (int k = 0; k < 500 && !connected; k++) Sleep(10);
    subscribe(u"WINX99", u"F");
    for (int k = 0; k < 2000 && trades < 1000; k++) Sleep(10);
    finalise();
    printf("trades %d wrong %d\n", trades >= 1000, (int)wrong);
    return trades >= 1000 && !wrong ? 0 : 5;
}
