"""Whether we and the broker agree on orders and positions: asked on start, on each reconnect, and again and again.

Orders may leave for an account once its list was loaded, everything in it was taken in, and positions are explained.
What differs is recorded and settled by the rules of `realtime.orders.reconcile`; nothing is ever sent again.
"""

import datetime as dt
from collections.abc import Callable
from decimal import Decimal

import structlog
from msgspec import Struct

from realtime.orders import records
from realtime.orders.broker import AccountId, Broker, BrokerError, NotLoadedError, Report
from realtime.orders.chronicle import Chronicle
from realtime.orders.entries import Entry
from realtime.orders.ledger import KEPT_SESSIONS
from realtime.orders.reconcile import (
    Adopted,
    Difference,
    Disputed,
    Heard,
    Lost,
    Over,
    Own,
    Rules,
    Step,
    Unchanged,
    Waiting,
    plan,
    position_differences,
)
from realtime.orders.states import BROKER_FINAL, FINAL, NotListed, Order, Status, ValidityEnded
from sql.exchange import SAO_PAULO, Instrument, hours, instrument_of, market_of

log = structlog.get_logger("orders")

AFTER_CLOSE = dt.timedelta(minutes=30)
KEPT = dt.timedelta(days=KEPT_SESSIONS, hours=-1)  # the broker's clock is not ours


class Pace(Struct, frozen=True, kw_only=True):
    """How often is asked, in seconds."""

    every: float = 60.0  # while all is well
    soon: float = 2.0  # while something waits for a list
    patience: float = 30.0  # for a list that was asked for
    second_look: float = 2.0  # between two looks at a position that differs


class Asked(Struct, kw_only=True):
    """Where one account stands, since `reached_at`: before, nothing came from the broker, or nobody listened."""

    reached_at: dt.datetime
    agreed: bool = False
    asked_at: dt.datetime | None = None  # the list that is on its way
    since: dt.datetime = dt.datetime.max.replace(tzinfo=dt.UTC)  # what it begins with
    next_at: dt.datetime | None = None  # when to ask again; None: now
    positions_at: dt.datetime | None = None  # when to compare positions alone; None: with the next list
    differing: dict[str, tuple[Difference, dt.datetime]] = {}


class Agreement:
    """One thread's view of all accounts. `hear` takes a report in as an event of an order of ours."""

    def __init__(
        self,
        broker: Broker,
        chronicle: Chronicle,
        hear: Callable[[Entry, Report], None],
        *,
        rules: Rules,
        pace: Pace,
        always_open: bool = False,
        instruments: Callable[[str], Instrument | None] = instrument_of,
    ) -> None:
        self._instruments = instruments
        self._broker = broker
        self._chronicle = chronicle
        self._hear = hear
        self._rules = rules
        self._pace = pace
        self._always_open = always_open
        self._accounts: dict[AccountId, Asked] = {}
        self._named: dict[str, Asked] = {}  # the same, by the account's name: asked before each order
        self.reconciled = 0  # times

    def agreed(self, account: str) -> bool:
        """Whether orders of the account may leave."""
        state = self._named.get(account)
        return state is not None and state.agreed

    @property
    def standing(self) -> dict[str, bool]:
        """Account -> whether we agree with the broker on it."""
        return {str(account): state.agreed for account, state in self._accounts.items()}

    def lost(self) -> None:
        """The link is down: nothing is agreed any more."""
        self._accounts.clear()
        self._named.clear()

    def soon(self) -> None:
        """Ask again shortly."""
        at = self._chronicle.now() + dt.timedelta(seconds=self._pace.soon)
        for state in self._accounts.values():
            state.next_at = at if state.next_at is None else min(state.next_at, at)

    def positions_soon(self) -> None:
        """Compare positions shortly, without a list."""
        at = self._chronicle.now() + dt.timedelta(seconds=self._pace.second_look)
        for state in self._accounts.values():
            state.positions_at = state.positions_at or at

    def turn(self) -> None:
        """Ask for the lists that are due."""
        if not self._broker.ready:
            self.lost()
            return
        now, accounts = self._chronicle.now(), self._broker.accounts()
        self._accounts = {account: self._accounts.get(account) or Asked(reached_at=now) for account in accounts}
        self._named = {str(account): state for account, state in self._accounts.items()}
        for account, state in list(self._accounts.items()):
            self._compare_positions(account, state, now)
            waited = state.asked_at is not None and (now - state.asked_at).total_seconds() < self._pace.patience
            if waited or (state.next_at is not None and now < state.next_at):
                continue
            try:
                since = self._since(account, now)
                self._broker.load(account, since)
                state.asked_at, state.since = now, since
            except BrokerError as error:
                state.next_at = now + dt.timedelta(seconds=self._pace.soon)
                log.warning("list_not_asked", account=str(account), reason=str(error))

    def loaded(self, account: AccountId) -> None:
        """The list is there: take it in."""
        state = self._accounts.get(account)
        if state is None or state.asked_at is None:
            return
        asked_at, state.asked_at = state.asked_at, None
        now = self._chronicle.now()
        try:
            listed = [report for report in self._broker.listed(account) if self._current(report, state.since)]
            waiting = self._taken(account, listed, asked_at, state.reached_at)
            explained = self._positions_explained(account, state, asked_at)
        except NotLoadedError:
            state.next_at = None
            return
        except BrokerError as error:
            state.next_at = now + dt.timedelta(seconds=self._pace.soon)
            log.warning("reconciliation_waits", account=str(account), reason=str(error))
            return
        pause = self._pace.every if explained and not waiting else self._pace.soon
        state.next_at = now + dt.timedelta(seconds=pause)
        if explained and not state.agreed:
            state.agreed = True
            self.reconciled += 1
            working = sum(e.order.account == str(account) for e in self._chronicle.ledger.working.values())
            self._chronicle.record(
                records.Reconciled(at=now, account=str(account), listed=len(listed), working=working)
            )

    def working_there(self, account: AccountId) -> list[Report] | None:
        """The orders in the broker's list that may still trade; None when it cannot be told now."""
        try:
            return [report for report in self._broker.listed(account) if report.status not in BROKER_FINAL]
        except BrokerError:
            return None

    # --- orders ---

    def _taken(self, account: AccountId, listed: list[Report], asked_at: dt.datetime, reached_at: dt.datetime) -> bool:
        """Take the plan's steps; whether something waits for a later list."""
        mine = [e for e in self._chronicle.ledger.entries.values() if e.order.account == str(account)]
        steps = plan([self._own(e) for e in mine], listed, asked_at=asked_at, reached_at=reached_at, rules=self._rules)
        for step in steps:
            self._take(step)
        return any(isinstance(step, Waiting) for step in steps)

    def _take(self, step: Step) -> None:
        ledger, now = self._chronicle.ledger, self._chronicle.now()
        match step:
            case Heard(order, report):
                self._hear(ledger.entries[order], report)
            case Adopted(report, maybe):
                self.adopt(report, maybe)
            case Disputed(order, candidates):
                if not ledger.entries[order].disputed:
                    self._chronicle.record(records.Disputed(at=now, order=order, candidates=candidates))
                    self._differs(ledger.entries[order], f"{order} may be any of {', '.join(candidates)}")
            case Lost(order):
                self._lost(ledger.entries[order])
            case Unchanged(order):
                self._unchanged(ledger.entries[order])
            case Over(order):
                self._chronicle.record(records.Happened(at=now, order=order, event=ValidityEnded()))
                self._differs(ledger.entries[order], f"{order} is over: its day ended, and the broker lists it no more")

    def _current(self, report: Report, since: dt.datetime) -> bool:
        """Not history: a broker may list what was over long ago, and the ledger has let go of it with its fills."""
        if report.status not in BROKER_FINAL or report.created is None or report.created >= since:
            return True
        ledger, key = self._chronicle.ledger, report.key
        return ledger.found(exchange_id=key.exchange_id, local_id=key.local_id) is not None

    def adopt(self, report: Report, maybe: tuple[str, ...] = ()) -> None:
        """Take in an order that was placed elsewhere: it counts from now on.

        What ended before everything that is in memory is left alone: it may be one of ours that was let go, and what
        it traded is in the positions.
        """
        ledger, now = self._chronicle.ledger, self._chronicle.now()
        ended = (report.updated or report.created) if report.status in BROKER_FINAL else None
        if ended is not None and ended < now - KEPT:
            return
        order = Order(
            id=ledger.next_id(now, "EXT"),
            symbol=report.symbol,
            side=report.side,
            kind=report.kind or "LIMIT",
            quantity=report.quantity,
            price=report.price,
            stop=report.stop,
            account=str(report.account),
            status=Status.SUBMITTED,
            local_id=report.key.local_id,
            exchange_id=report.key.exchange_id,
        )
        created = report.created or now
        self._chronicle.record(records.Adopted(at=now, order=order, created=created, maybe=maybe))
        self._hear(ledger.entries[order.id], report)
        self._differs(ledger.entries[order.id], f"{order.id} was placed elsewhere: {order.side} {order.quantity}")

    def _lost(self, entry: Entry) -> None:
        contradicted = entry.contradiction
        now = self._chronicle.now()
        if entry.order.exchange_id is not None and contradicted:
            return  # it was said already
        self._chronicle.record(records.Happened(at=now, order=entry.order.id, event=NotListed()))
        self._differs(entry, f"{entry.order.id} is not in the broker's list: {entry.order.status}")

    def _unchanged(self, entry: Entry) -> None:
        """After what the list says of it was heard: a change that came true is over by then."""
        if entry.change is not None:
            words = "the broker's list shows the order without it"
            now = self._chronicle.now()
            self._chronicle.record(records.Answered(at=now, order=entry.order.id, what="change", refused=words))
            self._differs(entry, f"{entry.order.id} was not changed: {words}")

    def _differs(self, entry: Entry, what: str) -> None:
        self._chronicle.record(records.Differed(at=self._chronicle.now(), account=entry.order.account, what=what))
        log.warning("orders_differ", what=what)

    def _own(self, entry: Entry) -> Own:
        return Own(
            order=entry.order,
            made_at=entry.made_at,
            this_login=entry.this_login,
            disputed=entry.disputed,
            over=self._over(entry),
            change_at=entry.change.at if entry.change else None,
        )

    def _over(self, entry: Entry) -> bool:
        """Whether an order of the day has outlived its session."""
        order, now = entry.order, self._chronicle.now().astimezone(SAO_PAULO)
        made = entry.made_at.astimezone(SAO_PAULO)
        if order.time_in_force == "GTC" or order.status in FINAL:
            return False
        if made.date() < now.date():
            return True
        _, closes = hours(now.date(), market_of(order.symbol))
        return not self._always_open and now > dt.datetime.combine(now.date(), closes, SAO_PAULO) + AFTER_CLOSE

    def _since(self, account: AccountId, now: dt.datetime) -> dt.datetime:
        """From the oldest order that is not settled, the day's start at the latest."""
        day = now.astimezone(SAO_PAULO).replace(hour=0, minute=0, second=0, microsecond=0).astimezone(dt.UTC)
        mine = (e.made_at for e in self._chronicle.ledger.working.values() if e.order.account == str(account))
        return min((day, *(at - self._rules.apart for at in mine)))

    # --- positions ---

    def _compare_positions(self, account: AccountId, state: Asked, now: dt.datetime) -> None:
        if not state.agreed or state.positions_at is None or now < state.positions_at:
            return
        state.positions_at = None
        try:
            if not self._positions_explained(account, state, None):  # a fill may be on its way: the list has it
                at = now + dt.timedelta(seconds=self._pace.second_look)
                state.next_at = at if state.next_at is None else min(state.next_at, at)
        except BrokerError as error:
            log.warning("positions_not_compared", account=str(account), reason=str(error))

    def _positions_explained(self, account: AccountId, state: Asked, listed_at: dt.datetime | None) -> bool:
        """Compare; a difference that stands at a second look is taken over as the broker states it, and recorded.

        `listed_at`: when the list was asked for that was just taken in; None: there is none. Without one that is newer
        than the difference nothing is taken over: a fill that is told later would count twice, and its result nowhere.
        """
        ledger, now = self._chronicle.ledger, self._chronicle.now()
        held = {each.symbol: each for each in self._broker.positions(account)}
        found = {d.symbol: d for d in position_differences(ledger.nets(str(account)), held.values())}
        explained = True
        for symbol, difference in found.items():
            seen, since = state.differing.get(symbol, (None, now))
            if seen != difference:
                state.differing[symbol] = (difference, now)
                explained = False
            elif listed_at is None or listed_at < since or (now - since).total_seconds() < self._pace.second_look:
                explained = False
            else:
                theirs = held.get(symbol)
                self._take_over(account, difference, theirs.average_price if theirs else Decimal(0))
        state.differing = {symbol: seen for symbol, seen in state.differing.items() if symbol in found}
        return explained

    def _take_over(self, account: AccountId, difference: Difference, average: Decimal) -> None:
        instrument, now = self._instruments(difference.symbol), self._chronicle.now()
        what = f"{difference.symbol}: our fills add up to {difference.ours}, the broker holds {difference.theirs}"
        self._chronicle.record(records.Differed(at=now, account=str(account), what=what))
        self._chronicle.record(
            records.TakenOver(
                at=now,
                account=str(account),
                symbol=difference.symbol,
                before=difference.ours,
                net=difference.theirs,
                average=average,
                point_value=Decimal(str(instrument.point_value)) if instrument else Decimal(1),
                reason="the broker's word, twice",
            )
        )
        log.warning("position_taken_over", account=str(account), what=what)
