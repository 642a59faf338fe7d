"""The end of the night: a day that is proven lets retention run, one that is not stops it."""

import datetime as dt

import dagster as dg
import pytest

from assets.archived import archived, cold_check
from assets.contract import key_of, spec_of
from assets.retained import proof_key, proven, retained
from assets.synced import synced, warm_check
from tests.tape import DAY, NOON, put, ticks

ONE_DAY = dt.timedelta(days=1)


@pytest.fixture
def night(hot, warm, cold, table, monkeypatch):
    """Runs the whole chain, or some of its assets, for the day; in a night in which no day is old."""
    monkeypatch.setattr("assets.retained.open_day", lambda: DAY + ONE_DAY)
    defs = dg.Definitions(
        assets=[spec_of(table, "hot"), synced(table), archived(table), proven(table), retained(table)],
        asset_checks=[warm_check(table), cold_check(table)],
        jobs=[dg.define_asset_job("all", "*")],
        resources={"hot": hot, "warm": warm, "cold": cold},
        executor=dg.in_process_executor,
    )

    with dg.DagsterInstance.ephemeral() as instance:

        def run(*keys, since=DAY):
            bounds = {"start": since, "end": DAY}
            return defs.resolve_job_def("all").execute_in_process(
                instance=instance,
                tags={f"dagster/asset_partition_range_{end}": str(day) for end, day in bounds.items()},
                asset_selection=list(keys) or None,
                raise_on_error=False,
            )

        yield run


def shown(result, tier):
    (found,) = [
        event.event_specific_data.materialization.metadata
        for event in result.get_asset_materialization_events()
        if event.asset_key.path[0] == tier
    ]
    return {name: value.value for name, value in found.items()}


def test_a_night_syncs_archives_proves_and_retains(hot, table, night):
    put(hot, table, ticks(40))
    result = night()

    assert result.success
    assert shown(result, "proof")["rows_hot"] == shown(result, "proof")["rows_cold"] == 40
    assert shown(result, "retention")["hot_days_dropped"] == 0
    assert night().success


def test_an_old_day_leaves_hot_and_what_nothing_proves_stays_with_a_warning(hot, cold, table, night, monkeypatch):
    monkeypatch.setattr("assets.retained.open_day", lambda: DAY + (table.hot_days + 1) * ONE_DAY)
    put(hot, table, ticks(30, since=NOON - ONE_DAY))
    put(hot, table, ticks(40, first_id=500))
    first = night(since=DAY - ONE_DAY)
    put(hot, table, ticks(5, first_id=900))
    second = night(dg.AssetKey(["retention", table.name]))
    checks = [evaluation for run in (first, second) for evaluation in run.get_asset_check_evaluations()]
    kept = [(check.passed, check.description) for check in checks if check.check_name == "kept_as_promised"]

    (dropped,) = {
        event.event_specific_data.materialization.metadata["hot_dropped"].value
        for event in first.get_asset_materialization_events()
        if event.asset_key.path[0] == "retention"
    }
    assert dropped == f"{DAY - ONE_DAY}, {DAY}"
    assert second.success
    assert [passed for passed, _ in kept] == [True, False]
    assert f"1 days stay in hot, the first of them {DAY}: hot holds other rows than warm" in kept[1][1]


def test_a_day_that_differs_fails_its_check_and_stops_retention(hot, warm, table, night):
    put(hot, table, ticks(40))
    night(key_of(table, "warm"), key_of(table, "cold"))
    put(hot, table, ticks(1, since=NOON, first_id=700))
    result = night(proof_key(table), dg.AssetKey(["retention", table.name]))
    (check,) = result.get_asset_check_evaluations()

    assert not result.success
    assert (check.check_name, check.passed) == ("tiers_agree", False)
    assert {event.asset_key.path[0] for event in result.get_asset_materialization_events()} == {"proof"}


def test_a_day_without_rows_is_no_failure(night):
    assert night().success


def test_a_range_is_proven_day_by_day(hot, table, night):
    put(hot, table, ticks(40))
    put(hot, table, ticks(30, since=NOON - ONE_DAY, first_id=500))
    result = night(since=DAY - ONE_DAY)
    proofs = {
        event.event_specific_data.materialization.partition: event.event_specific_data.materialization.metadata
        for event in result.get_asset_materialization_events()
        if event.asset_key.path[0] == "proof"
    }

    assert result.success
    assert {day: told["rows_cold"].value for day, told in proofs.items()} == {str(DAY - ONE_DAY): 30, str(DAY): 40}
    assert all(told["proven"].value for told in proofs.values())
