// The records of `realtime/records.py`, and the small sums that fill them: exchange times, the host's clock, counters.
using System;
using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace ProfitInterop {
    [StructLayout(LayoutKind.Explicit, Size = 96)]
    public unsafe struct MarketRecord {
        [FieldOffset(0)] public long seq;
        [FieldOffset(8)] public long mono;
        [FieldOffset(16)] public long time;
        [FieldOffset(24)] public double price;
        [FieldOffset(32)] public long quantity;
        [FieldOffset(40)] public double volume;
        [FieldOffset(48)] public long number;
        [FieldOffset(56)] public int buyer;
        [FieldOffset(60)] public int seller;
        [FieldOffset(64)] public int asset;
        [FieldOffset(68)] public int position;
        [FieldOffset(72)] public int count;
        [FieldOffset(76)] public byte kind;
        [FieldOffset(77)] public byte action;
        [FieldOffset(78)] public byte side;
        [FieldOffset(79)] public byte has;
        [FieldOffset(80)] public uint flags;
        [FieldOffset(84)] public fixed byte rest[12];
        [FieldOffset(88)] internal long reserved;
    }

    [StructLayout(LayoutKind.Explicit, Size = 96)]
    public struct DailyPrices {
        [FieldOffset(24)] public double open;
        [FieldOffset(32)] public double high;
        [FieldOffset(40)] public double low;
        [FieldOffset(48)] public double close;
        [FieldOffset(56)] public double volume;
        [FieldOffset(80)] public double adjustment;
        [FieldOffset(88)] public double max_limit;
    }

    [StructLayout(LayoutKind.Explicit, Size = 96)]
    public struct DailyCounts {
        [FieldOffset(24)] public double min_limit;
        [FieldOffset(32)] public double buyer_volume;
        [FieldOffset(40)] public double seller_volume;
        [FieldOffset(48)] public int quantity;
        [FieldOffset(52)] public int trades;
        [FieldOffset(56)] public int open_contracts;
        [FieldOffset(60)] public int buyer_quantity;
        [FieldOffset(68)] public int seller_quantity;
        [FieldOffset(72)] public int buyer_trades;
        [FieldOffset(80)] public int seller_trades;
    }

    [StructLayout(LayoutKind.Explicit, Size = 640)]
    public unsafe struct ControlRecord {
        [FieldOffset(0)] public long seq;
        [FieldOffset(8)] public long mono;
        [FieldOffset(16)] public int kind;
        [FieldOffset(20)] public int code;
        [FieldOffset(24)] public long value;
        [FieldOffset(32)] public long number;
        [FieldOffset(40)] public long other;
        [FieldOffset(48)] public double amount;
        [FieldOffset(56)] public double amount2;
        [FieldOffset(64)] public fixed ushort lengths[6];
        [FieldOffset(76)] public uint cut;
        [FieldOffset(80)] public fixed ushort text[280];
    }

    static class Kind {
        public const byte Trade = 1, HistoryTrade = 2, Quote = 3, Depth = 4, Offer = 5, DailyPrices = 6, DailyCounts = 7,
            Theoretical = 8, LastQuote = 9, AssetState = 10;
    }

    static class Event {
        public const int State = 1, Health = 2, Asset = 3, InvalidTicker = 4, Progress = 5, AssetInfo = 6, Account = 7,
            AccountsChanged = 8, Order = 9, OrdersLoaded = 10, Position = 11, Message = 12, Adjustment = 13,
            AssetListed = 14, HistoryEnd = 15;
    }

    // What went otherwise than it should, counted where it happened. Python reads the same memory.
    public static unsafe class Counters {
        public const int Errors = 0, Untranslated = 1, Sentinels = 2, LevelsGone = 3, OffersMalformed = 4, Freed = 5, Wakes = 6,
            Assets = 7, Unnamed = 8, Cut = 9, AfterClose = 10, Count = 16;
        public static readonly string Names = "errors,untranslated,sentinels,levels_gone,offers_malformed,freed,wakes,"
            + "assets,unnamed,cut,after_close";
        internal static long* at;
        static string first;

        internal static void Open() {
            at = (long*)Memory.Zeroed(Count * sizeof(long));
        }

        public static long Address() {
            return (long)at;
        }

        public static string FirstError() {
            return first;
        }

        [MethodImpl(MethodImplOptions.NoInlining)]
        internal static void Fail(Exception error) {
            at[Errors]++;
            if (first == null) first = error.ToString();
        }
    }

    static unsafe class Memory {
        // Every page is touched now, so that no callback takes the fault.
        public static byte* Zeroed(long bytes) {
            long raw = (long)Marshal.AllocHGlobal((IntPtr)(bytes + 4096));
            byte* start = (byte*)((raw + 4095) & ~4095L);
            for (long i = 0; i < bytes; i += 8) *(long*)(start + i) = 0;
            return start;
        }
    }

    public static unsafe class Clock {
        static bool linux;
        static long* now;
        static long scale;
        static uint dayKey;
        static long dayMilliseconds;

        internal static void Open(bool onLinux) {
            linux = onLinux;
            now = (long*)Memory.Zeroed(16);
            scale = 1000000000L % Stopwatch.Frequency == 0 ? 1000000000L / Stopwatch.Frequency : 0;
        }

        // Nanoseconds of the clock that Python's perf_counter_ns reads. Only for the connector thread.
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        internal static long Now() {
            if (!linux) return Shared();
            Linux.clock_gettime(1, now);
            return now[0] * 1000000000L + now[1];
        }

        // The same for any thread.
        public static long Shared() {
            long ticks = Stopwatch.GetTimestamp();
            if (scale != 0) return ticks * scale;
            long second = Stopwatch.Frequency;
            return ticks / second * 1000000000L + ticks % second * 1000000000L / second;
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        internal static long Milliseconds(SystemTime* at) {
            uint key = (uint)at->Year << 16 | (uint)at->Month << 8 | at->Day;
            if (key != dayKey) NewDay(key, at->Year, at->Month, at->Day);
            return dayMilliseconds + ((at->Hour * 60 + at->Minute) * 60 + at->Second) * 1000L + at->Milliseconds;
        }

        [MethodImpl(MethodImplOptions.NoInlining)]
        static void NewDay(uint key, int year, int month, int day) {
            dayMilliseconds = Days(year, month, day) * 86400000L;
            dayKey = key;
        }

        // Days since 1970-01-01 of the Gregorian calendar.
        internal static long Days(int year, int month, int day) {
            if (month <= 2) year--;
            long era = (year >= 0 ? year : year - 399) / 400;
            int ofEra = (int)(year - era * 400);
            int ofYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
            return era * 146097 + ofEra * 365 + ofEra / 4 - ofEra / 100 + ofYear - 719468;
        }

        // DD/MM/YYYY HH:mm:SS.ZZZ (or :ZZZ), the time optional; 0 when it is none. `wide`: units of 16 bits.
        internal static long Parse(void* text, int limit, bool wide) {
            if (text == null) return 0;
            int* part = stackalloc int[7];
            for (int i = 0; i < 7; i++) part[i] = 0;
            int at = 0, digits = 0;
            for (int i = 0; i < limit; i++) {
                int unit = wide ? (int)((char*)text)[i] : ((byte*)text)[i];
                if (unit == 0) break;
                if (unit >= '0' && unit <= '9') {
                    part[at] = part[at] * 10 + unit - '0';
                    digits++;
                } else if (digits > 0) {
                    if (at == 6) break;
                    at++;
                    digits = 0;
                }
            }
            if (at < 2 || part[1] < 1 || part[1] > 12 || part[0] < 1 || part[2] < 1900) return 0;
            return Days(part[2], part[1], part[0]) * 86400000L + ((part[3] * 60 + part[4]) * 60 + part[5]) * 1000L + part[6];
        }
    }
}
