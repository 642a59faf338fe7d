"""The rows of `book` are enough: whatever the market did, they make the same book again."""

import datetime as dt

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime.records import RECORD, Kind
from realtime.relay.events import events_of, frame_of
from realtime.spool.frames import Asset, Frame, FrameKind
from sql.ladder import Ladder, Level
from sql.tables import BOOK, BookEvent

EDIT, DELETE, INSERT, FULL, PREPARE, FLUSH, THEORETICAL, DELETE_FROM = 1, 2, 3, 4, 5, 6, 7, 8
SIDES = ("BID", "ASK")


def record(action: int, side: int, position: int = 0, level: Level | None = None, flags: int = 0):
    made = np.zeros(1, RECORD)
    made["kind"], made["asset"], made["action"], made["side"] = Kind.DEPTH, 1, action, side
    made["position"], made["flags"] = position, flags
    if level is not None:
        made["price"], made["quantity"], made["count"] = level.price, level.quantity, level.orders
    return made


def full(side: int, levels: list[Level]):
    last = max(len(levels) - 1, 0)
    flags = [(2 if n == 0 else 0) | (1 if n == last else 0) for n in range(last + 1)]
    if not levels:
        return [record(FULL, side, -1, flags=flags[0])]
    return [record(FULL, side, n, level, flags[n]) for n, level in enumerate(levels)]


def rows_of(records, run: int = 1) -> list[BookEvent]:
    made = np.concatenate(records)
    made["seq"] = np.arange(1, len(made) + 1)
    frame = Frame(FrameKind.RECORDS, run, 1, len(made), 10**18, 0, np.frombuffer(made.tobytes(), np.uint8), 1, 0)
    found = frame_of(events_of([frame], BOOK), BOOK, {1: Asset(1, "WINZ26", "F")})
    same = {"session": dt.date(2026, 11, 19), "run": run, "source": "simulator"}
    return [BookEvent(**row, **same) for row in found.iter_rows(named=True)]


def ladder_of(rows: list[BookEvent]) -> Ladder:
    made = Ladder()
    for row in rows:
        made.apply(row)
    return made


levels = st.builds(Level, st.integers(1, 900).map(lambda n: n * 0.5), st.integers(0, 500), st.integers(0, 30))
steps = st.lists(
    st.tuples(st.sampled_from([EDIT, DELETE, INSERT, DELETE_FROM, FULL, PREPARE, FLUSH, THEORETICAL]),
              st.integers(0, 1), st.integers(0, 12), levels, st.lists(levels, max_size=4)),
    max_size=40,
)  # fmt: skip


@settings(deadline=None)
@given(st.lists(levels, max_size=5), st.lists(levels, max_size=5), steps)
def test_rows_make_the_book_again(bids, asks, changes):
    book = [list(bids), list(asks)]
    records = [*full(0, bids), *full(1, asks)]
    for action, side, place, level, whole in changes:
        held = book[side]
        at = min(place, len(held)) if action == INSERT else min(place, len(held) - 1)
        if action == FULL:
            book[side] = list(whole)
            records += full(side, whole)
        elif action == INSERT:
            held.insert(at, level)
            records.append(record(INSERT, side, at, level))
        elif action in (PREPARE, FLUSH):
            records.append(record(action, 254))
        elif action == THEORETICAL:
            records.append(record(action, 254, 0, level))
        elif held:
            if action == EDIT:
                held[at] = level
            elif action == DELETE:
                del held[at]
            else:
                del held[at:]
            records.append(record(action, side, at, level if action == EDIT else None))
    made = ladder_of(rows_of(records))

    assert made.whole
    assert [made.sides[name] for name in SIDES] == book


def test_a_change_out_of_place_is_noticed_until_the_next_full_book():
    ten = Level(10.0, 5, 1)
    begun = [*full(0, [ten]), *full(1, [])]

    assert ladder_of(rows_of(begun)).whole
    assert not ladder_of(rows_of([*begun, record(EDIT, 0, 4, ten)])).whole
    assert not ladder_of(rows_of([record(INSERT, 0, 0, ten)])).whole
    assert ladder_of(rows_of([*begun, record(EDIT, 0, 4, ten), *full(0, [ten])])).whole


def test_a_new_run_is_whole_only_after_its_own_full_book():
    ten = Level(10.0, 5, 1)
    first, second = rows_of([*full(0, [ten]), *full(1, [ten])]), rows_of([record(EDIT, 0, 0, ten)], run=2)

    assert not ladder_of([*first, *second]).whole


def test_a_level_that_could_not_be_read_stands_there_without_values():
    made = ladder_of(rows_of([*full(0, [Level(10.0, 5, 1)]), *full(1, []), record(EDIT, 0, 0, flags=4)]))

    assert made.sides["BID"] == [Level(None, None, None)]
