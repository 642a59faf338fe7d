"""The rings under load: nothing lost, nothing torn, nothing silent; waiting; the end of the process."""

import ctypes
import os
import select
import sys
import threading
import time

import numpy as np
import pytest

from realtime.profitdll.rings import CONTROLS, MARKET, MarketRing
from realtime.records import DROPPED, EVENTS, HEAD, RECORD, RING_HEADER, TAIL, Kind
from tests.realtime.profitdll.hosted import CAPACITY, hosted
from tests.realtime.profitdll.pumped import in_a_process

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the pump is Linux's")


@pytest.fixture
def dll():
    """The pump behind the adapter, with nothing waiting in the rings."""
    found = hosted()
    found.drained(), found.events()
    return found


def ring_of(capacity):
    """A ring in ordinary memory, and its header and slots as the writer sees them."""
    memory = np.zeros(RING_HEADER + capacity * RECORD.itemsize, dtype=np.uint8)
    header = memory[:RING_HEADER].view(np.int64)
    ring = MarketRing(memory.ctypes.data, capacity)
    return ring, header, memory[RING_HEADER:].view(RECORD), memory


def write(header, slots, count):
    for _ in range(count):
        head = header[HEAD // 8]
        header[EVENTS // 8] += 1
        slots[head % len(slots)]["seq"] = header[EVENTS // 8]
        header[HEAD // 8] = head + 1


def test_ready_records_end_at_the_ring_s_end_and_go_on_after_release():
    ring, header, slots, _memory = ring_of(8)
    write(header, slots, 6)
    ring.release(6)
    write(header, slots, 5)

    assert ring.ready()["seq"].tolist() == [7, 8]
    ring.release(2)
    assert ring.ready()["seq"].tolist() == [9, 10, 11]
    assert ring.ready(2)["seq"].tolist() == [9, 10]


def test_no_more_is_released_than_there_is():
    ring, header, slots, _memory = ring_of(8)
    write(header, slots, 3)

    with pytest.raises(ValueError, match="expected to release 0 to 3 records, found 4"):
        ring.release(4)
    with pytest.raises(ValueError, match="found -1"):
        ring.release(-1)


def test_a_cursor_reads_what_the_spool_has_released():
    ring, header, slots, _memory = ring_of(8)
    cursor = ring.cursor()
    write(header, slots, 4)
    ring.release(4)

    assert cursor.read(3)["seq"].tolist() == [1, 2, 3]
    assert cursor.read()["seq"].tolist() == [4]
    assert cursor.read()["seq"].tolist() == []
    assert cursor.lost == 0


def test_a_lapped_cursor_counts_what_it_lost_and_goes_on_at_the_oldest():
    ring, header, slots, _memory = ring_of(8)
    cursor = ring.cursor()
    write(header, slots, 20)  # the oldest whole ones: 6 of 8, for the writer may be filling two

    read = np.concatenate([cursor.read(), cursor.read()])
    assert read["seq"].tolist() == [15, 16, 17, 18, 19, 20]
    assert cursor.lost == 14


def test_what_is_overwritten_while_a_cursor_copies_is_not_given_out(monkeypatch):
    ring, header, slots, _memory = ring_of(8)
    cursor = ring.cursor()
    write(header, slots, 6)
    slots_of = ring.slots

    def slow(position, limit):
        found = slots_of(position, limit)
        write(header, slots, 4)  # laps positions 0 and 1, and may be at 2 and 3
        return found

    monkeypatch.setattr(ring, "slots", slow)

    assert cursor.read()["seq"].tolist() == [5, 6]
    assert cursor.lost == 4


def test_the_tape_is_whole_under_load(dll):
    trades, seen, stop = 300_000, [], threading.Event()
    first = dll.dll.market.events + 1
    before = dll.dll.market.dropped_by_kind().get(Kind.TRADE, 0)

    def drain():
        while not stop.is_set() or dll.dll.market.head > dll.dll.market.tail:
            part = dll.dll.market.ready()
            seen.append(part.copy())
            dll.dll.market.release(len(part))

    reader = threading.Thread(target=drain)
    reader.start()
    dll.pumped(trades, nanoseconds=5_000)
    stop.set()
    reader.join()
    rows = np.concatenate(seen)
    lost = dll.dll.market.dropped_by_kind().get(Kind.TRADE, 0) - before

    assert dll.dll.market.events == first + trades - 1
    assert len(rows) == trades - lost
    assert (np.diff(rows["seq"]) > 0).all()
    assert (rows["number"] - rows["seq"] == 1 - first).all()
    assert (rows["volume"] == rows["price"] * rows["quantity"]).all()
    assert (np.diff(rows["mono"]) > 0).all()


def test_a_full_ring_keeps_the_first_counts_the_rest_and_never_blocks(dll):
    before, last = dll.dll.market.dropped, dll.dll.market.events
    dll.pumped(CAPACITY + 1000)
    dll.pump.PumpFire(8)  # two records
    rows = dll.drained()

    assert rows["seq"].tolist() == list(range(last + 1, last + CAPACITY + 1))
    assert dll.dll.market.dropped == before + 1002
    assert dll.dll.market.events == last + CAPACITY + 1002
    assert dll.dll.market.dropped_by_kind()[Kind.DAILY_COUNTS] >= 1
    dll.pumped(1)
    assert dll.drained()["seq"].tolist() == [last + CAPACITY + 1003]


def test_a_pair_is_dropped_together(dll):
    dll.pumped(CAPACITY - 1)
    dll.pump.PumpFire(8)

    assert set(dll.drained()["kind"].tolist()) == {Kind.TRADE}


def test_a_symbol_is_announced_before_its_first_record(dll):
    dll.pumped(8)
    rows, announced = dll.drained(), dll.events()
    known = {event.number: event.ticker for event in announced if type(event).__name__ == "AssetSeen"}
    names = [dll.dll.asset(number).ticker for number in rows["asset"].tolist()]

    assert names == ["WINZ26", "WDOZ26", "PETR4", "VALE3", "ITUB4", "PETRK320", "BBDC4", "B3SA3"]
    assert all(dll.dll.asset(number).ticker == ticker for number, ticker in known.items())


def test_control_events_of_two_threads_all_arrive_once(dll):
    events = 20_000
    writer = threading.Thread(target=dll.pump.PumpControl, args=(events,))
    writer.start()
    found = []
    while writer.is_alive() or len(found) < 2 * events:
        found += dll.dll.control.read()[["seq", "kind", "value", "code"]].tolist()
    writer.join()
    numbers = [seq for seq, *_ in found]

    assert numbers == list(range(numbers[0], numbers[0] + 2 * events))
    assert [value for _, kind, value, _ in found if kind == 1] == list(range(events))
    assert [code for _, kind, _, code in found if kind == 2] == list(range(events))


def test_control_events_wait_as_long_as_nobody_reads(dll):
    dll.pump.PumpControl(50_000)

    assert sum(1 for _ in dll.events()) == 100_000


def test_a_sleeper_wakes_for_a_record_and_sleeps_on_without_one(dll):
    waiter = dll.dll.waiter(0)
    ring = dll.dll.market
    started = time.perf_counter()
    assert waiter.wait(ring.head, 0.05, control=True) == 0
    assert time.perf_counter() - started >= 0.045

    position = ring.head
    dll.pump.PumpStart(1, 50_000_000, 1, 0)
    assert waiter.wait(position, 30, control=False) == MARKET
    dll.pump.PumpJoin()


def test_a_sleeper_hears_control_events_only_when_it_asks(dll):
    waiter = dll.dll.waiter(0)
    dll.pump.PumpFire(0)

    assert waiter.wait(dll.dll.market.head, 0.01, control=False) == 0
    assert waiter.wait(dll.dll.market.head, 30, control=True) == CONTROLS


def test_two_sleepers_wake_for_one_record(dll):
    position, woken = dll.dll.market.head, []
    waiters = [dll.dll.waiter(number) for number in (1, 2)]
    threads = [
        threading.Thread(target=lambda w=waiter: woken.append(w.wait(position, 30, control=False)))
        for waiter in waiters
    ]
    for thread in threads:
        thread.start()
    time.sleep(0.05)
    dll.pumped(1)
    for thread in threads:
        thread.join()

    assert woken == [MARKET, MARKET]


def test_a_sleeper_can_be_woken_without_a_record(dll):
    waiter = dll.dll.waiter(3)
    timer = threading.Timer(0.05, waiter.wake)
    timer.start()
    started = time.perf_counter()

    assert waiter.wait(dll.dll.market.head, 30, control=False) == 0
    assert time.perf_counter() - started < 10
    timer.join()


def test_no_wake_up_is_lost(dll):
    """The writer answers each release with one record at once, in the very moment in which the reader lies down."""
    waiter, ring, follow = dll.dll.waiter(0), dll.dll.market, dll.pump.PumpFollow
    follow.argtypes = [ctypes.c_void_p]
    follow(ctypes.addressof(ring._memory) + TAIL)
    dll.pump.PumpStart(20_000, 0, 1, 0)
    try:
        for _ in range(20_000):
            began = time.monotonic()
            assert waiter.wait(ring.tail, 10, control=False) == MARKET
            assert time.monotonic() - began < 9  # a lost one is found only when the time is over
            ring.release(1)
    finally:
        dll.pump.PumpStop()
        dll.pump.PumpJoin()
        follow(None)


def test_signals_are_given_only_to_sleepers(dll):
    before = dll.dll.counters()["wakes"]
    dll.pumped(1000)

    assert dll.dll.counters()["wakes"] == before


@pytest.mark.skipif(not hasattr(os, "eventfd"), reason="an eventfd is Linux's")
def test_an_armed_eventfd_is_written_once(dll):
    file = os.eventfd(0, os.EFD_NONBLOCK)
    waiter = dll.dll.waiter(7, file)
    position = dll.dll.market.head
    assert waiter.arm(position, control=False) == 0
    dll.pumped(5)

    assert select.select([file], [], [], 10)[0] == [file]
    assert os.eventfd_read(file) == 1
    assert waiter.arm(position, control=False) == MARKET
    os.close(file)


def test_a_waiter_has_a_number_below_eight(dll):
    with pytest.raises(ValueError, match="found 8"):
        dll.dll.waiter(8)


def test_callbacks_leave_no_garbage(dll):
    import System

    System.GC.Collect()  # all the room is there again: what others took of it before does not count
    collected = System.GC.CollectionCount(0)
    dll.pumped(200_000)

    assert System.GC.CollectionCount(0) == collected


ENDING = """
import ctypes, sys, time
from realtime.profitdll.adapter import ProfitDll
dll = ProfitDll(LIBRARY, capacity=1 << 12)
dll.connect("key", "user", "password", routing=False)
pump = ctypes.CDLL(str(LIBRARY))
pump.PumpStart.argtypes = [ctypes.c_int64] * 3 + [ctypes.c_int32]
pump.PumpStart(1 << 40, 0, 1, 0)
time.sleep(0.2)
{end}
"""


@pytest.mark.parametrize("end", ["", "dll.close()\nassert pump.PumpFinalized() == 1", "sys.exit(0)"])
def test_a_process_ends_while_callbacks_still_come(end):
    done = in_a_process(ENDING.format(end=end))

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_dll_is_finalized_at_exit():
    done = in_a_process(
        "import atexit, ctypes\n"
        "pump = ctypes.CDLL(str(LIBRARY))\n"
        "atexit.register(lambda: print(pump.PumpFinalized(), flush=True))\n"
        "from realtime.profitdll.adapter import ProfitDll\n"
        "dll = ProfitDll(LIBRARY, capacity=1 << 12)\n"
        "dll.connect('key', 'user', 'password', routing=False)\n"
    )

    assert (done.returncode, done.stdout, done.stderr) == (0, "1\n", "")


def test_signals_keep_python_s_answers():
    done = in_a_process(
        "import os, signal, time\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # ignored in what a script starts beside itself
        "signal.signal(signal.SIGTERM, lambda *_: print('asked to end', flush=True))\n"
        "from realtime.profitdll.adapter import ProfitDll\n"
        "ProfitDll(LIBRARY, capacity=1 << 12)\n"
        "os.kill(os.getpid(), signal.SIGTERM)\n"
        "time.sleep(0.2)\n"
        "try:\n"
        "    os.kill(os.getpid(), signal.SIGINT)\n"
        "    time.sleep(5)\n"
        "except KeyboardInterrupt:\n"
        "    print('interrupted', flush=True)\n"
        "signal.signal(signal.SIGTERM, signal.SIG_DFL)\n"
        "os.kill(os.getpid(), signal.SIGTERM)\n"
        "time.sleep(5)\n"
    )

    assert (done.returncode, done.stdout, done.stderr) == (-15, "asked to end\ninterrupted\n", "")


def test_refused_credentials_are_an_error_at_once():
    done = in_a_process(
        "from realtime.profitdll.adapter import ProfitDll\n"
        "from realtime.profitdll.errors import NeverRetryError\n"
        "try:\n"
        "    ProfitDll(LIBRARY, capacity=1 << 12).connect('!', 'user', 'password', routing=False)\n"
        "except NeverRetryError as error:\n"
        "    print(error)\n"
    )

    assert done.stdout == "DLLInitializeMarketLogin: expected NL_OK, found -2147483642 (0x80000006, NL_NO_LICENSE)\n"
    assert (done.returncode, done.stderr) == (0, "")


def test_dropped_counters_lie_where_the_records_say():
    ring, header, _slots, _memory = ring_of(8)
    header[DROPPED // 8] = 5
    header[DROPPED // 8 + Kind.OFFER] = 5
    header[TAIL // 8] = 3

    assert (ring.dropped, ring.dropped_by_kind(), ring.tail) == (5, {Kind.OFFER: 5}, 3)
