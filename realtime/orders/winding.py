"""Cancelling until nothing works any more, and closing what is open: the work of the kill switch and of flatten.

The latch is on before any of this begins. Orders that were placed elsewhere after it was pulled are left alone: they
are a person's, who may be closing positions by hand; not where one of ours may have left late.
"""

import datetime as dt

import structlog

from realtime.orders import records
from realtime.orders.broker import AccountId, BrokerError
from realtime.orders.changes import Changes
from realtime.orders.commands import Answers, CommandError, Place
from realtime.orders.decisions import source_finding
from realtime.orders.entries import Entry
from realtime.orders.ground import Ground
from realtime.orders.positions import Position
from realtime.orders.records import Caller, Reply, Source
from realtime.orders.requests import Requests
from realtime.orders.risk import Finding, refused
from realtime.orders.states import Order, Side, Status
from realtime.orders.switch import Latch

log = structlog.get_logger("orders")

AGAIN_SECONDS = 1.0  # a cancellation that ended nothing is asked again
OWN_SECONDS = 10.0  # a closing order that does not fill is cancelled then, and another one sent
FLAT_SECONDS = 90.0  # a wish to be flat is old then; its own cancellations count against it for a minute
TRIES = 5  # closing orders of one symbol, each a second later than the one before
SWITCH = Caller(user="kill-switch", source="kill-switch")
SILENT = Answers(placed=lambda *_: Reply(202, ""), refused=lambda *_: Reply(403, ""))


class Winding:
    """What the switch, or somebody who wants to be flat, is waiting for."""

    def __init__(self, ground: Ground, requests: Requests, changes: Changes) -> None:
        self._ground = ground
        self._requests = requests
        self._changes = changes
        self._begun: Latch | None = None  # the latch whose work is under way
        self._done = False
        self._told: dict[str, dt.datetime] = {}  # order -> when its end was last asked for
        self._tries: dict[tuple[str, str], tuple[int, dt.datetime]] = {}  # how many, and when the last one
        self._flats: dict[tuple[str, str], tuple[Caller, str, dt.datetime]] = {}  # who, why, since when
        self.cancelled = 0  # of the switch's orders

    @property
    def busy(self) -> bool:
        """Whether something is still to be done."""
        return bool(self._flats) or (self._ground.switch.latch is not None and not self._done)

    def flatten(self, account: str, symbol: str, caller: Caller, reason: str) -> Finding | None:
        """Cancel what works in a symbol, then close what is held by then. What refuses the closing is said at once."""
        refusal = self._refusal(caller.source)
        if refusal is None:
            self._flats[account, symbol] = (caller, reason, self._ground.now())
            return None
        return refusal if self._told_refused(account, symbol, caller) else None

    def _told_refused(self, account: str, symbol: str, caller: Caller) -> bool:
        """Record what refuses to close a position; whether there is one."""
        position = self._ground.chronicle.ledger.positions.get((account, symbol))
        if position is None or position.net == 0:
            return False
        self._requests.place(_closing_order(position, caller))  # which records what refused it
        return True

    def again(self) -> None:
        """Somebody pulled the switch who may close: what was given up is tried anew."""
        self._tries.clear()

    def turn(self) -> None:
        """Do what can be done now."""
        latch = self._ground.switch.latch
        if latch is None:
            self._begun, self._done = None, False
            self._tries.clear()
        else:
            if self._begun is None or self._ground.chronicle.ledger.latch is None:  # or its release failed
                self._begin(latch)
            self._hand_over()
            self._switch_off(latch)
        for (account, symbol), (caller, reason, since) in list(self._flats.items()):
            if abs((self._ground.now() - since).total_seconds()) > FLAT_SECONDS:
                del self._flats[account, symbol]
                log.error("position_not_closed", symbol=symbol, reason=f"not possible within {FLAT_SECONDS:g} s")
            else:
                self._flat(account, symbol, caller, reason)
        self._told = {o: at for o, at in self._told.items() if o in self._ground.chronicle.ledger.working}

    # --- the switch ---

    def _begin(self, latch: Latch) -> None:
        self._begun, self.cancelled = latch, 0
        ground = self._ground
        if ground.chronicle.ledger.latch is None:
            ground.chronicle.record(records.SwitchPulled(at=ground.now(), latch=latch))
        log.error("kill_switch_on", reason=latch.reason, by=latch.by)
        for account in ground.broker.accounts():
            try:
                ground.broker.cancel_all(account)
            except BrokerError as error:  # each order is cancelled by its name below
                log.warning("cancel_all_failed", account=str(account), reason=str(error))

    def _hand_over(self) -> None:
        """What somebody wanted flat is the switch's from now on: a wish beside it would cancel its closing orders."""
        flats, self._flats = self._flats, {}
        for (account, symbol), (caller, _, _) in flats.items():
            self._told_refused(account, symbol, caller)

    def _switch_off(self, latch: Latch) -> None:
        targets = [e for e in self._ground.chronicle.ledger.working.values() if self._meant(e, latch)]
        for entry in targets:
            self._end(entry, SWITCH, f"kill switch: {latch.reason}")
        if targets and not latch.flatten:
            self._done = False
            return
        listed = self._still_listed(latch)
        if listed is None:
            self._done = False
            return
        if latch.flatten:
            self._close_positions(listed)
        if targets or listed:
            self._done = False
        elif not self._done:
            self._done = True
            seconds = (self._ground.now() - latch.at).total_seconds()
            self._ground.chronicle.record(
                records.SwitchDone(at=self._ground.now(), seconds=seconds, cancelled=self.cancelled)
            )

    def _meant(self, entry: Entry, latch: Latch) -> bool:
        if _in_others(entry):
            return False
        if entry.foreign and not entry.maybe:
            return min(entry.made_at, entry.evidence[0].at) <= latch.at  # by the broker's clock, or known by ours
        return entry.caller.source != "kill-switch" or self._old(entry)

    def _still_listed(self, latch: Latch) -> set[tuple[str, str]] | None:
        """Where the broker itself lists what the switch is meant for: account and symbol. None: nobody knows."""
        ground, listed = self._ground, set()
        if not ground.broker.ready or not ground.broker.accounts():
            return None
        for account in ground.broker.accounts():
            working = ground.agreement.working_there(account)
            if working is None:
                ground.agreement.soon()
                return None
            for report in working:
                found = ground.chronicle.ledger.found(exchange_id=report.key.exchange_id, local_id=report.key.local_id)
                stranger_before = found is None and (report.created is None or report.created <= latch.at)
                if stranger_before or (found is not None and self._meant(found, latch)):
                    ground.agreement.soon()
                    listed.add((str(account), report.symbol))
        return listed

    def _close_positions(self, listed: set[tuple[str, str]]) -> None:
        """Where nothing works any more: an order that cannot be cancelled keeps no other symbol open."""
        working = self._ground.chronicle.ledger.working.values()
        busy = listed | {(e.order.account, e.order.symbol) for e in working if not _in_others(e)}
        for key, position in self._ground.chronicle.ledger.positions.items():
            if position.net == 0 or key in busy or not self._may_try(key):
                continue
            if not self._confirmed(position):
                self._ground.agreement.soon()
                continue
            tries = self._tries[key][0] + 1 if key in self._tries else 1
            self._tries[key] = (tries, self._ground.now())
            order = Order(
                id=self._ground.chronicle.ledger.next_id(self._ground.now()),
                symbol=position.symbol,
                side=_closing(position),
                kind="MARKET",
                quantity=abs(position.net),
                account=position.account,
                strategy="kill-switch",
            )
            try:
                self._requests.close_out(order, SWITCH)
            except CommandError as error:
                log.error("position_not_closed", symbol=position.symbol, reason=str(error))  # noqa: TRY400
            if tries == TRIES:
                log.error("position_gives_up", symbol=position.symbol, tries=TRIES)

    def _may_try(self, key: tuple[str, str]) -> bool:
        tries, at = self._tries.get(key, (0, self._ground.now()))
        waited = abs((self._ground.now() - at).total_seconds())
        return tries < TRIES and waited >= AGAIN_SECONDS * tries

    def _confirmed(self, position: Position) -> bool:
        """Whether the broker holds what we hold: what is not sure is not closed."""
        try:
            held = self._ground.broker.position(AccountId.of(position.account), position.symbol)
        except (BrokerError, ValueError):
            return False
        return held is not None and held.quantity == position.net

    # --- both ---

    def _end(self, entry: Entry, caller: Caller, reason: str) -> None:
        now, order = self._ground.now(), entry.order
        told = self._told.get(order.id)
        if told is not None and abs((now - told).total_seconds()) < AGAIN_SECONDS:
            return
        self._told[order.id] = now
        if told is None and entry.cancel_wanted is None and not order.canceling:
            self.cancelled += 1
            self._changes.ask_cancel(entry, caller, reason)
        else:
            self._changes.tell_cancel(entry)

    def _old(self, entry: Entry) -> bool:
        return abs((self._ground.now() - entry.made_at).total_seconds()) > OWN_SECONDS

    def _refusal(self, source: Source) -> Finding | None:
        """What lets no closing order of a source leave, however long it waits."""
        latch, finding = self._ground.switch.latch, source_finding(source)
        if not finding.passed:
            return finding
        return refused("KILL_SWITCH", "off", f"on: {latch.reason}") if latch else None

    def _flat(self, account: str, symbol: str, caller: Caller, reason: str) -> None:
        working = [
            e
            for e in self._ground.chronicle.ledger.working.values()
            if (e.order.account, e.order.symbol) == (account, symbol) and not _in_others(e)
        ]
        for entry in working:
            self._end(entry, caller, reason or "flatten")
        if working:
            return
        position = self._ground.chronicle.ledger.positions.get((account, symbol))
        if position is None or position.net == 0:
            del self._flats[account, symbol]
            return
        if not self._ground.standing(account).orders_ready:
            return  # the link is away, or back and not reconciled yet: a check would refuse for good
        if self._crowded(account, symbol):
            return  # by the cancellations of this very wish, as a rule
        if not self._confirmed(position):
            self._ground.agreement.soon()
            return
        del self._flats[account, symbol]
        try:
            reply = self._requests.place(_closing_order(position, caller))
        except CommandError as error:
            log.error("position_not_closed", symbol=symbol, reason=str(error))  # noqa: TRY400
        else:
            if reply.status != 202:
                log.error("position_not_closed", symbol=symbol, reason="a check refused; see the refusals")

    def _crowded(self, account: str, symbol: str) -> bool:
        """Whether so many messages have left that a closing order would be one too many just now."""
        ledger = self._ground.chronicle.ledger
        limits = ledger.limits_of(account, None, symbol)
        in_second, in_minute = ledger.messages(self._ground.now().timestamp())
        return in_second >= limits.per_second or in_minute >= limits.per_minute


def _in_others(entry: Entry) -> bool:
    """Whether nobody knows which of several it is: those are meant in its place, and it has no name to be ended by."""
    return entry.disputed and entry.order.status is Status.UNKNOWN


def _closing_order(position: Position, caller: Caller) -> Place:
    return Place(
        caller=Caller(user=caller.user, source=caller.source, correlation_id=caller.correlation_id),
        answers=SILENT,
        symbol=position.symbol,
        side=_closing(position),
        kind="MARKET",
        quantity=abs(position.net),
        account=position.account,
        closes=True,
    )


def _closing(position: Position) -> Side:
    return "SELL" if position.net > 0 else "BUY"
