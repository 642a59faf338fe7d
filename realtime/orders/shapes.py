"""The shapes of orders, positions, limits and the switch over HTTP and WebSocket. Values only: no framework, no state.

Prices leave as numbers and come in as numbers; inside they are exact. `UNKNOWN` is shown as SUBMITTED with
`ambiguous: true`, so that clients of the original go on working.
"""

import datetime as dt
from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from realtime.orders.commands import Done
from realtime.orders.entries import Entry, OwnFill
from realtime.orders.limits import Stricter
from realtime.orders.positions import Position
from realtime.orders.records import Reply
from realtime.orders.risk import Dispute, Finding, Mark
from realtime.orders.states import Order, Side, Status, TimeInForce
from sql.exchange import Instrument

OrderType = Literal["MARKET", "LIMIT", "STOP", "STOP_LIMIT", "STOPLIMIT"]
END = r"(?!\n)$"  # `$` alone lets a line break follow: another symbol, strategy or account, with limits of its own
Symbol = Annotated[
    str, Meta(pattern=rf"^[A-Z0-9]{{3,20}}{END}", description="A dated contract or a share", examples=["WINZ26"])
]
Quantity = Annotated[int, Meta(ge=1, le=999_999, description="Contracts or shares", examples=[1])]
Price = Annotated[Decimal, Meta(description="Points or BRL a share", examples=[131250])]
Reason = Annotated[str, Meta(max_length=500, examples=["the desk is closing"])]
AccountName = Annotated[
    str,
    Meta(
        pattern=rf"^\d{{1,10}}:[^:]{{1,100}}(:[^:]{{1,100}})?{END}",
        description="broker:account; needed where there are several",
        examples=["1:0042"],
    ),
]
Name = Annotated[str, Meta(pattern=rf"^[A-Za-z0-9._-]{{1,64}}{END}")]


class Execute(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """An order, as dashboards send it. `price` -1 or absent means at the market."""

    symbol: Symbol
    side: Side
    quantity: Quantity
    order_type: OrderType = "MARKET"
    price: Price | None = None
    stop_price: Price | None = None
    time_in_force: TimeInForce = "DAY"
    position_type: Literal["DAYTRADE", "SWING"] | None = None
    justification: Annotated[str, Meta(max_length=500)] | None = None
    account: AccountName | None = None
    strategy: Name | None = None
    confidence: Annotated[float, Meta(ge=0, le=1)] | None = None
    idempotency_key: Annotated[str, Meta(min_length=1, max_length=128)] | None = None


class NewOrderBody(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """An order, as the order manager takes it."""

    symbol: Symbol
    side: Side
    type: OrderType
    quantity: Quantity
    price: Price | None = None
    stop_price: Price | None = None
    time_in_force: TimeInForce = "DAY"
    account: AccountName | None = None
    strategy: Name | None = None
    confidence: Annotated[float, Meta(ge=0, le=1)] | None = None
    idempotency_key: Annotated[str, Meta(min_length=1, max_length=128)] | None = None


class ChangeBody(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """What is to be different; absent: as it is. `quantity` is that of the whole order."""

    quantity: Quantity | None = None
    price: Price | None = None
    stop_price: Price | None = None
    idempotency_key: Annotated[str, Meta(min_length=1, max_length=128)] | None = None


class ScopeBody(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """Which orders and positions; absent: all."""

    account: AccountName | None = None
    symbol: Symbol | None = None
    reason: Reason = ""


class RulingBody(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """What became of an order that nobody else can tell."""

    status: Literal["CANCELED", "EXPIRED", "FAILED", "REJECTED"]
    reason: Annotated[str, Meta(min_length=3, max_length=500)]


class HoursBody(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """A clock, HH:MM."""

    start: Annotated[str, Meta(examples=["09:00"])]
    end: Annotated[str, Meta(examples=["18:00"])]
    timezone: str = "America/Sao_Paulo"


class LimitsBody(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """Limits that change; absent: as they are. `version`: the one that you saw, so that nobody's change is lost."""

    daily_loss_limit: Annotated[Decimal, Meta(description="BRL, 100 to 1000000", examples=[5000])] | None = None
    max_position_size: (
        Annotated[
            dict[str, int | None],
            Meta(description="symbol or root -> 1 to 10000; null: none of its own", examples=[{"WIN": 20}]),
        ]
        | None
    ) = None
    trading_hours: HoursBody | None = None
    stricter: list[Stricter] | None = None
    version: int | None = None


class SwitchBody(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """Pull the kill switch. It always cancels what works; `cancelAll` is taken and changes nothing."""

    reason: Annotated[str, Meta(min_length=3, max_length=500, examples=["the market is not right"])]
    operator: Annotated[str, Meta(examples=["Ana Souza"])] | None = None  # of any form: no name keeps a switch from it
    cancel_all: bool = True
    flatten: bool = False


class ReleaseBody(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """Why orders may leave again."""

    reason: Annotated[str, Meta(min_length=3, max_length=500, examples=["checked with the desk"])]


def kind_of(order_type: OrderType) -> Literal["MARKET", "LIMIT", "STOP", "STOP_LIMIT"]:
    """Both spellings of a stop-limit are one."""
    return "STOP_LIMIT" if order_type == "STOPLIMIT" else order_type


def status_of(order: Order) -> dict[str, Any]:
    """The status as clients of the original know it."""
    unknown = order.status is Status.UNKNOWN
    return {"status": Status.SUBMITTED if unknown else order.status, "ambiguous": unknown}


def order_of(entry: Entry) -> dict[str, Any]:
    """An order as lists show it. Read by another thread than the one that changes it."""
    changing = entry.change is not None  # read first: once a change is over, the order shows what came of it
    order = entry.order
    ended = entry.updated_at if order.status is Status.CANCELED else None
    return {
        "orderId": order.id,
        "symbol": order.symbol,
        "side": order.side,
        "type": order.kind,
        "quantity": order.quantity,
        "price": number(order.price),
        "stopPrice": number(order.stop),
        "timeInForce": order.time_in_force,
        **status_of(order),
        "filledQuantity": order.traded,
        "remainingQuantity": order.leaves,
        "avgFillPrice": number(order.average_price) if order.traded else None,
        "account": order.account,
        "strategy": order.strategy,
        "source": entry.caller.source,
        "user": entry.caller.user,
        "confidence": entry.confidence,
        "emulated": entry.emulated or None,
        "canceling": order.canceling or entry.cancel_wanted is not None,
        "changing": changing,
        "brokerOrderId": order.exchange_id,
        "message": order.text or None,
        "createdAt": stamp(entry.made_at),
        "updatedAt": stamp(entry.updated_at),
        "canceledAt": stamp(ended) if ended else None,
    }


def order_with_story(entry: Entry) -> dict[str, Any]:
    """An order with its fills and everything that is known of how it came to be."""
    return {
        **order_of(entry),
        "fills": [fill_of(fill) for fill in list(entry.fills)],
        "contradictions": entry.order.contradictions,
        "contradiction": entry.contradiction,
        "evidence": [
            {"record": each.number, "timestamp": stamp(each.at), "kind": each.kind, "text": each.said}
            for each in list(entry.evidence)
        ],
    }


def fill_of(fill: OwnFill) -> dict[str, Any]:
    """A fill."""
    return {
        "fillId": fill.id,
        "orderId": fill.order,
        "symbol": fill.symbol,
        "side": fill.side,
        "quantity": fill.quantity,
        "price": number(fill.price),
        "cost": number(fill.cost),
        "account": fill.account,
        "strategy": fill.strategy,
        "timestamp": stamp(fill.at),
    }


def position_of(position: Position, mark: Mark | None) -> dict[str, Any]:
    """A position at its mark; what needs a mark is null without one."""
    open_result = position.unrealised(mark.price) if mark else None
    worth = abs(position.average * position.net * position.point_value)
    return {
        "account": position.account,
        "symbol": position.symbol,
        "quantity": position.net,
        "netQuantity": position.net,
        "side": "LONG" if position.net > 0 else "SHORT" if position.net < 0 else "FLAT",
        "avgPrice": number(position.average),
        "averagePrice": number(position.average),
        "currentPrice": number(mark.price) if mark else None,
        "marketPrice": number(mark.price) if mark else None,
        "markedAt": stamp(mark.at) if mark else None,
        "pnl": number(open_result),
        "pnlPercent": number(open_result / worth * 100) if open_result is not None and worth else None,
        "unrealizedPnl": number(open_result),
        "realizedPnl": number(position.realised),
        "dayPnl": number(position.day_result + position.day_unrealised(mark.price)) if mark else None,
        "costs": number(position.costs),
        "openedQuantity": position.opened,
        "bought": position.bought,
        "sold": position.sold,
        "currency": "BRL",
    }


def instrument_of(known: Instrument | None, dispute: Dispute | None) -> dict[str, Any] | None:
    """What an order of a symbol is checked with, and by whom that is contradicted; None: nobody knows it."""
    if known is None:
        return None
    return {
        "tickSize": known.tick_size,
        "lot": known.lot,
        "pointValue": known.point_value,
        "dispute": {"ours": dispute.ours, "theirs": dispute.theirs} if dispute else None,
    }


def refusal_of(finding: Finding, checks: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Why a check refused: which, its limit, what it saw, against what."""
    text = f"{finding.code}: limit {finding.limit}, observed {finding.observed}"
    return {
        "success": False,
        "error": text + (f" ({finding.reference})" if finding.reference else ""),
        "code": finding.code,
        "message": text,
        "details": {
            "check": finding.code,
            "limit": finding.limit,
            "observed": finding.observed,
            "reference": finding.reference,
        },
        **({"checks": dict(checks)} if checks else {}),
    }


def flattened(done: Done) -> dict[str, Any]:
    """What is being cancelled, and which positions will be closed or not."""
    symbols = [each for each in done.text.split(", ") if each]
    data = {"orders": list(done.orders), "ordersCanceled": len(done.orders), "closing": symbols, "notClosed": []}
    if done.refusal is None:
        return {"success": True, "data": data}
    found = refusal_of(done.refusal)
    said = f"{len(done.orders)} orders are being cancelled; {', '.join(symbols)} not closed: {found['error']}"
    return {**found, "error": said, "message": said, "data": {**data, "closing": [], "notClosed": symbols}}


def executed(order: Order, emulated: str) -> Reply:
    """The answer of `/api/v1/execute` for an order that may leave."""
    said = f"order {order.id} is on its way" + (f"; {emulated}" if emulated else "")
    return Reply(202, text({"orderId": order.id, "status": "PENDING", "message": said}))


def execute_refused(order: Order, finding: Finding) -> Reply:
    """The answer of `/api/v1/execute` for an order that a check refused."""
    return Reply(403, text({**refusal_of(finding), "orderId": order.id, "status": "REJECTED"}))


def created(order: Order, emulated: str) -> Reply:
    """The answer of `/api/orders` for an order that may leave."""
    data = {
        "orderId": order.id,
        "symbol": order.symbol,
        "side": order.side,
        "type": order.kind,
        "quantity": order.quantity,
        "price": number(order.price),
        "stopPrice": number(order.stop),
        "timeInForce": order.time_in_force,
        "account": order.account,
        "status": "PENDING",
        "emulated": emulated or None,
    }
    return Reply(201, text({"success": True, "data": data, "message": f"order {order.id} is on its way"}))


def changed(order: Order, _: str) -> Reply:
    """The answer to a change that is on its way."""
    data = {
        "orderId": order.id,
        "quantity": order.quantity,
        "price": number(order.price),
        "stopPrice": number(order.stop),
        "changing": True,
    }
    return Reply(202, text({"success": True, "data": data, "message": f"the change of {order.id} is on its way"}))


def refused(order: Order, finding: Finding) -> Reply:
    """The answer of `/api/orders` for what a check refused."""
    return Reply(403, text({**refusal_of(finding), "data": {"orderId": order.id, "status": "REJECTED"}}))


def number(value: Decimal | None) -> float | int | None:
    """An exact value as JSON's number."""
    if value is None:
        return None
    return int(value) if value == value.to_integral_value() else round(float(value), 10)


def stamp(at: dt.datetime) -> str:
    """An instant as ISO text, UTC, with milliseconds."""
    return at.astimezone(dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def text(body: Mapping[str, Any]) -> str:
    """The bytes of an answer, as text."""
    return msgspec.json.encode(body).decode()
