"""A new platform shows data at once: the first pass of a table is asked for, and only the first."""

import datetime as dt

import dagster as dg
import pytest

from assets.archived import archived
from assets.contract import key_of, spec_of
from assets.sessions import open_day
from assets.synced import synced
from pipelines import schedules, sensors
from sql.archive import archive_day
from sql.sync import sync_table
from tests.tape import put, ticks


@pytest.fixture
def look(hot, warm, cold, table, monkeypatch):
    """Evaluates the sensor for a table of the test's own; its run requests, or the reason why there are none."""
    monkeypatch.setattr(sensors, "SYNCED", (table,))

    def evaluate():
        stores = {"hot": hot, "warm": warm, "cold": cold}
        repository = dg.Definitions(
            assets=[spec_of(table, "hot"), synced(table), archived(table)],
            jobs=[schedules.sync, schedules.archive],
            sensors=[sensors.first_pass],
            resources=dict.fromkeys(stores, "not used by a look"),
        ).get_repository_def()
        with (
            dg.instance_for_test() as instance,
            dg.build_sensor_context(instance=instance, repository_def=repository, resources=stores) as context,
        ):
            found = sensors.first_pass.evaluate_tick(context)
        return [(run.job_name, run.asset_selection) for run in found.run_requests] or found.skip_message

    return evaluate


def test_an_empty_table_is_left_alone(look):
    assert "before" in look()


@pytest.mark.usefixtures("one_utc_day")
def test_rows_ask_for_a_sync_then_for_a_file_then_for_nothing(look, hot, warm, cold, table):
    now = dt.datetime.now(dt.UTC).replace(hour=0, minute=0, second=1)
    put(hot, table, ticks(5, since=now))
    first = look()
    sync_table(table, hot, warm)
    second = look()
    archive_day(table, open_day(), warm, cold)

    assert first == [("sync", [key_of(table, "warm")])]
    assert second == [("archive", [key_of(table, "cold")])]
    assert "before" in look()
