"""From the loop's records to what a strategy hears of its orders, in the records' order."""

from collections import deque
from decimal import Decimal
from typing import Any

from realtime.backtest.market import Clock
from realtime.orders import records
from realtime.orders.entries import Change as Recorded
from realtime.orders.ledger import Ledger
from realtime.orders.risk import Finding
from realtime.orders.states import FINAL, MESSAGE_FAILED, Order, RequestFailed
from realtime.strategy import Change, OrderUpdate
from realtime.strategy.proposing import BECAME
from realtime.strategy.running import Proposal


class News:
    """Watches one loop. Only orders of `asked` proposals are told of."""

    def __init__(self, ledger: Ledger, clock: Clock) -> None:
        self.changing: Change | None = None  # is being asked for right now: the exchange answers at once
        self._ledger = ledger
        self._clock = clock
        self._proposals: dict[str, Proposal] = {}  # by the key of the order's request
        self._stands: dict[str, tuple[int, Decimal | None]] = {}  # quantity and price of orders, as they were told
        self._waiting: deque[OrderUpdate] = deque()

    def next(self) -> OrderUpdate | None:
        """The next update that was not told yet; None: there is none."""
        return self._waiting.popleft() if self._waiting else None

    def asked(self, proposal: Proposal) -> None:
        """An order is asked for under the name of its signal."""
        self._proposals[proposal.line.id] = proposal

    def never_left(self, proposal: Proposal, finding: Finding) -> None:
        """There is no order."""
        self._waiting.append(
            OrderUpdate(
                ts_ms=self._clock.ms, signal=proposal.signal, order=None, status="REFUSED", reason=words(finding)
            )
        )

    def unfollowed(self, order: Order, wish: Change, why: str) -> None:
        """A change was asked for in vain."""
        proposal = self._proposals.get(self._key_of(order))
        if proposal is not None:
            self._waiting.append(self._update(proposal, order, unfollowed=wish, reason=why))

    def heard(self, change: Recorded, _: int | None) -> None:
        """A record of the loop."""
        entry, order = change.entry, change.order
        if isinstance(entry, records.Refused):
            proposal = self._proposals.pop(entry.caller.key or "", None)
            if proposal is not None:
                self.never_left(proposal, entry.refusal)
        elif order is not None:
            event = entry.event if isinstance(entry, records.Happened) else None
            if self.changing is not None and isinstance(event, RequestFailed) and _change_failed(event):
                self.unfollowed(order, self.changing, event.text)
            stands = order.quantity, order.price
            moved = self._stands.setdefault(order.id, stands) != stands
            self._stands[order.id] = stands
            if change.fill is not None or moved or change.was not in (None, order.status):
                self._heard_order(change, order)

    def _heard_order(self, change: Recorded, order: Order) -> None:
        key, fill = self._key_of(order), change.fill
        proposal = self._proposals.get(key)
        if proposal is None:
            return
        if order.status in FINAL:
            del self._proposals[key], self._stands[order.id]
        quantity, price = (fill.quantity, float(fill.price)) if fill else (0, None)
        self._waiting.append(self._update(proposal, order, fill_quantity=quantity, fill_price=price, reason=order.text))

    def _update(self, proposal: Proposal, order: Order, **more: Any) -> OrderUpdate:
        return OrderUpdate(
            ts_ms=self._clock.ms,
            signal=proposal.signal,
            order=order.id,
            status=BECAME[order.status],
            filled=order.traded,
            average_price=float(order.average_price) if order.traded else None,
            quantity=order.quantity,
            price=None if order.price is None else float(order.price),
            **more,
        )

    def _key_of(self, order: Order) -> str:
        known = self._ledger.entries.get(order.id)
        return known.caller.key or "" if known else ""


def _change_failed(event: RequestFailed) -> bool:
    return event.what == "change" and event.code in MESSAGE_FAILED


def words(finding: Finding) -> str:
    """A refusal, for the strategy."""
    return f"{finding.code}: limit {finding.limit}, found {finding.observed}"
