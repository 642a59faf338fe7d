"""Capture: what the DLL calls back with goes into the spool, and the link to the broker is kept alive.

Three threads. The drain moves records and events and never waits for the DLL; the desk makes all requests to the DLL,
which may block for minutes; the watch looks at both and at the market's hours. The DLL reconnects by itself: each time
its market data comes up, everything is subscribed again. A new process is the last resort.
"""

import datetime as dt
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial

import structlog
from msgspec import Struct, structs

from realtime.connection import MARKET_UP, Channel, Connection, heard, must_subscribe
from realtime.desk import Desk
from realtime.profitdll.adapter import ProfitDll
from realtime.profitdll.errors import ProfitDllError
from realtime.profitdll.messages import AssetSeen, Control, Health, InvalidTicker, State
from realtime.profitdll.rings import CONTROLS
from realtime.spool.frames import Asset
from realtime.spool.writer import Spool
from realtime.subscriptions import Subscriptions, Wanted
from sql.exchange import SAO_PAULO, rows_expected

# Strategies wake for every tick; the drain does not compete with them for the interpreter. The ring holds seconds.
WAIT_SECONDS = 0.005
WAKE_RECORDS = 1 << 14
BATCH_RECORDS = 1 << 16
WATCH_SECONDS = 1.0
CLOSE_SECONDS = 8.0

log = structlog.get_logger("capture")


class Login(Struct, frozen=True):
    """What the DLL wants to know of us. Never logged."""

    key: str
    user: str
    password: str
    routing: bool

    def __repr__(self) -> str:
        return "Login(…)"


class Limits(Struct, frozen=True, kw_only=True):
    """When the feed counts as broken. `always_open`: an invented market has no hours."""

    silence_seconds: float = 60.0
    restart_seconds: float = 300.0
    always_open: bool = False


class Standing(Struct, frozen=True, kw_only=True):
    """How capture stands, for health, metrics and people. Seconds are of the monotonic clock."""

    link: str
    trouble: str | None  # why it is not as it should be, in words
    data_ready: bool
    orders_ready: bool
    login: int | None
    routing: int | None
    market: int | None
    activation: int | None
    symbols: tuple[str, ...]  # subscribed now
    unknown_symbols: tuple[str, ...]  # the broker does not know them
    trading: bool  # whether any subscribed market is open
    idle_seconds: float  # since the last market record
    records: int
    reconnects: int
    waiting: int  # records in the ring that are not in the spool yet
    dropped: int  # records that found the ring full
    callback_errors: int
    request: str | None  # what the DLL is asked now
    request_seconds: float


class RestartNeededError(Exception):
    """Nothing short of a new process will help: the DLL cannot be initialised twice in one."""


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
        now: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC),
    ) -> None:
        self._dll = dll
        self._spool = spool
        self._subscriptions = subscriptions
        self._login = login
        self._limits = limits
        self._stop = stop
        self._now = now
        self._desk = Desk()
        self._waiter = dll.waiter(0)
        self._connection = Connection(routing_wanted=login.routing)
        self._lock = threading.Lock()  # of the connection and what is subscribed
        self._subscribed: dict[str, Wanted] = {}
        self._unknown: dict[str, None] = {}
        self._records = 0
        self._reconnects = 0
        self._last_record = self._well_since = time.monotonic()
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
        with self._lock:
            connection, symbols = self._connection, tuple(self._subscribed)
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
            symbols=symbols,
            unknown_symbols=tuple(self._unknown),
            trading=self._trading(),
            idle_seconds=time.monotonic() - self._last_record,
            records=self._records,
            reconnects=self._reconnects,
            waiting=self._dll.market.head - self._dll.market.tail,
            dropped=self._dll.market.dropped,
            callback_errors=self._dll.counters()["errors"],
            request=request,
            request_seconds=seconds,
        )

    def follow(self) -> None:
        """Ask the desk for what lies between what is subscribed and what is wanted today; returns at once."""
        with self._lock:
            if not (self._connection.data_ready and self._connection.subscribed):
                return
            have = dict(self._subscribed)
        wanted = self._wanted()
        for symbol in have.keys() - wanted.keys():
            self._desk.ask(f"unsubscribe {symbol}", partial(self._unsubscribe, have[symbol]))
        for symbol, each in wanted.items():
            if have.get(symbol) != each:
                self._desk.ask(f"subscribe {symbol}", partial(self._subscribe, each))

    # --- the drain ---

    def _step(self) -> None:
        """Wait a little, then move what is there: names of symbols before the records that use them."""
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
            market.release(len(batch))
            moved += len(batch)
        if moved:
            self._records += moved
            self._last_record = time.monotonic()
        if self._spool.due:
            self._spool.commit()

    def _hear(self, event: Control) -> None:
        if isinstance(event, AssetSeen):
            self._spool.assets([Asset(event.number, event.ticker, event.exchange, event.feed)])
        elif isinstance(event, State):
            self._state(event.channel, event.result)
        elif isinstance(event, InvalidTicker):
            self._unknown[event.ticker] = None
            log.error("symbol_unknown", symbol=event.ticker, market=event.exchange)
        elif isinstance(event, Health):
            with self._lock:
                self._connection = structs.replace(self._connection, frozen=event.health != 0)
            log.warning("dll_health", health=event.health)

    def _state(self, channel: int, word: int) -> None:
        with self._lock:
            before = self._connection
            after = self._connection = heard(before, channel, word)
        log.info("state", channel=channel, word=word, link=after.link)
        if channel == Channel.MARKET and before.market in MARKET_UP and word not in MARKET_UP:
            self._spool.mark("market data lost")
        if channel == Channel.MARKET and before.market not in MARKET_UP and word in MARKET_UP:
            self._reconnects += before.market is not None and bool(self._subscribed)
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
        """Runs on the desk: each symbol again, because the DLL does not do it; repeats do no harm."""
        wanted = self._wanted()
        for each in wanted.values():
            if not self._connection.data_ready:
                return  # it will be asked again when the market data is back
            self._subscribe(each)
        with self._lock:
            ready = self._connection.data_ready
            self._connection = structs.replace(self._connection, subscribed=ready, symbols=len(wanted))

    def _subscribe(self, wanted: Wanted) -> None:
        try:
            self._dll.subscribe(wanted.symbol, wanted.market)
            if wanted.depth:
                self._dll.subscribe_depth(wanted.symbol, wanted.market)
            if wanted.offers:
                self._dll.subscribe_offers(wanted.symbol, wanted.market)
        except ProfitDllError as error:
            self._unknown[wanted.symbol] = None
            reason = str(error)
            log.error("subscription_failed", symbol=wanted.symbol, market=wanted.market, reason=reason)  # noqa: TRY400 - an answer, no defect
        with self._lock:
            self._subscribed[wanted.symbol] = wanted

    def _unsubscribe(self, wanted: Wanted) -> None:
        with suppress(ProfitDllError):  # nothing hangs on it: what still arrives is spooled
            self._dll.unsubscribe(wanted.symbol, wanted.market)
        with self._lock:
            self._subscribed.pop(wanted.symbol, None)
        self._unknown.pop(wanted.symbol, None)

    def _wanted(self) -> dict[str, Wanted]:
        return self._subscriptions.at(self._now().astimezone(SAO_PAULO).date())

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
        with self._lock:
            live = self._connection.data_ready and self._connection.subscribed and bool(self._subscribed)
            silent = trading and live and now - self._last_record > self._limits.silence_seconds
            self._connection = structs.replace(self._connection, silent=silent)
            connection = self._connection
        self.follow()
        trouble = self._trouble(connection)
        if not trading or connection.refusal or self._failed or trouble is None:
            self._well_since = now
        elif now - self._well_since > self._limits.restart_seconds:
            self._restart = f"for {self._limits.restart_seconds:.0f} s while the market trades: {trouble}"
            log.error("restart_needed", reason=self._restart)

    def _trading(self) -> bool:
        if self._limits.always_open:
            return True
        now = self._now()
        return any(rows_expected(now, wanted.market, symbol) for symbol, wanted in self._wanted().items())

    def _trouble(self, connection: Connection) -> str | None:
        request, seconds = self._desk.hanging()
        if request:
            return f"the DLL does not come back from `{request}` for {seconds:.0f} s"
        if self._failed:
            return f"the DLL cannot be used: {self._failed}"
        if connection.refusal:
            return f"the broker refuses the login: {connection.refusal}"
        if not connection.data_ready:
            return f"no market data yet ({connection.link})"
        if not connection.subscribed:
            return "symbols are being subscribed"
        return connection.degraded

    def _close(self) -> None:
        """Shut the DLL down on the desk, take what it still calls back with, and close the spool."""
        with self._lock:
            self._connection = structs.replace(self._connection, closing=True)
        closed = self._desk.ask("shut down", self._dll.close)
        deadline = time.monotonic() + CLOSE_SECONDS
        while not closed.is_set() and time.monotonic() < deadline:
            self._step()
        self._step()
        if not closed.is_set():
            log.error("shutdown_hangs", seconds=CLOSE_SECONDS)
        self._spool.close()
        self._desk.stop()
