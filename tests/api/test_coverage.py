import datetime as dt
import itertools

import pytest

from sql.coverage import Coverage, HotDays, WarmDays, start_of
from sql.errors import StoreUnavailableError

TODAY = dt.date(2026, 11, 21)


def day(number: int) -> dt.date:
    return dt.date(2026, 11, number)


def hot(*days: int, txn: int = 7) -> HotDays:
    rows = {day(number): 10 for number in days}
    return HotDays(rows=rows, bytes=1, first_ts=None, last_ts=None, txn=txn, pending=0, suspended=False)


def warm(*days: int, cold=(), agree=(), txn: int = 7, hot_from: int | None = None) -> WarmDays:
    return WarmDays(
        rows={day(number): 10 for number in days},
        cold_rows={day(number): 10 for number in cold},
        digests={day(number): f"digest-{number}" for number in agree},
        synced_at=None,
        synced_txn=txn,
        hot_from=start_of(day(hot_from)) if hot_from else None,
    )


def cover(hot_days, warm_days, *cold: int) -> Coverage:
    away = {name: "does not answer" for name, days in (("hot", hot_days), ("warm", warm_days)) if days is None}
    return Coverage(hot=hot_days, warm=warm_days, cold=frozenset(map(day, cold)), cold_bytes=0, away=away)


def tiers(found: Coverage, first: int, last: int) -> list[tuple[str, int, int]]:
    parts = found.parts(start_of(day(first)), start_of(day(last)), TODAY)
    return [(part.tier, part.since.day, part.until.day) for part in parts]


def test_each_stretch_comes_from_the_warmest_tier_that_has_it():
    found = cover(hot(19, 20, 21), warm(17, 18, 19, 20), 15, 16, 17)

    assert tiers(found, 15, 22) == [("cold", 15, 17), ("warm", 17, 19), ("hot", 19, 22)]


def test_days_that_nobody_has_make_no_stretch_of_their_own():
    found = cover(hot(20), warm(), 12, 13, 16)

    assert tiers(found, 10, 21) == [("cold", 10, 20), ("hot", 20, 21)]


def test_new_days_are_asked_of_hot():
    assert tiers(cover(hot(), warm(20), 20), 21, 22) == [("hot", 21, 22)]


def test_a_day_below_the_floor_of_hot_comes_from_warm_though_hot_has_rows_of_it():
    found = cover(hot(10, 20), warm(10, 20, hot_from=15), 10)

    assert tiers(found, 10, 11) == [("warm", 10, 11)]
    assert tiers(found, 20, 21) == [("hot", 20, 21)]


def test_a_day_that_was_imported_below_the_floor_and_not_yet_synced_comes_from_hot():
    assert tiers(cover(hot(10), warm(20, hot_from=15)), 10, 11) == [("hot", 10, 11)]


def test_without_hot_closed_days_come_from_warm_and_the_open_day_is_an_error():
    found = cover(None, warm(20, 21), 19)

    assert tiers(found, 19, 21) == [("cold", 19, 20), ("warm", 20, 21)]
    with pytest.raises(StoreUnavailableError):
        tiers(found, 21, 22)


def test_parts_cover_the_range_without_gap_or_overlap():
    found = cover(hot(19, 21), warm(17, 18, 20), 12, 15)
    since, until = start_of(day(11)) + dt.timedelta(hours=5), start_of(day(23)) - dt.timedelta(minutes=1)
    parts = found.parts(since, until, TODAY)

    assert (parts[0].since, parts[-1].until) == (since, until)
    assert all(one.until == two.since for one, two in itertools.pairwise(parts))
    assert all(one.since < one.until for one in parts)


@pytest.mark.parametrize(
    ("found", "sealed"),
    [
        (cover(hot(20), warm(20, cold=[20], agree=[20]), 20), True),
        (cover(hot(20, txn=8), warm(20, cold=[20], agree=[20]), 20), False),  # hot was written to since the sync
        (cover(hot(21, txn=8), warm(20, cold=[20], agree=[20]), 20), True),  # but it has nothing of that day
        (cover(hot(20), warm(20, cold=[20]), 20), False),  # warm changed since the archive
        (cover(hot(20), warm(20, cold=[20], agree=[20])), False),  # the file is away
        (cover(None, warm(20, cold=[20], agree=[20]), 20), False),
        (cover(hot(20), None, 20), False),
    ],
)
def test_a_cold_file_is_given_only_while_nobody_has_anything_newer(found, sealed):
    assert (found.sealed(day(20)) is not None) is sealed
