"""What is looked at all the time: freshness, suspended tables, runs whose process is gone."""

import datetime as dt
import os
import subprocess
import sys
from types import SimpleNamespace

import dagster as dg
import pytest

from assets.captured import arrival_of
from assets.contract import key_of
from pipelines import watch
from pipelines.alerts import AlertError
from sql.exchange import SAO_PAULO
from sql.hot import Wal
from tests.tape import NOON, put, ticks

TRADING = dt.datetime(2026, 11, 18, 12, tzinfo=SAO_PAULO)  # a Wednesday
RESTING = dt.datetime(2026, 11, 20, 12, tzinfo=SAO_PAULO)  # a holiday


class Told:
    """Keeps what alerts would say."""

    def __init__(self):
        self.said = []

    def send(self, title, body, *, run_id=""):
        self.said.append(title)
        return "told"


@pytest.fixture
def instance():
    with dg.instance_for_test() as made:
        yield made


@pytest.fixture
def look(instance, monkeypatch, table):
    monkeypatch.setattr(watch, "MOVING", (table,))

    def evaluate(sensor, cursor=None, **resources):
        repository = dg.Definitions(
            sensors=[sensor], resources=dict.fromkeys(resources, "not used")
        ).get_repository_def()
        with dg.build_sensor_context(
            instance=instance, repository_def=repository, resources=resources, cursor=cursor
        ) as context:
            return sensor.evaluate_tick(context)

    return evaluate


@pytest.mark.parametrize(
    ("at", "age", "fresh"),
    [
        (TRADING, dt.timedelta(seconds=20), True),
        (TRADING, dt.timedelta(minutes=6), False),
        (RESTING, dt.timedelta(days=2), True),
    ],
)
def test_a_silent_table_is_stale_only_while_the_exchange_trades(hot, table, at, age, fresh):
    put(hot, table, ticks(1, since=at - age))
    put(hot, table, ticks(1, since=at + dt.timedelta(days=400), first_id=9))  # a row of the future proves nothing
    arrival = arrival_of(table, hot, at)

    assert arrival.fresh is fresh
    assert arrival.lag == age


def test_an_empty_table_is_stale_while_the_exchange_trades(hot, table):
    assert not arrival_of(table, hot, TRADING).fresh
    assert arrival_of(table, hot, RESTING).fresh


def test_a_fresh_table_is_shown_and_not_again_at_once(hot, table, look):
    put(hot, table, ticks(1, since=dt.datetime.now(dt.UTC) - dt.timedelta(seconds=5)))
    first = look(watch.hot_arrivals, hot=hot)
    second = look(watch.hot_arrivals, first.cursor, hot=hot)
    (event,) = first.asset_events

    assert event.asset_key == key_of(table, "hot")
    assert event.metadata["lag_seconds"].value < 60
    assert event.metadata["dagster/row_count"].value == 1
    assert event.tags["dagster/data_version"] == "1"
    assert second.asset_events == []


def test_a_stale_table_is_not_shown_and_named(hot, table, look, monkeypatch):
    put(hot, table, ticks(1, since=NOON))
    monkeypatch.setattr("assets.captured.rows_expected", lambda _at: True)
    found = look(watch.hot_arrivals, hot=hot)

    assert found.asset_events == []
    assert table.name in found.skip_message


class Hot:
    """A server one of whose tables is suspended: an embedded one suspends none by order."""

    def __init__(self):
        self.applied = 7
        self.ordered = []
        self.suspended = True

    def wal(self, _table):
        return Wal(self.applied, 9, self.suspended, "1:t")

    def execute(self, statement):
        self.ordered.append(statement)


def test_a_suspended_table_goes_on_once_and_is_told_of(table, look):
    alerts, hot = Told(), Hot()
    first = look(watch.suspended_tables, hot=hot, alerts=alerts)

    assert hot.ordered == [f"ALTER TABLE {table.name} RESUME WAL"]
    assert alerts.said == [f"TradingSystem: hot.{table.name} was suspended"]
    assert "suspended at transaction 7 of 9" in first.skip_message

    hot.suspended = False

    assert look(watch.suspended_tables, first.cursor, hot=hot, alerts=alerts).cursor == "{}"


def test_a_table_that_is_suspended_again_at_the_same_transaction_is_left_to_people(table, look):
    alerts, hot = Told(), Hot()
    cursor = look(watch.suspended_tables, hot=hot, alerts=alerts).cursor
    second = look(watch.suspended_tables, cursor, hot=hot, alerts=alerts)
    hot.applied = 8
    third = look(watch.suspended_tables, second.cursor, hot=hot, alerts=alerts)

    assert [title.split()[2] for title in alerts.said] == ["was", "stays", "was"]
    assert "mend its disk" in second.skip_message
    assert len(hot.ordered) == 2
    assert "at transaction 8" in third.skip_message


def test_an_address_that_takes_no_alert_makes_nobody_try_again(look):
    class Deaf:
        def send(self, _title, _body):
            raise AlertError("1 of 1 addresses did not take the alert: jsons")

    hot = Hot()
    first = look(watch.suspended_tables, hot=hot, alerts=Deaf())
    look(watch.suspended_tables, first.cursor, hot=hot, alerts=Deaf())

    assert len(hot.ordered) == 1


class Instance:
    """As much of Dagster's instance as the sensor asks: two runs in progress and what they said of their process."""

    def __init__(self, **pids):
        self.pids = pids
        self.ended = []

    def get_runs(self, _filters):
        return [
            dg.DagsterRun(job_name="sync", run_id=run_id, tags={".dagster/grpc_info": "{}"} if pid else {})
            for run_id, pid in self.pids.items()
        ]

    def all_logs(self, run_id, of_type):
        data = SimpleNamespace(metadata={"pid": dg.MetadataValue.text(str(self.pids[run_id]))})
        now = dt.datetime.now(dt.UTC).timestamp()
        return [SimpleNamespace(dagster_event=SimpleNamespace(engine_event_data=data), timestamp=now)]

    def report_run_failed(self, run, _message):
        self.ended.append(run.run_id)


def test_a_run_whose_process_is_gone_is_ended_and_one_that_lives_is_not():
    """Also not one that this machine did not start: nothing is known about its process."""
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    instance = Instance(dead=gone.pid, alive=os.getpid(), elsewhere=None)
    watch.end_lost(instance)

    assert instance.ended == ["dead"]
