// What users of the DLL get wrong, one habit for each argument. None may crash or hang the process.
using System;
using System.Threading;

public static class Careless
{
    const int InvalidArguments = unchecked((int)0x80000003), NotInitialised = unchecked((int)0x80000002);
    const int UnknownExchange = unchecked((int)0x8000000F), Internal = unchecked((int)0x80000001);
    static readonly ManualResetEvent ready = new ManualResetEvent(false), flowing = new ManualResetEvent(false);
    static int pause, inside = 1, trades;
    static bool failed;

    static readonly StateCallback onState = delegate(int type, int result) { if (type == 2 && result == 4) ready.Set(); };
    static readonly AccountCallback onAccount = delegate(int broker, string name, string number, string holder) { };
    static readonly NewTradeCallback onTrade = delegate(
        TAssetID asset, string date, uint number, double price, double volume, int quantity, int buy, int sell, int type, int edit)
    {
        if (++trades == 20) flowing.Set();
        if (inside == 0) inside = Dll.DLLFinalize();
        if (pause > 0) Thread.Sleep(pause);
    };
    static readonly DailyCallback onDaily = delegate(
        TAssetID asset, string date, double open, double high, double low, double close, double volume, double adjustment,
        double maxLimit, double minLimit, double buyerVolume, double sellerVolume, int quantity, int count, int contracts,
        int buyerQuantity, int sellerQuantity, int buyerTrades, int sellerTrades) { };
    static readonly ProgressCallback onProgress = delegate(TAssetID asset, int percent) { };
    static readonly TinyBookCallback onTiny = delegate(TAssetID asset, double price, int quantity, int side) { };

    static void Expect(int expected, int found, string what)
    {
        Console.WriteLine("{0}: {1:X8}", what, found);
        if (found != expected) { failed = true; Console.WriteLine("WRONG: expected {0:X8}", expected); }
    }

    static int Login()
    {
        return Dll.DLLInitializeLogin("key", "user", "password", onState, null, null, onAccount, onTrade, onDaily, null, null,
            null, onProgress, onTiny);
    }

    static void Flow()
    {
        Expect(0, Login(), "login");
        ready.WaitOne(10000);
        Expect(0, Dll.SubscribeTicker("PETR4", "B"), "subscribe");
        if (!flowing.WaitOne(10000)) failed = true;
    }

    static void Nulls()
    {
        Expect(0, Dll.DLLInitializeLogin("key", "user", "password", null, null, null, null, null, null, null, null, null, null,
            null), "login without callbacks");
        Thread.Sleep(300);
        AssetIdentifier asset = new AssetIdentifier { Ticker = "PETR4", Exchange = "B" };
        Expect(0, Dll.SubscribeTicker("PETR4", "B"), "subscribe");
        Expect(0, Current.SubscribeOfferBook("PETR4", "B"), "offer book");
        Expect(0, Current.SubscribePriceDepth(ref asset), "depth");
        Expect(0, Current.SetTradeCallbackV2(null), "null setter");
        Expect(0, Dll.GetHistoryTrades("PETR4", "B", "20/11/2026 10:00:00", "20/11/2026 10:01:00"), "history");
        Thread.Sleep(500);
    }

    static void Texts()
    {
        Flow();
        Expect(UnknownExchange, Dll.SubscribeTicker("PETR4", "BOVESPA"), "spelled exchange");
        Expect(UnknownExchange, Dll.SubscribeTicker("PETR4", "Z"), "unknown exchange");
        Expect(InvalidArguments, Dll.SubscribeTicker(null, "B"), "no ticker");
        Expect(InvalidArguments, Dll.SubscribeTicker("PETR4", null), "no exchange");
        Expect(0, Dll.SubscribeTicker("PETR4", "B"), "subscribed twice");
        Expect(0, Dll.UnsubscribeTicker("PETR4", "B"), "unsubscribed");
        Console.WriteLine("unsubscribed twice: {0:X8}", Dll.UnsubscribeTicker("PETR4", "B"));
        Console.WriteLine("never subscribed: {0:X8}", Dll.UnsubscribeTicker("VALE3", "B"));
        Expect(InvalidArguments, Dll.GetHistoryTrades("PETR4", "B", null, "tomorrow"), "history of nothing");
        Expect(InvalidArguments, Current.FreePointer(IntPtr.Zero, 8), "null released");
        Expect(InvalidArguments, Current.FreePointer(new IntPtr(12345), 8), "nonsense released");
        long id = Dll.SendMarketBuyOrder(null, "nobody", null, "PETR4", "B", 1);
        Console.WriteLine("order of nobody: {0:X}", id);
        if (id >= 0 || Dll.SendCancelOrder("x", "1", null, null) >= 0) failed = true;
    }

    static void Order()
    {
        Expect(NotInitialised, Dll.SubscribeTicker("PETR4", "B"), "subscribe before the login");
        Expect(NotInitialised, Dll.DLLFinalize(), "finalise before the login");
        Flow();
        Expect(Internal, Login(), "second login");
        Expect(0, Dll.DLLFinalize(), "finalise");
        Expect(NotInitialised, Dll.DLLFinalize(), "second finalise");
        Expect(NotInitialised, Dll.UnsubscribeTicker("PETR4", "B"), "unsubscribe after the end");
        Expect(Internal, Login(), "login after the end");
    }

    public static int Main(string[] arguments)
    {
        string habit = arguments[0];
        if (habit == "nulls") Nulls();
        if (habit == "texts") Texts();
        if (habit == "order") Order();
        if (habit == "busy") { pause = 5; Flow(); }
        if (habit == "inside") { inside = 0; Flow(); Expect(Internal, inside, "finalise inside a callback"); }
        if (habit == "leave") { Flow(); Console.WriteLine(failed ? "failed" : "passed"); return failed ? 1 : 0; }
        if (habit == "exit") { pause = 5; Flow(); Console.WriteLine(failed ? "failed" : "passed"); Environment.Exit(failed ? 1 : 0); }
        if (habit != "order") Expect(0, Dll.DLLFinalize(), "finalise");
        int last = trades;
        Thread.Sleep(200);
        Expect(last, trades, "trades after the end");
        Console.WriteLine(failed ? "failed" : "passed");
        return failed ? 1 : 0;
    }
}
