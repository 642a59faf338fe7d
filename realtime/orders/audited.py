"""Who decided what about orders, and what came of it: the audit line of a journal's record. Pure."""

from collections.abc import Mapping
from typing import Any

import msgspec

from realtime.orders import records
from realtime.orders.entries import Change
from realtime.orders.states import FINAL, Ruled, Status
from sql.tables import AuditLog, OrderEvent

NOBODY: tuple[str, str] = ("process", "scheduler")
BROKER: tuple[str, str] = ("broker", "broker")
ENTITIES: Mapping[type, str] = {
    records.TakenOver: "position",
    records.DayBegun: "session",
    records.LimitsSet: "limits",
    records.SwitchPulled: "kill-switch",
    records.SwitchDone: "kill-switch",
    records.SwitchReleased: "kill-switch",
    records.Reconciled: "account",
    records.Differed: "account",
    records.Started: "process",
    records.Stopped: "process",
}


def audit_of(event: OrderEvent, change: Change | None) -> AuditLog | None:
    """The audit line of a record that is shipped as `event`; none for progress reports, which decide nothing."""
    entry = change.entry if change else None
    if change is not None and isinstance(entry, records.Happened) and not _tells(entry, change):
        return None
    actor, source = _actor(event, entry)
    failed = isinstance(entry, records.Refused) or (
        isinstance(entry, records.Happened) and event.status in ("FAILED", "REJECTED", "UNKNOWN")
    )
    failed = failed or (isinstance(entry, records.Answered) and bool(entry.refused or entry.unclear))
    return AuditLog(
        ts=event.ts,
        journal=event.journal,
        number=event.number,
        actor=actor,
        source=source,
        action=event.event_type,
        entity="journal" if entry is None else ENTITIES.get(type(entry), "order"),
        entity_id=_entity_id(event, entry),
        details=msgspec.json.encode(_details(event, entry, change), order="deterministic").decode(),
        result="FAILURE" if failed else "SUCCESS",
        correlation_id=event.correlation_id,
    )


def _tells(entry: records.Happened, change: Change) -> bool:
    """Whether news of an order is more than progress: a fill, an end, a doubt, a person's word."""
    order = change.order
    if order is None or isinstance(entry.event, Ruled) or change.fill is not None:
        return isinstance(entry.event, Ruled) or change.fill is not None
    return order.status is not change.was and (order.status in FINAL or order.status is Status.UNKNOWN)


def _actor(event: OrderEvent, entry: records.Entry | None) -> tuple[str, str]:
    match entry:
        case records.Happened():
            return (entry.event.by, "api") if isinstance(entry.event, Ruled) else BROKER
        case records.Answered() | records.Disputed():
            return BROKER
        case records.SwitchPulled():
            return entry.latch.by, "kill-switch"
    return (event.user_id, event.source or NOBODY[1]) if event.user_id else NOBODY


def _entity_id(event: OrderEvent, entry: records.Entry | None) -> str:
    match entry:
        case records.TakenOver():
            return f"{entry.account} {entry.symbol}"
        case records.Reconciled() | records.Differed():
            return entry.account
        case records.DayBegun():
            return entry.session.isoformat()
        case records.Started():
            return entry.broker
        case records.Answered() | records.Disputed() | records.Asked():
            return entry.order
    return event.order_id or event.journal


def _details(event: OrderEvent, entry: records.Entry | None, change: Change | None) -> dict[str, Any]:
    """Why, from what, to what."""
    match entry:
        case records.Intended():
            return {"order": _wanted(event), "checks": [check.code for check in entry.checks if check.passed]}
        case records.Refused():
            return {"order": _wanted(event), "refused": entry.refusal}
        case records.Happened() if change is not None:
            order = change.order
            return {
                "from": change.was,
                "to": event.status,
                "why": order.text if order else "",
                **({"fill": change.fill} if change.fill else {}),
            }
        case records.LimitsSet():
            return {"from": entry.before, "to": entry.change}
        case records.TakenOver():
            return {"from": entry.before, "to": entry.net, "average": entry.average, "why": entry.reason}
    said: dict[str, Any] = msgspec.json.decode(event.payload)
    return {name: value for name, value in said.items() if name not in ("at", "caller", "order")}


def _wanted(event: OrderEvent) -> dict[str, Any]:
    names = ("symbol", "side", "order_type", "quantity", "price", "stop_price", "account", "strategy_id")
    return {name: getattr(event, name) for name in names}
