// What ProfitDLL64 exports and hands over: structs with the field names of the vendor, functions, callback types.
// C# 5 only. Everything is blittable (pointers, no strings), so that no call and no callback allocates.
using System;
using System.Runtime.InteropServices;
using System.Security;

namespace ProfitInterop {
    [StructLayout(LayoutKind.Sequential)]
    public struct SystemTime {
        public ushort Year, Month, DayOfWeek, Day, Hour, Minute, Second, Milliseconds;
    }

    [StructLayout(LayoutKind.Sequential, Pack = 1)]
    public unsafe struct TAssetIDRec {
        public char* pwcTicker;
        public char* pwcBolsa;
        public int nFeed;
    }

    [StructLayout(LayoutKind.Sequential, Pack = 1)]
    public unsafe struct TAccountRec {
        public char* pwhAccountID;
        public char* pwhTitular;
        public char* pwhNomeCorretora;
        public int nCorretoraID;
    }

    [StructLayout(LayoutKind.Sequential)]
    public unsafe struct AccountIdentifier {
        public byte Version;
        public int BrokerID;
        public char* AccountID;
        public char* SubAccountID;
        public long Reserved;
    }

    [StructLayout(LayoutKind.Sequential)]
    public unsafe struct AccountIdentifierOut {
        public byte Version;
        public int BrokerID;
        public fixed ushort AccountID[100];
        public int AccountIDLength;
        public fixed ushort SubAccountID[100];
        public int SubAccountIDLength;
        public long Reserved;
    }

    [StructLayout(LayoutKind.Sequential)]
    public unsafe struct AssetIdentifier {
        public byte Version;
        public char* Ticker;
        public char* Exchange;
        public byte FeedType;
    }

    [StructLayout(LayoutKind.Sequential)]
    public unsafe struct AssetIdentifierOut {
        public byte Version;
        public char* Ticker;
        public int TickerLength;
        public char* Exchange;
        public int ExchangeLength;
        public byte FeedType;
    }

    [StructLayout(LayoutKind.Sequential)]
    public unsafe struct OrderIdentifier {
        public byte Version;
        public long LocalOrderID;
        public char* ClOrderID;
    }

    [StructLayout(LayoutKind.Sequential)]
    public unsafe struct SendOrder {
        public byte Version;
        public AccountIdentifier AccountID;
        public AssetIdentifier AssetID;
        public char* Password;
        public byte OrderType;
        public byte OrderSide;
        public double Price;
        public double StopPrice;
        public long Quantity;
        public long MessageID;
    }

    [StructLayout(LayoutKind.Sequential)]
    public unsafe struct ChangeOrder {
        public byte Version;
        public AccountIdentifier AccountID;
        public OrderIdentifier OrderID;
        public char* Password;
        public double Price;
        public double StopPrice;
        public long Quantity;
        public long MessageID;
    }

    [StructLayout(LayoutKind.Sequential)]
    public unsafe struct CancelOrder {
        public byte Version;
        public AccountIdentifier AccountID;
        public OrderIdentifier OrderID;
        public char* Password;
        public long MessageID;
    }

    [StructLayout(LayoutKind.Sequential)]
    public unsafe struct CancelOrders {
        public byte Version;
        public AccountIdentifier AccountID;
        public AssetIdentifier AssetID;
        public char* Password;
    }

    [StructLayout(LayoutKind.Sequential)]
    public unsafe struct CancelAllOrders {
        public byte Version;
        public AccountIdentifier AccountID;
        public char* Password;
    }

    [StructLayout(LayoutKind.Sequential)]
    public unsafe struct ZeroPosition {
        public byte Version;
        public AccountIdentifier AccountID;
        public AssetIdentifier AssetID;
        public char* Password;
        public double Price;
        public byte PositionType;
        public long MessageID;
    }

    [StructLayout(LayoutKind.Sequential)]
    public unsafe struct TradingAccountOut {
        public byte Version;
        public AccountIdentifier AccountID;
        public char* BrokerName;
        public int BrokerNameLength;
        public char* OwnerName;
        public int OwnerNameLength;
        public char* SubOwnerName;
        public int SubOwnerNameLength;
        public uint AccountFlags;
        public byte AccountType;
    }

    [StructLayout(LayoutKind.Sequential)]
    public struct TradingAccountPosition {
        public byte Version;
        public AccountIdentifier AccountID;
        public AssetIdentifier AssetID;
        public long OpenQuantity;
        public double OpenAveragePrice;
        public byte OpenSide;
        public double DailyAverageSellPrice;
        public long DailySellQuantity;
        public double DailyAverageBuyPrice;
        public long DailyBuyQuantity;
        public long DailyQuantityD1;
        public long DailyQuantityD2;
        public long DailyQuantityD3;
        public long DailyQuantityBlocked;
        public long DailyQuantityPending;
        public long DailyQuantityAlloc;
        public long DailyQuantityProvision;
        public long DailyQuantity;
        public long DailyQuantityAvailable;
        public byte PositionType;
        public long EventID;
    }

    [StructLayout(LayoutKind.Sequential)]
    public unsafe struct Order {
        public byte Version;
        public OrderIdentifier OrderID;
        public AccountIdentifier AccountID;
        public AssetIdentifier AssetID;
        public long Quantity;
        public long TradedQuantity;
        public long LeavesQuantity;
        public double Price;
        public double StopPrice;
        public double AveragePrice;
        public byte OrderSide;
        public byte OrderType;
        public byte OrderStatus;
        public byte ValidityType;
        public SystemTime Date;
        public SystemTime LastUpdate;
        public SystemTime CloseDate;
        public SystemTime ValidityDate;
        public char* TextMessage;
        public long EventID;
    }

    [StructLayout(LayoutKind.Sequential)]
    public unsafe struct OrderOut {
        public byte Version;
        public OrderIdentifier OrderID;
        public AccountIdentifierOut AccountID;
        public AssetIdentifierOut AssetID;
        public long Quantity;
        public long TradedQuantity;
        public long LeavesQuantity;
        public double Price;
        public double StopPrice;
        public double AveragePrice;
        public byte OrderSide;
        public byte OrderType;
        public byte OrderStatus;
        public byte ValidityType;
        public SystemTime Date;
        public SystemTime LastUpdate;
        public SystemTime CloseDate;
        public SystemTime ValidityDate;
        public char* TextMessage;
        public int TextMessageLength;
        public long EventID;
    }

    [StructLayout(LayoutKind.Sequential)]
    public struct Trade {
        public byte Version;
        public SystemTime TradeDate;
        public uint TradeNumber;
        public double Price;
        public long Quantity;
        public double Volume;
        public int BuyAgent;
        public int SellAgent;
        public byte TradeType;
    }

    [StructLayout(LayoutKind.Sequential)]
    public struct PriceGroup {
        public byte Version;
        public double Price;
        public uint Count;
        public long Quantity;
        public uint PriceGroupFlags;
    }

    [StructLayout(LayoutKind.Sequential)]
    public unsafe struct TradingMessageResult {
        public byte Version;
        public int BrokerID;
        public OrderIdentifier OrderID;
        public long MessageID;
        public byte ResultCode;
        public char* Message;
        public int MessageLength;
    }

    // One entry of the full book by order; the array has a header of 8 bytes and a trailer of 4.
    [StructLayout(LayoutKind.Sequential, Pack = 1)]
    public unsafe struct OfferEntry {
        public double Price;
        public long Quantity;
        public int Agent;
        public long OfferID;
        public ushort DateLength;
        public fixed byte Date[23];
    }

    [SuppressUnmanagedCodeSecurity]
    public static unsafe class Native {
        const string Library = "ProfitDLL64";
        const CallingConvention Call = CallingConvention.StdCall;

        [DllImport(Library, CallingConvention = Call)]
        public static extern int DLLInitializeLogin(char* key, char* user, char* password, IntPtr state, IntPtr orderHistory,
            IntPtr orderChange, IntPtr account, IntPtr trade, IntPtr daily, IntPtr priceBook, IntPtr offerBook,
            IntPtr historyTrade, IntPtr progress, IntPtr tinyBook);
        [DllImport(Library, CallingConvention = Call)]
        public static extern int DLLInitializeMarketLogin(char* key, char* user, char* password, IntPtr state, IntPtr trade,
            IntPtr daily, IntPtr priceBook, IntPtr offerBook, IntPtr historyTrade, IntPtr progress, IntPtr tinyBook);
        [DllImport(Library, CallingConvention = Call)] public static extern int DLLFinalize();
        [DllImport(Library, CallingConvention = Call, EntryPoint = "Finalize")] public static extern int OldFinalize();
        [DllImport(Library, CallingConvention = Call)] public static extern int SetServerAndPort(char* server, char* port);
        [DllImport(Library, CallingConvention = Call)] public static extern int GetServerClock(double* days, int* year,
            int* month, int* day, int* hour, int* minute, int* second, int* millisecond);
        [DllImport(Library, CallingConvention = Call)] public static extern int GetHealthStatus(int* health);
        [DllImport(Library, CallingConvention = Call)] public static extern int SetEnabledLogToDebug(int on);
        [DllImport(Library, CallingConvention = Call)] public static extern int SetDayTrade(int on);
        [DllImport(Library, CallingConvention = Call)] public static extern int FreePointer(void* pointer, int size);

        [DllImport(Library, CallingConvention = Call)] public static extern int SetHealthCallback(IntPtr callback);
        [DllImport(Library, CallingConvention = Call)] public static extern int SetBrokerAccountListChangedCallback(IntPtr callback);
        [DllImport(Library, CallingConvention = Call)] public static extern int SetBrokerSubAccountListChangedCallback(IntPtr callback);
        [DllImport(Library, CallingConvention = Call)] public static extern int SetTradeCallbackV2(IntPtr callback);
        [DllImport(Library, CallingConvention = Call)] public static extern int SetHistoryTradeCallbackV2(IntPtr callback);
        [DllImport(Library, CallingConvention = Call)] public static extern int SetPriceDepthCallback(IntPtr callback);
        [DllImport(Library, CallingConvention = Call)] public static extern int SetOfferBookCallbackV2(IntPtr callback);
        [DllImport(Library, CallingConvention = Call)] public static extern int SetTheoreticalPriceCallback(IntPtr callback);
        [DllImport(Library, CallingConvention = Call)] public static extern int SetChangeCotationCallback(IntPtr callback);
        [DllImport(Library, CallingConvention = Call)] public static extern int SetChangeStateTickerCallback(IntPtr callback);
        [DllImport(Library, CallingConvention = Call)] public static extern int SetInvalidTickerCallback(IntPtr callback);
        [DllImport(Library, CallingConvention = Call)] public static extern int SetAssetListCallback(IntPtr callback);
        [DllImport(Library, CallingConvention = Call)] public static extern int SetAssetListInfoCallbackV2(IntPtr callback);
        [DllImport(Library, CallingConvention = Call)] public static extern int SetAdjustHistoryCallbackV2(IntPtr callback);
        [DllImport(Library, CallingConvention = Call)] public static extern int SetOrderCallback(IntPtr callback);
        [DllImport(Library, CallingConvention = Call)] public static extern int SetOrderHistoryCallback(IntPtr callback);
        [DllImport(Library, CallingConvention = Call)] public static extern int SetAssetPositionListCallback(IntPtr callback);
        [DllImport(Library, CallingConvention = Call)] public static extern int SetTradingMessageResultCallback(IntPtr callback);

        [DllImport(Library, CallingConvention = Call)] public static extern int TranslateTrade(IntPtr handle, Trade* trade);
        [DllImport(Library, CallingConvention = Call)] public static extern int GetPriceDepthSideCount(AssetIdentifier* asset, byte side);
        [DllImport(Library, CallingConvention = Call)] public static extern int GetPriceGroup(AssetIdentifier* asset, byte side, int position, PriceGroup* level);
        [DllImport(Library, CallingConvention = Call)] public static extern int GetTheoreticalValues(AssetIdentifier* asset, double* price, long* quantity);

        [DllImport(Library, CallingConvention = Call)] public static extern int SubscribeTicker(char* ticker, char* exchange);
        [DllImport(Library, CallingConvention = Call)] public static extern int UnsubscribeTicker(char* ticker, char* exchange);
        [DllImport(Library, CallingConvention = Call)] public static extern int SubscribePriceDepth(AssetIdentifier* asset);
        [DllImport(Library, CallingConvention = Call)] public static extern int UnsubscribePriceDepth(AssetIdentifier* asset);
        [DllImport(Library, CallingConvention = Call)] public static extern int SubscribeOfferBook(char* ticker, char* exchange);
        [DllImport(Library, CallingConvention = Call)] public static extern int UnsubscribeOfferBook(char* ticker, char* exchange);
        [DllImport(Library, CallingConvention = Call)] public static extern int SubscribeAdjustHistory(char* ticker, char* exchange);
        [DllImport(Library, CallingConvention = Call)] public static extern int UnsubscribeAdjustHistory(char* ticker, char* exchange);
        [DllImport(Library, CallingConvention = Call)] public static extern int RequestTickerInfo(char* ticker, char* exchange);
        [DllImport(Library, CallingConvention = Call)] public static extern int GetLastDailyClose(char* ticker, char* exchange, double* close, int adjusted);
        [DllImport(Library, CallingConvention = Call)] public static extern int GetHistoryTrades(char* ticker, char* exchange, char* start, char* end);
        [DllImport(Library, CallingConvention = Call)] public static extern int GetAgentNameLength(int agent, uint flags);
        [DllImport(Library, CallingConvention = Call)] public static extern int GetAgentName(int length, int agent, char* name, uint flags);

        [DllImport(Library, CallingConvention = Call)] public static extern int GetAccount();
        [DllImport(Library, CallingConvention = Call)] public static extern int GetAccountCount();
        [DllImport(Library, CallingConvention = Call)] public static extern int GetAccounts(int startSource, int startDestination, int count, AccountIdentifierOut* accounts);
        [DllImport(Library, CallingConvention = Call)] public static extern int GetAccountDetails(TradingAccountOut* account);
        [DllImport(Library, CallingConvention = Call)] public static extern int GetSubAccountCount(AccountIdentifier* master);
        [DllImport(Library, CallingConvention = Call)] public static extern int GetSubAccounts(AccountIdentifier* master, int startSource, int startDestination, int count, AccountIdentifierOut* accounts);
        [DllImport(Library, CallingConvention = Call)] public static extern int GetPositionV2(TradingAccountPosition* position);
        [DllImport(Library, CallingConvention = Call)] public static extern int EnumerateAllPositionAssets(AccountIdentifier* account, byte version, IntPtr value, IntPtr callback);

        [DllImport(Library, CallingConvention = Call, EntryPoint = "SendOrder")] public static extern long Send(SendOrder* order);
        [DllImport(Library, CallingConvention = Call)] public static extern int SendChangeOrderV2(ChangeOrder* order);
        [DllImport(Library, CallingConvention = Call)] public static extern int SendCancelOrderV2(CancelOrder* order);
        [DllImport(Library, CallingConvention = Call)] public static extern int SendCancelOrdersV2(CancelOrders* order);
        [DllImport(Library, CallingConvention = Call)] public static extern int SendCancelAllOrdersV2(CancelAllOrders* order);
        [DllImport(Library, CallingConvention = Call)] public static extern long SendZeroPositionV2(ZeroPosition* position);
        [DllImport(Library, CallingConvention = Call)] public static extern int GetOrderDetails(OrderOut* order);
        [DllImport(Library, CallingConvention = Call)] public static extern int HasOrdersInInterval(AccountIdentifier* account, SystemTime start, SystemTime end);
        [DllImport(Library, CallingConvention = Call)] public static extern int EnumerateOrdersByInterval(AccountIdentifier* account, byte version, SystemTime start, SystemTime end, IntPtr value, IntPtr callback);
        [DllImport(Library, CallingConvention = Call)] public static extern int EnumerateAllOrders(AccountIdentifier* account, byte version, IntPtr value, IntPtr callback);
    }

    // The platform below .NET: only what Linux offers and .NET hides.
    [SuppressUnmanagedCodeSecurity]
    static unsafe class Linux {
        [DllImport("libc")] public static extern int clock_gettime(int clock, long* time);
        [DllImport("libc")] public static extern IntPtr write(int file, void* bytes, IntPtr count);
    }

    [UnmanagedFunctionPointer(CallingConvention.StdCall)] public delegate void StateCallback(int type, int result);
    [UnmanagedFunctionPointer(CallingConvention.StdCall)] public delegate void HealthCallback(int health);
    [UnmanagedFunctionPointer(CallingConvention.StdCall)] public unsafe delegate void AccountCallback(int broker, char* brokerName, char* account, char* holder);
    [UnmanagedFunctionPointer(CallingConvention.StdCall)] public delegate void AccountsChangedCallback(int broker, uint changed);
    [UnmanagedFunctionPointer(CallingConvention.StdCall)] public delegate void AccountIdCallback(AccountIdentifier account);
    [UnmanagedFunctionPointer(CallingConvention.StdCall)] public delegate void TradeCallback(AssetIdentifier asset, IntPtr trade, uint flags);
    [UnmanagedFunctionPointer(CallingConvention.StdCall)] public delegate void ProgressCallback(TAssetIDRec asset, int percent);
    [UnmanagedFunctionPointer(CallingConvention.StdCall)] public unsafe delegate void DailyCallback(TAssetIDRec asset, char* date,
        double open, double high, double low, double close, double volume, double adjustment, double maxLimit, double minLimit,
        double buyerVolume, double sellerVolume, int quantity, int trades, int openContracts, int buyerQuantity,
        int sellerQuantity, int buyerTrades, int sellerTrades);
    [UnmanagedFunctionPointer(CallingConvention.StdCall)] public delegate void TinyBookCallback(TAssetIDRec asset, double price, int quantity, int side);
    [UnmanagedFunctionPointer(CallingConvention.StdCall)] public delegate void DepthCallback(AssetIdentifier asset, byte side, int position, byte update);
    [UnmanagedFunctionPointer(CallingConvention.StdCall)] public unsafe delegate void OfferCallback(TAssetIDRec asset, int action,
        int position, int side, long quantity, int agent, long offer, double price, ushort hasPrice, ushort hasQuantity,
        ushort hasDate, ushort hasOffer, ushort hasAgent, char* date, byte* sell, byte* buy);
    [UnmanagedFunctionPointer(CallingConvention.StdCall)] public delegate void TheoreticalCallback(TAssetIDRec asset, double price, long quantity);
    [UnmanagedFunctionPointer(CallingConvention.StdCall)] public unsafe delegate void LastQuoteCallback(TAssetIDRec asset, char* date, uint number, double price);
    [UnmanagedFunctionPointer(CallingConvention.StdCall)] public unsafe delegate void AssetStateCallback(TAssetIDRec asset, char* date, int state);
    [UnmanagedFunctionPointer(CallingConvention.StdCall)] public delegate void InvalidTickerCallback(AssetIdentifier asset);
    [UnmanagedFunctionPointer(CallingConvention.StdCall)] public unsafe delegate void AssetListCallback(TAssetIDRec asset, char* name);
    [UnmanagedFunctionPointer(CallingConvention.StdCall)] public unsafe delegate void AssetInfoCallback(TAssetIDRec asset, char* name,
        char* description, long minimum, long maximum, long lot, int type, int subType, double increment, double multiplier,
        char* expiry, char* isin, char* sector, char* subSector, char* segment);
    [UnmanagedFunctionPointer(CallingConvention.StdCall)] public unsafe delegate void AdjustmentCallback(TAssetIDRec asset, double value,
        char* type, char* note, char* adjusted, char* decided, char* paid, uint flags, double multiplier);
    [UnmanagedFunctionPointer(CallingConvention.StdCall)] public delegate void OrderCallback(OrderIdentifier order);
    [UnmanagedFunctionPointer(CallingConvention.StdCall)] public delegate void PositionCallback(AccountIdentifier account, AssetIdentifier asset, long eventId);
    [UnmanagedFunctionPointer(CallingConvention.StdCall)] public unsafe delegate void MessageCallback(TradingMessageResult* message);
    [UnmanagedFunctionPointer(CallingConvention.StdCall)] public unsafe delegate int EnumerateOrderCallback(Order* order, IntPtr value);
    [UnmanagedFunctionPointer(CallingConvention.StdCall)] public unsafe delegate int EnumerateAssetCallback(AssetIdentifier* asset, IntPtr value);
}
