/* What is known about an asset: list, descriptions, corporate actions. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "market.h"

typedef struct InfoEvent {
    char16_t ticker[EVENT_TICKER];
    char16_t exchange[2];
    char16_t name[64], description[80], expiry[SIM_DATE], isin[16], sector[32], sub_sector[32], segment[32];
    int64_t lot;
    int32_t security, sub_type;
    double tick, multiplier;
} InfoEvent;

static void deliver_list(void *payload) {
    InfoEvent *event = payload;
    TAssetListCallback call = SIM_CALLBACK(asset_list);
    if (call) call(asset_record(event->ticker, event->exchange), event->name);
}

static void deliver_info(void *payload) {
    InfoEvent *event = payload;
    TAssetListInfoCallback call = SIM_CALLBACK(asset_info);
    if (call)
        call(asset_record(event->ticker, event->exchange), event->name, event->description, event->lot,
             event->lot * 10000, event->lot, event->security, event->sub_type, event->tick, event->multiplier,
             event->expiry, event->isin);
    TAssetListInfoCallbackV2 call_v2 = SIM_CALLBACK(asset_info_v2);
    if (call_v2)
        call_v2(asset_record(event->ticker, event->exchange), event->name, event->description, event->lot,
                event->lot * 10000, event->lot, event->security, event->sub_type, event->tick, event->multiplier,
                event->expiry, event->isin, event->sector, event->sub_sector, event->segment);
}

void post_info(Symbol *symbol) {
    char text[80];
    InfoEvent event = {.exchange = {symbol->exchange[0], 0}, .lot = symbol->lot, .security = symbol->security,
                       .sub_type = symbol->sub_type, .tick = symbol->tick, .multiplier = symbol->multiplier};
    memcpy(event.ticker, symbol->ticker, sizeof event.ticker);
    sim_widen(event.name, 64, symbol->text);
    snprintf(text, sizeof text, "%.40s %.20s", symbol->text, symbol->name);
    sim_widen(event.description, 80, text);
    if (symbol->expiry) sim_date_text(date_ms(symbol->expiry), event.expiry);
    snprintf(text, sizeof text, "BR%.5s000%02u", symbol->name, (unsigned)symbol->index);
    sim_widen(event.isin, 16, text);
    bool stock = symbol->security != SECURITY_FUTURE;
    sim_widen(event.sector, 32, stock ? "Demonstração" : "Derivativos");
    sim_widen(event.sub_sector, 32, stock ? "Ações" : "Futuros");
    sim_widen(event.segment, 32, stock ? "Novo Mercado" : "BMF");
    sim_post(SIM_ASSET_LIST, deliver_list, &event, sizeof event);
    sim_post(SIM_ASSET_INFO, deliver_info, &event, sizeof event);
}

/* ---- corporate actions ------------------------------------------------------------------------------------------- */
typedef struct AdjustEvent {
    char16_t ticker[EVENT_TICKER];
    char16_t exchange[2];
    double value, multiplier;
    uint32_t flags;
    char16_t type[32], note[64], adjusted[SIM_DATE], decided[SIM_DATE], paid[SIM_DATE];
} AdjustEvent;

enum { ADJUSTS = 64 };
static struct {
    struct {
        int16_t symbol;
        AdjustEvent event;
    } known[ADJUSTS];
    int32_t count;
} adjusts;

static void deliver_adjust(void *payload) {
    AdjustEvent *event = payload;
    TAssetIDRec asset = asset_record(event->ticker, event->exchange);
    TAdjustHistoryCallback call = SIM_CALLBACK(adjust);
    if (call) call(asset, event->value, event->type, event->note, event->adjusted, event->decided, event->paid);
    TAdjustHistoryCallbackV2 call_v2 = SIM_CALLBACK(adjust_v2);
    if (call_v2)
        call_v2(asset, event->value, event->type, event->note, event->adjusted, event->decided, event->paid,
                event->flags, event->multiplier);
}

void adjusts_add(Symbol *symbol, double value, const char *type, uint32_t flags, double multiplier) {
    if (adjusts.count == ADJUSTS) return;
    AdjustEvent event = {.exchange = {symbol->exchange[0], 0}, .value = value, .flags = flags,
                         .multiplier = multiplier, .note = u"simulado"};
    memcpy(event.ticker, symbol->ticker, sizeof event.ticker);
    sim_widen(event.type, 32, type);
    int64_t today = sim_now() / DAY_MS * DAY_MS;
    sim_date_text(today, event.adjusted);
    sim_date_text(today - 7 * (int64_t)DAY_MS, event.decided);
    sim_date_text(today + 7 * (int64_t)DAY_MS, event.paid);
    adjusts.known[adjusts.count].symbol = symbol->index;
    adjusts.known[adjusts.count++].event = event;
    if (symbol->adjusts) sim_post(SIM_ADJUST, deliver_adjust, &event, sizeof event);
}

void post_adjusts(Symbol *symbol) {
    for (int32_t k = 0; k < adjusts.count; k++)
        if (adjusts.known[k].symbol == symbol->index)
            sim_post(SIM_ADJUST, deliver_adjust, &adjusts.known[k].event, sizeof(AdjustEvent));
}

double adjusts_factor(const Symbol *symbol) {
    double factor = 1;
    for (int32_t k = 0; k < adjusts.count; k++) {
        const AdjustEvent *event = &adjusts.known[k].event;
        if (adjusts.known[k].symbol != symbol->index || !(event->flags & ADJUST_AFFECTS_PRICE)) continue;
        if (!(event->flags & ADJUST_ADDITIVE) && event->multiplier > 0) factor *= event->multiplier;
    }
    return factor;
}
