"""The B3 service over real QuestDB: every path of port 3302, and what it says when QuestDB is away."""

import datetime as dt

import dagster as dg
import msgspec
import polars as pl
import pytest
from litestar.testing import TestClient

from api.kernel.application import create_app
from api.market import kept
from api.market.service import market_data
from assets import market as market_asset
from sql import daily, market, market_files, stores
from sql.market_tables import MARKET, SNAPSHOTS
from sql.tables import DAILY

FILES = {
    "ajustes.csv": "data;dol_vencimento;dol_preco_numerico;di1_vencimento;di1_preco_numerico\n"
    "19/11/2025;nov-25;5.412,50;F26;14,90\n20/11/2025;dez-25;5.420,00;F26;14,91\n",
    "vol.csv": "data,mes,delta_10,delta_5\n2025-11-19,nov-25,12.5,13.5\n2025-11-20,dez-25,11,\n",
    "dxy.csv": "data,hora,dxy_8h50,dxy_9h30\n2025-11-19,08:50,0.12,-0.3\n2025-11-20,08:50,0.2,\n",
    "indicadores.csv": "data;CDI;Selic\n19/11/2025;14,90;15\n20/11/2025;14,91;\n",
    "last.json": '[{"data_coleta": "2025-11-19", "hora_coleta": "18:30", "dol": {"vencimento": '
    '"dez-25", "preco_numerico": 5412.5}, "indicadores_financeiros": {"CDI": {"valor": "14,90%"}}, "VIX": '
    '{"call_wall": 20, "put_wall": "N/A", "gamma_flip": 18}}]',
}


@pytest.fixture(scope="module")
def hot(engines):
    hot = stores.hot(engines)
    for _ in range(2):  # again changes nothing
        for name, text in FILES.items():
            for table, frame in market_files.read(name, text.encode()).frames():
                market.store(hot, table, frame)
    for table in MARKET:
        hot.wait_applied(table)
    yield hot
    for table in MARKET:
        hot.execute(f"TRUNCATE TABLE {table.name}")
    hot.close()


@pytest.fixture(scope="module")
def caller(hot, engines):
    quick = msgspec.structs.replace(engines.access, rate_limit_max=100_000)
    settings = msgspec.structs.replace(engines, access=quick)
    app = create_app(settings, market_data(settings, hot))
    with TestClient(app, base_url="http://127.0.0.1:3302", raise_server_exceptions=False) as client:
        yield client


def data(caller, path, **params):
    answer = caller.get(path, params=params)
    assert answer.status_code == 200, answer.text
    assert set(answer.json()) == {"data"}
    return answer.json()["data"]


def test_get_overview_has_the_newest_of_everything(caller):
    told = data(caller, "/overview", _t=1)

    assert told == {
        "snapshots": data(caller, "/snapshots"),
        "indicators": data(caller, "/indicators"),
        "gammaLevels": data(caller, "/gamma-levels"),
        "dxy": data(caller, "/dxy"),
    }
    assert told["snapshots"] == [
        {
            "timestamp": "2025-11-19T21:30:00Z",
            "instrument": "DOL",
            "contractMonth": "Z25",
            "priceSettlement": 5412.5,
            "priceSettlementPrev": None,
            "status": "sucesso",
            "source": "B3",
        }
    ]
    assert [(row["name"], row["value"], row["displayValue"]) for row in told["indicators"]] == [("CDI", 14.9, "14,90%")]
    assert [(row["instrument"], row["callWall"], row["putWall"]) for row in told["gammaLevels"]] == [
        ("VIX", 20.0, None)
    ]
    assert [(row["bucket"], row["value"]) for row in told["dxy"]] == [("dxy_8h50", 0.2), ("dxy_9h30", -0.3)]


def test_get_adjustments_are_filtered_newest_first(caller):
    everything = [
        (row["timestamp"][:10], row["instrument"], row["contractMonth"]) for row in data(caller, "/adjustments")
    ]
    assert everything == [
        ("2025-11-20", "DI1", "F26"),
        ("2025-11-20", "DOL", "Z25"),
        ("2025-11-19", "DI1", "F26"),
        ("2025-11-19", "DOL", "X25"),
    ]

    def asked(**params):
        return [(row["timestamp"][8:10], row["instrument"]) for row in data(caller, "/adjustments", **params)]

    assert asked(instrument="dol") == [("20", "DOL"), ("19", "DOL")]
    assert asked(instrument="ALL", limit=1) == [("20", "DI1")]
    assert asked(contract="x25") == [("19", "DOL")]
    assert asked(instrument="Di1", **{"from": "2025-11-20T03:00:00.000Z"}) == [("20", "DI1")]
    assert asked(to="2025-11-19T03:00:00Z", instrument="DDI") == []


def test_get_vol_surface_and_daily_indicators(caller):
    surface = [(row["contractMonth"], row["deltaBucket"], row["volatility"]) for row in data(caller, "/vol-surface")]
    daily = [(row["timestamp"][:10], row["indicator"], row["value"]) for row in data(caller, "/indicators/daily")]

    assert surface == [("Z25", "delta_10", 11.0), ("X25", "delta_5", 13.5), ("X25", "delta_10", 12.5)]
    assert data(caller, "/vol-surface", contract="X25", limit=1)[0]["deltaBucket"] in ("delta_5", "delta_10")
    assert daily == [("2025-11-20", "cdi", 14.91), ("2025-11-19", "cdi", 14.9), ("2025-11-19", "selic", 15.0)]


@pytest.mark.parametrize(
    ("path", "params"),
    [
        *(("/adjustments", {"limit": limit}) for limit in ("0", "1001", "x", "-1")),
        ("/adjustments", {"instrument": "WIN"}),
        ("/adjustments", {"contract": "nov"}),
        ("/adjustments", {"from": "2025-11-19"}),
        ("/adjustments", {"from": "2025-13-19T00:00:00Z"}),
        ("/adjustments", {"to": "2025-11-19T00:00:00"}),
        ("/vol-surface", {"contract": "25X"}),
        ("/indicators/daily", {"limit": "1.5"}),
    ],
)
def test_a_wrong_filter_is_400_with_the_correlation_id(caller, path, params):
    answer = caller.get(path, params=params, headers={"x-correlation-id": "abc-7"})

    assert answer.status_code == 400
    assert answer.json()["error"].startswith(next(iter(params)))
    assert answer.json()["correlationId"] == answer.headers["x-correlation-id"] == "abc-7"


def test_health_counts_tables_when_asked_and_not_at_once_again(caller, monkeypatch):
    monkeypatch.setattr(kept, "KEPT_SECONDS", 600.0)  # "at once", however long this takes
    asked, counts = [], market.counts
    monkeypatch.setattr(market, "counts", lambda hot: (asked.append(1), counts(hot))[1])
    plain, detailed = caller.get("/health").json(), caller.get("/health", params={"detailed": "true"}).json()
    again = caller.get("/health", params={"detailed": "true"}).json()

    assert plain == {"status": "ok", "service": "b3-market-data", "questdb": True}
    assert detailed["status"] == "ok"
    assert (again, len(asked)) == (detailed, 1)
    assert set(detailed["tables"]) == {table.name for table in MARKET}
    assert detailed["tables"]["b3_adjustments"] == {"ok": True, "count": 4, "lastTs": "2025-11-20T03:00:00Z"}
    assert caller.get("/").json()["status"] == "ok"


def test_questdb_away_is_503_and_never_sample_rows(engines):
    away = msgspec.structs.replace(
        engines, questdb=msgspec.structs.replace(engines.questdb, http_port=9, pg_port=9), ports=engines.ports
    )
    app = create_app(away, market_data(away, stores.hot(away, reader=True)))
    with TestClient(app, base_url="http://127.0.0.1:3302", raise_server_exceptions=False) as client:
        answer = client.get("/overview")
        health = client.get("/health", params={"detailed": "true"})

    assert answer.status_code == 503
    assert answer.headers["retry-after"]
    assert "data" not in answer.json()
    assert (health.status_code, health.json()["questdb"], health.json()["status"]) == (200, False, "degraded")


def test_what_is_asked_again_within_two_seconds_is_not_asked_of_questdb(caller, hot, monkeypatch):
    assert kept.KEPT_SECONDS == 2.0
    monkeypatch.setattr(kept, "KEPT_SECONDS", 600.0)  # the five may take longer than two
    asked = []
    rows = type(hot).rows
    monkeypatch.setattr(
        type(hot), "rows", lambda self, *args, **more: (asked.append(args), rows(self, *args, **more))[1]
    )
    for _ in range(5):
        data(caller, "/adjustments", limit=7)

    assert len(asked) == 1


def test_settlements_come_out_of_our_own_daily_sums(hot):
    noon = dt.datetime(2026, 11, 20, 15, tzinfo=dt.UTC)
    sums = [
        # symbol, session, settlement, open interest
        ("DOLZ26", 19, 5400.0, 900), ("DOLZ26", 20, 5412.5, 950), ("DOLF27", 20, 5450.0, 10), ("DI1F29", 20, 14.2, 5),
        ("DOLWIN", 20, 1.0, 9999), ("PETR4", 20, 30.0, 9999),
    ]  # fmt: skip
    told = {"volume": 1.0, "quantity": 1, "trades": 1, "received_at": noon, "source": "test"}
    rows = [
        dict.fromkeys(DAILY.names)
        | told
        | {"ts": noon.replace(day=day), "symbol": symbol, "session": dt.date(2026, 11, day)}
        | {"adjustment": settled, "open_contracts": interest}
        for symbol, day, settled, interest in sums
    ]
    daily.store(hot, pl.DataFrame(rows, schema=DAILY.polars))
    hot.wait_applied(DAILY)
    try:
        first = market.settle(hot, noon + dt.timedelta(hours=1))
        hot.wait_applied(SNAPSHOTS)
        run = dg.materialize([market_asset.settle], resources={"hot": hot}, instance=dg.DagsterInstance.ephemeral())
        daily.store(hot, pl.DataFrame([rows[1] | {"adjustment": 5413.0, "trades": 2}], schema=DAILY.polars))
        hot.wait_applied(DAILY)
        third = market.settle(hot, noon + dt.timedelta(hours=3))
    finally:
        hot.execute("TRUNCATE TABLE daily")

    told = ("instrument", "contract_month", "price_settlement", "price_settlement_prev")
    assert {tuple(row[name] for name in told) for row in first.rows} == {
        ("DI1", "F29", 14.2, None),
        ("DOL", "Z26", 5412.5, 5400.0),
    }
    (shown,) = run.asset_materializations_for_node("settle")
    assert (first.stored, shown.metadata["new_rows"].value, third.stored) == (2, 0, 1)  # what was said is no news
    assert [check.passed for check in run.get_asset_check_evaluations()] == [True]
