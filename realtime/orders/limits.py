"""The limits that are in force, and how they change while the process runs. Pure; each change makes a new version.

What a symbol, account or strategy has of its own can only be stricter than what holds for all, except for the greatest
position: that belongs to a symbol, or to the root of a contract (WIN holds for WINZ26).
"""

import datetime as dt
import re
from collections.abc import Mapping
from decimal import Decimal
from zoneinfo import ZoneInfo

from msgspec import Struct, structs

from realtime.orders.risk import Limits
from sql.exchange import market_of

LOWEST_LOSS, HIGHEST_LOSS = Decimal(100), Decimal(1_000_000)
HIGHEST_POSITION = 10_000
ALL_DAY = ("00:00", "23:59")
SYMBOL = re.compile(r"[A-Z0-9]{3,20}")


class Scope(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """Whom stricter limits are for; None: anybody, anything. The root of a contract is all of its months."""

    account: str | None = None
    strategy: str | None = None
    symbol: str | None = None

    def holds(self, account: str, strategy: str | None, symbol: str) -> bool:
        wanted = ((self.account, account), (self.strategy, strategy))
        same = all(mine is None or mine == theirs for mine, theirs in wanted)
        return same and self.symbol in (None, symbol, symbol[:3])


class Stricter(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """Limits of a scope; None: as for all."""

    scope: Scope
    quantity: int | None = None
    notional: Decimal | None = None
    position: int | None = None
    open_orders: int | None = None
    open_notional: Decimal | None = None
    per_second: int | None = None
    per_minute: int | None = None
    daily_loss: Decimal | None = None
    forbidden: bool = False  # no order at all


class Hours(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, cache_hash=True):
    """When orders may be sent, on a clock."""

    start: str = "09:00"
    end: str = "18:00"
    timezone: str = "America/Sao_Paulo"

    def __str__(self) -> str:
        return f"{self.start} to {self.end} {self.timezone}"

    def hold(self, now: dt.datetime) -> bool:
        """Whether an instant lies in them. The end's minute is out, except for 23:59: that is the whole day."""
        clock = f"{now.astimezone(ZoneInfo(self.timezone)):%H:%M}"
        return self.start <= clock and (clock < self.end or self.end == ALL_DAY[1])


class RiskLimits(Struct, frozen=True, kw_only=True):
    """All limits of the process. `base` comes from settings, the rest may change at run time."""

    base: Limits
    hours: Hours = Hours()
    positions: Mapping[str, int] = {}  # symbol or root -> greatest position
    shares: int = 500  # greatest position of a symbol of the cash market without one of its own
    stricter: tuple[Stricter, ...] = ()
    version: int = 1

    def position(self, symbol: str) -> int:
        """The greatest position of a symbol, without its sign."""
        own = self.positions.get(symbol, self.positions.get(symbol[:3]))
        return own if own is not None else self.shares if market_of(symbol) == "B" else self.base.position

    def of(self, account: str, strategy: str | None, symbol: str) -> Limits:
        """What holds for an order: the strictest of everything that matches."""
        found = structs.replace(self.base, position=self.position(symbol), hours=str(self.hours))
        for each in self.stricter:
            if each.scope.holds(account, strategy, symbol):
                found = _stricter(found, each)
        return found


class LimitsError(ValueError):
    """Limits that cannot be set. `field` names the first that is wrong."""

    def __init__(self, field: str, why: str) -> None:
        super().__init__(f"{field}: {why}")
        self.field = field
        self.why = why


class Change(Struct, frozen=True, kw_only=True):
    """What somebody wants to be different; None: as it is."""

    daily_loss: Decimal | None = None
    positions: Mapping[str, int | None] | None = None  # None of a symbol: no limit of its own any more
    hours: Hours | None = None
    stricter: tuple[Stricter, ...] | None = None


def changed(limits: RiskLimits, change: Change) -> RiskLimits:
    """The limits after a change, as the next version. `check` has been asked whether it may be."""
    loss = limits.base.daily_loss if change.daily_loss is None else change.daily_loss
    positions = {**limits.positions, **(change.positions or {})}
    return structs.replace(
        limits,
        base=structs.replace(limits.base, daily_loss=loss),
        positions={symbol: most for symbol, most in positions.items() if most is not None},
        hours=change.hours or limits.hours,
        stricter=limits.stricter if change.stricter is None else change.stricter,
        version=limits.version + 1,
    )


def together(before: Change, then: Change) -> Change:
    """Two changes, one after the other, as one."""
    said = {name: value for name, value in structs.asdict(then).items() if value is not None}
    if then.positions is not None:
        said["positions"] = {**(before.positions or {}), **then.positions}
    return structs.replace(before, **said)


def as_they_were(limits: RiskLimits, change: Change) -> Change:
    """What a change is about to replace, as the change that would undo it."""
    return Change(
        daily_loss=None if change.daily_loss is None else limits.base.daily_loss,
        positions=None if change.positions is None else {s: limits.position(s) for s in change.positions},
        hours=None if change.hours is None else limits.hours,
        stricter=None if change.stricter is None else limits.stricter,
    )


def check(change: Change) -> None:
    """Raises LimitsError for what no limit may be."""
    loss = change.daily_loss
    if loss is not None and not (loss.is_finite() and LOWEST_LOSS <= loss <= HIGHEST_LOSS):
        raise LimitsError("dailyLossLimit", f"expected {LOWEST_LOSS} to {HIGHEST_LOSS} BRL, found {loss}")
    for symbol, most in (change.positions or {}).items():
        _check_symbol("maxPositionSize", symbol)
        if most is not None and not 1 <= most <= HIGHEST_POSITION:
            raise LimitsError(f"maxPositionSize.{symbol}", f"expected 1 to {HIGHEST_POSITION}, found {most}")
    if change.hours is not None:
        _check_hours(change.hours)
    for each in change.stricter or ():
        if each.scope.symbol is not None:
            _check_symbol("stricter.scope.symbol", each.scope.symbol)
        numbers = [value for name, value in structs.asdict(each).items() if name not in ("scope", "forbidden")]
        if any(value is not None and not (Decimal(value).is_finite() and value >= 0) for value in numbers):
            raise LimitsError("stricter", "a limit is a number that is not below 0")


def _check_symbol(field: str, name: str) -> None:
    """A limit of a symbol that no order can have would never hold, and nobody would notice."""
    if SYMBOL.fullmatch(name) is None:
        raise LimitsError(field, f"expected a symbol or the root of a contract in capitals, found {name!r}")


def _check_hours(hours: Hours) -> None:
    for name, text in (("start", hours.start), ("end", hours.end)):
        try:
            fits = f"{dt.time.fromisoformat(text):%H:%M}" == text
        except ValueError:
            fits = False
        if not fits:
            raise LimitsError(f"tradingHours.{name}", f"expected HH:MM, found {text!r}")
    if hours.start >= hours.end:
        raise LimitsError("tradingHours", f"expected start before end, found {hours.start} and {hours.end}")
    try:
        ZoneInfo(hours.timezone)
    except (OSError, ValueError, KeyError) as error:
        raise LimitsError("tradingHours.timezone", f"no zone of that name: {hours.timezone!r}") from error


def _stricter(limits: Limits, own: Stricter) -> Limits:
    said = {name: value for name, value in structs.asdict(own).items() if name not in ("scope", "forbidden")}
    least = {name: _least(getattr(limits, name), value) for name, value in said.items() if value is not None}
    found = structs.replace(limits, **least)
    return structs.replace(found, allowed=frozenset()) if own.forbidden else found


def _least(one: Decimal | int | None, other: Decimal | int) -> Decimal | int:
    return other if one is None else min(one, other)
