"""What a tick asks for, and when ticks come."""

import datetime as dt
import itertools
from zoneinfo import ZoneInfo

import dagster as dg
import pytest

from assets.archived import archived
from assets.contract import key_of, spec_of
from assets.synced import synced
from pipelines import schedules
from sql.sync import sync_table
from tests.tape import DAY, NOON, put, ticks

SAO_PAULO = ZoneInfo("America/Sao_Paulo")
ONE_DAY = dt.timedelta(days=1)
TICK_AT = dt.datetime(2026, 11, 18, 15, 0, tzinfo=dt.UTC)


@pytest.fixture
def instance():
    with dg.instance_for_test() as made:
        yield made


@pytest.fixture
def only_this_table(monkeypatch, table):
    """The engines are shared: other tables have a life of their own."""
    monkeypatch.setattr(schedules, "SYNCED", (table,))
    monkeypatch.setattr(schedules, "DIRECT", ())


def tick(schedule, instance, **stores):
    """What Dagster makes of one tick: its run requests, or the reason why there are none."""
    (table,) = schedules.SYNCED
    context = dg.build_schedule_context(
        instance=instance,
        scheduled_execution_time=TICK_AT,
        resources=stores,
        repository_def=dg.Definitions(
            assets=[spec_of(table, "hot"), synced(table), archived(table)],
            jobs=[schedules.sync, schedules.archive],
            schedules=[schedules.sync_schedule, schedules.archive_schedule],
            resources=dict.fromkeys(("hot", "warm", "cold"), "not used by a tick"),
        ).get_repository_def(),
    )
    with context:
        found = schedule.evaluate_tick(context)
    return found.run_requests or [found.skip_message]


def unfinished_run(instance, job, status):
    job_def = dg.JobDefinition(name=job, graph_def=dg.GraphDefinition(name=job))
    run = instance.create_run_for_job(job_def, status=status)
    return run.run_id


def test_a_sync_tick_asks_for_the_open_day_when_hot_moved(hot, warm, table, instance, only_this_table):
    put(hot, table, ticks(3))
    (request,) = tick(schedules.sync_schedule, instance, hot=hot, warm=warm)

    assert request.partition_key == str(TICK_AT.date())
    assert request.asset_selection == [key_of(table, "warm")]


def test_a_tick_that_is_evaluated_late_asks_for_the_day_of_its_time():
    """Half past nine in the evening in São Paulo is the next day in UTC."""
    at = dt.datetime(2026, 11, 17, 21, 30, tzinfo=SAO_PAULO)

    assert schedules.day_of_tick(dg.build_schedule_context(scheduled_execution_time=at)) == DAY


def test_a_sync_tick_is_skipped_when_warm_has_seen_everything(hot, warm, table, instance, only_this_table):
    put(hot, table, ticks(3))
    sync_table(table, hot, warm)
    (skipped,) = tick(schedules.sync_schedule, instance, hot=hot, warm=warm)

    assert skipped == "warm has seen every transaction of hot"

    put(hot, table, ticks(1, first_id=50))
    (request,) = tick(schedules.sync_schedule, instance, hot=hot, warm=warm)

    assert isinstance(request, dg.RunRequest)


# A queued run cannot be made without a code location; it is looked for in the same way.
@pytest.mark.parametrize("status", [s for s in schedules.UNFINISHED if s != dg.DagsterRunStatus.QUEUED])
def test_a_tick_waits_for_the_run_before_it(hot, warm, cold, table, instance, only_this_table, status):
    put(hot, table, ticks(3))
    for name, schedule, stores in [
        ("sync", schedules.sync_schedule, {"hot": hot, "warm": warm}),
        ("archive", schedules.archive_schedule, {"hot": hot, "warm": warm, "cold": cold}),
    ]:
        run_id = unfinished_run(instance, name, status)
        (skipped,) = tick(schedule, instance, **stores)

        assert run_id in skipped


def test_every_status_that_is_not_an_end_is_waited_for():
    ends = {dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED}

    assert set(schedules.UNFINISHED) == set(dg.DagsterRunStatus) - ends - {dg.DagsterRunStatus.MANAGED}


def test_a_tick_does_not_wait_for_a_finished_run(hot, warm, table, instance, only_this_table):
    put(hot, table, ticks(3))
    unfinished_run(instance, "sync", dg.DagsterRunStatus.SUCCESS)
    unfinished_run(instance, "sync", dg.DagsterRunStatus.FAILURE)
    (request,) = tick(schedules.sync_schedule, instance, hot=hot, warm=warm)

    assert isinstance(request, dg.RunRequest)


def test_a_tick_gives_a_dead_run_up_after_a_while(instance, monkeypatch):
    unfinished_run(instance, "sync", dg.DagsterRunStatus.STARTED)

    assert schedules.unfinished(instance, "sync")

    monkeypatch.setattr(schedules, "GIVEN_UP_AFTER", dt.timedelta(0))

    assert schedules.unfinished(instance, "sync") == ""


def test_an_archive_tick_asks_for_the_newest_stale_days(hot, warm, cold, table, instance, only_this_table):
    for n in range(6):
        put(hot, table, ticks(2, since=NOON - n * ONE_DAY, first_id=10 * n))
    sync_table(table, hot, warm)
    requests = tick(schedules.archive_schedule, instance, hot=hot, warm=warm, cold=cold)

    assert [request.partition_key for request in requests] == [str(DAY - n * ONE_DAY) for n in range(4)]
    assert all(request.asset_selection == [key_of(table, "cold")] for request in requests)
    assert len({request.run_key for request in requests}) == 4


def test_an_archive_tick_is_skipped_when_every_file_is_new(hot, warm, cold, instance, only_this_table):
    (skipped,) = tick(schedules.archive_schedule, instance, hot=hot, warm=warm, cold=cold)

    assert skipped == "every file holds what warm held when it was last written"


def matches(cron, at):
    """Whether a tick of a cron line of ours comes in a minute; only the forms that ours use."""
    minute, hour, _, _, weekday = cron.split()

    def holds(field, value):
        if field.startswith("*"):
            return value % int(field.partition("/")[2] or 1) == 0
        spans = [part.split("-") for part in field.split(",")]
        return any(int(span[0]) <= value <= int(span[-1]) for span in spans)

    return holds(minute, at.minute) and holds(hour, at.hour) and holds(weekday, at.isoweekday() % 7)


@pytest.mark.parametrize(
    ("start", "minutes"),
    [
        (dt.datetime(2026, 11, 18, 9, 0, tzinfo=SAO_PAULO), 2),  # Wednesday, the opening
        (dt.datetime(2026, 11, 18, 18, 20, tzinfo=SAO_PAULO), 2),  # after-market
        (dt.datetime(2026, 11, 18, 20, 0, tzinfo=SAO_PAULO), 5),
        (dt.datetime(2026, 11, 18, 3, 0, tzinfo=SAO_PAULO), 5),
        (dt.datetime(2026, 11, 21, 11, 0, tzinfo=SAO_PAULO), 5),  # Saturday
        (dt.datetime(2026, 11, 22, 11, 0, tzinfo=SAO_PAULO), 5),  # Sunday
    ],
)
def test_sync_ticks_every_two_minutes_in_market_hours_and_every_five_otherwise(start, minutes):
    hour = [start + n * dt.timedelta(minutes=1) for n in range(31)]
    times = [at for at in hour if any(matches(cron, at) for cron in schedules.SYNC_CRONS)]

    assert {b - a for a, b in itertools.pairwise(times)} == {dt.timedelta(minutes=minutes)}
    assert schedules.sync_schedule.execution_timezone == "America/Sao_Paulo"


def test_every_hour_of_a_week_belongs_to_one_line():
    week = [dt.datetime(2026, 11, 16, tzinfo=SAO_PAULO) + n * dt.timedelta(hours=1) for n in range(168)]

    assert all(sum(matches(cron, at) for cron in schedules.SYNC_CRONS) == 1 for at in week)


@pytest.mark.parametrize("schedule", [schedules.sync_schedule, schedules.archive_schedule])
def test_schedules_run_from_the_first_start(schedule):
    assert schedule.default_status == dg.DefaultScheduleStatus.RUNNING
