"""New orders on their way to the broker: decided, recorded, and only then sent. Never twice.

Decision, reservation and intent are one step of one thread; the kill switch is asked again by the act of sending.
"""

import structlog
from msgspec import structs

from realtime.orders import records
from realtime.orders.broker import AccountId, NewOrder, NotSentError, Sent, UnclearError
from realtime.orders.commands import CommandError, Place
from realtime.orders.decisions import confidence_finding, intent_of, known_of, source_finding
from realtime.orders.ground import Ground
from realtime.orders.journal import JournalError
from realtime.orders.records import Caller, Reply
from realtime.orders.risk import Finding, Known, findings
from realtime.orders.states import NotSent, Order, SendUnclear
from realtime.orders.states import Sent as SentEvent

log = structlog.get_logger("orders")


class Requests:
    """The one way to the broker. All calls by the thread of the loop."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._broker = ground.broker
        self._chronicle = ground.chronicle
        self._passed: Place | None = None  # the last order that left: what is rehearsed

    def place(self, command: Place) -> Reply:
        """Decide on an order and send it. The reply is the first one of its key, whatever happened since."""
        if (before := self._ground.repeated(command.caller)) is not None:
            return before
        order, emulated, impossible = self._drawn(command)
        if impossible is not None and impossible.code == "ACCOUNT":
            return self._refused(command, order, [impossible])
        found, known = self._findings(order, command)
        if impossible is not None:  # the checks say it better, where they see it as well
            found.append(impossible)
        if not all(finding.passed for finding in found):
            return self._refused(command, order, found, known)
        self._passed = command
        intent = self._intended(command, order, found, known, emulated)
        self._leave(intent, order, bypass=False)
        return intent.reply

    @property
    def rehearsable(self) -> bool:
        """Whether an order has left that could be rehearsed."""
        return self._passed is not None

    def rehearse(self) -> None:
        """Decide on the last order once more, up to its record, for nothing: nothing is kept, nothing leaves.

        Between two orders the processor forgets this code and what it reads; the next one would wait for both.
        """
        command, self._passed = self._passed, None
        if command is not None:
            order, emulated, _ = self._drawn(command)
            found, known = self._findings(order, command)
            records.body_of(self._intended(command, order, found, known, emulated))
            self._passed = command  # what breaks is not tried again

    def close_out(self, order: Order, caller: Caller) -> None:
        """Send an order of the kill switch, which passes the latch. Raises CommandError where it cannot leave."""
        if self._chronicle.trouble is not None:
            raise CommandError(503, f"no order leaves without a journal: {self._chronicle.trouble}")
        intent = records.Intended(
            at=self._chronicle.now(), order=order, caller=caller, checks=(), reply=Reply(202, ""), emulated=""
        )
        self._leave(intent, order, bypass=True)

    def _drawn(self, command: Place) -> tuple[Order, str, Finding | None]:
        """The order as it would leave, how it differs from what was asked, and why it cannot leave at all."""
        account, refusal = self._account(command.account)
        order = Order(
            id=self._chronicle.ledger.next_id(self._chronicle.now()),
            symbol=command.symbol,
            side=command.side,
            kind=command.kind,
            quantity=command.quantity,
            price=command.price,
            stop=command.stop,
            time_in_force=command.time_in_force,
            account=str(account) if account else command.account or "",
            strategy=command.strategy,
        )
        if refusal is not None or account is None:
            return order, "", refusal
        try:
            shaped = self._broker.shaped(_new(order, account))
        except NotSentError as error:
            return (
                order,
                "",
                Finding(code=error.code, passed=False, limit="what the broker can do", observed=str(error)),
            )
        changes = {
            name: getattr(shaped, name)
            for name in ("symbol", "kind", "quantity", "price", "stop", "time_in_force")
            if getattr(shaped, name) != getattr(order, name)
        }
        words = ", ".join(f"{name} {getattr(order, name)} became {value}" for name, value in changes.items())
        return structs.replace(order, **changes), words, None

    def _account(self, wanted: str | None) -> tuple[AccountId | None, Finding | None]:
        known, ways = self._broker.accounts(), self._ground.ways
        wanted = wanted or ways.account
        if wanted is None and known and (len(known) == 1 or ways.any_account):
            return known[0], None
        found = next((account for account in known if str(account) == wanted), None)
        listed = ", ".join(map(str, known)) or "none yet"
        refusal = Finding(code="ACCOUNT", passed=False, limit=f"one of: {listed}", observed=wanted or "none named")
        return found, None if found else refusal

    def _findings(self, order: Order, command: Place) -> tuple[list[Finding], Known]:
        ledger, ground = self._chronicle.ledger, self._ground
        limits = ledger.limits_of(order.account, order.strategy, order.symbol)
        known = known_of(order, ledger, ground.market, ground.standing(order.account), limits)
        guessed = command.caller.source == "strategy" and not command.closes
        sure = confidence_finding(command.confidence, ground.ways.confidence, needed=guessed)
        own = source_finding(command.caller.source), sure
        return [*own, *findings(intent_of(order), known, limits)], known

    def _intended(
        self, command: Place, order: Order, found: list[Finding], known: Known, emulated: str
    ) -> records.Intended:
        return records.Intended(
            at=self._chronicle.now(),
            order=order,
            caller=command.caller,
            checks=tuple(found),
            known=known,
            reply=command.answers.placed(order, emulated),
            confidence=command.confidence,
            emulated=emulated,
        )

    def _refused(self, command: Place, order: Order, found: list[Finding], known: Known | None = None) -> Reply:
        refusal = next(finding for finding in found if not finding.passed)
        reply = command.answers.refused(order, refusal)
        record = records.Refused(
            at=self._chronicle.now(),
            order=order,
            caller=command.caller,
            checks=tuple(found),
            known=known,
            refusal=refusal,
            reply=reply,
        )
        log.warning("order_refused", order=order.id, check=refusal.code, limit=refusal.limit, observed=refusal.observed)
        if self._chronicle.trouble is not None:  # nothing can be kept: the key may be tried again
            return reply
        try:
            self._chronicle.record_durably(record)
        except JournalError as error:
            log.error("refusal_not_recorded", reason=str(error))  # noqa: TRY400 - the reason is the whole story
        return reply

    def _leave(self, intent: records.Intended, order: Order, *, bypass: bool) -> None:
        """Intent on the disk, latch, send, answer. Raises CommandError when the intent could not be kept."""
        try:
            self._chronicle.record_durably(intent)
        except JournalError as error:
            self._ground.happened(order.id, NotSent(f"the intent could not be kept: {error}", called=False))
            raise CommandError(503, f"order {order.id} was not sent: {error}") from error
        try:
            sent = self._sent(order, bypass=bypass)
        except NotSentError as error:
            self._ground.happened(order.id, NotSent(str(error)))
        except UnclearError as error:
            self._ground.happened(order.id, SendUnclear(str(error)))
            self._ground.agreement.soon()
        except Exception as error:  # nobody knows how far it came: that is what UNKNOWN is for
            log.exception("send_broke", order=order.id)
            self._ground.happened(order.id, SendUnclear(f"{type(error).__name__} while sending"))
            self._ground.agreement.soon()
        else:
            self._ground.taken(order.id, "send", sent)
            self._ground.happened(order.id, SentEvent(sent.local_id))

    def _sent(self, order: Order, *, bypass: bool) -> Sent:
        new = _new(order, AccountId.of(order.account))
        if bypass:
            return self._broker.send(new)
        self._ground.switch.check()
        return self._broker.send(new, self._ground.switch.sending())


def _new(order: Order, account: AccountId) -> NewOrder:
    return NewOrder(
        id=order.id,
        account=account,
        symbol=order.symbol,
        side=order.side,
        kind=order.kind,
        quantity=order.quantity,
        price=order.price,
        stop=order.stop,
        time_in_force=order.time_in_force,
    )
