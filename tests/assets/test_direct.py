"""The assets of a table without warm on real engines: its day goes from hot to cold, is proven, and leaves hot."""

import datetime as dt

import dagster as dg
import pyarrow.parquet as pq
import pytest

from assets.contract import key_of, spec_of
from assets.direct import archived, cold_check
from assets.retained import proven, retained
from assets.sessions import open_day
from sql.buckets import start_of
from sql.day_rows import days_of_hot
from tests.book import book, changes, tiers
from tests.tape import DAY, cold_rows, hot_rows, put

__all__ = ["book", "tiers"]


@pytest.fixture
def run(book, tiers):
    stores = {"hot": tiers.hot, "warm": tiers.warm, "cold": tiers.cold}
    defs = dg.Definitions(
        assets=[spec_of(book, "hot"), archived(book), proven(book), retained(book)],
        asset_checks=[cold_check(book)],
        jobs=[dg.define_asset_job("all", "*"), dg.define_asset_job("later", dg.AssetSelection.groups("proof"))],
        resources=stores,
        executor=dg.in_process_executor,
    )
    with dg.DagsterInstance.ephemeral() as instance:

        def execute(day: dt.date, job: str = "all") -> dg.ExecuteInProcessResult:
            return defs.resolve_job_def(job).execute_in_process(
                instance=instance, partition_key=str(day), raise_on_error=False
            )

        yield execute


def told(result, key):
    events = (event.event_specific_data.materialization for event in result.get_asset_materialization_events())
    return [{name: value.value for name, value in each.metadata.items()} for each in events if each.asset_key == key]


def test_a_day_goes_into_its_file_is_proven_and_leaves_hot(run, book, tiers):
    put(tiers.hot, book, changes(300))
    rows = hot_rows(tiers.hot, book)
    result = run(DAY)

    assert result.success
    assert {check.check_name for check in result.get_asset_check_evaluations()} == {
        "rows_agree",
        "tiers_agree",
        "kept_as_promised",
    }
    assert all(check.passed for check in result.get_asset_check_evaluations())
    (file,) = [each for each in told(result, key_of(book, "cold")) if "written" in each]
    assert (file["written"], file["dagster/row_count"]) == (True, 300)
    (proof,) = [each for each in told(result, dg.AssetKey(["proof", book.name])) if "proven" in each]
    assert (proof["proven"], proof["rows_hot"], proof["rows_cold"]) == (True, 300, 300)
    (kept,) = told(result, dg.AssetKey(["retention", book.name]))
    assert (kept["hot_dropped"], kept["hot_rows_dropped"]) == (str(DAY), 300)
    assert days_of_hot(tiers.hot, book) == {}
    assert cold_rows(tiers.cold, book, DAY).equals(rows, null_equal=True)


@pytest.mark.usefixtures("one_utc_day")
def test_the_open_day_passes_without_a_file(run, book, tiers):
    put(tiers.hot, book, changes(5, since=start_of(open_day())))
    result = run(open_day())

    assert result.success
    assert tiers.cold.days(book) == []
    assert list(days_of_hot(tiers.hot, book).values()) == [5]


@pytest.mark.usefixtures("one_utc_day")
def test_a_file_that_was_altered_fails_the_check_and_keeps_the_day_in_hot(run, book, tiers):
    put(tiers.hot, book, changes(20, since=start_of(open_day()) - dt.timedelta(days=1)))
    day = open_day() - dt.timedelta(days=1)
    run(day)
    path = tiers.cold.path(book, day)
    pq.write_table(pq.read_table(path, partitioning=None).slice(3), path)
    result = run(day)

    assert not result.success
    assert [check.passed for check in result.get_asset_check_evaluations()] == [False]
    assert list(days_of_hot(tiers.hot, book)) == [day]
