"""Staging: every line is either the first report of a trade or set aside, and trades are struck in the file itself."""

from collections import Counter

import polars as pl
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sql import b3_stage
from sql.b3_source import Source
from sql.b3_stage import SCHEMA, stage
from sql.tables import Flag
from sql.ticks import Known
from tests.sql.b3_made import line, text

reports = st.lists(st.tuples(st.sampled_from(["AAAA3", "BBBB4"]), st.integers(1, 30), st.sampled_from([0, 0, 0, 2])))


def staged_of(folder, lines):
    path = folder / "day.txt"
    path.write_text(text(*lines))
    return stage(Source(path), Known(), folder, lambda bad: pytest.fail(bad.reason), lambda _: None)


@settings(max_examples=150, deadline=None)
@given(reports, st.integers(1, 40), st.integers(60, 2000))
def test_the_first_reports_are_one_a_trade_and_nothing_is_lost(tmp_path_factory, rows, group, block):
    folder = tmp_path_factory.mktemp("stage")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(b3_stage, "GROUP_ROWS", group)
        patch.setattr(Source.blocks, "__defaults__", (block,))
        staged = staged_of(folder, [line(symbol, number, action=action) for symbol, number, action in rows])
        first = [row for batch in staged.batches() for row in batch.to_pylist()]
    further = [row for batch in staged.further() for row in batch.to_pylist()]
    trades = {(symbol, number) for symbol, number, action in rows if action == 0}

    assert sorted(row["line"] for row in first + further) == list(range(2, len(rows) + 2))
    assert max(Counter(row["key"] for row in first).values(), default=1) == 1
    assert not any(row["flags"] & Flag.CANCELLED for row in first)
    assert len(trades) >= len(first)
    assert (staged.rows, staged.aside) == (len(first), len(further))
    assert set(staged.special) == {row["key"] for row in further}


def test_repeats_are_found_among_more_instruments_than_sixteen_bits_count(tmp_path, monkeypatch):
    monkeypatch.setattr(Source.blocks, "__defaults__", (16 << 20,))
    many = [line(f"S{number}", 10) for number in range(1 << 16)]
    staged = staged_of(tmp_path, [*many, line("S0", 20), line(f"S{1 << 16}", 10), line("S0", 20)])

    assert (staged.rows, staged.aside) == (len(many) + 2, 1)


def test_rising_ids_leave_nothing_aside(tmp_path):
    rows = [line(symbol, number) for number in range(1, 200) for symbol in ("AAAA3", "BBBB4")]

    assert staged_of(tmp_path, rows).aside == 0


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 120), st.integers(1, 50), st.data())
def test_striking_changes_the_flags_of_these_rows_only(tmp_path_factory, size, group, data):
    folder = tmp_path_factory.mktemp("strike")
    places = sorted(data.draw(st.sets(st.integers(0, size - 1))))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(b3_stage, "GROUP_ROWS", group)
        staged = staged_of(folder, [line("AAAA3", number) for number in range(1, size + 1)])
        before = pl.read_parquet(staged.path)
        staged.strike(places, [int(Flag.CANCELLED)] * len(places))
    expected = [int(Flag.CANCELLED) if place in places else 0 for place in range(size)]

    assert pq.read_table(staged.path)["flags"].to_pylist() == expected
    assert pl.read_parquet(staged.path).drop("flags").equals(before.drop("flags"))


def test_first_reports_of_what_is_told_again_come_with_their_places(tmp_path):
    staged = staged_of(tmp_path, [*(line("AAAA3", number) for number in range(1, 50)), line("AAAA3", 7, action=2)])
    found = staged.firsts

    assert found.columns == ["place", *SCHEMA.names]
    assert found.select("place", "line").rows() == [(6, 8)]
