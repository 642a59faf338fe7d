"""The journal's rows over HTTP: newest first, page by page, nothing twice and nothing left out."""

import datetime as dt

import pytest

from realtime.orders.chain import BEGINNING, Link, Record, sealed
from realtime.orders.ledger import Ledger
from realtime.orders.limits import RiskLimits
from realtime.orders.risk import Limits
from realtime.orders.shipped import rows_of
from sql import order_rows
from sql.sync import sync_table
from sql.tables import AUDIT_LOGS, ORDER_EVENTS, POSITIONS, PositionState
from tests.api import patient
from tests.tape import NOON, change

JOURNAL = "order-history"


@pytest.fixture(scope="module")
def records(tape):
    """Twelve records, some of one instant."""
    hot = tape.hot
    made, ledger, mac = [], Ledger(RiskLimits(base=Limits())), BEGINNING
    for n in range(1, 13):
        at = NOON + dt.timedelta(seconds=n // 3)
        body = {"at": at.isoformat(), "account": "77:history", "what": f"difference {n}"}
        record = Record(number=n, at=at, kind="difference", body=body)
        _, mac = sealed(record, mac, b"k")
        made.append(rows_of(Link(record, mac), JOURNAL, ledger, at))
    order_rows.store(hot, ORDER_EVENTS, [rows.event for rows in made])
    order_rows.store(hot, AUDIT_LOGS, [rows.audit for rows in made])
    for table in (ORDER_EVENTS, AUDIT_LOGS):
        hot.wait_applied(table)
    return made


def walked(url: str, path: str, **params: object) -> list[dict]:
    found, cursor = [], None
    while True:
        answer = patient.get(url + path, params={**params, "limit": 5, **({"cursor": cursor} if cursor else {})})
        assert answer.status_code == 200, answer.text
        found += answer.json()["data"]
        cursor = answer.json()["nextCursor"]
        if cursor is None:
            return found


def test_audit_lines_come_newest_first_and_each_once(records, url):
    found = walked(url, "/api/v1/audit-logs", entityId="77:history")

    assert [row["number"] for row in found] == list(range(12, 0, -1))
    assert found[0]["action"] == "broker.differed"
    assert '"what":"difference 12"' in found[0]["details"]


def test_records_can_be_asked_for_by_time_and_type(records, url):
    asked = {"eventType": "broker.differed", "from": "2026-11-18T12:00:01Z", "to": "2026-11-18T12:00:03Z"}
    found = [row for row in walked(url, "/api/v1/order-events", **asked) if row["journal"] == JOURNAL]

    assert [row["number"] for row in found] == [8, 7, 6, 5, 4, 3]
    assert found[0]["mac"] == records[7].event.mac


@pytest.mark.parametrize("params", [{"cursor": "x"}, {"from": "yesterday"}, {"limit": 0}, {"limit": 1001}])
def test_what_cannot_be_used_is_named(url, params):
    answer = patient.get(f"{url}/api/v1/audit-logs", params=params)

    assert answer.status_code == 400
    assert next(iter(params)) in answer.text


def test_a_value_is_never_part_of_the_statement(records, url):
    assert walked(url, "/api/v1/audit-logs", actor="' OR 1=1 --") == []


@pytest.mark.parametrize("dropped", [False, True])
def test_what_left_hot_is_read_from_warm_and_each_comes_once(records, tape, url, dropped):
    sync_table(AUDIT_LOGS, tape.hot, tape.warm)
    floor = NOON + (dt.timedelta(hours=12) if dropped else dt.timedelta(seconds=2))
    with tape.warm.connect() as connection:
        connection.execute("UPDATE sync_control SET hot_from = %s WHERE stream = 'audit_logs'", (floor,))
    if dropped:
        change(tape.hot, AUDIT_LOGS, f"ALTER TABLE audit_logs DROP PARTITION LIST '{NOON.date()}'")
    found = walked(url, "/api/v1/audit-logs", entityId="77:history")

    assert [row["number"] for row in found] == list(range(12, 0, -1))
    assert found[-1]["details"].count('"what":"difference 1"') == 1


def test_figures_of_own_trading_come_from_what_closed_positions(tape, url):
    """Two positions, three days: +100, -250, +50, +20; the first row of a position opened it."""
    told = [(1, "A", 0.0), (2, "B", 0.0), (3, "A", 100.0), (27, "A", -150.0), (28, "B", 50.0), (51, "A", -130.0)]
    rows = [
        PositionState(
            ts=NOON + dt.timedelta(hours=hours),
            journal="results",
            number=number,
            position_id=f"77:results {symbol}",
            account="77:results",
            symbol=symbol,
            quantity=1,
            avg_price=10.0,
            unrealized_pnl=None,
            realized_pnl=realized,
            day_realized_pnl=realized,
            costs=0.0,
            point_value=1.0,
            strategy_id=None,
            updated_at=NOON,
        )
        for number, (hours, symbol, realized) in enumerate(told, start=1)
    ]
    order_rows.store(tape.hot, POSITIONS, rows)
    sync_table(POSITIONS, tape.hot, tape.warm)
    answer = patient.get(f"{url}/api/v1/metrics").json()

    assert {name: answer[name] for name in ("totalTrades", "hitRate", "avgProfit", "maxDrawdown")} == {
        "totalTrades": 4,
        "hitRate": 0.75,
        "avgProfit": -20.0,
        "maxDrawdown": 250.0,
    }
    assert answer["sharpeRatio"] == -2.725  # days of +100, -200, +20
