"""Room made in Dagster's storage: old runs go, what the catalog shows stays."""

import datetime as dt

import dagster as dg
import pytest
import yaml

from assets import instance as housekeeping
from assets.instance import Keep, old_runs, storage

days = dg.StaticPartitionsDefinition(["monday", "tuesday"])


@dg.asset(partitions_def=days)
def made(context: dg.AssetExecutionContext) -> dg.MaterializeResult[None]:
    if context.run.tags.get("fails"):
        raise RuntimeError("as asked")
    return dg.MaterializeResult(metadata={"dagster/row_count": 1})


@pytest.fixture
def instance(engines, tmp_path):
    url = engines.postgres.dsn("dagster", "dagster").replace("postgresql://", "postgresql+psycopg2://", 1)
    config = {
        "storage": {"postgres": {"postgres_url": url}},
        "telemetry": {"enabled": False},
    }
    (tmp_path / "dagster.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    with dg.DagsterInstance.from_config(str(tmp_path)) as found:
        yield found


@pytest.fixture
def run(instance):
    """Materializes a partition; the id of the run."""
    ids = []

    def materialize(partition, **tags):
        result = dg.materialize([made], instance=instance, partition_key=partition, tags=tags, raise_on_error=False)
        ids.append(result.run_id)
        return result.run_id

    yield materialize
    for left in ids:
        if instance.has_run(left):
            instance.delete_run(left)


def housekeep(instance, monkeypatch, only, **keep):
    """A pass over the runs of this test: the storage is shared."""
    found = housekeeping.old_runs
    monkeypatch.setattr(housekeeping, "old_runs", lambda *asked: [each for each in found(*asked) if each in only])
    result = dg.materialize([storage], instance=instance, run_config=dg.RunConfig({"dagster__storage": Keep(**keep)}))
    monkeypatch.undo()
    (event,) = result.get_asset_materialization_events()
    instance.delete_run(result.run_id)
    return {name: value.value for name, value in event.materialization.metadata.items()}


def test_superseded_and_failed_runs_go_and_the_newest_of_each_partition_stays(instance, run, monkeypatch, tmp_path):
    first, failed = run("monday"), run("tuesday", fails="1")
    second, other = run("monday"), run("tuesday")
    logs = tmp_path / "storage"
    printed = {each for each in (first, second) if (logs / each).exists()}
    seen = housekeep(instance, monkeypatch, {first, failed, second, other}, days=0)

    assert [instance.has_run(each) for each in (first, failed, second, other)] == [False, False, True, True]
    assert (seen["runs_deleted"], seen["old_runs_kept"]) == (2, 2)
    assert set(instance.get_materialized_partitions(made.key)) == {"monday", "tuesday"}
    assert printed == {first, second}
    assert not (logs / first).exists()
    assert (logs / second).exists()
    assert seen["bytes_before"] > 0
    assert "event_logs" in seen["sizes"]


def test_a_run_that_is_young_stays(instance, run, monkeypatch):
    first = run("monday")
    run("monday")
    housekeep(instance, monkeypatch, {first}, days=1)

    assert instance.has_run(first)


def test_more_runs_than_a_page_are_all_found(instance, run, monkeypatch):
    monkeypatch.setattr(housekeeping, "PAGE", 2)
    ids = [run("monday") for _ in range(5)]
    found = old_runs(instance, dt.timedelta(0), 1_000_000)

    assert [each for each in found if each in ids] == ids
