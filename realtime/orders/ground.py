"""What every way to the broker shares: the parts, how the process stands, and which request a number is about."""

import datetime as dt
from decimal import Decimal

from msgspec import Struct, structs

from realtime.orders import records
from realtime.orders.agreement import Agreement
from realtime.orders.broker import Broker, OrderKey, Sent
from realtime.orders.chronicle import Chronicle
from realtime.orders.commands import CommandError
from realtime.orders.decisions import Market, Standing
from realtime.orders.entries import Entry
from realtime.orders.records import Caller, Reply
from realtime.orders.states import Event
from realtime.orders.switch import Switch
from sql.exchange import SAO_PAULO

SENT_MESSAGES = 10_000  # numbers of requests that are remembered


class Ways(Struct, frozen=True, kw_only=True):
    """How orders are decided on, beside the limits."""

    always_open: bool = False
    twin_seconds: float = 1.0
    confidence: float = 0.60
    account: str | None = None  # of orders that name none
    any_account: bool = False  # the first one will do: invented money


class Ground:
    """The parts of one order loop, for its thread."""

    def __init__(
        self, broker: Broker, chronicle: Chronicle, *, switch: Switch, market: Market, agreement: Agreement, ways: Ways
    ) -> None:
        self.broker = broker
        self.chronicle = chronicle
        self.switch = switch
        self.market = market
        self.agreement = agreement
        self.ways = ways
        self._messages: dict[int, tuple[str, str]] = {}  # number of a request -> order, what
        self._latest: dict[tuple[str, str], int] = {}  # and the number of the last one

    def now(self) -> dt.datetime:
        """The clock of everything that is recorded."""
        return self.chronicle.now()

    def standing(self, account: str) -> Standing:
        """How the process stands for an account, now."""
        latch = self.switch.latch
        return Standing(
            now=self.now(),
            orders_ready=self.broker.ready and self.agreement.agreed(account),
            day_begun=self.day_begun,
            journal_ready=self.chronicle.trouble is None,
            switched_off=latch.reason if latch else None,
            always_open=self.ways.always_open,
            twin_seconds=self.ways.twin_seconds,
        )

    @property
    def day_begun(self) -> bool:
        """Whether positions count from this session's start; an invented market takes any price for it."""
        return self.ways.always_open or self.chronicle.ledger.session == session_of(self.now())

    def entry(self, order: str) -> Entry:
        """The order of that name. Raises CommandError."""
        found = self.chronicle.ledger.entries.get(order)
        if found is None:
            raise CommandError(404, f"there is no order {order}")
        return found

    def happened(
        self, order: str, event: Event, *, cost: Decimal = Decimal(0), point_value: Decimal | None = None
    ) -> None:
        """Record something about an order."""
        self.chronicle.record(
            records.Happened(at=self.now(), order=order, event=event, cost=cost, point_value=point_value)
        )

    def taken(self, order: str, what: str, sent: Sent) -> None:
        """Remember which order a request's number is about, where the broker gave it one."""
        if sent.message <= 0:
            return
        self._messages[sent.message] = (order, what)
        self._latest[order, what] = sent.message
        if len(self._messages) > SENT_MESSAGES:
            oldest = next(iter(self._messages))
            about = self._messages.pop(oldest)
            if self._latest.get(about) == oldest:
                del self._latest[about]

    def about(self, message: int) -> tuple[str, str] | None:
        """The order that a request's number is about, and what was asked; None where it was asked again since."""
        found = self._messages.get(message)
        return found if found is not None and self._latest.get(found) == message else None

    def repeated(self, caller: Caller) -> Reply | None:
        """The answer that was given under the caller's key. Raises CommandError when something else was asked then."""
        if caller.key is None:
            return None
        before = self.chronicle.ledger.remembered(caller.key, self.now())
        if before is None:
            return None
        if before.body_hash != caller.body_hash:
            raise CommandError(422, "this Idempotency-Key was used for another request within the last day")
        return structs.replace(before.reply, status=200) if before.reply.status == 201 else before.reply


def session_of(now: dt.datetime) -> dt.date:
    """The day of an instant, in São Paulo."""
    return now.astimezone(SAO_PAULO).date()


def key_of(entry: Entry) -> OrderKey:
    """The broker's names of an order; the local one only where this login gave it."""
    return OrderKey(entry.order.local_id if entry.this_login else None, entry.order.exchange_id)
