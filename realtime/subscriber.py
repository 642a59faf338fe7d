"""Subscribes at the DLL what is wanted of the session: all of it after each reconnect, and whatever changes.

`all_again` and what `follow` asks for run on the desk; everything else may be called from any thread.
"""

import datetime as dt
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial

import structlog

from realtime.desk import Desk
from realtime.profitdll.adapter import ProfitDll
from realtime.profitdll.errors import NeverRetryError, ProfitDllError
from realtime.subscriptions import Subscriptions, Wanted
from sql.exchange import SAO_PAULO, Market, market_of, rows_expected

log = structlog.get_logger("capture")


class Subscriber:
    """What is subscribed now, and the way from there to what is wanted."""

    def __init__(
        self, dll: ProfitDll, desk: Desk, subscriptions: Subscriptions, now: Callable[[], dt.datetime]
    ) -> None:
        self._dll = dll
        self._desk = desk
        self._subscriptions = subscriptions
        self._now = now
        self._lock = threading.Lock()
        self._subscribed: dict[str, Wanted] = {}
        self._unknown: dict[str, None] = {}

    @property
    def symbols(self) -> tuple[str, ...]:
        """Subscribed now, and known to the broker as far as it has said."""
        with self._lock:
            return tuple(symbol for symbol in self._subscribed if symbol not in self._unknown)

    @property
    def unknown(self) -> tuple[str, ...]:
        """Wanted, and not known to the broker."""
        with self._lock:
            return tuple(symbol for symbol in self._subscribed if symbol in self._unknown)

    def trading(self) -> bool:
        """Whether the market of anything that is wanted is open."""
        now = self._now()
        return any(rows_expected(now, wanted.market, symbol) for symbol, wanted in self._wanted().items())

    def refused(self, symbol: str) -> None:
        """The broker says that it does not know a symbol."""
        with self._lock:
            self._unknown[symbol] = None

    def all_again(self, ready: Callable[[], bool]) -> bool:
        """Subscribe each symbol anew, because the DLL does not do it; repeats do no harm. False: no longer `ready`."""
        wanted = self._wanted()
        with self._lock:
            had = dict(self._subscribed)
            self._subscribed.clear()
            self._unknown.clear()
        for symbol in dict.fromkeys((*wanted, *had)):
            if not ready():
                return False
            self._turn(symbol, had.get(symbol), wanted.get(symbol))
        return ready()

    def follow(self) -> None:
        """Ask the desk for what lies between what is subscribed and what is wanted today; returns at once."""
        with self._lock:
            have = dict(self._subscribed)
        wanted = self._wanted()
        for symbol in dict.fromkeys((*have, *wanted)):
            if have.get(symbol) != wanted.get(symbol):
                verb = "subscribe" if symbol in wanted else "unsubscribe"
                self._desk.ask(f"{verb} {symbol}", partial(self._settle, symbol))

    def borrow(self, symbol: str, market: Market) -> None:
        """Subscribe a symbol that nobody wants: the DLL tells history of no other. On the desk; `give_back` ends it."""
        with self._lock:
            there = symbol in self._subscribed
        if not there:
            self._dll.subscribe(symbol, market)

    def give_back(self, symbol: str, market: Market) -> None:
        """Unsubscribe what was borrowed, unless it is wanted by now. On the desk."""
        with self._lock:
            there = symbol in self._subscribed
        if not there and symbol not in self._wanted():
            self._dll.unsubscribe(symbol, market)

    def market(self, symbol: str) -> Market:
        """Where a symbol trades: as it was wanted, otherwise as its shape says."""
        wanted = self._wanted().get(symbol)
        return wanted.market if wanted else market_of(symbol)

    def _wanted(self) -> dict[str, Wanted]:
        return self._subscriptions.at(self._now().astimezone(SAO_PAULO).date())

    def _settle(self, symbol: str) -> None:
        with self._lock:
            have = self._subscribed.get(symbol)
        wanted = self._wanted().get(symbol)  # by now
        if have != wanted:
            self._turn(symbol, have, wanted)

    def _turn(self, symbol: str, have: Wanted | None, wanted: Wanted | None) -> None:
        """Bring one symbol from what it has to what is wanted of it."""
        with self._lock:
            self._unknown.pop(symbol, None)
        try:
            if have:
                self._less(have, wanted)
            if wanted:
                self._more(wanted)
        except NeverRetryError as error:
            self.refused(symbol)
            log.error("subscription_refused", symbol=symbol, reason=str(error))  # noqa: TRY400 - an answer, no defect
        except ProfitDllError as error:
            log.warning("subscription_failed", symbol=symbol, reason=str(error))
            return  # the next look tries again
        with self._lock:
            if wanted:
                self._subscribed[symbol] = wanted
            else:
                self._subscribed.pop(symbol, None)

    def _more(self, wanted: Wanted) -> None:
        self._dll.subscribe(wanted.symbol, wanted.market)
        if wanted.depth:
            self._dll.subscribe_depth(wanted.symbol, wanted.market)
        if wanted.offers:
            self._dll.subscribe_offers(wanted.symbol, wanted.market)

    def _less(self, have: Wanted, wanted: Wanted | None) -> None:
        """Books are subscriptions of their own: they go on when only the ticker ends."""
        kept = wanted if wanted and wanted.market == have.market else None
        with suppress(NeverRetryError):  # nothing hangs on it: what still arrives is spooled
            if have.depth and not (kept and kept.depth):
                self._dll.unsubscribe_depth(have.symbol, have.market)
            if have.offers and not (kept and kept.offers):
                self._dll.unsubscribe_offers(have.symbol, have.market)
            if not kept:
                self._dll.unsubscribe(have.symbol, have.market)
