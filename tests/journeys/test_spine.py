"""One command stands the platform up; data flows through every tier; true trades go in; what is killed heals."""

import datetime as dt
import io
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import httpx
import polars as pl
import psutil
import pytest

SUMS = (
    "SELECT count(*) AS n, sum(quantity) AS quantity, sum(trade_id) AS ids, sum(flags) AS flags "
    "FROM ticks WHERE symbol = '{symbol}'"
)
HEADER = (
    "DataReferencia;CodigoInstrumento;AcaoAtualizacao;PrecoNegocio;QuantidadeNegociada;HoraFechamento;"
    "CodigoIdentificadorNegocio;TipoSessaoPregao;DataNegocio;CodigoParticipanteComprador;CodigoParticipanteVendedor"
)


def until(holds: Callable[[], bool], seconds: float, what: str) -> None:
    """Ask again until it holds; every question goes to another process, so there is no event to wait for."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"after {seconds} s still not: {what}"
        time.sleep(0.5)


def urls(platform) -> dict[str, str]:
    status = platform.json("status")
    return {entry["name"]: entry["url"] for entry in status["engines"] + status["services"]}


def b3_file(folder: Path, symbol: str, trades: int) -> Path:
    """A day of `trades` trades in B3's layout, every hundredth of them cancelled later."""
    lines = [HEADER]
    for n in range(1, trades + 1):
        at = dt.datetime(2026, 11, 19, 9) + dt.timedelta(milliseconds=37 * n)
        fields = f"{130000 + n % 50 * 5},000;{n % 9 + 1};{at:%H%M%S}{at.microsecond // 1000:03d};{n * 10}"
        lines.append(f"2026-11-19;{symbol};0;{fields};1;2026-11-19;{n % 90};{n % 70}")
        if n % 100 == 0:
            lines.append(f"2026-11-19;{symbol};2;{fields};1;2026-11-19;{n % 90};{n % 70}")
    path = folder / f"2026-11-19_{symbol}.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"19-11-2026_NEGOCIOSAVISTA_{symbol}.txt", "\n".join(lines) + "\n")
    return path


def test_everything_that_was_asked_for_runs(platform):
    status = platform.json("status")
    states = {entry["name"]: entry["state"] for entry in status["engines"] + status["services"]}

    assert {"questdb", "postgres", "api-gateway", "order-manager", "data-capture", "dagster"} <= set(states)
    assert set(states.values()) == {"ok"}


def test_invented_ticks_flow_through_all_tiers_and_out_of_the_api(platform):
    def rows() -> int:
        return platform.query("hot", "SELECT count() AS n FROM ticks")[0]["n"]

    until(lambda: rows() > 0, 60, "hot has rows")
    before = rows()
    until(lambda: rows() > before, 60, "hot grows")
    platform.run("sync")
    platform.run("archive")

    assert platform.query("warm", "SELECT count(*) AS n FROM ticks")[0]["n"] >= before
    assert platform.query("cold", "SELECT count(*) AS n FROM ticks")[0]["n"] >= before
    with httpx.Client(base_url=urls(platform)["api-gateway"], timeout=30) as client:
        found = client.get("/api/v1/ticks", params={"symbol": "WINX99", "limit": 5}).json()
        assert len(found["data"]) == 5
        assert {"hot", "warm", "cold"} <= set(client.get("/api/v1/catalog").json()["data"]["tables"][0]["tiers"])
        assert client.get("/").headers["content-type"].startswith("text/html")
        assert client.get("/docs").status_code == 200


def test_dagster_knows_the_three_tiers(platform):
    query = "{ assetNodes { assetKey { path } } workspaceOrError { __typename } }"
    answer = httpx.post(f"{urls(platform)['dagster']}/graphql", json={"query": query}, timeout=60).json()
    keys = {tuple(node["assetKey"]["path"]) for node in answer["data"]["assetNodes"]}

    assert {("hot", "ticks"), ("warm", "ticks"), ("cold", "ticks")} <= keys


def test_true_trades_are_equal_in_every_tier_and_a_second_import_changes_nothing(platform):
    path = b3_file(platform.folder, "WINZ26", 2_000)
    platform.run("import", "b3", str(path))
    platform.run("sync")
    platform.run("archive")
    found = [platform.query(tier, SUMS.format(symbol="WINZ26")) for tier in ("hot", "warm", "cold")]

    assert found[0] == found[1] == found[2]
    assert found[0][0]["n"] == 2_000
    assert found[0][0]["flags"] == 20
    report = platform.json("import", "b3", str(path))
    assert platform.query("hot", SUMS.format(symbol="WINZ26")) == found[0]
    assert report["files"][0]["new"] == 0
    assert report["files"][0]["repeated"] > 0


def test_a_day_is_one_url(platform):
    platform.run("import", "b3", str(b3_file(platform.folder, "WDOZ26", 500)))
    base = urls(platform)["api-gateway"]
    query = "symbol=WDOZ26&from=2026-11-19&to=2026-11-20&format=parquet"

    assert pl.read_parquet(f"{base}/api/v1/ticks?{query}").height == 500
    assert pl.read_parquet(io.BytesIO(httpx.get(f"{base}/api/v1/ticks?{query}").content)).height == 500


@pytest.mark.parametrize("name", ["questdb", "postgres", "api-gateway", "order-manager", "data-capture", "dagster"])
def test_what_is_killed_heals(platform, name):
    def entry() -> dict:
        status = platform.json("status", code=None)
        return next(e for e in status["engines"] + status["services"] if e["name"] == name)

    until(lambda: entry()["state"] == "ok", 90, f"{name} is well")
    first = entry()["pid"]
    assert first
    psutil.Process(first).kill()

    until(lambda: entry()["pid"] not in (None, first) and entry()["state"] == "ok", 90, f"{name} is back")
    until(lambda: all(e["state"] == "ok" for e in platform.json("status", code=None)["services"]), 90, "all are well")


def test_down_leaves_no_process(platform):
    family = psutil.Process(platform.process.pid).children(recursive=True)
    platform.run("down")
    platform.process.wait(60)

    assert len(family) >= 5
    assert [process for process in family if process.is_running() and process.status() != psutil.STATUS_ZOMBIE] == []
