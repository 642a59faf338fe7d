// What Python asks of the DLL, in texts and numbers; structs and the contracts of two calls stay here. Codes of the DLL are
// returned as they are. Never called from a callback.
using System;
using System.Collections.Generic;
using System.Runtime.InteropServices;

namespace ProfitInterop {
    public sealed class AccountData {
        public int Code, Broker, Type;
        public uint Flags;
        public string Account = "", SubAccount = "", BrokerName = "", Owner = "", SubOwner = "";
    }

    public sealed class OrderData {
        public int Code, Broker, Side, Type, Status, Validity, Feed;
        public long Local, Quantity, Traded, Leaves, Event, Created, Updated, Closed, ValidUntil;
        public double Price, Stop, Average;
        public string ClOrder = "", Account = "", SubAccount = "", Ticker = "", Exchange = "", Text = "";
    }

    public sealed class PositionData {
        public int Code, OpenSide, PositionType;
        public double OpenAverage, SellAverage, BuyAverage;
        public long Open, Sold, Bought, D1, D2, D3, Blocked, Pending, Allocated, Provisioned, Quantity, Available, Event;
    }

    public sealed class AssetData {
        public string Ticker = "", Exchange = "";
        public int Feed;
    }

    [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
    public unsafe delegate long SendFunction(int broker, char* account, char* subAccount, char* ticker, char* exchange,
        char* password, int type, int side, double price, double stop, long quantity, long* message);

    public static unsafe class Requests {
        const int Retries = 4;  // texts may grow between the two calls
        public const long Missing = long.MinValue;
        static readonly SendFunction send = Send;
        static readonly EnumerateOrderCallback eachOrder = EachOrder;
        static readonly EnumerateAssetCallback eachAsset = EachAsset;

        delegate int OnAsset(char* ticker, char* exchange);

        static int With(string ticker, string exchange, OnAsset call) {
            fixed (char* t = ticker, x = exchange) return call(t, x);
        }

        public static int SubscribeTicker(string ticker, string exchange) { return With(ticker, exchange, Native.SubscribeTicker); }
        public static int UnsubscribeTicker(string ticker, string exchange) { return With(ticker, exchange, Native.UnsubscribeTicker); }
        public static int SubscribeOffers(string ticker, string exchange) { return With(ticker, exchange, Native.SubscribeOfferBook); }
        public static int UnsubscribeOffers(string ticker, string exchange) { return With(ticker, exchange, Native.UnsubscribeOfferBook); }
        public static int SubscribeAdjustments(string ticker, string exchange) { return With(ticker, exchange, Native.SubscribeAdjustHistory); }
        public static int UnsubscribeAdjustments(string ticker, string exchange) { return With(ticker, exchange, Native.UnsubscribeAdjustHistory); }
        public static int RequestInfo(string ticker, string exchange) { return With(ticker, exchange, Native.RequestTickerInfo); }

        public static int SubscribeDepth(string ticker, string exchange) {
            fixed (char* t = ticker, x = exchange) {
                AssetIdentifier asset = Asset(t, x);
                return Native.SubscribePriceDepth(&asset);
            }
        }

        public static int UnsubscribeDepth(string ticker, string exchange) {
            fixed (char* t = ticker, x = exchange) {
                AssetIdentifier asset = Asset(t, x);
                return Native.UnsubscribePriceDepth(&asset);
            }
        }

        public static int History(string ticker, string exchange, string start, string end) {
            fixed (char* t = ticker, x = exchange, s = start, e = end) return Native.GetHistoryTrades(t, x, s, e);
        }

        // {code, value}
        public static double[] LastDailyClose(string ticker, string exchange, bool adjusted) {
            double close = 0;
            int code;
            fixed (char* t = ticker, x = exchange) code = Native.GetLastDailyClose(t, x, &close, adjusted ? 1 : 0);
            return new[] { code, close };
        }

        // {code, year, month, day, hour, minute, second, millisecond}
        public static int[] ServerClock() {
            double days = 0;
            int[] at = new int[8];
            fixed (int* p = at) p[0] = Native.GetServerClock(&days, p + 1, p + 2, p + 3, p + 4, p + 5, p + 6, p + 7);
            return at;
        }

        // {code, health}
        public static int[] Health() {
            int health = 0;
            int code = Native.GetHealthStatus(&health);
            return new[] { code, health };
        }

        public static int Finalize() {
            try {
                return Native.DLLFinalize();
            } catch (EntryPointNotFoundException) {
                return Native.OldFinalize();
            }
        }

        public static int SetServer(string server, string port) {
            fixed (char* s = server, p = port) return Native.SetServerAndPort(s, p);
        }

        public static int SetLog(bool on) { return Native.SetEnabledLogToDebug(on ? 1 : 0); }
        public static int SetDayTrade(bool on) { return Native.SetDayTrade(on ? 1 : 0); }

        // The name, or null with the code in `code[0]`.
        public static string AgentName(int agent, bool brief, int[] code) {
            uint flags = brief ? 1u : 0;
            int length = Native.GetAgentNameLength(agent, flags);
            code[0] = length;
            if (length < 0) return null;
            char[] name = new char[length + 1];
            fixed (char* p = name) code[0] = Native.GetAgentName(length, agent, p, flags);
            return code[0] < 0 ? null : Text(name, length);
        }

        static string Text(char[] units, int length) {
            int n = 0;
            while (n < length && n < units.Length && units[n] != 0) n++;
            return new string(units, 0, n);
        }

        static string Text(ushort* units, int length) {
            int n = 0;
            while (n < length && n < 100 && units[n] != 0) n++;
            return new string((char*)units, 0, n);
        }

        static string Text(char* text) {
            return text == null ? "" : new string(text);
        }

        static AssetIdentifier Asset(char* ticker, char* exchange) {
            AssetIdentifier asset = default(AssetIdentifier);
            asset.Ticker = ticker;
            asset.Exchange = exchange;
            return asset;
        }

        static AccountIdentifier Account(int broker, char* account, char* subAccount) {
            AccountIdentifier id = default(AccountIdentifier);
            id.BrokerID = broker;
            id.AccountID = account;
            id.SubAccountID = subAccount;
            return id;
        }

        static OrderIdentifier OrderId(long local, char* clOrder) {
            OrderIdentifier id = default(OrderIdentifier);
            id.LocalOrderID = *clOrder == 0 ? local : -1;  // one key only
            id.ClOrderID = clOrder;
            return id;
        }

        // Milliseconds since 1970-01-01 on the DLL's clock; 0: never set.
        static long Milliseconds(SystemTime at) {
            if (at.Year == 0) return 0;
            return Clock.Days(at.Year, at.Month, at.Day) * 86400000L
                + ((at.Hour * 60 + at.Minute) * 60 + at.Second) * 1000L + at.Milliseconds;
        }

        static SystemTime Time(long milliseconds) {
            DateTime at = new DateTime(1970, 1, 1).AddMilliseconds(milliseconds);
            SystemTime time = default(SystemTime);
            time.Year = (ushort)at.Year;
            time.Month = (ushort)at.Month;
            time.DayOfWeek = (ushort)at.DayOfWeek;
            time.Day = (ushort)at.Day;
            time.Hour = (ushort)at.Hour;
            time.Minute = (ushort)at.Minute;
            time.Second = (ushort)at.Second;
            time.Milliseconds = (ushort)at.Millisecond;
            return time;
        }

        public static int ReplayAccounts() { return Native.GetAccount(); }

        // All accounts that are known now; the code of a failure is the only entry's `Code`.
        public static AccountData[] Accounts() {
            int count = Native.GetAccountCount();
            if (count <= 0) return Failed(count);
            AccountIdentifierOut[] found = new AccountIdentifierOut[count];
            int copied;
            fixed (AccountIdentifierOut* p = found) copied = Native.GetAccounts(0, 0, count, p);
            return Known(found, copied);
        }

        public static AccountData[] SubAccounts(int broker, string account) {
            fixed (char* a = account, none = "") {
                AccountIdentifier master = Account(broker, a, none);
                int count = Native.GetSubAccountCount(&master);
                if (count <= 0) return Failed(count);
                AccountIdentifierOut[] found = new AccountIdentifierOut[count];
                int copied;
                fixed (AccountIdentifierOut* p = found) copied = Native.GetSubAccounts(&master, 0, 0, count, p);
                return Known(found, copied);
            }
        }

        static AccountData[] Failed(int code) {
            return code == 0 ? new AccountData[0] : new[] { new AccountData { Code = code } };
        }

        static AccountData[] Known(AccountIdentifierOut[] found, int copied) {
            if (copied < 0) return Failed(copied);
            AccountData[] known = new AccountData[Math.Min(copied, found.Length)];
            fixed (AccountIdentifierOut* p = found) {
                for (int i = 0; i < known.Length; i++) {
                    known[i] = new AccountData {
                        Broker = p[i].BrokerID,
                        Account = Text(p[i].AccountID, p[i].AccountIDLength),
                        SubAccount = Text(p[i].SubAccountID, p[i].SubAccountIDLength)
                    };
                }
            }
            return known;
        }

        public static AccountData AccountDetails(int broker, string account, string subAccount) {
            AccountData data = new AccountData { Broker = broker, Account = account, SubAccount = subAccount };
            int[] room = new int[3];
            for (int i = 0; i < Retries; i++) {
                if (AccountDetails(data, room)) break;
            }
            return data;
        }

        // True when all texts fitted into what the last call said they need.
        static bool AccountDetails(AccountData data, int[] room) {
            char[] broker = new char[room[0] + 1], owner = new char[room[1] + 1], subOwner = new char[room[2] + 1];
            fixed (char* a = data.Account, s = data.SubAccount, b = broker, o = owner, u = subOwner) {
                TradingAccountOut found = default(TradingAccountOut);
                found.Version = 1;
                found.AccountID = Account(data.Broker, a, s);
                found.BrokerName = b;
                found.BrokerNameLength = room[0];
                found.OwnerName = o;
                found.OwnerNameLength = room[1];
                found.SubOwnerName = u;
                found.SubOwnerNameLength = room[2];
                data.Code = Native.GetAccountDetails(&found);
                if (data.Code < 0) return true;
                data.Flags = found.AccountFlags;
                data.Type = found.AccountType;
                bool fits = found.BrokerNameLength <= room[0] && found.OwnerNameLength <= room[1] && found.SubOwnerNameLength <= room[2];
                data.BrokerName = Text(broker, found.BrokerNameLength);
                data.Owner = Text(owner, found.OwnerNameLength);
                data.SubOwner = Text(subOwner, found.SubOwnerNameLength);
                room[0] = found.BrokerNameLength;
                room[1] = found.OwnerNameLength;
                room[2] = found.SubOwnerNameLength;
                return fits;
            }
        }

        public static PositionData Position(int broker, string account, string subAccount, string ticker, string exchange, int type) {
            fixed (char* a = account, s = subAccount, t = ticker, x = exchange) {
                TradingAccountPosition p = default(TradingAccountPosition);
                p.Version = 2;
                p.AccountID = Account(broker, a, s);
                p.AssetID = Asset(t, x);
                p.PositionType = (byte)type;
                int code = Native.GetPositionV2(&p);
                return new PositionData {
                    Code = code, OpenSide = p.OpenSide, PositionType = p.PositionType, OpenAverage = p.OpenAveragePrice,
                    SellAverage = p.DailyAverageSellPrice, BuyAverage = p.DailyAverageBuyPrice, Open = p.OpenQuantity,
                    Sold = p.DailySellQuantity, Bought = p.DailyBuyQuantity, D1 = p.DailyQuantityD1, D2 = p.DailyQuantityD2,
                    D3 = p.DailyQuantityD3, Blocked = p.DailyQuantityBlocked, Pending = p.DailyQuantityPending,
                    Allocated = p.DailyQuantityAlloc, Provisioned = p.DailyQuantityProvision, Quantity = p.DailyQuantity,
                    Available = p.DailyQuantityAvailable, Event = p.EventID
                };
            }
        }

        // The assets of an account with a position; `code[0]` is the DLL's answer.
        public static AssetData[] PositionAssets(int broker, string account, string subAccount, int[] code) {
            List<AssetData> found = new List<AssetData>();
            GCHandle handle = GCHandle.Alloc(found);
            try {
                fixed (char* a = account, s = subAccount) {
                    AccountIdentifier id = Account(broker, a, s);
                    code[0] = Native.EnumerateAllPositionAssets(&id, 0, GCHandle.ToIntPtr(handle), Marshal.GetFunctionPointerForDelegate(eachAsset));
                }
            } finally {
                handle.Free();
            }
            return found.ToArray();
        }

        static int EachAsset(AssetIdentifier* asset, IntPtr value) {
            try {
                ((List<AssetData>)GCHandle.FromIntPtr(value).Target).Add(new AssetData {
                    Ticker = Text(asset->Ticker), Exchange = Text(asset->Exchange), Feed = asset->FeedType
                });
                return 1;
            } catch (Exception error) {
                Counters.Fail(error);
                return 0;
            }
        }

        public static long SendPointer() {
            return (long)Marshal.GetFunctionPointerForDelegate(send);
        }

        static long Send(int broker, char* account, char* subAccount, char* ticker, char* exchange, char* password, int type,
                int side, double price, double stop, long quantity, long* message) {
            SendOrder order = default(SendOrder);
            order.Version = 1;
            order.AccountID = Account(broker, account, subAccount);
            order.AssetID = Asset(ticker, exchange);
            order.Password = password;
            order.OrderType = (byte)type;
            order.OrderSide = (byte)side;
            order.Price = price;
            order.StopPrice = stop;
            order.Quantity = quantity;
            try {
                long id = Native.Send(&order);
                *message = order.MessageID;
                return id;
            } catch (Exception error) {
                Counters.Fail(error);
                return Missing;
            }
        }

        // {code, message id}, here and below
        public static long[] Change(int broker, string account, string subAccount, long local, string clOrder, string password,
                double price, double stop, long quantity) {
            fixed (char* a = account, s = subAccount, c = clOrder, p = password) {
                ChangeOrder order = default(ChangeOrder);
                order.Version = 1;
                order.AccountID = Account(broker, a, s);
                order.OrderID = OrderId(local, c);
                order.Password = p;
                order.Price = price;
                order.StopPrice = stop;
                order.Quantity = quantity;
                int code = Native.SendChangeOrderV2(&order);
                return new[] { code, order.MessageID };
            }
        }

        public static long[] Cancel(int broker, string account, string subAccount, long local, string clOrder, string password) {
            fixed (char* a = account, s = subAccount, c = clOrder, p = password) {
                CancelOrder order = default(CancelOrder);
                order.Version = 1;
                order.AccountID = Account(broker, a, s);
                order.OrderID = OrderId(local, c);
                order.Password = p;
                int code = Native.SendCancelOrderV2(&order);
                return new[] { code, order.MessageID };
            }
        }

        public static int CancelAsset(int broker, string account, string subAccount, string ticker, string exchange, string password) {
            fixed (char* a = account, s = subAccount, t = ticker, x = exchange, p = password) {
                CancelOrders orders = default(CancelOrders);
                orders.AccountID = Account(broker, a, s);
                orders.AssetID = Asset(t, x);
                orders.Password = p;
                return Native.SendCancelOrdersV2(&orders);
            }
        }

        public static int CancelAll(int broker, string account, string subAccount, string password) {
            fixed (char* a = account, s = subAccount, p = password) {
                CancelAllOrders orders = default(CancelAllOrders);
                orders.AccountID = Account(broker, a, s);
                orders.Password = p;
                return Native.SendCancelAllOrdersV2(&orders);
            }
        }

        public static long[] Zero(int broker, string account, string subAccount, string ticker, string exchange, string password,
                double price, int type) {
            fixed (char* a = account, s = subAccount, t = ticker, x = exchange, p = password) {
                ZeroPosition position = default(ZeroPosition);
                position.Version = 2;
                position.AccountID = Account(broker, a, s);
                position.AssetID = Asset(t, x);
                position.Password = p;
                position.Price = price;
                position.PositionType = (byte)type;
                long code = Native.SendZeroPositionV2(&position);
                return new[] { code, position.MessageID };
            }
        }

        public static OrderData OrderDetails(long local, string clOrder) {
            OrderData data = new OrderData();
            int[] room = new int[3];
            for (int i = 0; i < Retries; i++) {
                if (OrderDetails(data, local, clOrder, room)) break;
            }
            return data;
        }

        static bool OrderDetails(OrderData data, long local, string clOrder, int[] room) {
            char[] ticker = new char[room[0] + 1], exchange = new char[room[1] + 1], text = new char[room[2] + 1];
            fixed (char* c = clOrder, t = ticker, x = exchange, m = text) {
                OrderOut found = default(OrderOut);
                found.Version = 1;
                found.OrderID = OrderId(local, c);
                found.AssetID.Ticker = t;
                found.AssetID.TickerLength = room[0];
                found.AssetID.Exchange = x;
                found.AssetID.ExchangeLength = room[1];
                found.TextMessage = m;
                found.TextMessageLength = room[2];
                data.Code = Native.GetOrderDetails(&found);
                if (data.Code < 0) return true;
                bool fits = found.AssetID.TickerLength <= room[0] && found.AssetID.ExchangeLength <= room[1] && found.TextMessageLength <= room[2];
                data.Ticker = Text(ticker, found.AssetID.TickerLength);
                data.Exchange = Text(exchange, found.AssetID.ExchangeLength);
                data.Text = Text(text, found.TextMessageLength);
                room[0] = found.AssetID.TickerLength;
                room[1] = found.AssetID.ExchangeLength;
                room[2] = found.TextMessageLength;
                Copy(data, &found);
                return fits;
            }
        }

        static void Copy(OrderData to, OrderOut* from) {
            to.Local = from->OrderID.LocalOrderID;
            to.ClOrder = Text(from->OrderID.ClOrderID);
            to.Broker = from->AccountID.BrokerID;
            to.Account = Text(from->AccountID.AccountID, from->AccountID.AccountIDLength);
            to.SubAccount = Text(from->AccountID.SubAccountID, from->AccountID.SubAccountIDLength);
            to.Feed = from->AssetID.FeedType;
            to.Quantity = from->Quantity;
            to.Traded = from->TradedQuantity;
            to.Leaves = from->LeavesQuantity;
            to.Price = from->Price;
            to.Stop = from->StopPrice;
            to.Average = from->AveragePrice;
            to.Side = from->OrderSide;
            to.Type = from->OrderType;
            to.Status = from->OrderStatus;
            to.Validity = from->ValidityType;
            to.Created = Milliseconds(from->Date);
            to.Updated = Milliseconds(from->LastUpdate);
            to.Closed = Milliseconds(from->CloseDate);
            to.ValidUntil = Milliseconds(from->ValidityDate);
            to.Event = from->EventID;
        }

        public static int HasOrders(int broker, string account, string subAccount, long start, long end) {
            fixed (char* a = account, s = subAccount) {
                AccountIdentifier id = Account(broker, a, s);
                return Native.HasOrdersInInterval(&id, Time(start), Time(end));
            }
        }

        // All orders in memory, or (`end` above 0) those between two times; `code[0]` is the DLL's answer.
        public static OrderData[] Orders(int broker, string account, string subAccount, long start, long end, int[] code) {
            List<OrderData> found = new List<OrderData>();
            GCHandle handle = GCHandle.Alloc(found);
            IntPtr value = GCHandle.ToIntPtr(handle), each = Marshal.GetFunctionPointerForDelegate(eachOrder);
            try {
                fixed (char* a = account, s = subAccount) {
                    AccountIdentifier id = Account(broker, a, s);
                    code[0] = end > 0
                        ? Native.EnumerateOrdersByInterval(&id, 1, Time(start), Time(end), value, each)
                        : Native.EnumerateAllOrders(&id, 1, value, each);
                }
            } finally {
                handle.Free();
            }
            return found.ToArray();
        }

        static int EachOrder(Order* from, IntPtr value) {
            try {
                ((List<OrderData>)GCHandle.FromIntPtr(value).Target).Add(new OrderData {
                    Local = from->OrderID.LocalOrderID, ClOrder = Text(from->OrderID.ClOrderID), Broker = from->AccountID.BrokerID,
                    Account = Text(from->AccountID.AccountID), SubAccount = Text(from->AccountID.SubAccountID),
                    Ticker = Text(from->AssetID.Ticker), Exchange = Text(from->AssetID.Exchange), Feed = from->AssetID.FeedType,
                    Quantity = from->Quantity, Traded = from->TradedQuantity, Leaves = from->LeavesQuantity, Price = from->Price,
                    Stop = from->StopPrice, Average = from->AveragePrice, Side = from->OrderSide, Type = from->OrderType,
                    Status = from->OrderStatus, Validity = from->ValidityType, Created = Milliseconds(from->Date),
                    Updated = Milliseconds(from->LastUpdate), Closed = Milliseconds(from->CloseDate),
                    ValidUntil = Milliseconds(from->ValidityDate), Text = Text(from->TextMessage), Event = from->EventID
                });
                return 1;
            } catch (Exception error) {
                Counters.Fail(error);
                return 0;
            }
        }
    }
}
