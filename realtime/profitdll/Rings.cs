// The two ways out: a bounded ring of market records that never blocks its writer, and a chain of control records that
// never drops. Readers sleep on waiters; a writer signals only those that sleep.
using System;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Threading;

namespace ProfitInterop {
    // One writer: the DLL's connector thread. Positions are in units of 8 bytes from the header's start.
    public static unsafe class Market {
        public const int HeaderBytes = 512, Head = 0, Tail = 8, Waiting = 16, Dropped = 24, Events = 40, KnownTail = 41;
        internal static long* header;
        internal static MarketRecord* records;
        static long capacity;

        public static long Open(long slots, bool linux) {
            if (header != null) return (long)header;
            if (slots < 64 || (slots & (slots - 1)) != 0) throw new ArgumentException("capacity must be a power of two, found " + slots);
            Counters.Open();
            Clock.Open(linux);
            Symbols.Open();
            Control.Open();
            byte* memory = Memory.Zeroed(HeaderBytes + slots * sizeof(MarketRecord));
            records = (MarketRecord*)(memory + HeaderBytes);
            capacity = slots;
            header = (long*)memory;
            return (long)header;
        }

        // The next slot, its event numbered; null when the ring is full (counted). `more`: slots that must follow it.
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        internal static MarketRecord* Claim(byte kind, int more) {
            long* at = header;
            long head = at[Head];
            if (head + more - at[KnownTail] >= capacity && Full(kind, more)) return null;
            long number = at[Events] + 1;
            at[Events] = number;
            MarketRecord* record = records + (head & (capacity - 1));
            record->seq = number;
            return record;
        }

        [MethodImpl(MethodImplOptions.NoInlining)]
        static bool Full(byte kind, int more) {
            header[KnownTail] = Volatile.Read(ref header[Tail]);
            if (header[Head] + more - header[KnownTail] < capacity) return false;
            for (int i = 0; i <= more; i++) {
                header[Dropped]++;
                header[Dropped + kind + i]++;
                header[Events]++;
            }
            return true;
        }

        // The second half of a pair that `Claim` made room for.
        internal static MarketRecord* Next() {
            MarketRecord* record = records + ((header[Head] + 1) & (capacity - 1));
            record->seq = ++header[Events];
            return record;
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        internal static void Publish(int count) {
            long* at = header;
            Interlocked.Exchange(ref at[Head], at[Head] + count);  // and a fence: a waiter arms before it looks again
            if (at[Waiting] != 0) Waiters.Wake();
        }
    }

    // Several writers, one reader. A record is there when its number is positive.
    public static unsafe class Control {
        const int PerChunk = 64, Chunks = 1 << 18;  // 16 million events behind are more than any machine's memory
        static long* chunks;
        static long* claimed;
        static long read;

        internal static void Open() {
            chunks = (long*)Memory.Zeroed(Chunks * sizeof(long));
            claimed = (long*)Memory.Zeroed(sizeof(long));
        }

        internal static ControlRecord* Claim(int kind) {
            long ticket = Interlocked.Increment(ref *claimed) - 1;
            long* slot = chunks + (ticket / PerChunk & (Chunks - 1));
            long chunk = Volatile.Read(ref *slot);
            if (chunk == 0) chunk = Grow(slot);
            ControlRecord* record = (ControlRecord*)chunk + ticket % PerChunk;
            record->seq = -(ticket + 1);
            record->mono = Clock.Shared();
            record->kind = kind;
            return record;
        }

        static long Grow(long* slot) {
            int bytes = PerChunk * sizeof(ControlRecord);
            long made = (long)Marshal.AllocHGlobal(bytes);
            for (int i = 0; i < bytes; i += 8) *(long*)(made + i) = 0;
            long other = Interlocked.CompareExchange(ref *slot, made, 0);
            if (other == 0) return made;
            Marshal.FreeHGlobal((IntPtr)made);
            return other;
        }

        // Text number `at`, behind those before it. `limit`: units known to be there, or -1 for up to the NUL.
        internal static void Text(ControlRecord* record, int at, char* text, int limit) {
            if (text == null) return;
            int used = 0;
            for (int i = 0; i < at; i++) used += record->lengths[i];
            int n = 0;
            for (; n != limit && text[n] != 0; n++) {
                if (used + n < 280) record->text[used + n] = text[n];
                else record->cut++;
            }
            record->lengths[at] = (ushort)Math.Min(n, 280 - used);
        }

        internal static void Publish(ControlRecord* record) {
            if (record->cut != 0) Counters.at[Counters.Cut]++;
            long number = -record->seq;
            Volatile.Write(ref record->seq, number);
            Thread.MemoryBarrier();
            if (Market.header[Market.Waiting] != 0) Waiters.Wake();
        }

        internal static bool Available() {
            long chunk = Volatile.Read(ref chunks[read / PerChunk & (Chunks - 1)]);
            return chunk != 0 && Volatile.Read(ref ((ControlRecord*)chunk + read % PerChunk)->seq) > 0;
        }

        // Copies up to `max` records to `destination` and lets go of them. One reading thread.
        public static int Read(long destination, int max) {
            int copied = 0;
            while (copied < max && Available()) {
                long* slot = chunks + (read / PerChunk & (Chunks - 1));
                ((ControlRecord*)destination)[copied++] = *((ControlRecord*)*slot + read % PerChunk);
                if (++read % PerChunk == 0) {
                    Marshal.FreeHGlobal((IntPtr)(*slot));
                    Volatile.Write(ref *slot, 0);
                }
            }
            return copied;
        }
    }

    [UnmanagedFunctionPointer(CallingConvention.Cdecl)] public delegate int WaitFunction(int waiter, long cursor, int control, int milliseconds);
    [UnmanagedFunctionPointer(CallingConvention.Cdecl)] public delegate int ArmFunction(int waiter, long cursor, int control);

    // A reader's bed. `cursor` is the position it has read to; the answer has bit 1 for market records, 2 for control records.
    public static unsafe class Waiters {
        public const int Most = 8;
        static readonly AutoResetEvent[] signals = new AutoResetEvent[Most];
        static readonly int[] files = new int[Most];  // an eventfd instead, on Linux; 0: none
        static readonly int[] called = new int[Most];  // by `Call`, which ends a sleep without a record
        static ulong* one;
        static readonly WaitFunction wait = Wait;
        static readonly ArmFunction arm = Arm;

        public static void Open(int waiter, int file) {
            if (one == null) {
                ulong* made = (ulong*)Memory.Zeroed(sizeof(ulong));
                *made = 1;
                one = made;
            }
            files[waiter] = file;
            if (signals[waiter] == null) signals[waiter] = new AutoResetEvent(false);
        }

        public static long WaitPointer() {
            return (long)Marshal.GetFunctionPointerForDelegate(wait);
        }

        public static long ArmPointer() {
            return (long)Marshal.GetFunctionPointerForDelegate(arm);
        }

        static int Ready(long cursor, int control) {
            int ready = Volatile.Read(ref Market.header[Market.Head]) > cursor ? 1 : 0;
            return control != 0 && Control.Available() ? ready | 2 : ready;
        }

        static void Mark(int waiter, bool asleep) {
            long* mask = Market.header + Market.Waiting;
            while (true) {
                long found = Volatile.Read(ref *mask);
                long wanted = asleep ? found | 1L << waiter : found & ~(1L << waiter);
                if (Interlocked.CompareExchange(ref *mask, wanted, found) == found) return;
            }
        }

        // Asks for a signal unless something is there already.
        static int Arm(int waiter, long cursor, int control) {
            int ready = Ready(cursor, control);
            if (ready != 0) return ready;
            Mark(waiter, true);
            ready = Ready(cursor, control);
            if (ready != 0) Mark(waiter, false);
            return ready;
        }

        // Sleeps on after a signal that was meant for an earlier sleep.
        static int Wait(int waiter, long cursor, int control, int milliseconds) {
            try {
                int started = Environment.TickCount;
                while (true) {
                    int ready = Arm(waiter, cursor, control);
                    if (ready != 0 || milliseconds == 0) return ready;
                    int left = milliseconds - unchecked(Environment.TickCount - started);
                    if (left > 0) signals[waiter].WaitOne(left);
                    if (left > 0 && Interlocked.Exchange(ref called[waiter], 0) == 0) continue;
                    Mark(waiter, false);
                    return Ready(cursor, control);
                }
            } catch (Exception error) {
                Counters.Fail(error);
                return 0;
            }
        }

        [MethodImpl(MethodImplOptions.NoInlining)]
        internal static void Wake() {
            long mask = Interlocked.Exchange(ref Market.header[Market.Waiting], 0);
            for (int waiter = 0; mask != 0; waiter++, mask >>= 1) {
                if ((mask & 1) != 0) Signal(waiter);
            }
        }

        public static void Call(int waiter) {
            Interlocked.Exchange(ref called[waiter], 1);
            Signal(waiter);
        }

        static void Signal(int waiter) {
            Counters.at[Counters.Wakes]++;
            if (files[waiter] != 0) Linux.write(files[waiter], one, (IntPtr)8);
            else signals[waiter].Set();
        }
    }

    // Numbers for symbols, by the content of their texts. Only the connector thread adds.
    public static unsafe class Symbols {
        struct Entry {
            public ulong a, b, c;
            public int number;
        }

        const int Slots = 1 << 17, Most = 1 << 16;
        static Entry* entries;
        static long* names;  // ticker NUL exchange NUL
        static int* feeds;
        static int* odd;  // numbers of those whose texts do not fit into a key
        static int odds;
        static int count;

        internal static void Open() {
            entries = (Entry*)Memory.Zeroed(Slots * sizeof(Entry));
            names = (long*)Memory.Zeroed((Most + 1) * sizeof(long));
            feeds = (int*)Memory.Zeroed((Most + 2) * sizeof(int));
            odd = (int*)Memory.Zeroed((Most + 2) * sizeof(int));
        }

        // 0 when there is no ticker, or no room for one more. Up to 16 characters below 256 make a key of numbers.
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        internal static int Number(char* ticker, char* exchange, int feed) {
            if (ticker == null || exchange == null) return Unnamed();
            ulong a = 0, b = 0, c = 0x100 | (ulong)(feed & 0xFF), wide = 0, unit;
            char* p = ticker;
            for (; (unit = *p) != 0; p++) {
                if (a >> 56 != 0) {
                    if (b >> 56 != 0) return Odd(ticker, exchange, feed);
                    b = b << 8 | a >> 56;
                }
                a = a << 8 | unit;
                wide |= unit;
            }
            for (p = exchange; (unit = *p) != 0; p++) {
                if (c >> 56 != 0) return Odd(ticker, exchange, feed);
                c = c << 8 | unit;
                wide |= unit;
            }
            if (wide > 255) return Odd(ticker, exchange, feed);
            ulong hash = (a ^ b * 0x9E3779B97F4A7C15UL ^ c << 29) * 0xD6E8FEB86659FD93UL;
            Entry* entry = entries + (hash >> 47);
            if (entry->a == a && entry->c == c && entry->b == b && entry->number != 0) return entry->number;
            return Probe(entry, a, b, c, ticker, exchange, feed);
        }

        [MethodImpl(MethodImplOptions.NoInlining)]
        static int Unnamed() {
            Counters.at[Counters.Unnamed]++;
            return 0;
        }

        [MethodImpl(MethodImplOptions.NoInlining)]
        static int Probe(Entry* entry, ulong a, ulong b, ulong c, char* ticker, char* exchange, int feed) {
            while (entry->number != 0) {
                if (entry->a == a && entry->b == b && entry->c == c) return entry->number;
                if (++entry == entries + Slots) entry = entries;
            }
            int number = Add(ticker, exchange, feed);
            if (number == 0) return 0;
            entry->a = a;
            entry->b = b;
            entry->c = c;
            entry->number = number;
            return number;
        }

        [MethodImpl(MethodImplOptions.NoInlining)]
        static int Odd(char* ticker, char* exchange, int feed) {
            for (int i = 0; i < odds; i++) {
                char* name = (char*)names[odd[i]];
                if (feeds[odd[i]] == (feed & 0xFF) && Same(ref name, ticker) && Same(ref name, exchange)) return odd[i];
            }
            int number = Add(ticker, exchange, feed);
            if (number != 0) odd[odds++] = number;
            return number;
        }

        // Compares and steps behind the NUL of `name`.
        static bool Same(ref char* name, char* text) {
            for (; *name == *text; name++, text++) {
                if (*name != 0) continue;
                name++;
                return true;
            }
            return false;
        }

        static int Length(char* text) {
            int n = 0;
            while (text[n] != 0) n++;
            return n;
        }

        static int Add(char* ticker, char* exchange, int feed) {
            if (count == Most) return Unnamed();
            int first = Length(ticker) + 1, second = Length(exchange) + 1, number = count + 1;
            char* name = (char*)Marshal.AllocHGlobal((first + second) * 2);
            for (int i = 0; i < first; i++) name[i] = ticker[i];
            for (int i = 0; i < second; i++) name[first + i] = exchange[i];
            names[number] = (long)name;
            feeds[number] = feed & 0xFF;
            Volatile.Write(ref count, number);
            Counters.at[Counters.Assets] = number;
            ControlRecord* record = Control.Claim(Event.Asset);
            record->code = number;
            record->value = feed & 0xFF;
            Control.Text(record, 0, ticker, -1);
            Control.Text(record, 1, exchange, -1);
            Control.Publish(record);
            return number;
        }

        public static string Ticker(int number) {
            if (number < 1 || number > Volatile.Read(ref count)) return null;
            return new string((char*)names[number]);
        }

        public static string Exchange(int number) {
            if (number < 1 || number > Volatile.Read(ref count)) return null;
            char* name = (char*)names[number];
            return new string(name + Length(name) + 1);
        }

        public static int Feed(int number) {
            return number < 1 || number > Volatile.Read(ref count) ? -1 : feeds[number];
        }
    }
}
