"""The order loop: one thread that owns all orders, reservations, positions and the broker.

Commands come in from any thread and are answered through futures; news of the broker is taken in its order; several
times a second it looks at what time alone changes. What breaks in it takes the right to trade away until the broker's
list was loaded again, and never the loop itself.
"""

import queue
import signal
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import structlog
from msgspec import Struct, structs

from realtime.orders import records
from realtime.orders.agreement import Agreement, Pace
from realtime.orders.broker import Broker, Report
from realtime.orders.changes import Changes
from realtime.orders.chronicle import LONG_PAGE_RECORDS, Chronicle
from realtime.orders.commands import (
    Alter,
    Busy,
    Cancel,
    CancelAll,
    Command,
    CommandError,
    Done,
    Flatten,
    Place,
    Pull,
    Release,
    Rule,
    SetLimits,
)
from realtime.orders.day import Day
from realtime.orders.decisions import Market, source_finding, sure_loss
from realtime.orders.entries import Entry
from realtime.orders.ground import Ground, Ways
from realtime.orders.hearing import Hearing
from realtime.orders.positions import Costs
from realtime.orders.reconcile import Rules
from realtime.orders.records import Caller
from realtime.orders.requests import Requests
from realtime.orders.rights import Rights
from realtime.orders.states import Overdue, SendUnclear, Status
from realtime.orders.switch import Latch, Switch
from realtime.orders.winding import Winding

log = structlog.get_logger("orders")

TURN_SECONDS = 0.25
PROCESS = Caller(user="process", source="scheduler")
AGAIN = "it was asked for before the process ended, and may have been lost"


class LoopRules(Struct, frozen=True, kw_only=True):
    """Times and habits of the loop, from settings."""

    ways: Ways = Ways()
    reconcile: Rules = Rules()
    pace: Pace = Pace()
    rehearse_seconds: float = 0.001  # between rehearsals of a decision while nothing happens; 0: none
    ack_seconds: float = 5.0  # until a taken order must have been confirmed
    partial_seconds: float = 300.0  # until the rest of a partial fill is cancelled; 0: never
    flatten_on_loss: bool = False
    costs: Costs = Costs()
    broker: str = "paper"


class OrderLoop:
    """Everything between a wish and the broker. `ask` from any thread; `run` on the loop's own."""

    def __init__(
        self, broker: Broker, chronicle: Chronicle, switch: Switch, market: Market, rules: LoopRules | None = None
    ) -> None:
        self.chronicle = chronicle
        self.switch = switch
        self.market = market
        self.rules = rules or LoopRules()
        self.broken = 0  # times that something broke in the loop
        self.failed: str | None = None  # what ended its thread
        self.died: Callable[[], None] = _end_process
        self._broker = broker
        self.agreement = Agreement(
            broker,
            chronicle,
            self._heard,
            rules=self.rules.reconcile,
            pace=self.rules.pace,
            always_open=self.rules.ways.always_open,
            instruments=market.instrument,
        )
        ground = Ground(broker, chronicle, switch=switch, market=market, agreement=self.agreement, ways=self.rules.ways)
        self._ground = ground
        self._requests = Requests(ground)
        self._changes = Changes(ground)
        self._hearing = Hearing(ground, self.agreement, self._changes, self.rules.costs)
        self.day = Day(ground)
        self.winding = Winding(ground, self._requests, self._changes)
        self._commands: queue.SimpleQueue[tuple[Command, Future[Any]]] = queue.SimpleQueue()
        self._stop = threading.Event()
        self._next_turn = float("-inf")
        self._thread = threading.Thread(target=self.run, name="orders", daemon=True)
        rights = Rights(ground)
        self._kinds: Mapping[type, Callable[[Any], Any]] = {
            Place: self._requests.place,
            Cancel: self._changes.cancel,
            CancelAll: self._cancel_all,
            Alter: self._changes.alter,
            Flatten: self._flatten,
            SetLimits: rights.set_limits,
            Pull: self._pulled,
            Release: rights.release,
            Rule: rights.rule,
        }

    # --- from any thread ---

    def start(self) -> None:
        """Begin to work."""
        self._thread.start()

    def stop(self, seconds: float = 5.0) -> bool:
        """End; orders stay where they are. False when the loop hangs in a call of the broker."""
        self._stop.set()
        self._broker.wake()
        if self._thread.ident is not None:
            self._thread.join(seconds)
        return not self._thread.is_alive()

    def ask(self, command: Command) -> "Future[Any]":
        """Have a command followed; the future brings its answer, or CommandError."""
        future: Future[Any] = Future()
        if self._stop.is_set():
            future.set_exception(CommandError(503, "the order loop is ending"))
            return future
        self._commands.put((command, future))
        self._broker.wake()
        return future

    def answer(self, command: Command, seconds: float = 10.0) -> Any:
        """The answer of a command. Raises CommandError."""
        try:
            return self.ask(command).result(seconds)
        except FutureTimeout as error:
            raise Busy from error

    def pull(self, reason: str, caller: Caller, *, flatten: bool = False) -> Latch:
        """Pull the kill switch: when this returns no order begins to leave; the cancelling goes on behind it.

        Whose orders may not leave can pull it, and is not heard in that positions should be closed.
        """
        flatten = flatten and source_finding(caller.source).passed
        latch = self.switch.pull(Latch(reason=reason, by=caller.user, at=self.chronicle.now(), flatten=flatten))
        self.ask(Pull(caller=caller))
        return latch

    @property
    def over(self) -> str | None:
        """Why nobody follows commands any more; None before the thread began and while it works."""
        if self._thread.ident is None or self._thread.is_alive():
            return None
        return self.failed or "it was stopped"

    # --- the thread ---

    def run(self) -> None:
        """Work until `stop`. What breaks outside of all handling ends the process: nobody would cancel any more."""
        try:
            self.begin()
            while not self._stop.is_set():
                self._wait()
                self.step()
            self.chronicle.record(records.Stopped(at=self.chronicle.now()))
        except Exception as error:  # the top of a thread
            self.failed = f"{type(error).__name__}: {error}"
            log.critical("order_loop_died", exc_info=error)
            self._stop.set()
            self.died()
        finally:
            self._refuse_the_rest()

    def begin(self) -> None:
        """Take up what the journal says: what was being sent when the process ended may have left."""
        now = self.chronicle.now()
        self.chronicle.ledger.put_back(now)
        self.chronicle.record(records.Started(at=now, broker=self.rules.broker, version=_version()))
        for entry in list(self.chronicle.ledger.working.values()):
            if entry.order.status is Status.PENDING:
                self._ground.happened(entry.order.id, SendUnclear("the process ended while it was being sent"))
            if entry.change is not None and not entry.order.replacing:
                self.chronicle.record(
                    records.Answered(at=now, order=entry.order.id, what="change", unclear="the process ended")
                )
            if entry.order.canceling and entry.cancel_wanted is None and not entry.foreign:
                self.chronicle.record(
                    records.Asked(at=now, order=entry.order.id, what="cancel", caller=PROCESS, reason=AGAIN)
                )
        if self.switch.latch is None and self.chronicle.ledger.latch is not None:
            self.switch.pull(self.chronicle.ledger.latch)  # the journal says that nobody released it
        self.chronicle.turn_page(LONG_PAGE_RECORDS)

    def _wait(self) -> None:
        """Until something happens or is due; in the silence between, what the next order needs is kept at hand."""
        if self.rules.rehearse_seconds <= 0 or not self._requests.rehearsable:
            self._broker.wait(TURN_SECONDS)
        elif not self._broker.wait(self.rules.rehearse_seconds) and self._commands.empty():
            self._safely(self._requests.rehearse)

    def step(self) -> None:
        """One round: the broker's news, one command after the other, and now and then a look at the time."""
        self._take_news()
        while True:
            try:
                command, future = self._commands.get_nowait()
            except queue.Empty:
                break
            self._follow(command, future)
            self._take_news()
        clock = self.chronicle.now()
        now = clock.timestamp()
        put_back = now < self._next_turn - 2 * TURN_SECONDS
        if put_back:  # what waits for a time would wait for too long: ask the broker anew
            self.chronicle.ledger.put_back(clock)
            self.agreement.lost()
        if now >= self._next_turn or put_back:
            self._next_turn = now + TURN_SECONDS
            self._safely(self._turn)

    def _follow(self, command: Command, future: "Future[Any]") -> None:
        if not future.set_running_or_notify_cancel():
            return
        try:
            future.set_result(self._kinds[type(command)](command))
        except CommandError as error:
            future.set_exception(error)
        except Exception as error:  # counted and said; nobody may trade on what is left
            self._broke(error)
            future.set_exception(CommandError(500, "the order loop broke on this; see its log"))
        if isinstance(command, Cancel | CancelAll | Flatten | Pull):
            self._safely(self.winding.turn)

    def _safely(self, work: Callable[[], object]) -> None:
        try:
            work()
        except Exception as error:  # the top of the loop: counted and said, and reconciled before anything leaves
            self._broke(error)

    def _broke(self, error: Exception) -> None:
        self.broken += 1
        self.agreement.lost()
        log.error("order_loop_broke", exc_info=error)

    def _refuse_the_rest(self) -> None:
        while True:
            try:
                _, future = self._commands.get_nowait()
            except queue.Empty:
                break
            future.set_exception(CommandError(503, "the order loop has ended"))

    def _take_news(self) -> None:
        try:
            news = list(self._broker.news())
        except Exception as error:  # a broker of any kind
            self._broke(error)
            return
        for each in news:
            self._safely(partial(self._hearing.hear, each))

    def _heard(self, entry: Entry, report: Report) -> None:
        self._hearing.report(entry, report)

    # --- what time alone changes ---

    def _turn(self) -> None:
        self._safely(self.agreement.turn)
        self._safely(self.winding.turn)
        self._safely(self._look_at_orders)
        self._safely(self._look_at_losses)
        self._safely(self.day.turn)

    def _look_at_orders(self) -> None:
        now = self.chronicle.now()
        for entry in list(self.chronicle.ledger.working.values()):
            order = entry.order
            age = abs((now - entry.made_at).total_seconds())  # of a time to come: the clock was put back
            if order.status is Status.SUBMITTED and order.exchange_id is None and age > self.rules.ack_seconds:
                if not order.traded:
                    self._ground.happened(order.id, Overdue())
                self.agreement.soon()
            if entry.cancel_wanted is not None:
                self._changes.tell_cancel(entry)
            still = abs((now - entry.updated_at).total_seconds())
            partial = order.status is Status.PARTIALLY_FILLED and not entry.foreign and not order.canceling
            if partial and 0 < self.rules.partial_seconds < still and entry.cancel_wanted is None:
                self._changes.ask_cancel(entry, PROCESS, f"partially filled for {self.rules.partial_seconds:g} s")

    def _look_at_losses(self) -> None:
        if self.switch.latch is not None or not self._ground.day_begun:
            return
        ledger, now = self.chronicle.ledger, self.chronicle.now()
        for account in {account for account, _ in ledger.positions}:
            limits = ledger.limits.of(account, None, "")
            mine = [p for p in ledger.positions.values() if p.account == account]
            loss = sure_loss(mine, self.market, now, limits)
            if loss is not None and loss >= limits.daily_loss:
                reason = f"daily loss of {account}: {loss:.2f}, limit {limits.daily_loss}"
                latch = Latch(reason=reason, by="risk", at=now, flatten=self.rules.flatten_on_loss)
                self.switch.pull(latch)
                self.winding.turn()
                return

    # --- commands ---

    def _cancel_all(self, command: CancelAll) -> Done:
        wanted = [
            entry
            for entry in self.chronicle.ledger.working.values()
            if command.account in (None, entry.order.account) and command.symbol in (None, entry.order.symbol)
        ]
        for entry in wanted:
            if entry.cancel_wanted is None:
                self._changes.ask_cancel(entry, command.caller, command.reason)
        return Done(orders=tuple(entry.order.id for entry in wanted))

    def _flatten(self, command: Flatten) -> Done:
        """What works is cancelled, whoever asks; positions are closed by those whose orders may leave.

        Also where nothing is held yet: what works may fill before it is cancelled.
        """
        ledger = self.chronicle.ledger
        held = {
            (p.account, p.symbol)
            for p in ledger.positions.values()
            if p.net and command.account in (None, p.account) and command.symbol in (None, p.symbol)
        }
        done = self._cancel_all(
            CancelAll(caller=command.caller, account=command.account, symbol=command.symbol, reason="flatten")
        )
        works = {(order.account, order.symbol) for order in (ledger.entries[name].order for name in done.orders)}
        refusals = [self.winding.flatten(*each, command.caller, command.reason) for each in sorted(held | works)]
        symbols = ", ".join(sorted({symbol for _, symbol in held}))
        return structs.replace(done, text=symbols, refusal=next(filter(None, refusals), None))

    def _pulled(self, command: Pull) -> Done:
        before = self.winding.cancelled
        if source_finding(command.caller.source).passed:
            self.winding.again()
        self.winding.turn()
        return Done(text=f"asked by {command.caller.user}: {self.winding.cancelled - before} cancellations")


def _end_process() -> None:
    signal.raise_signal(signal.SIGTERM)


def _version() -> str:
    try:
        return version("tradingsystem")
    except PackageNotFoundError:
        return "0.1.0"
