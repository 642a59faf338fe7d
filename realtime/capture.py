"""Capture: what the DLL calls back with goes into the spool, and the link to the broker is kept alive.

Three threads. The drain moves records and events and never waits for the DLL; the desk makes all requests to the DLL,
which may block for minutes; the watch looks at both and at the market's hours. The DLL reconnects by itself: each time
its market data comes up, everything is subscribed again. A new process is the last resort.
"""

import datetime as dt
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Protocol

import numpy as np
import structlog
from msgspec import Struct, structs

from realtime.connection import MARKET_UP, Channel, Connection, heard, must_subscribe
from realtime.desk import Desk
from realtime.history import Asking, History, Outcome, Request
from realtime.history import Limits as HistoryLimits
from realtime.profitdll.adapter import ProfitDll
from realtime.profitdll.errors import ProfitDllError, ReconnectFirstError
from realtime.profitdll.messages import AssetSeen, Control, Health, HistoryEnd, InvalidTicker, Progress, State
from realtime.profitdll.rings import CONTROLS
from realtime.records import Kind
from realtime.spool.frames import Asset
from realtime.spool.writer import Spool
from realtime.subscriber import Subscriber
from realtime.subscriptions import Subscriptions
from realtime.watch import Limits, Standing, Watch, trouble_of

# Strategies wake for every tick; the drain does not compete with them for the interpreter. The ring holds seconds.
WAIT_SECONDS = 0.005
WAKE_RECORDS = 1 << 14
BATCH_RECORDS = 1 << 16
WATCH_SECONDS = 1.0

log = structlog.get_logger("capture")


class Login(Struct, frozen=True):
    """What the DLL wants to know of us. Never logged."""

    key: str
    user: str
    password: str
    routing: bool

    def __repr__(self) -> str:
        return "Login(…)"


class Taker(Protocol):
    """Whoever takes the market's records beside the spool, on the drain's thread: it must be quick, and not fail."""

    def named(self, number: int, symbol: str) -> None: ...

    def take(self, batch: "np.ndarray[Any, Any]") -> None: ...


class RestartNeededError(Exception):
    """Nothing short of a new process will help: the DLL cannot be initialised twice in one."""


class NotReadyError(Exception):
    """The link does not take requests now; the message says why."""


class Capture:
    """One login and its tape, until `stop` is set or RestartNeededError says that the process should end."""

    def __init__(
        self,
        dll: ProfitDll,
        spool: Spool,
        subscriptions: Subscriptions,
        stop: threading.Event,
        *,
        login: Login,
        limits: Limits,
        history: HistoryLimits = HistoryLimits(),  # noqa: B008 - frozen
        orders: Callable[[Control], None] | None = None,
        takers: Sequence[Taker] = (),
        now: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC),
    ) -> None:
        self._dll = dll
        self._spool = spool
        self._login = login
        self._limits = limits
        self._stop = stop
        self._now = now
        self._orders = orders  # who hears the control events too: it must be quick, and not fail
        self._takers = takers
        self._desk = Desk()
        self._subscriber = Subscriber(dll, self._desk, subscriptions, now)
        self._ahead = dt.timedelta()  # the market's clock against ours: an invented one has a time of its own
        self._names: dict[int, str] = {}  # of assets
        self.history = History(spool.run, history, mark=spool.mark, counters=dll.counters, lost=self._lost_history)
        self._waiter = dll.waiter(0)
        self._lock = threading.Lock()  # of the connection
        self._heard = Connection(routing_wanted=login.routing)
        self._records = 0
        self._ups = 0  # times that the market data came up
        self._last_record = time.monotonic()
        self._watching = Watch(limits, self._last_record)
        self._dropped = 0  # of the ring, as far as it was told
        self._failed: str | None = None  # why the login could not even be asked for
        self._restart: str | None = None

    def run(self) -> None:
        """Log in and capture. Returns when `stop` is set, with everything that was called back in the spool.

        Raises RestartNeededError; the spool is closed then too.
        """
        self._desk.start()
        watch = threading.Thread(target=self._watch, name="capture watch", daemon=True)
        watch.start()
        self._desk.ask("login", self._log_in)
        try:
            while not self._stop.is_set() and self._restart is None:
                self._step()
            if self._restart is not None:
                raise RestartNeededError(self._restart)
        finally:
            self._close()
            watch.join(2 * WATCH_SECONDS)

    def standing(self) -> Standing:
        """How it stands now; callable from any thread."""
        connection, subscriber = self._connection(), self._subscriber
        request, seconds = self._desk.busy()
        return Standing(
            link=connection.link,
            trouble=self._trouble(connection),
            data_ready=connection.data_ready,
            orders_ready=connection.orders_ready,
            login=connection.login,
            routing=connection.routing,
            market=connection.market,
            activation=connection.activation,
            symbols=subscriber.symbols,
            unknown_symbols=subscriber.unknown,
            trading=self._trading(),
            idle_seconds=time.monotonic() - self._last_record,
            records=self._records,
            reconnects=max(self._ups - 1, 0),
            waiting=self._dll.market.head - self._dll.market.tail,
            dropped=self._dll.market.dropped,
            spool_dropped=self._spool.progress.dropped,
            callback_errors=self._dll.counters()["errors"],
            request=request,
            request_seconds=seconds,
        )

    def follow(self) -> None:
        """Have the desk subscribe what is wanted by now; returns at once."""
        connection = self._connection()
        if connection.data_ready and connection.subscribed:
            self._subscriber.follow()

    def market_now(self) -> dt.datetime:
        """What the market's clock shows, about."""
        return self._now() + self._ahead

    def ask_history(self, symbol: str, since: dt.datetime, until: dt.datetime) -> Asking:
        """Have the trades of a time asked for; returns at once. Raises NotReadyError, history.BusyError."""
        connection = self._connection()
        if not (connection.data_ready and connection.subscribed):
            raise NotReadyError(self._trouble(connection) or "the link is closing")
        return self.history.ask(symbol, self._subscriber.market(symbol), since, until)

    # --- the drain ---

    def _step(self) -> None:
        """Wait a little, then move what is there: names of symbols before the records that use them."""
        if request := self.history.begun():
            self._desk.ask(f"history {request.number}", partial(self._ask_history, request))
        market = self._dll.market
        self._waiter.wait(market.tail + WAKE_RECORDS, WAIT_SECONDS, control=True)
        until = market.head
        # Asked first: reading the ring of control goes through .NET, whose collector need not run for nothing.
        while self._waiter.wait(until, 0.0, control=True) & CONTROLS:
            for event in self._dll.events():
                self._hear(event)
        moved = 0
        while len(batch := market.ready(min(until - market.tail, BATCH_RECORDS))):
            self._spool.append(batch)
            self.history.took(batch)
            for taker in self._takers:
                taker.take(batch)
            market.release(len(batch))
            moved += len(batch)
        if moved:
            self._records += moved
            self._last_record = time.monotonic()
        if request := self.history.settle(market.tail):
            self._desk.ask(f"give back {request.symbol}", partial(self._give_back, request))
        if self._spool.due:
            self._spool.commit()

    def _hear(self, event: Control) -> None:
        if self._orders is not None:
            self._orders(event)
        if isinstance(event, Progress | HistoryEnd):
            self.history.heard(event, self._names.get(event.asset), self._dll.market.head)
        elif isinstance(event, AssetSeen):
            self._names[event.number] = event.ticker
            for taker in self._takers:
                taker.named(event.number, event.ticker)
            self._spool.assets([Asset(event.number, event.ticker, event.exchange, event.feed)])
        elif isinstance(event, State):
            self._state(event.channel, event.result)
        elif isinstance(event, InvalidTicker):
            self._subscriber.refused(event.ticker)
            self.history.give_up(Outcome.REFUSED, f"the broker does not know {event.ticker}", event.ticker)
            log.error("symbol_unknown", symbol=event.ticker, market=event.exchange)
        elif isinstance(event, Health):
            self._note(frozen=event.health != 0)
            log.warning("dll_health", health=event.health)

    def _state(self, channel: int, word: int) -> None:
        with self._lock:
            before = self._heard
            after = self._heard = heard(before, channel, word)
        log.info("state", channel=channel, word=word, link=after.link)
        if channel == Channel.MARKET and before.market in MARKET_UP and word not in MARKET_UP:
            self._spool.mark("market data lost")
            self.history.give_up(Outcome.LOST, "the market data was lost meanwhile")
        if channel == Channel.MARKET and before.market not in MARKET_UP and word in MARKET_UP:
            self._ups += 1
            self._last_record = time.monotonic()
            self._spool.mark("market data up")
        if after.refusal and not before.refusal:
            log.error("login_refused", reason=after.refusal)
        if must_subscribe(after) and not must_subscribe(before):
            self._desk.ask("subscribe all", self._subscribe_all)

    # --- the desk ---

    def _log_in(self) -> None:
        login = self._login
        try:
            self._dll.connect(login.key, login.user, login.password, routing=login.routing)
        except ProfitDllError as error:
            self._failed = str(error)
            raise

    def _subscribe_all(self) -> None:
        subscribed = self._subscriber.all_again(lambda: self._connection().data_ready)
        try:
            self._ahead = self._dll.server_clock() - self._now()
        except (ProfitDllError, ValueError) as error:  # no time yet: what history it has, the DLL says itself
            log.warning("market_clock_unknown", reason=str(error))
        self._note(subscribed=subscribed)

    def _ask_history(self, request: Request) -> None:
        if not self.history.wanted(request):
            return
        try:
            self._subscriber.borrow(request.symbol, request.market)
            self._dll.request_history(request.symbol, request.market, request.since, request.until)
        except ReconnectFirstError as error:
            self.history.fail(request, Outcome.LOST, str(error))
        except ProfitDllError as error:
            self.history.fail(request, Outcome.REFUSED, str(error))

    def _give_back(self, request: Request) -> None:
        if self._connection().data_ready:  # otherwise there are no subscriptions
            self._subscriber.give_back(request.symbol, request.market)

    # --- the watch ---

    def _watch(self) -> None:
        """Every second: contracts that roll, silence, and whether it is time for a new process."""
        while not self._stop.wait(WATCH_SECONDS) and self._restart is None:
            try:
                self._look()
            except Exception:  # the top of a thread: the watch must not end because one look failed
                log.exception("watch_failed")

    def _look(self) -> None:
        now, trading = time.monotonic(), self._trading()
        connection = self._connection()
        flowing = connection.data_ready and connection.subscribed and connection.symbols > 0
        silent = self._watching.silent(now, trading=trading, last_record=self._last_record)
        self._note(silent=silent and flowing)
        self.follow()
        self._tell_dropped()
        connection = self._connection()
        trouble = self._trouble(connection)
        final = connection.refusal is not None or self._failed is not None
        if self._watching.exhausted(now, trading=trading, trouble=trouble, final=final):
            self._restart = f"for {self._limits.restart_seconds:.0f} s while the market trades: {trouble}"
            log.error("restart_needed", reason=self._restart)

    def _tell_dropped(self) -> None:
        dropped = self._dll.market.dropped
        if dropped > self._dropped:
            kinds = {kind.name.lower(): count for kind, count in self._dll.market.dropped_by_kind().items()}
            log.error("ring_full", records=dropped - self._dropped, since_start=kinds)
            self._dropped = dropped

    def _trading(self) -> bool:
        return self._limits.always_open or self._subscriber.trading()

    def _trouble(self, connection: Connection) -> str | None:
        return trouble_of(connection, failed=self._failed, hanging=self._desk.hanging())

    def _lost_history(self) -> int:
        """Records of history that found the ring or the spool full."""
        ring = self._dll.market.dropped_by_kind().get(Kind.HISTORY_TRADE, 0)
        return ring + self._spool.progress.dropped_kinds[Kind.HISTORY_TRADE]

    def _connection(self) -> Connection:
        with self._lock:
            connection = self._heard
        return structs.replace(connection, symbols=len(self._subscriber.symbols))

    def _note(self, **said: bool) -> None:
        with self._lock:
            self._heard = structs.replace(self._heard, **said)

    def _close(self) -> None:
        """Shut the DLL down on the desk, take what it still calls back with, and close the spool."""
        self._note(closing=True)
        self.history.give_up(Outcome.LOST, "the process ends")
        closed = self._desk.ask("shut down", self._dll.close)
        deadline = time.monotonic() + self._limits.close_seconds
        while not closed.is_set() and time.monotonic() < deadline:
            self._step()
        self._step()
        if not closed.is_set():
            log.error("shutdown_hangs", seconds=self._limits.close_seconds)
        self._spool.close()
        self._desk.stop()
