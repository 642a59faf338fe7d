"""What the broker says, taken in: which order it is about, and what it changes.

A report whose order is not known waits until its name is, where it may be one of ours; otherwise it was placed
elsewhere. Before the first reconciliation nothing is concluded from a stranger: the list will have it too.
"""

from collections import Counter, deque
from decimal import Decimal

from realtime.orders.agreement import Agreement
from realtime.orders.broker import (
    AccountsNews,
    LateNews,
    LinkNews,
    ListLoaded,
    News,
    OrderNews,
    PositionNews,
    Report,
    RequestNews,
)
from realtime.orders.changes import Changes
from realtime.orders.entries import Entry
from realtime.orders.ground import Ground
from realtime.orders.positions import Costs
from realtime.orders.reconcile import alike, lives_on, reported, tells_more
from realtime.orders.records import Caller
from realtime.orders.states import MESSAGE_FAILED, NotSent, RequestFailed, Sent, after

PARKED = 1000
UNDELIVERED = frozenset({1, 3, 5, 7})  # codes of requests that failed before the market saw them
CANCEL_TRIES = 3
AGAIN = Caller(user="process", source="scheduler")


class Hearing:
    """Takes news in their order, by the thread of the loop."""

    def __init__(self, ground: Ground, agreement: Agreement, changes: Changes, costs: Costs) -> None:
        self._ground = ground
        self._agreement = agreement
        self._changes = changes
        self._costs = costs
        self._parked: deque[Report] = deque(maxlen=PARKED)
        self._undelivered: Counter[str] = Counter()  # order -> how often its cancellation did not reach the market
        self._again: set[str] = set()  # orders whose cancellation is to be told again

    def hear(self, news: News) -> None:
        """One piece of news."""
        match news:
            case OrderNews(report):
                self._hear_order(report)
            case RequestNews():
                self._hear_request(news)
            case LateNews():
                self._hear_late(news)
            case LinkNews(ready):
                if not ready:
                    self._agreement.lost()
                self._agreement.turn()
            case ListLoaded(account):
                self._agreement.loaded(account)
                self._cancel_again(str(account))
            case PositionNews():
                self._agreement.positions_soon()
            case AccountsNews():
                self._agreement.soon()

    def _hear_order(self, report: Report) -> None:
        ledger = self._ground.chronicle.ledger
        entry = ledger.found(exchange_id=report.key.exchange_id, local_id=report.key.local_id)
        ended = entry.order.id if entry is not None and lives_on(entry.order, report) else None
        if entry is not None and ended is None:
            self.report(entry, report)
            return
        account = str(report.account)
        if not self._agreement.agreed(account):
            self._parked.append(report)  # the list of the reconciliation has it too
            return
        mine = [e for e in ledger.working.values() if e.order.exchange_id is None and not e.foreign]
        if any(alike(e.order, report) for e in mine):
            self._parked.append(report)  # it may be one whose name we do not know yet: a list decides
            self._agreement.soon()
        else:
            self._agreement.adopt(report, (ended,) if ended else ())

    def report(self, entry: Entry, report: Report) -> None:
        """Take a report in, where it says anything new."""
        if not tells_more(entry.order, report):
            return
        event = reported(report)
        outcome = after(entry.order, event)
        fill = outcome.fill
        if outcome.contradiction not in (None, entry.contradiction):
            self._agreement.soon()  # what cannot be may have changed the position all the same
        instrument = self._ground.market.instrument(entry.order.symbol)
        value = Decimal(str(instrument.point_value)) if instrument and fill else None
        cost = self._costs.of(entry.order.symbol, fill.quantity, fill.price) if fill else Decimal(0)
        self._ground.happened(entry.order.id, event, cost=cost, point_value=value)
        if entry.cancel_wanted is not None:
            self._changes.tell_cancel(entry)

    def _hear_request(self, news: RequestNews) -> None:
        about = self._ground.about(news.message)
        if about is None:
            return
        order, what = about
        self._ground.happened(
            order,
            RequestFailed(
                "cancel" if what == "cancel" else "change" if what == "change" else "send", news.code, news.text
            ),
        )
        if what == "send" and news.code in MESSAGE_FAILED and order in self._ground.chronicle.ledger.working:
            self._agreement.soon()  # the exchange has named it: its list tells whether it has ended
        if what == "cancel" and news.code in UNDELIVERED:
            self._undelivered[order] += 1
            if self._undelivered[order] < CANCEL_TRIES:
                self._again.add(order)
                self._agreement.soon()

    def _cancel_again(self, account: str) -> None:
        """The wish to end an order outlives a request that was lost on its way: once a list shows that the link is
        there it is told again, three times in all."""
        working = self._ground.chronicle.ledger.working
        for order in sorted(self._again):
            entry = working.get(order)
            if entry is not None and entry.order.account != account:
                continue
            self._again.discard(order)
            if entry is not None and entry.cancel_wanted is None and not entry.order.canceling:
                self._changes.ask_cancel(entry, AGAIN, "the request before did not reach the market")

    def _hear_late(self, news: LateNews) -> None:
        if news.id not in self._ground.chronicle.ledger.entries:
            return
        if news.sent is None:
            self._ground.happened(news.id, NotSent(news.refused or "a definite no, late"))
            return
        self._ground.taken(news.id, "send", news.sent)
        self._ground.happened(news.id, Sent(news.sent.local_id))
        parked, self._parked = self._parked, deque(maxlen=PARKED)
        for report in parked:
            if report.key.local_id == news.sent.local_id:
                self._hear_order(report)
            else:
                self._parked.append(report)
