/* The binary interface of ProfitDLL (64 bits, releases 4.0.0.31 to 4.0.0.42): structs, callbacks, codes, functions.
 * Structs have natural alignment; only the legacy records and the offer-book entry are packed. Text is UTF-16. */
#ifndef PROFITDLL_H
#define PROFITDLL_H

#include <stddef.h>
#include <stdint.h>
#include <uchar.h>

#if defined(_WIN32)
#define PROFIT_CALL __stdcall /* without effect on x64; kept because the original declares it */
#define PROFIT_EXPORT __declspec(dllexport)
#else
#define PROFIT_CALL
#define PROFIT_EXPORT __attribute__((visibility("default")))
#endif

/* ---- result codes ------------------------------------------------------------------------------------------ */
#define NL_CODE(code) ((int32_t)(INT32_MIN + (code)))
#define NL_OK ((int32_t)0)
#define NL_INTERNAL_ERROR NL_CODE(0x01)
#define NL_NOT_INITIALIZED NL_CODE(0x02)
#define NL_INVALID_ARGS NL_CODE(0x03)
#define NL_WAITING_SERVER NL_CODE(0x04)
#define NL_NO_LOGIN NL_CODE(0x05)
#define NL_NO_LICENSE NL_CODE(0x06)
#define NL_PASSWORD_HASH_SHA1 NL_CODE(0x07)
#define NL_PASSWORD_HASH_MD5 NL_CODE(0x08)
#define NL_OUT_OF_RANGE NL_CODE(0x09)
#define NL_MARKET_ONLY NL_CODE(0x0A)
#define NL_NO_POSITION NL_CODE(0x0B)
#define NL_NOT_FOUND NL_CODE(0x0C)
#define NL_VERSION_NOT_SUPPORTED NL_CODE(0x0D)
#define NL_OCO_NO_RULES NL_CODE(0x0E)
#define NL_EXCHANGE_UNKNOWN NL_CODE(0x0F)
#define NL_NO_OCO_DEFINED NL_CODE(0x10)
#define NL_INVALID_SERIE NL_CODE(0x11)
#define NL_LICENSE_NOT_ALLOWED NL_CODE(0x12)
#define NL_NOT_HARD_LOGOUT NL_CODE(0x13)
#define NL_SERIE_NO_HISTORY NL_CODE(0x14)
#define NL_ASSET_NO_DATA NL_CODE(0x15)
#define NL_SERIE_NO_DATA NL_CODE(0x16)
#define NL_HAS_STRATEGY_RUNNING NL_CODE(0x17)
#define NL_SERIE_NO_MORE_HISTORY NL_CODE(0x18)
#define NL_SERIE_MAX_COUNT NL_CODE(0x19)
#define NL_DUPLICATE_RESOURCE NL_CODE(0x1A)
#define NL_UNSIGNED_CONTRACT NL_CODE(0x1B)
#define NL_NO_PASSWORD NL_CODE(0x1C)
#define NL_NO_USER NL_CODE(0x1D)
#define NL_FILE_ALREADY_EXISTS NL_CODE(0x1E)
#define NL_INVALID_TICKER NL_CODE(0x1F)
#define NL_NOT_MASTER_ACCOUNT NL_CODE(0x20)
#define NL_HISTORY_PERIOD_LIMIT NL_CODE(0x2E)

/* ---- enumerations (one unsigned byte in structs, int32 in legacy parameters) --------------------------------- */
enum { STATE_LOGIN = 0, STATE_ROUTING = 1, STATE_MARKET = 2, STATE_ACTIVATION = 3 };
enum { LOGIN_CONNECTED = 0, LOGIN_INVALID = 1, LOGIN_INVALID_PASSWORD = 2, LOGIN_BLOCKED_PASSWORD = 3,
       LOGIN_EXPIRED_PASSWORD = 4, LOGIN_UNKNOWN = 200 };
enum { ROUTING_DISCONNECTED = 0, ROUTING_CONNECTING = 1, ROUTING_CONNECTED = 2, ROUTING_BROKER_DISCONNECTED = 3,
       ROUTING_BROKER_CONNECTING = 4, ROUTING_BROKER_CONNECTED = 5 };
enum { MARKET_DISCONNECTED = 0, MARKET_CONNECTING = 1, MARKET_WAITING = 2, MARKET_NOT_LOGGED = 3, MARKET_CONNECTED = 4,
       MARKET_DEGRADED = 5, MARKET_DELAYED = 6 };
enum { ACTIVATION_VALID = 0, ACTIVATION_INVALID = 1 };
enum { HEALTH_RESPONSIVE = 0, HEALTH_FROZEN = 1 };
enum { BOOK_ADD = 0, BOOK_EDIT = 1, BOOK_DELETE = 2, BOOK_DELETE_FROM = 3, BOOK_FULL = 4 };
enum { DEPTH_ADD = 0, DEPTH_EDIT = 1, DEPTH_DELETE = 2, DEPTH_INSERT = 3, DEPTH_FULL = 4, DEPTH_PREPARE = 5,
       DEPTH_FLUSH = 6, DEPTH_THEORETICAL = 7, DEPTH_DELETE_FROM = 8 };
enum { BOOK_BUY = 0, BOOK_SELL = 1, BOOK_BOTH = 254, BOOK_NONE = 255 };
enum { OB_LAST_PACKET = 1, OB_FIRST_PACKET = 2 };
enum { PG_THEORETICAL = 1 };
enum { TRADE_EDIT = 1, TRADE_LAST_PACKET = 2 };
enum { AGENT_SHORT_NAME = 1 };
enum { ORDER_NEW = 0, ORDER_PARTIALLY_FILLED = 1, ORDER_FILLED = 2, ORDER_DONE_FOR_DAY = 3, ORDER_CANCELED = 4,
       ORDER_REPLACED = 5, ORDER_PENDING_CANCEL = 6, ORDER_STOPPED = 7, ORDER_REJECTED = 8, ORDER_SUSPENDED = 9,
       ORDER_PENDING_NEW = 10, ORDER_CALCULATED = 11, ORDER_EXPIRED = 12, ORDER_ACCEPTED_FOR_BIDDING = 13,
       ORDER_PENDING_REPLACE = 14, ORDER_PARTIALLY_FILLED_CANCELED = 15, ORDER_RECEIVED = 16,
       ORDER_PARTIALLY_FILLED_EXPIRED = 17, ORDER_PARTIALLY_FILLED_REJECTED = 18, ORDER_UNKNOWN = 200,
       ORDER_HADES_CREATED = 201, ORDER_BROKER_SENT = 202, ORDER_CLIENT_CREATED = 203, ORDER_NOT_CREATED = 204,
       ORDER_CANCELED_BY_ADMIN = 205, ORDER_DELAY_FIX_GATEWAY = 206, ORDER_SCHEDULED = 207 };
enum { SIDE_BUY = 1, SIDE_SELL = 2, SIDE_BUY_MINUS = 3, SIDE_SELL_PLUS = 4, SIDE_SELL_SHORT = 5,
       SIDE_SELL_SHORT_EXEMPT = 6, SIDE_UNDISCLOSED = 7, SIDE_CROSS = 8, SIDE_CROSS_SHORT = 9,
       SIDE_CROSS_SHORT_EXEMPT = 10, SIDE_AS_DEFINED = 11, SIDE_OPPOSITE = 12, SIDE_SUBSCRIBE = 13, SIDE_REDEEM = 14,
       SIDE_LEND = 15, SIDE_BORROW = 16, SIDE_UNKNOWN = 200 };
enum { TYPE_MARKET = 1, TYPE_LIMIT = 2, TYPE_STOP = 3, TYPE_STOP_LIMIT = 4, TYPE_MARKET_ON_CLOSE = 5,
       TYPE_WITH_OR_WITHOUT = 6, TYPE_LIMIT_OR_BETTER = 7, TYPE_LIMIT_WITH_OR_WITHOUT = 8, TYPE_ON_BASIS = 9,
       TYPE_ON_CLOSE = 10, TYPE_LIMIT_ON_CLOSE = 11, TYPE_FOREX_MARKET = 12, TYPE_PREVIOUSLY_QUOTED = 13,
       TYPE_PREVIOUSLY_INDICATED = 14, TYPE_FOREX_LIMIT = 15, TYPE_FOREX_SWAP = 16, TYPE_FOREX_PREVIOUSLY_QUOTED = 17,
       TYPE_FUNARI = 18, TYPE_MARKET_IF_TOUCHED = 19, TYPE_MARKET_WITH_LEFTOVER_AS_LIMIT = 20,
       TYPE_PREVIOUS_FUND_VALUATION = 21, TYPE_NEXT_FUND_VALUATION = 22, TYPE_PEGGED = 23, TYPE_RLP = 24,
       TYPE_WALLET_TRANSFER = 25, TYPE_SIMULATOR = 27, TYPE_MARKET_ON_AUCTION = 28, TYPE_UNKNOWN = 200 };
enum { VALIDITY_DAY = 0, VALIDITY_GOOD_TILL_CANCEL = 1, VALIDITY_AT_OPENING = 2, VALIDITY_IMMEDIATE_OR_CANCEL = 3,
       VALIDITY_FILL_OR_KILL = 4, VALIDITY_GOOD_TILL_CROSSING = 5, VALIDITY_GOOD_TILL_DATE = 6, VALIDITY_AT_CLOSE = 7,
       VALIDITY_UNKNOWN = 200, VALIDITY_GOOD_FOR_AUCTION = 201 };
enum { POSITION_DAY_TRADE = 1, POSITION_CONSOLIDATED = 2 };
enum { OPEN_UNKNOWN = 0, OPEN_BOUGHT = 1, OPEN_SOLD = 2, OPEN_FLAT = 200 };
enum { ASSET_OPENED = 0, ASSET_FROZEN = 2, ASSET_INHIBITED = 3, ASSET_AUCTIONED = 4, ASSET_CLOSED = 6,
       ASSET_PRE_CLOSING = 10, ASSET_PRE_OPENING = 13 };
enum { ACCOUNT_OWNER = 0, ACCOUNT_ASSESSOR = 1, ACCOUNT_MASTER = 2, ACCOUNT_SUB = 3, ACCOUNT_RISK_MASTER = 4,
       ACCOUNT_PROP_OFFICE = 5, ACCOUNT_PROP_MANAGER = 6 };
enum { ACCOUNT_FLAG_SUB = 1, ACCOUNT_FLAG_ENABLED = 2 };
enum { MESSAGE_STARTING = 0, MESSAGE_NOT_CONNECTED = 1, MESSAGE_SENT_TO_HADES_PROXY = 2, MESSAGE_REJECTED_MERCURY = 3,
       MESSAGE_SENT_TO_HADES = 4, MESSAGE_REJECTED_HADES = 5, MESSAGE_SENT_TO_BROKER = 6, MESSAGE_REJECTED_BROKER = 7,
       MESSAGE_SENT_TO_MARKET = 8, MESSAGE_REJECTED_MARKET = 9, MESSAGE_ACCEPTED = 10,
       MESSAGE_MARGIN_TYPE_CHANGE_REJECTED = 11, MESSAGE_POSITION_MODE_CHANGE_REJECTED = 12,
       MESSAGE_NEED_UPDATE_FROM_SERVER = 13, MESSAGE_SENT_TO_WALLET = 17, MESSAGE_BLOCKED_BY_RISK = 24,
       MESSAGE_UNKNOWN = 200 };
enum { TRADE_CROSS = 1, TRADE_AGGRESSOR_BUY = 2, TRADE_AGGRESSOR_SELL = 3, TRADE_AUCTION = 4, TRADE_SURVEILLANCE = 5,
       TRADE_EXPIT = 6, TRADE_OPTION_EXERCISE = 7, TRADE_OVER_THE_COUNTER = 8, TRADE_DERIVATIVE_TERM = 9,
       TRADE_INDEX = 10, TRADE_BTC = 11, TRADE_ON_BEHALF = 12, TRADE_RLP = 13, TRADE_BBT = 14, TRADE_RFQ = 15,
       TRADE_MID_POINT = 16, TRADE_AT_CLOSE = 17, TRADE_AT_AVERAGE = 18, TRADE_UNKNOWN = 32, TRADE_UPDATE = 33,
       TRADE_MID = 34, TRADE_OFF_EXCHANGE = 35 };
enum { SECURITY_FUTURE = 0, SECURITY_SPOT = 1, SECURITY_STOCK = 5, SECURITY_INDEX = 9, SECURITY_COMMON_STOCK = 14,
       SECURITY_PREFERRED_STOCK = 15 };
enum { ADJUST_AFFECTS_PRICE = 1, ADJUST_ADDITIVE = 2 };

/* ---- structs ------------------------------------------------------------------------------------------------ */
typedef struct TSystemTime {
    uint16_t Year, Month, DayOfWeek, Day, Hour, Minute, Second, Milliseconds;
} TSystemTime;

#pragma pack(push, 1)
typedef struct TAssetIDRec {
    const char16_t *pwcTicker;
    const char16_t *pwcBolsa;
    int32_t nFeed;
} TAssetIDRec;

typedef struct TAccountRec {
    const char16_t *pwhAccountID;
    const char16_t *pwhTitular;
    const char16_t *pwhNomeCorretora;
    int32_t nCorretoraID;
} TAccountRec;

typedef struct TOfferHeader {
    int32_t Count;
    int32_t TotalSize;
} TOfferHeader;

typedef struct TOfferEntryV1 {
    double Price;
    int32_t Quantity;
    int32_t Agent;
    int64_t OfferID;
    uint16_t DateLength;
    char Date[23];
} TOfferEntryV1;

typedef struct TOfferEntryV2 {
    double Price;
    int64_t Quantity;
    int32_t Agent;
    int64_t OfferID;
    uint16_t DateLength;
    char Date[23];
} TOfferEntryV2;
#pragma pack(pop)

typedef struct TPriceEntryV1 {
    double Price;
    int32_t Quantity;
    int32_t Count;
} TPriceEntryV1;

typedef struct TPriceEntryV2 {
    double Price;
    int64_t Quantity;
    uint32_t Count;
} TPriceEntryV2;

typedef struct TConnectorAccountIdentifier {
    uint8_t Version;
    int32_t BrokerID;
    const char16_t *AccountID;
    const char16_t *SubAccountID;
    int64_t Reserved;
} TConnectorAccountIdentifier;

typedef struct TConnectorAccountIdentifierOut {
    uint8_t Version;
    int32_t BrokerID;
    char16_t AccountID[100];
    int32_t AccountIDLength;
    char16_t SubAccountID[100];
    int32_t SubAccountIDLength;
    int64_t Reserved;
} TConnectorAccountIdentifierOut;

typedef struct TConnectorAssetIdentifier {
    uint8_t Version;
    const char16_t *Ticker;
    const char16_t *Exchange;
    uint8_t FeedType;
} TConnectorAssetIdentifier;

typedef struct TConnectorAssetIdentifierOut {
    uint8_t Version;
    char16_t *Ticker;
    int32_t TickerLength;
    char16_t *Exchange;
    int32_t ExchangeLength;
    uint8_t FeedType;
} TConnectorAssetIdentifierOut;

typedef struct TConnectorOrderIdentifier {
    uint8_t Version;
    int64_t LocalOrderID;
    const char16_t *ClOrderID;
} TConnectorOrderIdentifier;

typedef struct TConnectorSendOrder {
    uint8_t Version;
    TConnectorAccountIdentifier AccountID;
    TConnectorAssetIdentifier AssetID;
    const char16_t *Password;
    uint8_t OrderType;
    uint8_t OrderSide;
    double Price;
    double StopPrice;
    int64_t Quantity;
    int64_t MessageID;
} TConnectorSendOrder;

typedef struct TConnectorChangeOrder {
    uint8_t Version;
    TConnectorAccountIdentifier AccountID;
    TConnectorOrderIdentifier OrderID;
    const char16_t *Password;
    double Price;
    double StopPrice;
    int64_t Quantity;
    int64_t MessageID;
} TConnectorChangeOrder;

typedef struct TConnectorCancelOrder {
    uint8_t Version;
    TConnectorAccountIdentifier AccountID;
    TConnectorOrderIdentifier OrderID;
    const char16_t *Password;
    int64_t MessageID;
} TConnectorCancelOrder;

typedef struct TConnectorCancelOrders {
    uint8_t Version;
    TConnectorAccountIdentifier AccountID;
    TConnectorAssetIdentifier AssetID;
    const char16_t *Password;
} TConnectorCancelOrders;

typedef struct TConnectorCancelAllOrders {
    uint8_t Version;
    TConnectorAccountIdentifier AccountID;
    const char16_t *Password;
} TConnectorCancelAllOrders;

typedef struct TConnectorZeroPosition {
    uint8_t Version;
    TConnectorAccountIdentifier AccountID;
    TConnectorAssetIdentifier AssetID;
    const char16_t *Password;
    double Price;
    uint8_t PositionType;
    int64_t MessageID;
} TConnectorZeroPosition;

typedef struct TConnectorTradingAccountOut {
    uint8_t Version;
    TConnectorAccountIdentifier AccountID;
    char16_t *BrokerName;
    int32_t BrokerNameLength;
    char16_t *OwnerName;
    int32_t OwnerNameLength;
    char16_t *SubOwnerName;
    int32_t SubOwnerNameLength;
    uint32_t AccountFlags;
    uint8_t AccountType;
} TConnectorTradingAccountOut;

typedef struct TConnectorTradingAccountPosition {
    uint8_t Version;
    TConnectorAccountIdentifier AccountID;
    TConnectorAssetIdentifier AssetID;
    int64_t OpenQuantity;
    double OpenAveragePrice;
    uint8_t OpenSide;
    double DailyAverageSellPrice;
    int64_t DailySellQuantity;
    double DailyAverageBuyPrice;
    int64_t DailyBuyQuantity;
    int64_t DailyQuantityD1;
    int64_t DailyQuantityD2;
    int64_t DailyQuantityD3;
    int64_t DailyQuantityBlocked;
    int64_t DailyQuantityPending;
    int64_t DailyQuantityAlloc;
    int64_t DailyQuantityProvision;
    int64_t DailyQuantity;
    int64_t DailyQuantityAvailable;
    uint8_t PositionType;
    int64_t EventID;
} TConnectorTradingAccountPosition;

typedef struct TConnectorOrder {
    uint8_t Version;
    TConnectorOrderIdentifier OrderID;
    TConnectorAccountIdentifier AccountID;
    TConnectorAssetIdentifier AssetID;
    int64_t Quantity;
    int64_t TradedQuantity;
    int64_t LeavesQuantity;
    double Price;
    double StopPrice;
    double AveragePrice;
    uint8_t OrderSide;
    uint8_t OrderType;
    uint8_t OrderStatus;
    uint8_t ValidityType;
    TSystemTime Date;
    TSystemTime LastUpdate;
    TSystemTime CloseDate;
    TSystemTime ValidityDate;
    const char16_t *TextMessage;
    int64_t EventID;
} TConnectorOrder;

typedef struct TConnectorOrderOut {
    uint8_t Version;
    TConnectorOrderIdentifier OrderID;
    TConnectorAccountIdentifierOut AccountID;
    TConnectorAssetIdentifierOut AssetID;
    int64_t Quantity;
    int64_t TradedQuantity;
    int64_t LeavesQuantity;
    double Price;
    double StopPrice;
    double AveragePrice;
    uint8_t OrderSide;
    uint8_t OrderType;
    uint8_t OrderStatus;
    uint8_t ValidityType;
    TSystemTime Date;
    TSystemTime LastUpdate;
    TSystemTime CloseDate;
    TSystemTime ValidityDate;
    char16_t *TextMessage;
    int32_t TextMessageLength;
    int64_t EventID;
} TConnectorOrderOut;

typedef struct TConnectorTrade {
    uint8_t Version;
    TSystemTime TradeDate;
    uint32_t TradeNumber;
    double Price;
    int64_t Quantity;
    double Volume;
    int32_t BuyAgent;
    int32_t SellAgent;
    uint8_t TradeType;
} TConnectorTrade;

typedef struct TConnectorPriceGroup {
    uint8_t Version;
    double Price;
    uint32_t Count;
    int64_t Quantity;
    uint32_t PriceGroupFlags;
} TConnectorPriceGroup;

typedef struct TConnectorTradingMessageResult {
    uint8_t Version;
    int32_t BrokerID;
    TConnectorOrderIdentifier OrderID;
    int64_t MessageID;
    uint8_t ResultCode;
    const char16_t *Message;
    int32_t MessageLength;
} TConnectorTradingMessageResult;

#include "layouts.h"
#include "profitdll_calls.h"

#endif
