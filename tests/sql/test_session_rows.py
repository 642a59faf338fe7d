"""One session as a file: from every tier, over the UTC days that it touches, and nothing of its neighbours."""

import datetime as dt

import polars as pl
import pytest

from sql.cold import ColdStore
from sql.coverage import Coverage
from sql.session_rows import Chosen, frames, write_archived, write_session
from sql.tables import TICKS
from sql.tape import Tape
from sql.warm import copy, ensure_partitions
from tests.tape import DAY, ticks

NEXT = DAY + dt.timedelta(days=1)
EVENING = dt.datetime(2026, 11, 18, 23, 59, 58, tzinfo=dt.UTC)


def archived(root, *days: pl.DataFrame) -> ColdStore:
    cold = ColdStore(root, [TICKS])
    for rows in days:
        for day, own in rows.with_columns(day=pl.col("ts").dt.date()).partition_by("day", as_dict=True).items():
            cold.write(TICKS, day[0], own.drop("day").sort(TICKS.key).to_arrow().cast(TICKS.arrow).to_batches())
    return cold


def whole(path) -> pl.DataFrame:
    return pl.concat(list(frames(path, 100)), how="vertical") if path.stat().st_size else pl.DataFrame()


@pytest.fixture
def over_midnight() -> pl.DataFrame:
    """Six rows of a session around midnight UTC, and as many of the next session."""
    own = ticks(6, since=EVENING, session=DAY)
    return pl.concat([own, ticks(6, since=EVENING, session=NEXT, first_id=100)]).sort(TICKS.key)


def test_a_session_is_read_over_midnight_of_utc_and_without_its_neighbour(tmp_path, over_midnight):
    cold = archived(tmp_path / "cold", over_midnight)
    tiers = write_archived(cold, Chosen(session=DAY), tmp_path / "rows.parquet")
    found = whole(tmp_path / "rows.parquet")

    assert tiers == ("cold",)
    assert len(cold.days(TICKS)) == 2
    assert found.equals(over_midnight.filter(pl.col("session") == DAY))


def test_symbols_and_instants_choose_among_them(tmp_path, over_midnight):
    cold = archived(tmp_path / "cold", over_midnight)
    asked = Chosen(session=DAY, symbols=("WINZ26",), since=EVENING + dt.timedelta(seconds=1), until=None)
    write_archived(cold, asked, tmp_path / "rows.parquet")

    assert whole(tmp_path / "rows.parquet")["trade_id"].to_list() == [4]


def test_a_session_that_nobody_has_is_an_empty_file(tmp_path):
    tiers = write_archived(ColdStore(tmp_path / "cold", [TICKS]), Chosen(session=DAY), tmp_path / "rows.parquet")

    assert tiers == ()
    assert list(frames(tmp_path / "rows.parquet")) == []


def test_what_is_no_symbol_is_refused(tmp_path):
    with pytest.raises(ValueError, match="expected 1 to 32"):
        write_session(Tape(None, None, None), Chosen(session=DAY, symbols=("A' OR 1",)), tmp_path / "rows.parquet")


def test_hot_and_warm_and_cold_give_the_same_rows(tmp_path, hot, warm, monkeypatch):
    """All of the session's days in one tier, once in each; the tables are the shared engines', the days are ours."""
    session, evening = dt.date(2027, 3, 1), dt.datetime(2027, 3, 1, 23, 59, 58, tzinfo=dt.UTC)
    rows = pl.concat([ticks(6, since=evening), ticks(6, since=evening, session=NEXT, first_id=100)]).sort(TICKS.key)
    cold = archived(tmp_path / "cold", rows)
    hot.insert(TICKS, rows)
    hot.wait_applied(TICKS)
    with warm.connect() as connection, connection.cursor() as cursor:
        ensure_partitions(cursor, TICKS, evening, evening + dt.timedelta(days=1))
        copy(cursor, TICKS, [rows])
    expected = rows.filter((pl.col("session") == session) & (pl.col("symbol") != "PETR4"))
    try:
        for tier in ("hot", "warm", "cold"):
            monkeypatch.setattr(Coverage, "tier_of", lambda self, day, today, tier=tier: tier)
            path = tmp_path / f"{tier}.parquet"
            tiers = write_session(Tape(hot, warm, cold), Chosen(session=session, symbols=("WINZ26", "WDOZ26")), path)

            assert tiers == (tier,)
            assert whole(path).equals(expected)
    finally:
        hot.execute("ALTER TABLE ticks DROP PARTITION LIST '2027-03-01', '2027-03-02'")
        with warm.connect() as connection:
            connection.execute("DELETE FROM ticks WHERE ts >= %s", (evening,))
