"""The adapter against the simulator, which is strict: a request from a callback or a stale pointer is counted there."""

import json
import sys

import pytest

from tests.realtime.profitdll.pumped import in_a_process, simulator

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="hosts the simulator's Linux build")

PROGRAM = """
import ctypes, datetime as dt, json, os, tempfile, time
import numpy as np
script = Path(tempfile.mkdtemp()) / "script"
script.write_text({script!r})
os.environ["PROFITDLL_SIMULATOR_SCRIPT"] = str(script)
from realtime.profitdll.adapter import ProfitDll
from realtime.profitdll.messages import HistoryEnd, State
from realtime.records import Kind

dll = ProfitDll(LIBRARY)
waiter, events, parts = dll.waiter(0), [], []

def turn():
    waiter.wait(dll.market.tail, 0.1, control=True)
    events.extend(dll.events())
    part = dll.market.ready()
    parts.append(part.copy())
    dll.market.release(len(part))

def until(holds, seconds=60):
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "never"
        turn()

def states():
    return [(event.channel, event.result) for event in events if isinstance(event, State)]

def rows():
    return np.concatenate(parts)

def simulated():
    table = (ctypes.c_int64 * 256)()
    ctypes.CDLL(str(LIBRARY)).SimCounters(table, ctypes.sizeof(table))
    names = ["size", "queue_depth", "queue_max", "queue_capacity", *[f"delivered{{i}}" for i in range(32)]]
    names += ["longest", "connector_requests", "stale_translations", "arrays_outstanding", "arrays_allocated"]
    names += ["double_frees", "wrong_sizes", "version_errors", *[f"dropped{{i}}" for i in range(32)]]
    names += ["made", "silent", "overdue", "waits", "done"]
    return dict(zip(names, table))

dll.connect("key", "user", "password", routing=False)
until(lambda: (2, 4) in states())
{program}
"""
WRONGS = (
    "connector_requests",
    "stale_translations",
    "arrays_outstanding",
    "double_frees",
    "wrong_sizes",
    "version_errors",
)


def answer(script, program):
    """The last line that a program prints, as JSON."""
    done = in_a_process(PROGRAM.format(script=script, program=program), library=simulator(), seconds=110)
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout.splitlines()[-1])


def test_every_trade_of_a_load_arrives_once():
    found = answer(
        "strict\nrate 50000 count 200000\n",
        """
for ticker, exchange in (("WINZ26", "F"), ("WDOZ26", "F"), ("PETR4", "B"), ("VALE3", "B"), ("ITUB4", "B")):
    dll.subscribe(ticker, exchange)
until(lambda: simulated()["done"] == 1 and simulated()["queue_depth"] == 0)  # made, and called back with
for _ in range(10):
    turn()
dll.close()
trades = rows()[rows()["kind"] == Kind.TRADE]
once = len(np.unique(trades[["asset", "time", "number"]]))
print(json.dumps({"trades": len(trades), "once": once, **simulated(), **dll.counters()}))
""",
    )

    assert found["trades"] == found["once"] >= found["made"] - found["silent"] > 0
    assert [found[wrong] for wrong in WRONGS] == [0] * len(WRONGS)
    assert (found["errors"], found["dropped"], found["untranslated"]) == (0, 0, 0)


def test_books_come_as_pages_and_changes_and_are_given_back():
    found = answer(
        "strict\nspeed 1\nsymbol-rate 50\n",
        """
for ticker, exchange in (("WINZ26", "F"), ("PETR4", "B")):
    dll.subscribe(ticker, exchange)
    dll.subscribe_depth(ticker, exchange)
    dll.subscribe_offers(ticker, exchange)
def books():
    depth, offers = rows()[rows()["kind"] == Kind.DEPTH], rows()[rows()["kind"] == Kind.OFFER]
    read = depth[np.isin(depth["action"], (1, 3)) & (depth["flags"] & 12 == 0)]
    return depth, offers, read, int((offers["action"] < 4).sum())

end = time.monotonic() + 3
until(lambda: time.monotonic() > end and len(books()[2]) > 50 and books()[3] > 50)
dll.close()
turn(), turn()
depth, offers, read, deltas = books()
pages = depth[(depth["action"] == 4)]
print(json.dumps({
    "first": int((pages["flags"] & 2 > 0).sum()), "last": int((pages["flags"] & 1 > 0).sum()),
    "offers_first": int((offers["flags"] & 2 > 0).sum()), "offers_last": int((offers["flags"] & 1 > 0).sum()),
    "unread": int((depth["flags"] & 4 > 0).sum()),
    "read": len(read), "empty": int((read["quantity"] <= 0).sum()),
    "deltas": deltas,
    **simulated(), **dll.counters(),
}))
""",
    )

    assert found["first"] == found["last"] >= 4  # two assets, two sides
    assert found["offers_first"] == found["offers_last"] >= 4
    assert found["read"] > 50
    assert found["deltas"] > 50
    assert found["empty"] == found["offers_malformed"] == 0
    assert found["levels_gone"] == found["unread"] < found["read"] / 10  # the book had moved on: marked, never invented
    assert found["freed"] == found["arrays_allocated"] > 0
    assert [found[wrong] for wrong in WRONGS] == [0] * len(WRONGS)


def test_a_history_ends_with_its_event():
    found = answer(
        "strict\nstart 2026-11-05 15:00:00\nhistory-rate 1000000\n",
        """
dll.subscribe("WINZ26", "F")
zone = dll.server_clock().tzinfo
until(lambda: len(rows()) > 0)
begin = dt.datetime(2026, 11, 5, 10, tzinfo=zone)
dll.request_history("WINZ26", "F", begin, begin + dt.timedelta(minutes=5))
until(lambda: any(isinstance(event, HistoryEnd) for event in events))
for _ in range(5):
    turn()
dll.close()
history = rows()[rows()["kind"] == Kind.HISTORY_TRADE]
since = (dt.datetime(2026, 11, 5, 10) - dt.datetime(1970, 1, 1)) // dt.timedelta(milliseconds=1)
within = (history["time"] >= since) & (history["time"] < since + 300_000)
found = {"trades": len(history), "within": int(within.sum()), "last": int(history["flags"][-1])}
print(json.dumps({**found, **simulated()}))
""",
    )

    assert found["trades"] == found["within"] > 0
    assert found["last"] & 2
    assert [found[wrong] for wrong in WRONGS] == [0] * len(WRONGS)


@pytest.mark.parametrize("end", ["", "dll.close()"])
def test_a_process_ends_under_full_load(end):
    done = in_a_process(
        PROGRAM.format(
            script="strict\nrate max for 60\n", program=f"dll.subscribe('WINZ26', 'F')\ntime.sleep(0.3)\n{end}"
        ),
        library=simulator(),
    )

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
