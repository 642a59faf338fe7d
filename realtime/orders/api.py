"""Orders over HTTP: place, change, cancel, flatten, read. The thread of the order loop decides; handlers only ask it.

Every command needs a key. `Idempotency-Key` (or `X-Idempotency-Key`, or the body's `idempotencyKey`) makes a command
repeatable: the same key and body get the first answer, another body 422.
"""

import asyncio
import datetime as dt
import hashlib
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Annotated, Any, Literal

import msgspec
from litestar import Request, Response, delete, get, patch, post
from litestar.di import NamedDependency
from litestar.exceptions import HTTPException, NotFoundException
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromQuery, HeaderParameter, JSONBody, PathParameter, QueryParameter
from msgspec import Struct

from api.kernel.access import actor, caller_in, scoped, source_of
from api.kernel.errors import InvalidRequestError, Problem, invalid, responses
from api.kernel.limits import FREE
from api.kernel.openapi import EXAMPLE
from realtime.orders import shapes
from realtime.orders.commands import Alter, Answers, Busy, Cancel, CancelAll, CommandError, Flatten, Place, Rule
from realtime.orders.entries import Entry
from realtime.orders.loop import OrderLoop
from realtime.orders.records import Caller, Reply, Source
from realtime.orders.shapes import ChangeBody, Execute, NewOrderBody, RulingBody, ScopeBody
from realtime.orders.states import FINAL, Side, Status
from sql.exchange import SAO_PAULO

SOURCES: tuple[Source, ...] = ("api", "dashboard", "agent", "telegram", "scheduler", "strategy")
CANCEL_SECONDS = 2.0  # how long a cancellation is waited for before its answer says that it is on its way
POLL_SECONDS = 0.01
ANSWER_SECONDS = 10.0
NO_PRICE = 1_000_000_000  # nothing is as dear
EXECUTED = Answers(placed=shapes.executed, refused=shapes.execute_refused)
CREATED = Answers(placed=shapes.created, refused=shapes.refused)
TRY = {"symbol": "WINX99", "side": "BUY", "quantity": 1}  # of the demo market
CHANGED = Answers(placed=shapes.changed, refused=shapes.refused)

OrderId = Annotated[
    str, PathParameter(pattern=r"^(ORD|EXT)-\d{8}-\d{3,}$", description="As the order was answered with")
]
KeyHeader = Annotated[str | None, HeaderParameter(name="Idempotency-Key", min_length=1, max_length=128)]
OldKeyHeader = Annotated[str | None, HeaderParameter(name="X-Idempotency-Key", min_length=1, max_length=128)]
SourceHeader = Annotated[
    str | None, HeaderParameter(name="X-Source", description=f"{', '.join(SOURCES[:-1])} or {SOURCES[-1]}")
]
Day = dt.date | None  # São Paulo's

REFUSED = {
    403: ResponseSpec(dict[str, Any], generate_examples=False, description="A check refused: which, limit, value"),
    422: ResponseSpec(Problem, generate_examples=False, description="The key was used for another request"),
}


@post(
    "/api/v1/execute",
    status_code=202,
    opt={**scoped("orders:write", always=True), EXAMPLE: TRY},
    tags=["orders"],
    summary="Send an order",
    responses={**responses(400, 401, 429, 503), **REFUSED},
)
async def execute(
    *,
    request: Request[Any, Any, Any],
    data: JSONBody[Execute],
    orders: NamedDependency[OrderLoop],
    idempotency_key: KeyHeader = None,
    x_idempotency_key: OldKeyHeader = None,
    x_source: SourceHeader = None,
) -> Response[bytes]:
    """Checks, journal, broker. 202 says that the order is in the journal and was handed on; its status follows."""
    key = idempotency_key or x_idempotency_key or data.idempotency_key
    price = _price_or_market(data.price)
    if data.order_type == "MARKET" and price is not None:
        raise invalid("price", f"a market order has none, found {data.price}; send a LIMIT order instead")
    place = Place(
        caller=caller_of(request, key, x_source, data),
        answers=EXECUTED,
        symbol=data.symbol,
        side=data.side,
        kind=shapes.kind_of(data.order_type),
        quantity=data.quantity,
        price=price,
        stop=_bounded("stopPrice", data.stop_price),
        time_in_force=data.time_in_force,
        account=data.account,
        strategy=data.strategy,
        confidence=data.confidence,
    )
    return said(await asked(orders, place))


@post(
    ["/api/orders", "/api/v1/orders"],
    opt={**scoped("orders:write", always=True), EXAMPLE: {**TRY, "type": "LIMIT", "price": 130_000}},
    tags=["orders"],
    summary="Place an order",
    responses={**responses(400, 401, 429, 503), **REFUSED},
)
async def create(
    *,
    request: Request[Any, Any, Any],
    data: JSONBody[NewOrderBody],
    orders: NamedDependency[OrderLoop],
    idempotency_key: KeyHeader = None,
    x_idempotency_key: OldKeyHeader = None,
    x_source: SourceHeader = None,
) -> Response[bytes]:
    """As `/api/v1/execute`, in the order manager's words: 201, and 200 for a key that was used before."""
    _check_prices(data)
    place = Place(
        caller=caller_of(request, idempotency_key or x_idempotency_key or data.idempotency_key, x_source, data),
        answers=CREATED,
        symbol=data.symbol,
        side=data.side,
        kind=shapes.kind_of(data.type),
        quantity=data.quantity,
        price=data.price,
        stop=data.stop_price,
        time_in_force=data.time_in_force,
        account=data.account,
        strategy=data.strategy,
        confidence=data.confidence,
    )
    return said(await asked(orders, place))


@get(
    ["/api/orders", "/api/v1/orders"],
    tags=["orders"],
    summary="Orders, newest first",
    responses=responses(400, 401),
    opt=scoped("orders:read"),
)
async def listed(
    *,
    orders: NamedDependency[OrderLoop],
    status: FromQuery[Status | None] = None,
    symbol: FromQuery[str | None] = None,
    side: FromQuery[Side | None] = None,
    strategy: FromQuery[str | None] = None,
    working: FromQuery[bool | None] = None,
    start_date: Annotated[Day, QueryParameter(name="startDate")] = None,
    end_date: Annotated[Day, QueryParameter(name="endDate")] = None,
    limit: Annotated[int, QueryParameter(ge=1, le=500)] = 50,
    offset: Annotated[int, QueryParameter(ge=0)] = 0,
) -> dict[str, Any]:
    """Working ones and those that ended within two sessions, placed elsewhere or here. `working`: may still trade."""
    entries = [
        entry
        for entry in list(orders.chronicle.ledger.entries.values())
        if _shown(entry, status, symbol and symbol.upper(), side)
        and _between(entry, start_date, end_date)
        and strategy in (None, entry.order.strategy)
        and working in (None, entry.order.working)
    ]
    entries.sort(key=lambda entry: (entry.made_at, entry.order.id), reverse=True)
    found = [shapes.order_of(entry) for entry in entries[offset : offset + limit]]
    return envelope({"orders": found, "total": len(entries), "limit": limit, "offset": offset})


@get(
    ["/api/orders/{order:str}", "/api/v1/orders/{order:str}"],
    opt=scoped("orders:read"),
    tags=["orders"],
    summary="One order with its fills and its story",
    responses=responses(400, 401, 404),
)
async def one(order: OrderId, orders: NamedDependency[OrderLoop]) -> dict[str, Any]:
    """`evidence` holds every record of the journal about it; `record` is the journal's number."""
    return envelope(shapes.order_with_story(_entry(orders, order)))


@delete(
    ["/api/orders/{order:str}", "/api/v1/orders/{order:str}"],
    opt={**scoped("orders:delete", always=True), **FREE},
    status_code=200,
    tags=["orders"],
    summary="Cancel an order",
    responses=responses(400, 401, 404),
)
async def cancel(
    request: Request[Any, Any, Any],
    order: OrderId,
    orders: NamedDependency[OrderLoop],
    x_source: SourceHeader = None,
    reason: FromQuery[str] = "",
) -> Response[dict[str, Any]]:
    """Always passes, and may be repeated. 200 when the order has ended, 202 while the broker has not said so yet."""
    command = Cancel(caller=caller_of(request, None, x_source, None), order=order, reason=reason)
    await asked(orders, command)
    entry = _entry(orders, order)
    await _until(lambda: entry.order.status in FINAL)
    if entry.order.status is Status.FILLED:
        raise HTTPException(f"order {order} was filled before it could be cancelled", status_code=400)
    found = shapes.order_of(entry)
    over = entry.order.status in FINAL
    data = {name: found[name] for name in ("orderId", "status", "ambiguous", "canceling", "canceledAt")}
    return Response(envelope(data), status_code=200 if over else 202)


@patch(
    ["/api/orders/{order:str}", "/api/v1/orders/{order:str}"],
    status_code=202,
    opt={**scoped("orders:write", always=True), EXAMPLE: {"quantity": 2}},
    tags=["orders"],
    summary="Change price or quantity",
    responses={**responses(400, 401, 404, 409, 429, 503), **REFUSED},
)
async def change(
    *,
    request: Request[Any, Any, Any],
    order: OrderId,
    data: JSONBody[ChangeBody],
    orders: NamedDependency[OrderLoop],
    idempotency_key: KeyHeader = None,
    x_idempotency_key: OldKeyHeader = None,
    x_source: SourceHeader = None,
) -> Response[bytes]:
    """Checked like a new order; while it is on its way the worse of before and after counts."""
    if data.quantity is None and data.price is None and data.stop_price is None:
        raise invalid("body", "expected quantity, price or stopPrice")
    key = idempotency_key or x_idempotency_key or data.idempotency_key
    command = Alter(
        caller=caller_of(request, key, x_source, data, order),
        answers=CHANGED,
        order=order,
        quantity=data.quantity,
        price=_bounded("price", data.price),
        stop=_bounded("stopPrice", data.stop_price),
    )
    return said(await asked(orders, command))


@post(
    ["/api/orders/cancel-all", "/api/v1/orders/cancel-all"],
    opt={**scoped("orders:delete", always=True), **FREE, EXAMPLE: {"reason": "the desk is closing"}},
    status_code=202,
    tags=["orders"],
    summary="Cancel all working orders",
    responses=responses(400, 401),
)
async def cancel_all(
    request: Request[Any, Any, Any],
    data: JSONBody[ScopeBody],
    orders: NamedDependency[OrderLoop],
    x_source: SourceHeader = None,
) -> dict[str, Any]:
    """Of an account, of a symbol, or all; those placed elsewhere too."""
    caller = caller_of(request, None, x_source, None)
    done = await asked(orders, CancelAll(caller=caller, account=data.account, symbol=data.symbol, reason=data.reason))
    return envelope({"orders": list(done.orders), "ordersCanceled": len(done.orders)})


@post(
    ["/api/orders/flatten", "/api/v1/orders/flatten"],
    opt={**scoped("orders:write", always=True), **FREE, EXAMPLE: {"reason": "the desk is closing"}},
    status_code=202,
    tags=["orders"],
    summary="Cancel, then close positions at the market",
    responses={**responses(400, 401), 403: REFUSED[403]},
)
async def flatten(
    request: Request[Any, Any, Any],
    data: JSONBody[ScopeBody],
    orders: NamedDependency[OrderLoop],
    x_source: SourceHeader = None,
) -> Response[dict[str, Any]]:
    """Positions are closed when nothing works in their symbol any more and the broker holds what we hold.

    403: `data.orders` are being cancelled, and a check lets no closing order leave for `data.notClosed`.
    """
    caller = caller_of(request, None, x_source, None)
    done = await asked(orders, Flatten(caller=caller, account=data.account, symbol=data.symbol, reason=data.reason))
    return Response(shapes.flattened(done), status_code=202 if done.refusal is None else 403)


@post(
    ["/api/orders/{order:str}/ruling", "/api/v1/orders/{order:str}/ruling"],
    status_code=200,
    opt={**scoped("orders:admin", always=True), EXAMPLE: {"status": "CANCELED", "reason": "called the broker"}},
    tags=["orders"],
    summary="Say what became of an order that nobody else can tell",
    responses=responses(400, 401, 403, 404, 409, 429, 503),
)
async def rule(
    request: Request[Any, Any, Any],
    order: OrderId,
    data: JSONBody[RulingBody],
    orders: NamedDependency[OrderLoop],
    x_source: SourceHeader = None,
) -> dict[str, Any]:
    """A person's word, kept with its reason; for ambiguous orders alone."""
    caller = caller_of(request, None, x_source, None)
    await asked(orders, Rule(caller=caller, order=order, status=Status(data.status), reason=data.reason))
    return envelope(shapes.order_of(_entry(orders, order)))


@get(
    "/api/v1/fills",
    tags=["orders"],
    summary="Own fills, newest first",
    responses=responses(400, 401),
    opt=scoped("orders:read"),
)
async def fills(
    orders: NamedDependency[OrderLoop],
    symbol: FromQuery[str | None] = None,
    limit: Annotated[int, QueryParameter(ge=1, le=500)] = 50,
    offset: Annotated[int, QueryParameter(ge=0)] = 0,
) -> dict[str, Any]:
    """Of two sessions. The broker tells sums, so several trades may be one fill."""
    name = symbol and symbol.upper()
    wanted = [f for f in list(orders.chronicle.ledger.fills) if name in (None, f.symbol)][::-1]
    found = [shapes.fill_of(fill) for fill in wanted[offset : offset + limit]]
    return envelope({"fills": found, "total": len(wanted), "limit": limit, "offset": offset})


ORDERS = [execute, create, listed, cancel_all, flatten, one, cancel, change, rule, fills]


def caller_of(
    request: Request[Any, Any, Any], key: str | None, source: str | None, body: Struct | None, *more: str
) -> Caller:
    """Who asks; under a key, with the hash of what is asked."""
    if source is not None and source not in SOURCES:
        raise invalid("X-Source", f"expected one of {', '.join(SOURCES)}, found {source!r}")
    speaks_as, user = source_of(caller_in(request), source), actor(request)[:64]
    return Caller(
        user=user,
        source=next((each for each in SOURCES if each == speaks_as), "api"),
        correlation_id=request.scope.get("state", {}).get("correlation_id"),
        key=key,
        body_hash=_hash(request, body, (user, *more)) if key else None,
    )


def said(reply: Reply) -> Response[bytes]:
    """The loop's answer as it must be sent, byte for byte."""
    return Response(reply.body.encode(), status_code=reply.status, media_type="application/json")


async def asked(orders: OrderLoop, command: Any) -> Any:
    """The loop's answer to a command. Raises HTTPException."""
    try:
        future = asyncio.wrap_future(orders.ask(command))
        stays = isinstance(command, Cancel | CancelAll | Flatten)  # wanted even when nobody waits for the answer
        return await asyncio.wait_for(asyncio.shield(future) if stays else future, ANSWER_SECONDS)
    except CommandError as error:
        raise HTTPException(str(error), status_code=error.status) from error
    except TimeoutError as error:
        raise HTTPException(str(Busy()), status_code=503) from error


def envelope(data: Any) -> dict[str, Any]:
    """The order manager's form of an answer."""
    return {"success": True, "data": data}


def _entry(orders: OrderLoop, order: str) -> Entry:
    found = orders.chronicle.ledger.entries.get(order)
    if found is None:
        raise NotFoundException(f"there is no order {order}")
    return found


async def _until(holds: Callable[[], bool]) -> None:
    deadline = asyncio.get_running_loop().time() + CANCEL_SECONDS
    while not holds() and asyncio.get_running_loop().time() < deadline:
        await asyncio.sleep(POLL_SECONDS)


def _shown(entry: Entry, status: Status | None, symbol: str | None, side: Literal["BUY", "SELL"] | None) -> bool:
    order = entry.order
    fits = order.status is status or (status is Status.SUBMITTED and order.status is Status.UNKNOWN)
    return (status is None or fits) and symbol in (None, order.symbol) and side in (None, order.side)


def _between(entry: Entry, start: dt.date | None, end: dt.date | None) -> bool:
    day = entry.made_at.astimezone(SAO_PAULO).date()
    return (start is None or day >= start) and (end is None or day <= end)


def _check_prices(data: NewOrderBody) -> None:
    kind = shapes.kind_of(data.type)
    wrong = [
        invalid(name, f"{kind} {'needs one' if needed else 'has none'}").errors[0]
        for name, value, needed in (
            ("price", data.price, kind in ("LIMIT", "STOP_LIMIT")),
            ("stopPrice", data.stop_price, kind in ("STOP", "STOP_LIMIT")),
        )
        if needed != (value is not None)
    ]
    if wrong:
        raise InvalidRequestError(*wrong)
    for name, value in (("price", data.price), ("stopPrice", data.stop_price)):
        _bounded(name, value)
        if value is not None and value != round(value, 2):
            raise invalid(name, f"expected at most two decimals, found {value}")


def _price_or_market(value: Decimal | None) -> Decimal | None:
    """None for -1 as well, which means at the market."""
    return None if value is not None and value.is_finite() and value == -1 else _bounded("price", value)


def _bounded(name: str, value: Decimal | None) -> Decimal | None:
    """A price that can be reckoned with: NaN and the like would break the arithmetic of the loop."""
    if value is not None and not (value.is_finite() and 0 < value < NO_PRICE):
        raise invalid(name, f"expected a number above 0 and below {NO_PRICE}, found {value}")
    return value


def _hash(request: Request[Any, Any, Any], body: Struct | None, more: Iterable[str]) -> str:
    """Of who asks for what, not of how its JSON was written: the key itself takes no part.

    Another's key that is used by chance is refused: neither is its answer told, nor is the order lost.
    """
    fields = msgspec.to_builtins(body) if body is not None else {}
    fields.pop("idempotencyKey", None)
    route = request.scope.get("path_template") or request.url.path
    route = str(route).replace("/api/v1/orders", "/api/orders")
    whole = msgspec.json.encode([request.method, route, *more, fields], order="deterministic")
    return hashlib.sha256(whole).hexdigest()
