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
WITH_PRICE, WITH_STOP = ("LIMIT", "STOP_LIMIT"), ("STOP", "STOP_LIMIT")  # kinds


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
Words = Callable[[Intent, Known, Limits], Why]  # of a check that refuses


def refusal_of(intent: Intent, known: Known, limits: Limits) -> Finding | None:
    """The first check that refuses; None when the order may leave."""
    return next((finding for finding in findings(intent, known, limits) if not finding.passed), None)


def findings(intent: Intent, known: Known, limits: Limits) -> list[Finding]:
    """All checks in their order, passed or not: what the audit keeps of a decision, with what was known."""
    found = _PASSED.copy()
    for code in refusing(intent, known, limits):
        found[_PLACES[code]] = refused(code, *CHECKS[code](intent, known, limits))
    return found


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


def refusing(intent: Intent, known: Known, limits: Limits) -> list[str]:  # noqa: PLR0912, PLR0915 - in one piece
    """The codes of the checks that refuse, in the order of `CHECKS`, which has the words for each.

    In one piece, because every order waits for it: with a function for each check it takes more than twice as long.
    """
    codes: list[str] = []
    instrument, last, working, now = known.instrument, known.last, known.open, known.now
    quantity, own = intent.quantity, intent.price is not None or intent.stop is not None
    less = reduces(intent, known)
    money = total = None
    if limits.notional is not None or limits.open_notional is not None or limits.margin_rate is not None:
        money = _money(intent, known)
        total = None if money is None or working.notional is None else money + working.notional

    if known.switched_off is not None:
        codes.append("KILL_SWITCH")
    if not known.journal_ready:
        codes.append("JOURNAL")
    if not known.orders_ready or not (known.day_begun or less):  # the loss of a day that has not begun is not known
        codes.append("CONNECTION")
    if not known.in_hours:
        codes.append("TRADING_HOURS")
    strange = instrument is None or (limits.allowed is not None and intent.symbol not in limits.allowed)
    if strange or (known.dispute is not None and not less):  # whoever is right about it, less of it is less risk
        codes.append("INSTRUMENT")
    if known.state != OPENED:  # an instrument that nobody knows has none
        codes.append("SESSION_STATE")
    if not _formed(intent):
        codes.append("ORDER_FORM")
    if not 0 < quantity <= limits.quantity:
        codes.append("MAX_QUANTITY")
    if instrument is None or instrument.lot <= 0 or quantity % instrument.lot:
        codes.append("LOT")
    if instrument is None or instrument.tick_size <= 0 or (own and not _on_ticks(intent, instrument)):
        codes.append("TICK_SIZE")
    # A trade of a time to come: the clock was put back.
    if last is None or abs(now - last.at) > limits.price_age or (own and _away(intent, last) > limits.collar):
        codes.append("PRICE_COLLAR")
    if limits.notional is not None and (money is None or money > limits.notional):
        codes.append("MAX_NOTIONAL")
    if not less and worst_position(intent, known) > limits.position:
        codes.append("POSITION_LIMIT")
    if working.orders >= limits.open_orders:
        codes.append("OPEN_ORDERS")
    if limits.open_notional is not None and (total is None or total > limits.open_notional):
        codes.append("OPEN_EXPOSURE")
    if known.messages_second >= limits.per_second or known.messages_minute >= limits.per_minute:
        codes.append("MESSAGE_RATE")
    if known.twins > limits.twins or working.unknown:
        codes.append("DUPLICATE")
    if known.open_result is None or (known.oldest_mark is not None and abs(now - known.oldest_mark) > limits.mark_age):
        if not less:  # what is not known refuses new risk: whoever wants less of it is let out
            codes.append("DAILY_LOSS")
    elif (known.day_begun or not less) and _lost(known.realised, known.open_result) >= limits.daily_loss:
        codes.append("DAILY_LOSS")
    if limits.capital is None or limits.margin_rate is None:
        if limits.margin_needed:
            codes.append("MARGIN")
    elif not less:  # else it frees margin: who has too little of it must be able to get out
        used = known.margin_used
        if money is None or used is None or used + money * limits.margin_rate > limits.capital:
            codes.append("MARGIN")
    return codes


def _formed(intent: Intent) -> bool:
    """Prices are there where the kind needs them and nowhere else, and a stop-limit can be filled at its stop."""
    kind, price, stop = intent.kind, intent.price, intent.stop
    if (price is not None) is not (kind in WITH_PRICE) or (stop is not None) is not (kind in WITH_STOP):
        return False
    if (price is not None and price <= 0) or (stop is not None and stop <= 0):
        return False
    return price is None or stop is None or intent.sign * (price - stop) >= 0


def _on_ticks(intent: Intent, instrument: Instrument) -> bool:
    tick = exact(instrument.tick_size)
    return not any(price is not None and price % tick for price in (intent.price, intent.stop))


def _away(intent: Intent, last: Mark) -> Decimal:
    """How far the order's prices stand from the last trade, as a share of it."""
    prices = [price for price in (intent.price, intent.stop) if price is not None]
    return max([abs(price - last.price) / last.price for price in prices])


def _lost(realised: Decimal, open_result: Decimal) -> Decimal:
    return round(-(realised + open_result), MONEY_DIGITS)


def _money(intent: Intent, known: Known) -> Decimal | None:
    price = reference_price(intent, known)
    if price is None or known.instrument is None:
        return None
    return intent.quantity * price * exact(known.instrument.point_value)


# --- what is said of each, where it refuses ---


def _kill_switch(_: Intent, known: Known, __: Limits) -> Why:
    return "off", f"on: {known.switched_off}", ""


def _journal(_: Intent, __: Known, ___: Limits) -> Why:
    return "a journal that can be written", "it cannot", ""


def _connection(_: Intent, known: Known, __: Limits) -> Why:
    if not known.orders_ready:
        return "broker connected and reconciled", "not ready", ""
    return "a day that has begun, or an order that only reduces", "it waits for a list or for settlements", ""


def _hours(intent: Intent, known: Known, limits: Limits) -> Why:
    clock = f"{known.now.astimezone(SAO_PAULO):%Y-%m-%d %H:%M:%S} in São Paulo"
    return f"{limits.hours}, and the exchange's own hours of {intent.symbol}", clock, ""


def _session(intent: Intent, known: Known, _: Limits) -> Why:
    told = f"none was told of {intent.symbol}: it is not subscribed" if known.state is None else f"state {known.state}"
    return f"state {OPENED}, continuous trading", told, ""


def _instrument(intent: Intent, known: Known, limits: Limits) -> Why:
    if known.dispute is not None and not reduces(intent, known):
        return known.dispute.ours, known.dispute.theirs, "what the broker says of the instrument"
    limit = "a known instrument" if limits.allowed is None else " ".join(sorted(limits.allowed))
    return limit or "none: a stricter limit forbids all", intent.symbol, ""


def _form(intent: Intent, _: Known, __: Limits) -> Why:
    price, stop = intent.kind in WITH_PRICE, intent.kind in WITH_STOP
    limit = f"{intent.kind} with {' and '.join(['price'] * price + ['stop'] * stop) or 'no price'}"
    if price and stop:
        limit += ", BUY stop ≤ price, SELL stop ≥ price"
    return limit, f"price {_said(intent.price)}, stop {_said(intent.stop)}", ""


def _quantity(intent: Intent, _: Known, limits: Limits) -> Why:
    return f"1 to {limits.quantity}", str(intent.quantity), ""


def _lot(intent: Intent, known: Known, _: Limits) -> Why:
    return f"multiples of {known.instrument.lot if known.instrument else 0}", str(intent.quantity), ""


def _tick(intent: Intent, known: Known, _: Limits) -> Why:
    prices = [str(price) for price in (intent.price, intent.stop) if price is not None]
    tick = exact(known.instrument.tick_size if known.instrument else 0.0)
    return f"multiples of {tick}", " and ".join(prices) or "no price", ""


def _collar(intent: Intent, known: Known, limits: Limits) -> Why:
    """The order's prices stand near the last trade, and that trade is fresh; a market order needs the latter alone."""
    last = known.last
    if last is None or abs(known.now - last.at) > limits.price_age:
        age = f"last trade {(known.now - last.at).total_seconds():.1f} s ago" if last else "no last trade"
        return f"a last trade within {limits.price_age.total_seconds():g} s", age, ""
    return f"{limits.collar:%}", f"{_away(intent, last):.2%}", f"last trade {last.price}"


def _notional(intent: Intent, known: Known, limits: Limits) -> Why:
    return str(limits.notional), _said(_money(intent, known)), f"at {_said(reference_price(intent, known))}"


def _position(intent: Intent, known: Known, limits: Limits) -> Why:
    worst = worst_position(intent, known)
    return str(limits.position), str(worst), f"position {known.position} and working orders"


def _open_orders(_: Intent, known: Known, limits: Limits) -> Why:
    return f"below {limits.open_orders}", str(known.open.orders), ""


def _exposure(intent: Intent, known: Known, limits: Limits) -> Why:
    own, others = _money(intent, known), known.open.notional
    if own is None or others is None:
        return str(limits.open_notional), "an order without a price to reckon with", ""
    return str(limits.open_notional), str(own + others), ""


def _rate(_: Intent, known: Known, limits: Limits) -> Why:
    observed = f"{known.messages_second} within a second, {known.messages_minute} within a minute"
    return f"{limits.per_second} and {limits.per_minute}", observed, ""


def _twin(_: Intent, known: Known, limits: Limits) -> Why:
    observed = f"{known.twins} equal ones just now, {known.open.unknown} whose fate nobody knows"
    return f"{limits.twins} equal ones", observed, ""


def _daily_loss(_: Intent, known: Known, limits: Limits) -> Why:
    if known.open_result is None:
        return str(limits.daily_loss), "the open result is not known", ""
    if known.oldest_mark is not None and abs(known.now - known.oldest_mark) > limits.mark_age:
        marked = f"a position is marked at {known.oldest_mark:%H:%M:%S}, too long ago"
        return str(limits.daily_loss), marked, ""
    loss = _lost(known.realised, known.open_result)
    return f"below {limits.daily_loss}", str(max(loss, Decimal(0))), ""


def _margin(intent: Intent, known: Known, limits: Limits) -> Why:
    if limits.capital is None or limits.margin_rate is None:
        missing = "TRADINGSYSTEM_CAPITAL" if limits.capital is None else "TRADINGSYSTEM_MARGIN_RATE"
        return "capital and rate", f"{missing} is not set", ""
    money = _money(intent, known)
    if money is None or known.margin_used is None:
        return str(limits.capital), "no price to reckon with", ""
    return str(limits.capital), str(known.margin_used + money * limits.margin_rate), ""


def _said(value: object) -> str:
    return "none" if value is None else str(value)


CHECKS: Mapping[str, Words] = MappingProxyType(
    {
        "KILL_SWITCH": _kill_switch,
        "JOURNAL": _journal,
        "CONNECTION": _connection,
        "TRADING_HOURS": _hours,
        "INSTRUMENT": _instrument,
        "SESSION_STATE": _session,
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
_PASSED = [Finding(code=code, passed=True) for code in CHECKS]
_PLACES = {code: place for place, code in enumerate(CHECKS)}
