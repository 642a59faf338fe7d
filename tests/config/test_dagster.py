"""The instance files: Dagster accepts them, and those for larger sites name launchers that exist."""

import importlib
from pathlib import Path

import dagster as dg
import pytest
import yaml

from config.settings import ROOT

FOLDER = ROOT / "config"
LAUNCHERS = sorted(path.name for path in FOLDER.glob("dagster.*.yaml"))


def loaded(path: Path):
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def problems(launcher) -> list[str]:
    """What the launcher's own schema says of its configuration."""
    kind = getattr(importlib.import_module(launcher["module"]), launcher["class"])

    @dg.op(config_schema=kind.config_type())
    def configured() -> None: ...

    @dg.job
    def only() -> None:
        configured()

    try:
        dg.validate_run_config(only, {"ops": {"configured": {"config": launcher.get("config", {})}}})
    except dg.DagsterInvalidConfigError as error:
        return [each.message for each in error.errors]
    return []


@pytest.fixture
def named_variables(monkeypatch):
    for name in ("DAGSTER_JOB_IMAGE", "DAGSTER_CELERY_BROKER", "DAGSTER_CELERY_BACKEND"):
        monkeypatch.setenv(name, "memory://")


def test_both_launchers_are_there():
    assert LAUNCHERS == ["dagster.celery.yaml", "dagster.kubernetes.yaml"]


@pytest.mark.parametrize("name", LAUNCHERS)
def test_a_launcher_takes_its_configuration(name, named_variables):
    document = loaded(FOLDER / name)

    assert set(document) == {"run_launcher"}
    assert problems(document["run_launcher"]) == []


def test_a_wrong_name_is_found(named_variables):
    launcher = loaded(FOLDER / "dagster.kubernetes.yaml")["run_launcher"]
    launcher["config"]["job_images"] = launcher["config"].pop("job_image")

    assert any("job_images" in each for each in problems(launcher))


def test_an_instance_with_celery_can_be_loaded(tmp_path, named_variables):
    document = loaded(FOLDER / "dagster.yaml") | loaded(FOLDER / "dagster.celery.yaml")
    del document["storage"]
    (tmp_path / "dagster.yaml").write_text(yaml.safe_dump(document), encoding="utf-8")
    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        assert type(instance.run_launcher).__name__ == "CeleryRunLauncher"


def test_a_backfill_leaves_room_for_the_passes_over_the_open_day():
    from pipelines import schedules

    runs = loaded(FOLDER / "dagster.yaml")["concurrency"]["runs"]
    limits = {each["key"]: each["limit"] for each in runs["tag_concurrency_limits"]}

    assert limits["dagster/backfill"] < runs["max_concurrent_runs"]
    assert all(int(job.tags["dagster/priority"]) > 0 for job in (schedules.sync, schedules.archive))
