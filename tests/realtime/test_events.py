"""Quote and depth records to rows of `quotes` and `book`."""

import datetime as dt

import numpy as np
import polars as pl

from realtime.records import RECORD, Kind
from realtime.relay.events import SAME, date_of, events_of, frame_of, hours_of
from realtime.spool.frames import Frame, FrameKind
from sql.tables import BOOK, QUOTES
from tests.realtime.spooled import ASSETS, records

NAMES = {asset.number: asset for asset in ASSETS}
WALL, MONO = 1_795_100_400_000_000_000, 5_000_000_000
FULL, EDIT, DELETE, THEORETICAL = 4, 1, 2, 7


def framed(made, *, wall: int = WALL) -> Frame:
    return Frame(FrameKind.RECORDS, 3, 1, len(made), wall, MONO, np.frombuffer(made.tobytes(), np.uint8), 1, 0)


def events(count: int, kind: Kind, **columns):
    made = np.zeros(count, RECORD)
    made["kind"], made["asset"], made["mono"] = kind, 1, MONO
    made["seq"] = np.arange(1, count + 1)
    made["price"], made["quantity"], made["count"] = 131_000.0, 7, 2
    for name, values in columns.items():
        made[name] = values
    return made


def rows(made, table) -> pl.DataFrame:
    return frame_of(events_of([framed(made)], table), table, NAMES)


def test_each_kind_goes_to_its_table_and_others_stay():
    made = np.concatenate([events(1, kind) for kind in Kind])

    assert events_of([framed(made)], QUOTES).records["kind"].tolist() == [Kind.QUOTE, Kind.THEORETICAL]
    assert events_of([framed(made)], BOOK).records["kind"].tolist() == [Kind.DEPTH]
    assert len(events_of([framed(records(5))], BOOK)) == 0


def test_a_quote_becomes_the_row_that_the_contract_wants():
    made = events(4, Kind.QUOTE, side=[0, 1, 255, 0], price=[38.4, 38.5, 38.45, 0.0], quantity=[100, 200, 300, -1])
    made["kind"][2] = Kind.THEORETICAL
    made["mono"] += 2_000_000
    found = rows(made, QUOTES)

    assert found.columns == [name for name in QUOTES.names if name not in SAME]
    assert found["side"].to_list() == ["BID", "ASK", "AUCTION", "BID"]
    assert found["price"].to_list() == [38.4, 38.5, 38.45, None]
    assert found["quantity"].to_list() == [100, 200, 300, None]
    assert found["seq"].to_list() == [1, 2, 3, 4]
    at = dt.datetime.fromtimestamp(WALL // 10**9, dt.UTC) + dt.timedelta(milliseconds=2)
    assert found["ts"].unique().to_list() == [at]
    assert found["symbol"].unique().to_list() == ["WINZ26"]


def test_a_change_of_the_book_keeps_all_that_rebuilds_it_and_nothing_that_means_nothing():
    made = events(
        6,
        Kind.DEPTH,
        action=[EDIT, DELETE, FULL, EDIT, THEORETICAL, FULL],
        side=[0, 1, 0, 1, 254, 0],
        position=[3, 4, 0, 1, 0, -1],
        flags=[0, 0, 3, 4, 0, 3],
    )
    made["price"][0] = 131_005.0
    found = rows(made, BOOK)

    assert found.columns == [name for name in BOOK.names if name not in SAME]
    assert found["action"].to_list() == ["EDIT", "DELETE", "FULL", "EDIT", "THEORETICAL", "FULL"]
    assert found["side"].to_list() == ["BID", "ASK", "BID", "ASK", None, "BID"]
    assert found["position"].to_list() == [3, 4, 0, 1, 0, None]
    assert found["price"].to_list() == [131_005.0, None, 131_000.0, None, 131_000.0, None]
    assert found["quantity"].to_list() == [7, None, 7, None, 7, None]
    assert found["orders"].to_list() == [2, None, 2, None, None, None]
    assert found["flags"].to_list() == [0, 0, 3, 4, 0, 3]


def test_the_theoretical_group_has_no_price_and_an_unknown_action_is_kept_as_it_is():
    made = events(2, Kind.DEPTH, action=[EDIT, 77], price=[-np.inf, 5.0], flags=[8, 1 << 31], side=[0, 9])
    found = rows(made, BOOK)

    assert found["price"].to_list() == [None, None]
    assert found["action"].to_list() == ["EDIT", "77"]
    assert found["side"].to_list() == ["BID", "9"]
    assert found["flags"].to_list() == [8, 0]


def test_hours_are_apart_and_their_session_is_the_date_in_sao_paulo():
    midnight = int(dt.datetime(2026, 11, 20, 3, tzinfo=dt.UTC).timestamp())  # there
    made = events(2, Kind.QUOTE, mono=[MONO - 1000, MONO])
    parts = hours_of(events_of([framed(made, wall=midnight * 10**9)], QUOTES))

    assert [(session, len(part)) for session, part in parts] == [(dt.date(2026, 11, 19), 1), (dt.date(2026, 11, 20), 1)]
    assert date_of(midnight // 3600 - 1) == dt.date(2026, 11, 19)


def test_the_same_frame_gives_the_same_rows_whenever_it_is_read():
    made = events(50, Kind.DEPTH, action=EDIT, mono=MONO + np.arange(50) * 777)
    first, second = (events_of([framed(made)], BOOK) for _ in range(2))

    assert frame_of(first, BOOK, NAMES).equals(frame_of(second, BOOK, NAMES))
