"""Asking the DLL for trades that are missing: one request in the whole process, because answers carry no number.

The trades of an answer come as HISTORY_TRADE records on the way that all records go. Two marks in the spool enclose
them, so whoever reads the second has read the trades. Only an answer that came whole is `complete`.
"""

import datetime as dt
import enum
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping

import numpy as np
import structlog
from msgspec import Struct, structs

from realtime.profitdll.messages import HistoryEnd, Progress
from realtime.records import Kind
from realtime.spool.frames import HISTORY_ANSWERED, HISTORY_ASKED, Records
from sql.exchange import SAO_PAULO, Market, contract_of

DAYS_BACK = 30
MINI, MINI_DAYS = ("WIN", "WDO"), 10
MOST_ENDED = 50
LOCAL = dt.datetime(1970, 1, 1, tzinfo=SAO_PAULO)

log = structlog.get_logger("history")


class Limits(Struct, frozen=True, kw_only=True):
    """When an answer is over. Its whole time is not limited: a day of WIN takes minutes."""

    silence_seconds: float = 60.0  # without a sign of it, it is given up
    quiet_seconds: float = 2.0  # after the last word, where the DLL does not say that it was the last


class Outcome(enum.StrEnum):
    """How a request ended."""

    COMPLETE = "complete"
    SILENT = "silent"  # no sign of it for too long
    REFUSED = "refused"  # the DLL said no
    LOST = "lost"  # the link went down meanwhile, or a part of it found no room


class Request(Struct, frozen=True, kw_only=True):
    """What is asked: the trades of one symbol from `since` up to and without `until`."""

    run: int  # of the spool
    number: int  # of the request in this run, from 1
    symbol: str
    market: Market
    since: dt.datetime
    until: dt.datetime
    asked_at: dt.datetime


class Asking(Request, frozen=True, kw_only=True):
    """A request in flight. `percent` is the DLL's own word: it may stand at 99 for long."""

    percent: int | None
    trades: int
    silent_seconds: float


class Ended(Request, frozen=True, kw_only=True):
    """A request that is over. `sentinels` and `untranslated` are the DLL's trades without content meanwhile."""

    ended_at: dt.datetime
    state: Outcome
    trades: int
    sentinels: int
    untranslated: int
    last_trade_at: dt.datetime | None
    why: str | None  # of an end that is not complete


class Flight(Struct, kw_only=True):
    """What was heard of the request in flight. Seconds are of the monotonic clock."""

    request: Request
    asked: float
    sign: float  # when something of it was last heard
    counters: Mapping[str, int]  # as they stood before
    lost_before: int
    marked: bool = False  # the spool says that it was asked
    percent: int | None = None
    ended: bool = False  # the last trade was told
    fence: int = 0  # position in the ring that must be in the spool before the end is told
    trades: int = 0
    last_ms: int | None = None
    failed: tuple[Outcome, str] | None = None


class BusyError(Exception):
    """A request is in flight, or something of an earlier one still arrives."""


def refusal_of(symbol: str, since: dt.datetime, until: dt.datetime, now: dt.datetime) -> tuple[str, str] | None:
    """Which field the DLL would refuse at the market's time `now`, and why; None when it would not. All are aware."""
    for field, value in (("since", since), ("until", until)):
        if value.tzinfo is None or value.microsecond:
            return field, f"expected whole seconds with a zone, as 2026-11-19T12:00:00Z, found {value.isoformat()}"
    if since >= until:
        return "until", f"expected an end after {since.isoformat()}, found {until.isoformat()}"
    if contract := contract_of(symbol, now.astimezone(SAO_PAULO).date()):
        return "symbol", f"{symbol} is a series: ask for a contract of it, as {contract}"
    oldest = now.astimezone(SAO_PAULO).date() - dt.timedelta(days=DAYS_BACK)
    if since.astimezone(SAO_PAULO).date() < oldest:
        return "since", f"the DLL has {DAYS_BACK} days: expected {oldest} or later, found {since.isoformat()}"
    if symbol.startswith(MINI) and until - since >= dt.timedelta(days=MINI_DAYS):
        return "until", f"of WIN and WDO less than {MINI_DAYS} days at once, found {until - since}"
    return None


def outcome_of(flight: Flight, limits: Limits, now: float) -> tuple[Outcome, str | None] | None:
    """How it ended, and why it is not complete; None while it goes on."""
    if flight.failed:
        return flight.failed
    quiet = now - flight.sign
    if flight.ended and (flight.percent == 100 or quiet >= limits.quiet_seconds):
        return Outcome.COMPLETE, None
    if flight.percent == 100 and quiet >= limits.quiet_seconds:
        return Outcome.COMPLETE, None
    if quiet >= limits.silence_seconds:
        return Outcome.SILENT, f"no sign of it for {quiet:.0f} s, at {flight.percent or 0} percent"
    return None


class History:
    """The request in flight and those that ended. `ask`, `asking` and `ended` from any thread; the rest is the drain's.

    `lost` counts records of history that found ring or spool full; `counters` are the DLL's.
    """

    def __init__(
        self,
        run: int,
        limits: Limits,
        *,
        mark: Callable[..., None],
        counters: Callable[[], Mapping[str, int]],
        lost: Callable[[], int],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.counts: Counter[str] = Counter()  # ended ones by state
        self.run = run
        self._limits = limits
        self._mark = mark
        self._counters = counters
        self._lost = lost
        self._clock = clock
        self._lock = threading.Lock()
        self._number = 0
        self._flight: Flight | None = None
        self._ended: deque[Ended] = deque(maxlen=MOST_ENDED)
        self._sign = float("-inf")  # of any answer, one that was given up too
        self._given_up = False  # the last one: something of it may still come
        self._owed: set[str] = set()  # symbols whose answer was whole before the DLL's last word of it

    def ask(self, symbol: str, market: Market, since: dt.datetime, until: dt.datetime) -> Asking:
        """Take a request; the drain makes it. Raises BusyError."""
        with self._lock:
            now = self._clock()
            if self._flight:
                other = self._flight.request
                raise BusyError(f"request {other.number} for {other.symbol} is in flight: one at a time")
            if now - self._sign < self._limits.quiet_seconds:
                raise BusyError("the answer to an earlier request has not fallen silent yet")
            self._number += 1
            request = Request(
                run=self.run,
                number=self._number,
                symbol=symbol,
                market=market,
                since=since.astimezone(dt.UTC),
                until=until.astimezone(dt.UTC),
                asked_at=dt.datetime.now(dt.UTC),
            )
            self._flight = Flight(
                request=request, asked=now, sign=now, counters=self._counters(), lost_before=self._lost()
            )
            return _asking(self._flight, now)

    def asking(self) -> Asking | None:
        """The request in flight."""
        with self._lock:
            return _asking(self._flight, self._clock()) if self._flight else None

    def ended(self) -> list[Ended]:
        """The last that ended, the newest first."""
        with self._lock:
            return list(reversed(self._ended))

    def begun(self) -> Request | None:
        """The request that is to be made now, once: the spool says before that it was asked."""
        flight = self._flight
        if flight is None or flight.marked:
            return None
        flight.marked = True
        self._mark(HISTORY_ASKED, **_told(flight.request))
        return flight.request

    def wanted(self, request: Request) -> bool:
        """Whether a request is still the one in flight."""
        flight = self._flight
        return flight is not None and flight.request is request

    def fail(self, request: Request, outcome: Outcome, why: str) -> None:
        """The request cannot be answered. From any thread."""
        with self._lock:
            if self._flight and self._flight.request is request:
                self._flight.failed = self._flight.failed or (outcome, why)

    def give_up(self, outcome: Outcome, why: str, symbol: str | None = None) -> None:
        """The same for whichever is in flight, or only for one of `symbol`."""
        flight = self._flight
        if flight and symbol in (None, flight.request.symbol):
            self.fail(flight.request, outcome, why)

    def heard(self, event: Progress | HistoryEnd, symbol: str | None, head: int) -> None:
        """A word of the DLL about history; the ring's records up to `head` came before it."""
        flight = self._flight
        last = isinstance(event, Progress) and event.percent == 100
        if last and symbol in self._owed:
            self._owed.remove(symbol)
            return
        self._sign = self._clock()
        if flight and symbol == flight.request.symbol:
            flight.sign, flight.fence = self._sign, head
            if isinstance(event, HistoryEnd):
                flight.ended = True
            elif not last or flight.percent is not None or flight.trades:
                flight.percent = event.percent  # a first word of 100 belongs to an earlier answer

    def took(self, records: Records) -> None:
        """Records that go into the spool now."""
        if self._flight is None and not self._given_up:
            return
        mine = records["kind"] == Kind.HISTORY_TRADE
        if not (count := int(np.count_nonzero(mine))):
            return
        self._sign = self._clock()
        if flight := self._flight:
            flight.trades += count
            flight.last_ms = int(records["time"][mine].max())
            flight.sign = self._sign

    def settle(self, tail: int) -> Request | None:
        """End the request when it is over and the spool has all of it, the ring up to `tail`; the one that ended."""
        flight = self._flight
        if flight is None or not flight.marked:
            return None
        outcome = outcome_of(flight, self._limits, self._clock())
        if outcome is None or (outcome[0] == Outcome.COMPLETE and tail < flight.fence):
            return None
        state, why = outcome
        if state == Outcome.COMPLETE and (lost := self._lost() - flight.lost_before):
            state, why = Outcome.LOST, f"{lost} records of it found the ring or the spool full"
        ended = _ended(flight, state, why, self._counters())
        self._mark(
            HISTORY_ANSWERED, **_told(flight.request), state=ended.state.value, trades=ended.trades, why=ended.why
        )
        log.info("history_answered", **_told(flight.request), state=ended.state.value, trades=ended.trades, why=why)
        self._given_up = state != Outcome.COMPLETE
        if not self._given_up:
            self._sign = float("-inf")  # nothing of it can still arrive, but one last word
            if flight.percent != 100:
                self._owed.add(flight.request.symbol)
        with self._lock:
            self._flight = None
            self._ended.append(ended)
            self.counts[ended.state] += 1
        return flight.request


def _told(request: Request) -> dict[str, object]:
    """What the marks say of a request."""
    times = {"since": request.since.isoformat(), "until": request.until.isoformat()}
    return {"number": request.number, "symbol": request.symbol, **times}


def _asking(flight: Flight, now: float) -> Asking:
    return Asking(
        **structs.asdict(flight.request),
        percent=flight.percent,
        trades=flight.trades,
        silent_seconds=round(now - flight.sign, 3),
    )


def _ended(flight: Flight, state: Outcome, why: str | None, counters: Mapping[str, int]) -> Ended:
    last, before = flight.last_ms, flight.counters
    return Ended(
        **structs.asdict(flight.request),
        sentinels=counters["sentinels"] - before["sentinels"],
        untranslated=counters["untranslated"] - before["untranslated"],
        ended_at=dt.datetime.now(dt.UTC),
        state=state,
        trades=flight.trades,
        last_trade_at=(LOCAL + dt.timedelta(milliseconds=last)).astimezone(dt.UTC) if last is not None else None,
        why=why,
    )
