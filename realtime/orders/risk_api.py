"""Limits, kill switch and positions over HTTP. Reading is free on this machine; changing needs a key and is kept."""

import datetime as dt
from decimal import Decimal
from functools import partial
from typing import Any

import anyio.to_thread
from litestar import Request, Response, get, post, put
from litestar.di import NamedDependency
from litestar.exceptions import NotFoundException
from litestar.params import FromPath, JSONBody
from msgspec import structs

from api.kernel.access import INSTALLATION, caller_in, scoped
from api.kernel.errors import invalid, responses
from api.kernel.limits import FREE
from api.kernel.openapi import EXAMPLE
from realtime.orders import shapes
from realtime.orders.api import SourceHeader, asked, caller_of, envelope
from realtime.orders.commands import Release, SetLimits
from realtime.orders.decisions import loss_of, result_of, source_finding
from realtime.orders.limits import Change, Hours, LimitsError, check
from realtime.orders.loop import OrderLoop
from realtime.orders.shapes import LimitsBody, ReleaseBody, SwitchBody

ACTIVATED = "activated"


@get(
    ["/api/risk/limits", "/api/v1/risk/limits"],
    opt=scoped("risk:read"),
    tags=["risk"],
    summary="Limits with their usage",
    responses=responses(401),
)
async def limits(orders: NamedDependency[OrderLoop]) -> dict[str, Any]:
    """`version` is what a change should name."""
    return envelope(_limits(orders))


@put(
    ["/api/risk/limits", "/api/v1/risk/limits"],
    opt={**scoped("risk:admin", always=True), EXAMPLE: {"dailyLossLimit": 4000}},
    tags=["risk"],
    summary="Change limits",
    responses=responses(400, 401, 403, 409, 429, 503),
)
async def set_limits(
    request: Request[Any, Any, Any],
    data: JSONBody[LimitsBody],
    orders: NamedDependency[OrderLoop],
    x_source: SourceHeader = None,
) -> dict[str, Any]:
    """In force at once, kept with who, when, from and to. Refused while the kill switch is on."""
    hours = data.trading_hours
    change = Change(
        daily_loss=data.daily_loss_limit,
        positions=data.max_position_size,
        hours=Hours(start=hours.start, end=hours.end, timezone=hours.timezone) if hours else None,
        stricter=None if data.stricter is None else tuple(data.stricter),
    )
    if change == Change():
        raise invalid("body", "expected dailyLossLimit, maxPositionSize, tradingHours or stricter")
    try:
        check(change)
    except LimitsError as error:
        raise invalid(error.field, error.why) from error
    caller = caller_of(request, None, x_source, None)
    await asked(orders, SetLimits(caller=caller, change=change, version=data.version))
    return envelope({**_limits(orders), "updatedAt": shapes.stamp(dt.datetime.now(dt.UTC)), "updatedBy": caller.user})


@get(
    ["/api/risk/kill-switch", "/api/v1/risk/kill-switch"],
    opt={**scoped("risk:read"), **FREE},
    tags=["risk"],
    summary="How the kill switch stands",
    responses=responses(401),
)
async def switch(orders: NamedDependency[OrderLoop]) -> dict[str, Any]:
    """`working` orders are still being cancelled while it is on."""
    return envelope(_switch(orders))


@post(
    ["/api/risk/kill-switch", "/api/v1/risk/kill-switch"],
    opt={**scoped("risk:write", always=True), **FREE, EXAMPLE: {"reason": "the market is not right"}},
    status_code=200,
    tags=["risk"],
    summary="Pull the kill switch",
    responses=responses(400, 401),
)
async def pull(
    request: Request[Any, Any, Any],
    data: JSONBody[SwitchBody],
    orders: NamedDependency[OrderLoop],
    x_source: SourceHeader = None,
) -> dict[str, Any]:
    """When this answers, no order begins to leave; cancelling goes on until the broker lists nothing that works.

    Repeating it gives the state. Whoever has `risk:write` may pull: all roles but viewers, and keys of agents, whose
    wish to flatten is refused: `flattenRefused` says why.
    """
    before = orders.switch.latch
    working = len(orders.chronicle.ledger.working)
    caller = caller_of(request, None, x_source, None)
    operator = (data.operator or "").strip()[:64]
    if operator and caller_in(request) == INSTALLATION:  # a key or a person has a name already
        caller = structs.replace(caller, user=operator)
    latch = await anyio.to_thread.run_sync(partial(orders.pull, data.reason, caller, flatten=data.flatten))
    found = _switch(orders)
    told: dict[str, Any] = {
        "ordersCanceled": 0 if before is not None else working,
        "status": ACTIVATED,
        "timestamp": shapes.stamp(latch.at),
    }
    finding = source_finding(caller.source)
    if data.flatten and not finding.passed:
        told["flattenRefused"] = shapes.refusal_of(finding)["message"]
    return {**told, **envelope({**found, **told})}


@post(
    ["/api/risk/kill-switch/release", "/api/v1/risk/kill-switch/release"],
    status_code=200,
    opt=scoped("risk:admin", always=True),
    tags=["risk"],
    summary="Release the kill switch",
    responses=responses(400, 401, 403, 429, 503),
)
async def release(
    request: Request[Any, Any, Any],
    data: JSONBody[ReleaseBody],
    orders: NamedDependency[OrderLoop],
    x_source: SourceHeader = None,
) -> dict[str, Any]:
    """A person's right, with a reason that is kept."""
    caller = caller_of(request, None, x_source, None)
    await asked(orders, Release(caller=caller, reason=data.reason))
    return envelope(_switch(orders))


@get("/api/v1/positions", tags=["risk"], summary="Positions", responses=responses(401), opt=scoped("orders:read"))
async def positions(orders: NamedDependency[OrderLoop]) -> list[dict[str, Any]]:
    """Closed ones too. What needs a mark is null without one."""
    found = list(orders.chronicle.ledger.positions.values())
    return [shapes.position_of(position, orders.market.last(position.symbol)) for position in found]


@get(
    "/api/v1/positions/{symbol:str}",
    tags=["risk"],
    summary="The position in a symbol",
    responses=responses(401, 404),
    opt=scoped("orders:read"),
)
async def position(symbol: FromPath[str], orders: NamedDependency[OrderLoop]) -> Response[dict[str, Any]]:
    """Of the account that has it; the first one, where there are several."""
    for found in list(orders.chronicle.ledger.positions.values()):
        if found.symbol == symbol.upper():
            return Response(shapes.position_of(found, orders.market.last(found.symbol)))
    raise NotFoundException(f"there is no position in {symbol.upper()}")


@get(
    "/api/risk/positions",
    tags=["risk"],
    summary="Positions with their sums",
    responses=responses(401),
    opt=scoped("orders:read"),
)
async def exposure(orders: NamedDependency[OrderLoop]) -> dict[str, Any]:
    """Open ones at their marks."""
    found = [p for p in list(orders.chronicle.ledger.positions.values()) if p.net]
    shown = [shapes.position_of(p, orders.market.last(p.symbol)) for p in found]
    open_result = [each["unrealizedPnl"] for each in shown]
    worth = [
        abs(p.net) * (mark.price if (mark := orders.market.last(p.symbol)) else p.average) * p.point_value
        for p in found
    ]
    data = {
        "asOf": shapes.stamp(dt.datetime.now(dt.UTC)),
        "positions": shown,
        "totalUnrealizedPnl": None if None in open_result else sum(open_result),
        "totalExposure": shapes.number(sum(worth, Decimal(0))),
    }
    return envelope(data)


@get(
    "/api/v1/prices/{symbol:str}",
    opt={**scoped("orders:read"), **FREE},
    tags=["risk"],
    summary="What orders of a symbol are checked against",
    responses=responses(401, 404),
)
async def price(symbol: FromPath[str], orders: NamedDependency[OrderLoop]) -> dict[str, Any]:
    """Last trade, state and settlement, as the tape told them; tick, lot and point value, and who disagrees on them."""
    name, market = symbol.upper(), orders.market
    last = market.last(name)
    if last is None:
        raise NotFoundException(f"no trade of {name} was seen since the process began")
    return envelope(
        {
            "symbol": name,
            "price": shapes.number(last.price),
            "timestamp": shapes.stamp(last.at),
            "state": market.state(name),
            "settlement": shapes.number(market.settlement(name)),
            "instrument": shapes.instrument_of(market.instrument(name), market.disputes.get(name)),
        }
    )


@get(
    "/api/v1/risk/refusals",
    tags=["risk"],
    summary="What checks refused last",
    responses=responses(401),
    opt=scoped("risk:read"),
)
async def refusals(orders: NamedDependency[OrderLoop]) -> dict[str, Any]:
    """The newest first, a hundred at most; the journal keeps all."""
    found = list(orders.chronicle.ledger.refusals)[:-101:-1]
    return envelope(
        [
            {
                "timestamp": shapes.stamp(each.at),
                "symbol": each.order.symbol,
                "side": each.order.side,
                "quantity": each.order.quantity,
                "user": each.caller.user,
                "source": each.caller.source,
                "checks": {finding.code: "passed" if finding.passed else "failed" for finding in each.checks},
                **shapes.refusal_of(each.refusal)["details"],
            }
            for each in found
        ]
    )


@get(
    "/api/v1/orders-standing",
    tags=["orders"],
    summary="Whether orders may leave",
    responses=responses(401),
    opt=scoped("orders:read"),
)
async def standing(orders: NamedDependency[OrderLoop]) -> dict[str, Any]:
    """Journal, switch, and on which accounts we agree with the broker; the last differences with it."""
    ledger = orders.chronicle.ledger
    return envelope(
        {
            "broker": orders.rules.broker,
            "accounts": orders.agreement.standing,
            "settlementsMissing": list(orders.day.missing),
            "journal": orders.chronicle.trouble or "ok",
            "killSwitchActive": orders.switch.latch is not None,
            "instrumentsDisputed": {
                symbol: {"ours": each.ours, "theirs": each.theirs} for symbol, each in orders.market.disputes.items()
            },
            "working": len(ledger.working),
            "ambiguous": sum(entry.order.status == "UNKNOWN" for entry in list(ledger.working.values())),
            "differences": [
                {"timestamp": shapes.stamp(each.at), "account": each.account, "what": each.what}
                for each in list(ledger.differences)[:-21:-1]
            ],
        }
    )


RISK = [limits, set_limits, switch, pull, release, positions, position, exposure, price, refusals, standing]


def _limits(orders: OrderLoop) -> dict[str, Any]:
    ledger, now = orders.chronicle.ledger, orders.chronicle.now()
    held = ledger.limits
    in_second, in_minute = ledger.messages(now.timestamp())
    positions_now = list(ledger.positions.values())
    losses = []
    for account in sorted({p.account for p in positions_now}):
        mine = [p for p in positions_now if p.account == account]
        losses.append((account, loss_of(mine, orders.market, now, held.base), result_of(mine, orders.market)[1]))
    known = [loss for _, loss, _ in losses]
    worst = None if None in known else max((loss for loss in known if loss is not None), default=Decimal(0))
    return {
        "dailyLossLimit": shapes.number(held.base.daily_loss),
        "currentDailyLoss": None if worst is None else shapes.number(max(worst, Decimal(0))),
        "maxPositionSize": dict(held.positions),
        "defaultMaxPositionSize": {"futures": held.base.position, "shares": held.shares},
        "tradingHours": {"start": held.hours.start, "end": held.hours.end, "timezone": held.hours.timezone},
        "killSwitchActive": orders.switch.latch is not None,
        "maxOrderQuantity": held.base.quantity,
        "maxOrderNotional": shapes.number(held.base.notional),
        "maxOpenNotional": shapes.number(held.base.open_notional),
        "maxOpenOrders": held.base.open_orders,
        "ordersPerSecond": held.base.per_second,
        "ordersPerMinute": held.base.per_minute,
        "priceCollar": shapes.number(held.base.collar),
        "capital": shapes.number(held.base.capital),
        "marginRate": shapes.number(held.base.margin_rate),
        "stricter": list(held.stricter),
        "version": held.version,
        "usage": {
            "openOrders": len(ledger.working),
            "messagesLastSecond": in_second,
            "messagesLastMinute": in_minute,
            "dailyLoss": {account: shapes.number(loss) for account, loss, _ in losses},
            "positions": {
                account: {
                    p.symbol: {"quantity": p.net, "limit": held.position(p.symbol)}
                    for p in positions_now
                    if p.account == account and p.net
                }
                for account, _, _ in losses
            },
        },
    }


def _switch(orders: OrderLoop) -> dict[str, Any]:
    latch = orders.switch.latch
    return {
        "killSwitchActive": latch is not None,
        "reason": latch.reason if latch else None,
        "activatedBy": latch.by if latch else None,
        "activatedAt": shapes.stamp(latch.at) if latch else None,
        "flatten": latch.flatten if latch else False,
        "busy": orders.winding.busy,
        "working": len(orders.chronicle.ledger.working),
        "durable": orders.switch.failed is None,
    }
