// A C++ client as users of the DLL have them: LoadLibrary and GetProcAddress, records by value, texts of wchar_t. It knows
// nothing of the simulator. `legacy`: trades, books and orders through the initialiser's callbacks and the older calls;
// otherwise the current ones. `leave`: the process ends while callbacks run, without DLLFinalize. One line for each thing that came; the last says passed or failed.
#include <windows.h>

#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <map>
#include <string>
#include <vector>

typedef struct { wchar_t *ticker, *bolsa; int feed; } TAssetID; // 24 bytes: declared unpacked, as most do
typedef struct { BYTE Version; int BrokerID; wchar_t *AccountID, *SubAccountID; int64_t Reserved; } AccountIdentifier;
typedef struct { BYTE Version; int BrokerID; wchar_t AccountID[100]; int AccountIDLength; wchar_t SubAccountID[100];
                 int SubAccountIDLength; int64_t Reserved; } AccountIdentifierOut;
typedef struct { BYTE Version; wchar_t *Ticker, *Exchange; BYTE FeedType; } AssetIdentifier;
typedef struct { BYTE Version; wchar_t *Ticker; int TickerLength; wchar_t *Exchange; int ExchangeLength;
                 BYTE FeedType; } AssetIdentifierOut;
typedef struct { BYTE Version; int64_t LocalOrderID; wchar_t *ClOrderID; } OrderIdentifier;
typedef struct { BYTE Version; AccountIdentifier AccountID; AssetIdentifier AssetID; wchar_t *Password; BYTE OrderType,
                 OrderSide; double Price, StopPrice; int64_t Quantity, MessageID; } NewOrder;
typedef struct { BYTE Version; AccountIdentifier AccountID; OrderIdentifier OrderID; wchar_t *Password;
                 int64_t MessageID; } CancelOrder;
typedef struct { BYTE Version; AccountIdentifier AccountID; AssetIdentifier AssetID; int64_t OpenQuantity;
                 double OpenAveragePrice; BYTE OpenSide; double DailyAverageSellPrice; int64_t DailySellQuantity;
                 double DailyAverageBuyPrice; int64_t DailyBuyQuantity, Custody[9]; BYTE PositionType;
                 int64_t EventID; } AccountPosition;
typedef struct { BYTE Version; OrderIdentifier OrderID; AccountIdentifier AccountID; AssetIdentifier AssetID;
                 int64_t Quantity, TradedQuantity, LeavesQuantity; double Price, StopPrice, AveragePrice; BYTE OrderSide,
                 OrderType, OrderStatus, ValidityType; SYSTEMTIME Date, LastUpdate, CloseDate, ValidityDate;
                 wchar_t *TextMessage; int64_t EventID; } Order;
typedef struct { BYTE Version; OrderIdentifier OrderID; AccountIdentifierOut AccountID; AssetIdentifierOut AssetID;
                 int64_t Quantity, TradedQuantity, LeavesQuantity; double Price, StopPrice, AveragePrice; BYTE OrderSide,
                 OrderType, OrderStatus, ValidityType; SYSTEMTIME Date, LastUpdate, CloseDate, ValidityDate;
                 wchar_t *TextMessage; int TextMessageLength; int64_t EventID; } OrderOut;
typedef struct { BYTE Version; SYSTEMTIME TradeDate; unsigned TradeNumber; double Price; int64_t Quantity; double Volume;
                 int BuyAgent, SellAgent; BYTE TradeType; } Trade;
typedef struct { BYTE Version; double Price; unsigned Count; int64_t Quantity; unsigned PriceGroupFlags; } PriceGroup;
typedef struct { BYTE Version; int BrokerID; OrderIdentifier OrderID; int64_t MessageID; BYTE ResultCode;
                 wchar_t *Message; int MessageLength; } MessageResult;
static_assert(sizeof(NewOrder) == 120 && sizeof(CancelOrder) == 80 && sizeof(AccountPosition) == 216, "requests");
static_assert(sizeof(Order) == 232 && sizeof(OrderOut) == 640 && sizeof(Trade) == 64, "answers");
static_assert(sizeof(AccountIdentifierOut) == 424 && sizeof(PriceGroup) == 40 && sizeof(MessageResult) == 64, "others");

// Every function that is used, by its declaration: name, result, parameters.
#define CALLS(CALL)                                                                                                      \
    CALL(DLLInitializeLogin, int, (const wchar_t *, const wchar_t *, const wchar_t *, void *, void *, void *, void *,    \
                                   void *, void *, void *, void *, void *, void *, void *))                              \
    CALL(DLLFinalize, int, ())                                                                                           \
    CALL(SetTradeCallbackV2, int, (void *))                                                                              \
    CALL(SetHistoryTradeCallbackV2, int, (void *))                                                                       \
    CALL(SetPriceDepthCallback, int, (void *))                                                                           \
    CALL(SetOfferBookCallbackV2, int, (void *))                                                                          \
    CALL(SetOrderCallback, int, (void *))                                                                                \
    CALL(SetAssetPositionListCallback, int, (void *))                                                                    \
    CALL(SetTradingMessageResultCallback, int, (void *))                                                                 \
    CALL(SetOrderHistoryCallback, int, (void *))                                                                         \
    CALL(SetInvalidTickerCallback, int, (void *))                                                                        \
    CALL(SetAssetListCallback, int, (void *))                                                                            \
    CALL(GetAllTicker, signed char, (const wchar_t *))                                                                   \
    CALL(TranslateTrade, int, (void *, Trade *))                                                                         \
    CALL(SubscribeTicker, int, (const wchar_t *, const wchar_t *))                                                       \
    CALL(UnsubscribeTicker, int, (const wchar_t *, const wchar_t *))                                                     \
    CALL(SubscribeOfferBook, int, (const wchar_t *, const wchar_t *))                                                    \
    CALL(SubscribePriceBook, int, (const wchar_t *, const wchar_t *))                                                    \
    CALL(SubscribePriceDepth, int, (AssetIdentifier *))                                                                  \
    CALL(GetPriceDepthSideCount, int, (AssetIdentifier *, BYTE))                                                         \
    CALL(GetPriceGroup, int, (AssetIdentifier *, BYTE, int, PriceGroup *))                                               \
    CALL(FreePointer, int, (void *, int))                                                                                \
    CALL(GetHistoryTrades, int, (const wchar_t *, const wchar_t *, const wchar_t *, const wchar_t *))                    \
    CALL(GetServerClock, int, (double *, int *, int *, int *, int *, int *, int *, int *))                               \
    CALL(GetAgentNameByID, const wchar_t *, (int))                                                                       \
    CALL(GetAgentNameLength, int, (int, int))                                                                            \
    CALL(GetAgentName, int, (int, int, wchar_t *, int))                                                                  \
    CALL(GetAccountCount, int, ())                                                                                       \
    CALL(GetAccounts, int, (int, int, int, AccountIdentifierOut *))                                                      \
    CALL(GetPosition, char *, (const wchar_t *, const wchar_t *, const wchar_t *, const wchar_t *))                      \
    CALL(GetPositionV2, int, (AccountPosition *))                                                                        \
    CALL(SendMarketBuyOrder, int64_t, (const wchar_t *, const wchar_t *, const wchar_t *, const wchar_t *,               \
                                       const wchar_t *, int))                                                            \
    CALL(SendBuyOrder, int64_t, (const wchar_t *, const wchar_t *, const wchar_t *, const wchar_t *, const wchar_t *,    \
                                 double, int))                                                                           \
    CALL(SendCancelOrder, int, (const wchar_t *, const wchar_t *, const wchar_t *, const wchar_t *))                     \
    CALL(SendZeroPosition, int64_t, (const wchar_t *, const wchar_t *, const wchar_t *, const wchar_t *,                 \
                                     const wchar_t *, double))                                                           \
    CALL(SendOrder, int64_t, (NewOrder *))                                                                               \
    CALL(SendCancelOrderV2, int, (CancelOrder *))                                                                        \
    CALL(GetOrderDetails, int, (OrderOut *))                                                                             \
    CALL(HasOrdersInInterval, int, (AccountIdentifier *, SYSTEMTIME, SYSTEMTIME))                                        \
    CALL(EnumerateAllOrders, int, (AccountIdentifier *, BYTE, LPARAM, void *))                                           \
    CALL(EnumerateAllPositionAssets, int, (AccountIdentifier *, BYTE, LPARAM, void *))
#define DECLARE(name, result, parameters) static result(__stdcall *name) parameters;
CALLS(DECLARE)
#define RESOLVE(name, result, parameters) \
    if (!(name = reinterpret_cast<decltype(name)>(GetProcAddress(dll, #name)))) return printf("no %s\n", #name), 2;

static const int waiting = INT32_MIN + 4;
static struct Gate {
    CRITICAL_SECTION section;
    Gate() { InitializeCriticalSection(&section); }
} gate;
struct Held { // MinGW's win32 threads have no std::mutex
    Held() { EnterCriticalSection(&gate.section); }
    ~Held() { LeaveCriticalSection(&gate.section); }
};
static std::map<std::string, long> seen;
static std::wstring account, broker, last_cl_ord_id;
static std::vector<double> offers[2];
static std::atomic<bool> failed;
static std::atomic<int> agent;

static long saw(const std::string &what) {
    Held held;
    return ++seen[what];
}

static void check(bool holds, const char *what) {
    if (!holds) failed = true, printf("WRONG %s\n", what);
}

static void await(const std::string &what, long times = 1) {
    for (int k = 0; k < 1500; k++, Sleep(10)) {
        Held held;
        if (seen[what] >= times) return (void)printf("%s came\n", what.c_str());
    }
    failed = true;
    printf("%s NEVER CAME\n", what.c_str());
}

static std::string number(const char *before, int64_t id, const char *between = "", int64_t value = -1) {
    std::string text = before + std::to_string(id) + between;
    return value < 0 ? text : text + std::to_string(value);
}

static bool is_petr4(const wchar_t *ticker, const wchar_t *exchange) {
    return wcscmp(ticker, L"PETR4") == 0 && wcscmp(exchange, L"B") == 0;
}

// ---- callbacks of both modes ----
static void __stdcall on_state(int type, int result) { saw(number("state ", type, " ", result)); }

static void __stdcall on_account(int id, wchar_t *name, wchar_t *number, wchar_t *holder) {
    check(*name && *number && *holder, "account");
    Held held;
    if (account.empty()) account = number, broker = std::to_wstring(id);
    ++seen["account"];
}

static void __stdcall on_daily(TAssetID asset, wchar_t *date, double open, double high, double low, double close, double,
                               double, double, double, double, double, int, int trades, int, int, int, int, int) {
    bool sane = is_petr4(asset.ticker, asset.bolsa) && *date && high >= low && open > 0 && close > 0 && trades >= 0;
    check(sane, "daily");
    saw("daily");
}

static void __stdcall on_tiny(TAssetID asset, double price, int quantity, int side) {
    check(is_petr4(asset.ticker, asset.bolsa) && price > 0 && quantity > 0 && (side == 0 || side == 1), "tiny book");
    saw("tiny book");
}

static void __stdcall on_progress(TAssetID, int percent) { if (percent == 100) saw("history done"); }

// ---- legacy ----
static void __stdcall on_old_trade(TAssetID asset, wchar_t *date, unsigned id, double price, double volume, int quantity,
                                   int buyer, int, int, wchar_t edit) {
    int day, month, year, hour, minute, second, millisecond;
    int read = swscanf(date, L"%d/%d/%d %d:%d:%d.%d", &day, &month, &year, &hour, &minute, &second, &millisecond);
    check(read == 7 && year == 2026 && is_petr4(asset.ticker, asset.bolsa) && id && price * quantity > 0 && volume > 0 &&
              !(edit & 0xFF), "legacy trade");
    agent = buyer;
    saw("trade");
}

static void __stdcall on_old_history(TAssetID asset, wchar_t *date, unsigned id, double price, double, int quantity, int,
                                     int, int) {
    check(is_petr4(asset.ticker, asset.bolsa) && wcslen(date) == 23 && id && price > 0 && quantity > 0, "legacy history");
    saw("past trade");
}

static void unpacked(char *array, int entry, std::vector<double> &into) {
    int count, size, flags;
    memcpy(&count, array, 4), memcpy(&size, array + 4, 4), memcpy(&flags, array + 8 + entry * count, 4);
    if (flags & 2) into.clear();
    for (int k = 0; k < count; k++) {
        double price;
        memcpy(&price, array + 8 + k * entry, 8);
        into.push_back(price);
        check(price > 0 && array[8 + k * entry + entry - 21] == '/', "offer");
    }
    check(size == 12 + entry * count && FreePointer(array, size) == 0, "offer array");
    if (flags & 1) saw("full book");
}

static void offer_changed(int action, int position, int side, double price, bool priced) {
    std::vector<double> &book = offers[side & 1];
    bool inside = position >= 0 && position <= static_cast<int>(book.size()) - (action != 0);
    check(inside, "position in the offer book");
    if (!inside) return;
    if (action == 0) book.insert(book.end() - position, price);
    if (action == 1 && priced) book[book.size() - 1 - position] = price;
    if (action == 2) book.erase(book.end() - 1 - position);
    if (action == 3) book.resize(book.size() - 1 - position);
    saw("offer");
}

static void __stdcall on_old_offer(TAssetID, int action, int position, int side, int, int, int64_t, double price,
                                   int has_price, int, int, int, int, wchar_t *date, char *sells, char *buys) {
    wchar_t kept[64] = {0};
    wcsncpy(kept, date, 63); // read whether there is one or not, as careless clients do
    if (sells) unpacked(sells, 49, offers[1]);
    if (buys) unpacked(buys, 49, offers[0]);
    if (action != 4) offer_changed(action, position, side, price, has_price & 0xFF);
}

static void __stdcall on_price_book(TAssetID, int action, int, int, int quantity, int count, double, char *sells,
                                    char *buys) {
    for (char *array : {sells, buys}) {
        int size;
        if (array) memcpy(&size, array + 4, 4), check(FreePointer(array, size) == 0, "price array");
    }
    check(action == 4 || action == 2 || action == 3 || (quantity > 0 && count > 0), "price book");
    saw("price book");
}

static void __stdcall on_old_order(TAssetID asset, int, int quantity, int traded, int leaves, int side, double, double,
                                   double, int64_t id, wchar_t *, wchar_t *number_, wchar_t *, wchar_t *cl_ord_id,
                                   wchar_t *status, wchar_t *date, wchar_t *text) {
    check(is_petr4(asset.ticker, asset.bolsa) && traded + leaves <= quantity && *number_ && *status && *date && text &&
              side >= 1, "legacy order");
    {
        Held held;
        last_cl_ord_id = cl_ord_id;
    }
    if (traded == quantity) saw(number("filled ", id));
    if (*cl_ord_id && leaves == quantity) saw(number("working ", id));
    if (*cl_ord_id && !traded && !leaves) saw(number("canceled ", id));
}

static void __stdcall on_asset(TAssetID asset, wchar_t *name) {
    check(wcscmp(asset.bolsa, L"B") == 0 && *asset.ticker && *name, "asset list");
    saw("asset");
}

// ---- current ----
static void __stdcall on_trade(AssetIdentifier asset, void *handle, unsigned) {
    Trade trade = {};
    bool known = TranslateTrade(handle, &trade) == 0;
    check(known && is_petr4(asset.Ticker, asset.Exchange) && trade.Price > 0 && trade.TradeDate.wYear == 2026, "trade");
    agent = trade.BuyAgent;
    saw("trade");
}

static void __stdcall on_history(AssetIdentifier asset, void *handle, unsigned flags) {
    Trade trade = {};
    check(TranslateTrade(handle, &trade) == 0 && is_petr4(asset.Ticker, asset.Exchange) && trade.Quantity > 0, "past trade");
    saw("past trade");
    if (flags & 2) saw("last packet");
}

static void __stdcall on_depth(AssetIdentifier asset, BYTE side, int position, BYTE update) {
    PriceGroup group = {};
    if (update == 4) check(GetPriceDepthSideCount(&asset, 0) > 0 && GetPriceDepthSideCount(&asset, 1) > 0, "full depth");
    if ((update == 1 || update == 3) && GetPriceGroup(&asset, side, position, &group) == 0)
        check(group.Price > 0 && group.Quantity > 0 && group.Count > 0, "price group"), saw("depth");
}

static void __stdcall on_offer(TAssetID, int action, int position, int side, int64_t, int, int64_t, double price,
                               int has_price, int, int, int, int, wchar_t *, char *sells, char *buys) {
    if (sells) unpacked(sells, 53, offers[1]);
    if (buys) unpacked(buys, 53, offers[0]);
    if (action != 4) offer_changed(action, position, side, price, has_price & 0xFF);
}

// The vendor's C++ header gives this one the legacy record, and reads its first pointer.
static void __stdcall on_invalid(TAssetID asset) {
    check(!asset.ticker && wcscmp(asset.bolsa, L"NONE9") == 0, "invalid ticker");
    saw("invalid ticker");
}

static void __stdcall on_order(OrderIdentifier id) {
    OrderOut order = {};
    order.Version = 1, order.OrderID = id;
    check(GetOrderDetails(&order) == 0, "order details");
    std::wstring ticker(order.AssetID.TickerLength + 1, 0), exchange(order.AssetID.ExchangeLength + 1, 0);
    std::wstring text(order.TextMessageLength + 1, 0);
    order.AssetID.Ticker = &ticker[0], order.AssetID.Exchange = &exchange[0], order.TextMessage = &text[0];
    check(GetOrderDetails(&order) == 0 && is_petr4(ticker.c_str(), exchange.c_str()) && order.Date.wYear == 2026 &&
              order.AccountID.AccountID == account, "order details again");
    saw(number("order ", id.LocalOrderID, " is ", order.OrderStatus));
}

static void __stdcall on_position(AccountIdentifier, AssetIdentifier asset, int64_t event) {
    if (is_petr4(asset.Ticker, asset.Exchange) && event > 0) saw("position");
}

static void __stdcall on_message(MessageResult *result) { saw(number("message ", result->MessageID, " is ", result->ResultCode)); }
static void __stdcall on_orders(AccountIdentifier) { saw("orders loaded"); }

static BOOL __stdcall each_order(Order *order, LPARAM user) {
    check(is_petr4(order->AssetID.Ticker, order->AssetID.Exchange) && order->AccountID.AccountID == account, "listed order");
    ++*reinterpret_cast<int *>(user);
    return TRUE;
}

static BOOL __stdcall each_asset(AssetIdentifier *asset, LPARAM user) {
    check(is_petr4(asset->Ticker, asset->Exchange), "listed asset");
    ++*reinterpret_cast<int *>(user);
    return TRUE;
}

// ---- the programs ----
static SYSTEMTIME now(int minutes) {
    double days;
    int y, mo, d, h, mi, s, ms;
    check(GetServerClock(&days, &y, &mo, &d, &h, &mi, &s, &ms) == 0 && y == 2026 && days > 46000, "clock");
    int at = h * 60 + mi + minutes;
    SYSTEMTIME time = {};
    time.wYear = y, time.wMonth = mo, time.wDay = d, time.wHour = at / 60, time.wMinute = at % 60, time.wSecond = s;
    return time;
}

static std::wstring shown(const SYSTEMTIME &time) {
    wchar_t text[64];
    swprintf(text, 64, L"%02d/%02d/%04d %02d:%02d:%02d", time.wDay, time.wMonth, time.wYear, time.wHour, time.wMinute,
             time.wSecond);
    return text;
}

static void history() {
    check(GetHistoryTrades(L"PETR4", L"B", shown(now(-2)).c_str(), shown(now(0)).c_str()) == 0, "history");
    await("history done");
    await("past trade", 10);
}

static void legacy_program() {
    check(SubscribeTicker(L"PETR4", L"B") == 0 && SubscribeOfferBook(L"PETR4", L"B") == 0, "subscriptions");
    check(SubscribePriceBook(L"PETR4", L"B") == 0, "price book subscription");
    await("trade", 20), await("offer", 20), await("full book", 2), await("price book", 20), await("tiny book");
    check(SetAssetListCallback(reinterpret_cast<void *>(on_asset)) == 0 && GetAllTicker(L"B") == 0, "asset list request");
    await("asset", 2);
    history();
    printf("agent %ls\n", GetAgentNameByID(agent));
    const wchar_t *number_ = account.c_str(), *at = broker.c_str();
    int64_t filled = SendMarketBuyOrder(number_, at, L"routing", L"PETR4", L"B", 100);
    await(number("filled ", filled));
    char *position = GetPosition(number_, at, L"PETR4", L"B");
    int head[2] = {0, 0};
    if (position) memcpy(head, position, sizeof head);
    check(head[0] == 1 && FreePointer(position, head[1]) == 0, "legacy position");
    int64_t far_away = SendBuyOrder(number_, at, L"routing", L"PETR4", L"B", 1.00, 100);
    await(number("working ", far_away));
    check(SendCancelOrder(number_, at, last_cl_ord_id.c_str(), L"routing") == 0, "legacy cancel");
    await(number("canceled ", far_away));
    int64_t closed = SendZeroPosition(number_, at, L"PETR4", L"B", L"routing", -1);
    await(number("filled ", closed));
}

static int64_t sent(AccountIdentifier owner, AssetIdentifier asset, BYTE type, double price) {
    NewOrder order = {1, owner, asset, const_cast<wchar_t *>(L"routing"), type, 1, price, -1, 100, 0};
    int64_t id = SendOrder(&order);
    check(id > 0 && order.MessageID > 0, "order taken");
    await(number("message ", order.MessageID, " is ", 10));
    return id;
}

static void current_program() {
    AssetIdentifier asset = {0, const_cast<wchar_t *>(L"PETR4"), const_cast<wchar_t *>(L"B"), 0};
    check(SubscribeTicker(L"PETR4", L"B") == 0 && SubscribeOfferBook(L"PETR4", L"B") == 0, "subscriptions");
    check(SubscribePriceDepth(&asset) == 0 && SubscribeTicker(L"NONE9", L"B") == 0, "depth subscription");
    await("trade", 20), await("offer", 20), await("full book", 2), await("depth", 20), await("invalid ticker");
    history(), await("last packet");
    int length = GetAgentNameLength(agent, 0);
    std::vector<wchar_t> name(length + 1);
    check(length > 0 && GetAgentName(length, agent, name.data(), 0) == length, "agent name");
    printf("agent %ls\n", name.data());
    AccountIdentifierOut all[8] = {};
    int count = GetAccountCount();
    check(count > 0 && count <= 8 && GetAccounts(0, 0, count, all) == count && all[0].AccountID == account, "accounts");
    AccountIdentifier owner = {0, all[0].BrokerID, all[0].AccountID, const_cast<wchar_t *>(L""), 0};
    int code = HasOrdersInInterval(&owner, now(-60), now(-1));
    if (code == waiting) await("orders loaded");
    check(HasOrdersInInterval(&owner, now(-60), now(-1)) == 0, "orders of the last hour");
    int64_t filled = sent(owner, asset, 1, -1);
    await(number("order ", filled, " is ", 2)), await("position");
    AccountPosition position = {};
    position.Version = 2, position.AccountID = owner, position.AssetID = asset, position.PositionType = 1;
    check(GetPositionV2(&position) == 0 && position.OpenQuantity == 100 && position.OpenSide == 1, "position");
    int64_t far_away = sent(owner, asset, 2, 1.00);
    await(number("order ", far_away, " is ", 0));
    CancelOrder cancel = {1, owner, {0, far_away, const_cast<wchar_t *>(L"")}, const_cast<wchar_t *>(L"routing"), 0};
    check(SendCancelOrderV2(&cancel) == 0 && cancel.MessageID > 0, "cancel");
    await(number("order ", far_away, " is ", 4));
    int orders = 0, assets = 0;
    check(EnumerateAllOrders(&owner, 1, reinterpret_cast<LPARAM>(&orders), reinterpret_cast<void *>(each_order)) == 0 &&
              orders == 2, "two orders");
    check(EnumerateAllPositionAssets(&owner, 0, reinterpret_cast<LPARAM>(&assets), reinterpret_cast<void *>(each_asset)) ==
              0 && assets == 1, "one asset");
}

#define AS(callback) reinterpret_cast<void *>(callback)

static bool logged_in(bool legacy) {
    int code = legacy ? DLLInitializeLogin(L"key", L"user", L"password", AS(on_state), nullptr, AS(on_old_order),
                                           AS(on_account), AS(on_old_trade), AS(on_daily), AS(on_price_book),
                                           AS(on_old_offer), AS(on_old_history), AS(on_progress), AS(on_tiny))
                      : DLLInitializeLogin(L"key", L"user", L"password", AS(on_state), nullptr, nullptr, AS(on_account),
                                           nullptr, AS(on_daily), nullptr, nullptr, nullptr, AS(on_progress), AS(on_tiny));
    if (!legacy)
        code |= SetTradeCallbackV2(AS(on_trade)) | SetHistoryTradeCallbackV2(AS(on_history)) |
                SetPriceDepthCallback(AS(on_depth)) | SetOfferBookCallbackV2(AS(on_offer)) | SetOrderCallback(AS(on_order)) |
                SetAssetPositionListCallback(AS(on_position)) | SetTradingMessageResultCallback(AS(on_message)) |
                SetOrderHistoryCallback(AS(on_orders)) | SetInvalidTickerCallback(AS(on_invalid));
    check(code == 0, "login");
    for (const char *state : {"state 3 0", "state 0 0", "state 2 4", "state 1 5", "account"}) await(state);
    return !failed;
}

int main(int count, char **given) {
    bool legacy = count > 1 && strcmp(given[1], "legacy") == 0;
    HMODULE dll = LoadLibraryW(legacy ? L"ProfitDLL.dll" : L"ProfitDLL64.dll");
    if (!dll) return printf("not loaded: %lu\n", GetLastError()), 2;
    CALLS(RESOLVE)
    if (!logged_in(legacy)) return 1;
    if (count > 1 && strcmp(given[1], "leave") == 0) {
        check(SubscribeTicker(L"PETR4", L"B") == 0, "subscription");
        await("trade", 20);
        return printf("%s\n", failed ? "failed" : "passed"), failed;
    }
    legacy ? legacy_program() : current_program();
    UnsubscribeTicker(L"PETR4", L"B");
    check(DLLFinalize() == 0, "finalise");
    check(offers[0].size() && offers[1].size() && offers[0].back() < offers[1].back(), "the offers of both sides");
    printf("%s\n", failed ? "failed" : "passed");
    return failed;
}
