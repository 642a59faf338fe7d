"""`tradingsystem drill`: pulls the kill switch of the running process, and says how long it took."""

import time
from pathlib import Path
from typing import Any

import click
import httpx
import msgspec

from launcher.cli import Refusal, data_option, echo_json, json_option, settings_for

POLL_SECONDS = 0.005
REASON = OPERATOR = "drill"
INVENTED = ("simulator", "paper")  # brokers without money


@click.command(help="Pull the kill switch of what runs, wait until nothing works, release it. Demo directories only.")
@click.option("--orders", type=click.IntRange(0, 50), default=5, show_default=True, help="Orders to place before.")
@click.option("--symbol", default="WINX99", show_default=True)
@click.option("--seconds", type=click.FloatRange(0.1), default=10.0, show_default=True, help="Patience.")
@data_option
@json_option
def drill(*, orders: int, symbol: str, seconds: float, data: Path | None, as_json: bool) -> None:
    """Exit code 1 when an order left after the latch, or when something still works after the time."""
    from launcher import stamp

    settings = settings_for(data)
    if stamp.kind_of(settings.data_dir) != "demo":
        raise Refusal("a drill places orders: it is for demo directories that were started, never for live money", 2)
    if settings.access.api_key is None:
        raise Refusal("a drill needs the administrator's key: `tradingsystem up` makes one", 2)
    holder = {"X-API-Key": settings.access.api_key}
    url = settings.url("order-manager")
    with httpx.Client(base_url=url, headers=holder, timeout=20, trust_env=False) as client:
        try:
            check(client)
            found = played(client, orders, symbol, seconds)
        except httpx.TransportError as error:
            raise Refusal(f"nothing answers at {client.base_url}: start it with `tradingsystem up`", 1) from error
    if as_json:
        echo_json(found)
    else:
        for name, value in found.items():
            click.echo(f"{name}: {value}")
    if not found["holds"]:
        raise Refusal("the drill did not hold", 1)


def check(client: httpx.Client) -> None:
    """Whoever answers executes no live order, and no switch is on that the drill would release. Raises Refusal."""
    answer = client.get("/api/v1/orders-standing")
    if answer.status_code != 200:
        raise Refusal(f"{client.base_url} does not say which broker executes: HTTP {answer.status_code}", 2)
    standing = answer.json()["data"]
    if standing["broker"] not in INVENTED:
        expected = " or ".join(INVENTED)
        raise Refusal(f"a drill expects the broker {expected}, found {standing['broker']} at {client.base_url}", 2)
    if standing["killSwitchActive"] is not False:
        raise Refusal("the kill switch is on already, and a drill would release it", 2)


def played(client: httpx.Client, count: int, symbol: str, seconds: float) -> dict[str, Any]:
    """Orders that rest, the switch, the time until the last cancellation, a refusal after it, the release."""
    price = _price(client, symbol)
    placed = [_placed(client, _body(symbol, n, price)) for n in range(count)]
    working = _working(client)
    began = time.perf_counter()
    answer = client.post("/api/v1/risk/kill-switch", json={"reason": REASON, "operator": OPERATOR})
    answer.raise_for_status()
    latched = time.perf_counter()
    late = client.post("/api/v1/execute", json=_body(symbol, 0, price))
    left = _until_none_works(client, seconds)
    done = time.perf_counter()
    switch = answer.json()["data"]
    if (switch["reason"], switch["activatedBy"]) != (REASON, OPERATOR):
        raise Refusal(f"the kill switch was pulled by {switch['activatedBy']} meanwhile: it stays on", 1)
    released = client.post("/api/v1/risk/kill-switch/release", json={"reason": "the drill is over"})
    released.raise_for_status()
    refused = late.status_code == 403 and late.json()["code"] == "KILL_SWITCH"
    return {
        "placed": sum(name is not None for name in placed),
        "working_before": working,
        "ms_to_last_order_out": round((latched - began) * 1000, 2),
        "ms_to_last_cancel": round((done - began) * 1000, 2),
        "working_after": left,
        "order_after_latch_refused": refused,
        "holds": left == 0 and refused,
    }


def _placed(client: httpx.Client, body: dict[str, Any]) -> str | None:
    answer = client.post("/api/v1/execute", json=body)
    return str(answer.json()["orderId"]) if answer.status_code == 202 else None


def _body(symbol: str, number: int, price: float) -> dict[str, Any]:
    tick = 5 if symbol.startswith(("WIN", "IND")) else 0.5
    far = price - price * 0.05
    return {
        "symbol": symbol,
        "side": "BUY",
        "quantity": 1,
        "orderType": "LIMIT",
        "price": (far // tick) * tick - number * tick,
    }


def _price(client: httpx.Client, symbol: str) -> float:
    answer = client.get(f"/api/v1/prices/{symbol}")
    if answer.status_code != 200:
        raise Refusal(f"no price of {symbol}: {answer.json().get('error', answer.text)}", 1)
    return float(msgspec.json.decode(answer.content)["data"]["price"])


def _working(client: httpx.Client) -> int:
    return int(client.get("/api/v1/risk/kill-switch").json()["data"]["working"])


def _until_none_works(client: httpx.Client, seconds: float) -> int:
    deadline = time.perf_counter() + seconds
    while (left := _working(client)) and time.perf_counter() < deadline:
        time.sleep(POLL_SECONDS)
    return left
