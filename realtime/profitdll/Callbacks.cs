// What the DLL calls. Each copies scalars and texts into a record and returns: no request, no allocation, no lock, and no
// exception leaves. The delegates are made once and live in static fields as long as the process.
using System;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Threading;

namespace ProfitInterop {
    public static unsafe class Callbacks {
        const byte NoSide = 255;
        const uint Last = 1, First = 2, Unread = 4, Theoretical = 8;  // flags of depth and offer records
        static Trade* trade;  // scratch of the connector thread
        static PriceGroup* level;
        static int levels;
        static bool closed;

        static readonly StateCallback state = OnState;
        static readonly HealthCallback health = OnHealth;
        static readonly AccountCallback account = OnAccount;
        static readonly AccountsChangedCallback accountsChanged = OnAccountsChanged;
        static readonly AccountIdCallback subAccountsChanged = OnSubAccountsChanged;
        static readonly TradeCallback liveTrade = OnTrade;
        static readonly TradeCallback historyTrade = OnHistoryTrade;
        static readonly ProgressCallback progress = OnProgress;
        static readonly DailyCallback daily = OnDaily;
        static readonly TinyBookCallback tinyBook = OnTinyBook;
        static readonly DepthCallback depth = OnDepth;
        static readonly OfferCallback offer = OnOffer;
        static readonly TheoreticalCallback theoretical = OnTheoretical;
        static readonly LastQuoteCallback lastQuote = OnLastQuote;
        static readonly AssetStateCallback assetState = OnAssetState;
        static readonly InvalidTickerCallback invalidTicker = OnInvalidTicker;
        static readonly AssetListCallback assetList = OnAssetList;
        static readonly AssetInfoCallback assetInfo = OnAssetInfo;
        static readonly AdjustmentCallback adjustment = OnAdjustment;
        static readonly OrderCallback order = OnOrder;
        static readonly AccountIdCallback ordersLoaded = OnOrdersLoaded;
        static readonly PositionCallback position = OnPosition;
        static readonly MessageCallback message = OnMessage;

        delegate int Setter(IntPtr callback);

        // `depthLevels`: levels of a side that a full book brings.
        public static void Open(int depthLevels) {
            trade = (Trade*)Memory.Zeroed(sizeof(Trade));
            level = (PriceGroup*)Memory.Zeroed(sizeof(PriceGroup));
            levels = depthLevels;
            foreach (string name in new[] { "TranslateTrade", "GetPriceGroup", "GetPriceDepthSideCount", "GetTheoreticalValues", "FreePointer" }) {
                try {
                    Marshal.Prelink(typeof(Native).GetMethod(name));
                } catch (EntryPointNotFoundException) {
                    if (name == "TranslateTrade") throw;
                }
            }
        }

        // From now on callbacks return at once: nobody reads any more.
        public static void Close() {
            Volatile.Write(ref closed, true);
        }

        static IntPtr Pointer(Delegate callback) {
            return Marshal.GetFunctionPointerForDelegate(callback);
        }

        public static int Initialize(string key, string user, string password, bool routing) {
            fixed (char* k = key, u = user, p = password) {
                return routing
                    ? Native.DLLInitializeLogin(k, u, p, Pointer(state), IntPtr.Zero, IntPtr.Zero, Pointer(account), IntPtr.Zero,
                        Pointer(daily), IntPtr.Zero, IntPtr.Zero, IntPtr.Zero, Pointer(progress), Pointer(tinyBook))
                    : Native.DLLInitializeMarketLogin(k, u, p, Pointer(state), IntPtr.Zero, Pointer(daily), IntPtr.Zero,
                        IntPtr.Zero, IntPtr.Zero, Pointer(progress), Pointer(tinyBook));
            }
        }

        // Lines "name code": the setters that this build lacks (code 0) or that refused.
        public static string Install(bool routing) {
            string wrong = Install("SetTradeCallbackV2", Native.SetTradeCallbackV2, liveTrade)
                + Install("SetHistoryTradeCallbackV2", Native.SetHistoryTradeCallbackV2, historyTrade)
                + Install("SetPriceDepthCallback", Native.SetPriceDepthCallback, depth)
                + Install("SetOfferBookCallbackV2", Native.SetOfferBookCallbackV2, offer)
                + Install("SetTheoreticalPriceCallback", Native.SetTheoreticalPriceCallback, theoretical)
                + Install("SetChangeCotationCallback", Native.SetChangeCotationCallback, lastQuote)
                + Install("SetChangeStateTickerCallback", Native.SetChangeStateTickerCallback, assetState)
                + Install("SetInvalidTickerCallback", Native.SetInvalidTickerCallback, invalidTicker)
                + Install("SetAssetListCallback", Native.SetAssetListCallback, assetList)
                + Install("SetAssetListInfoCallbackV2", Native.SetAssetListInfoCallbackV2, assetInfo)
                + Install("SetAdjustHistoryCallbackV2", Native.SetAdjustHistoryCallbackV2, adjustment)
                + Install("SetHealthCallback", Native.SetHealthCallback, health);
            if (!routing) return wrong;
            return wrong + Install("SetOrderCallback", Native.SetOrderCallback, order)
                + Install("SetOrderHistoryCallback", Native.SetOrderHistoryCallback, ordersLoaded)
                + Install("SetAssetPositionListCallback", Native.SetAssetPositionListCallback, position)
                + Install("SetTradingMessageResultCallback", Native.SetTradingMessageResultCallback, message)
                + Install("SetBrokerAccountListChangedCallback", Native.SetBrokerAccountListChangedCallback, accountsChanged)
                + Install("SetBrokerSubAccountListChangedCallback", Native.SetBrokerSubAccountListChangedCallback, subAccountsChanged);
        }

        static string Install(string name, Setter setter, Delegate callback) {
            try {
                int code = setter(Pointer(callback));
                return code < 0 ? name + " " + code + "\n" : "";
            } catch (EntryPointNotFoundException) {
                return name + " 0\n";
            }
        }

        public static int InstallTrades() {
            return Native.SetTradeCallbackV2(Pointer(liveTrade));
        }

        static bool Closed() {
            if (!Volatile.Read(ref closed)) return false;
            Counters.at[Counters.AfterClose]++;
            return true;
        }

        static void OnTrade(AssetIdentifier asset, IntPtr handle, uint flags) {
            if (closed && Closed()) return;
            try {
                WriteTrade(Kind.Trade, &asset, handle, flags);
            } catch (Exception error) {
                Counters.Fail(error);
            }
        }

        static void OnHistoryTrade(AssetIdentifier asset, IntPtr handle, uint flags) {
            if (closed && Closed()) return;
            try {
                bool written = WriteTrade(Kind.HistoryTrade, &asset, handle, flags);
                if ((flags & 2) != 0) WriteHistoryEnd(&asset, written);
            } catch (Exception error) {
                Counters.Fail(error);
            }
        }

        // Outside any try: only there does the JIT put the two native calls in line.
        [MethodImpl(MethodImplOptions.NoInlining)]
        static bool WriteTrade(byte kind, AssetIdentifier* asset, IntPtr handle, uint flags) {
            Trade* from = trade;
            from->Version = 0;
            if (Native.TranslateTrade(handle, from) != 0) return NotWritten(Counters.Untranslated);
            if (from->TradeDate.Year == 0 || from->Price == 0) return NotWritten(Counters.Sentinels);
            int number = Symbols.Number(asset->Ticker, asset->Exchange, asset->FeedType);
            if (number == 0) return false;
            MarketRecord* to = Market.Claim(kind, 0);
            if (to == null) return false;
            to->mono = Clock.Now();
            to->time = Clock.Milliseconds(&from->TradeDate);
            to->price = from->Price;
            to->quantity = from->Quantity;
            to->volume = from->Volume;
            to->number = from->TradeNumber;
            to->buyer = from->BuyAgent;
            to->seller = from->SellAgent;
            to->asset = number;
            to->position = 0;
            to->count = 0;
            *(uint*)&to->kind = kind | (uint)from->TradeType << 8 | (uint)NoSide << 16;
            *(ulong*)&to->flags = flags;
            to->reserved = 0;
            Market.Publish(1);
            return true;
        }

        [MethodImpl(MethodImplOptions.NoInlining)]
        static bool NotWritten(int counter) {
            Counters.at[counter]++;
            return false;
        }

        static void WriteHistoryEnd(AssetIdentifier* asset, bool written) {
            ControlRecord* record = Control.Claim(Event.HistoryEnd);
            try {
                record->code = Symbols.Number(asset->Ticker, asset->Exchange, asset->FeedType);
                record->value = written ? 1 : 0;
                record->number = trade->TradeNumber;
            } finally {
                Control.Publish(record);
            }
        }

        // A cleared slot of `kind`, or null. A symbol that cannot be numbered is counted there.
        static MarketRecord* Begin(byte kind, int asset, long time) {
            if (asset == 0) return null;
            return Fill(Market.Claim(kind, 0), kind, asset, time);
        }

        static MarketRecord* Fill(MarketRecord* to, byte kind, int asset, long time) {
            if (to == null) return null;
            long seq = to->seq;
            *to = default(MarketRecord);
            to->seq = seq;
            to->mono = Clock.Now();
            to->time = time;
            to->asset = asset;
            to->kind = kind;
            to->side = NoSide;
            return to;
        }

        static int Number(TAssetIDRec* asset) {
            return Symbols.Number(asset->pwcTicker, asset->pwcBolsa, asset->nFeed);
        }

        static void OnTinyBook(TAssetIDRec asset, double price, int quantity, int side) {
            if (closed && Closed()) return;
            try {
                MarketRecord* to = Begin(Kind.Quote, Number(&asset), 0);
                if (to == null) return;
                to->price = price;
                to->quantity = quantity;
                to->side = (byte)side;
                Market.Publish(1);
            } catch (Exception error) {
                Counters.Fail(error);
            }
        }

        static void OnTheoretical(TAssetIDRec asset, double price, long quantity) {
            if (closed && Closed()) return;
            try {
                MarketRecord* to = Begin(Kind.Theoretical, Number(&asset), 0);
                if (to == null) return;
                to->price = price;
                to->quantity = quantity;
                Market.Publish(1);
            } catch (Exception error) {
                Counters.Fail(error);
            }
        }

        static void OnLastQuote(TAssetIDRec asset, char* date, uint number, double price) {
            if (closed && Closed()) return;
            try {
                MarketRecord* to = Begin(Kind.LastQuote, Number(&asset), Clock.Parse(date, 32, true));
                if (to == null) return;
                to->number = number;
                to->price = price;
                Market.Publish(1);
            } catch (Exception error) {
                Counters.Fail(error);
            }
        }

        static void OnAssetState(TAssetIDRec asset, char* date, int value) {
            if (closed && Closed()) return;
            try {
                MarketRecord* to = Begin(Kind.AssetState, Number(&asset), Clock.Parse(date, 32, true));
                if (to == null) return;
                to->count = value;
                Market.Publish(1);
            } catch (Exception error) {
                Counters.Fail(error);
            }
        }

        static void OnDaily(TAssetIDRec asset, char* date, double open, double high, double low, double close, double volume,
                double adjustment, double maxLimit, double minLimit, double buyerVolume, double sellerVolume, int quantity,
                int trades, int openContracts, int buyerQuantity, int sellerQuantity, int buyerTrades, int sellerTrades) {
            if (closed && Closed()) return;
            try {
                int number = Number(&asset);
                if (number == 0) return;
                MarketRecord* slot = Market.Claim(Kind.DailyPrices, 1);
                if (slot == null) return;
                long time = Clock.Parse(date, 32, true);
                DailyPrices* prices = (DailyPrices*)Fill(slot, Kind.DailyPrices, number, time);
                prices->open = open;
                prices->high = high;
                prices->low = low;
                prices->close = close;
                prices->volume = volume;
                prices->adjustment = adjustment;
                prices->max_limit = maxLimit;
                DailyCounts* counts = (DailyCounts*)Fill(Market.Next(), Kind.DailyCounts, number, time);
                counts->min_limit = minLimit;
                counts->buyer_volume = buyerVolume;
                counts->seller_volume = sellerVolume;
                counts->quantity = quantity;
                counts->trades = trades;
                counts->open_contracts = openContracts;
                counts->buyer_quantity = buyerQuantity;
                counts->seller_quantity = sellerQuantity;
                counts->buyer_trades = buyerTrades;
                counts->seller_trades = sellerTrades;
                Market.Publish(2);
            } catch (Exception error) {
                Counters.Fail(error);
            }
        }

        static void OnDepth(AssetIdentifier asset, byte side, int position, byte update) {
            if (closed && Closed()) return;
            try {
                int number = Symbols.Number(asset.Ticker, asset.Exchange, asset.FeedType);
                if (number == 0) return;
                if (update == 4) WriteFullDepth(&asset, number);
                else WriteDepth(&asset, number, side, position, update);
            } catch (Exception error) {
                Counters.Fail(error);
            }
        }

        static void WriteDepth(AssetIdentifier* asset, int number, byte side, int position, byte update) {
            bool unread = (update == 1 || update == 3) && !ReadLevel(asset, side, position);
            double price = 0;
            long quantity = 0;
            if (update == 7 && Native.GetTheoreticalValues(asset, &price, &quantity) != 0) unread = true;
            if (unread) Counters.at[Counters.LevelsGone]++;
            MarketRecord* to = Begin(Kind.Depth, number, 0);
            if (to == null) return;
            to->side = side;
            to->position = position;
            to->action = update;
            to->price = price;
            to->quantity = quantity;
            if (unread) to->flags = Unread;
            else if (update == 1 || update == 3) CopyLevel(to);
            Market.Publish(1);
        }

        static bool ReadLevel(AssetIdentifier* asset, byte side, int position) {
            level->Version = 0;
            level->PriceGroupFlags = 0;
            return Native.GetPriceGroup(asset, side, position, level) == 0;
        }

        static void CopyLevel(MarketRecord* to) {
            to->price = level->Price;
            to->quantity = level->Quantity;
            to->count = (int)level->Count;
            if ((level->PriceGroupFlags & 1) != 0) to->flags |= Theoretical;
        }

        // Each side as one page: the first record clears it, the last completes it; an empty side is one record at -1.
        static void WriteFullDepth(AssetIdentifier* asset, int number) {
            for (byte side = 0; side < 2; side++) {
                int count = Math.Min(Native.GetPriceDepthSideCount(asset, side), levels);
                for (int i = 0; i < count || i == 0; i++) {
                    bool unread = count < 0 || count > 0 && !ReadLevel(asset, side, i);
                    if (unread) Counters.at[Counters.LevelsGone]++;
                    MarketRecord* to = Begin(Kind.Depth, number, 0);
                    if (to == null) continue;
                    to->side = side;
                    to->action = 4;
                    to->position = count > 0 ? i : -1;
                    to->flags = (i == 0 ? First : 0) | (i + 1 >= count ? Last : 0) | (unread ? Unread : 0);
                    if (count > 0 && !unread) CopyLevel(to);
                    Market.Publish(1);
                }
            }
        }

        static void OnOffer(TAssetIDRec asset, int action, int position, int side, long quantity, int agent, long offer,
                double price, ushort hasPrice, ushort hasQuantity, ushort hasDate, ushort hasOffer, ushort hasAgent, char* date,
                byte* sell, byte* buy) {
            if (closed) {
                Release(sell);
                Release(buy);
                if (Closed()) return;
            }
            try {
                int number = Number(&asset);
                if (action == 4) {
                    try {
                        if (buy != null) WriteOffers(buy, number, 0);
                    } finally {
                        if (sell != null) WriteOffers(sell, number, 1);
                    }
                    return;
                }
                bool dated = (hasDate & 0xFF) != 0;
                MarketRecord* to = Begin(Kind.Offer, number, dated ? Clock.Parse(date, 32, true) : 0);
                if (to == null) return;
                to->action = (byte)action;
                to->position = position;
                to->side = (byte)side;
                to->price = price;
                to->quantity = quantity;
                to->number = offer;
                to->buyer = agent;
                to->has = (byte)(((hasPrice & 0xFF) != 0 ? 1 : 0) | ((hasQuantity & 0xFF) != 0 ? 2 : 0) | (dated ? 4 : 0)
                    | ((hasOffer & 0xFF) != 0 ? 8 : 0) | ((hasAgent & 0xFF) != 0 ? 16 : 0));
                Market.Publish(1);
            } catch (Exception error) {
                Counters.Fail(error);
            }
        }

        // One page of one side, then the array is given back, whatever happened. Entries stand from worst to best.
        static void WriteOffers(byte* page, int number, byte side) {
            try {
                int count = *(int*)page, size = *(int*)(page + 4);
                if (count < 0 || size != count * 53L + 12) {
                    Counters.at[Counters.OffersMalformed]++;
                    return;
                }
                uint flags = *(uint*)(page + 8 + 53 * count) & (First | Last);
                OfferEntry* entry = (OfferEntry*)(page + 8);
                for (int i = 0; i < count || i == 0; i++, entry++) {
                    bool dated = count > 0 && entry->DateLength != 0;
                    long time = dated ? Clock.Parse(entry->Date, Math.Min((int)entry->DateLength, 23), false) : 0;
                    MarketRecord* to = Begin(Kind.Offer, number, time);
                    if (to == null) continue;
                    to->action = 4;
                    to->side = side;
                    to->position = count - 1 - i;
                    to->flags = (i == 0 ? flags & First : 0) | (i + 1 >= count ? flags & Last : 0);
                    if (count > 0) CopyOffer(to, entry, dated);
                    Market.Publish(1);
                }
            } finally {
                Release(page);
            }
        }

        static void CopyOffer(MarketRecord* to, OfferEntry* entry, bool dated) {
            to->price = entry->Price;
            to->quantity = entry->Quantity;
            to->number = entry->OfferID;
            to->buyer = entry->Agent;
            to->has = (byte)(dated ? 31 : 27);
        }

        static void Release(byte* page) {
            if (page == null) return;
            try {
                Native.FreePointer(page, *(int*)(page + 4));
                Counters.at[Counters.Freed]++;
            } catch (Exception error) {
                Counters.Fail(error);
            }
        }

        static void OnState(int type, int result) {
            if (closed && Closed()) return;
            Write(Event.State, type, result, 0, null, null, null, null);
        }

        static void OnHealth(int value) {
            if (closed && Closed()) return;
            Write(Event.Health, value, 0, 0, null, null, null, null);
        }

        static void OnAccount(int broker, char* brokerName, char* id, char* holder) {
            if (closed && Closed()) return;
            Write(Event.Account, broker, 0, 0, id, null, brokerName, holder);
        }

        static void OnAccountsChanged(int broker, uint changed) {
            if (closed && Closed()) return;
            Write(Event.AccountsChanged, broker, changed, 0, null, null, null, null);
        }

        static void OnSubAccountsChanged(AccountIdentifier id) {
            if (closed && Closed()) return;
            Write(Event.AccountsChanged, id.BrokerID, 0, 0, id.AccountID, id.SubAccountID, null, null);
        }

        static void OnInvalidTicker(AssetIdentifier asset) {
            if (closed && Closed()) return;
            Write(Event.InvalidTicker, 0, asset.FeedType, 0, asset.Ticker, asset.Exchange, null, null);
        }

        static void OnAssetList(TAssetIDRec asset, char* name) {
            if (closed && Closed()) return;
            Write(Event.AssetListed, 0, asset.nFeed, 0, asset.pwcTicker, asset.pwcBolsa, name, null);
        }

        static void OnOrder(OrderIdentifier id) {
            if (closed && Closed()) return;
            Write(Event.Order, 0, 0, id.LocalOrderID, id.ClOrderID, null, null, null);
        }

        static void OnOrdersLoaded(AccountIdentifier id) {
            if (closed && Closed()) return;
            Write(Event.OrdersLoaded, id.BrokerID, 0, 0, id.AccountID, id.SubAccountID, null, null);
        }

        static void OnPosition(AccountIdentifier id, AssetIdentifier asset, long eventId) {
            if (closed && Closed()) return;
            Write(Event.Position, id.BrokerID, asset.FeedType, eventId, id.AccountID, id.SubAccountID, asset.Ticker, asset.Exchange);
        }

        static void Write(int kind, int code, long value, long number, char* text0, char* text1, char* text2, char* text3) {
            try {
                ControlRecord* record = Control.Claim(kind);
                try {
                    record->code = code;
                    record->value = value;
                    record->number = number;
                    Control.Text(record, 0, text0, -1);
                    Control.Text(record, 1, text1, -1);
                    Control.Text(record, 2, text2, -1);
                    Control.Text(record, 3, text3, -1);
                } finally {
                    Control.Publish(record);
                }
            } catch (Exception error) {
                Counters.Fail(error);
            }
        }

        static void OnProgress(TAssetIDRec asset, int percent) {
            if (closed && Closed()) return;
            Write(Event.Progress, Number(&asset), percent, 0, null, null, null, null);
        }

        static void OnMessage(TradingMessageResult* result) {
            if (closed && Closed()) return;
            try {
                ControlRecord* record = Control.Claim(Event.Message);
                try {
                    record->code = result->ResultCode;
                    record->value = result->BrokerID;
                    record->number = result->MessageID;
                    record->other = result->OrderID.LocalOrderID;
                    Control.Text(record, 0, result->OrderID.ClOrderID, -1);
                    Control.Text(record, 1, result->Message, result->MessageLength > 0 ? result->MessageLength : -1);
                } finally {
                    Control.Publish(record);
                }
            } catch (Exception error) {
                Counters.Fail(error);
            }
        }

        static void OnAssetInfo(TAssetIDRec asset, char* name, char* description, long minimum, long maximum, long lot, int type,
                int subType, double increment, double multiplier, char* expiry, char* isin, char* sector, char* subSector,
                char* segment) {
            if (closed && Closed()) return;
            try {
                ControlRecord* record = Control.Claim(Event.AssetInfo);
                try {
                    record->code = type | subType << 16;
                    record->value = lot;
                    record->number = minimum;
                    record->other = maximum;
                    record->amount = increment;
                    record->amount2 = multiplier;
                    Control.Text(record, 0, asset.pwcTicker, -1);
                    Control.Text(record, 1, asset.pwcBolsa, -1);
                    Control.Text(record, 2, expiry, -1);
                    Control.Text(record, 3, isin, -1);
                    Control.Text(record, 4, name, -1);
                    Control.Text(record, 5, description, -1);
                } finally {
                    Control.Publish(record);
                }
            } catch (Exception error) {
                Counters.Fail(error);
            }
        }

        static void OnAdjustment(TAssetIDRec asset, double value, char* type, char* note, char* adjusted, char* decided, char* paid,
                uint flags, double multiplier) {
            if (closed && Closed()) return;
            try {
                int number = Number(&asset);
                ControlRecord* record = Control.Claim(Event.Adjustment);
                try {
                    record->code = number;
                    record->value = flags;
                    record->amount = value;
                    record->amount2 = multiplier;
                    Control.Text(record, 0, asset.pwcTicker, -1);
                    Control.Text(record, 1, type, -1);
                    Control.Text(record, 2, adjusted, -1);
                    Control.Text(record, 3, decided, -1);
                    Control.Text(record, 4, paid, -1);
                    Control.Text(record, 5, note, -1);
                } finally {
                    Control.Publish(record);
                }
            } catch (Exception error) {
                Counters.Fail(error);
            }
        }
    }
}
