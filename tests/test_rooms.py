"""The room table of the architecture: who may import whom, and which third-party names stay in which room."""

import ast
import importlib.metadata
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ("config", "sql", "assets", "pipelines", "realtime", "api", "launcher")
MAY_IMPORT = {
    "config": set(),
    "sql": set(),
    "assets": {"sql"},
    "realtime": {"sql", "config"},
    "api": {"sql", "config"},
    "pipelines": {"assets", "sql", "config"},
    "launcher": {"config", "sql"},
}
HTTP_OF_REALTIME = (
    "realtime/server.py",
    "realtime/orders/api.py",
    "realtime/orders/stream.py",
    "realtime/orders/risk_api.py",
    "realtime/relay/server.py",
)
ONLY_IN = {  # third-party package -> where it may be imported
    "dagster": ("assets/", "pipelines/"),
    "litestar": ("api/", *HTTP_OF_REALTIME, "launcher/server.py"),
    "clr": ("realtime/profitdll/",),
    "questdb": ("sql/hot.py",),
    "duckdb": ("sql/cold.py",),
    "psycopg": ("sql/", "launcher/engines/"),
    "adbc_driver_postgresql": ("sql/warm.py",),
}


def modules() -> Iterator[Path]:
    for room in ROOMS:
        yield from sorted((ROOT / room).rglob("*.py"))


def imports(path: Path) -> Iterator[tuple[str, bool]]:
    """(dotted module, whether it is imported inside a function) for every import of a file."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    inside = {
        id(node)
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for node in ast.walk(function)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, id(node) in inside
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module, id(node) in inside


def allowed(path: Path, target: str, *, inside: bool) -> bool:
    room, name = path.relative_to(ROOT).parts[0], target.split(".", maxsplit=1)[0]
    where = path.relative_to(ROOT).as_posix()
    if name == room or name in MAY_IMPORT[room]:
        return True
    if target.startswith("api.kernel") and (where in HTTP_OF_REALTIME or room == "launcher"):
        return True
    return room == "launcher" and inside  # an entry function, inside the command that needs it


@pytest.mark.parametrize("path", list(modules()), ids=lambda p: p.relative_to(ROOT).as_posix())
def test_a_room_imports_only_what_the_table_allows(path):
    broken = [
        target
        for target, inside in imports(path)
        if target.split(".")[0] in ROOMS and not allowed(path, target, inside=inside)
    ]

    assert broken == []


@pytest.mark.parametrize("path", list(modules()), ids=lambda p: p.relative_to(ROOT).as_posix())
def test_a_foreign_package_stays_in_its_room(path):
    where = path.relative_to(ROOT).as_posix()
    broken = [
        target
        for target, _ in imports(path)
        if (homes := ONLY_IN.get(target.split(".")[0])) and not where.startswith(homes)
    ]

    assert broken == []


def test_no_room_shadows_a_library_and_none_shadows_a_room():
    foreign = {name for name in importlib.metadata.packages_distributions() if name not in ("tests",)}

    assert foreign.isdisjoint(ROOMS)
    assert set(sys.stdlib_module_names).isdisjoint(ROOMS)


def test_there_is_no_room_for_things_without_a_name():
    nameless = {"utils", "util", "common", "helpers", "base", "manager", "lib"}

    assert [path for path in modules() if path.stem in nameless or path.parent.name in nameless] == []


def test_no_module_grew_beyond_one_idea():
    assert {
        p.relative_to(ROOT).as_posix(): n for p in modules() if (n := len(p.read_text("utf-8").splitlines())) > 500
    } == {}


def test_the_readme_maps_every_room():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")

    assert [room for room in (*ROOMS, "tests", "docs") if f"`{room}/`" not in readme] == []


def test_dagster_reads_workspace_yaml_and_nothing_else():
    assert "working_directory: ." in (ROOT / "workspace.yaml").read_text(encoding="utf-8")
    pyproject = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert "[tool.dg" not in pyproject
    assert "[tool.dagster" not in pyproject
