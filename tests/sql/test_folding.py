"""Reports of trades: one by one or all at once, what is stored in the end is the same."""

import datetime as dt

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from sql.folding import IDENTITY, Outcome, settled
from sql.tables import TICKS, Flag

SESSION = dt.date(2026, 11, 18)
MORNING = dt.datetime(2026, 11, 18, 12, tzinfo=dt.UTC)
CANCELLED = int(Flag.CANCELLED)


def tick(trade_id=10, *, price=5.0, second=0, flags=0, buyer=None, source="b3", quantity=1):
    return {
        "ts": MORNING + dt.timedelta(seconds=second),
        "symbol": "WINZ26",
        "session": SESSION,
        "trade_id": trade_id,
        "price": price,
        "quantity": quantity,
        "aggressor": None,
        "buyer": buyer,
        "seller": None,
        "flags": flags,
        "received_at": MORNING + dt.timedelta(hours=1, seconds=second),
        "source": source,
    }


def frame(*rows):
    return pl.DataFrame(list(rows), schema=TICKS.polars)


NOTHING = frame()

reports = st.builds(
    tick,
    st.sampled_from([10, 20, 30]),
    price=st.sampled_from([5.0, 6.0]),
    second=st.integers(0, 5),
    flags=st.sampled_from([0, 0, CANCELLED]),
    buyer=st.sampled_from([None, 3, 8]),
    source=st.just("b3"),
)
foreign = st.builds(tick, st.sampled_from([10, 20]), price=st.sampled_from([5.0, 6.0]), source=st.just("profitdll"))


def stored_after(stored: pl.DataFrame, outcome: Outcome) -> pl.DataFrame:
    left = stored.join(outcome.rows, on=IDENTITY, how="anti")
    return pl.concat([left, outcome.rows]).sort(IDENTITY)


@given(
    st.lists(reports, max_size=8), st.integers(0, 8), st.lists(foreign, max_size=2, unique_by=lambda r: r["trade_id"])
)
def test_reports_in_two_batches_end_in_the_same_rows_as_in_one(rows, cut, before):
    there = frame(*before)
    first = settled(frame(*rows[:cut]), there)
    stored = stored_after(there, first)
    second = settled(frame(*rows[cut:]), stored)
    whole = settled(frame(*rows), there)

    assert stored_after(stored, second).equals(stored_after(there, whole))
    assert first.new + second.new == whole.new
    assert first.cancelled + second.cancelled == whole.cancelled
    assert first.edited + second.edited == whole.edited


@given(st.lists(reports, max_size=8), st.lists(foreign, max_size=2, unique_by=lambda r: r["trade_id"]))
def test_every_report_is_counted_exactly_once(rows, before):
    outcome = settled(frame(*rows), frame(*before))
    counted = outcome.new + outcome.repeated + outcome.cancelled + outcome.edited + outcome.conflicts.height

    assert counted == len(rows)


@given(st.lists(reports, max_size=8))
def test_the_same_reports_again_cancel_and_add_nothing(rows):
    stored = stored_after(NOTHING, settled(frame(*rows), NOTHING))
    again = settled(frame(*rows), stored)

    assert (again.new, again.cancelled) == (0, 0)
    assert stored_after(stored, again)["flags"].equals(stored["flags"])


def test_a_repeat_with_another_time_writes_nothing():
    outcome = settled(frame(tick(second=9)), frame(tick()))

    assert outcome.rows.height == 0
    assert outcome.repeated == 1


def test_a_cancellation_flags_the_stored_row_at_its_stored_time():
    outcome = settled(frame(tick(second=9, flags=CANCELLED)), frame(tick(buyer=3)))

    assert outcome.rows.equals(frame(tick(buyer=3, flags=CANCELLED)))
    assert outcome.cancelled == 1


def test_a_cancelled_trade_never_becomes_valid_again():
    outcome = settled(frame(tick(price=6.0)), frame(tick(flags=CANCELLED)))

    assert outcome.rows.equals(frame(tick(price=6.0, flags=CANCELLED)))
    assert outcome.edited == 1


def test_a_correction_keeps_the_first_times():
    outcome = settled(frame(tick(price=6.0, second=9)), frame(tick()))

    assert outcome.rows.equals(frame(tick(price=6.0)))


def test_another_source_never_changes_values():
    outcome = settled(frame(tick(price=6.0), tick(20, price=6.0)), frame(tick(source="profitdll")))

    assert outcome.rows["trade_id"].to_list() == [20]
    assert outcome.conflicts["trade_id"].to_list() == [10]


def test_two_sources_may_differ_in_the_last_bit_of_a_price():
    outcome = settled(frame(tick(price=38.41)), frame(tick(price=38.410000000000004, source="profitdll")))

    assert (outcome.rows.height, outcome.conflicts.height, outcome.repeated) == (0, 0, 1)
