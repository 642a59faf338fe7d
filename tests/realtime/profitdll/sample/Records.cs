// The current records, callbacks and calls, declared as C# users of the DLL declare them: texts marshalled as strings.
using System;
using System.Runtime.InteropServices;
using System.Text;

[StructLayout(LayoutKind.Sequential, CharSet = CharSet.Unicode)]
public struct AccountIdentifier
{
    public byte Version;
    public int BrokerID;
    [MarshalAs(UnmanagedType.LPWStr)] public string AccountID;
    [MarshalAs(UnmanagedType.LPWStr)] public string SubAccountID;
    public long Reserved;
}

[StructLayout(LayoutKind.Sequential, CharSet = CharSet.Unicode)]
public struct AccountIdentifierOut
{
    public byte Version;
    public int BrokerID;
    [MarshalAs(UnmanagedType.ByValTStr, SizeConst = 100)] public string AccountID;
    public int AccountIDLength;
    [MarshalAs(UnmanagedType.ByValTStr, SizeConst = 100)] public string SubAccountID;
    public int SubAccountIDLength;
    public long Reserved;
}

[StructLayout(LayoutKind.Sequential, CharSet = CharSet.Unicode)]
public struct AssetIdentifierOut
{
    public byte Version;
    [MarshalAs(UnmanagedType.LPWStr)] public string Ticker;
    public int TickerLength;
    [MarshalAs(UnmanagedType.LPWStr)] public string Exchange;
    public int ExchangeLength;
    public byte FeedType;
}

[StructLayout(LayoutKind.Sequential, CharSet = CharSet.Unicode)]
public struct OrderIdentifier
{
    public byte Version;
    public long LocalOrderID;
    [MarshalAs(UnmanagedType.LPWStr)] public string ClOrderID;
}

// Bytes: Mono passes over MarshalAs on an enumeration in a record, and CoreCLR 3.1 refuses it.
public enum OrderSide : byte { Buy = 1, Sell = 2 }
public enum OrderType : byte { Market = 1, Limit = 2, StopLimit = 4 }
public enum PositionType : byte { DayTrade = 1, Consolidated = 2 }

[StructLayout(LayoutKind.Sequential, CharSet = CharSet.Unicode)]
public struct NewOrder
{
    public byte Version;
    public AccountIdentifier AccountID;
    public AssetIdentifier AssetID;
    [MarshalAs(UnmanagedType.LPWStr)] public string Password;
    public OrderType OrderType;
    public OrderSide OrderSide;
    public double Price;
    public double StopPrice;
    public long Quantity;
    public long MessageID;
}

[StructLayout(LayoutKind.Sequential, CharSet = CharSet.Unicode)]
public struct ChangeOrder
{
    public byte Version;
    public AccountIdentifier AccountID;
    public OrderIdentifier OrderID;
    [MarshalAs(UnmanagedType.LPWStr)] public string Password;
    public double Price;
    public double StopPrice;
    public long Quantity;
    public long MessageID;
}

[StructLayout(LayoutKind.Sequential, CharSet = CharSet.Unicode)]
public struct CancelOrder
{
    public byte Version;
    public AccountIdentifier AccountID;
    public OrderIdentifier OrderID;
    [MarshalAs(UnmanagedType.LPWStr)] public string Password;
    public long MessageID;
}

[StructLayout(LayoutKind.Sequential, CharSet = CharSet.Unicode)]
public struct ZeroPosition
{
    public byte Version;
    public AccountIdentifier AccountID;
    public AssetIdentifier AssetID;
    [MarshalAs(UnmanagedType.LPWStr)] public string Password;
    public double Price;
    public PositionType PositionType;
    public long MessageID;
}

[StructLayout(LayoutKind.Sequential, CharSet = CharSet.Unicode)]
public struct TradingAccountOut
{
    public byte Version;
    public AccountIdentifier AccountID;
    [MarshalAs(UnmanagedType.LPWStr)] public string BrokerName;
    public int BrokerNameLength;
    [MarshalAs(UnmanagedType.LPWStr)] public string OwnerName;
    public int OwnerNameLength;
    [MarshalAs(UnmanagedType.LPWStr)] public string SubOwnerName;
    public int SubOwnerNameLength;
    public int AccountFlags;
    public byte AccountType;
}

[StructLayout(LayoutKind.Sequential, CharSet = CharSet.Unicode)]
public struct AccountPosition
{
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
    public long DailyQuantityD1, DailyQuantityD2, DailyQuantityD3;
    public long DailyQuantityBlocked, DailyQuantityPending, DailyQuantityAlloc, DailyQuantityProvision;
    public long DailyQuantity, DailyQuantityAvailable;
    public PositionType PositionType;
    public long EventID;
}

[StructLayout(LayoutKind.Sequential, CharSet = CharSet.Unicode)]
public struct Order
{
    public byte Version;
    public OrderIdentifier OrderID;
    public AccountIdentifier AccountID;
    public AssetIdentifier AssetID;
    public long Quantity, TradedQuantity, LeavesQuantity;
    public double Price, StopPrice, AveragePrice;
    public OrderSide OrderSide;
    public OrderType OrderType;
    public byte OrderStatus, ValidityType;
    public SystemTime Date, LastUpdate, CloseDate, ValidityDate;
    [MarshalAs(UnmanagedType.LPWStr)] public string TextMessage;
    public long EventID;
}

[StructLayout(LayoutKind.Sequential, CharSet = CharSet.Unicode)]
public struct OrderOut
{
    public byte Version;
    public OrderIdentifier OrderID;
    public AccountIdentifierOut AccountID;
    public AssetIdentifierOut AssetID;
    public long Quantity, TradedQuantity, LeavesQuantity;
    public double Price, StopPrice, AveragePrice;
    public OrderSide OrderSide;
    public OrderType OrderType;
    public byte OrderStatus, ValidityType;
    public SystemTime Date, LastUpdate, CloseDate, ValidityDate;
    [MarshalAs(UnmanagedType.LPWStr)] public string TextMessage;
    public int TextMessageLength;
    public long EventID;
}

[StructLayout(LayoutKind.Sequential)]
public struct PriceGroup
{
    public byte Version;
    public double Price;
    public uint Count;
    public long Quantity;
    public uint PriceGroupFlags;
}

[StructLayout(LayoutKind.Sequential, CharSet = CharSet.Unicode)]
public struct MessageResult
{
    public byte Version;
    public int BrokerID;
    public OrderIdentifier OrderID;
    public long MessageID;
    public byte ResultCode;
    [MarshalAs(UnmanagedType.LPWStr)] public string Message;
    public int MessageLength;
}

public delegate void OrderCallback(OrderIdentifier order);
public delegate void AccountEventCallback(AccountIdentifier account);
public delegate void PositionListCallback(AccountIdentifier account, AssetIdentifier asset, long eventId);
public delegate void MessageCallback([In] ref MessageResult result);
public delegate void BrokerAccountsCallback(int broker, int changed);
public delegate void InvalidTickerCallback(AssetIdentifier asset);
public delegate void DepthCallback(AssetIdentifier asset, byte side, int position, byte update);
public delegate void OfferCallbackV2(
    TAssetID asset, int action, int position, int side, long quantity, int agent, long offerId, double price,
    int hasPrice, int hasQuantity, int hasDate, int hasOfferId, int hasAgent,
    [MarshalAs(UnmanagedType.LPWStr)] string date, IntPtr sells, IntPtr buys);
public delegate void AssetInfoCallbackV2(
    TAssetID asset, [MarshalAs(UnmanagedType.LPWStr)] string name, [MarshalAs(UnmanagedType.LPWStr)] string description,
    long minimum, long maximum, long lot, int type, int subType, double increment, double multiplier,
    [MarshalAs(UnmanagedType.LPWStr)] string expiry, [MarshalAs(UnmanagedType.LPWStr)] string isin,
    [MarshalAs(UnmanagedType.LPWStr)] string sector, [MarshalAs(UnmanagedType.LPWStr)] string subSector,
    [MarshalAs(UnmanagedType.LPWStr)] string segment);
[UnmanagedFunctionPointer(CallingConvention.StdCall)]
[return: MarshalAs(UnmanagedType.Bool)]
public delegate bool EachOrder([In] ref Order order, IntPtr user);
[UnmanagedFunctionPointer(CallingConvention.StdCall)]
[return: MarshalAs(UnmanagedType.Bool)]
public delegate bool EachAsset([In] ref AssetIdentifier asset, IntPtr user);

public static class Current
{
    const string Name = Dll.Name;

    [DllImport(Name)] public static extern int SetTradeCallbackV2(TradeCallbackV2 callback);
    [DllImport(Name)] public static extern int SetHistoryTradeCallbackV2(TradeCallbackV2 callback);
    [DllImport(Name)] public static extern int SetOrderCallback(OrderCallback callback);
    [DllImport(Name)] public static extern int SetOrderHistoryCallback(AccountEventCallback callback);
    [DllImport(Name)] public static extern int SetAssetPositionListCallback(PositionListCallback callback);
    [DllImport(Name)] public static extern int SetTradingMessageResultCallback(MessageCallback callback);
    [DllImport(Name)] public static extern int SetBrokerAccountListChangedCallback(BrokerAccountsCallback callback);
    [DllImport(Name)] public static extern int SetInvalidTickerCallback(InvalidTickerCallback callback);
    [DllImport(Name)] public static extern int SetPriceDepthCallback(DepthCallback callback);
    [DllImport(Name)] public static extern int SetOfferBookCallbackV2(OfferCallbackV2 callback);
    [DllImport(Name)] public static extern int SetAssetListInfoCallbackV2(AssetInfoCallbackV2 callback);
    [DllImport(Name)] public static extern int TranslateTrade(IntPtr trade, ref Trade into);
    [DllImport(Name, CharSet = CharSet.Unicode)] public static extern int SubscribeTicker(string ticker, string exchange);
    [DllImport(Name, CharSet = CharSet.Unicode)] public static extern int UnsubscribeTicker(string ticker, string exchange);
    [DllImport(Name, CharSet = CharSet.Unicode)] public static extern int SubscribeOfferBook(string ticker, string exchange);
    [DllImport(Name, CharSet = CharSet.Unicode)] public static extern int UnsubscribeOfferBook(string ticker, string exchange);
    [DllImport(Name, CharSet = CharSet.Unicode)] public static extern int RequestTickerInfo(string ticker, string exchange);
    [DllImport(Name, CharSet = CharSet.Unicode)]
    public static extern int GetHistoryTrades(string ticker, string exchange, string start, string end);
    [DllImport(Name)] public static extern int SubscribePriceDepth([In] ref AssetIdentifier asset);
    [DllImport(Name)] public static extern int UnsubscribePriceDepth([In] ref AssetIdentifier asset);
    [DllImport(Name)] public static extern int GetPriceDepthSideCount([In] ref AssetIdentifier asset, byte side);
    [DllImport(Name)]
    public static extern int GetPriceGroup([In] ref AssetIdentifier asset, byte side, int position, ref PriceGroup group);
    [DllImport(Name)] public static extern int FreePointer(IntPtr pointer, int size);
    [DllImport(Name)] public static extern int GetAgentNameLength(int agent, int flags);
    [DllImport(Name)]
    public static extern int GetAgentName(
        int length, int agent, [MarshalAs(UnmanagedType.LPWStr)] StringBuilder name, int flags);
    [DllImport(Name)] public static extern int GetAccountCount();
    [DllImport(Name)]
    public static extern int GetAccounts(
        int source, int destination, int count,
        [In, Out, MarshalAs(UnmanagedType.LPArray, SizeParamIndex = 2)] AccountIdentifierOut[] accounts);
    [DllImport(Name)] public static extern int GetAccountCountByBroker(int broker);
    [DllImport(Name)]
    public static extern int GetAccountsByBroker(
        int broker, int source, int destination, int count,
        [In, Out, MarshalAs(UnmanagedType.LPArray, SizeParamIndex = 3)] AccountIdentifierOut[] accounts);
    [DllImport(Name)] public static extern int GetAccountDetails(ref TradingAccountOut account);
    [DllImport(Name)] public static extern int GetPositionV2(ref AccountPosition position);
    [DllImport(Name)]
    public static extern int EnumerateAllPositionAssets(
        [In] ref AccountIdentifier account, byte version, IntPtr user, EachAsset each);
    [DllImport(Name)] public static extern long SendOrder(ref NewOrder order);
    [DllImport(Name)] public static extern int SendChangeOrderV2(ref ChangeOrder order);
    [DllImport(Name)] public static extern int SendCancelOrderV2(ref CancelOrder order);
    [DllImport(Name)] public static extern long SendZeroPositionV2(ref ZeroPosition zero);
    [DllImport(Name)] public static extern int GetOrderDetails(ref OrderOut order);
    [DllImport(Name)]
    public static extern int HasOrdersInInterval([In] ref AccountIdentifier account, SystemTime start, SystemTime end);
    [DllImport(Name)]
    public static extern int EnumerateOrdersByInterval(
        [In] ref AccountIdentifier account, byte version, SystemTime start, SystemTime end, IntPtr user, EachOrder each);
    [DllImport(Name)]
    public static extern int EnumerateAllOrders(
        [In] ref AccountIdentifier account, byte version, IntPtr user, EachOrder each);
}
