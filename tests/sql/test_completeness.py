"""A session is judged from the stores: rows in hot or warm, daily sums, B3's sums; the ledger keeps what is found."""

import datetime as dt
import itertools

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sql import daily, tape_asks, tape_ledger
from sql.completeness import judge, judge_session
from sql.sync import sync_table
from sql.tables import DAILY, TICKS, Flag
from sql.tape_survey import Survey
from tests.tape import DAY, SECOND

numbers = itertools.count()
OPENS = dt.datetime(2026, 11, 18, 12, tzinfo=dt.UTC)
NEXT_MORNING = dt.datetime(2026, 11, 19, 12, tzinfo=dt.UTC)

pytestmark = pytest.mark.usefixtures("hot_is_complete")


class Scene:
    """One symbol of its own and its session: what the exchange made, and what of it is on the tape."""

    def __init__(self, hot, warm) -> None:
        self.hot, self.warm = hot, warm
        self.symbol = f"LEDR{next(numbers)}"  # of no other test, and no contract: R is no month
        self.every = list(range(10, 1010, 10))

    def rows(self, ids, *, session=DAY, received=None, source="simulator", flags=0, base=OPENS) -> pl.DataFrame:
        ids = sorted(ids)
        made = {
            "ts": [base + n * SECOND for n in ids],
            "symbol": [self.symbol] * len(ids),
            "session": [session] * len(ids),
            "trade_id": ids,
            "price": [10 + (n % 70) / 100 for n in ids],
            "quantity": [100 + n % 30 for n in ids],
            "flags": [flags] * len(ids),
            "received_at": [received or base + n * SECOND for n in ids],
            "source": [source] * len(ids),
        }
        made |= {name: [None] * len(ids) for name in ("aggressor", "buyer", "seller")}
        return pl.DataFrame(made).select(pl.col(c.name).cast(c.kind.polars) for c in TICKS.columns)

    def store(self, ids, **options) -> None:
        self.hot.insert(TICKS, self.rows(ids, **options))
        self.hot.wait_applied(TICKS)

    def say(self, ids=None, *, received=NEXT_MORNING, session=DAY, more=0, volume=0.0) -> None:
        rows = self.rows(self.every if ids is None else ids)
        value = float((rows["price"] * rows["quantity"]).sum())
        known = {
            "ts": rows["ts"][-1],
            "symbol": self.symbol,
            "session": session,
            "open": 10.0,
            "high": 11.0,
            "low": 10.0,
            "close": 10.0,
            "volume": value + volume,
            "quantity": int(rows["quantity"].sum()),
            "trades": rows.height + more,
            "received_at": received,
            "source": "simulator",
        }
        made = {c.name: [known.get(c.name)] for c in DAILY.columns}
        daily.store(self.hot, pl.DataFrame(made).select(pl.col(c.name).cast(c.kind.polars) for c in DAILY.columns))
        self.hot.wait_applied(DAILY)

    def file(self, ids=None, name="day.zip", final=True, source="b3") -> None:
        rows = self.rows(self.every if ids is None else ids)
        turnover = sum(round(p * 10_000) * q for p, q in rows.select("price", "quantity").iter_rows()) / 10_000
        with self.warm.connect() as connection:
            connection.execute(
                "INSERT INTO tape_references (symbol, session, source, trades, quantity, turnover, final, as_of, file) "
                "VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)",
                (
                    self.symbol,
                    DAY,
                    source,
                    rows.height,
                    int(rows["quantity"].sum()),
                    str(turnover),
                    final,
                    NEXT_MORNING,
                    name,
                ),
            )

    def judge(self, now=NEXT_MORNING, session=DAY, **options):
        return judge(self.hot, self.warm, self.symbol, session, now=now, **options)

    def answer(self, judged, **fields) -> None:
        """What the keeper notes of a gap when history has answered."""
        with self.warm.connect() as connection:
            for gap in judged.gaps:
                assigned = ", ".join(f"{name} = %s" for name in fields)
                connection.execute(f"UPDATE tape_gaps SET {assigned} WHERE id = %s", [*fields.values(), gap.id])

    def story(self, judged) -> list[list[str]]:
        told = tape_ledger.story_of(self.warm, [gap.id for gap in judged.gaps])
        return [[each.event for each in told[gap.id]] for gap in judged.gaps]


@pytest.fixture
def scene(hot, warm):
    return Scene(hot, warm)


def states(judged) -> list[tuple[str, str, int]]:
    return [(gap.kind, gap.state, gap.ids_left) for gap in judged.gaps]


def test_a_whole_session_with_the_exchanges_sums_is_proven(scene):
    scene.store(scene.every)
    scene.say()
    found = scene.judge()

    assert (found.proof.state, found.gaps, found.step) == ("proven", (), 10)
    (row,) = tape_ledger.sessions(scene.warm, symbol=scene.symbol)
    assert (row.state, row.trades, row.first_id, row.last_id, row.missing) == ("proven", 100, 10, 1000, 0)
    assert row.reference_source == "daily"


def test_head_inner_and_tail_are_found_filled_and_told(scene):
    held = [n for n in scene.every if 100 < n < 950 and n not in (300, 310, 700)]
    scene.store(held)
    scene.say()
    found = scene.judge(cause=lambda where: f"run 3 was killed near {where.first_id}")

    assert sorted(states(found)) == [
        ("head", "missing", 10),
        ("inner", "missing", 1),
        ("inner", "missing", 2),
        ("tail", "missing", 6),
    ]
    assert found.proof.state == "unproven"
    assert found.missing == 19
    assert "19 trades fewer than the exchange says" in found.proof.reason
    inner = next(gap for gap in found.gaps if gap.first_id == 300)
    assert (inner.since, inner.until) == (OPENS + 290 * SECOND, OPENS + 320 * SECOND)
    assert inner.cause == "run 3 was killed near 300"

    scene.store(set(scene.every) - set(held))
    again = scene.judge()

    assert again.proof.state == "proven"
    assert {gap.state for gap in again.gaps} == {"filled"}
    assert {gap.filled_by for gap in again.gaps} == {"history"}
    assert all(story[0] == "found" and story[-1] == "filled" for story in scene.story(again))


def test_without_the_exchanges_sums_nothing_is_proven(scene):
    scene.store(scene.every)
    found = scene.judge()

    assert found.proof.state == "unproven"
    assert "no sums of the exchange" in found.proof.reason
    assert states(found) == [("tail", "missing", 0)]


def test_what_may_follow_is_settled_when_the_exchanges_sums_come(scene):
    scene.store(scene.every)
    scene.judge()
    scene.say()
    found = scene.judge()

    assert (found.proof.state, states(found)) == ("proven", [("tail", "vacant", 0)])
    assert found.gaps[0].note == "nothing was traded there"


def test_who_is_overtaken_by_another_judge_surveys_anew(scene, monkeypatch):
    scene.store(scene.every[:-1])
    scene.say(scene.every[:-1])
    references = Survey.references

    def overtaken(survey, symbols):
        seen = references(survey, symbols)
        monkeypatch.undo()
        scene.store(scene.every[-1:])
        scene.say(received=NEXT_MORNING + SECOND)
        assert scene.judge().proof.state == "proven"
        return seen

    monkeypatch.setattr(Survey, "references", overtaken)
    found = scene.judge()

    assert (found.proof.state, found.held.told.trades) == ("proven", 100)


def test_who_judges_holds_the_gaps_in_the_order_in_which_others_take_them(scene):
    scene.store([n for n in scene.every if n not in (300, 700)])
    scene.judge()
    with scene.warm.connect() as connection:
        gaps = tape_ledger.gaps_of(connection.cursor(), scene.symbol, DAY)
        free = scene.warm.rows("SELECT id FROM tape_gaps WHERE symbol = %s FOR UPDATE SKIP LOCKED", (scene.symbol,))

    assert len(gaps) == 3
    assert free == []


def test_numbers_that_two_answers_do_not_have_are_vacant_and_the_session_is_proven(scene):
    used = [n for n in scene.every if n not in (500, 510)]
    scene.store(used)
    scene.say(used)
    first = scene.judge()
    scene.answer(first, exhausted=True)
    second = scene.judge()

    assert (first.proof.state, first.missing) == ("unproven", 2)
    assert (second.proof.state, states(second)) == ("proven", [("inner", "vacant", 2)])
    assert scene.judge().gaps == second.gaps


def test_what_history_leaves_out_for_ever_stays_unfillable_until_a_file_brings_it(scene):
    scene.store([n for n in scene.every if n != 500])
    scene.say()
    scene.answer(scene.judge(), exhausted=True)
    found = scene.judge()

    assert (found.proof.state, states(found)) == ("unproven", [("inner", "unfillable", 1)])
    assert "history does not have it" in found.gaps[0].note

    scene.store([500], source="b3")
    scene.file()
    filled = scene.judge(filled_by="b3:day.zip")

    assert (filled.proof.state, states(filled)) == ("proven", [("inner", "filled", 0)])
    assert filled.gaps[0].filled_by == "b3:day.zip"


def test_a_file_is_named_though_the_relay_saw_its_rows_before_it_said_its_name(scene):
    scene.store([n for n in scene.every if n != 500])
    scene.say()
    scene.answer(scene.judge(), exhausted=True)
    scene.store([500], source="b3")
    scene.file()
    seen = scene.judge()
    named = scene.judge(filled_by="b3:day.zip")

    assert (states(seen), seen.gaps[0].filled_by) == ([("inner", "filled", 0)], "b3")
    assert (states(named), named.gaps[0].filled_by) == ([("inner", "filled", 0)], "b3:day.zip")
    assert named.gaps[0].filled_at == seen.gaps[0].filled_at
    assert scene.judge().gaps == scene.judge(filled_by="b3:later.zip").gaps == named.gaps


def test_numbers_that_were_never_used_hide_no_trades_that_are_lost_at_the_end(scene):
    scene.every = [n for n in scene.every if n not in range(400, 500)]
    scene.store(scene.every[:-5])
    scene.say()
    first = scene.judge()
    scene.answer(first, exhausted=True)
    found = scene.judge()

    assert states(first) == [("inner", "missing", 10)]
    assert states(found) == [("inner", "unfillable", 10), ("tail", "missing", 5)]

    scene.store(scene.every[-5:])
    assert states(scene.judge()) == [("inner", "vacant", 10), ("tail", "filled", 0)]
    assert scene.judge().proof.state == "proven"


def test_numbers_that_follow_no_step_any_more_fill_no_gap(scene):
    held = [n for n in scene.every if n not in (500, 510)]
    scene.store(held)
    first = scene.judge(now=OPENS + 2000 * SECOND)
    scene.store([n + more for n in held for more in (1, 3, 7)])
    found = scene.judge(now=OPENS + 2000 * SECOND)

    assert (first.step, found.step) == (10, None)
    assert states(first) == states(found) == [("inner", "missing", 2)]


def test_the_after_market_in_the_next_sessions_file_makes_no_session_of_ours(scene):
    scene.store([5000], source="b3")
    scene.file([5000], source="b3-after")
    found = scene.judge()

    assert (found.captured, found.gaps) == (False, ())
    assert "only its after-market is there" in found.proof.reason

    scene.store(scene.every, session=DAY - dt.timedelta(days=1), base=OPENS - dt.timedelta(days=1))
    scene.judge(session=DAY - dt.timedelta(days=1))
    lost = scene.judge()
    assert (lost.captured, lost.proof.state) == (True, "unproven")  # the feed was ours by then

    scene.store(scene.every, source="b3")
    scene.file()
    assert scene.judge().proof.state == "proven"


def test_trades_that_no_number_shows_to_be_missing_are_asked_for_everywhere(scene):
    irregular = sorted({(n * n) % 10_007 for n in range(3, 120)})
    scene.every = irregular
    scene.store([n for n in irregular if n != irregular[50]])
    scene.say(irregular)
    first = scene.judge()
    scene.answer(first, exhausted=True)
    wider = scene.judge()

    assert first.step is None
    assert states(first) == [("tail", "missing", 1)]
    assert first.gaps[0].since is not None
    assert (wider.gaps[0].since, wider.gaps[0].exhausted, wider.gaps[0].state) == (None, False, "missing")

    scene.store([irregular[50]])
    assert scene.judge().proof.state == "proven"


def test_a_daily_that_was_told_before_the_close_proves_nothing_unless_the_feed_was_listened_to(scene):
    scene.store(scene.every)
    scene.say(received=OPENS + 2000 * SECOND)
    assert "before the close" in scene.judge().proof.reason

    with scene.warm.connect() as connection:
        connection.execute(
            "INSERT INTO tape_watched VALUES (%s, %s, %s)", (next(numbers), OPENS, OPENS + dt.timedelta(hours=20))
        )
        proven = judge(scene.hot, scene.warm, scene.symbol, DAY, now=NEXT_MORNING)
    assert proven.proof.state == "unproven"  # not committed yet
    try:
        assert scene.judge().proof.state == "proven"
    finally:
        with scene.warm.connect() as connection:
            connection.execute("DELETE FROM tape_watched")


def test_how_the_feed_ended_is_right_and_not_what_was_thought_before(warm):
    run = next(numbers)

    def kept(until, *, ended):
        tape_asks.watched(warm, [(run, OPENS, OPENS + until * SECOND, ended)])
        (row,) = warm.rows("SELECT until FROM tape_watched WHERE run = %s", (run,))
        return (row["until"] - OPENS) // SECOND

    try:
        assert kept(50, ended=False) == 50
        assert kept(0, ended=False) == 50  # a run that was killed: nobody knows more
        assert kept(40, ended=True) == 40
        assert kept(60, ended=False) == 60
    finally:
        with warm.connect() as connection:
            connection.execute("DELETE FROM tape_watched WHERE run = %s", (run,))


def test_the_exchanges_sums_are_looked_for_in_the_sessions_days_only(scene, monkeypatch):
    asked = []
    rows = type(scene.hot).rows

    def listening(store, text, *more):
        asked.append(text)
        return rows(store, text, *more)

    monkeypatch.setattr(type(scene.hot), "rows", listening)
    Survey(scene.hot, scene.warm, DAY).references([scene.symbol])
    (text,) = [each for each in asked if "FROM daily" in each]

    assert text.count("ts >= '2026-11-17T00:00:00") == text.count("ts < '2026-11-22T00:00:00") == 2


def test_an_open_session_shows_its_gaps_and_no_verdict(scene):
    scene.store([n for n in scene.every if n != 500])
    found = scene.judge(now=OPENS + 2000 * SECOND)

    assert (found.proof.state, states(found)) == ("open", [("inner", "missing", 1)])


def test_numbers_under_way_are_no_gap_yet(scene):
    scene.store([n for n in scene.every if n != 990])
    assert scene.judge(now=OPENS + 1001 * SECOND).gaps == ()
    assert states(scene.judge(now=OPENS + 1010 * SECOND)) == [("inner", "missing", 1)]


def test_cancelled_trades_are_left_out_and_may_be_counted(scene):
    scene.store(scene.every[:-1])
    scene.store(scene.every[-1:], flags=int(Flag.CANCELLED))
    scene.say(scene.every[:-1])
    found = scene.judge()

    assert (found.held.sums.trades, found.held.told.trades, found.proof.state) == (99, 100, "proven")


def test_a_session_of_which_nothing_is_there_is_lost_whole(scene):
    scene.say()
    found = scene.judge()

    assert states(found) == [("head", "missing", 100)]
    assert found.proof.reason.startswith("100 trades fewer")

    scene.store(scene.every)
    assert (scene.judge().proof.state, states(scene.judge())) == ("proven", [("head", "filled", 0)])


def test_a_repeat_of_the_day_before_the_first_is_not_ours(scene):
    scene.store([1000], received=NEXT_MORNING)
    found = scene.judge(now=NEXT_MORNING + dt.timedelta(hours=1))

    assert (found.captured, found.gaps) == (False, ())
    assert "before the first day" in found.proof.reason

    later = DAY + dt.timedelta(days=1)
    scene.store(scene.every, session=later, base=OPENS + dt.timedelta(days=1))
    judged = judge_session(scene.hot, scene.warm, later, [scene.symbol], now=NEXT_MORNING + dt.timedelta(hours=1))
    assert judged[scene.symbol].captured


def test_the_story_is_never_changed(scene):
    import psycopg

    scene.store([n for n in scene.every if n != 500])
    scene.judge()
    with pytest.raises(psycopg.errors.RaiseException, match="never changed"), scene.warm.connect() as connection:
        connection.execute("DELETE FROM tape_gap_story")


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    lost=st.sets(st.integers(0, 99), max_size=60),
    back=st.lists(st.sets(st.integers(0, 99), max_size=40), max_size=3),
)
def test_whatever_is_lost_is_counted_to_the_trade_until_it_is_back(hot, warm, lost, back):
    scene = Scene(hot, warm)
    present = set(scene.every) - {scene.every[n] for n in lost}
    if len(present) < 10:
        return
    scene.store(present)
    scene.say()
    for some in [set(), *back, set(range(100))]:
        new = {scene.every[n] for n in some} - present
        if new:
            scene.store(new)
        present |= new
        found = scene.judge()

        if found.step == 10:
            assert found.missing == len(set(scene.every) - present)
        assert (found.proof.state == "proven") == (present == set(scene.every))


def test_sums_of_the_exchange_are_read_from_warm_when_they_left_hot_before_the_trades(scene):
    scene.store(scene.every)
    scene.say()
    sync_table(DAILY, scene.hot, scene.warm)
    with scene.warm.connect() as connection:
        connection.execute("UPDATE sync_control SET hot_from = %s WHERE stream = 'daily'", (NEXT_MORNING,))
        connection.execute("UPDATE daily SET trades = 777 WHERE symbol = %s", (scene.symbol,))
    found = Survey(scene.hot, scene.warm, DAY).references([scene.symbol])
    with scene.warm.connect() as connection:
        connection.execute("UPDATE sync_control SET hot_from = NULL WHERE stream = 'daily'")

    assert [each.trades for each in found[scene.symbol]] == [777]
