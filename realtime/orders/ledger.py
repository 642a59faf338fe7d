"""What is known of orders, fills and positions, as the journal's records make it: the same live and replayed.

One thread changes it, by `apply` alone, so that what a restart reads is what the process knew.
"""

import datetime as dt
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from typing import Any

from msgspec import structs

from realtime.orders import records
from realtime.orders.carried import Carried
from realtime.orders.entries import Change, Entry, OwnFill, Remembered, kind_of, same, tell
from realtime.orders.exposure import Exposure
from realtime.orders.limits import Change as LimitsChange
from realtime.orders.limits import RiskLimits, changed, together
from realtime.orders.positions import Position, Trade, after_trade, day_begun, flat, taken_over
from realtime.orders.recent import Recent
from realtime.orders.records import Caller, Reply
from realtime.orders.risk import Limits
from realtime.orders.states import (
    FINAL,
    CancelAsked,
    ChangeAsked,
    Event,
    NotSent,
    Order,
    Reported,
    SendUnclear,
    Sent,
    after,
)
from realtime.orders.switch import Latch
from sql.exchange import SAO_PAULO, instrument_of

KEY_HOURS = 24
KEPT_SESSIONS = 2  # final orders of older ones are in the journal and in the stores, no longer in memory
RATE_SECONDS = 60.0
TWIN_SECONDS = 3600.0  # the longest time in which twins are looked for
LIMITS_KEPT = 1000


class Ledger:
    """The state. Reading it from another thread needs a copy that the owner made."""

    def __init__(self, limits: RiskLimits) -> None:
        self.limits = limits
        self.entries: dict[str, Entry] = {}
        self.working: dict[str, Entry] = {}
        self.positions: dict[tuple[str, str], Position] = {}
        self.fills: list[OwnFill] = []
        self.refusals: deque[records.Refused] = deque(maxlen=1000)
        self.differences: deque[records.Differed] = deque(maxlen=200)
        self.latch: Latch | None = None
        self.session: dt.date | None = None
        self._begun_at: dt.datetime | None = None
        self._left: dt.date | None = None  # the session that a clock was put back from
        self._left_at: dt.datetime | None = None  # when that one had begun
        self.records = 0
        self._change = LimitsChange()  # what was changed since the start of the journal, as one
        self._keys: dict[str, Remembered] = {}
        self._by_exchange: dict[str, str] = {}
        self._by_local: dict[int, str] = {}
        self.exposure = Exposure()
        self._sent: Recent[None] = Recent(RATE_SECONDS)
        self._intents: Recent[Order] = Recent(TWIN_SECONDS)
        self._limits: dict[tuple[str, str | None, str], Limits] = {}  # as they are in force, by whom and what
        self._last_id = ("", 0)
        self._rules: dict[type, Callable[[Any, int | None], Change]] = {
            records.Intended: self._intended,
            records.Refused: self._refused,
            records.Happened: self._happened,
            records.Asked: self._asked,
            records.Answered: self._answered,
            records.Adopted: self._adopted,
            records.Disputed: self._disputed,
            records.TakenOver: self._taken_over,
        }

    # --- reading ---

    def remembered(self, key: str, now: dt.datetime) -> Remembered | None:
        """The answer that was given under a key within the last day."""
        found = self._keys.get(key)
        return found if found and now - found.at < dt.timedelta(hours=KEY_HOURS) else None

    def found(self, *, exchange_id: str | None, local_id: int | None) -> Entry | None:
        """The order by the broker's names; the local one counts within this login."""
        name = self._by_exchange.get(exchange_id) if exchange_id else None
        if name is None and local_id is not None:
            name = self._by_local.get(local_id)
            known = self.entries[name].order.exchange_id if name else None
            if exchange_id and known not in (None, exchange_id):
                return None  # the local id belongs to another order than the permanent one
        return self.entries[name] if name else None

    def next_id(self, now: dt.datetime, prefix: str = "ORD") -> str:
        """A number for an order that is made now: the day's count, in São Paulo. No number comes twice.

        A clock that is put back over midnight goes on with the later day.
        """
        day = max(f"{now.astimezone(SAO_PAULO):%Y%m%d}", self._last_id[0])
        number = self._last_id[1] + 1 if day == self._last_id[0] else 1
        return f"{prefix}-{day}-{number:03d}"

    def messages(self, now: float) -> tuple[int, int]:
        """Orders, cancellations and changes that went to the broker within the second and the minute before `now`.

        `now` in seconds since 1970.
        """
        return self._sent.count(now, 1.0), self._sent.count(now, RATE_SECONDS)

    def twins(self, order: Order, now: float, seconds: float) -> int:
        """Equal orders that were sent within the last seconds, an hour at most. `now` in seconds since 1970."""
        return sum([same(made, order) for made in self._intents.newer(now, seconds)])

    def limits_of(self, account: str, strategy: str | None, symbol: str) -> Limits:
        """The limits in force for an order."""
        key = (account, strategy, symbol)
        found = self._limits.get(key)
        if found is None:
            if len(self._limits) >= LIMITS_KEPT:  # of symbols that somebody made up
                self._limits.clear()
            found = self._limits[key] = self.limits.of(*key)
        return found

    def nets(self, account: str) -> dict[str, int]:
        """Net position of each symbol of an account; closed ones are left out."""
        return {p.symbol: p.net for p in self.positions.values() if p.account == account and p.net}

    def put_back(self, now: dt.datetime) -> None:
        """The clock shows less than before: what was sent later counts as just now, not until it is as late again."""
        self._sent.put_back(now)
        self._intents.put_back(now)

    def carried(self) -> Carried:
        """All of it, for a file of the journal that begins here."""
        return Carried(
            entries=tuple(self.entries.values()),
            positions=tuple(self.positions.values()),
            fills=tuple(self.fills),
            refusals=tuple(self.refusals),
            differences=tuple(self.differences),
            latch=self.latch,
            session=self.session,
            begun_at=self._begun_at,
            left=self._left,
            left_at=self._left_at,
            records=self.records,
            limits=self._change,
            version=self.limits.version,
            keys=tuple(self._keys.items()),
            by_exchange=tuple(self._by_exchange.items()),
            by_local=tuple(self._by_local.items()),
            sent=tuple(at for at, _ in self._sent.held()),
            intents=tuple(self._intents.held()),
            last_id=self._last_id,
        )

    # --- changing ---

    def take_up(self, carried: Carried) -> None:
        """Be what another ledger carried. This one is new, with the limits of settings."""
        for entry in carried.entries:
            self.entries[entry.order.id] = entry
            if entry.order.status not in FINAL:
                self.working[entry.order.id] = entry
                self.exposure.put(entry)
        self.positions = {(each.account, each.symbol): each for each in carried.positions}
        self.fills = list(carried.fills)
        self.refusals.extend(carried.refusals)
        self.differences.extend(carried.differences)
        self.latch, self.session, self.records = carried.latch, carried.session, carried.records
        self._begun_at, self._left, self._left_at = carried.begun_at, carried.left, carried.left_at
        self._change = carried.limits
        self.limits = structs.replace(changed(self.limits, carried.limits), version=carried.version)
        self._keys = dict(carried.keys)
        self._by_exchange, self._by_local = dict(carried.by_exchange), dict(carried.by_local)
        for at in carried.sent:
            self._sent.add(at, None)
        for at, order in carried.intents:
            self._intents.add(at, order)
        self._last_id = carried.last_id

    def apply(self, entry: records.Entry, number: int | None) -> Change:
        """Take a record in. Never raises for a record that the journal may hold."""
        self.records += 1
        rule = self._rules.get(type(entry))
        if rule is not None:
            found: Change = rule(entry, number)
            if found.order is not None:
                self._weigh(found.order.id)
            return found
        self._of_process(entry)
        return Change(entry=entry)

    def _intended(self, entry: records.Intended, number: int | None) -> Change:
        made = Entry(
            order=entry.order,
            made_at=entry.at,
            updated_at=entry.at,
            caller=entry.caller,
            confidence=entry.confidence,
            emulated=entry.emulated,
        )
        self._put(made)
        self._remember(entry.caller, entry.at, entry.reply, entry.order.id)
        self._intents.add(entry.at, entry.order)
        tell(made, number, entry.at, "intent", entry.emulated or f"{len(entry.checks)} checks passed")
        return Change(entry=entry, order=entry.order)

    def _refused(self, entry: records.Refused, _: int | None) -> Change:
        self.refusals.append(entry)
        self._counted(entry.order.id)  # its caller was told it: no other order gets it
        self._remember(entry.caller, entry.at, entry.reply, None)
        return Change(entry=entry)

    def _happened(self, entry: records.Happened, number: int | None) -> Change:
        found = self.entries.get(entry.order)
        if found is None:
            return Change(entry=entry)  # of an order that was let go since
        before = found.order
        outcome = after(before, entry.event)
        found.order = outcome.order
        if outcome.order != before:
            found.updated_at = entry.at
        if isinstance(entry.event, Sent | SendUnclear):
            self._sent.add(entry.at, None)
        elif isinstance(entry.event, NotSent) and not entry.event.called:
            self._forget(found.caller)  # what it was answered is not what the intent says
        if outcome.contradiction:
            found.contradiction = outcome.contradiction
        self._name(found, before)
        self._settle(found)
        self._changed(found, before, entry.event)
        tell(found, number, entry.at, kind_of(entry.event), outcome.contradiction or entry.event)
        if outcome.fill is None:
            return Change(entry=entry, order=found.order, was=before.status)
        fill = self._filled(found, entry, outcome.fill.quantity, outcome.fill.price)
        position = self.positions[fill.account, fill.symbol]
        return Change(entry=entry, order=found.order, was=before.status, fill=fill, position=position)

    def _changed(self, entry: Entry, before: Order, event: Event) -> None:
        """A change is over when its request failed, or when the order has become what was asked.

        Another change, by hand or one that was given up, says nothing of the one that is on its way.
        """
        order, asked = entry.order, entry.change
        figures = asked and (asked.quantity, asked.price, asked.stop)
        if figures == (order.quantity, order.price, order.stop) and order != before:
            entry.order, entry.change = structs.replace(order, replacing=False), None
        elif before.replacing and not order.replacing:
            if isinstance(event, Reported) and asked is not None:
                entry.order = structs.replace(order, replacing=True)
            else:
                entry.change = None

    def _filled(self, found: Entry, entry: records.Happened, quantity: int, price: Decimal) -> OwnFill:
        order = found.order
        fill = OwnFill(
            id=f"{order.id}-{order.traded}",
            order=order.id,
            account=order.account,
            symbol=order.symbol,
            side=order.side,
            quantity=quantity,
            price=price,
            cost=entry.cost,
            at=entry.at,
            strategy=order.strategy,
            source=found.caller.source,
        )
        found.fills.append(fill)
        self.fills.append(fill)
        self._moved(fill, entry.point_value)
        return fill

    def _moved(self, fill: OwnFill, point_value: Decimal | None) -> None:
        key = (fill.account, fill.symbol)
        position = self.positions.get(key) or flat(*key, instrument_of(fill.symbol))
        if point_value is not None and position.net == 0:
            position = structs.replace(position, point_value=point_value)
        self.positions[key] = after_trade(
            position,
            Trade(
                account=fill.account,
                symbol=fill.symbol,
                side="BUY" if fill.side == "BUY" else "SELL",
                quantity=fill.quantity,
                price=fill.price,
                cost=fill.cost,
            ),
        )

    def _asked(self, entry: records.Asked, number: int | None) -> Change:
        found = self.entries.get(entry.order)
        if entry.reply is not None:
            self._remember(entry.caller, entry.at, entry.reply, entry.order)
        if found is None:
            return Change(entry=entry)
        if entry.what == "cancel":
            found.cancel_wanted = entry.reason or "asked"
        else:
            found.change = entry
        tell(found, number, entry.at, entry.what, f"asked by {entry.caller.user}: {entry.reason}".rstrip(": "))
        return Change(entry=entry, order=found.order)

    def _answered(self, entry: records.Answered, number: int | None) -> Change:
        found = self.entries.get(entry.order)
        if found is None:
            return Change(entry=entry)
        if entry.refused is None:
            self._sent.add(entry.at, None)
            asked: Event = CancelAsked() if entry.what == "cancel" else ChangeAsked()
            found.order = after(found.order, asked).order
        elif entry.what == "change":
            if found.change is not None and not found.order.replacing:
                self._forget(found.change.caller)  # nothing was sent: the key may be tried again
            found.change = None
            found.order = structs.replace(found.order, replacing=False)
        if entry.what == "cancel":
            found.cancel_wanted = None
        found.updated_at = entry.at
        said = entry.refused or entry.unclear or "taken by the broker"
        tell(found, number, entry.at, f"{entry.what} answer", said)
        return Change(entry=entry, order=found.order)

    def _adopted(self, entry: records.Adopted, number: int | None) -> Change:
        caller = Caller(user="elsewhere", source="foreign")
        made = Entry(order=entry.order, made_at=entry.created, updated_at=entry.at, caller=caller, maybe=entry.maybe)
        self._put(made)
        self._name(made, structs.replace(made.order, local_id=None, exchange_id=None))
        words = f"placed elsewhere; may be {', '.join(entry.maybe)}" if entry.maybe else "placed elsewhere"
        tell(made, number, entry.at, "adopted", words)
        return Change(entry=entry, order=made.order)

    def _disputed(self, entry: records.Disputed, number: int | None) -> Change:
        found = self.entries.get(entry.order)
        if found is None:
            return Change(entry=entry)
        found.disputed = True
        tell(found, number, entry.at, "disputed", f"may be any of {', '.join(entry.candidates)}")
        return Change(entry=entry, order=found.order)

    def _taken_over(self, entry: records.TakenOver, _: int | None) -> Change:
        key = (entry.account, entry.symbol)
        position = self.positions.get(key) or flat(*key, None)
        position = structs.replace(position, point_value=entry.point_value)
        self.positions[key] = taken_over(position, entry.net, entry.average)
        return Change(entry=entry, position=self.positions[key])

    def _of_process(self, entry: records.Entry) -> None:
        match entry:
            case records.DayBegun():
                self._day_begun(entry)
            case records.LimitsSet():
                self.limits = changed(self.limits, entry.change)
                self._change = together(self._change, entry.change)
                self._limits.clear()
                if entry.reply is not None:
                    self._remember(entry.caller, entry.at, entry.reply, None)
            case records.SwitchPulled():
                self.latch = entry.latch
            case records.SwitchReleased():
                self.latch = None
            case records.Differed():
                self.differences.append(entry)
            case records.Started():
                self._by_local.clear()
                for each in self.entries.values():
                    each.this_login = False

    def _day_begun(self, entry: records.DayBegun) -> None:
        before, went_back = self.session, self.session is not None and entry.session < self.session
        left, left_at = self._left, self._left_at
        if went_back:
            self._left, self._left_at = (left, left_at) if left else (before, self._begun_at)
        else:
            self._left = self._left_at = None
        self.session, self._begun_at = entry.session, entry.at
        again = entry.session == left and (left_at is None or entry.at >= left_at)  # else it had begun too early
        if went_back or again:  # a clock was put back, or right again: what the day has brought stays
            return
        for key, position in self.positions.items():
            self.positions[key] = day_begun(position, entry.settlements.get(position.symbol))
        oldest = entry.at - dt.timedelta(days=KEPT_SESSIONS)
        for each in [e for e in self.entries.values() if e.order.status in FINAL and e.updated_at < oldest]:
            self._let_go(each)
        self.fills = [fill for fill in self.fills if fill.at >= oldest]
        self._keys = {k: r for k, r in self._keys.items() if entry.at - r.at < dt.timedelta(hours=KEY_HOURS)}

    def _let_go(self, entry: Entry) -> None:
        order = entry.order
        del self.entries[order.id]
        if order.exchange_id is not None:
            self._by_exchange.pop(order.exchange_id, None)
        if order.local_id is not None and self._by_local.get(order.local_id) == order.id:
            del self._by_local[order.local_id]

    def _put(self, entry: Entry) -> None:
        self.entries[entry.order.id] = entry
        self._settle(entry)
        self._counted(entry.order.id)

    def _counted(self, order: str) -> None:
        _, day, number = order.split("-")
        self._last_id = max(self._last_id, (day, int(number)))

    def _settle(self, entry: Entry) -> None:
        if entry.order.status in FINAL:
            self.working.pop(entry.order.id, None)
            entry.cancel_wanted = entry.change = None
        else:
            self.working[entry.order.id] = entry

    def _weigh(self, order: str) -> None:
        entry = self.working.get(order)
        if entry is None:
            self.exposure.drop(order)
        else:
            self.exposure.put(entry)

    def _name(self, entry: Entry, before: Order) -> None:
        order = entry.order
        if order.exchange_id is not None and order.exchange_id != before.exchange_id:
            self._by_exchange[order.exchange_id] = order.id
        if order.local_id is not None and order.local_id != before.local_id:
            self._by_local[order.local_id] = order.id
            entry.this_login = True

    def _remember(self, caller: Caller, at: dt.datetime, reply: Reply, order: str | None) -> None:
        if caller.key is not None:
            self._keys[caller.key] = Remembered(at=at, body_hash=caller.body_hash, reply=reply, order=order)

    def _forget(self, caller: Caller) -> None:
        """Nothing was answered under the caller's key after all."""
        if caller.key is not None:
            self._keys.pop(caller.key, None)


def replayed(entries: Iterable[tuple[int, records.Entry]], limits: RiskLimits) -> Ledger:
    """The ledger that a journal's records make. The limits are those of settings, before any record changed them."""
    ledger = Ledger(limits)
    for number, entry in entries:
        ledger.apply(entry, number)
    return ledger


def positions_again(ledger: Ledger, entries: Iterable[records.Entry]) -> Iterator[tuple[Position, Position | None]]:
    """Each position beside its recomputation from the journal: they must be equal at any time."""
    again = replayed(((0, entry) for entry in entries), ledger.limits)
    for key, position in ledger.positions.items():
        yield position, again.positions.get(key)
