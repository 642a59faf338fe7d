"""What the journal remembers and what happens without it: keys, a full disk, a broken chain, the ledger again."""

import threading
import time

import pytest

from realtime.orders import changes
from realtime.orders.chronicle import opened
from realtime.orders.commands import CommandError
from realtime.orders.decisions import intent_of
from realtime.orders.journal import records as journal_records
from realtime.orders.journal import verify
from realtime.orders.ledger import positions_again
from realtime.orders.records import Intended, Refused, entry_of
from realtime.orders.risk import refusal_of
from realtime.orders.states import Status
from sql import durable
from tests.realtime.orders.scenes import ANA, KEY, SYMBOL, base, place, scene


def test_the_same_key_gets_the_same_answer_and_sends_once(tmp_path):
    with scene(tmp_path) as s:
        first = s.ask(place(key="k1"))
        second = s.ask(place(key="k1"))
        s.restart()
        third = s.ask(place(key="k1"))

        assert first == second == third
        assert len(s.exchange.arrivals) == 1


def test_the_same_key_with_another_body_is_refused(tmp_path):
    with scene(tmp_path) as s:
        s.ask(place(key="k1"))
        with pytest.raises(CommandError) as error:
            s.ask(place(2, key="k1"))

        assert error.value.status == 422


def test_a_refusal_is_remembered_as_well(tmp_path):
    with scene(tmp_path) as s:
        first = s.ask(place(1, "1", key="k1"))
        s.restart()

        assert s.ask(place(1, "1", key="k1")) == first


def test_a_key_is_free_again_after_a_day(tmp_path):
    with scene(tmp_path) as s:
        first = s.ask(place(key="k1"))
        s.clock.move(24 * 3600 + 1)
        s.tick()
        s.settle()

        assert s.ask(place(2, key="k1")).body != first.body


def test_without_a_journal_no_order_leaves_and_cancellations_do(tmp_path):
    with scene(tmp_path) as s:
        name = s.place().order.id
        s.loop.chronicle.close()
        s.switch.close()
        s.start(key=None)
        s.settle()

        assert s.refusal(1, "129990") == "JOURNAL"
        s.cancel(s.ledger.entries[name])
        s.loop.step()
        assert s.order(name).status is Status.CANCELED
        s.loop.pull("test", ANA)
        assert s.switch.latch


def test_a_journal_whose_disk_is_full_stops_orders_not_cancellations_nor_the_switch(tmp_path, monkeypatch):
    with scene(tmp_path) as s:
        entry = s.place()
        second = s.place(1, "129990")

        def full(*_: object) -> None:
            raise OSError(28, "No space left on device")

        s.headed()  # or the head would meet the full disk before the order does
        monkeypatch.setattr("realtime.orders.journal.durable.sync", full)
        with pytest.raises(CommandError, match="was not sent"):
            s.ask(place(1, "129985"))
        assert s.refusal(1, "129985") == "JOURNAL"
        s.cancel(entry)
        s.loop.step()
        assert entry.order.status is Status.CANCELED
        s.loop.pull("loss", ANA)
        s.loop.step()
        s.loop.step()
        assert second.order.status is Status.CANCELED
        monkeypatch.undo()
        s.restart()

        assert s.switch.latch is not None
        assert len(s.exchange.arrivals) == 2


def test_a_disk_that_is_slow_keeps_orders_back_until_it_has_answered_and_no_cancellation(tmp_path, monkeypatch):
    """A second without an answer, as a cancellation waits, closed the journal until the next start."""
    with scene(tmp_path) as s:
        first, second = s.place(), s.place(1, "129990")
        answers, sync = threading.Event(), durable.sync
        monkeypatch.setattr("realtime.orders.journal.durable.sync", lambda number: (answers.wait(60), sync(number)))
        monkeypatch.setattr(changes, "CANCEL_DISK_SECONDS", 0.01)
        del s.loop.chronicle.record_durably  # the scene's, which is patient
        s.cancel(first)
        monkeypatch.setattr(changes, "CANCEL_DISK_SECONDS", 60.0)  # those after it do not wait as well
        s.cancel(second)
        s.loop.step()
        assert s.exchange.working == []
        assert s.refusal(1, "129985") == "JOURNAL"
        answers.set()
        deadline = time.monotonic() + 60
        while s.loop.chronicle.trouble is not None:
            assert time.monotonic() < deadline, s.loop.chronicle.trouble
            time.sleep(0.005)
        third = s.place(1, "129985").order.id
        s.restart()

        assert list(s.ledger.working) == [third]
        kinds = [r.body["what"] for r in journal_records(tmp_path / "journal.jsonl") if r.kind == "request"]
        assert kinds == ["cancel", "cancel"]
        assert verify(tmp_path / "journal.jsonl", tmp_path / "head.json", KEY).holds


def test_the_key_of_an_order_that_a_slow_disk_kept_back_is_free_after_a_restart_too(tmp_path, monkeypatch):
    """Its intent, which says that it was taken, reached the disk after its caller had been told that it was not."""
    with scene(tmp_path) as s:
        answers, sync, record = threading.Event(), durable.sync, type(s.loop.chronicle).record_durably
        monkeypatch.setattr("realtime.orders.journal.durable.sync", lambda number: (answers.wait(60), sync(number)))
        s.loop.chronicle.record_durably = lambda entry: record(s.loop.chronicle, entry, 0.01)
        with pytest.raises(CommandError, match="was not sent") as caught:
            s.ask(place(key="k1"))
        assert caught.value.status == 503
        answers.set()
        s.restart()
        again = s.ask(place(key="k1"))

        assert (again.status, len(s.exchange.arrivals)) == (202, 1)
        assert [e.order.status for e in s.ledger.entries.values()] == [Status.FAILED, Status.SUBMITTED]


def test_a_broken_chain_blocks_orders_and_is_said(tmp_path):
    with scene(tmp_path) as s:
        s.place()
        s.close()
        path = tmp_path / "journal.jsonl"
        path.write_bytes(path.read_bytes().replace(b"130000", b"130005", 1))
        s.start()
        s.settle()

        assert s.refusal(1, "129990") == "JOURNAL"
        assert "line" in (s.loop.chronicle.trouble or "")


def test_a_lost_switch_file_beside_a_journal_means_on(tmp_path):
    with scene(tmp_path) as s:
        s.place()
        (tmp_path / "switch").unlink()
        s.restart()

        assert s.refusal(1, "129990") == "KILL_SWITCH"


def test_the_ledger_is_what_the_journal_says_at_any_time(tmp_path):
    with scene(tmp_path) as s:
        for n in range(1, 6):
            s.place(n, str(130_000 - 5 * n), side="BUY" if n % 2 else "SELL")
            s.broker.fill(f"EX{n}", (n + 1) // 2, str(130_000 - 5 * n))
            s.loop.step()
        s.settle(1)
        s.close()
        entries = [entry_of(r.kind, r.body) for r in journal_records(tmp_path / "journal.jsonl")]
        again = opened(tmp_path, KEY, s.limits, s.clock)
        again.close()

        assert again.ledger.entries == s.ledger.entries
        assert again.ledger.positions == s.ledger.positions
        assert all(now == then for now, then in positions_again(s.ledger, filter(None, entries)))
        assert verify(tmp_path / "journal.jsonl", tmp_path / "head.json", KEY).holds


def test_a_decision_is_kept_with_what_was_known_and_can_be_made_again(tmp_path):
    with scene(tmp_path, base=base(position=5)) as s:
        s.place(3)
        s.refusal(4)
        kept = [entry_of(r.kind, r.body) for r in journal_records(tmp_path / "journal.jsonl")]
        (intent,) = [each for each in kept if isinstance(each, Intended)]
        (refused,) = [each for each in kept if isinstance(each, Refused)]
        limits = s.ledger.limits_of("1:0042", None, SYMBOL)

        assert (intent.known.open.orders, refused.known.open.same_side) == (0, 3)
        assert refusal_of(intent_of(intent.order), intent.known, limits) is None
        assert refusal_of(intent_of(refused.order), refused.known, limits) == refused.refusal
        assert refused.refusal.observed == "7"
