"""Whether an order may leave: a table of checks, each a pure function of the intent, what is known, and the limits.

Fails closed: a reference that is missing or too old refuses, and so does a limit that is not set where one is needed.
Cancellations are never asked here. A refusal is a value that says which check, which limit, and what was observed.
"""

import datetime as dt
from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import lru_cache
from types import MappingProxyType

from msgspec import Struct

from realtime.orders.states import Kind, Side
from sql.exchange import SAO_PAULO, Instrument

MONEY_DIGITS = 6  # averages are divisions: a loss of exactly the limit must not come out as a hair below it
OPENED = 0  # the exchange's number for a symbol in continuous trading


class Intent(Struct, frozen=True, kw_only=True):
    """An order that somebody wants. Prices in points or BRL a share; None where the kind has none."""

    symbol: str
    side: Side
    kind: Kind
    quantity: int
    price: Decimal | None = None
    stop: Decimal | None = None
    account: str
    strategy: str | None = None

    @property
    def sign(self) -> int:
        return 1 if self.side == "BUY" else -1


class Open(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What works already, as an intent of the account meets it: foreign orders and those nobody is sure of included.

    An order whose change is on its way counts with the worse of before and after.
    """

    orders: int = 0  # of the account, all symbols
    same_side: int = 0  # what may still trade of them in the intent's symbol, on its side
    unknown: int = 0  # equal to the intent, and nobody knows their fate
    notional: Decimal | None = Decimal(0)  # of all, BRL; None: not reckoned, or one has no price to reckon with


class Mark(Struct, frozen=True):
    """A price and when it was true."""

    price: Decimal
    at: dt.datetime


class Dispute(Struct, frozen=True):
    """What we and the broker say of an instrument, in words, where both cannot be true."""

    ours: str
    theirs: str


class Known(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is known at the instant of the decision. None: not known."""

    now: dt.datetime
    orders_ready: bool  # the broker takes orders, and we agree with it on what is open
    day_begun: bool = False  # positions count from this session's settlements
    journal_ready: bool
    switched_off: str | None  # why the kill switch is on
    in_hours: bool  # the market's regular hours
    state: int | None  # of the symbol, as the exchange numbers it
    instrument: Instrument | None
    dispute: Dispute | None = None
    last: Mark | None  # last trade of the symbol
    position: int  # net, of the account in the symbol
    open: Open = Open()
    realised: Decimal = Decimal(0)  # of the day, BRL, costs included
    open_result: Decimal | None = Decimal(0)  # of open positions at their marks
    oldest_mark: dt.datetime | None = None  # of the positions that are open; None: none is
    margin_used: Decimal | None = Decimal(0)  # None: something that is open has no price to reckon with
    messages_second: int = 0  # sent to the broker within the last second and minute
    messages_minute: int = 0
    twins: int = 0  # equal intents within the window


class Limits(Struct, frozen=True, kw_only=True):
    """The limits in force for an account, strategy and symbol. Money in BRL. None: not set, refused where needed."""

    allowed: frozenset[str] | None = None  # symbols; None: all that are known
    quantity: int = 999_999
    notional: Decimal | None = None
    collar: Decimal = Decimal("0.10")  # share of the last price
    position: int = 5
    hours: str = "regular hours"  # in words
    open_orders: int = 100
    open_notional: Decimal | None = None
    per_second: int = 20
    per_minute: int = 300
    twins: int = 0
    daily_loss: Decimal = Decimal(5000)
    capital: Decimal | None = None
    margin_rate: Decimal | None = None  # share of the notional
    margin_needed: bool = False  # live money
    price_age: dt.timedelta = dt.timedelta(seconds=30)
    mark_age: dt.timedelta = dt.timedelta(seconds=60)


class Finding(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One check. Refused: `limit` and `observed` say why, `reference` against what. What passes needs no words."""

    code: str
    passed: bool
    limit: str = ""
    observed: str = ""
    reference: str = ""


Why = tuple[str, str, str]  # limit, observed, reference
Check = Callable[[Intent, Known, Limits], Why | None]  # None: it passes


def refusal_of(intent: Intent, known: Known, limits: Limits) -> Finding | None:
    """The first check that refuses; None when the order may leave."""
    return next((finding for finding in findings(intent, known, limits) if not finding.passed), None)


def findings(intent: Intent, known: Known, limits: Limits) -> list[Finding]:
    """All checks in their order, passed or not: what the audit keeps of a decision, with what was known."""
    return [
        passed if (why := check(intent, known, limits)) is None else refused(passed.code, *why)
        for passed, check in _TABLE
    ]


def refused(code: str, limit: str, observed: str, reference: str = "") -> Finding:
    """A check that says no."""
    return Finding(code=code, passed=False, limit=limit, observed=observed, reference=reference)


def reduces(intent: Intent, known: Known) -> bool:
    """Whether the order can only shrink the position, whatever else is working on its side."""
    return intent.sign * known.position < 0 and intent.quantity + known.open.same_side <= abs(known.position)


def worst_position(intent: Intent, known: Known) -> int:
    """The greatest position, without its sign, that this order and all working ones on its side can lead to."""
    return max(intent.sign * known.position + known.open.same_side + intent.quantity, 0)


def reference_price(intent: Intent, known: Known) -> Decimal | None:
    """The price that money is reckoned with: the dearest of the order's own and the last trade's."""
    prices = [price for price in (intent.price, intent.stop, known.last and known.last.price) if price]
    return max(prices, default=None)


@lru_cache(maxsize=256)
def exact(value: float) -> Decimal:
    """A number of an instrument, as it is written."""
    return Decimal(str(value))


def _kill_switch(_: Intent, known: Known, __: Limits) -> Why | None:
    return None if known.switched_off is None else ("off", f"on: {known.switched_off}", "")


def _connection(intent: Intent, known: Known, _: Limits) -> Why | None:
    """While the day waits for settlements its loss is not known: only what shrinks a position may leave."""
    if not known.orders_ready:
        return "broker connected and reconciled", "not ready", ""
    if known.day_begun or reduces(intent, known):
        return None
    return "a day that has begun, or an order that only reduces", "it waits for settlements of what is held", ""


def _journal(_: Intent, known: Known, __: Limits) -> Why | None:
    return None if known.journal_ready else ("a journal that can be written", "it cannot", "")


def _hours(intent: Intent, known: Known, limits: Limits) -> Why | None:
    if known.in_hours:
        return None
    clock = f"{known.now.astimezone(SAO_PAULO):%Y-%m-%d %H:%M:%S} in São Paulo"
    return f"{limits.hours}, and the exchange's own hours of {intent.symbol}", clock, ""


def _session(intent: Intent, known: Known, __: Limits) -> Why | None:
    if known.state == OPENED:
        return None
    told = f"none was told of {intent.symbol}: it is not subscribed" if known.state is None else f"state {known.state}"
    return f"state {OPENED}, continuous trading", told, ""


def _allowed(intent: Intent, known: Known, limits: Limits) -> Why | None:
    """Whoever is right about a disputed instrument, less of it is less risk."""
    if known.dispute is not None and not reduces(intent, known):
        return known.dispute.ours, known.dispute.theirs, "what the broker says of the instrument"
    if known.instrument is not None and (limits.allowed is None or intent.symbol in limits.allowed):
        return None
    limit = "a known instrument" if limits.allowed is None else " ".join(sorted(limits.allowed))
    limit = limit or "none: a stricter limit forbids all"
    return limit, intent.symbol, ""


def _form(intent: Intent, _: Known, __: Limits) -> Why | None:
    """Prices are there where the kind needs them and nowhere else, and a stop-limit can be filled at its stop."""
    price, stop = intent.kind in ("LIMIT", "STOP_LIMIT"), intent.kind in ("STOP", "STOP_LIMIT")
    fits = (intent.price is not None) is price and (intent.stop is not None) is stop
    fits = fits and (intent.price is None or intent.price > 0) and (intent.stop is None or intent.stop > 0)
    if fits and intent.price is not None and intent.stop is not None:
        fits = intent.sign * (intent.price - intent.stop) >= 0
    if fits:
        return None
    limit = f"{intent.kind} with {' and '.join(['price'] * price + ['stop'] * stop) or 'no price'}"
    if price and stop:
        limit += ", BUY stop ≤ price, SELL stop ≥ price"
    return limit, f"price {_said(intent.price)}, stop {_said(intent.stop)}", ""


def _lot(intent: Intent, known: Known, _: Limits) -> Why | None:
    lot = known.instrument.lot if known.instrument else 0
    return None if lot > 0 and intent.quantity % lot == 0 else (f"multiples of {lot}", str(intent.quantity), "")


def _tick(intent: Intent, known: Known, _: Limits) -> Why | None:
    prices = [price for price in (intent.price, intent.stop) if price is not None]
    tick = known.instrument.tick_size if known.instrument else 0.0
    if tick > 0 and not any(price % exact(tick) for price in prices):
        return None
    return f"multiples of {exact(tick)}", " and ".join(map(str, prices)) or "no price", ""


def _quantity(intent: Intent, _: Known, limits: Limits) -> Why | None:
    fits = 0 < intent.quantity <= limits.quantity
    return None if fits else (f"1 to {limits.quantity}", str(intent.quantity), "")


def _collar(intent: Intent, known: Known, limits: Limits) -> Why | None:
    """The order's prices stand near the last trade, and that trade is fresh; a market order needs the latter alone."""
    last = known.last
    if last is None or abs(known.now - last.at) > limits.price_age:  # a time to come: the clock was put back
        age = f"last trade {(known.now - last.at).total_seconds():.1f} s ago" if last else "no last trade"
        return f"a last trade within {limits.price_age.total_seconds():g} s", age, ""
    prices = [price for price in (intent.price, intent.stop) if price is not None]
    if not prices:
        return None
    away = max([abs(price - last.price) / last.price for price in prices])
    return None if away <= limits.collar else (f"{limits.collar:%}", f"{away:.2%}", f"last trade {last.price}")


def _notional(intent: Intent, known: Known, limits: Limits) -> Why | None:
    if limits.notional is None:
        return None
    money = _money(intent, known)
    fits = money is not None and money <= limits.notional
    return None if fits else (str(limits.notional), _said(money), f"at {_said(reference_price(intent, known))}")


def _position(intent: Intent, known: Known, limits: Limits) -> Why | None:
    worst = worst_position(intent, known)
    if worst <= limits.position or reduces(intent, known):
        return None
    return str(limits.position), str(worst), f"position {known.position} and working orders"


def _open_orders(_: Intent, known: Known, limits: Limits) -> Why | None:
    count = known.open.orders
    return None if count < limits.open_orders else (f"below {limits.open_orders}", str(count), "")


def _exposure(intent: Intent, known: Known, limits: Limits) -> Why | None:
    if limits.open_notional is None:
        return None
    own, others = _money(intent, known), known.open.notional
    if own is None or others is None:
        return str(limits.open_notional), "an order without a price to reckon with", ""
    total = own + others
    return None if total <= limits.open_notional else (str(limits.open_notional), str(total), "")


def _rate(_: Intent, known: Known, limits: Limits) -> Why | None:
    if known.messages_second < limits.per_second and known.messages_minute < limits.per_minute:
        return None
    observed = f"{known.messages_second} within a second, {known.messages_minute} within a minute"
    return f"{limits.per_second} and {limits.per_minute}", observed, ""


def _twin(_: Intent, known: Known, limits: Limits) -> Why | None:
    unknown = known.open.unknown
    if known.twins <= limits.twins and not unknown:
        return None
    return f"{limits.twins} equal ones", f"{known.twins} equal ones just now, {unknown} whose fate nobody knows", ""


def _daily_loss(intent: Intent, known: Known, limits: Limits) -> Why | None:
    """What is not known refuses new risk: whoever wants less of it is let out."""
    if not known.day_begun and reduces(intent, known):
        return None
    if known.open_result is None:
        return None if reduces(intent, known) else (str(limits.daily_loss), "the open result is not known", "")
    if known.oldest_mark is not None and abs(known.now - known.oldest_mark) > limits.mark_age:
        marked = f"a position is marked at {known.oldest_mark:%H:%M:%S}, too long ago"
        return None if reduces(intent, known) else (str(limits.daily_loss), marked, "")
    loss = round(-(known.realised + known.open_result), MONEY_DIGITS)
    return None if loss < limits.daily_loss else (f"below {limits.daily_loss}", str(max(loss, Decimal(0))), "")


def _margin(intent: Intent, known: Known, limits: Limits) -> Why | None:
    if limits.capital is None or limits.margin_rate is None:
        missing = "TRADINGSYSTEM_CAPITAL" if limits.capital is None else "TRADINGSYSTEM_MARGIN_RATE"
        return ("capital and rate", f"{missing} is not set", "") if limits.margin_needed else None
    if reduces(intent, known):  # it frees margin: who has too little of it must be able to get out
        return None
    money = _money(intent, known)
    if money is None or known.margin_used is None:
        return str(limits.capital), "no price to reckon with", ""
    needed = known.margin_used + money * limits.margin_rate
    return None if needed <= limits.capital else (str(limits.capital), str(needed), "")


CHECKS: Mapping[str, Check] = MappingProxyType(
    {
        "KILL_SWITCH": _kill_switch,
        "JOURNAL": _journal,
        "CONNECTION": _connection,
        "TRADING_HOURS": _hours,
        "INSTRUMENT": _allowed,
        "SESSION_STATE": _session,  # an instrument that nobody knows has none
        "ORDER_FORM": _form,
        "MAX_QUANTITY": _quantity,
        "LOT": _lot,
        "TICK_SIZE": _tick,
        "PRICE_COLLAR": _collar,
        "MAX_NOTIONAL": _notional,
        "POSITION_LIMIT": _position,
        "OPEN_ORDERS": _open_orders,
        "OPEN_EXPOSURE": _exposure,
        "MESSAGE_RATE": _rate,
        "DUPLICATE": _twin,
        "DAILY_LOSS": _daily_loss,
        "MARGIN": _margin,
    }
)
_TABLE = [(Finding(code=code, passed=True), check) for code, check in CHECKS.items()]


def _money(intent: Intent, known: Known) -> Decimal | None:
    price = reference_price(intent, known)
    if price is None or known.instrument is None:
        return None
    return intent.quantity * price * exact(known.instrument.point_value)


def _said(value: object) -> str:
    return "none" if value is None else str(value)
