"""`/api/v1/signals`: what models and people expect of an instrument. Kept and shown; no order follows from it here."""

import asyncio
import datetime as dt
import uuid
from typing import Annotated, Any, Literal

import msgspec
from litestar import Request, get, post
from litestar.di import NamedDependency
from litestar.params import HeaderParameter, JSONBody, QueryParameter
from msgspec import Meta, Struct

from api.asked import read_instant
from api.kernel.access import actor, scoped
from api.kernel.bodies import Body
from api.kernel.errors import invalid, responses
from sql.model_signals import ModelSignals, id_of, now
from sql.model_tables import ModelSignal

READ, WRITE = scoped("signals:read"), scoped("signals:write")
MOST_FEATURES = 16_384  # characters of JSON

Direction = Literal["BUY", "SELL", "HOLD"]
Instrument = Annotated[str, Meta(pattern=r"^[A-Za-z0-9._$@:+#/&-]{1,32}$", examples=["WINZ26"])]


class NewSignal(Struct, frozen=True, kw_only=True):
    """A signal to keep."""

    symbol: Instrument
    direction: Direction
    confidence: Annotated[float, Meta(ge=0, le=1)]
    price: Annotated[float, Meta(gt=0, le=1e15)] | None = None
    reason: Annotated[str, Meta(pattern=r"^[^\x00]*$", max_length=2_000)] | None = None
    features: dict[str, Any] = {}
    timestamp: Annotated[str, Meta(description="The sender's time, ISO 8601.", max_length=40)] | None = None


class Signal(Struct, frozen=True, kw_only=True):
    """A signal as it was kept; `timestamp` is when."""

    id: uuid.UUID
    symbol: str
    direction: Direction
    confidence: float
    price: float | None
    reason: str | None
    timestamp: dt.datetime


@get(
    "/api/v1/signals/latest",
    tags=["signals"],
    summary="The newest signals of models",
    opt=READ,
    responses=responses(400, 401, 403, 429, 503),
)
async def latest_signals(
    model_signals: NamedDependency[ModelSignals],
    limit: Annotated[int, QueryParameter(ge=1, le=100)] = 10,
    symbol: Annotated[str | None, QueryParameter(pattern=r"^[A-Za-z0-9._$@:+#/&-]{1,32}$")] = None,
) -> list[Signal]:
    """Of the last thirty days. The recommendations of Telegram channels are at `/signals`."""
    return [_shown(each) for each in await asyncio.to_thread(model_signals.latest, limit, symbol)]


@post(
    "/api/v1/signals",
    tags=["signals"],
    summary="Hand in a signal",
    opt=WRITE,
    dto=Body[NewSignal],
    responses=responses(400, 401, 403, 422, 429, 503),
)
async def add_signal(
    request: Request[Any, Any, Any],
    data: JSONBody[NewSignal],
    model_signals: NamedDependency[ModelSignals],
    key: Annotated[str | None, HeaderParameter(name="Idempotency-Key", max_length=200)] = None,
) -> Signal:
    """With an `Idempotency-Key`, the same again gives what was kept first."""
    features = msgspec.json.encode(data.features).decode()
    if len(features) > MOST_FEATURES:
        raise invalid("features", f"expected at most {MOST_FEATURES} characters of JSON, found {len(features)}")
    by = actor(request)
    signal = ModelSignal(
        ts=now(),
        id=id_of(by, key),
        symbol=data.symbol,
        direction=data.direction,
        confidence=data.confidence,
        price=data.price,
        reason=data.reason,
        features=features,
        told_at=read_instant("timestamp", data.timestamp),
        told_by=by,
    )
    return _shown(await asyncio.to_thread(model_signals.add, signal))


def _shown(signal: ModelSignal) -> Signal:
    return msgspec.convert(
        {name: getattr(signal, name) for name in Signal.__struct_fields__ if name != "timestamp"}
        | {"timestamp": signal.ts},
        Signal,
    )


MODEL_SIGNALS = [latest_signals, add_signal]
