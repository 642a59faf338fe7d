"""Changes and cancellations on their way to the broker.

A change may raise the risk, so it is decided like a new order, and the worse of before and after counts while it is on
its way. A cancellation always passes: without a journal, and without a connection it waits for one.
"""

import structlog
from msgspec import structs

from realtime.orders import records
from realtime.orders.broker import AccountId, NotReadyError, NotSentError, UnclearError, UnknownOrderError
from realtime.orders.commands import Alter, Cancel, CommandError, Done
from realtime.orders.decisions import changer_finding, intent_of, known_of
from realtime.orders.entries import Entry
from realtime.orders.ground import Ground, key_of
from realtime.orders.journal import JournalError
from realtime.orders.records import Caller, Reply
from realtime.orders.risk import Finding, findings
from realtime.orders.states import FINAL, Order, Status

log = structlog.get_logger("orders")

CANCEL_DISK_SECONDS = 1.0  # a cancellation waits so long for its record, and goes without it then
SHRINKING = frozenset({"KILL_SWITCH", "JOURNAL", "CONNECTION", "INSTRUMENT", "ORDER_FORM", "LOT"})


class Changes:
    """The way of everything that is asked of an order that exists."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._broker = ground.broker
        self._chronicle = ground.chronicle

    def alter(self, command: Alter) -> Reply:
        """Change a working order after the same checks as a new one of its size and price."""
        if (before := self._ground.repeated(command.caller)) is not None:
            return before
        entry = self._ground.entry(command.order)
        order = entry.order
        if order.status in FINAL:
            raise CommandError(409, f"order {order.id} is {order.status}: there is nothing to change")
        if order.status in (Status.PENDING, Status.UNKNOWN) or entry.change is not None:
            raise CommandError(409, f"order {order.id} is being sent or changed, or nobody knows its fate; look again")
        if order.canceling or entry.cancel_wanted is not None:
            raise CommandError(409, f"order {order.id} is being cancelled: it is not changed any more")
        wanted = self._wanted(order, command)
        changer = changer_finding(command.caller, entry.caller)
        found = self._findings_of_change(order, wanted, changer)
        refusal = next((finding for finding in found if not finding.passed), None)
        if refusal is not None:
            return self._refused(command, wanted, found, refusal)
        reply = command.answers.placed(wanted, "")
        asked = records.Asked(
            at=self._chronicle.now(),
            order=order.id,
            what="change",
            caller=command.caller,
            quantity=wanted.quantity,
            price=wanted.price,
            stop=wanted.stop,
            reply=reply,
        )
        self._change(asked, entry, wanted)
        return reply

    def _wanted(self, order: Order, command: Alter) -> Order:
        quantity = order.quantity if command.quantity is None else command.quantity
        if quantity <= order.traded:
            raise CommandError(400, f"quantity {quantity}: {order.traded} of order {order.id} are traded already")
        if order.kind == "MARKET" and command.price is not None:
            raise CommandError(400, f"order {order.id} is a market order: it has no price to change")
        return structs.replace(
            order,
            quantity=quantity,
            price=order.price if command.price is None else command.price,
            stop=order.stop if command.stop is None else command.stop,
        )

    def _findings_of_change(self, order: Order, wanted: Order, changer: Finding) -> list[Finding]:
        ledger = self._chronicle.ledger
        standing = self._ground.standing(order.account)
        limits = ledger.limits_of(order.account, order.strategy, order.symbol)
        known = known_of(wanted, ledger, self._ground.market, standing, limits, instead_of=order.id)
        intent = intent_of(wanted, max(order.quantity, wanted.quantity) - order.traded)
        found = [changer, *findings(intent, known, limits)]
        same_prices = (order.price, order.stop) == (wanted.price, wanted.stop)
        shrinks = same_prices and wanted.quantity <= order.quantity
        if not shrinks:
            return found
        asked = SHRINKING - {"CONNECTION"} if known.orders_ready else SHRINKING  # it need not wait for the day
        return [finding for finding in found if finding.code in asked]

    def _refused(self, command: Alter, wanted: Order, found: list[Finding], refusal: Finding) -> Reply:
        reply = command.answers.refused(wanted, refusal)
        refused = records.Refused(
            at=self._ground.now(),
            order=wanted,
            caller=command.caller,
            checks=tuple(found),
            refusal=refusal,
            reply=reply,
        )
        self._chronicle.record(refused)
        return reply

    def _change(self, asked: records.Asked, entry: Entry, wanted: Order) -> None:
        order = entry.order
        try:
            self._chronicle.record_durably(asked)
        except JournalError as error:
            self._answer(order.id, "change", refused=f"the request could not be kept: {error}")
            raise CommandError(503, f"order {order.id} was not changed: {error}") from error
        try:
            self._ground.switch.check()
            sent = self._broker.change(
                AccountId.of(order.account),
                key_of(entry),
                quantity=wanted.quantity,
                price=wanted.price,
                stop=wanted.stop,
                gate=self._ground.switch.sending(),
            )
        except NotSentError as error:
            self._answer(order.id, "change", refused=str(error))
            raise CommandError(409, f"order {order.id} was not changed: {error}") from error
        except UnclearError as error:
            self._answer(order.id, "change", unclear=str(error))
            self._ground.agreement.soon()
        else:
            self._ground.taken(order.id, "change", sent)
            self._answer(order.id, "change", message=sent.message)

    def cancel(self, command: Cancel) -> Done:
        """End an order. An order that ended otherwise than by trading is ended: success without a change."""
        entry = self._ground.entry(command.order)
        if entry.order.status is Status.FILLED:
            raise CommandError(400, f"order {entry.order.id} is filled: it cannot be cancelled")
        if entry.order.status not in FINAL and entry.cancel_wanted is None:
            self.ask_cancel(entry, command.caller, command.reason)
        return Done(orders=(entry.order.id,), order=entry.order)

    def ask_cancel(self, entry: Entry, caller: Caller, reason: str) -> None:
        """Record the wish, and tell the broker as soon as it can be told."""
        asked = records.Asked(
            at=self._chronicle.now(), order=entry.order.id, what="cancel", caller=caller, reason=reason or "asked"
        )
        try:
            self._chronicle.record_durably(asked, CANCEL_DISK_SECONDS)
        except JournalError as error:
            log.error("cancel_not_recorded", order=entry.order.id, reason=str(error))  # noqa: TRY400
        self.tell_cancel(entry)

    def tell_cancel(self, entry: Entry) -> None:
        """Tell the broker of a cancellation that is wanted; it stays wanted while it cannot be told."""
        order, key = entry.order, key_of(entry)
        if key.local_id is None and key.exchange_id is None:
            return
        try:
            sent = self._broker.cancel(AccountId.of(order.account), key)
        except NotReadyError:
            return
        except UnknownOrderError:  # right after a send the broker may not know it yet: the list tells
            self._ground.agreement.soon()
            return
        except NotSentError as error:
            self._answer(order.id, "cancel", refused=str(error))
        except UnclearError as error:
            self._answer(order.id, "cancel", unclear=str(error))
        except Exception:  # an adapter's fault with one order keeps no other from being cancelled; this stays wanted
            log.exception("cancel_broke", order=order.id)
        else:
            self._ground.taken(order.id, "cancel", sent)
            self._answer(order.id, "cancel", message=sent.message)

    def _answer(
        self,
        order: str,
        what: str,
        *,
        message: int | None = None,
        refused: str | None = None,
        unclear: str | None = None,
    ) -> None:
        self._chronicle.record(
            records.Answered(
                at=self._chronicle.now(),
                order=order,
                what="cancel" if what == "cancel" else "change",
                message=message,
                refused=refused,
                unclear=unclear,
            )
        )
