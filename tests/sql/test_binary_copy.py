import datetime as dt
import struct

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from sql.binary_copy import HEADER, TRAILER, encoded
from sql.tables import TICKS

TEXTS = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), min_size=1, max_size=12)
INSTANTS = st.datetimes(dt.datetime(1990, 1, 1), dt.datetime(2090, 1, 1), timezones=st.just(dt.UTC))
LONGS = st.integers(0, 2**62)
INTS = st.one_of(st.none(), st.integers(0, 2**31 - 1))
ROWS = st.lists(
    st.tuples(
        INSTANTS, TEXTS, st.dates(dt.date(1990, 1, 1), dt.date(2090, 1, 1)), LONGS, st.floats(allow_nan=False), LONGS,
        st.one_of(st.none(), TEXTS), INTS, INTS, st.integers(0, 7), INSTANTS, TEXTS,
    ),
    max_size=30,
)  # fmt: skip
EPOCH = dt.datetime(2000, 1, 1, tzinfo=dt.UTC)


def decoded(stream: bytes) -> list[tuple]:
    """The rows of a binary COPY stream, read field by field as the server does."""
    assert stream.startswith(HEADER)
    rows, at = [], len(HEADER)
    while (fields := struct.unpack_from(">h", stream, at)[0]) != -1:
        at += 2
        row = []
        for column in TICKS.columns[:fields]:
            (length,) = struct.unpack_from(">i", stream, at)
            at += 4
            row.append(None if length == -1 else value(column.kind.name, stream[at : at + length]))
            at += max(length, 0)
        rows.append(tuple(row))
    assert stream[at:] == TRAILER
    return rows


def plain(row: tuple) -> str:
    return repr([each.timestamp() if isinstance(each, dt.datetime) else each for each in row])


def value(kind: str, raw: bytes):
    if kind in ("symbol", "text"):
        return raw.decode()
    if kind == "instant":
        return EPOCH + dt.timedelta(microseconds=struct.unpack(">q", raw)[0])
    if kind == "day":
        return EPOCH.date() + dt.timedelta(days=struct.unpack(">i", raw)[0])
    return struct.unpack({"long": ">q", "int": ">i", "double": ">d"}[kind], raw)[0]


@settings(max_examples=60, deadline=None)
@given(ROWS)
def test_every_row_arrives_as_it_was_whatever_its_nulls_and_lengths(rows):
    frame = pl.DataFrame(rows, schema=TICKS.polars, orient="row")

    stream = b"".join(bytes(block) for block in encoded([frame[:7], frame[7:]], TICKS))

    assert list(map(plain, decoded(stream))) == list(map(plain, frame.rows()))


def test_no_rows_are_a_stream_too():
    assert b"".join(encoded([pl.DataFrame(schema=TICKS.polars)], TICKS)) == HEADER + TRAILER
