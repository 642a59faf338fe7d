"""The assets of a table on real engines: what a run records, what its checks see, what they block."""

import datetime as dt

import dagster as dg
import pytest

from assets.archived import archived, cold_check
from assets.captured import assets as captured
from assets.contract import key_of, spec_of
from assets.sessions import FIRST_DAY, day_of, has_partition, open_day, trading_day
from assets.synced import pass_over, synced, warm_check
from sql.sync import sync_table
from sql.tables import MOVING, TICKS
from tests.tape import DAY, NOON, SECOND, cold_rows, hot_rows, put, ticks, warm_rows

ONE_DAY = dt.timedelta(days=1)


class Platform:
    """The assets of one table with its stores and an instance that lives as long as the test."""

    def __init__(self, table, stores, instance):
        self.table, self.instance = table, instance
        self.warm_key, self.cold_key = key_of(table, "warm"), key_of(table, "cold")
        self.defs = dg.Definitions(
            assets=[spec_of(table, "hot"), synced(table), archived(table)],
            asset_checks=[warm_check(table), cold_check(table)],
            jobs=[dg.define_asset_job("all", "*"), dg.define_asset_job("later", self.after_warm())],
            resources=stores,
            executor=dg.in_process_executor,
        )

    def after_warm(self):
        """The check of warm and what waits for it, without the pass that would mend warm first."""
        return dg.AssetSelection.checks_for_assets(self.warm_key) | dg.AssetSelection.assets(self.cold_key)

    def run(self, day, *, job="all", selection=None):
        return self.defs.resolve_job_def(job).execute_in_process(
            instance=self.instance, partition_key=str(day), asset_selection=selection, raise_on_error=False
        )

    def run_range(self, first, last, *, job="all"):
        """As a backfill asks for it."""
        tags = {
            "dagster/asset_partition_range_start": str(first),
            "dagster/asset_partition_range_end": str(last),
        }
        return self.defs.resolve_job_def(job).execute_in_process(
            instance=self.instance, tags=tags, raise_on_error=False
        )


@pytest.fixture
def platform(hot, warm, cold, table):
    with dg.DagsterInstance.ephemeral() as instance:
        yield Platform(table, {"hot": hot, "warm": warm, "cold": cold}, instance)


def metadata_of(result, key):
    return {
        event.materialization.partition: {name: value.value for name, value in event.materialization.metadata.items()}
        for event in result.get_asset_materialization_events()
        for event in [event.event_specific_data]
        if event.materialization.asset_key == key
    }


def verdicts(result):
    return {evaluation.asset_key.path[0]: evaluation.passed for evaluation in result.get_asset_check_evaluations()}


def test_one_day_goes_from_hot_to_cold(hot, warm, cold, table, platform):
    put(hot, table, ticks(300))
    result = platform.run(DAY)

    assert result.success
    assert verdicts(result) == {"warm": True, "cold": True}
    assert metadata_of(result, platform.warm_key)[str(DAY)]["dagster/row_count"] == 300
    assert metadata_of(result, platform.cold_key)[str(DAY)]["dagster/row_count"] == 300
    assert warm_rows(warm, table).equals(hot_rows(hot, table), null_equal=True)
    assert cold_rows(cold, table, DAY).equals(hot_rows(hot, table), null_equal=True)


def test_a_day_can_be_run_twice_with_the_same_result(hot, cold, table, platform):
    put(hot, table, ticks(300))
    platform.run(DAY)
    first = cold_rows(cold, table, DAY)
    result = platform.run(DAY)

    assert result.success
    assert metadata_of(result, platform.warm_key)[str(DAY)]["rows_copied"] == 0
    assert cold_rows(cold, table, DAY).equals(first, null_equal=True)


def test_a_run_takes_a_range_of_days_and_tells_of_each(hot, warm, cold, table, platform):
    days = [DAY - 2 * ONE_DAY, DAY - ONE_DAY, DAY]
    for number, day in enumerate(days):
        since = dt.datetime(day.year, day.month, day.day, 12, tzinfo=dt.UTC)
        put(hot, table, ticks(10 * (number + 1), since=since, first_id=1000 * number))
    put(hot, table, ticks(5, since=NOON - 3 * ONE_DAY, first_id=9000))  # beside the range
    result = platform.run_range(days[0], days[-1])
    rows = {str(day): 10 * (number + 1) for number, day in enumerate(days)}

    assert result.success
    for key in (platform.warm_key, platform.cold_key):
        assert {day: told["dagster/row_count"] for day, told in metadata_of(result, key).items()} == rows
    checks = result.get_asset_check_evaluations()
    assert [each.metadata["days"].value for each in checks] == [3, 3]
    assert {each.description for each in checks} == {f"{days[0]} to {days[-1]}: both tiers hold the same rows"}
    assert cold.days(table) == days
    assert len(warm_rows(warm, table)) == 60


def test_a_day_of_a_range_that_was_altered_fails_the_check_and_is_named(hot, warm, cold, table, platform):
    put(hot, table, ticks(10))
    put(hot, table, ticks(10, since=NOON - ONE_DAY, first_id=100))
    sync_table(table, hot, warm)
    with warm.connect() as connection:
        connection.execute(f"UPDATE {table.name} SET quantity = quantity + 1 WHERE trade_id = 105")
    blocked = platform.run_range(DAY - ONE_DAY, DAY, job="later")
    (evaluation,) = blocked.get_asset_check_evaluations()

    assert not blocked.success
    assert str(DAY - ONE_DAY) in evaluation.description
    assert str(DAY) not in evaluation.description
    assert cold.days(table) == []


def test_a_day_without_rows_is_a_success(platform):
    result = platform.run(DAY)

    assert result.success
    assert metadata_of(result, platform.cold_key)[str(DAY)]["dagster/row_count"] == 0


@pytest.mark.usefixtures("one_utc_day")
def test_the_open_day_brings_late_rows_of_other_days_and_reports_them(hot, warm, table, platform):
    today = open_day()
    start = dt.datetime(today.year, today.month, today.day, tzinfo=dt.UTC)
    put(hot, table, ticks(5, since=start))
    put(hot, table, ticks(7, since=start - 3 * ONE_DAY, first_id=100))
    result = platform.run(today, selection=[platform.warm_key])

    assert {day: found["dagster/row_count"] for day, found in metadata_of(result, platform.warm_key).items()} == {
        str(today): 5,
        str(today - 3 * ONE_DAY): 7,
    }
    assert warm_rows(warm, table).equals(hot_rows(hot, table), null_equal=True)


@pytest.mark.usefixtures("one_utc_day")
def test_the_open_day_is_mended_although_nothing_is_new(hot, warm, table):
    today = open_day()
    put(hot, table, ticks(5, since=dt.datetime(today.year, today.month, today.day, tzinfo=dt.UTC)))
    pass_over(table, today, hot, warm, today=today)
    with warm.connect() as connection:
        connection.execute(f"UPDATE {table.name} SET quantity = 77")
    result = pass_over(table, today, hot, warm, today=today)

    assert result.rows_copied == 5
    assert warm_rows(warm, table).equals(hot_rows(hot, table), null_equal=True)


@pytest.mark.usefixtures("one_utc_day")
@pytest.mark.parametrize("today", ["open", "over"])
def test_tampering_with_warm_fails_the_check_and_blocks_what_follows(hot, warm, cold, table, platform, today):
    day = open_day() if today == "open" else DAY
    put(hot, table, ticks(300, since=dt.datetime(day.year, day.month, day.day, tzinfo=dt.UTC)))
    platform.run(day, selection=[platform.warm_key])
    with warm.connect() as connection:
        connection.execute(f"UPDATE {table.name} SET quantity = quantity + 1 WHERE trade_id = 5")
    blocked = platform.run(day, job="later")

    assert verdicts(blocked) == {"warm": False}
    assert not blocked.success
    assert cold.days(table) == []

    mended = platform.run(day)

    assert mended.success
    assert verdicts(mended) == {"warm": True, "cold": True}
    assert cold.days(table) == [day]


def test_a_check_that_is_run_alone_looks_at_every_day(hot, warm, table, platform):
    put(hot, table, ticks(10))
    put(hot, table, ticks(10, since=NOON - ONE_DAY, first_id=100))
    sync_table(table, hot, warm)
    checks = dg.define_asset_job("checks", dg.AssetSelection.checks_for_assets(platform.warm_key))
    defs = dg.Definitions.merge(platform.defs, dg.Definitions(jobs=[checks]))
    alone = defs.resolve_job_def("checks").execute_in_process(instance=platform.instance)
    (evaluation,) = alone.get_asset_check_evaluations()

    assert evaluation.passed
    assert evaluation.metadata["days"].value == 2

    with warm.connect() as connection:
        connection.execute(f"DELETE FROM {table.name} WHERE trade_id = 105")
    tampered = defs.resolve_job_def("checks").execute_in_process(instance=platform.instance, raise_on_error=False)
    (evaluation,) = tampered.get_asset_check_evaluations()

    assert not evaluation.passed
    assert str(DAY - ONE_DAY) in evaluation.description


def test_a_torn_file_fails_the_check_of_cold(hot, warm, cold, table, platform):
    put(hot, table, ticks(50, every=SECOND))
    platform.run(DAY)
    path = cold.path(table, DAY)
    path.write_bytes(path.read_bytes()[:-50])
    checks = dg.define_asset_job("checks", dg.AssetSelection.checks_for_assets(platform.cold_key))
    defs = dg.Definitions.merge(platform.defs, dg.Definitions(jobs=[checks]))
    result = defs.resolve_job_def("checks").execute_in_process(instance=platform.instance, raise_on_error=False)
    (evaluation,) = result.get_asset_check_evaluations()

    assert not evaluation.passed
    assert str(path) in evaluation.description


def test_every_moving_table_has_an_external_hot_asset():
    assert [spec.key.path for spec in captured] == [["hot", table.name] for table in MOVING]


@pytest.mark.parametrize("tier", ["hot", "warm", "cold"])
def test_an_asset_shows_the_columns_of_the_contract_as_the_tier_stores_them(tier):
    spec = spec_of(TICKS, tier)
    columns = {column.name: column for column in spec.metadata["dagster/column_schema"].columns}
    price = {"hot": "DOUBLE", "warm": "double precision", "cold": "double"}

    assert list(columns) == list(TICKS.names)
    assert columns["price"].type == price[tier]
    assert columns["price"].description == "BRL, or points for index futures"
    assert all(column.description for column in columns.values())
    assert columns["buyer"].constraints.nullable
    assert not columns["price"].constraints.nullable
    assert (spec.group_name, spec.owners) == (tier, ["team:data"])
    assert spec.kinds == {{"hot": "questdb", "warm": "postgres", "cold": "parquet"}[tier]}


@pytest.mark.usefixtures("one_utc_day")
def test_partitions_are_all_utc_days_up_to_the_open_one():
    keys = trading_day.get_partition_keys()

    assert (keys[0], keys[-1]) == (str(FIRST_DAY), str(open_day()))
    assert len(keys) == (open_day() - FIRST_DAY).days + 1
    assert day_of(keys[-1]) == open_day()
    assert has_partition(open_day())
    assert not has_partition(open_day() + ONE_DAY)
