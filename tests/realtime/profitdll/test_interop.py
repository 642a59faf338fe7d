"""Every callback of the C# side, called by a native thread with known values that are overwritten afterwards."""

import datetime as dt
import shutil
import sys
import threading
import time

import msgspec
import numpy as np
import pytest

from realtime import records
from realtime.profitdll import host
from realtime.profitdll.errors import AssemblyError, LibraryError, ProfitDllError, WrongThreadError
from realtime.profitdll.messages import TYPES
from realtime.profitdll.requests import SAO_PAULO, Asset, instant
from realtime.records import Event, Kind
from tests.realtime.profitdll.hosted import hosted
from tests.realtime.profitdll.layouts import LAYOUTS
from tests.realtime.profitdll.pumped import in_a_process, pump

MOMENT = int(dt.datetime(2026, 11, 5, 10, 11, 12, 345000, tzinfo=dt.UTC).timestamp() * 1000)

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the pump is Linux's")


@pytest.fixture
def dll():
    """The pump behind the adapter, with nothing waiting in the rings."""
    found = hosted()
    found.drained(), found.events()
    return found


def without_clock(event):
    """An event's own fields."""
    return {k: v for k, v in msgspec.structs.asdict(event).items() if k not in ("seq", "mono", "cut")}


def test_every_struct_has_the_sheet_s_size_and_offsets(dll):
    theirs = dict(line.split() for line in dll.dll._interop.Layouts.All().splitlines())
    names = {"SystemTime": "TSystemTime", "OfferEntry": "TOfferEntryV2", "TAssetIDRec": "TAssetIDRec"}
    names["TAccountRec"] = "TAccountRec"
    ours = [name for name in theirs if "." not in name and name not in ("MarketRecord", "DailyPrices", "DailyCounts")]
    compared = 0
    for struct in ours:
        if struct == "ControlRecord":
            continue
        size, fields = LAYOUTS[names.get(struct, f"TConnector{struct}")]
        found = {name.partition(".")[2]: int(at) for name, at in theirs.items() if name.startswith(f"{struct}.")}
        assert int(theirs[struct]) == size, struct
        assert found == {name: offset for name, (offset, _) in fields.items()}, struct
        compared += 1 + len(fields)

    assert compared >= 190


def test_a_record_that_moved_is_refused_by_name():
    lines = "\n".join(
        f"{name} {at}"
        for struct, dtype in (
            ("MarketRecord", records.RECORD),
            ("DailyPrices", records.DAILY_PRICES),
            ("DailyCounts", records.DAILY_COUNTS),
            ("ControlRecord", records.CONTROL),
        )
        for name, at in host.layout_of(struct, dtype).items()
    )
    host.check_layouts(lines)

    with pytest.raises(AssemblyError, match=r"MarketRecord\.price: expected 24"):
        host.check_layouts(lines.replace("MarketRecord.price 24", "MarketRecord.price 32"))
    with pytest.raises(AssemblyError, match="MarketRecord: expected 96"):
        host.check_layouts(lines.replace("MarketRecord 96", "MarketRecord 88"))
    with pytest.raises(AssemblyError, match="extra"):
        host.check_layouts(lines + "\nMarketRecord.extra 84")


def test_a_trade_arrives_whole(dll):
    before = time.perf_counter_ns()
    (row,), _ = dll.fired(5)

    assert dll.dll.asset(row["asset"]) == Asset("PETR4", "B", 0)
    assert before < row["mono"] < time.perf_counter_ns()
    assert row["time"] == MOMENT
    assert {k: row[k] for k in ("price", "quantity", "volume", "number", "buyer", "seller")} == {
        "price": 34.5,
        "quantity": 200,
        "volume": 6900.0,
        "number": 21,
        "buyer": 3,
        "seller": 8,
    }
    assert (row["kind"], row["action"], row["side"], row["flags"], row["count"]) == (Kind.TRADE, 2, 255, 1, 0)


def test_the_last_trade_of_a_history_answer_also_comes_as_an_event(dll):
    (row,), (end,) = dll.fired(6)

    assert (row["kind"], row["flags"]) == (Kind.HISTORY_TRADE, 2)
    assert without_clock(end) == {"asset": row["asset"], "trade": 21, "written": True}


def test_a_trade_that_cannot_be_read_ends_the_history_all_the_same(dll):
    before = dll.dll.counters()
    rows, (end,) = dll.fired(29)

    assert (rows, end.written) == ([], False)
    assert dll.dll.counters()["untranslated"] == before["untranslated"] + 1


def test_a_trade_of_the_year_zero_is_counted_and_not_written(dll):
    before = dll.dll.counters()

    assert dll.fired(28) == ([], [])
    after = dll.dll.counters()
    assert after["sentinels"] == before["sentinels"] + 1
    assert after["events"] == before["events"]


def test_a_long_ticker_has_one_number_in_every_callback(dll):
    (trade,), _ = dll.fired(30)
    (quote,), _ = dll.fired(32)

    assert dll.dll.asset(trade["asset"]) == Asset("A TICKER OF MORE THAN SIXTEEN", "B", 255)
    assert quote["asset"] == trade["asset"]


def test_a_trade_without_a_ticker_is_counted(dll):
    before = dll.dll.counters()["unnamed"]

    assert dll.fired(31) == ([], [])
    assert dll.dll.counters()["unnamed"] == before + 1


def test_a_daily_aggregate_is_two_records_in_a_row(dll):
    rows, _ = dll.left_by(8)
    prices, counts = rows[:1].view(records.DAILY_PRICES), rows[1:].view(records.DAILY_COUNTS)

    assert rows["kind"].tolist() == [Kind.DAILY_PRICES, Kind.DAILY_COUNTS]
    assert np.diff(rows["seq"]).tolist() == [1]
    assert rows["time"].tolist() == [MOMENT, MOMENT]
    assert prices[0].item() == (1.5, 2.5, 3.5, 4.5, 5.5, 6.5, 7.5)
    assert counts[0].item() == (8.5, 9.5, 10.5, 11, 12, 13, 14, 15, 16, 17)


def test_quotes_theoretical_prices_last_quotes_and_states_arrive(dll):
    (quote,), _ = dll.fired(9)
    (auction,), _ = dll.fired(18)
    (last,), _ = dll.fired(19)
    (state,), _ = dll.fired(20)

    assert (quote["kind"], quote["price"], quote["quantity"], quote["side"]) == (Kind.QUOTE, 34.25, 300, 1)
    assert (auction["kind"], auction["price"], auction["quantity"]) == (Kind.THEORETICAL, 33.5, 5_000_000_000)
    assert (last["kind"], last["number"], last["price"]) == (Kind.LAST_QUOTE, 4_000_000_000, 34.0)
    assert (state["kind"], state["count"]) == (Kind.ASSET_STATE, 13)
    assert last["time"] == state["time"] == MOMENT  # one writes a colon before the milliseconds


def test_a_change_of_depth_brings_its_level(dll):
    (row,), _ = dll.fired(10)

    assert (row["kind"], row["action"], row["side"], row["position"]) == (Kind.DEPTH, 1, 1, 2)
    assert (row["price"], row["quantity"], row["count"], row["flags"]) == (998.0, 5_000_000_002, 5, 0)


def test_a_level_that_is_gone_is_marked_and_counted(dll):
    before = dll.dll.counters()["levels_gone"]
    (row,), _ = dll.fired(11)

    assert (row["action"], row["position"], row["flags"], row["quantity"]) == (3, 99, 4, 0)
    assert dll.dll.counters()["levels_gone"] == before + 1


def test_a_full_depth_is_a_page_for_each_side(dll):
    rows, _ = dll.fired(12)
    buy, sell = [r for r in rows if r["side"] == 0], [r for r in rows if r["side"] == 1]

    assert [r["position"] for r in buy] == list(range(20))
    assert [r["price"] for r in buy] == [1000.0 - i for i in range(20)]
    assert [r["flags"] for r in buy] == [2, *[0] * 6, 8, *[0] * 11, 1]
    assert [(r["position"], r["flags"], r["quantity"]) for r in sell] == [(-1, 3, 0)]
    assert {r["action"] for r in rows} == {4}


def test_other_changes_of_depth_read_nothing_or_the_auction(dll):
    (auction,), _ = dll.fired(13)
    (cut,), _ = dll.fired(14)

    assert (auction["action"], auction["price"], auction["quantity"]) == (7, 123.5, 6_000_000_000)
    assert (cut["action"], cut["side"], cut["position"], cut["price"]) == (8, 1, 3, 0.0)


def test_an_offer_s_flags_count_in_their_low_byte_and_its_stale_date_is_not_read(dll):
    (row,), _ = dll.fired(15)

    assert row["has"] == 0b10011
    assert (row["action"], row["position"], row["side"], row["quantity"], row["buyer"]) == (1, 4, 0, -70, 88)
    assert (row["number"], row["price"], row["time"]) == (4_000_000_000, 34.75, 0)


def test_a_full_book_is_copied_and_given_back(dll):
    rows, _ = dll.fired(16)
    buy, (empty,) = [r for r in rows if r["side"] == 0], [r for r in rows if r["side"] == 1]

    assert [(r["price"], r["quantity"], r["buyer"], r["number"]) for r in buy] == [
        (99.0 + i, 7_000_000_000 + i, 40 + i, 8_000_000_000 + i) for i in range(3)
    ]
    assert [(r["position"], r["flags"], r["has"], r["time"]) for r in buy] == [
        (2, 2, 27, 0),
        (1, 0, 31, MOMENT),
        (0, 0, 31, MOMENT),
    ]
    assert (empty["position"], empty["flags"], empty["has"], empty["action"]) == (-1, 3, 0, 4)
    assert dll.pump.PumpPages() == 0


def test_a_malformed_book_is_counted_not_read_and_given_back(dll):
    before = dll.dll.counters()["offers_malformed"]

    assert dll.fired(17) == ([], [])
    assert dll.dll.counters()["offers_malformed"] == before + 1
    assert dll.pump.PumpPages() == 0


EVENTS = {
    0: ("State", {"channel": 2, "result": 4}),
    1: ("Health", {"health": 1}),
    2: (
        "AccountSeen",
        {"broker": 1003, "account": "00123", "sub_account": "", "broker_name": "Corretora", "holder": "José"},
    ),
    3: ("AccountsChanged", {"broker": 1003, "changed": 1, "account": "", "sub_account": ""}),
    4: ("AccountsChanged", {"broker": 1003, "changed": 0, "account": "00123", "sub_account": "7"}),
    21: ("InvalidTicker", {"ticker": "PETR4", "exchange": "B"}),
    22: ("AssetListed", {"ticker": "PETR4", "exchange": "B", "name": "PETROBRAS PN"}),
    23: (
        "AssetInfo",
        {
            "ticker": "PETR4",
            "exchange": "B",
            "name": "PETROBRAS",
            "description": "Petróleo",
            "expiry": "31/12/2026",
            "isin": "BRPETRACNPR6",
            "security_type": 15,
            "sub_type": 26,
            "minimum": 1,
            "maximum": 5_000_000_000,
            "lot": 100,
            "increment": 0.01,
            "multiplier": 1.0,
        },
    ),
    24: ("OrderChanged", {"local": 5_000_000_055, "cl_order": "CL-55"}),
    25: ("OrdersLoaded", {"broker": 1003, "account": "00123", "sub_account": "7"}),
    26: (
        "PositionChanged",
        {
            "broker": 1003,
            "account": "00123",
            "sub_account": "7",
            "ticker": "PETR4",
            "exchange": "B",
            "event": 6_000_000_001,
        },
    ),
    27: (
        "RequestResult",
        {
            "result": 24,
            "broker": 1003,
            "message": 9_000_000_000,
            "local": 55,
            "cl_order": "CL-55",
            "text": "Bloqueada: ação",
        },
    ),
}


@pytest.mark.parametrize("what", EVENTS)
def test_a_control_event_arrives_with_its_texts(dll, what):
    rows, (event,) = dll.fired(what)
    name, fields = EVENTS[what]

    assert rows == []
    assert type(event).__name__ == name
    assert without_clock(event) == fields
    assert event.cut == 0


def test_progress_names_the_asset_by_its_number(dll):
    _, found = dll.fired(7)

    assert found[-1].percent == 99
    assert dll.dll.asset(found[-1].asset) == Asset("PETR4", "B", 0)


def test_every_event_has_a_type():
    assert set(TYPES) == set(Event)


def test_no_callback_failed_inside(dll):
    assert dll.dll.counters()["errors"] == 0
    assert dll.dll.first_error() is None


def test_an_unknown_symbol_is_an_error(dll):
    with pytest.raises(KeyError, match="60000"):
        dll.dll.asset(60_000)


def test_what_an_old_build_lacks_is_named_and_harmless_until_it_is_used(dll):
    assert dll.dll.lacking == ("SetAdjustHistoryCallbackV2",)
    with pytest.raises(LibraryError, match="'GetAccount'"):
        dll.dll.replay_accounts()
    with pytest.raises(LibraryError, match="RequestTickerInfo"):
        dll.dll.request_info("PETR4", "B")


def test_a_process_connects_once(dll):
    with pytest.raises(ProfitDllError, match="new process"):
        dll.dll.connect("key", "user", "password", routing=False)


def test_only_the_thread_that_connected_may_close(dll):
    raised = []

    def close():
        try:
            dll.dll.close()
        except WrongThreadError as error:
            raised.append(error)

    thread = threading.Thread(target=close)
    thread.start()
    thread.join()

    assert len(raised) == 1
    assert dll.pump.PumpFinalized() == 0


def test_another_library_is_refused(dll, tmp_path):
    other = tmp_path / "libProfitDLL64.so"
    other.write_bytes(b"")

    with pytest.raises(LibraryError, match="has loaded"):
        host.load(other)


def test_a_missing_or_broken_library_is_named(tmp_path):
    with pytest.raises(LibraryError, match="found no file"):
        host.native_library(tmp_path / "libProfitDLL64.so")
    (tmp_path / "libProfitDLL64.so").write_bytes(b"not a library")
    with pytest.raises(LibraryError, match="cannot be loaded"):
        host.native_library(tmp_path / "libProfitDLL64.so")


def test_the_library_that_was_named_is_used_whatever_was_loaded_before(tmp_path):
    """Two libraries of one name: the second is what the path says, though the system would find the first."""
    copies = [shutil.copyfile(pump(), tmp_path / name) for name in ("libProfitDLL64.so", "another.so")]
    done = in_a_process(
        f"import ctypes\nfirst = ctypes.CDLL({str(copies[0])!r})\n"
        "from realtime.profitdll.adapter import ProfitDll\n"
        "dll = ProfitDll(LIBRARY, capacity=1 << 12)\n"
        "dll.connect('key', 'user', 'password', routing=False)\n"
        "dll.close()\n"
        "print(first.PumpFinalized(), ctypes.CDLL(str(LIBRARY)).PumpFinalized())\n",
        library=copies[1],
    )

    assert (done.stdout, done.stderr) == ("0 1\n", "")


def test_record_times_are_sao_paulo_s_clock():
    assert instant(MOMENT) == dt.datetime(2026, 11, 5, 10, 11, 12, 345000, tzinfo=SAO_PAULO)
    assert instant(0) is None
