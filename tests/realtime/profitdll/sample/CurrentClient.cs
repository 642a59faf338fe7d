// A client of the current calls: orders by record, details asked inside the callback, positions read on a worker, the
// price depth by levels and the offer book by arrays. It knows nothing of the simulator.
using System;
using System.Collections.Concurrent;
using System.Collections.Generic;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using System.Threading;

public static class CurrentClient
{
    const int Waiting = unchecked((int)0x80000004);
    static readonly ConcurrentDictionary<string, long> seen = new ConcurrentDictionary<string, long>();
    static readonly ConcurrentDictionary<string, ManualResetEventSlim> events =
        new ConcurrentDictionary<string, ManualResetEventSlim>();
    static readonly BlockingCollection<KeyValuePair<AccountIdentifier, AssetIdentifier>> changed =
        new BlockingCollection<KeyValuePair<AccountIdentifier, AssetIdentifier>>();
    static readonly List<double>[] levels = { new List<double>(), new List<double>() };
    static readonly List<double>[] offers = { new List<double>(), new List<double>() };
    static volatile int agent;
    static bool failed;

    static ManualResetEventSlim Event(string name)
    {
        return events.GetOrAdd(name, delegate(string any) { return new ManualResetEventSlim(false); });
    }

    static long Saw(string what) { return seen.AddOrUpdate(what, 1, delegate(string any, long n) { return n + 1; }); }

    static void Check(bool holds, string what)
    {
        if (!holds) { failed = true; Console.WriteLine("WRONG {0}", what); }
    }

    static void Await(string name)
    {
        bool came = Event(name).Wait(15000);
        Console.WriteLine("{0} {1}", name, came ? "came" : "NEVER CAME");
        failed |= !came;
    }

    static readonly StateCallback onState = delegate(int type, int result) { Event("state " + type + " " + result).Set(); };
    static readonly AccountCallback onAccount = delegate(int broker, string name, string account, string holder)
    {
        Check(broker > 0 && name != "" && account != "" && holder != "", "account callback");
        Event("account").Set();
    };
    static readonly BrokerAccountsCallback onBrokerAccounts = delegate(int broker, int number)
    {
        Check(Current.GetAccountCountByBroker(broker) > 0, "accounts of broker " + broker);
        Event("account list").Set();
    };
    static readonly DailyCallback onDaily = delegate(
        TAssetID asset, string date, double open, double high, double low, double close, double volume, double adjustment,
        double maxLimit, double minLimit, double buyerVolume, double sellerVolume, int quantity, int count, int contracts,
        int buyerQuantity, int sellerQuantity, int buyerTrades, int sellerTrades) { Saw("daily"); };
    static readonly TinyBookCallback onTiny = delegate(TAssetID asset, double price, int quantity, int side) { Saw("tiny"); };
    static readonly ProgressCallback onProgress = delegate(TAssetID asset, int percent)
    {
        if (percent == 100) Event("history").Set();
    };

    static bool Translated(AssetIdentifier asset, IntPtr handle, string what)
    {
        Trade trade = new Trade();
        bool known = Current.TranslateTrade(handle, ref trade) == 0;
        Check(known && trade.Price > 0 && trade.Quantity > 0 && trade.TradeDate.Year > 2000 && asset.Ticker == "PETR4", what);
        agent = trade.BuyAgent;
        return known;
    }

    static readonly TradeCallbackV2 onTrade = delegate(AssetIdentifier asset, IntPtr handle, uint flags)
    {
        if (Translated(asset, handle, "trade") && Saw("trade") == 20) Event("trades").Set();
    };
    static readonly TradeCallbackV2 onHistory = delegate(AssetIdentifier asset, IntPtr handle, uint flags)
    {
        if (Translated(asset, handle, "past trade")) Saw("past trade");
        if ((flags & 2) != 0) Event("last packet").Set();
    };
    static readonly InvalidTickerCallback onInvalid = delegate(AssetIdentifier asset)
    {
        Check(asset.Ticker == "NONE9", "invalid ticker " + asset.Ticker);
        Event("invalid ticker").Set();
    };
    static readonly AssetInfoCallbackV2 onInfo = delegate(
        TAssetID asset, string name, string description, long minimum, long maximum, long lot, int type, int subType,
        double increment, double multiplier, string expiry, string isin, string sector, string subSector, string segment)
    {
        Check(asset.Ticker == "PETR4" && lot > 0 && maximum >= minimum && increment > 0 && segment != null, "asset info");
        Event("asset info").Set();
    };

    static void Reread(AssetIdentifier asset, byte side)
    {
        levels[side].Clear();
        int count = Current.GetPriceDepthSideCount(ref asset, side);
        for (int k = 0; k < count; k++)
        {
            PriceGroup group = new PriceGroup();
            if (Current.GetPriceGroup(ref asset, side, k, ref group) != 0) break;
            Check(group.Quantity > 0 && group.Count > 0, "price group");
            levels[side].Add(group.Price);
        }
    }

    static readonly DepthCallback onDepth = delegate(AssetIdentifier asset, byte side, int position, byte update)
    {
        if (update == 4) { Reread(asset, 0); Reread(asset, 1); Event("full depth").Set(); return; }
        if (update == 5 || update == 6 || update == 7) { if (update == 6 && Saw("flush") == 20) Event("depth").Set(); return; }
        if (side > 1) return;
        PriceGroup group = new PriceGroup();
        if (update == 2 && position < levels[side].Count) levels[side].RemoveAt(position);
        if (update == 8 && position < levels[side].Count) levels[side].RemoveRange(position, levels[side].Count - position);
        if (update != 1 && update != 3 || Current.GetPriceGroup(ref asset, side, position, ref group) != 0) return;
        if (update == 3 && position <= levels[side].Count) levels[side].Insert(position, group.Price);
        else if (position < levels[side].Count) levels[side][position] = group.Price;
    };

    static void Unpacked(IntPtr array, List<double> into)
    {
        int count = Marshal.ReadInt32(array), size = Marshal.ReadInt32(array, 4);
        byte[] bytes = new byte[size];
        Marshal.Copy(array, bytes, 0, size);
        uint flags = BitConverter.ToUInt32(bytes, 8 + 53 * count);
        if ((flags & 2) != 0) into.Clear();
        for (int at = 8; at < 8 + 53 * count; at += 53)
        {
            string date = Encoding.ASCII.GetString(bytes, at + 30, BitConverter.ToUInt16(bytes, at + 28));
            DateTime.ParseExact(date, "dd/MM/yyyy HH:mm:ss.fff", CultureInfo.InvariantCulture);
            into.Add(BitConverter.ToDouble(bytes, at));
            Check(BitConverter.ToInt64(bytes, at + 8) > 0 && BitConverter.ToInt64(bytes, at + 20) > 0, "offer");
        }
        Check(size == 53 * count + 12 && Current.FreePointer(array, size) == 0, "offer array");
        if ((flags & 1) != 0) Event("full book").Set();
    }

    static readonly OfferCallbackV2 onOffer = delegate(
        TAssetID asset, int action, int position, int side, long quantity, int agentCode, long offerId, double price,
        int hasPrice, int hasQuantity, int hasDate, int hasOfferId, int hasAgent, string date, IntPtr sells, IntPtr buys)
    {
        if (sells != IntPtr.Zero) Unpacked(sells, offers[1]);
        if (buys != IntPtr.Zero) Unpacked(buys, offers[0]);
        if (action == 4 || side > 1) return;
        List<double> book = offers[side];
        bool inside = position >= 0 && position <= book.Count - (action == 0 ? 0 : 1);
        Check(inside, "offer position " + position + " of " + book.Count);
        if (!inside) return;
        if (action == 0) book.Insert(book.Count - position, price);
        if (action == 1 && (hasPrice & 0xFF) != 0) book[book.Count - 1 - position] = price;
        if (action == 2) book.RemoveAt(book.Count - 1 - position);
        if (action == 3) book.RemoveRange(book.Count - 1 - position, position + 1);
        if (Saw("offer") == 50) Event("offers").Set();
    };

    static bool Details(OrderIdentifier id, out OrderOut order)
    {
        order = new OrderOut();
        order.Version = 1;
        order.OrderID = id;
        if (Current.GetOrderDetails(ref order) != 0) return false;
        order.AssetID.Ticker = new string(' ', order.AssetID.TickerLength);
        order.AssetID.Exchange = new string(' ', order.AssetID.ExchangeLength);
        order.TextMessage = new string(' ', order.TextMessageLength);
        return Current.GetOrderDetails(ref order) == 0;
    }

    static readonly OrderCallback onOrder = delegate(OrderIdentifier id)
    {
        OrderOut order;
        if (!Details(id, out order)) { Check(false, "order details"); return; }
        bool sane = order.AssetID.Ticker == "PETR4" && order.AssetID.Exchange == "B" && order.AccountID.AccountID.Length ==
            order.AccountID.AccountIDLength && order.TextMessage.Length == order.TextMessageLength && order.Quantity >= 100;
        Check(sane, "details of " + id.LocalOrderID);
        Event("order " + id.LocalOrderID + " is " + order.OrderStatus).Set();
        Event("order " + id.LocalOrderID + " costs " + order.Price.ToString(CultureInfo.InvariantCulture)).Set();
        if (id.ClOrderID != "") Event("order " + id.LocalOrderID + " has an id").Set();
    };
    static readonly AccountEventCallback onOrders = delegate(AccountIdentifier account) { Event("orders loaded").Set(); };
    static readonly PositionListCallback onPosition = delegate(AccountIdentifier account, AssetIdentifier asset, long eventId)
    {
        changed.Add(new KeyValuePair<AccountIdentifier, AssetIdentifier>(account, asset));
    };
    static readonly MessageCallback onMessage = delegate(ref MessageResult result)
    {
        Event("message " + result.MessageID + " is " + result.ResultCode).Set();
    };

    static void Positions()
    {
        foreach (KeyValuePair<AccountIdentifier, AssetIdentifier> pair in changed.GetConsumingEnumerable())
        {
            if (pair.Value.Ticker == "-1") continue;
            AccountPosition position = new AccountPosition();
            position.Version = 2;
            position.AccountID = pair.Key;
            position.AssetID = pair.Value;
            position.PositionType = PositionType.DayTrade;
            Check(Current.GetPositionV2(ref position) == 0, "position");
            Event("position " + (position.OpenSide == 1 ? 1 : position.OpenSide == 2 ? -1 : 0) * position.OpenQuantity).Set();
        }
    }

    static AccountIdentifier Account()
    {
        int count = Current.GetAccountCount();
        AccountIdentifierOut[] accounts = new AccountIdentifierOut[count];
        Check(count > 0 && Current.GetAccounts(0, 0, count, accounts) == count, "accounts");
        int broker = accounts[0].BrokerID, ofBroker = Current.GetAccountCountByBroker(broker);
        AccountIdentifierOut[] some = new AccountIdentifierOut[ofBroker];
        Check(Current.GetAccountsByBroker(broker, 0, 0, ofBroker, some) == ofBroker, "accounts of one broker");
        Check(some[0].AccountID == accounts[0].AccountID && some[0].AccountID.Length == some[0].AccountIDLength, "first account");
        TradingAccountOut details = new TradingAccountOut();
        details.Version = 1;
        details.AccountID = new AccountIdentifier { BrokerID = broker, AccountID = accounts[0].AccountID, SubAccountID = "" };
        Check(Current.GetAccountDetails(ref details) == 0, "account details");
        details.BrokerName = new string(' ', details.BrokerNameLength);
        details.OwnerName = new string(' ', details.OwnerNameLength);
        details.SubOwnerName = new string(' ', details.SubOwnerNameLength);
        Check(Current.GetAccountDetails(ref details) == 0 && details.BrokerName.Trim() != "", "account details again");
        Console.WriteLine("account {0} of {1}", details.AccountID.AccountID, count);
        return details.AccountID;
    }

    static SystemTime Now(double offsetMinutes)
    {
        double clock = 0; int y = 0, mo = 0, d = 0, h = 0, mi = 0, s = 0, ms = 0;
        Check(Dll.GetServerClock(ref clock, ref y, ref mo, ref d, ref h, ref mi, ref s, ref ms) == 0, "clock");
        DateTime at = new DateTime(y, mo, d, h, mi, s, ms).AddMinutes(offsetMinutes);
        SystemTime time = new SystemTime();
        time.Year = (ushort)at.Year; time.Month = (ushort)at.Month; time.Day = (ushort)at.Day;
        time.DayOfWeek = (ushort)at.DayOfWeek;
        time.Hour = (ushort)at.Hour; time.Minute = (ushort)at.Minute; time.Second = (ushort)at.Second;
        return time;
    }

    static string Shown(SystemTime time)
    {
        return string.Format("{0:00}/{1:00}/{2:0000} {3:00}:{4:00}:{5:00}.{6:000}", time.Day, time.Month, time.Year,
            time.Hour, time.Minute, time.Second, time.Milliseconds);
    }

    static void MarketData(AssetIdentifier asset)
    {
        Check(Current.SubscribeTicker("PETR4", "B") == 0 && Current.SubscribePriceDepth(ref asset) == 0, "subscriptions");
        Check(Current.SubscribeOfferBook("PETR4", "B") == 0 && Current.RequestTickerInfo("PETR4", "B") == 0, "book");
        Check(Current.SubscribeTicker("NONE9", "B") == 0, "unknown ticker");
        string[] expected = { "trades", "full depth", "depth", "full book", "offers", "asset info", "invalid ticker" };
        foreach (string name in expected) Await(name);
        Check(Current.GetHistoryTrades("PETR4", "B", Shown(Now(-5)), Shown(Now(0))) == 0, "history");
        Await("last packet");
        Await("history");
        int length = Current.GetAgentNameLength(agent, 0);
        StringBuilder text = new StringBuilder(length);
        int copied = Current.GetAgentName(length, agent, text, 0);
        Check(length > 0 && copied == length && text.Length >= length, "agent name");
        Console.WriteLine("agent {0}", text.ToString(0, copied));
    }

    static long Sent(AccountIdentifier account, AssetIdentifier asset, OrderType type, double price)
    {
        NewOrder order = new NewOrder();
        order.Version = 1;
        order.AccountID = account;
        order.AssetID = asset;
        order.Password = "routing";
        order.OrderType = type;
        order.OrderSide = OrderSide.Buy;
        order.Price = price;
        order.StopPrice = -1;
        order.Quantity = 100;
        long id = Current.SendOrder(ref order);
        Check(id > 0 && order.MessageID > 0 && order.AssetID.Ticker == "PETR4", "order taken");
        Await("message " + order.MessageID + " is 10");
        return id;
    }

    static void Orders(AccountIdentifier account, AssetIdentifier asset)
    {
        int code = Current.HasOrdersInInterval(ref account, Now(-60), Now(-1));
        Check(code == Waiting || code == 0, "orders of the last hour");
        if (code == Waiting) Await("orders loaded");
        Check(Current.HasOrdersInInterval(ref account, Now(-60), Now(-1)) == 0, "orders after the load");
        long filled = Sent(account, asset, OrderType.Market, -1);
        Await("order " + filled + " is 2");
        Await("position 100");
        long far = Sent(account, asset, OrderType.Limit, 1.00);
        Await("order " + far + " is 0");
        OrderIdentifier id = new OrderIdentifier { LocalOrderID = far, ClOrderID = "" };
        ChangeOrder change = new ChangeOrder { Version = 1, AccountID = account, OrderID = id, Password = "routing",
            Price = 1.10, StopPrice = -1, Quantity = 100 };
        Check(Current.SendChangeOrderV2(ref change) == 0 && change.MessageID > 0, "change");
        Await("order " + far + " costs 1.1");
        CancelOrder cancel = new CancelOrder { Version = 1, AccountID = account, OrderID = id, Password = "routing" };
        Check(Current.SendCancelOrderV2(ref cancel) == 0 && cancel.MessageID > 0, "cancel");
        Await("order " + far + " is 4");
        ZeroPosition zero = new ZeroPosition { Version = 2, AccountID = account, AssetID = asset, Password = "routing",
            Price = -1, PositionType = PositionType.DayTrade };
        long closing = Current.SendZeroPositionV2(ref zero);
        Check(closing > 0 && zero.MessageID > 0, "zeroing");
        Await("position 0");
    }

    static void Enumerations(AccountIdentifier account)
    {
        int orders = 0, first = 0, recent = 0, assets = 0;
        EachOrder all = delegate(ref Order order, IntPtr user)
        {
            Check(order.AssetID.Ticker == "PETR4" && order.OrderID.ClOrderID != "" && user == new IntPtr(77), "listed order");
            orders++;
            return true;
        };
        EachOrder one = delegate(ref Order order, IntPtr user) { first++; return false; };
        EachOrder latest = delegate(ref Order order, IntPtr user) { recent++; return true; };
        EachAsset each = delegate(ref AssetIdentifier asset, IntPtr user)
        {
            Check(asset.Ticker == "PETR4" && asset.Exchange == "B", "listed asset");
            assets++;
            return true;
        };
        Check(Current.EnumerateAllOrders(ref account, 1, new IntPtr(77), all) == 0 && orders == 3, "three orders");
        Check(Current.EnumerateAllOrders(ref account, 0, IntPtr.Zero, one) == 0 && first == 1, "an early stop");
        int code = Current.EnumerateOrdersByInterval(ref account, 1, Now(-30), Now(0), IntPtr.Zero, latest);
        Check(code == 0 && recent <= 3, "orders of the interval");
        Check(Current.EnumerateAllPositionAssets(ref account, 0, IntPtr.Zero, each) == 0 && assets == 1, "one asset");
        Console.WriteLine("orders {0} recent {1} assets {2}", orders, recent, assets);
    }

    public static int Main()
    {
        Check(Dll.DLLInitializeLogin("key", "user", "password", onState, null, null, onAccount, null, onDaily, null, null,
            null, onProgress, onTiny) == 0, "login");
        int set = Current.SetTradeCallbackV2(onTrade) | Current.SetHistoryTradeCallbackV2(onHistory) |
            Current.SetOrderCallback(onOrder) | Current.SetOrderHistoryCallback(onOrders) |
            Current.SetAssetPositionListCallback(onPosition) | Current.SetTradingMessageResultCallback(onMessage) |
            Current.SetBrokerAccountListChangedCallback(onBrokerAccounts) | Current.SetInvalidTickerCallback(onInvalid) |
            Current.SetPriceDepthCallback(onDepth) | Current.SetOfferBookCallbackV2(onOffer) |
            Current.SetAssetListInfoCallbackV2(onInfo);
        Check(set == 0, "setters");
        foreach (string state in new string[] { "state 3 0", "state 0 0", "state 2 4", "state 1 5", "account", "account list" })
            Await(state);
        if (failed) return 1;
        new Thread(Positions) { IsBackground = true }.Start();
        AssetIdentifier asset = new AssetIdentifier { Ticker = "PETR4", Exchange = "B" };
        AccountIdentifier account = Account();
        MarketData(asset);
        Orders(account, asset);
        Enumerations(account);
        Current.UnsubscribePriceDepth(ref asset);
        Current.UnsubscribeOfferBook("PETR4", "B");
        Current.UnsubscribeTicker("PETR4", "B");
        Check(Dll.DLLFinalize() == 0, "finalise");
        for (int side = 0; side < 2; side++)
            Check(levels[side].Count > 0 && offers[side].Count > 0, "books of side " + side);
        Check(levels[0][0] < levels[1][0] && offers[0][offers[0].Count - 1] < offers[1][offers[1].Count - 1], "spread");
        foreach (KeyValuePair<string, long> pair in seen) Console.WriteLine("saw {0}: {1}", pair.Key, pair.Value);
        Console.WriteLine(failed ? "failed" : "passed");
        return failed ? 1 : 0;
    }
}
