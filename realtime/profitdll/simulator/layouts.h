/* Every size and offset of the structs, asserted at compile time and listed by SimLayout; included by profitdll.h. */
#ifndef PROFITDLL_LAYOUTS_H
#define PROFITDLL_LAYOUTS_H

/* STRUCT(type, size) and FIELD(type, field, offset, size) */
#define PROFIT_LAYOUTS(STRUCT, FIELD) \
    STRUCT(TSystemTime, 16) \
    FIELD(TSystemTime, Year, 0, 2) \
    FIELD(TSystemTime, Month, 2, 2) \
    FIELD(TSystemTime, DayOfWeek, 4, 2) \
    FIELD(TSystemTime, Day, 6, 2) \
    FIELD(TSystemTime, Hour, 8, 2) \
    FIELD(TSystemTime, Minute, 10, 2) \
    FIELD(TSystemTime, Second, 12, 2) \
    FIELD(TSystemTime, Milliseconds, 14, 2) \
    STRUCT(TAssetIDRec, 20) \
    FIELD(TAssetIDRec, pwcTicker, 0, 8) \
    FIELD(TAssetIDRec, pwcBolsa, 8, 8) \
    FIELD(TAssetIDRec, nFeed, 16, 4) \
    STRUCT(TAccountRec, 28) \
    FIELD(TAccountRec, pwhAccountID, 0, 8) \
    FIELD(TAccountRec, pwhTitular, 8, 8) \
    FIELD(TAccountRec, pwhNomeCorretora, 16, 8) \
    FIELD(TAccountRec, nCorretoraID, 24, 4) \
    STRUCT(TOfferHeader, 8) \
    FIELD(TOfferHeader, Count, 0, 4) \
    FIELD(TOfferHeader, TotalSize, 4, 4) \
    STRUCT(TOfferEntryV1, 49) \
    FIELD(TOfferEntryV1, Price, 0, 8) \
    FIELD(TOfferEntryV1, Quantity, 8, 4) \
    FIELD(TOfferEntryV1, Agent, 12, 4) \
    FIELD(TOfferEntryV1, OfferID, 16, 8) \
    FIELD(TOfferEntryV1, DateLength, 24, 2) \
    FIELD(TOfferEntryV1, Date, 26, 23) \
    STRUCT(TOfferEntryV2, 53) \
    FIELD(TOfferEntryV2, Price, 0, 8) \
    FIELD(TOfferEntryV2, Quantity, 8, 8) \
    FIELD(TOfferEntryV2, Agent, 16, 4) \
    FIELD(TOfferEntryV2, OfferID, 20, 8) \
    FIELD(TOfferEntryV2, DateLength, 28, 2) \
    FIELD(TOfferEntryV2, Date, 30, 23) \
    STRUCT(TPriceEntryV1, 16) \
    FIELD(TPriceEntryV1, Price, 0, 8) \
    FIELD(TPriceEntryV1, Quantity, 8, 4) \
    FIELD(TPriceEntryV1, Count, 12, 4) \
    STRUCT(TPriceEntryV2, 24) \
    FIELD(TPriceEntryV2, Price, 0, 8) \
    FIELD(TPriceEntryV2, Quantity, 8, 8) \
    FIELD(TPriceEntryV2, Count, 16, 4) \
    STRUCT(TConnectorAccountIdentifier, 32) \
    FIELD(TConnectorAccountIdentifier, Version, 0, 1) \
    FIELD(TConnectorAccountIdentifier, BrokerID, 4, 4) \
    FIELD(TConnectorAccountIdentifier, AccountID, 8, 8) \
    FIELD(TConnectorAccountIdentifier, SubAccountID, 16, 8) \
    FIELD(TConnectorAccountIdentifier, Reserved, 24, 8) \
    STRUCT(TConnectorAccountIdentifierOut, 424) \
    FIELD(TConnectorAccountIdentifierOut, Version, 0, 1) \
    FIELD(TConnectorAccountIdentifierOut, BrokerID, 4, 4) \
    FIELD(TConnectorAccountIdentifierOut, AccountID, 8, 200) \
    FIELD(TConnectorAccountIdentifierOut, AccountIDLength, 208, 4) \
    FIELD(TConnectorAccountIdentifierOut, SubAccountID, 212, 200) \
    FIELD(TConnectorAccountIdentifierOut, SubAccountIDLength, 412, 4) \
    FIELD(TConnectorAccountIdentifierOut, Reserved, 416, 8) \
    STRUCT(TConnectorAssetIdentifier, 32) \
    FIELD(TConnectorAssetIdentifier, Version, 0, 1) \
    FIELD(TConnectorAssetIdentifier, Ticker, 8, 8) \
    FIELD(TConnectorAssetIdentifier, Exchange, 16, 8) \
    FIELD(TConnectorAssetIdentifier, FeedType, 24, 1) \
    STRUCT(TConnectorAssetIdentifierOut, 40) \
    FIELD(TConnectorAssetIdentifierOut, Version, 0, 1) \
    FIELD(TConnectorAssetIdentifierOut, Ticker, 8, 8) \
    FIELD(TConnectorAssetIdentifierOut, TickerLength, 16, 4) \
    FIELD(TConnectorAssetIdentifierOut, Exchange, 24, 8) \
    FIELD(TConnectorAssetIdentifierOut, ExchangeLength, 32, 4) \
    FIELD(TConnectorAssetIdentifierOut, FeedType, 36, 1) \
    STRUCT(TConnectorOrderIdentifier, 24) \
    FIELD(TConnectorOrderIdentifier, Version, 0, 1) \
    FIELD(TConnectorOrderIdentifier, LocalOrderID, 8, 8) \
    FIELD(TConnectorOrderIdentifier, ClOrderID, 16, 8) \
    STRUCT(TConnectorSendOrder, 120) \
    FIELD(TConnectorSendOrder, Version, 0, 1) \
    FIELD(TConnectorSendOrder, AccountID, 8, 32) \
    FIELD(TConnectorSendOrder, AssetID, 40, 32) \
    FIELD(TConnectorSendOrder, Password, 72, 8) \
    FIELD(TConnectorSendOrder, OrderType, 80, 1) \
    FIELD(TConnectorSendOrder, OrderSide, 81, 1) \
    FIELD(TConnectorSendOrder, Price, 88, 8) \
    FIELD(TConnectorSendOrder, StopPrice, 96, 8) \
    FIELD(TConnectorSendOrder, Quantity, 104, 8) \
    FIELD(TConnectorSendOrder, MessageID, 112, 8) \
    STRUCT(TConnectorChangeOrder, 104) \
    FIELD(TConnectorChangeOrder, Version, 0, 1) \
    FIELD(TConnectorChangeOrder, AccountID, 8, 32) \
    FIELD(TConnectorChangeOrder, OrderID, 40, 24) \
    FIELD(TConnectorChangeOrder, Password, 64, 8) \
    FIELD(TConnectorChangeOrder, Price, 72, 8) \
    FIELD(TConnectorChangeOrder, StopPrice, 80, 8) \
    FIELD(TConnectorChangeOrder, Quantity, 88, 8) \
    FIELD(TConnectorChangeOrder, MessageID, 96, 8) \
    STRUCT(TConnectorCancelOrder, 80) \
    FIELD(TConnectorCancelOrder, Version, 0, 1) \
    FIELD(TConnectorCancelOrder, AccountID, 8, 32) \
    FIELD(TConnectorCancelOrder, OrderID, 40, 24) \
    FIELD(TConnectorCancelOrder, Password, 64, 8) \
    FIELD(TConnectorCancelOrder, MessageID, 72, 8) \
    STRUCT(TConnectorCancelOrders, 80) \
    FIELD(TConnectorCancelOrders, Version, 0, 1) \
    FIELD(TConnectorCancelOrders, AccountID, 8, 32) \
    FIELD(TConnectorCancelOrders, AssetID, 40, 32) \
    FIELD(TConnectorCancelOrders, Password, 72, 8) \
    STRUCT(TConnectorCancelAllOrders, 48) \
    FIELD(TConnectorCancelAllOrders, Version, 0, 1) \
    FIELD(TConnectorCancelAllOrders, AccountID, 8, 32) \
    FIELD(TConnectorCancelAllOrders, Password, 40, 8) \
    STRUCT(TConnectorZeroPosition, 104) \
    FIELD(TConnectorZeroPosition, Version, 0, 1) \
    FIELD(TConnectorZeroPosition, AccountID, 8, 32) \
    FIELD(TConnectorZeroPosition, AssetID, 40, 32) \
    FIELD(TConnectorZeroPosition, Password, 72, 8) \
    FIELD(TConnectorZeroPosition, Price, 80, 8) \
    FIELD(TConnectorZeroPosition, PositionType, 88, 1) \
    FIELD(TConnectorZeroPosition, MessageID, 96, 8) \
    STRUCT(TConnectorTradingAccountOut, 96) \
    FIELD(TConnectorTradingAccountOut, Version, 0, 1) \
    FIELD(TConnectorTradingAccountOut, AccountID, 8, 32) \
    FIELD(TConnectorTradingAccountOut, BrokerName, 40, 8) \
    FIELD(TConnectorTradingAccountOut, BrokerNameLength, 48, 4) \
    FIELD(TConnectorTradingAccountOut, OwnerName, 56, 8) \
    FIELD(TConnectorTradingAccountOut, OwnerNameLength, 64, 4) \
    FIELD(TConnectorTradingAccountOut, SubOwnerName, 72, 8) \
    FIELD(TConnectorTradingAccountOut, SubOwnerNameLength, 80, 4) \
    FIELD(TConnectorTradingAccountOut, AccountFlags, 84, 4) \
    FIELD(TConnectorTradingAccountOut, AccountType, 88, 1) \
    STRUCT(TConnectorTradingAccountPosition, 216) \
    FIELD(TConnectorTradingAccountPosition, Version, 0, 1) \
    FIELD(TConnectorTradingAccountPosition, AccountID, 8, 32) \
    FIELD(TConnectorTradingAccountPosition, AssetID, 40, 32) \
    FIELD(TConnectorTradingAccountPosition, OpenQuantity, 72, 8) \
    FIELD(TConnectorTradingAccountPosition, OpenAveragePrice, 80, 8) \
    FIELD(TConnectorTradingAccountPosition, OpenSide, 88, 1) \
    FIELD(TConnectorTradingAccountPosition, DailyAverageSellPrice, 96, 8) \
    FIELD(TConnectorTradingAccountPosition, DailySellQuantity, 104, 8) \
    FIELD(TConnectorTradingAccountPosition, DailyAverageBuyPrice, 112, 8) \
    FIELD(TConnectorTradingAccountPosition, DailyBuyQuantity, 120, 8) \
    FIELD(TConnectorTradingAccountPosition, DailyQuantityD1, 128, 8) \
    FIELD(TConnectorTradingAccountPosition, DailyQuantityD2, 136, 8) \
    FIELD(TConnectorTradingAccountPosition, DailyQuantityD3, 144, 8) \
    FIELD(TConnectorTradingAccountPosition, DailyQuantityBlocked, 152, 8) \
    FIELD(TConnectorTradingAccountPosition, DailyQuantityPending, 160, 8) \
    FIELD(TConnectorTradingAccountPosition, DailyQuantityAlloc, 168, 8) \
    FIELD(TConnectorTradingAccountPosition, DailyQuantityProvision, 176, 8) \
    FIELD(TConnectorTradingAccountPosition, DailyQuantity, 184, 8) \
    FIELD(TConnectorTradingAccountPosition, DailyQuantityAvailable, 192, 8) \
    FIELD(TConnectorTradingAccountPosition, PositionType, 200, 1) \
    FIELD(TConnectorTradingAccountPosition, EventID, 208, 8) \
    STRUCT(TConnectorOrder, 232) \
    FIELD(TConnectorOrder, Version, 0, 1) \
    FIELD(TConnectorOrder, OrderID, 8, 24) \
    FIELD(TConnectorOrder, AccountID, 32, 32) \
    FIELD(TConnectorOrder, AssetID, 64, 32) \
    FIELD(TConnectorOrder, Quantity, 96, 8) \
    FIELD(TConnectorOrder, TradedQuantity, 104, 8) \
    FIELD(TConnectorOrder, LeavesQuantity, 112, 8) \
    FIELD(TConnectorOrder, Price, 120, 8) \
    FIELD(TConnectorOrder, StopPrice, 128, 8) \
    FIELD(TConnectorOrder, AveragePrice, 136, 8) \
    FIELD(TConnectorOrder, OrderSide, 144, 1) \
    FIELD(TConnectorOrder, OrderType, 145, 1) \
    FIELD(TConnectorOrder, OrderStatus, 146, 1) \
    FIELD(TConnectorOrder, ValidityType, 147, 1) \
    FIELD(TConnectorOrder, Date, 148, 16) \
    FIELD(TConnectorOrder, LastUpdate, 164, 16) \
    FIELD(TConnectorOrder, CloseDate, 180, 16) \
    FIELD(TConnectorOrder, ValidityDate, 196, 16) \
    FIELD(TConnectorOrder, TextMessage, 216, 8) \
    FIELD(TConnectorOrder, EventID, 224, 8) \
    STRUCT(TConnectorOrderOut, 640) \
    FIELD(TConnectorOrderOut, Version, 0, 1) \
    FIELD(TConnectorOrderOut, OrderID, 8, 24) \
    FIELD(TConnectorOrderOut, AccountID, 32, 424) \
    FIELD(TConnectorOrderOut, AssetID, 456, 40) \
    FIELD(TConnectorOrderOut, Quantity, 496, 8) \
    FIELD(TConnectorOrderOut, TradedQuantity, 504, 8) \
    FIELD(TConnectorOrderOut, LeavesQuantity, 512, 8) \
    FIELD(TConnectorOrderOut, Price, 520, 8) \
    FIELD(TConnectorOrderOut, StopPrice, 528, 8) \
    FIELD(TConnectorOrderOut, AveragePrice, 536, 8) \
    FIELD(TConnectorOrderOut, OrderSide, 544, 1) \
    FIELD(TConnectorOrderOut, OrderType, 545, 1) \
    FIELD(TConnectorOrderOut, OrderStatus, 546, 1) \
    FIELD(TConnectorOrderOut, ValidityType, 547, 1) \
    FIELD(TConnectorOrderOut, Date, 548, 16) \
    FIELD(TConnectorOrderOut, LastUpdate, 564, 16) \
    FIELD(TConnectorOrderOut, CloseDate, 580, 16) \
    FIELD(TConnectorOrderOut, ValidityDate, 596, 16) \
    FIELD(TConnectorOrderOut, TextMessage, 616, 8) \
    FIELD(TConnectorOrderOut, TextMessageLength, 624, 4) \
    FIELD(TConnectorOrderOut, EventID, 632, 8) \
    STRUCT(TConnectorTrade, 64) \
    FIELD(TConnectorTrade, Version, 0, 1) \
    FIELD(TConnectorTrade, TradeDate, 2, 16) \
    FIELD(TConnectorTrade, TradeNumber, 20, 4) \
    FIELD(TConnectorTrade, Price, 24, 8) \
    FIELD(TConnectorTrade, Quantity, 32, 8) \
    FIELD(TConnectorTrade, Volume, 40, 8) \
    FIELD(TConnectorTrade, BuyAgent, 48, 4) \
    FIELD(TConnectorTrade, SellAgent, 52, 4) \
    FIELD(TConnectorTrade, TradeType, 56, 1) \
    STRUCT(TConnectorPriceGroup, 40) \
    FIELD(TConnectorPriceGroup, Version, 0, 1) \
    FIELD(TConnectorPriceGroup, Price, 8, 8) \
    FIELD(TConnectorPriceGroup, Count, 16, 4) \
    FIELD(TConnectorPriceGroup, Quantity, 24, 8) \
    FIELD(TConnectorPriceGroup, PriceGroupFlags, 32, 4) \
    STRUCT(TConnectorTradingMessageResult, 64) \
    FIELD(TConnectorTradingMessageResult, Version, 0, 1) \
    FIELD(TConnectorTradingMessageResult, BrokerID, 4, 4) \
    FIELD(TConnectorTradingMessageResult, OrderID, 8, 24) \
    FIELD(TConnectorTradingMessageResult, MessageID, 32, 8) \
    FIELD(TConnectorTradingMessageResult, ResultCode, 40, 1) \
    FIELD(TConnectorTradingMessageResult, Message, 48, 8) \
    FIELD(TConnectorTradingMessageResult, MessageLength, 56, 4)

#define PROFIT_ASSERT_STRUCT(type, size) _Static_assert(sizeof(type) == (size), #type);
#define PROFIT_ASSERT_FIELD(type, field, offset, size)                                              \
    _Static_assert(offsetof(type, field) == (offset) && sizeof(((type *)0)->field) == (size), #type "." #field);
PROFIT_LAYOUTS(PROFIT_ASSERT_STRUCT, PROFIT_ASSERT_FIELD)

#endif
