"""One strategy over one scene: each tick first reaches the exchange, then the strategy; its orders leave a while later.

What is due between two ticks (orders on their way, signals that expire) happens at its own time, before the next tick.
"""

import datetime as dt
import heapq
import sys
from collections.abc import Callable, Iterable
from functools import partial

from realtime.backtest import Asked
from realtime.backtest.account import Account
from realtime.backtest.market import trade_of
from realtime.backtest.news import News, words
from realtime.backtest.scene import Scene, answers
from realtime.orders.commands import Alter, CommandError, Place, Release
from realtime.orders.commands import Cancel as CancelOrder
from realtime.orders.entries import Entry
from realtime.orders.loop import TURN_SECONDS
from realtime.orders.prices import exact
from realtime.orders.records import Caller
from realtime.orders.risk import Finding
from realtime.strategy import Cancel, Change, Tick
from realtime.strategy.proposing import Wanted, too_late, wanted_of
from realtime.strategy.running import Proposal, Request, Running
from sql.exchange import SAO_PAULO, close_after

TURN_MS = int(TURN_SECONDS * 1000)
IDLE_TURN_MS = 10_000  # of a loop without orders and positions
OPERATOR = Caller(user="backtest", source="scheduler")
ANSWERS = answers()
HTTP_REFUSED = 400


class Drive:
    """Brings ticks to exchange and strategy, and the strategy's orders to the loop."""

    def __init__(self, scene: Scene, running: Running, account: Account, asked: Asked) -> None:
        self._scene = scene
        self._running = running
        self._account = account
        self._asked = asked
        self._due: list[tuple[int, int, Callable[[], None]]] = []
        self._place = 0  # among what is due
        self._turned = 0
        self._next_ms = 0  # when something is due
        self._turn_ms = TURN_MS
        self._working: frozenset[str] = frozenset()  # symbols with an order that may trade
        self._news = News(scene.loop.chronicle.ledger, scene.clock)
        scene.loop.chronicle.watchers += [account.watch, self._news.heard]

    def session(self, day: dt.date, ticks: Iterable[Tick]) -> None:
        """One session, from its first tick to the end of its day; an invented market has no end.

        Raises StrategyError, BacktestError.
        """
        session, before = self._account.begin(day), self._running.signals
        self._turn_ms = self._next_ms = 0  # the first tick begins the day
        if self._scene.loop.switch.latch is not None:
            self._scene.ask(Release(caller=OPERATOR, reason="another session: somebody has looked at it"))
        for tick in ticks:
            self._tick(tick)
            session.ticks += 1
        if not self._scene.model.always_open:
            self._close(day)
        self._turn()
        self._account.end(self._scene.clock.ms)
        session.signals = self._running.signals - before
        self._scene.market.session_ended()

    def _close(self, day: dt.date) -> None:
        """What still works expires at its own time, before another session begins."""
        midnight = dt.datetime.combine(day + dt.timedelta(days=1), dt.time(), SAO_PAULO)
        now, working = self._scene.clock(), self._scene.loop.chronicle.ledger.working.values()
        for end in sorted({close_after(entry.order.symbol, now) for entry in working}):
            if end < midnight:
                self._reach(_ms(end))
                self._turn()
        self._reach(max(_ms(midnight) - 1, self._scene.clock.ms))

    def _tick(self, tick: Tick) -> None:
        if tick.ts_ms < self._next_ms:
            self._scene.clock.reach(tick.ts_ms)
        else:
            self._reach(tick.ts_ms)
        if tick.what == "trade":
            self._scene.market.note(tick)
            if tick.symbol in self._working:
                self._scene.broker.trade(trade_of(tick))
                if self._scene.broker.wait(0):
                    self._step()
        for said in self._running.heard(tick):
            self._take(said)

    def _reach(self, ms: int) -> None:
        """Let time pass, with everything that is due on the way."""
        while self._due and self._due[0][0] <= ms:
            at, _, act = heapq.heappop(self._due)
            self._scene.clock.reach(at)
            act()
        self._account.passed(self._scene.clock.ms, ms)
        self._scene.clock.reach(ms)
        if ms - self._turned >= self._turn_ms:
            self._turn()
        self._look_ahead()

    def _look_ahead(self) -> None:
        """Until then a tick changes nothing but the clock."""
        due = self._due[0][0] if self._due else sys.maxsize
        self._next_ms = min(due, self._account.next_sample_ms, self._turned + self._turn_ms)

    def _turn(self) -> None:
        self._turned = self._scene.clock.ms
        self._step()

    def _step(self) -> None:
        self._scene.step()
        self._tell()

    def _tell(self) -> None:
        """The strategy hears of its orders, and may propose on that."""
        while (update := self._news.next()) is not None:
            for said in self._running.told(update):
                self._take(said)
        ledger = self._scene.loop.chronicle.ledger
        self._working = frozenset(entry.order.symbol for entry in ledger.working.values())
        idle = not self._working and not any(position.net for position in ledger.positions.values())
        self._turn_ms = IDLE_TURN_MS if idle else TURN_MS
        self._look_ahead()

    # --- from a signal to an order ---

    def _take(self, said: Proposal | Request) -> None:
        now = self._scene.clock.ms
        if isinstance(said, Request):
            self._at(now + self._asked.delay_ms, partial(self._follow, said))
        elif (wanted := wanted_of(said.signal, self._asked.quantity)) is not None:
            self._at(now + self._asked.delay_ms, partial(self._send, said, wanted, now))

    def _follow(self, request: Request) -> None:
        """Cancel or change an order of its own that may still trade; of others nothing is asked."""
        wish = request.wish
        entry = self._scene.loop.chronicle.ledger.working.get(wish.order)
        if entry is None:
            return
        caller = Caller(user=self._running.name, source="strategy", key=request.line.id)
        if isinstance(wish, Cancel):
            reason = f"its strategy asked: {wish.reasoning}".rstrip(": ")
            self._scene.ask(CancelOrder(caller=caller, order=wish.order, reason=reason))
        else:
            self._change(entry, wish, caller)
        self._step()

    def _change(self, entry: Entry, wish: Change, caller: Caller) -> None:
        price = None if wish.price is None else exact(wish.price)
        alter = Alter(caller=caller, answers=ANSWERS, order=wish.order, quantity=wish.quantity, price=price)
        self._news.changing = wish
        try:
            if self._scene.ask(alter).status >= HTTP_REFUSED:
                refusal = self._scene.loop.chronicle.ledger.refusals[-1].refusal
                self._news.unfollowed(entry.order, wish, words(refusal))
        except CommandError as error:
            self._news.unfollowed(entry.order, wish, str(error))
        finally:
            self._news.changing = None

    def _at(self, ms: int, act: Callable[[], None]) -> None:
        self._place += 1
        heapq.heappush(self._due, (ms, self._place, act))
        self._look_ahead()

    def _send(self, proposal: Proposal, wanted: Wanted, proposed_ms: int) -> None:
        now, signal = self._scene.clock.ms, proposal.signal
        if (late := too_late(signal, now - proposed_ms)) is not None:
            self._never_left(
                proposal,
                wanted,
                Finding(code="EXPIRED_SIGNAL", passed=False, limit=f"{signal.lives_ms} ms", observed=late),
            )
            return
        self._news.asked(proposal)
        if wanted.symbol not in self._working and (last := self._scene.market.trade(wanted.symbol)) is not None:
            self._scene.broker.trade(last)  # nothing of the symbol works: it only says where the market is
        try:
            self._scene.ask(self._place_of(wanted, proposal))
        except CommandError as error:
            self._never_left(proposal, wanted, Finding(code="COMMAND", passed=False, observed=str(error)))
        if signal.lives_ms is not None:
            self._at(proposed_ms + signal.lives_ms, partial(self._expire, proposal.line.id))
        self._tell()

    def _place_of(self, wanted: Wanted, proposal: Proposal) -> Place:
        return Place(
            caller=Caller(user=self._running.name, source="strategy", key=proposal.line.id),
            answers=ANSWERS,
            symbol=wanted.symbol,
            side=wanted.side,
            kind=wanted.kind,
            quantity=wanted.quantity,
            price=wanted.price,
            strategy=self._running.name,
            confidence=proposal.signal.confidence,
        )

    def _expire(self, key: str) -> None:
        """Cancel what is left of an order whose signal has lived."""
        for entry in list(self._scene.loop.chronicle.ledger.working.values()):
            if entry.caller.key == key:
                caller = Caller(user=self._running.name, source="strategy")
                self._scene.ask(CancelOrder(caller=caller, order=entry.order.id, reason="its signal expired"))
                self._step()

    def _never_left(self, proposal: Proposal, wanted: Wanted, finding: Finding) -> None:
        self._account.refuse(self._scene.clock(), wanted.symbol, wanted.side, wanted.quantity, finding)
        self._news.never_left(proposal, finding)


def _ms(at: dt.datetime) -> int:
    return round(at.timestamp() * 1000)
