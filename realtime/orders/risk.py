"""Whether an order may leave: a table of checks, each a pure function of the intent, what is known, and the limits.

Fails closed: a reference that is missing or too old refuses, and so does a limit that is not set where one is needed.
Cancellations are never asked here. A refusal is a value that says which check, which limit, and what was observed.
"""

import datetime as dt
from collections.abc import Callable, Sequence
from decimal import Decimal

from msgspec import Struct

from realtime.orders.states import Kind, Side
from sql.exchange import Instrument

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


class Working(Struct, frozen=True, kw_only=True):
    """An order that may still trade, foreign ones and those nobody is sure of included."""

    symbol: str
    side: Side
    leaves: int
    price: Decimal | None
    notional: Decimal | None  # of what is left, BRL; None: nobody can tell
    account: str
    strategy: str | None = None
    unknown: bool = False


class Mark(Struct, frozen=True):
    """A price and when it was true."""

    price: Decimal
    at: dt.datetime


class Known(Struct, frozen=True, kw_only=True):
    """What is known at the instant of the decision. None: not known."""

    now: dt.datetime
    orders_ready: bool  # the broker takes orders, and we agree with it on what is open
    journal_ready: bool
    switched_off: str | None  # why the kill switch is on
    in_hours: bool  # the market's regular hours
    state: int | None  # of the symbol, as the exchange numbers it
    instrument: Instrument | None
    last: Mark | None  # last trade of the symbol
    position: int  # net, of the account in the symbol
    working: Sequence[Working] = ()  # of the account, all symbols
    realised: Decimal = Decimal(0)  # of the day, BRL, costs included
    open_result: Decimal | None = Decimal(0)  # of open positions at their marks
    oldest_mark: dt.datetime | None = None  # of the positions that are open; None: none is
    margin_used: Decimal = Decimal(0)
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


class Finding(Struct, frozen=True, kw_only=True):
    """One check. Refused: `limit` and `observed` say why, `reference` against what."""

    code: str
    passed: bool
    limit: str = ""
    observed: str = ""
    reference: str = ""


Check = Callable[[Intent, Known, Limits], Finding]


def refusal_of(intent: Intent, known: Known, limits: Limits) -> Finding | None:
    """The first check that refuses; None when the order may leave."""
    return next((finding for finding in findings(intent, known, limits) if not finding.passed), None)


def findings(intent: Intent, known: Known, limits: Limits) -> list[Finding]:
    """All checks in their order, passed or not: what the audit keeps of a decision."""
    return [check(intent, known, limits) for check in CHECKS]


def reduces(intent: Intent, known: Known) -> bool:
    """Whether the order can only shrink the position, whatever else is working on its side."""
    others = sum(w.leaves for w in known.working if w.symbol == intent.symbol and w.side == intent.side)
    return intent.sign * known.position < 0 and intent.quantity + others <= abs(known.position)


def worst_position(intent: Intent, known: Known) -> int:
    """The greatest position, without its sign, that this order and all working ones on its side can lead to."""
    same = sum(w.leaves for w in known.working if w.symbol == intent.symbol and w.side == intent.side)
    return max(intent.sign * known.position + same + intent.quantity, 0)


def reference_price(intent: Intent, known: Known) -> Decimal | None:
    """The price that money is reckoned with: the dearest of the order's own and the last trade's."""
    prices = [price for price in (intent.price, intent.stop, known.last and known.last.price) if price]
    return max(prices, default=None)


def _kill_switch(_: Intent, known: Known, __: Limits) -> Finding:
    return _found("KILL_SWITCH", known.switched_off is None, "off", f"on: {known.switched_off}")


def _connection(_: Intent, known: Known, __: Limits) -> Finding:
    return _found("CONNECTION", known.orders_ready, "broker connected and reconciled", "not ready")


def _journal(_: Intent, known: Known, __: Limits) -> Finding:
    return _found("JOURNAL", known.journal_ready, "a journal that can be written", "it cannot")


def _hours(_: Intent, known: Known, __: Limits) -> Finding:
    return _found("TRADING_HOURS", known.in_hours, "regular hours", f"{known.now:%Y-%m-%d %H:%M:%S} UTC")


def _session(_: Intent, known: Known, __: Limits) -> Finding:
    return _found("SESSION_STATE", known.state == OPENED, f"state {OPENED}", f"state {_said(known.state)}")


def _allowed(intent: Intent, known: Known, limits: Limits) -> Finding:
    listed = limits.allowed is None or intent.symbol in limits.allowed
    limit = "a known instrument" if limits.allowed is None else " ".join(sorted(limits.allowed)) or "none"
    return _found("INSTRUMENT", listed and known.instrument is not None, limit, intent.symbol)


def _form(intent: Intent, _: Known, __: Limits) -> Finding:
    """Prices are there where the kind needs them and nowhere else, and a stop-limit can be filled at its stop."""
    price, stop = intent.kind in ("LIMIT", "STOP_LIMIT"), intent.kind in ("STOP", "STOP_LIMIT")
    fits = (intent.price is not None) is price and (intent.stop is not None) is stop
    if fits and intent.price is not None and intent.stop is not None:
        fits = intent.sign * (intent.price - intent.stop) >= 0
    fits = fits and all(value is None or value > 0 for value in (intent.price, intent.stop))
    limit = f"{intent.kind} with {' and '.join(['price'] * price + ['stop'] * stop) or 'no price'}"
    if price and stop:
        limit += ", BUY stop ≤ price, SELL stop ≥ price"
    return _found("ORDER_FORM", fits, limit, f"price {_said(intent.price)}, stop {_said(intent.stop)}")


def _lot(intent: Intent, known: Known, _: Limits) -> Finding:
    lot = known.instrument.lot if known.instrument else 0
    return _found("LOT", lot > 0 and intent.quantity % lot == 0, f"multiples of {lot}", str(intent.quantity))


def _tick(intent: Intent, known: Known, _: Limits) -> Finding:
    tick = Decimal(str(known.instrument.tick_size)) if known.instrument else Decimal(0)
    prices = [price for price in (intent.price, intent.stop) if price is not None]
    fits = tick > 0 and all(price % tick == 0 for price in prices)
    return _found("TICK_SIZE", fits, f"multiples of {tick}", " and ".join(map(str, prices)))


def _quantity(intent: Intent, _: Known, limits: Limits) -> Finding:
    fits = 0 < intent.quantity <= limits.quantity
    return _found("MAX_QUANTITY", fits, f"1 to {limits.quantity}", str(intent.quantity))


def _collar(intent: Intent, known: Known, limits: Limits) -> Finding:
    """The order's prices stand near the last trade, and that trade is fresh; a market order needs the latter alone."""
    last = known.last
    if last is None or known.now - last.at > limits.price_age:
        age = f"last trade {known.now - last.at} ago" if last else "no last trade"
        return _refused("PRICE_COLLAR", f"a last trade within {limits.price_age.total_seconds():g} s", age)
    prices = [price for price in (intent.price, intent.stop) if price is not None]
    away = max((abs(price - last.price) / last.price for price in prices), default=Decimal(0))
    reference = f"last trade {last.price}"
    return _found("PRICE_COLLAR", away <= limits.collar, f"{limits.collar:%}", f"{away:.2%}", reference)


def _notional(intent: Intent, known: Known, limits: Limits) -> Finding:
    if limits.notional is None:
        return _passed("MAX_NOTIONAL")
    money = _money(intent, known)
    fits = money is not None and money <= limits.notional
    return _found("MAX_NOTIONAL", fits, str(limits.notional), _said(money), _said(reference_price(intent, known)))


def _position(intent: Intent, known: Known, limits: Limits) -> Finding:
    worst = worst_position(intent, known)
    fits = worst <= limits.position or reduces(intent, known)
    reference = f"position {known.position} and working orders"
    return _found("POSITION_LIMIT", fits, str(limits.position), str(worst), reference)


def _open_orders(_: Intent, known: Known, limits: Limits) -> Finding:
    count = len(known.working)
    return _found("OPEN_ORDERS", count < limits.open_orders, f"below {limits.open_orders}", str(count))


def _exposure(intent: Intent, known: Known, limits: Limits) -> Finding:
    if limits.open_notional is None:
        return _passed("OPEN_EXPOSURE")
    own = _money(intent, known)
    others = [w.notional for w in known.working]
    if own is None or None in others:
        return _refused("OPEN_EXPOSURE", str(limits.open_notional), "an order without a price to reckon with")
    total = own + sum(filter(None, others), Decimal(0))
    return _found("OPEN_EXPOSURE", total <= limits.open_notional, str(limits.open_notional), str(total))


def _rate(_: Intent, known: Known, limits: Limits) -> Finding:
    fits = known.messages_second < limits.per_second and known.messages_minute < limits.per_minute
    observed = f"{known.messages_second} within a second, {known.messages_minute} within a minute"
    return _found("MESSAGE_RATE", fits, f"{limits.per_second} and {limits.per_minute}", observed)


def _twin(intent: Intent, known: Known, limits: Limits) -> Finding:
    unknown = sum(
        w.unknown
        and (w.symbol, w.side, w.leaves, w.price) == (intent.symbol, intent.side, intent.quantity, intent.price)
        for w in known.working
    )
    observed = f"{known.twins} equal ones just now, {unknown} whose fate nobody knows"
    return _found("DUPLICATE", known.twins <= limits.twins and not unknown, f"{limits.twins} equal ones", observed)


def _daily_loss(_: Intent, known: Known, limits: Limits) -> Finding:
    limit = str(limits.daily_loss)
    if known.open_result is None:
        return _refused("DAILY_LOSS", limit, "the open result is not known")
    if known.oldest_mark is not None and known.now - known.oldest_mark > limits.mark_age:
        return _refused("DAILY_LOSS", limit, f"a position is marked at {known.oldest_mark:%H:%M:%S}, too long ago")
    loss = -(known.realised + known.open_result)
    return _found("DAILY_LOSS", loss < limits.daily_loss, f"below {limit}", str(max(loss, Decimal(0))))


def _margin(intent: Intent, known: Known, limits: Limits) -> Finding:
    if limits.capital is None or limits.margin_rate is None:
        missing = "TRADINGSYSTEM_CAPITAL" if limits.capital is None else "TRADINGSYSTEM_MARGIN_RATE"
        return (
            _refused("MARGIN", "capital and rate", f"{missing} is not set")
            if limits.margin_needed
            else _passed("MARGIN")
        )
    money = _money(intent, known)
    if money is None:
        return _refused("MARGIN", str(limits.capital), "no price to reckon with")
    needed = known.margin_used + (Decimal(0) if reduces(intent, known) else money * limits.margin_rate)
    return _found("MARGIN", needed <= limits.capital, str(limits.capital), str(needed))


CHECKS: tuple[Check, ...] = (
    _kill_switch,
    _journal,
    _connection,
    _hours,
    _allowed,
    _form,
    _quantity,
    _lot,
    _tick,
    _session,
    _collar,
    _notional,
    _position,
    _open_orders,
    _exposure,
    _rate,
    _twin,
    _daily_loss,
    _margin,
)


def _money(intent: Intent, known: Known) -> Decimal | None:
    price = reference_price(intent, known)
    if price is None or known.instrument is None:
        return None
    return intent.quantity * price * Decimal(str(known.instrument.point_value))


def _said(value: object) -> str:
    return "none" if value is None else str(value)


def _passed(code: str) -> Finding:
    return Finding(code=code, passed=True)


def _refused(code: str, limit: str, observed: str, reference: str = "") -> Finding:
    return Finding(code=code, passed=False, limit=limit, observed=observed, reference=reference)


def _found(code: str, holds: bool, limit: str, observed: str, reference: str = "") -> Finding:
    return Finding(code=code, passed=holds, limit=limit, observed=observed, reference=reference)
