"""The journal on its way to hot: each record once, whatever is killed, and nothing that cannot be believed."""

import datetime as dt
import json
import subprocess
import sys
import time

import pytest

from realtime.orders.chain import JournalError, segments
from realtime.orders.chronicle import opened
from realtime.orders.journal import Journal
from realtime.orders.journal import verify as prove
from realtime.relay import shipper as shipping
from realtime.relay.pages import Pages
from realtime.relay.ship_health import LATE_SECONDS, ships
from realtime.relay.shipper import STATE, Progress
from sql import journal_heads, journal_segments, order_rows, stores
from sql.archive import archive_table
from sql.cold import ColdStore
from sql.errors import StoreUnavailableError
from sql.evidence import Tiers
from sql.hot import HotStore
from sql.journal_segments import Segment
from sql.sync import sync_table
from sql.tables import AUDIT_LOGS, OF_ORDERS, ORDER_EVENTS, OWN_TRADES, POSITIONS
from sql.verify import verify
from tests.realtime.shipping import Ship, Trader
from tests.tape import cold_rows, drop, hot_rows, new_table, warm_rows

KEY = b"a key that is not used twice"
PROCESS = """
import sys, threading
from pathlib import Path
from config.settings import load
from realtime.relay import shipper
from sql import stores
shipper.PERIOD_SECONDS = shipper.SAVE_SECONDS = 0.05
settings = load()
made = shipper.Shipper(
    Path(sys.argv[1]), sys.argv[2].encode(), stores.hot(settings), stores.warm(settings), threading.Event(), most=5
)
print("begins", flush=True)
made.run()
"""


@pytest.fixture(scope="module")
def hot(engines):
    store = stores.hot(engines)
    yield store
    store.close()


@pytest.fixture(scope="module")
def warm(engines):
    return stores.warm(engines)


@pytest.fixture(scope="module")
def traded(tmp_path_factory):
    """A day that has ended."""
    trader = Trader(tmp_path_factory.mktemp("traded"))
    trader.day()
    trader.close()
    return trader


@pytest.fixture(scope="module")
def ship(traded, hot, warm):
    """All of that day in hot."""
    made = Ship(traded.folder, traded.key, hot, warm, most=7)
    made.shipped()
    made.shipper._headed_at = float("-inf")  # warm is told now, not some seconds later
    made.shipped()
    return made


@pytest.fixture
def journal(tmp_path):
    """A journal of nothing but numbers, with a key of its own."""
    made = Journal(tmp_path, str(tmp_path).encode())
    yield made
    made.close()


def append(journal: Journal, count: int) -> None:
    """So many records, on the disk and vouched for."""
    for future in [journal.append("note", {"n": n}) for n in range(count)]:
        number = future.result(10).number
    head = journal.path.with_name("head.json")
    deadline = time.monotonic() + 10
    while json.loads(head.read_bytes())["number"] < number:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def of(journal: Journal, hot, warm, **more) -> Ship:
    return Ship(journal.path.parent, str(journal.path.parent).encode(), hot, warm, **more)


def test_every_record_is_one_row_and_carries_its_hash(traded, ship):
    written = traded.written()
    rows = ship.rows(ORDER_EVENTS).sort("number")
    macs = [json.loads(line)["mac"] for line in (traded.folder / "journal.jsonl").read_bytes().splitlines()]

    assert rows["number"].to_list() == [record.number for record in written]
    assert rows["kind"].to_list() == [record.kind for record in written]
    assert rows["mac"].to_list() == macs
    for row, record in zip(rows.iter_rows(named=True), written, strict=True):
        assert json.loads(row["payload"]) == {k: v for k, v in record.body.items() if k != "reply"}
    types = set(rows["event_type"])
    assert types >= {
        "order.created", "order.submitted", "order.partially-filled", "order.filled", "order.canceled",
        "risk.violation", "risk-limits.updated", "kill-switch.activated", "kill-switch.released", "process.started",
    }  # fmt: skip


def test_own_fills_and_positions_are_those_of_the_ledger(traded, ship):
    trades, positions = ship.rows(OWN_TRADES), ship.rows(POSITIONS).sort("number")
    fills = traded.ledger.fills
    (position,) = traded.ledger.positions.values()
    last = positions.row(-1, named=True)

    assert trades["trade_id"].to_list() == [fill.id for fill in fills]
    assert [(t["side"], t["quantity"], t["price"], t["cost"], t["ts"]) for t in trades.iter_rows(named=True)] == [
        (f.side, f.quantity, float(f.price), float(f.cost), f.at) for f in fills
    ]
    assert set(trades["strategy_id"]) == {None, "crossing"}
    assert min(positions["quantity"]) < 0 < max(positions["quantity"])
    assert (last["quantity"], last["avg_price"]) == (position.net, float(position.average))
    assert (last["realized_pnl"], last["costs"]) == (float(position.realised), float(position.costs))
    assert set(trades["number"]) <= set(positions["number"])


def test_the_audit_says_who_did_what_from_what_to_what(traded, ship):
    rows = ship.rows(AUDIT_LOGS).sort("number").to_dicts()
    by_action = {row["action"]: row for row in rows}
    limits, refused = by_action["risk-limits.updated"], by_action["risk.violation"]
    filled = [row for row in rows if "fill" in json.loads(row["details"])]

    assert (limits["actor"], limits["result"], limits["entity"]) == ("ana", "SUCCESS", "limits")
    assert float(json.loads(limits["details"])["to"]["daily_loss"]) == 900
    assert float(json.loads(limits["details"])["from"]["daily_loss"]) == 5000
    assert (refused["actor"], refused["result"]) == ("ana", "FAILURE")
    assert json.loads(refused["details"])["refused"]["code"]
    assert by_action["kill-switch.activated"]["actor"] == "bea"
    assert json.loads(by_action["kill-switch.released"]["details"])["reason"] == "looked at: ação ✓"
    assert [row["number"] for row in filled] == ship.rows(OWN_TRADES)["number"].to_list()
    assert {row["actor"] for row in filled} == {"broker"}


def test_a_shipper_that_forgot_everything_doubles_nothing(traded, ship, hot, warm):
    before = [ship.rows(table).drop("ingested_at", strict=False) for table in OF_ORDERS]
    (traded.folder / STATE).unlink()
    again = Ship(traded.folder, traded.key, hot, warm)
    again.shipped()

    assert again.shipper.progress.rows["order_events"] == len(traded.written())
    for table, rows in zip(OF_ORDERS, before, strict=True):
        assert again.rows(table).drop("ingested_at", strict=False).equals(rows, null_equal=True)


def test_it_goes_on_where_it_was_with_the_ledger_of_before(tmp_path, hot, warm):
    trader = Trader(tmp_path)
    trader.settle()
    trader.trade(3)
    trader.headed()
    first = Ship(tmp_path, trader.key, hot, warm)
    first.shipped()
    trader.trade(2, "130010", side="SELL")
    trader.headed()
    trader.close()
    second = Ship(tmp_path, trader.key, hot, warm)
    second.shipped()

    assert second.shipper.progress.rows["trades"] == 2
    assert second.rows(OWN_TRADES).height == 4
    assert second.rows(POSITIONS).sort("number")["quantity"].to_list()[-1] == 1


@pytest.mark.parametrize("kills", [3])
def test_a_shipper_that_is_killed_again_and_again_ships_each_record_once(
    engines, hot, warm, journal, process_environment, kills
):
    environment = {**process_environment(engines), "PYTHONPATH": str(engines.root)}
    folder = journal.path.parent
    line = [sys.executable, "-P", "-c", PROCESS, str(folder), str(folder)]
    for kill in range(kills):
        with subprocess.Popen(line, env=environment, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "begins\n"
            for _ in range(3):
                append(journal, 17)
                time.sleep(0.03 * kill)
            process.kill()
    last = of(journal, hot, warm)
    last.shipped()
    held = order_rows.held(hot, last.journal)

    assert held == order_rows.Held(kills * 51, kills * 51, 1, kills * 51)


def test_hot_away_loses_nothing_and_is_told(journal, hot, warm, monkeypatch):
    made = of(journal, hot, warm, most=10)
    append(journal, 30)
    real, calls = HotStore.execute, iter(range(10**6))

    def away(self, statement):
        if statement.startswith("INSERT") and next(calls) % 4 < 2:
            raise StoreUnavailableError("nobody there")
        return real(self, statement)

    monkeypatch.setattr(HotStore, "execute", away)
    failures = 0
    while made.shipper.progress.number < 30:
        try:
            made.shipper.step()
        except StoreUnavailableError as error:
            made.shipper._failed(error, first=failures == 0)
            failures += 1
            assert made.shipper.progress.lag_seconds(time.monotonic()) > 0

    assert failures > 2
    assert made.shipper.progress.last_error is None
    assert order_rows.held(hot, made.journal) == order_rows.Held(30, 30, 1, 30)


@pytest.mark.parametrize("why", ["another table", "older table", "another boot"])
def test_a_hot_tier_that_may_have_lost_rows_gets_them_again(journal, hot, warm, monkeypatch, why):
    append(journal, 12)
    made = of(journal, hot, warm)
    made.shipped()
    incarnation, taken = made.shipper.known.tables.get("trades", ("", 0))
    if why == "another boot":
        monkeypatch.setattr(shipping, "boot_id", lambda: "another boot")
    else:
        changed = ("9:trades~9", taken) if why == "another table" else (incarnation, 10**9)
        made.shipper.known.tables["trades"] = changed
        made.shipper._dirty = True
        made.shipper.save()
    again = of(journal, hot, warm)
    again.shipped()
    third = of(journal, hot, warm)
    third.shipped()

    assert again.shipper.progress.rewinds == 1
    assert again.shipper.progress.rows["order_events"] == 12
    assert (third.shipper.progress.rewinds, third.shipper.progress.rows["order_events"]) == (0, 0)
    assert order_rows.held(hot, made.journal) == order_rows.Held(12, 12, 1, 12)


def test_what_the_head_does_not_vouch_for_waits(journal, hot, warm):
    append(journal, 5)
    head = journal.path.with_name("head.json")
    before = head.read_bytes()
    append(journal, 5)
    head.write_bytes(before)  # as it is for a moment, while the bytes may not be on the disk
    made = of(journal, hot, warm)
    made.shipped()

    assert made.shipper.progress.number == 5


def test_an_edited_record_is_not_shipped_and_nothing_after_it(journal, hot, warm):
    append(journal, 20)
    journal.path.write_bytes(journal.path.read_bytes().replace(b'"n":11}', b'"n":12}', 1))
    made = of(journal, hot, warm, most=4)
    with pytest.raises(JournalError, match="line 12") as error:
        made.shipped()
    made.shipper._failed(error.value, first=True)

    assert made.shipper.progress.number == 8
    assert "line 12" in str(ships(made.shipper.progress, time.monotonic()))


@pytest.mark.parametrize("seen_by", ["hot", "warm"])
def test_a_journal_that_is_shorter_than_what_was_seen_is_not_believed(tmp_path, hot, warm, seen_by):
    key = str(tmp_path).encode()
    for count in (9, 4):
        made = Journal(tmp_path, key)
        append(made, count)
        made.close()
        ship = Ship(tmp_path, key, hot, warm)
        if count == 9:
            ship.shipped()
            (tmp_path / "journal.jsonl").unlink()  # head and tail cut together, by somebody who has the key
            (tmp_path / "head.json").unlink()
            (tmp_path / STATE).unlink() if seen_by == "warm" else None

    with pytest.raises(JournalError, match=f"{seen_by} has seen 9"):
        ship.shipped()
    assert order_rows.held(hot, ship.journal).rows == 9


@pytest.mark.parametrize("seen_by", ["shipped", "warm has seen"])
def test_a_journal_that_was_written_anew_with_its_key_is_not_believed(tmp_path, hot, warm, monkeypatch, seen_by):
    monkeypatch.setattr(shipping, "HEAD_SECONDS", 0.0)
    key = str(tmp_path).encode()
    for count in (9, 12):
        made = Journal(tmp_path, key)
        append(made, count)
        made.close()
        ship = Ship(tmp_path, key, hot, warm, most=4)
        if count == 9:
            ship.shipped()
            for name in ("journal.jsonl", "head.json", *([STATE] if seen_by == "warm has seen" else [])):
                (tmp_path / name).unlink()

    with pytest.raises(JournalError, match=f"record 9 is not the one that (was )?{seen_by}"):
        ship.shipped()


def test_a_start_reads_again_in_steps_what_warm_has_seen_whole(journal, hot, warm, monkeypatch):
    monkeypatch.setattr(shipping, "HEAD_SECONDS", 0.0)
    append(journal, 20)
    of(journal, hot, warm).shipped()
    append(journal, 5)
    again = of(journal, hot, warm, most=3)
    again.shipped()

    assert again.shipper.progress.rows["order_events"] == 5
    assert journal_heads.known(warm, again.journal).number == 25


def test_warm_keeps_the_head_and_lets_it_only_grow(traded, ship, warm):
    kept = journal_heads.known(warm, traded.journal)
    last = ship.rows(ORDER_EVENTS).sort("number").row(-1, named=True)

    assert (kept.number, kept.mac) == (last["number"], last["mac"])
    assert journal_heads.keep(warm, traded.journal, 3, "x", kept.at) == kept
    with pytest.raises(Exception, match="only grows"), warm.connect() as connection:
        connection.execute("UPDATE journal_heads SET number = 1 WHERE journal = %s", (traded.journal,))


@pytest.mark.parametrize("table", OF_ORDERS, ids=lambda table: table.name)
def test_the_rows_move_through_all_tiers_and_are_proven(traded, ship, hot, warm, tmp_path, table):
    made = new_table(hot, warm, table)
    try:
        rows = ship.rows(table)
        order_rows.store(hot, made, [table.row(**row) for row in rows.to_dicts()])
        day = rows["ts"].max().date()
        cold = ColdStore(tmp_path / "cold", [made])
        first = sync_table(made, hot, warm)
        archive_table(made, warm, cold)
        again = sync_table(made, hot, warm, day=day)  # compared: texts, nulls and negative numbers alike
        verdict = verify([made], Tiers(hot, warm, cold), today=day.replace(year=day.year + 1), strict=True)

        assert first.rows_copied == rows.height
        assert again.rows_copied == 0
        assert verdict.holds, verdict.differences
        assert warm_rows(warm, made).equals(hot_rows(hot, made), null_equal=True)
        assert cold_rows(cold, made, day).equals(hot_rows(hot, made), null_equal=True)
    finally:
        drop(made, hot, warm)


def test_a_record_that_waits_too_long_shows():
    progress = Progress(waiting=3, waiting_since=100.0, last_error="QuestDB does not answer")

    assert ships(progress, 100.0 + LATE_SECONDS - 1) is True
    assert "3 records" in str(ships(progress, 100.0 + LATE_SECONDS + 1))


@pytest.fixture
def forgotten(warm):
    """What a test moved of the shared tables is not there afterwards."""
    yield
    with warm.connect() as connection:
        for table in OF_ORDERS:
            connection.execute(f"DELETE FROM {table.name}")
            connection.execute("DELETE FROM sync_control WHERE stream = %s", (table.name,))
            connection.execute("DELETE FROM receipts WHERE table_name = %s", (table.name,))


def test_old_files_go_a_year_after_all_tiers_were_proven_to_hold_them(tmp_path, hot, warm, forgotten):
    trader, folder = Trader(tmp_path / "orders"), tmp_path / "orders"
    trader.settle()
    for _ in range(2):
        trader.trade()
        trader.loop.chronicle.turn_page(1)
    trader.trade()
    trader.headed()
    trader.close()
    Ship(folder, trader.key, hot, warm, most=9).shipped()
    clock = [dt.datetime.now(dt.UTC)]
    pages = Pages(folder, trader.key, warm, lambda: clock[0])

    def files(days: int) -> int:
        clock[0] += dt.timedelta(days=days)
        pages.look(len(trader.written()))
        return len(segments(folder))

    assert files(400) == 3  # nothing proves that they are elsewhere
    cold = ColdStore(tmp_path / "cold", OF_ORDERS)
    for table in OF_ORDERS:
        sync_table(table, hot, warm)
        archive_table(table, warm, cold)
    assert verify(OF_ORDERS, Tiers(hot, warm, cold), today=dt.date(2026, 11, 20)).holds
    assert files(0) == 3
    assert files(364) == 3
    assert files(2) == 1

    found = prove(folder / "journal.jsonl", folder / "head.json", trader.key)
    again = opened(folder, trader.key, trader.limits, trader.clock)
    again.close()
    (folder / STATE).unlink()
    late = Ship(folder, trader.key, hot, warm)
    late.shipped()
    assert (found.holds, found.since) == (True, segments(folder)[0].first - 1)
    assert again.ledger.positions == trader.ledger.positions
    assert late.shipper.progress.rows["trades"] == 2
    assert late.rows(OWN_TRADES).height == 6
    assert late.shipper.progress.unlike == 0


def test_a_file_of_two_days_is_not_proven_by_the_receipt_of_one():
    class Warm:
        def __init__(self, *receipts: bool) -> None:
            self.answers = [[{"rows": 9, "numbers": 9, "days": 2}], [{"events": e, "agree": True} for e in receipts]]

        def rows(self, *_: object) -> list[dict[str, object]]:
            return self.answers.pop(0)

    at = dt.datetime(2026, 11, 19, 23, tzinfo=dt.UTC)
    file = Segment(first_number=1, last_number=9, mac="", first_at=at, last_at=at + dt.timedelta(hours=2))

    assert journal_segments._holds(Warm(True, False, True), "j", file)
    assert not journal_segments._holds(Warm(True, False), "j", file)


def test_a_file_that_begins_with_another_state_than_its_past_leads_to_is_told(tmp_path, hot, warm):
    trader = Trader(tmp_path)
    trader.settle()
    trader.trade()
    trader.ledger.positions.clear()  # somebody changed what only records may change
    trader.loop.chronicle.turn_page(1)
    trader.headed()
    trader.close()
    ship = Ship(tmp_path, trader.key, hot, warm)
    ship.shipped()

    assert ship.shipper.progress.unlike == 1
    assert ship.rows(ORDER_EVENTS).height == len(trader.written())
