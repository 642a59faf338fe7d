"""Signals, their posts and deletions, and the registries, in a real QuestDB; the sync carries each change to warm."""

import asyncio
import datetime as dt

import pytest
from msgspec.structs import replace

from sql import signal_reading, signals, telegram_registry
from sql.pool import Pool
from sql.signal_reading import Filter
from sql.signal_tables import BOTS, DELETED_SIGNALS, POSTS, SIGNALS, Post, Signal, TelegramBot
from sql.signals import SignalStore
from sql.sync import sync_table
from sql.telegram_registry import Author

MORNING = dt.datetime(2026, 11, 17, 13, 30, tzinfo=dt.UTC)
SECOND = dt.timedelta(seconds=1)


def post(number, *, at=MORNING, channel="Canal Êxito", chat=-1_001_234_567_890, edited=None, **values):
    revision = int(edited.timestamp()) if edited else 0
    made = {"text": f"post {number}", "parser": "3", "outcome": "", "reason": None, "received_at": at + SECOND}
    return Post(ts=at, chat_id=chat, post_id=number, revision=revision, channel=channel, **(made | values))


def signal_of(seen: Post, **values):
    edited = dt.datetime.fromtimestamp(seen.revision, dt.UTC) if seen.revision else None
    made = {"signal_type": "Swing Trade", "asset": "PETR4", "buy_min": 28.5, "buy_max": 28.6, "target_1": None}
    made |= {"target_2": None, "target_final": 30.0, "stop": 27.9, "raw_message": seen.text, "source": "ingestion"}
    return Signal(
        ts=seen.ts, channel=seen.channel, chat_id=seen.chat_id, post_id=seen.post_id, ingested_at=MORNING,
        edited_at=edited, deleted_at=None, **(made | values),
    )  # fmt: skip


def kept(store: SignalStore, seen: Post, **values):
    return store.keep(seen, signal_of(seen, **values))


@pytest.fixture
def store(hot):
    for table in (SIGNALS, DELETED_SIGNALS, POSTS):
        empty(hot, table)
    return SignalStore(hot)


def empty(hot, table):
    hot.execute(f"TRUNCATE TABLE {table.name}")
    hot.wait_applied(table)


@pytest.fixture
def asked(engines):
    """Answers a question about signals, as the API puts it."""

    def ask(question, *values, **named):
        async def answer():
            pool = Pool(engines.questdb.pg_dsn(reader=True), "test")
            try:
                return await question(pool, *values, **named)
            finally:
                await pool.close()

        return asyncio.run(answer())

    return ask


def test_a_post_that_comes_again_changes_nothing_and_an_edit_replaces_its_signal(store, hot, asked):
    first = post(1)
    assert kept(store, first) == "stored"
    before = hot.rows("SELECT * FROM tp_capital_signals")
    assert kept(store, first) == "duplicate"
    assert hot.rows("SELECT * FROM tp_capital_signals") == before

    later, latest = MORNING + 60 * SECOND, MORNING + 120 * SECOND
    assert kept(store, post(1, edited=latest, text="dearer"), stop=28.0) == "updated"
    assert kept(store, post(1, edited=latest, text="dearer, in the same second"), stop=28.1) == "updated"
    assert kept(store, post(1, edited=latest, text="dearer"), stop=28.0) == "updated"
    assert kept(store, post(1, edited=later, text="late news"), stop=1.0) == "refused"
    assert store.keep(post(1, edited=latest + SECOND, reason="no_stop"), None) == "refused"

    (now,) = hot.rows("SELECT * FROM tp_capital_signals")
    assert (now["stop"], now["raw_message"], now["edited_at"]) == (28.0, "dearer", latest)
    assert now["ingested_at"] == before[0]["ingested_at"]
    assert asked(signal_reading.outcomes) == {
        "stored": 1, "updated": 1, "refused:superseded": 1, "refused:no_stop": 1
    }  # fmt: skip
    assert [seen.text for seen in asked(signal_reading.posts, outcome="updated", limit=10)] == ["dearer"]


def test_a_post_cut_off_before_its_end_is_done_again_under_the_same_name(store, hot):
    seen = post(1)
    kept(store, seen)
    named = hot.rows("SELECT ingested_at FROM tp_capital_signals")
    empty(hot, POSTS)  # as if the process had died between the two writes

    assert kept(SignalStore(hot), seen) == "stored"
    assert hot.rows("SELECT ingested_at FROM tp_capital_signals") == named


def test_signals_are_filtered_by_the_store_and_come_newest_first(store, asked):
    for number in range(6):
        name, kind = ("Canal Êxito", "Swing Trade") if number % 2 else ("Outro", "Day Trade")
        seen = post(number, at=MORNING + number * SECOND, channel=name, text=f"Até 100%_{number}\\ o'clock")
        kept(store, seen, signal_type=kind, asset=f"VALE{number}")

    def found(**values):
        return [row.asset for row in asked(signal_reading.signals, Filter(**values))]

    assert found() == ["VALE5", "VALE4", "VALE3", "VALE2", "VALE1", "VALE0"]
    assert found(limit=2, offset=1) == ["VALE4", "VALE3"]
    assert found(channel="Canal Êxito", limit=2) == ["VALE5", "VALE3"]
    assert found(signal_type="Day Trade") == ["VALE4", "VALE2", "VALE0"]
    assert found(search="ATÉ 100%_2\\ O'", limit=1) == ["VALE2"]  # sought before the page is cut
    assert found(search="vale4") == ["VALE4"]
    assert found(search="%") == found()
    assert found(search="_9") == []
    assert found(since=MORNING + 2 * SECOND, until=MORNING + 4 * SECOND) == ["VALE4", "VALE3", "VALE2"]
    counted = asked(signal_reading.channels)
    assert [(each.channel, each.signal_count) for each in counted] == [("Canal Êxito", 3), ("Outro", 3)]
    assert counted[1].last_signal == "2026-11-17T13:30:04.000000Z"
    assert asked(signal_reading.choices) == (["Canal Êxito", "Outro"], ["Day Trade", "Swing Trade"])
    assert asked(signal_reading.newest) == MORNING + 5 * SECOND


def test_a_deletion_is_archived_leaves_the_others_and_reaches_warm(store, hot, warm, asked):
    for number in range(3):
        kept(store, post(number, at=MORNING + number * SECOND), asset=f"VALE{number}")
    sync_table(SIGNALS, hot, warm)
    name = hot.rows("SELECT ingested_at FROM tp_capital_signals WHERE asset = 'VALE1'")[0]["ingested_at"]
    assert name.microsecond % 1000 == 0

    assert store.delete(name + dt.timedelta(microseconds=1), whole_ms=False, by="ana", address="::1") is None
    assert store.delete(name, whole_ms=True, by="ana", address="127.0.0.1") == 1
    assert store.delete(name, whole_ms=False, by="bob", address="127.0.0.1") == 0

    assert [row.asset for row in asked(signal_reading.signals, Filter())] == ["VALE2", "VALE0"]
    (gone,) = asked(signal_reading.removed, 10, 0)
    assert (gone.asset, gone.deleted_by, gone.deleted_from) == ("VALE1", "ana", "127.0.0.1")
    assert kept(store, post(1, at=MORNING + SECOND, edited=MORNING + 9 * SECOND), asset="VALE1") == "updated"
    assert [row.asset for row in asked(signal_reading.signals, Filter())] == ["VALE2", "VALE0"]
    for table in (SIGNALS, DELETED_SIGNALS, POSTS):
        sync_table(table, hot, warm)
        columns = f"SELECT {', '.join(table.names)} FROM {table.name} ORDER BY ts, post_id"
        assert warm.rows(columns) == hot.rows(columns)
    known = warm.rows("SELECT * FROM trading_signals ORDER BY created_at", reader=True)
    assert [(row["signal_id"], row["symbol"], row["direction"]) for row in known] == [
        ("-1001234567890:0", "VALE0", "BUY"), ("-1001234567890:2", "VALE2", "BUY")
    ]  # fmt: skip
    assert (known[0]["payload"]["stop"], known[0]["confidence"]) == (27.9, None)


def test_a_registry_keeps_every_version_and_shows_the_newest(hot, warm):
    empty(hot, BOTS)
    registry = telegram_registry.bots(hot)
    now = dt.datetime.now(dt.UTC)
    names = [telegram_registry.new_id("bot", now) for _ in range(2)]
    for number, name in enumerate(names):
        registry.add(
            TelegramBot(
                id=name, username=f"bot{number}", token="sealed", bot_type="Sender", description="", status="active",
                created_at=now, updated_at=now + number * SECOND, changed_by="ana", changed_from="127.0.0.1",
            )
        )  # fmt: skip
    assert [bot.username for bot in registry.all()] == ["bot1", "bot0"]

    changed = registry.change(names[0], Author("bob", "::1"), lambda bot: replace(bot, description="é"))
    assert registry.get(names[0]) == changed
    assert (changed.created_at, changed.changed_by, changed.token) == (now, "bob", "sealed")
    assert registry.delete(names[1], Author("eve", "::1")).status == "deleted"

    assert [bot.description for bot in registry.all()] == ["é"]
    assert registry.get(names[1]) is None
    assert registry.delete(names[1], Author("eve", "::1")) is None
    assert registry.change("bot-1-none", Author("eve", "::1"), lambda bot: bot) is None
    assert [bot.changed_by for bot in registry.history(names[1])] == ["eve", "ana"]
    sync_table(BOTS, hot, warm)
    assert len(warm.rows("SELECT 1 FROM telegram_bots")) == 4


def test_names_of_signals_are_whole_milliseconds_and_never_twice(hot):
    store = SignalStore(hot)
    names = [store._moment() for _ in range(50)]

    assert sorted(set(names)) == names
    assert {name.microsecond % 1000 for name in names} == {0}
    assert signals.said_at(signal_of(post(1, edited=MORNING + SECOND))) == MORNING + SECOND
