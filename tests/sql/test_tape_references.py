"""Sums of a file: exact, of the trades that stand, and the final file's word is the last."""

import datetime as dt
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sql import b3_stage, tape_references
from sql.b3_ledger import Edition
from sql.b3_source import Source
from sql.b3_stage import stage
from sql.tape_references import AFTER, B3, Sums, references, sums_of
from sql.ticks import Known
from tests.sql.b3_made import line, text

DAY = dt.date(2026, 7, 14)
NOW = dt.datetime(2026, 7, 15, tzinfo=dt.UTC)


def summed(folder, *lines):
    path = folder / "day.txt"
    path.write_text(text(*lines))
    known = Known()
    return sums_of(stage(Source(path), known, folder, lambda bad: None, lambda _: None), known)


def said(**values):
    return Sums(
        **{
            "symbol": "TEST3",
            "session": DAY,
            "after": False,
            "trades": 1,
            "quantity": 1,
            "turnover": Decimal(1),
            **values,
        }
    )


def test_cancelled_trades_are_left_out_and_corrected_ones_count_once(tmp_path):
    (found,) = summed(
        tmp_path,
        line(trade_id=10, price="0,100", quantity=3),
        line(trade_id=20, price="0,200"),
        line(trade_id=20, price="0,200", action=2),
        line(trade_id=30, price="9,000", quantity=1),
        line(trade_id=30, price="0,300", quantity=2),
        line(trade_id=10, price="0,100", quantity=3),
    )

    assert found == said(trades=2, quantity=5, turnover=Decimal("0.9"))


def test_after_market_trades_are_summed_apart_for_their_own_session(tmp_path):
    found = summed(tmp_path, line(trade_id=10), line(trade_id=9000, kind=6, session="2026-07-13", clock="020118304"))

    assert sorted((each.session, each.after, each.trades) for each in found) == [
        (dt.date(2026, 7, 13), True, 1),
        (DAY, False, 1),
    ]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 999_999), st.integers(0, 10**9)), min_size=1, max_size=60), st.integers(1, 7))
def test_turnover_is_exact(tmp_path_factory, rows, group):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(b3_stage, "GROUP_ROWS", group)
        lines = [
            line(trade_id=10 * n, price=f"{price // 1000},{price % 1000:03}", quantity=quantity)
            for n, (price, quantity) in enumerate(rows, 1)
        ]
        (found,) = summed(tmp_path_factory.mktemp("sums"), *lines)

    assert found.turnover == sum(Decimal(price) * quantity for price, quantity in rows) / 1000
    assert (found.trades, found.quantity) == (len(rows), sum(quantity for _, quantity in rows))


@pytest.fixture
def put(warm, request):
    symbol = f"R{abs(hash(request.node.name)) % 10**8}"

    def write(trades, *, final, clock=None, whole=True):
        as_of = dt.datetime.combine(DAY, clock, dt.UTC) if clock else None
        edition = Edition(DAY, symbol, final, as_of)
        file = f"{trades}.zip"
        sums = [said(symbol=symbol, trades=trades)]
        tape_references.record(warm, sums, [edition], whole=whole, file=file, at=NOW)
        return {row.source: (row.trades, row.final, row.file) for row in references(warm, DAY, symbol)}

    return write


def test_a_later_snapshot_and_then_the_final_file_are_believed(put):
    noon, one, early = dt.time(12), dt.time(13), dt.time(11)

    assert put(5, final=False, clock=noon)[B3] == (5, False, "5.zip")
    assert put(4, final=False, clock=early)[B3] == (5, False, "5.zip")
    assert put(6, final=False, clock=one)[B3] == (6, False, "6.zip")
    assert put(9, final=True)[B3] == (9, True, "9.zip")
    assert put(7, final=False, clock=dt.time(14))[B3] == (9, True, "9.zip")


def test_a_file_with_refused_lines_is_not_final(put):
    assert put(5, final=True, whole=False)[B3] == (5, False, "5.zip")


def test_after_market_sums_stand_beside_those_of_the_session(warm):
    sums = [said(symbol="RAFTER", after=True), said(symbol="RAFTER", trades=7)]
    tape_references.record(warm, sums, [Edition(DAY, "*", True, None)], whole=True, file="f", at=NOW)

    assert {row.source: row.trades for row in references(warm, DAY, "RAFTER")} == {AFTER: 1, B3: 7}
