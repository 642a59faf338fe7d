/* Callback types and exported functions; included by profitdll.h. */
#ifndef PROFITDLL_CALLS_H
#define PROFITDLL_CALLS_H

typedef const char16_t *PText;

/* ---- current callbacks: identifier structs and legacy asset records by value --------------------------------- */
typedef void(PROFIT_CALL *TStateCallback)(int32_t type, int32_t result);
typedef void(PROFIT_CALL *THealthCallback)(int32_t health);
typedef void(PROFIT_CALL *TAccountCallback)(int32_t broker, PText broker_name, PText account, PText holder);
typedef void(PROFIT_CALL *TBrokerAccountListChangedCallback)(int32_t broker, uint32_t changed);
typedef void(PROFIT_CALL *TBrokerSubAccountListChangedCallback)(TConnectorAccountIdentifier account);
typedef void(PROFIT_CALL *TTradeCallbackV2)(TConnectorAssetIdentifier asset, void *trade, uint32_t flags);
typedef TTradeCallbackV2 THistoryTradeCallbackV2;
typedef void(PROFIT_CALL *TProgressCallback)(TAssetIDRec asset, int32_t percent);
typedef void(PROFIT_CALL *TDailyCallback)(TAssetIDRec asset, PText date, double open, double high, double low,
                                          double close, double volume, double adjustment, double max_limit,
                                          double min_limit, double buyer_volume, double seller_volume,
                                          int32_t quantity, int32_t trades, int32_t open_contracts, int32_t buyer_qty,
                                          int32_t seller_qty, int32_t buyer_trades, int32_t seller_trades);
typedef void(PROFIT_CALL *TTinyBookCallback)(TAssetIDRec asset, double price, int32_t quantity, int32_t side);
typedef void(PROFIT_CALL *TPriceDepthCallback)(TConnectorAssetIdentifier asset, uint8_t side, int32_t position,
                                               uint8_t update);
typedef void(PROFIT_CALL *TOfferBookCallbackV2)(TAssetIDRec asset, int32_t action, int32_t position, int32_t side,
                                                int64_t quantity, int32_t agent, int64_t offer_id, double price,
                                                char16_t has_price, char16_t has_quantity, char16_t has_date,
                                                char16_t has_offer_id, char16_t has_agent, PText date, void *sell,
                                                void *buy);
typedef void(PROFIT_CALL *TTheoreticalPriceCallback)(TAssetIDRec asset, double price, int64_t quantity);
typedef void(PROFIT_CALL *TChangeCotationCallback)(TAssetIDRec asset, PText date, uint32_t number, double price);
typedef void(PROFIT_CALL *TChangeStateTickerCallback)(TAssetIDRec asset, PText date, int32_t state);
typedef void(PROFIT_CALL *TInvalidTickerCallback)(TConnectorAssetIdentifier asset);
typedef void(PROFIT_CALL *TAssetListCallback)(TAssetIDRec asset, PText name);
typedef void(PROFIT_CALL *TAssetListInfoCallback)(TAssetIDRec asset, PText name, PText description, int64_t min_qty,
                                                  int64_t max_qty, int64_t lot, int32_t security_type,
                                                  int32_t sub_type, double min_increment, double multiplier,
                                                  PText expiry, PText isin);
typedef void(PROFIT_CALL *TAssetListInfoCallbackV2)(TAssetIDRec asset, PText name, PText description, int64_t min_qty,
                                                    int64_t max_qty, int64_t lot, int32_t security_type,
                                                    int32_t sub_type, double min_increment, double multiplier,
                                                    PText expiry, PText isin, PText sector, PText sub_sector,
                                                    PText segment);
typedef void(PROFIT_CALL *TAdjustHistoryCallback)(TAssetIDRec asset, double value, PText type, PText note,
                                                  PText adjust_date, PText decision_date, PText payment_date);
typedef void(PROFIT_CALL *TAdjustHistoryCallbackV2)(TAssetIDRec asset, double value, PText type, PText note,
                                                    PText adjust_date, PText decision_date, PText payment_date,
                                                    uint32_t flags, double multiplier);
typedef void(PROFIT_CALL *TOrderCallback)(TConnectorOrderIdentifier order);
typedef void(PROFIT_CALL *TOrderHistoryCallback)(TConnectorAccountIdentifier account);
typedef void(PROFIT_CALL *TAssetPositionListCallback)(TConnectorAccountIdentifier account,
                                                      TConnectorAssetIdentifier asset, int64_t event_id);
typedef void(PROFIT_CALL *TTradingMessageResultCallback)(const TConnectorTradingMessageResult *result);
typedef int32_t(PROFIT_CALL *TEnumerateOrders)(const TConnectorOrder *order, intptr_t user);
typedef int32_t(PROFIT_CALL *TEnumerateAssets)(const TConnectorAssetIdentifier *asset, intptr_t user);

/* ---- legacy callbacks ----------------------------------------------------------------------------------------- */
typedef void(PROFIT_CALL *TNewTradeCallback)(TAssetIDRec asset, PText date, uint32_t number, double price,
                                             double volume, int32_t quantity, int32_t buy_agent, int32_t sell_agent,
                                             int32_t type, char16_t edit);
typedef void(PROFIT_CALL *THistoryTradeCallback)(TAssetIDRec asset, PText date, uint32_t number, double price,
                                                 double volume, int32_t quantity, int32_t buy_agent,
                                                 int32_t sell_agent, int32_t type);
typedef void(PROFIT_CALL *TOfferBookCallback)(TAssetIDRec asset, int32_t action, int32_t position, int32_t side,
                                              int32_t quantity, int32_t agent, int64_t offer_id, double price,
                                              char16_t has_price, char16_t has_quantity, char16_t has_date,
                                              char16_t has_offer_id, char16_t has_agent, PText date, void *sell,
                                              void *buy);
typedef void(PROFIT_CALL *TPriceBookCallback)(TAssetIDRec asset, int32_t action, int32_t position, int32_t side,
                                              int32_t quantity, int32_t count, double price, void *sell, void *buy);
typedef void(PROFIT_CALL *TPriceBookCallbackV2)(TAssetIDRec asset, int32_t action, int32_t position, int32_t side,
                                                int64_t quantity, int32_t count, double price, void *sell, void *buy);
typedef void(PROFIT_CALL *TOrderChangeCallback)(TAssetIDRec asset, int32_t broker, int32_t quantity, int32_t traded,
                                                int32_t leaves, int32_t side, double price, double stop_price,
                                                double average_price, int64_t profit_id, PText order_type,
                                                PText account, PText holder, PText cl_ord_id, PText status,
                                                PText date, PText message);
typedef void(PROFIT_CALL *TOrderChangeCallbackV2)(TAssetIDRec asset, int32_t broker, int32_t quantity, int32_t traded,
                                                  int32_t leaves, int32_t side, int32_t validity, double price,
                                                  double stop_price, double average_price, int64_t profit_id,
                                                  PText order_type, PText account, PText holder, PText cl_ord_id,
                                                  PText status, PText date, PText last_update, PText close_date,
                                                  PText validity_date, PText message);
typedef void(PROFIT_CALL *THistoryCallback)(TAssetIDRec asset, int32_t broker, int32_t quantity, int32_t traded,
                                            int32_t leaves, int32_t side, double price, double stop_price,
                                            double average_price, int64_t profit_id, PText order_type, PText account,
                                            PText holder, PText cl_ord_id, PText status, PText date);
typedef TOrderChangeCallbackV2 THistoryCallbackV2;

#define API PROFIT_EXPORT int32_t PROFIT_CALL
#define API64 PROFIT_EXPORT int64_t PROFIT_CALL

/* ---- life-cycle, clock, health --------------------------------------------------------------------------------- */
API DLLInitializeLogin(PText key, PText user, PText password, TStateCallback state, THistoryCallback history,
                       TOrderChangeCallback order_change, TAccountCallback account, TNewTradeCallback new_trade,
                       TDailyCallback daily, TPriceBookCallback price_book, TOfferBookCallback offer_book,
                       THistoryTradeCallback history_trade, TProgressCallback progress, TTinyBookCallback tiny_book);
API DLLInitializeMarketLogin(PText key, PText user, PText password, TStateCallback state, TNewTradeCallback new_trade,
                             TDailyCallback daily, TPriceBookCallback price_book, TOfferBookCallback offer_book,
                             THistoryTradeCallback history_trade, TProgressCallback progress,
                             TTinyBookCallback tiny_book);
API DLLFinalize(void);
API Finalize(void);
API SetServerAndPort(PText server, PText port);
API GetServerClock(double *date, int32_t *year, int32_t *month, int32_t *day, int32_t *hour, int32_t *minute,
                   int32_t *second, int32_t *millisecond);
API GetHealthStatus(int32_t *health);
API SetEnabledLogToDebug(int32_t enabled);
API SetEnabledHistOrder(int32_t enabled);
API SetDayTrade(int32_t enabled);
API FreePointer(void *pointer, int32_t size);

/* ---- market data ------------------------------------------------------------------------------------------------ */
API SubscribeTicker(PText ticker, PText exchange);
API UnsubscribeTicker(PText ticker, PText exchange);
API SubscribePriceDepth(const TConnectorAssetIdentifier *asset);
API UnsubscribePriceDepth(const TConnectorAssetIdentifier *asset);
API SubscribeOfferBook(PText ticker, PText exchange);
API UnsubscribeOfferBook(PText ticker, PText exchange);
API SubscribePriceBook(PText ticker, PText exchange);
API UnsubscribePriceBook(PText ticker, PText exchange);
API SubscribeAdjustHistory(PText ticker, PText exchange);
API UnsubscribeAdjustHistory(PText ticker, PText exchange);
API RequestTickerInfo(PText ticker, PText exchange);
API GetAllTicker(PText exchange);
API GetPriceDepthSideCount(const TConnectorAssetIdentifier *asset, uint8_t side);
API GetPriceGroup(const TConnectorAssetIdentifier *asset, uint8_t side, int32_t position, TConnectorPriceGroup *group);
API GetTheoreticalValues(const TConnectorAssetIdentifier *asset, double *price, int64_t *quantity);
API TranslateTrade(const void *handle, TConnectorTrade *trade);
API GetLastDailyClose(PText ticker, PText exchange, double *close, int32_t adjusted);
API GetHistoryTrades(PText ticker, PText exchange, PText start, PText end);
API GetAgentNameLength(int32_t agent, uint32_t flags);
API GetAgentName(int32_t length, int32_t agent, char16_t *name, uint32_t flags);
PROFIT_EXPORT PText PROFIT_CALL GetAgentNameByID(int32_t agent);
PROFIT_EXPORT PText PROFIT_CALL GetAgentShortNameByID(int32_t agent);

/* ---- accounts and positions ------------------------------------------------------------------------------------- */
API GetAccount(void);
API GetAccountCount(void);
API GetAccounts(int32_t start_source, int32_t start_dest, int32_t count, TConnectorAccountIdentifierOut *accounts);
API GetAccountDetails(TConnectorTradingAccountOut *account);
API GetAccountCountByBroker(int32_t broker);
API GetAccountsByBroker(int32_t broker, int32_t start_source, int32_t start_dest, int32_t count,
                        TConnectorAccountIdentifierOut *accounts);
API GetSubAccountCount(const TConnectorAccountIdentifier *master);
API GetSubAccounts(const TConnectorAccountIdentifier *master, int32_t start_source, int32_t start_dest, int32_t count,
                   TConnectorAccountIdentifierOut *accounts);
API GetPositionV2(TConnectorTradingAccountPosition *position);
API EnumerateAllPositionAssets(const TConnectorAccountIdentifier *account, uint8_t version, intptr_t user,
                               TEnumerateAssets proc);

/* ---- orders ------------------------------------------------------------------------------------------------------ */
API64 SendOrder(TConnectorSendOrder *order);
API SendChangeOrderV2(TConnectorChangeOrder *order);
API SendCancelOrderV2(TConnectorCancelOrder *order);
API SendCancelOrdersV2(TConnectorCancelOrders *orders);
API SendCancelAllOrdersV2(TConnectorCancelAllOrders *orders);
API64 SendZeroPositionV2(TConnectorZeroPosition *zero);
API GetOrderDetails(TConnectorOrderOut *order);
API HasOrdersInInterval(const TConnectorAccountIdentifier *account, TSystemTime start, TSystemTime end);
API EnumerateOrdersByInterval(const TConnectorAccountIdentifier *account, uint8_t version, TSystemTime start,
                              TSystemTime end, intptr_t user, TEnumerateOrders proc);
API EnumerateAllOrders(const TConnectorAccountIdentifier *account, uint8_t version, intptr_t user,
                       TEnumerateOrders proc);

/* ---- deprecated orders and positions ----------------------------------------------------------------------------- */
API64 SendBuyOrder(PText account, PText broker, PText password, PText ticker, PText exchange, double price,
                   int32_t amount);
API64 SendSellOrder(PText account, PText broker, PText password, PText ticker, PText exchange, double price,
                    int32_t amount);
API64 SendMarketBuyOrder(PText account, PText broker, PText password, PText ticker, PText exchange, int32_t amount);
API64 SendMarketSellOrder(PText account, PText broker, PText password, PText ticker, PText exchange, int32_t amount);
API64 SendStopBuyOrder(PText account, PText broker, PText password, PText ticker, PText exchange, double price,
                       double stop_price, int32_t amount);
API64 SendStopSellOrder(PText account, PText broker, PText password, PText ticker, PText exchange, double price,
                        double stop_price, int32_t amount);
API SendChangeOrder(PText account, PText broker, PText password, PText cl_ord_id, double price, int32_t amount);
API SendCancelOrder(PText account, PText broker, PText cl_ord_id, PText password);
API SendCancelOrders(PText account, PText broker, PText password, PText ticker, PText exchange);
API SendCancelAllOrders(PText account, PText broker, PText password);
API64 SendZeroPosition(PText account, PText broker, PText ticker, PText exchange, PText password, double price);
API64 SendZeroPositionAtMarket(PText account, PText broker, PText ticker, PText exchange, PText password);
API GetOrders(PText account, PText broker, PText start, PText end);
API GetOrder(PText cl_ord_id);
API GetOrderProfitID(int64_t profit_id);
PROFIT_EXPORT void *PROFIT_CALL GetPosition(PText account, PText broker, PText ticker, PText exchange);

/* ---- setters: (export, callback type, slot of SimCallbacks) -------------------------------------------------------- */
#define PROFIT_SETTERS(SETTER)                                                              \
    SETTER(SetStateCallback, TStateCallback, state)                                         \
    SETTER(SetHealthCallback, THealthCallback, health)                                      \
    SETTER(SetAccountCallback, TAccountCallback, account)                                   \
    SETTER(SetBrokerAccountListChangedCallback, TBrokerAccountListChangedCallback, broker_accounts) \
    SETTER(SetBrokerSubAccountListChangedCallback, TBrokerSubAccountListChangedCallback, sub_accounts) \
    SETTER(SetTradeCallbackV2, TTradeCallbackV2, trade_v2)                                  \
    SETTER(SetHistoryTradeCallbackV2, THistoryTradeCallbackV2, history_trade_v2)            \
    SETTER(SetSerieProgressCallback, TProgressCallback, progress)                           \
    SETTER(SetDailyCallback, TDailyCallback, daily)                                         \
    SETTER(SetTinyBookCallback, TTinyBookCallback, tiny_book)                               \
    SETTER(SetPriceDepthCallback, TPriceDepthCallback, price_depth)                         \
    SETTER(SetOfferBookCallbackV2, TOfferBookCallbackV2, offer_book_v2)                     \
    SETTER(SetTheoreticalPriceCallback, TTheoreticalPriceCallback, theoretical)             \
    SETTER(SetChangeCotationCallback, TChangeCotationCallback, quote)                       \
    SETTER(SetChangeStateTickerCallback, TChangeStateTickerCallback, asset_state)           \
    SETTER(SetInvalidTickerCallback, TInvalidTickerCallback, invalid_ticker)                \
    SETTER(SetAssetListCallback, TAssetListCallback, asset_list)                            \
    SETTER(SetAssetListInfoCallback, TAssetListInfoCallback, asset_info)                    \
    SETTER(SetAssetListInfoCallbackV2, TAssetListInfoCallbackV2, asset_info_v2)             \
    SETTER(SetAdjustHistoryCallback, TAdjustHistoryCallback, adjust)                        \
    SETTER(SetAdjustHistoryCallbackV2, TAdjustHistoryCallbackV2, adjust_v2)                 \
    SETTER(SetOrderCallback, TOrderCallback, order)                                         \
    SETTER(SetOrderHistoryCallback, TOrderHistoryCallback, order_history)                   \
    SETTER(SetAssetPositionListCallback, TAssetPositionListCallback, position_list)         \
    SETTER(SetTradingMessageResultCallback, TTradingMessageResultCallback, message_result)  \
    SETTER(SetTradeCallback, TNewTradeCallback, trade)                                      \
    SETTER(SetHistoryTradeCallback, THistoryTradeCallback, history_trade)                   \
    SETTER(SetPriceBookCallback, TPriceBookCallback, price_book)                            \
    SETTER(SetPriceBookCallbackV2, TPriceBookCallbackV2, price_book_v2)                     \
    SETTER(SetOfferBookCallback, TOfferBookCallback, offer_book)                            \
    SETTER(SetHistoryCallback, THistoryCallback, history)                                   \
    SETTER(SetHistoryCallbackV2, THistoryCallbackV2, history_v2)                            \
    SETTER(SetOrderChangeCallback, TOrderChangeCallback, order_change)                      \
    SETTER(SetOrderChangeCallbackV2, TOrderChangeCallbackV2, order_change_v2)

#define PROFIT_DECLARE_SETTER(name, type, slot) API name(type callback);
PROFIT_SETTERS(PROFIT_DECLARE_SETTER)
#undef PROFIT_DECLARE_SETTER

#endif
