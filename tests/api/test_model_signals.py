"""Signals of models through the gateway: kept as they came, shown newest first, once for one key."""

import pytest

from tests.api import patient

TOLD = {"symbol": "MODL3", "direction": "BUY", "confidence": 0.72, "features": {"book_delta": -3, "ma_price": 1.5}}


def test_signals_are_kept_and_shown_newest_first(url):
    path = f"{url}/api/v1/signals"
    first = patient.post(path, json=TOLD | {"price": 28.5, "reason": "flow", "timestamp": "2026-11-19T12:00:00Z"})
    key = {"Idempotency-Key": "once", "x-user-id": "ana"}
    second, again = (patient.post(path, json=TOLD | {"direction": "HOLD"}, headers=key) for _ in range(2))
    patient.post(path, json=TOLD | {"symbol": "OTHER3"})
    shown = patient.get(f"{path}/latest", params={"symbol": "MODL3", "limit": 5}).json()

    assert (first.status_code, second.status_code, again.json()) == (201, 201, second.json())
    assert shown == [second.json(), first.json()]
    assert {name: shown[1][name] for name in ("symbol", "direction", "confidence", "price", "reason")} == {
        "symbol": "MODL3",
        "direction": "BUY",
        "confidence": 0.72,
        "price": 28.5,
        "reason": "flow",
    }
    assert patient.get(f"{path}/latest", params={"limit": 1}).json()[0]["symbol"] == "OTHER3"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("direction", "UP"),
        ("confidence", 1.01),
        ("confidence", None),
        ("symbol", "PETR4; DROP"),
        ("price", -1),
        ("timestamp", "noon"),
        ("features", {"x": "y" * 20_000}),
    ],
)
def test_what_is_no_signal_is_refused_by_name(url, field, value):
    answer = patient.post(f"{url}/api/v1/signals", json=TOLD | {field: value})

    assert answer.status_code == 400
    assert field in answer.text


@pytest.mark.parametrize("params", [{"limit": 0}, {"limit": 101}, {"symbol": "'"}])
def test_what_cannot_be_asked_for_is_400(url, params):
    assert patient.get(f"{url}/api/v1/signals/latest", params=params).status_code == 400
