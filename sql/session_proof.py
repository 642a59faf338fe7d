"""Whether the tape of one session is proven: a pure rule over what we hold, what is missing, what the exchange says.

Proven: the session is over, no number is missing, and trades, quantity and volume are those of a sum that the exchange
told after its close. Everything else is unproven, with the reason in words.
"""

import datetime as dt
import math
from decimal import Decimal
from typing import Literal

from msgspec import Struct

from sql.exchange import SAO_PAULO, Instrument, instrument_of

State = Literal["open", "proven", "unproven"]
PRICE_UNITS = 10_000  # of a price: sums of prices are exact integers
CLOSED = dt.time(19, 0)  # São Paulo: half an hour after the last market of the day
QUIET = dt.timedelta(seconds=20)  # a session whose rows still arrive is not over, whatever its date
LIVE = frozenset({"profitdll", "simulator"})  # sources whose rows come one by one, and that have a history to ask
INVENTED = frozenset({"simulator", "generated"})  # markets that may trade round the clock
DAILY = "daily"


class Sums(Struct, frozen=True, kw_only=True):
    """Trades of a session. `turnover`: price times quantity, in ten-thousandths."""

    trades: int = 0
    quantity: int = 0
    turnover: int = 0


class Held(Struct, frozen=True, kw_only=True):
    """What the tape holds of a session. `sums` leave cancelled trades out, `told` has every trade that was told."""

    symbol: str
    session: dt.date
    sums: Sums = Sums()
    told: Sums = Sums()
    first_id: int | None = None  # of the numbers that the exchange gave
    last_id: int | None = None
    own_numbers: int = 0  # rows under the exchange's numbers of this source
    first_ts: dt.datetime | None = None
    last_ts: dt.datetime | None = None
    last_received: dt.datetime | None = None
    first_received: dt.datetime | None = None
    sources: tuple[str, ...] = ()

    @property
    def turnover(self) -> Decimal:
        """Price times quantity, exactly."""
        return Decimal(self.sums.turnover) / PRICE_UNITS


class Reference(Struct, frozen=True, kw_only=True):
    """What the exchange says of a session: `volume` in BRL, or `turnover` as price times quantity.

    `closing`: told after the close, so that nothing can follow.
    """

    source: str
    trades: int
    quantity: int
    volume: float | None = None
    turnover: Decimal | None = None
    at: dt.datetime
    closing: bool

    @property
    def final_file(self) -> bool:
        """Whether it is the sum of a whole session's file."""
        return self.closing and self.source != DAILY


class Proof(Struct, frozen=True, kw_only=True):
    """`deficit`: trades that the exchange counts and we do not have; None where it did not say after the close."""

    state: State
    reason: str
    reference: Reference | None
    deficit: int | None
    by_file: bool = False  # a final file has the same sums


def over_at(session: dt.date, sources: tuple[str, ...]) -> dt.datetime:
    """When nothing more can be traded in a session: the evening, or midnight in an invented market."""
    if INVENTED.intersection(sources):
        return dt.datetime.combine(session + dt.timedelta(days=1), dt.time(), SAO_PAULO).astimezone(dt.UTC)
    return dt.datetime.combine(session, CLOSED, SAO_PAULO).astimezone(dt.UTC)


def is_over(held: Held, now: dt.datetime) -> bool:
    """Whether the session is over, and its rows have come."""
    if now < over_at(held.session, held.sources):
        return False
    live = LIVE.intersection(held.sources)  # a file's rows come with the file
    return not live or held.last_received is None or now - held.last_received >= QUIET


def captured(held: Held, *, first_of_symbol: bool) -> bool:
    """Whether the session is ours to prove.

    A subscription repeats the last trade of an earlier session. Where that is all we have of the first session that we
    know of a symbol, and it came when that session was over, capture had not begun: nothing was lost by us.
    """
    if not first_of_symbol or held.told.trades > 1 or held.last_received is None:
        return True
    return held.last_received < over_at(held.session, held.sources)


def closest(held: Held, references: list[Reference]) -> tuple[Reference | None, bool]:
    """The reference to judge by, and whether it has our sums: one that has them, else the one with most trades."""
    closing = [each for each in references if each.closing] or references
    equal = [each for each in closing if not differences(held, each)]
    most = max(closing, key=lambda each: (each.trades, each.final_file), default=None)
    if equal and most and most.trades <= equal[0].trades:
        return next((each for each in equal if each.final_file), equal[0]), True
    return most, False


def proof_of(held: Held, references: list[Reference], *, missing: int, over: bool) -> Proof:
    """The state of a session, with its reason. `missing`: numbers that are missing."""
    reference, equal = closest(held, references)
    closing = reference is not None and reference.closing
    deficit = max(0, reference.trades - _comparable(held, reference).trades) if reference and closing else None
    reasons = [] if equal else differences(held, reference) if reference else [_no_reference(held)]
    if reference and not reference.closing:
        reasons = [f"the exchange's last sums ({reference.source}) are of {_clock(reference.at)}, before the close"]
    if missing:
        reasons.append(f"{missing:,} trade numbers are missing")
    if not over:
        words = f"not over; {'; '.join(reasons)}" if missing else "not over"
        return Proof(state="open", reason=words, reference=reference, deficit=deficit)
    if reasons:
        return Proof(
            state="unproven",
            reason="; ".join(reasons),
            reference=reference,
            deficit=deficit,
            by_file=_file(reference, equal),
        )
    assert reference is not None
    words = f"trades, quantity and volume as {reference.source} says"
    return Proof(state="proven", reason=words, reference=reference, deficit=0, by_file=_file(reference, equal))


def differences(held: Held, reference: Reference) -> list[str]:
    """In what a reference differs from what we hold, in words; empty when trades, quantity and volume are equal.

    Whether the exchange's sums count cancelled trades is not promised: each way that fits counts as equal.
    """
    found = [_apart(sums, held, reference) for sums in dict.fromkeys((held.sums, held.told))]
    return [] if [] in found else found[0]


def _apart(sums: Sums, held: Held, reference: Reference) -> list[str]:
    missing = reference.trades - sums.trades
    if missing > 0:
        return [f"{missing:,} trades fewer than the exchange says ({reference.source}: {reference.trades:,})"]
    if missing < 0:
        older = f"the last sums of {reference.source} ({_clock(reference.at)}) are older than the last trade: "
        return [f"{older}{reference.trades:,} trades, {sums.trades:,} are there"]
    words = []
    if sums.quantity != reference.quantity:
        words.append(f"quantity {sums.quantity:,}, the exchange says {reference.quantity:,} ({reference.source})")
    return words + _money_apart(sums, held, reference)


def _money_apart(sums: Sums, held: Held, reference: Reference) -> list[str]:
    if reference.turnover is not None:
        ours = Decimal(sums.turnover) / PRICE_UNITS
        return (
            [] if ours == reference.turnover else [f"turnover {ours:,}, {reference.source} says {reference.turnover:,}"]
        )
    instrument = instrument_of(held.symbol)
    if instrument is None or reference.volume is None:
        return [f"what a point of {held.symbol} is worth is not known, so its volume cannot be compared"]
    ours_in_money = money(sums, instrument)
    if abs(ours_in_money - Decimal(reference.volume)) <= tolerance(reference, instrument):
        return []
    return [f"volume {ours_in_money:,.2f}, the exchange says {reference.volume:,.2f} ({reference.source})"]


def money(sums: Sums, instrument: Instrument) -> Decimal:
    """The volume in BRL, exactly."""
    return Decimal(sums.turnover) / PRICE_UNITS * Decimal(str(instrument.point_value))


def tolerance(reference: Reference, instrument: Instrument) -> Decimal:
    """What adding doubles may have cost the exchange's volume, and never as much as half a tick of one contract."""
    assert reference.volume is not None
    rounding = Decimal(math.ulp(abs(reference.volume))) * max(1, reference.trades) / 2
    half_a_tick = Decimal(str(instrument.tick_size)) * Decimal(str(instrument.point_value)) / 2
    return min(rounding, half_a_tick)


def _comparable(held: Held, reference: Reference) -> Sums:
    return held.told if held.told.trades == reference.trades else held.sums


def _no_reference(held: Held) -> str:
    if not held.told.trades:
        return "nothing of it was captured, and the exchange's sums are not there"
    return "no sums of the exchange: neither daily sums nor a final file of B3"


def _file(reference: Reference | None, equal: bool) -> bool:
    return reference is not None and equal and reference.final_file


def _clock(at: dt.datetime) -> str:
    return at.astimezone(SAO_PAULO).strftime("%d/%m %H:%M:%S")
