"""When a session begins for positions: once what was filled before, and the settlements of what is held, are known.

A process that starts in the morning knows no settlement before the tape has told it. Until then no order leaves and
the loss of the day pulls no switch: it would count from a wrong price.
"""

import datetime as dt
from decimal import Decimal

import structlog

from realtime.orders import records
from realtime.orders.ground import Ground, session_of
from sql.exchange import market_of

log = structlog.get_logger("orders")


class Day:
    """The session that positions count from, for the thread of the loop."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self.missing: tuple[str, ...] = ()  # held symbols whose settlement the day waits for

    def turn(self) -> None:
        """Begin the session of the clock, if it can begin."""
        ledger, now = self._ground.chronicle.ledger, self._ground.now()
        session = session_of(now)
        if ledger.session == session:
            self.missing = ()
            return
        if self._untold():
            return  # what was traded meanwhile belongs to the session before: the broker's list tells it first
        goes_back = ledger.session is not None and session < ledger.session  # nothing is counted anew then
        held = [] if goes_back else sorted({each.symbol for each in ledger.positions.values() if each.net})
        known = {symbol: self._settlement(symbol, session) for symbol in held}
        missing = tuple(symbol for symbol, price in known.items() if price is None and self._needed(symbol))
        if missing and missing != self.missing:
            log.warning("day_waits_for_settlements", session=str(session), symbols=" ".join(missing))
        self.missing = missing
        if not missing:
            settlements = {symbol: price for symbol, price in known.items() if price is not None}
            self._ground.chronicle.record(records.DayBegun(at=now, session=session, settlements=settlements))
            self._ground.chronicle.turn_page()  # before anybody trades

    def _untold(self) -> bool:
        """Whether a list has yet to tell what a working order traded: none does of an account that the broker lacks."""
        agreement, working = self._ground.agreement, self._ground.chronicle.ledger.working.values()
        standing = agreement.standing.values()
        if standing and all(standing):
            return False
        return any(not agreement.agreed(each.order.account) for each in working)

    def _needed(self, symbol: str) -> bool:
        """Shares have no settlement: without a close they go on from where they stood."""
        return not self._ground.ways.always_open and market_of(symbol) != "B"

    def _settlement(self, symbol: str, session: dt.date) -> Decimal | None:
        market = self._ground.market
        if (price := market.settlement(symbol, session)) is not None or self._needed(symbol):
            return price
        last = market.last(symbol)
        before = last is not None and (self._ground.ways.always_open or session_of(last.at) < session)
        return last.price if last is not None and before else None
