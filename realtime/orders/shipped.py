"""A record of the journal as rows of `order_events`, `trades`, `positions` and `audit_logs`. Pure.

One record is one row of `order_events`, at most one fill, a row for each position that it changed, and an audit line
where somebody decided something or something came of it.
"""

import datetime as dt
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

import msgspec
from msgspec import Struct

from realtime.orders import records
from realtime.orders.audited import audit_of
from realtime.orders.chain import CARRIED, Link
from realtime.orders.entries import Change, OwnFill
from realtime.orders.ledger import Ledger
from realtime.orders.positions import Position
from realtime.orders.records import Caller
from realtime.orders.states import Order, Status
from sql.tables import AuditLog, OrderEvent, OwnTrade, PositionState

SUMMARY = ("records", "session", "version")  # of all that is known: the records before it have told the rest
ANSWERS = ("reply",)  # what was said to a caller: it repeats the rest
TYPES: Mapping[type, str] = {
    records.Intended: "order.created",
    records.Refused: "risk.violation",
    records.Adopted: "order.adopted",
    records.Disputed: "order.disputed",
    records.TakenOver: "position.taken-over",
    records.DayBegun: "session.begun",
    records.LimitsSet: "risk-limits.updated",
    records.SwitchPulled: "kill-switch.activated",
    records.SwitchDone: "kill-switch.done",
    records.SwitchReleased: "kill-switch.released",
    records.Reconciled: "broker.reconciled",
    records.Differed: "broker.differed",
    records.Started: "process.started",
    records.Stopped: "process.stopped",
}
BECAME: Mapping[Status, str] = {
    Status.SUBMITTED: "order.submitted",
    Status.PARTIALLY_FILLED: "order.partially-filled",
    Status.FILLED: "order.filled",
    Status.CANCELED: "order.canceled",
    Status.EXPIRED: "order.expired",
    Status.FAILED: "order.failed",
    Status.REJECTED: "order.rejected",
    Status.UNKNOWN: "order.unknown",
}


class Rows(Struct, frozen=True, kw_only=True):
    """What one record becomes."""

    event: OrderEvent
    trade: OwnTrade | None = None
    positions: tuple[PositionState, ...] = ()
    audit: AuditLog | None = None


def rows_of(link: Link, journal: str, ledger: Ledger, now: dt.datetime) -> Rows:
    """Take a record into `ledger` and say what it is in the tables. `now`: when it is sent.

    Raises msgspec.ValidationError for a body that does not fit its kind.
    """
    record = link.record
    entry = records.entry_of(record.kind, record.body)
    change = ledger.apply(entry, record.number) if entry is not None else None
    event = _event(link, journal, ledger, change, now)
    fill = change.fill if change else None
    return Rows(
        event=event,
        trade=_trade(event, fill) if fill else None,
        positions=tuple(_position(event, each, change) for each in _moved(ledger, change)),
        audit=audit_of(event, change),
    )


def type_of(kind: str, change: Change | None) -> str:
    """The name of what happened, as the event envelope has it."""
    if change is None:
        return f"journal.{kind}"
    entry = change.entry
    if isinstance(entry, records.Asked):
        return f"order.{entry.what}-asked"
    if isinstance(entry, records.Answered):
        return f"order.{entry.what}-{'refused' if entry.refused else 'unclear' if entry.unclear else 'taken'}"
    if isinstance(entry, records.Happened):
        order = change.order
        new = order is not None and (change.fill is not None or order.status is not change.was)
        return BECAME.get(order.status, "order.progress") if order is not None and new else "order.progress"
    return TYPES[type(entry)]


def _event(link: Link, journal: str, ledger: Ledger, change: Change | None, now: dt.datetime) -> OrderEvent:
    record = link.record
    order = _order_of(change)
    caller = _caller_of(ledger, change)
    named = change.entry.order if change and isinstance(change.entry, records.Happened) else None
    kept = SUMMARY if record.kind == CARRIED else record.body
    said = {name: value for name, value in record.body.items() if name in kept and name not in ANSWERS}
    return OrderEvent(
        ts=record.at,
        journal=journal,
        number=record.number,
        kind=record.kind,
        event_type=type_of(record.kind, change),
        **_state(order, named),
        user_id=caller.user if caller else None,
        source=caller.source if caller else None,
        correlation_id=caller.correlation_id if caller else None,
        idempotency_key=caller.key if caller else None,
        payload=msgspec.json.encode(said, order="deterministic").decode(),
        mac=link.mac,
        ingested_at=now,
    )


def _state(order: Order | None, named: str | None) -> dict[str, Any]:
    """An order's columns; of one that was let go since, its name alone."""
    if order is None:
        return {"order_id": named, **dict.fromkeys(_STATE)}
    return {
        "order_id": order.id,
        "account": order.account,
        "symbol": order.symbol,
        "side": order.side,
        "order_type": order.kind,
        "quantity": order.quantity,
        "filled_quantity": order.traded,
        "price": _double(order.price),
        "stop_price": _double(order.stop),
        "avg_fill_price": _double(order.average_price),
        "status": str(order.status),
        "time_in_force": order.time_in_force,
        "strategy_id": order.strategy,
        "broker_order_id": order.exchange_id,
    }


_STATE = (
    "account",
    "symbol",
    "side",
    "order_type",
    "quantity",
    "filled_quantity",
    "price",
    "stop_price",
    "avg_fill_price",
    "status",
    "time_in_force",
    "strategy_id",
    "broker_order_id",
)


def _order_of(change: Change | None) -> Order | None:
    if change is None:
        return None
    refused = change.entry.order if isinstance(change.entry, records.Refused) else None
    return change.order or refused


def _caller_of(ledger: Ledger, change: Change | None) -> Caller | None:
    """Who asked for it; of news about an order, whose order it is."""
    if change is None:
        return None
    caller: Caller | None = getattr(change.entry, "caller", None)
    if caller is not None or change.order is None:
        return caller
    owner = ledger.entries.get(change.order.id)
    return owner.caller if owner else None


def _trade(event: OrderEvent, fill: OwnFill) -> OwnTrade:
    return OwnTrade(
        ts=fill.at,
        journal=event.journal,
        number=event.number,
        trade_id=fill.id,
        order_id=fill.order,
        account=fill.account,
        symbol=fill.symbol,
        side=fill.side,
        quantity=float(fill.quantity),
        price=float(fill.price),
        cost=float(fill.cost),
        strategy_id=fill.strategy,
        source=fill.source,
        ingested_at=event.ingested_at,
    )


def _moved(ledger: Ledger, change: Change | None) -> Iterable[Position]:
    """The positions that a record changed: one, or all of them where a session begins."""
    if change is not None and isinstance(change.entry, records.DayBegun):
        return list(ledger.positions.values())
    return [change.position] if change is not None and change.position is not None else []


def _position(event: OrderEvent, position: Position, change: Change | None) -> PositionState:
    fill = change.fill if change else None
    return PositionState(
        ts=change.entry.at if change else event.ts,
        journal=event.journal,
        number=event.number,
        position_id=f"{position.account} {position.symbol}",
        account=position.account,
        symbol=position.symbol,
        quantity=float(position.net),
        avg_price=float(position.average),
        unrealized_pnl=_open_result(position, fill),
        realized_pnl=float(position.realised),
        day_realized_pnl=float(position.day_realised),
        costs=float(position.costs),
        point_value=float(position.point_value),
        strategy_id=fill.strategy if fill else None,
        updated_at=event.ts,
    )


def _open_result(position: Position, fill: OwnFill | None) -> float | None:
    if position.net == 0:
        return 0.0
    return float(position.unrealised(fill.price)) if fill else None


def _double(value: Decimal | None) -> float | None:
    return None if value is None else float(value)
