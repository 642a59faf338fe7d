"""When B3's files come in: what the drop folder and a night ask for, and what the jobs do with it."""

import datetime as dt
import os
import uuid

import dagster as dg
import pytest

from pipelines import imports, schedules
from sql.b3_nightly import Feed
from sql.exchange import SAO_PAULO
from sql.inbox import Inbox
from tests.sql.b3_made import line, text, zipped

EVENING = dt.datetime(2026, 11, 23, 20, 15, tzinfo=SAO_PAULO)  # a Monday; the Friday before was a holiday


@pytest.fixture
def instance():
    with dg.instance_for_test() as made:
        yield made


@pytest.fixture
def inbox(tmp_path):
    (tmp_path / "inbox").mkdir()
    return Inbox(tmp_path / "inbox", tmp_path)


def feed(tmp_path, *symbols):
    return Feed(symbols=symbols, base_url="http://127.0.0.1:9", folder=tmp_path / "inbox")


def laid(inbox, symbol, rows):
    content = text(*(line(symbol, 10 * n) for n in range(1, rows + 1)))
    path = zipped(inbox.folder / f"{symbol}.zip", content, f"14-07-2026_NEGOCIOSAVISTA_{symbol}.txt")
    os.utime(path, (1e9, 1e9))


def repository(**resources):
    return dg.Definitions(
        jobs=[imports.import_files, imports.fetch_files],
        schedules=[imports.fetch_schedule],
        sensors=[imports.drop_folder],
        resources={**dict.fromkeys(("hot", "warm", "inbox", "feed"), "not used"), **resources},
    )


def look(instance, inbox):
    made = repository(inbox=inbox).get_repository_def()
    with dg.build_sensor_context(instance=instance, repository_def=made, resources={"inbox": inbox}) as context:
        return imports.drop_folder.evaluate_tick(context)


def tick(instance, nightly, warm):
    resources = {"feed": nightly, "warm": warm}
    with dg.build_schedule_context(
        instance=instance,
        scheduled_execution_time=EVENING,
        resources=resources,
        repository_def=repository().get_repository_def(),
    ) as context:
        return imports.fetch_schedule.evaluate_tick(context)


def test_a_file_asks_for_one_import_and_an_empty_folder_for_none(instance, inbox):
    assert look(instance, inbox).run_requests == []

    laid(inbox, "TEST3", 1)
    (request,) = look(instance, inbox).run_requests

    assert request.tags["files"] == "TEST3.zip"
    assert request.run_key is None


def test_a_look_waits_for_the_import_before_it(instance, inbox):
    laid(inbox, "TEST3", 1)
    run = instance.create_run_for_job(imports.import_files, status=dg.DagsterRunStatus.STARTED)
    found = look(instance, inbox)

    assert found.run_requests == []
    assert run.run_id in found.skip_message


def test_the_job_imports_files_and_shows_them_on_the_hot_table(instance, inbox, hot, warm):
    symbol = f"T{uuid.uuid4().hex[:7].upper()}"
    laid(inbox, symbol, 12)
    job = repository(inbox=inbox, hot=hot, warm=warm).resolve_job_def("import_files")
    result = job.execute_in_process(instance=instance)
    (event,) = [each for each in result.all_events if each.is_step_materialization]

    assert event.event_specific_data.materialization.metadata["new_rows"].value == 12
    assert (event.asset_key.path, event.partition) == (["hot", "ticks"], "2026-07-14")
    assert hot.rows(f"SELECT count() AS n FROM ticks WHERE symbol = '{symbol}'")[0]["n"] == 12


def test_a_refused_file_fails_the_job_once(instance, inbox, hot, warm):
    (inbox.folder / "bad.zip").write_bytes(b"PK")
    os.utime(inbox.folder / "bad.zip", (1e9, 1e9))
    job = repository(inbox=inbox, hot=hot, warm=warm).resolve_job_def("import_files")
    first = job.execute_in_process(instance=instance, raise_on_error=False)
    second = job.execute_in_process(instance=instance)

    assert not first.success
    assert not [event for event in first.all_events if event.is_step_up_for_retry]
    assert second.success


def test_a_night_asks_for_the_last_sessions_that_are_missing(instance, tmp_path, warm):
    symbol = f"T{uuid.uuid4().hex[:7].upper()}"
    days = [request.partition_key for request in tick(instance, feed(tmp_path, symbol), warm).run_requests]

    assert days == ["2026-11-18", "2026-11-19", "2026-11-23"][: len(days)]
    assert "2026-11-20" not in days


def test_a_night_without_symbols_asks_for_nothing(instance, tmp_path, warm):
    assert "TRADINGSYSTEM_B3_SYMBOLS" in tick(instance, feed(tmp_path), warm).skip_message


@pytest.mark.parametrize(
    ("at", "last"),
    [
        (EVENING, "2026-11-23"),
        (EVENING.replace(hour=7), "2026-11-19"),
        (dt.datetime(2026, 11, 20, 20, 15, tzinfo=SAO_PAULO), "2026-11-19"),
    ],
)
def test_a_session_is_published_in_its_evening(at, last):
    assert str(imports.published_sessions(at)[-1]) == last


def test_the_nightly_job_takes_the_day_that_ended():
    at = dt.datetime(2026, 11, 19, 1, 0, tzinfo=dt.UTC)
    request = schedules.nightly_schedule(dg.build_schedule_context(scheduled_execution_time=at))

    assert request.partition_key == "2026-11-18"
    assert request.tags["session"] == "yes"
