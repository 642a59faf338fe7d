// A client as users of the DLL have them: string-marshalled records, delegates given to the initialiser, legacy calls
// beside current ones. It knows nothing of the simulator. Prints one line for each thing that it saw, then a summary.
using System;
using System.Collections.Generic;
using System.Runtime.InteropServices;
using System.Threading;

[StructLayout(LayoutKind.Sequential, CharSet = CharSet.Unicode)]
public struct TAssetID
{
    [MarshalAs(UnmanagedType.LPWStr)] public string Ticker;
    [MarshalAs(UnmanagedType.LPWStr)] public string Bolsa;
    public int Feed;
}

[StructLayout(LayoutKind.Sequential, CharSet = CharSet.Unicode)]
public struct AssetIdentifier
{
    public byte Version;
    [MarshalAs(UnmanagedType.LPWStr)] public string Ticker;
    [MarshalAs(UnmanagedType.LPWStr)] public string Exchange;
    public byte FeedType;
}

[StructLayout(LayoutKind.Sequential)]
public struct SystemTime
{
    public ushort Year, Month, DayOfWeek, Day, Hour, Minute, Second, Milliseconds;
}

[StructLayout(LayoutKind.Sequential)]
public struct Trade
{
    public byte Version;
    public SystemTime TradeDate;
    public uint TradeNumber;
    public double Price;
    public long Quantity;
    public double Volume;
    public int BuyAgent, SellAgent;
    public byte TradeType;
}

public delegate void StateCallback(int type, int result);
public delegate void AccountCallback(
    int broker, [MarshalAs(UnmanagedType.LPWStr)] string name, [MarshalAs(UnmanagedType.LPWStr)] string account,
    [MarshalAs(UnmanagedType.LPWStr)] string holder);
public delegate void TradeCallbackV2(AssetIdentifier asset, IntPtr trade, uint flags);
public delegate void NewTradeCallback(
    TAssetID asset, [MarshalAs(UnmanagedType.LPWStr)] string date, uint number, double price, double volume, int quantity,
    int buyAgent, int sellAgent, int type, int edit);
public delegate void DailyCallback(
    TAssetID asset, [MarshalAs(UnmanagedType.LPWStr)] string date, double open, double high, double low, double close,
    double volume, double adjustment, double maxLimit, double minLimit, double buyerVolume, double sellerVolume,
    int quantity, int trades, int contracts, int buyerQuantity, int sellerQuantity, int buyerTrades, int sellerTrades);
public delegate void ProgressCallback(TAssetID asset, int percent);
public delegate void TinyBookCallback(TAssetID asset, double price, int quantity, int side);
public delegate void HistoryTradeCallback(
    TAssetID asset, [MarshalAs(UnmanagedType.LPWStr)] string date, uint number, double price, double volume, int quantity,
    int buyAgent, int sellAgent, int type);
public delegate void OrderChangeCallback(
    TAssetID asset, int broker, int quantity, int traded, int leaves, int side, double price, double stop, double average,
    long profitId, [MarshalAs(UnmanagedType.LPWStr)] string orderType, [MarshalAs(UnmanagedType.LPWStr)] string account,
    [MarshalAs(UnmanagedType.LPWStr)] string holder, [MarshalAs(UnmanagedType.LPWStr)] string clOrdId,
    [MarshalAs(UnmanagedType.LPWStr)] string status, [MarshalAs(UnmanagedType.LPWStr)] string date,
    [MarshalAs(UnmanagedType.LPWStr)] string text);

public static class Dll
{
#if SHORT_NAME
    public const string Name = "ProfitDLL.dll";
#else
    public const string Name = "ProfitDLL64.dll";
#endif

    [DllImport(Name, CallingConvention = CallingConvention.StdCall)]
    public static extern int DLLInitializeLogin(
        [MarshalAs(UnmanagedType.LPWStr)] string key, [MarshalAs(UnmanagedType.LPWStr)] string user,
        [MarshalAs(UnmanagedType.LPWStr)] string password, StateCallback state, Delegate history,
        OrderChangeCallback orderChange, AccountCallback account, NewTradeCallback newTrade, DailyCallback daily,
        Delegate priceBook, Delegate offerBook, HistoryTradeCallback historyTrade, ProgressCallback progress,
        TinyBookCallback tinyBook);
    [DllImport(Name, CallingConvention = CallingConvention.StdCall)] public static extern int DLLFinalize();
    [DllImport(Name, CallingConvention = CallingConvention.StdCall)]
    public static extern int SetTradeCallbackV2(TradeCallbackV2 callback);
    [DllImport(Name, CallingConvention = CallingConvention.StdCall)]
    public static extern int TranslateTrade(IntPtr trade, ref Trade into);
    [DllImport(Name, CallingConvention = CallingConvention.StdCall)]
    public static extern int SubscribeTicker(
        [MarshalAs(UnmanagedType.LPWStr)] string ticker, [MarshalAs(UnmanagedType.LPWStr)] string exchange);
    [DllImport(Name, CallingConvention = CallingConvention.StdCall)]
    public static extern int UnsubscribeTicker(
        [MarshalAs(UnmanagedType.LPWStr)] string ticker, [MarshalAs(UnmanagedType.LPWStr)] string exchange);
    [DllImport(Name, CallingConvention = CallingConvention.StdCall)]
    public static extern int GetHistoryTrades(
        [MarshalAs(UnmanagedType.LPWStr)] string ticker, [MarshalAs(UnmanagedType.LPWStr)] string exchange,
        [MarshalAs(UnmanagedType.LPWStr)] string start, [MarshalAs(UnmanagedType.LPWStr)] string end);
    [DllImport(Name, CallingConvention = CallingConvention.StdCall)]
    public static extern long SendBuyOrder(
        [MarshalAs(UnmanagedType.LPWStr)] string account, [MarshalAs(UnmanagedType.LPWStr)] string broker,
        [MarshalAs(UnmanagedType.LPWStr)] string password, [MarshalAs(UnmanagedType.LPWStr)] string ticker,
        [MarshalAs(UnmanagedType.LPWStr)] string exchange, double price, int amount);
    [DllImport(Name, CallingConvention = CallingConvention.StdCall)]
    public static extern long SendMarketBuyOrder(
        [MarshalAs(UnmanagedType.LPWStr)] string account, [MarshalAs(UnmanagedType.LPWStr)] string broker,
        [MarshalAs(UnmanagedType.LPWStr)] string password, [MarshalAs(UnmanagedType.LPWStr)] string ticker,
        [MarshalAs(UnmanagedType.LPWStr)] string exchange, int amount);
    [DllImport(Name, CallingConvention = CallingConvention.StdCall)]
    public static extern int SendCancelOrder(
        [MarshalAs(UnmanagedType.LPWStr)] string account, [MarshalAs(UnmanagedType.LPWStr)] string broker,
        [MarshalAs(UnmanagedType.LPWStr)] string clOrdId, [MarshalAs(UnmanagedType.LPWStr)] string password);
    [DllImport(Name, CallingConvention = CallingConvention.StdCall)]
    public static extern int GetServerClock(
        ref double date, ref int year, ref int month, ref int day, ref int hour, ref int minute, ref int second,
        ref int millisecond);
}

public static class Client
{
    static readonly object gate = new object();
    static readonly Dictionary<string, long> seen = new Dictionary<string, long>();
    static readonly ManualResetEvent market = new ManualResetEvent(false), routing = new ManualResetEvent(false);
    static readonly ManualResetEvent account = new ManualResetEvent(false), filled = new ManualResetEvent(false);
    static readonly ManualResetEvent working = new ManualResetEvent(false), canceled = new ManualResetEvent(false);
    static readonly ManualResetEvent trades = new ManualResetEvent(false), past = new ManualResetEvent(false);
    static string accountId, broker, workingOrder;
    static bool legacy;

    static void Saw(string what)
    {
        lock (gate) { long n; seen.TryGetValue(what, out n); seen[what] = n + 1; }
    }

    static readonly StateCallback onState = delegate(int type, int result)
    {
        Console.WriteLine("state {0} {1}", type, result);
        if (type == 2 && result == 4) market.Set();
        if (type == 1 && result == 5) routing.Set();
    };
    static readonly AccountCallback onAccount = delegate(int id, string name, string number, string holder)
    {
        lock (gate) { if (accountId == null) { accountId = number; broker = id.ToString(); } }
        account.Set();
    };
    static readonly TradeCallbackV2 onTrade = delegate(AssetIdentifier asset, IntPtr handle, uint flags)
    {
        Trade trade = new Trade();
        if (Dll.TranslateTrade(handle, ref trade) != 0) { Saw("untranslated"); return; }
        bool sane = trade.Price > 0 && trade.Quantity > 0 && trade.TradeDate.Year > 2000 && asset.Exchange == "B";
        Saw(sane ? "trade " + asset.Ticker : "strange");
        if (seen["trade " + asset.Ticker] == 20) trades.Set();
    };
    static readonly NewTradeCallback onNewTrade = delegate(
        TAssetID asset, string date, uint number, double price, double volume, int quantity, int buy, int sell, int type, int edit)
    {
        bool sane = date.Length == 23 && price > 0 && quantity > 0 && asset.Bolsa == "B" && (edit & 0xFF) == 0;
        Saw(sane ? "legacy trade " + asset.Ticker : "strange");
        if (sane && seen["legacy trade " + asset.Ticker] == 20) trades.Set();
    };
    static readonly DailyCallback onDaily = delegate(
        TAssetID asset, string date, double open, double high, double low, double close, double volume, double adjustment,
        double maxLimit, double minLimit, double buyerVolume, double sellerVolume, int quantity, int count, int contracts,
        int buyerQuantity, int sellerQuantity, int buyerTrades, int sellerTrades)
    {
        Saw(high >= low && low > 0 && count >= 0 ? "daily" : "strange");
    };
    static readonly TinyBookCallback onTiny = delegate(TAssetID asset, double price, int quantity, int side)
    {
        Saw(price > 0 && (side == 0 || side == 1) ? "tiny" : "strange");
    };
    static readonly ProgressCallback onProgress = delegate(TAssetID asset, int percent)
    {
        if (percent == 100) past.Set();
    };
    static readonly HistoryTradeCallback onHistory = delegate(
        TAssetID asset, string date, uint number, double price, double volume, int quantity, int buy, int sell, int type)
    {
        Saw("history");
    };
    static readonly OrderChangeCallback onOrder = delegate(
        TAssetID asset, int id, int quantity, int traded, int leaves, int side, double price, double stop, double average,
        long profitId, string orderType, string number, string holder, string clOrdId, string status, string date, string text)
    {
        Saw(traded + leaves <= quantity ? "order" : "strange");
        Console.WriteLine("order {0} {1} {2}/{3} {4}", asset.Ticker, status, traded, quantity, clOrdId);
        if (traded == quantity) filled.Set();
        if (clOrdId != "" && traded == 0 && leaves == quantity) { lock (gate) workingOrder = clOrdId; working.Set(); }
        if (traded == 0 && leaves == 0 && clOrdId != "") canceled.Set();
    };

    static bool Wait(WaitHandle what, string name)
    {
        bool came = what.WaitOne(20000);
        Console.WriteLine("{0} {1}", name, came ? "came" : "never came");
        return came;
    }

    public static int Main(string[] arguments)
    {
        legacy = arguments.Length > 0 && arguments[0] == "legacy";
        int code = Dll.DLLInitializeLogin(
            "1234567890", "somebody", "secret", onState, null, onOrder, onAccount, legacy ? onNewTrade : null, onDaily, null,
            null, onHistory, onProgress, onTiny);
        Console.WriteLine("initialise {0}", code);
        if (!legacy) Dll.SetTradeCallbackV2(onTrade);
        bool ready = Wait(market, "market") && Wait(routing, "routing") && Wait(account, "account");
        if (!ready) return 1;
        Console.WriteLine("subscribe {0}", Dll.SubscribeTicker("PETR4", "B"));
        Console.WriteLine("wrong exchange {0:X}", Dll.SubscribeTicker("PETR4", "BOVESPA"));
        bool all = Wait(trades, "trades");
        double clock = 0; int y = 0, mo = 0, d = 0, h = 0, mi = 0, s = 0, ms = 0;
        Dll.GetServerClock(ref clock, ref y, ref mo, ref d, ref h, ref mi, ref s, ref ms);
        DateTime now = new DateTime(y, mo, d, h, mi, s);
        Console.WriteLine("clock {0}", Math.Abs((DateTime.FromOADate(clock) - now).TotalSeconds) < 2 ? "agrees" : "differs");
        string format = "dd/MM/yyyy HH:mm:ss";
        System.Globalization.CultureInfo any = System.Globalization.CultureInfo.InvariantCulture;
        Dll.GetHistoryTrades("PETR4", "B", now.AddMinutes(-5).ToString(format, any), now.ToString(format, any));
        all &= Wait(past, "history");
        long market1 = Dll.SendMarketBuyOrder(accountId, broker, "routing", "PETR4", "B", 100);
        Console.WriteLine("market order {0}", market1 > 0 ? "taken" : market1.ToString("X"));
        all &= Wait(filled, "fill");
        working.Reset();
        long far = Dll.SendBuyOrder(accountId, broker, "routing", "PETR4", "B", 1.00, 100);
        Console.WriteLine("limit order {0}", far > 0 ? "taken" : far.ToString("X"));
        all &= Wait(working, "acceptance");
        Console.WriteLine("cancel {0}", Dll.SendCancelOrder(accountId, broker, workingOrder, "routing"));
        all &= Wait(canceled, "cancellation");
        Dll.UnsubscribeTicker("PETR4", "B");
        Console.WriteLine("finalise {0}", Dll.DLLFinalize());
        lock (gate) foreach (KeyValuePair<string, long> pair in seen) Console.WriteLine("saw {0}: {1}", pair.Key, pair.Value);
        return all && !seen.ContainsKey("strange") ? 0 : 1;
    }
}
