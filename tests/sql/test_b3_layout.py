"""Lines of B3 files: what is a trade, and what is said of the rest."""

import datetime as dt

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sql import b3_layout
from sql.b3_layout import clock_of, layout_of, read
from sql.tables import Flag
from tests.sql.b3_made import HEADER, line

LAYOUT = layout_of(HEADER.encode())
BAD = (
    "half a li",
    line(price="1e5"),
    line(price=" 5,0"),
    line(price="-5,0"),
    line(price="0,000"),
    line(price="nan"),
    line(price="5.0"),
    line(quantity="0x1F"),
    line(quantity="9" * 30),
    line(clock="246000000"),
    line(clock="106100000"),
    line(clock="100099000"),
    line(action=1),
    line(kind=3),
    line(day="2026-02-30"),
    line(symbol=""),
    line(symbol="A B"),
    line(brokers="85;8;9"),
    line(brokers="x;8"),
    line(brokers="85;99999999999"),
    line(trade_id=-1),
    line(trade_id=2**50),
    '"' + line() + '"',
    "\ufeff" + line(),
    line(symbol="AÇÃO3"),
)
good = st.builds(
    line,
    st.sampled_from(["WINZ26", "PETR4", "a.b-c/d"]),
    st.integers(0, 2**40),
    price=st.sampled_from(["41,200", "1", "129605,000", "0,01"]),
    quantity=st.integers(0, 10**9),
    clock=st.sampled_from(["090000000", "175959999", "020118304"]),
    kind=st.sampled_from([1, 6]),
    action=st.sampled_from([0, 2]),
    brokers=st.sampled_from(["85;8", ";", "85;"]),
)
lines_of_a_file = st.lists(st.one_of(good, good, st.sampled_from(BAD), st.just("")), max_size=30)


def instants(one: str) -> tuple[dt.datetime, int]:
    (table,) = read(f"{one}\n".encode(), 2, LAYOUT).tables
    ts, _, flags = clock_of(table)
    return dt.datetime.fromtimestamp(int(ts[0]) / 1e6, dt.UTC), int(flags[0])


@pytest.mark.parametrize("one", BAD)
def test_a_line_that_is_no_trade_is_refused_with_a_reason(one):
    found = read(f"{one}\n".encode(), 7, LAYOUT)

    assert [(bad.line, bad.text) for bad in found.refused] == [(7, one.encode())]
    assert found.refused[0].reason
    assert not found.tables


@settings(max_examples=200, deadline=None)
@given(lines_of_a_file)
def test_every_line_is_a_row_refused_or_empty(lines):
    found = read("".join(f"{one}\n" for one in lines).encode(), 2, LAYOUT)
    rows = [number for table in found.tables for number in table["line"].to_pylist()]
    numbers = sorted([*rows, *(bad.line for bad in found.refused)])

    assert len(numbers) == len(set(numbers))
    assert len(numbers) + found.empty == len(lines)
    assert [lines[number - 2] in BAD for number in sorted(rows)] == [False] * len(rows)
    assert {bad.text.decode() for bad in found.refused} <= set(BAD)


@settings(max_examples=50, deadline=None)
@given(lines_of_a_file, st.integers(1, 400))
def test_the_size_of_parts_changes_nothing(lines, size):
    data = "".join(f"{one}\n" for one in lines).encode()
    whole = read(data, 2, LAYOUT)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(b3_layout, "PART", size)
        parted = read(data, 2, LAYOUT)

    assert rows_of(parted) == rows_of(whole)
    assert [(b.line, b.reason) for b in parted.refused] == [(b.line, b.reason) for b in whole.refused]


def rows_of(found):
    return sorted((row for table in found.tables for row in table.to_pylist()), key=lambda row: row["line"])


def test_prices_are_the_nearest_doubles_of_what_is_written():
    data = "".join(f"{line(price=p)}\n" for p in ("41,200", "0,10", "129605,005", "329,2")).encode()
    (table,) = read(data, 2, LAYOUT).tables

    assert table["PrecoNegocio"].to_pylist() == [41.2, 0.1, 129605.005, 329.2]


def test_a_regular_trade_happened_when_its_clock_says():
    assert instants(line(clock="090039906")) == (dt.datetime(2026, 7, 14, 12, 0, 39, 906000, dt.UTC), 0)


def test_summer_time_counts_where_there_was_one():
    assert instants(line(day="2018-12-03", clock="100000000"))[0] == dt.datetime(2018, 12, 3, 12, tzinfo=dt.UTC)


def test_an_after_market_clock_of_the_night_belongs_to_the_next_date():
    night, flags = instants(line(kind=6, session="2026-07-13", clock="020118304"))

    assert night == dt.datetime(2026, 7, 14, 5, 1, 18, 304000, dt.UTC)
    assert flags == Flag.AFTER_MARKET | Flag.NOMINAL_TIME


def test_an_after_market_clock_of_the_evening_belongs_to_the_session_date():
    evening = instants(line(kind=6, session="2026-07-13", clock="173000000"))[0]

    assert evening == dt.datetime(2026, 7, 13, 20, 30, tzinfo=dt.UTC)


def test_further_columns_are_left_out():
    layout = layout_of(f"{HEADER};TipoDoCanal;Novo".encode())
    found = read(f"{line()};1;some text\n".encode(), 2, layout)

    assert (len(found.tables), found.refused) == (1, [])


def test_line_ends_of_windows_are_read():
    layout = layout_of(f"\ufeff{HEADER}\r\n".encode())
    found = read(f"{line()}\r\n{line(trade_id=20)}\r\n".encode(), 2, layout)

    assert sum(table.num_rows for table in found.tables) == 2


@pytest.mark.parametrize(
    "header", ["", "a;b;c", HEADER.rsplit(";", 1)[0], HEADER.replace("PrecoNegocio", "Preco"), "<html>"]
)
def test_another_layout_is_refused_saying_what_was_expected_and_found(header):
    with pytest.raises(ValueError, match=r"expected|must name the 11 columns.*found"):
        layout_of(header.encode())
