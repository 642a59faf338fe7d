"""The gateway as its users meet it: `python -m api` over real HTTP, on real engines."""

import datetime as dt
import io
import threading

import httpx
import polars as pl
import pyarrow as pa
import pytest

from sql.tables import TICKS
from tests.api import patient
from tests.api.conftest import DAY, a_day, running_api

D1, D2 = DAY.isoformat(), (DAY + dt.timedelta(days=1)).isoformat()
D3, D4 = (DAY + dt.timedelta(days=2)).isoformat(), (DAY + dt.timedelta(days=3)).isoformat()
KEY = ["ts", "symbol", "session", "trade_id"]


@pytest.fixture(scope="module")
def http(url):
    with httpx.Client(base_url=url, timeout=30) as client:
        yield client


@pytest.mark.parametrize(("since", "until", "day"), [(D1, D2, 0), (D3, D4, 2)])
@pytest.mark.parametrize("symbol", ["", "symbol=PETR4&"])
def test_polars_reads_a_day_from_the_address(url, since, until, day, symbol):
    frame = pl.read_parquet(f"{url}/api/v1/ticks?{symbol}from={since}&to={until}")

    expected = a_day(DAY + dt.timedelta(days=day)).sort(KEY)
    assert frame.equals(expected.filter(pl.col("symbol") == "PETR4") if symbol else expected)


def test_polars_scans_a_day_and_pyarrow_reads_it_when_asked_by_name(url):
    address = f"{url}/api/v1/ticks?from={D1}&to={D2}"

    assert pl.scan_parquet(address).select(pl.len()).collect().item() == 3000
    assert pl.read_parquet(address + "&format=parquet", use_pyarrow=True).height == 3000


def test_a_day_that_is_archived_and_untouched_is_the_cold_file_itself(http, tape):
    from sql.archive import archive_table
    from sql.sync import sync_table

    sync_table(TICKS, tape.hot, tape.warm)
    archive_table(TICKS, tape.warm, tape.cold)
    headers = {"accept": "application/vnd.apache.parquet"}
    threading.Event().wait(2.5)  # what the tiers hold is looked up every two seconds
    answer = http.get("/api/v1/ticks", params={"from": D2, "to": D3}, headers=headers)

    assert answer.headers["x-tier"] == "cold"
    assert answer.content == tape.cold.path(TICKS, DAY + dt.timedelta(days=1)).read_bytes()


def test_head_tells_size_and_tag_of_the_file(http):
    answer = http.head("/api/v1/ticks", params={"from": D1, "to": D2, "format": "parquet"})

    assert answer.status_code == 200
    assert int(answer.headers["content-length"]) > 10_000
    assert answer.headers["accept-ranges"] == "bytes"
    assert answer.headers["etag"]


def test_arrow_is_streamed_and_equals_parquet(http):
    params = {"from": D1, "to": D2}
    answer = http.get("/api/v1/ticks", params=params, headers={"accept": "application/vnd.apache.arrow.stream"})
    table = pa.ipc.open_stream(answer.content).read_all()

    assert answer.headers["content-type"] == "application/vnd.apache.arrow.stream"
    assert table.schema.equals(TICKS.arrow)
    assert pl.from_arrow(table).equals(a_day(DAY).sort(KEY))


def test_json_comes_in_pages_until_there_is_no_cursor(http):
    params = {"from": D1, "to": D2, "symbol": "WINZ26", "limit": 300, "_t": "123"}
    ids, cursor = [], None
    while True:
        answer = http.get("/api/v1/ticks", params=params | ({"cursor": cursor} if cursor else {}))
        body = answer.json()
        ids += [row["trade_id"] for row in body["data"]]
        assert body["success"]
        assert answer.headers.get("x-next-cursor") == body["nextCursor"]
        cursor = body["nextCursor"]
        if cursor is None:
            break

    assert ids == a_day(DAY).filter(pl.col("symbol") == "WINZ26").sort(KEY)["trade_id"].to_list()


def test_a_page_is_arrow_or_parquet_too(http):
    params = {"from": D1, "to": D2, "limit": 5}
    parquet = http.get("/api/v1/ticks", params=params | {"format": "parquet"})
    arrow = http.get("/api/v1/ticks", params=params | {"format": "arrow"})

    assert pl.read_parquet(io.BytesIO(parquet.content)).height == 5
    assert pa.ipc.open_stream(arrow.content).read_all().num_rows == 5
    assert parquet.headers["x-next-cursor"] == arrow.headers["x-next-cursor"]


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/api/v1/ticks?limit=0", "limit"),
        ("/api/v1/ticks?limit=10001", "limit"),
        ("/api/v1/ticks?limit=many", "limit"),
        ("/api/v1/ticks?cursor=abc", "cursor"),
        ("/api/v1/ticks?from=2026-02-30", "from"),
        ("/api/v1/ticks?symbol=a%27b", "symbol"),
        ("/api/v1/ticks?format=csv", "format"),
        ("/api/v1/ticks?from=2020-01-01&to=2026-01-01&format=parquet", "to"),
        ("/api/v1/candles", "symbol"),
        ("/api/v1/candles?symbol=WINZ26&interval=7m", "interval"),
        ("/api/v1/candles?symbol=WINZ26&interval=1s&from=2020-01-01", "interval"),
    ],
)
def test_a_value_that_cannot_be_used_is_400_and_named(http, path, field):
    answer = http.get(path)

    assert answer.status_code == 400, answer.text
    assert field in [error["field"] for error in answer.json()["errors"]]


def test_candles_come_in_three_forms(http):
    params = {"symbol": "WINZ26", "interval": "1m", "from": D1, "to": D2}
    rows = http.get("/api/v1/candles", params=params).json()["data"]
    arrow = pa.ipc.open_stream(http.get("/api/v1/candles", params=params | {"format": "arrow"}).content).read_all()

    assert len(rows) == 10
    assert set(rows[0]) == {"ts", "open", "high", "low", "close", "volume", "trades"}
    assert arrow["volume"].to_pylist() == [row["volume"] for row in rows]
    assert pl.read_parquet(f"{http.base_url}/api/v1/candles?symbol=WINZ26&from={D1}&to={D2}").height == 10


def test_the_catalog_tells_contracts_tiers_and_symbols(http):
    data = http.get("/api/v1/catalog").json()["data"]
    tiers = {tier["tier"]: tier for tier in data["tiers"]}

    assert [column["name"] for column in data["tables"][0]["columns"]] == list(TICKS.names)
    assert tiers["hot"]["rows"] >= 9000
    assert tiers["warm"]["rows"] >= 6000
    assert tiers["cold"]["days"] >= 2
    assert tiers["cold"]["first_ts"].startswith(tiers["cold"]["first_day"])
    assert {symbol["symbol"] for symbol in data["symbols"]} >= {"WINZ26", "WDOZ26", "PETR4"}


def test_the_live_figures_are_there(http):
    first = http.get("/api/v1/live").json()["data"]

    assert first["rows"] >= 9000
    assert len(first["trades"]) == 15
    assert {tier["tier"] for tier in first["tiers"]} == {"hot", "warm", "cold"}
    states = {engine["id"]: engine["state"] for engine in first["engines"]}
    assert states | {"questdb": "up", "postgres": "up", "api-gateway": "up", "order-manager": "down"} == states


def test_health_tells_of_the_stores_and_of_every_service(http):
    answer = http.get("/health")
    body = answer.json()

    assert answer.status_code == 200
    assert (body["status"], body["ok"]) == ("degraded", True)  # the realtime process does not run here
    assert {name: check["status"] for name, check in body["checks"].items()} == {"hot": "ok", "warm": "ok"}
    assert body["services"]["api-gateway"]["status"] == body["services"]["workspace-api"]["status"] == "ok"
    assert body["services"]["order-manager"]["status"] == "down"


def test_the_catalog_of_services_says_where_each_is_and_how_it_feels(http):
    entries = {entry["id"]: entry for entry in http.get("/api/v1/services").json()["data"]}
    workspace = entries["workspace-api"]

    assert workspace["prefix"] == "/api/workspace"
    assert workspace["state"] == "up"
    assert patient.get(workspace["health"]).json()["service"] == "workspace-api"
    assert patient.get(workspace["docs"]).status_code == 200
    assert entries["order-manager"]["state"] == "down"


def test_prometheus_is_told_where_metrics_are(http):
    targets = {entry["labels"]["service"]: entry["targets"] for entry in http.get("/api/v1/services/targets").json()}

    assert {"api-gateway", "workspace-api", "order-manager", "data-capture"} <= set(targets)
    assert "dagster" not in targets
    assert "tradingsystem_http_requests_total" in patient.get(f"http://{targets['workspace-api'][0]}/metrics").text


def test_the_page_and_the_documentation_are_local(http):
    for path in ("/", "/docs"):
        page = http.get(path)
        assert page.status_code == 200
        assert "http://" not in page.text.replace("http://www.w3.org", "")
        assert "https://" not in page.text
    for path in ("/live/live.js", "/live/live.css", "/live/icon.svg", "/docs/swagger-ui-bundle.js"):
        assert http.get(path).status_code == 200, path


@pytest.mark.parametrize("path", ["/live/../gateway.py", "/live/%2e%2e/gateway.py", "/live/..%2fgateway.py"])
def test_no_file_outside_the_page_is_served(http, path):
    assert http.get(path).status_code == 404


@pytest.mark.timeout(300)  # a process is started
def test_a_store_that_is_away_is_503_and_the_catalog_says_so(settings_in, tmp_path, process_environment_of):
    settings = settings_in(tmp_path)
    with running_api(settings, process_environment_of(settings)) as address, httpx.Client(base_url=address) as client:
        ticks = client.get("/api/v1/ticks", params={"from": D1, "to": D2}, timeout=30)
        catalog = client.get("/api/v1/catalog", timeout=30).json()["data"]
        live = client.get("/api/v1/live", timeout=30).json()["data"]
        health = client.get("/health", timeout=30)

    assert ticks.status_code == 503
    assert ticks.headers["retry-after"]
    assert health.status_code == 503
    assert [(tier["tier"], tier["state"], tier["rows"]) for tier in catalog["tiers"][:2]] == [
        ("hot", "away", None),
        ("warm", "away", None),
    ]
    assert catalog["symbols"] is None
    assert (live["rows"], live["trades"], live["ticks_per_second"]) == (None, None, None)
