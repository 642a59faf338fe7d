/* The pump's other half: requests. Each writes down what it was asked, and answers with known values. */
#include "profitdll.h"
#include <stdio.h>
#include <string.h>

#define X PROFIT_EXPORT
#define SAY(...) snprintf(said, sizeof said, __VA_ARGS__)
static char said[2000];
X const char *DeskSaid(void) { return said; }

static const char *N(PText text) { /* up to eight texts at once */
    static char kept[8][120];
    static int next;
    if (!text) return "(null)";
    char *to = kept[next = (next + 1) % 8];
    size_t i = 0;
    for (; text[i] && i < 119; i++) to[i] = text[i] < 128 ? (char)text[i] : '?';
    to[i] = 0;
    return to;
}
static int32_t fill(char16_t *to, int32_t *length, const char16_t *text) {
    int32_t n = 0, room = *length;
    while (text[n]) n++;
    for (int32_t i = 0; to && i < n && i < room; i++) to[i] = text[i];
    *length = n;
    return n;
}
static const char *who(const TConnectorAccountIdentifier *id) {
    static char kept[100];
    snprintf(kept, sizeof kept, "v%d %d %s/%s r%lld", id->Version, id->BrokerID, N(id->AccountID), N(id->SubAccountID), (long long)id->Reserved);
    return kept;
}
static const char *what(const TConnectorAssetIdentifier *id) {
    static char kept[100];
    snprintf(kept, sizeof kept, "v%d %s@%s f%d", id->Version, N(id->Ticker), N(id->Exchange), id->FeedType);
    return kept;
}

#define TEXTS(name) X int32_t name(PText ticker, PText exchange) { SAY(#name " %s %s", N(ticker), N(exchange)); return exchange[1] ? NL_EXCHANGE_UNKNOWN : NL_OK; }
TEXTS(SubscribeTicker)
TEXTS(UnsubscribeTicker)
TEXTS(SubscribeOfferBook)
TEXTS(UnsubscribeOfferBook)
TEXTS(SubscribeAdjustHistory)
TEXTS(UnsubscribeAdjustHistory)
#define DEPTH(name) X int32_t name(const TConnectorAssetIdentifier *asset) { SAY(#name " %s", what(asset)); return NL_OK; }
DEPTH(SubscribePriceDepth)
DEPTH(UnsubscribePriceDepth)

X int32_t GetHistoryTrades(PText ticker, PText exchange, PText start, PText end) {
    SAY("%s %s %s %s", N(ticker), N(exchange), N(start), N(end));
    return NL_OK;
}
X int32_t GetServerClock(double *date, int32_t *y, int32_t *mo, int32_t *d, int32_t *h, int32_t *mi, int32_t *s, int32_t *ms) {
    *date = 46331.5, *y = 2026, *mo = 11, *d = 5, *h = 12, *mi = 1, *s = 2, *ms = 345;
    return NL_OK;
}
X int32_t GetHealthStatus(int32_t *health) { *health = 1; return NL_OK; }
X int32_t SetServerAndPort(PText server, PText port) { SAY("%s:%s", N(server), N(port)); return NL_OK; }
X int32_t SetEnabledLogToDebug(int32_t on) { SAY("log %d", on); return NL_OK; }
X int32_t SetDayTrade(int32_t on) { SAY("day trade %d", on); return NL_OK; }
X int32_t GetLastDailyClose(PText ticker, PText exchange, double *close, int32_t adjusted) {
    (void)exchange;
    *close = adjusted ? 33.25 : 34.5;
    return ticker[0] == u'W' ? NL_WAITING_SERVER : NL_OK;
}
X int32_t GetAgentNameLength(int32_t agent, uint32_t flags) { return agent != 308 ? NL_NOT_FOUND : flags == 1 ? 5 : 9; }
X int32_t GetAgentName(int32_t length, int32_t agent, char16_t *name, uint32_t flags) {
    (void)agent;
    return fill(name, &length, flags == 1 ? u"CLEÁR" : u"CLEÁR S/A");
}

/* ---- accounts and positions ---- */
static void known(TConnectorAccountIdentifierOut *out, int32_t broker, const char16_t *account, const char16_t *sub) {
    out->BrokerID = broker, out->AccountIDLength = out->SubAccountIDLength = 100;
    fill(out->AccountID, &out->AccountIDLength, account);
    fill(out->SubAccountID, &out->SubAccountIDLength, sub);
}
X int32_t GetAccountCount(void) { return 2; }
X int32_t GetAccounts(int32_t source, int32_t dest, int32_t count, TConnectorAccountIdentifierOut *out) {
    if (source || dest || count != 2) return NL_INVALID_ARGS;
    known(out, 1003, u"00123", u"");
    known(out + 1, 308, u"987654", u"");
    return 2;
}
X int32_t GetSubAccountCount(const TConnectorAccountIdentifier *master) { SAY("%s", who(master)); return master->BrokerID == 308 ? NL_NOT_MASTER_ACCOUNT : 1; }
X int32_t GetSubAccounts(const TConnectorAccountIdentifier *master, int32_t source, int32_t dest, int32_t count, TConnectorAccountIdentifierOut *out) {
    if (source || dest || count != 1) return NL_INVALID_ARGS;
    known(out, master->BrokerID, master->AccountID, u"7");
    return 1;
}
X int32_t GetAccountDetails(TConnectorTradingAccountOut *out) {
    static int calls;
    SAY("v%d %s", out->Version, who(&out->AccountID));
    if (out->AccountID.BrokerID != 1003) return NL_NOT_FOUND;
    fill(out->BrokerName, &out->BrokerNameLength, u"Corretora Clara");
    fill(out->OwnerName, &out->OwnerNameLength, ++calls < 2 ? u"José" : u"José da Silva"); /* grows between the calls */
    fill(out->SubOwnerName, &out->SubOwnerNameLength, u"");
    out->AccountFlags = 2, out->AccountType = ACCOUNT_MASTER;
    return NL_OK;
}
X int32_t GetPositionV2(TConnectorTradingAccountPosition *p) {
    SAY("v%d %s; %s; %d", p->Version, who(&p->AccountID), what(&p->AssetID), p->PositionType);
    if (p->AssetID.Ticker[0] == u'N') return NL_NO_POSITION;
    p->OpenQuantity = 5000000001, p->OpenAveragePrice = 1.5, p->OpenSide = OPEN_SOLD, p->DailyAverageSellPrice = 2.5;
    p->DailySellQuantity = 2, p->DailyAverageBuyPrice = 3.5, p->DailyBuyQuantity = 3, p->DailyQuantityD1 = 4;
    p->DailyQuantityD2 = 5, p->DailyQuantityD3 = 6, p->DailyQuantityBlocked = 7, p->DailyQuantityPending = 8;
    p->DailyQuantityAlloc = 9, p->DailyQuantityProvision = 10, p->DailyQuantity = 11, p->DailyQuantityAvailable = 12;
    p->EventID = 6000000001;
    return NL_OK;
}
X int32_t EnumerateAllPositionAssets(const TConnectorAccountIdentifier *account, uint8_t version, intptr_t user, TEnumerateAssets proc) {
    char16_t ticker[8] = u"PETR4", exchange[2] = u"B";
    TConnectorAssetIdentifier asset = {0, ticker, exchange, 0};
    if (version || account->BrokerID != 1003) return NL_NO_POSITION;
    if (!proc(&asset, user)) return NL_INTERNAL_ERROR;
    memcpy(ticker, u"NADA3", 12);
    if (!proc(&asset, user)) return NL_INTERNAL_ERROR;
    memset(ticker, 0xEE, sizeof ticker);
    return NL_OK;
}

/* ---- orders ---- */
X int64_t SendOrder(TConnectorSendOrder *o) {
    SAY("v%d %s; %s; %s; type %d side %d %.2f %.2f %lld", o->Version, who(&o->AccountID), what(&o->AssetID), N(o->Password),
        o->OrderType, o->OrderSide, o->Price, o->StopPrice, (long long)o->Quantity);
    if (o->Quantity <= 0) return NL_INVALID_ARGS;
    o->MessageID = 7000000001;
    return 5000000055;
}
static const char *which(const TConnectorOrderIdentifier *id) {
    static char kept[100];
    snprintf(kept, sizeof kept, "v%d %lld %s", id->Version, (long long)id->LocalOrderID, N(id->ClOrderID));
    return kept;
}
X int32_t SendChangeOrderV2(TConnectorChangeOrder *o) {
    SAY("v%d %s; %s; %s; %.2f %.2f %lld", o->Version, who(&o->AccountID), which(&o->OrderID), N(o->Password), o->Price, o->StopPrice, (long long)o->Quantity);
    o->MessageID = 7000000002;
    return NL_OK;
}
X int32_t SendCancelOrderV2(TConnectorCancelOrder *o) {
    SAY("v%d %s; %s; %s", o->Version, who(&o->AccountID), which(&o->OrderID), N(o->Password));
    o->MessageID = 7000000003;
    return o->OrderID.LocalOrderID == 404 ? NL_NOT_FOUND : NL_OK;
}
X int32_t SendCancelOrdersV2(TConnectorCancelOrders *o) {
    SAY("v%d %s; %s; %s", o->Version, who(&o->AccountID), what(&o->AssetID), N(o->Password));
    return NL_OK;
}
X int32_t SendCancelAllOrdersV2(TConnectorCancelAllOrders *o) {
    SAY("v%d %s; %s", o->Version, who(&o->AccountID), N(o->Password));
    return NL_OK;
}
X int64_t SendZeroPositionV2(TConnectorZeroPosition *o) {
    SAY("v%d %s; %s; %s; %.2f %d", o->Version, who(&o->AccountID), what(&o->AssetID), N(o->Password), o->Price, o->PositionType);
    o->MessageID = 7000000004;
    return o->AssetID.Ticker[0] == u'N' ? NL_NO_POSITION : 5000000056;
}
static const TSystemTime CREATED = {2026, 11, 4, 5, 10, 11, 12, 345}, UPDATED = {2026, 11, 4, 5, 10, 11, 13, 0}, NEVER = {0};
X int32_t GetOrderDetails(TConnectorOrderOut *o) {
    static int calls;
    SAY("v%d %s", o->Version, which(&o->OrderID));
    if (o->OrderID.LocalOrderID == 404) return NL_NOT_FOUND;
    o->OrderID.LocalOrderID = 5000000055, o->OrderID.ClOrderID = u"CL-55";
    known(&o->AccountID, 1003, u"00123", u"7");
    fill(o->AssetID.Ticker, &o->AssetID.TickerLength, u"PETR4");
    fill(o->AssetID.Exchange, &o->AssetID.ExchangeLength, u"B");
    o->Quantity = 300, o->TradedQuantity = 100, o->LeavesQuantity = 200, o->Price = 34.5, o->StopPrice = -1, o->AveragePrice = 34.25;
    o->OrderSide = 2, o->OrderType = 4, o->OrderStatus = ORDER_HADES_CREATED, o->ValidityType = 200;
    o->Date = CREATED, o->LastUpdate = UPDATED, o->CloseDate = NEVER, o->ValidityDate = CREATED;
    fill(o->TextMessage, &o->TextMessageLength, ++calls < 2 ? u"Criação" : u"Criação concluída"); /* grows */
    o->EventID = 9;
    return NL_OK;
}
static int32_t each(uint8_t version, intptr_t user, TEnumerateOrders proc) {
    char16_t text[8] = u"Criação";
    TConnectorOrder order = {1, {0, 1, u"CL-1"}, {0, 1003, u"00123", u"", 0}, {0, u"WINZ26", u"F", 0}, 10, 4, 6, 1.5, 2.5, 3.5,
                             1, 2, 201, 0, CREATED, UPDATED, NEVER, NEVER, text, 11};
    if (version != 1) return NL_VERSION_NOT_SUPPORTED;
    for (int i = 0; i < 3; i++) {
        order.OrderID.LocalOrderID = i + 1;
        if (!proc(&order, user)) return NL_INTERNAL_ERROR;
    }
    memset(text, 0xEE, sizeof text);
    return NL_OK;
}
#define STAMP "%d-%d-%d.%d %d:%d:%d.%d"
#define PARTS(t) t.Year, t.Month, t.Day, t.DayOfWeek, t.Hour, t.Minute, t.Second, t.Milliseconds
X int32_t HasOrdersInInterval(const TConnectorAccountIdentifier *account, TSystemTime start, TSystemTime end) {
    SAY("%s " STAMP " " STAMP, who(account), PARTS(start), PARTS(end));
    return account->BrokerID == 308 ? NL_WAITING_SERVER : NL_OK;
}
X int32_t EnumerateOrdersByInterval(const TConnectorAccountIdentifier *account, uint8_t version, TSystemTime start, TSystemTime end, intptr_t user, TEnumerateOrders proc) {
    SAY("%s " STAMP " " STAMP, who(account), PARTS(start), PARTS(end));
    return account->BrokerID == 308 ? NL_WAITING_SERVER : each(version, user, proc);
}
X int32_t EnumerateAllOrders(const TConnectorAccountIdentifier *account, uint8_t version, intptr_t user, TEnumerateOrders proc) {
    SAY("%s", who(account));
    return each(version, user, proc);
}
