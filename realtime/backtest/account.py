"""What came of it, while it comes: fills, refusals, equity minute by minute and at each fill, sums of each session."""

import datetime as dt
from collections import Counter
from decimal import Decimal

from msgspec import Struct

from realtime.backtest.market import TapeMarket
from realtime.orders import records
from realtime.orders.entries import Change, OwnFill
from realtime.orders.ledger import Ledger
from realtime.orders.risk import Finding
from realtime.orders.states import Side, Status

ZERO = Decimal(0)
KEPT_REFUSALS = 500  # with their words; all are counted
SAMPLE_MS = 60_000


class Fill(Struct, frozen=True, kw_only=True):
    """One fill, with whether its order took at the market."""

    ts_ms: int
    order: str
    symbol: str
    side: Side
    quantity: int
    price: Decimal
    cost: Decimal
    at_market: bool

    @property
    def signed(self) -> int:
        return self.quantity if self.side == "BUY" else -self.quantity


class Refusal(Struct, frozen=True, kw_only=True):
    """A signal that became no order: which check, which limit, what was observed."""

    ts_ms: int
    symbol: str
    side: str
    quantity: int
    check: str
    limit: str
    observed: str


class Equity(Struct, frozen=True):
    """BRL, from nothing: realised and open results less costs."""

    ts_ms: int
    net: Decimal
    costs: Decimal


class Session(Struct, kw_only=True):
    """One session."""

    day: dt.date
    ticks: int = 0
    signals: int = 0
    orders: int = 0
    fills: int = 0
    refused: int = 0
    costs: Decimal = ZERO
    net: Decimal = ZERO  # of the day, open positions at their last trades
    switch: str | None = None  # why the kill switch was pulled


class Account:
    """Watches one loop."""

    def __init__(self, ledger: Ledger, market: TapeMarket) -> None:
        self.fills: list[Fill] = []
        self.refusals: list[Refusal] = []
        self.refused: Counter[str] = Counter()  # by check
        self.equity: list[Equity] = []
        self.sessions: list[Session] = []
        self.ended: Counter[Status] = Counter()
        self.orders = 0
        self._ledger = ledger
        self._market = market
        self._at_market: set[str] = set()  # orders
        self.next_sample_ms = 0
        self._before = ZERO

    def begin(self, day: dt.date) -> Session:
        """A session begins."""
        self.sessions.append(Session(day=day))
        return self.sessions[-1]

    def end(self, ts_ms: int) -> None:
        """The session is over."""
        self.sample(ts_ms)
        now, session = self.equity[-1], self.sessions[-1]
        session.net = now.net - self._before
        self._before = now.net

    def sample(self, ts_ms: int) -> None:
        """A point of the equity; the last one of an instant counts."""
        net, costs = self.standing()
        if self.equity and self.equity[-1].ts_ms == ts_ms:
            self.equity.pop()
        self.equity.append(Equity(ts_ms, net, costs))

    def passed(self, now_ms: int, next_ms: int) -> None:
        """The tape's clock goes on; a minute that ends on the way is sampled at its last instant."""
        if next_ms >= self.next_sample_ms:
            self.sample(now_ms)
            self.next_sample_ms = next_ms - next_ms % SAMPLE_MS + SAMPLE_MS

    def standing(self) -> tuple[Decimal, Decimal]:
        """Result and costs as they are now."""
        net = costs = ZERO
        for position in self._ledger.positions.values():
            costs += position.costs
            net += position.realised - position.costs
            if position.net and (mark := self._market.last(position.symbol)) is not None:
                net += position.unrealised(mark.price)
        return net, costs

    def watch(self, change: Change, _: int | None) -> None:
        """A record of the loop."""
        entry = change.entry
        if isinstance(entry, records.Intended):
            if entry.order.kind == "MARKET":
                self._at_market.add(entry.order.id)
            self.orders += 1
            self.sessions[-1].orders += 1
        elif isinstance(entry, records.Refused):
            self.refuse(entry.at, entry.order.symbol, entry.order.side, entry.order.quantity, entry.refusal)
        elif isinstance(entry, records.SwitchPulled):
            self.sessions[-1].switch = entry.latch.reason
        if change.order is not None and change.was not in (None, change.order.status) and not change.order.working:
            self.ended[change.order.status] += 1
        if change.fill is not None:
            self._filled(change.fill)

    def refuse(self, at: dt.datetime, symbol: str, side: str, quantity: int, finding: Finding) -> None:
        """A signal became no order."""
        self.refused[finding.code] += 1
        self.sessions[-1].refused += 1
        if len(self.refusals) < KEPT_REFUSALS:
            self.refusals.append(
                Refusal(
                    ts_ms=_ms(at),
                    symbol=symbol,
                    side=side,
                    quantity=quantity,
                    check=finding.code,
                    limit=finding.limit,
                    observed=finding.observed,
                )
            )

    def _filled(self, fill: OwnFill) -> None:
        self.fills.append(
            Fill(
                ts_ms=_ms(fill.at),
                order=fill.order,
                symbol=fill.symbol,
                side="BUY" if fill.side == "BUY" else "SELL",
                quantity=fill.quantity,
                price=fill.price,
                cost=fill.cost,
                at_market=fill.order in self._at_market,
            )
        )
        session = self.sessions[-1]
        session.fills += 1
        session.costs += fill.cost
        self.sample(_ms(fill.at))


def _ms(at: dt.datetime) -> int:
    return round(at.timestamp() * 1000)
