"""Loading the definitions: what they hold, and that it touches no engine and no data."""

import ast
import itertools
import json
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest
import yaml

from assets.instance import KEY as DAGSTER_STORAGE
from assets.market import KEY as SETTLEMENTS
from assets.tape import KEY as TAPE_SESSIONS
from config.settings import ROOT
from pipelines import definitions
from sql.tables import DIRECT, MOVING, SYNCED, TICKS

SOURCES = sorted([*(ROOT / "assets").rglob("*.py"), *(ROOT / "pipelines").rglob("*.py")])

WITHOUT_CONNECTIONS = """
import socket

class Blocked(socket.socket):
    def connect(self, address):
        raise AssertionError(f"connected to {address}")
    connect_ex = connect

socket.socket = Blocked
socket.create_connection = Blocked.connect
import psycopg
psycopg.connect = Blocked.connect
from pipelines.definitions import defs
names = sorted(job.name for job in defs.get_repository_def().get_all_jobs())
print(names)
"""


def test_loading_opens_no_connection(tmp_path):
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", WITHOUT_CONNECTIONS],
        cwd=ROOT,
        env={"PATH": "", "TRADINGSYSTEM_DATA_DIR": str(tmp_path / "none"), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )

    assert done.stderr == ""
    assert "'archive', 'fetch_files', 'housekeeping', 'import_files', 'nightly', 'settlements', 'sync'" in done.stdout
    assert not (tmp_path / "none").exists()


DRIVERS = "adbc_driver_postgresql", "duckdb", "httpx", "numpy", "polars", "psycopg", "pyarrow"


def test_loading_waits_for_no_library_that_only_a_run_needs():
    program = f"""
import sys, dagster
before = set(sys.modules)
from pipelines.definitions import defs
defs.get_repository_def()
print(sorted({set(DRIVERS)} & (sys.modules.keys() - before)))
"""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=100, check=True
    )

    assert done.stdout == "[]\n"


def test_every_store_is_made_once_and_only_when_it_is_used():
    made = []
    resource = definitions.made_when_used(lambda settings: made.append(settings) or object())
    with dg.build_resources({"first": resource}) as one, dg.build_resources({"second": resource}) as other:
        assert one.first is other.second

    assert made == [definitions.settings]


def test_every_moving_table_has_an_asset_in_each_tier_and_blocking_checks():
    graph = definitions.defs.resolve_asset_graph()
    chain = ["hot", "warm", "cold", "proof", "retention"]
    chains = {table: [tier for tier in chain if tier != "warm" or not table.direct] for table in MOVING}
    wanted = {dg.AssetKey([tier, table.name]) for table, tiers in chains.items() for tier in tiers}
    checks = {(key.asset_key.path[0], key.name) for key in graph.asset_check_keys}

    assert set(graph.get_all_asset_keys()) == wanted | {DAGSTER_STORAGE, SETTLEMENTS, TAPE_SESSIONS}
    agree = {("warm", "rows_agree"), ("cold", "rows_agree"), ("proof", "tiers_agree")}
    assert checks == agree | {("retention", "kept_as_promised"), ("tape", "complete"), ("market", "settled")}
    assert len(graph.asset_check_keys) == 4 * len(SYNCED) + 3 * len(DIRECT) + 2
    blocking = {key.name for key in graph.asset_check_keys if graph.get_check_spec(key).blocking}
    assert blocking == {"rows_agree", "tiers_agree"}
    for table, tiers in chains.items():
        for before, after in itertools.pairwise(tiers):
            assert graph.get(dg.AssetKey([after, table.name])).parent_keys == {dg.AssetKey([before, table.name])}


def test_passes_on_one_table_share_a_pool_and_are_tried_again():
    for made in definitions.defs.assets:
        if isinstance(made, dg.AssetsDefinition):
            others = {DAGSTER_STORAGE: "dagster_storage", TAPE_SESSIONS: "tape_sessions", SETTLEMENTS: "settlements"}
            pools = {others.get(key, f"table_{key.path[-1]}") for key in made.keys}
            assert {made.op.pool} == pools
            assert made.op.retry_policy.jitter is not None


@pytest.mark.parametrize(
    ("tier", "before", "tables"), [("warm", "hot", SYNCED), ("cold", "warm", SYNCED), ("cold", "hot", DIRECT)]
)
def test_columns_come_from_those_of_the_tier_before(tier, before, tables):
    for table in tables:
        spec = definitions.defs.resolve_asset_graph().get(dg.AssetKey([tier, table.name]))
        lineage = spec.metadata["dagster/column_lineage"].deps_by_column

        assert list(lineage) == list(table.names)
        for name in table.names:
            assert lineage[name] == [dg.TableColumnDep(dg.AssetKey([before, table.name]), name)]


def test_the_hot_table_that_speaks_for_the_feed_has_a_freshness_policy():
    graph = definitions.defs.resolve_asset_graph()
    policies = {
        table: graph.get(dg.AssetKey(["hot", table.name])).freshness_policy_or_from_metadata for table in MOVING
    }

    assert [table for table, policy in policies.items() if policy] == [TICKS]


def test_every_schedule_and_sensor_runs_from_the_first_start():
    running = {dg.DefaultScheduleStatus.RUNNING, dg.DefaultSensorStatus.RUNNING}

    assert {each.default_status for each in [*definitions.defs.schedules, *definitions.defs.sensors]} <= running


def test_definitions_hold_what_assets_and_schedules_ask_for():
    dg.Definitions.validate_loadable(definitions.defs)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_only_the_public_part_of_dagster_is_used(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    names = [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    names += [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]

    assert [name for name in names if name.startswith(("dagster.", "dagster_"))] == []


def test_the_workspace_file_puts_the_rooms_on_the_path():
    (entry,) = yaml.safe_load((ROOT / "workspace.yaml").read_text(encoding="utf-8"))["load_from"]

    assert entry["python_module"]["working_directory"] == "."
    assert entry["python_module"]["module_name"] == "pipelines.definitions"


def test_no_section_of_pyproject_replaces_the_workspace_file():
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")

    assert "[tool.dg" not in text
    assert "[tool.dagster" not in text


INSTANCE = """
import json
import dagster as dg
with dg.DagsterInstance.get() as instance:
    print(json.dumps({
        "storage": type(instance.run_storage).__name__,
        "runs": instance.get_runs_count(),
        "telemetry": instance.telemetry_enabled,
        "monitoring": instance.run_monitoring_enabled,
        "passes at a time": instance.global_op_concurrency_default_limit,
    }))
"""


def test_the_instance_of_the_shipped_configuration_works_on_postgres(engines, process_environment, tmp_path):
    (tmp_path / "dagster.yaml").write_bytes((ROOT / "config" / "dagster.yaml").read_bytes())
    url = engines.postgres.dsn("dagster", "dagster").replace("postgresql://", "postgresql+psycopg2://", 1)
    done = subprocess.run(
        [sys.executable, "-c", INSTANCE],
        cwd=ROOT,
        env={**process_environment(engines), "DAGSTER_HOME": str(tmp_path), "DAGSTER_POSTGRES_URL": url},
        capture_output=True,
        text=True,
        timeout=100,
        check=True,
    )
    said = json.loads(done.stdout)

    assert said["storage"] == "PostgresRunStorage"
    assert said["runs"] == 0
    assert (said["telemetry"], said["monitoring"]) == (False, True)
    assert said["passes at a time"] == 1


def test_the_shipped_configuration_names_no_password():
    text = Path(ROOT / "config" / "dagster.yaml").read_text(encoding="utf-8")

    assert "env: DAGSTER_POSTGRES_URL" in text
    assert "://" not in text.replace("postgresql+psycopg2://…", "")
