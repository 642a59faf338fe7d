"""What a person alone may do: set limits, release the kill switch, say what became of an order. On the disk first."""

from realtime.orders import records
from realtime.orders.commands import CommandError, Done, Release, Rule, SetLimits
from realtime.orders.ground import Ground
from realtime.orders.journal import JournalError
from realtime.orders.limits import LimitsError, as_they_were, changed, check
from realtime.orders.records import Caller
from realtime.orders.states import Ruled, Status, after
from realtime.orders.switch import PulledAgainError


class Rights:
    """Commands that change the rules; never an agent's or a strategy's. By the thread of the loop."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._chronicle = ground.chronicle
        self._switch = ground.switch

    def set_limits(self, command: SetLimits) -> Done:
        """Change limits as the next version. Raises CommandError."""
        self._only_people(command.caller)
        limits = self._chronicle.ledger.limits
        if self._switch.latch is not None:
            raise CommandError(403, f"limits stay as they are while the kill switch is on: {self._switch.latch.reason}")
        if command.version is not None and command.version != limits.version:
            raise CommandError(409, f"the limits are version {limits.version} by now, not {command.version}")
        try:
            check(command.change)
            changed(limits, command.change)
        except LimitsError as error:
            raise CommandError(400, str(error)) from error
        self._kept(
            records.LimitsSet(
                at=self._ground.now(),
                before=as_they_were(limits, command.change),
                change=command.change,
                caller=command.caller,
            )
        )
        return Done(text=f"version {self._chronicle.ledger.limits.version}")

    def release(self, command: Release) -> Done:
        """Release the kill switch, for a reason. Raises CommandError."""
        self._only_people(command.caller)
        pulls = self._switch.pulls
        if self._switch.latch is None:
            return Done(text="the kill switch is off")
        if not command.reason.strip():
            raise CommandError(400, "reason: a release says why")
        self._kept(records.SwitchReleased(at=self._ground.now(), caller=command.caller, reason=command.reason))
        try:
            self._switch.release(pulls)
        except PulledAgainError as error:
            raise CommandError(409, f"the kill switch stays on: {error}") from error
        except OSError as error:
            raise CommandError(503, f"the kill switch stays on, its file cannot be written: {error}") from error
        return Done(text="released")

    def rule(self, command: Rule) -> Done:
        """End an order whose fate nobody else can tell. Raises CommandError."""
        self._only_people(command.caller)
        entry = self._ground.entry(command.order)
        if entry.order.status is not Status.UNKNOWN:
            raise CommandError(
                409, f"order {entry.order.id} is {entry.order.status}: nobody has to say what became of it"
            )
        event = Ruled(command.status, command.caller.user, command.reason)
        if (wrong := after(entry.order, event).contradiction) is not None:
            raise CommandError(400, wrong)
        self._kept(records.Happened(at=self._ground.now(), order=entry.order.id, event=event))
        return Done(order=entry.order)

    def _only_people(self, caller: Caller) -> None:
        if caller.source in ("agent", "telegram", "strategy"):
            raise CommandError(403, f"a person does this, not {caller.source} {caller.user}")

    def _kept(self, entry: records.Entry) -> None:
        """Record what must be on the disk before it is true."""
        if self._chronicle.trouble is not None:
            raise CommandError(503, f"nothing can be kept: {self._chronicle.trouble}")
        try:
            self._chronicle.record_durably(entry)
        except JournalError as error:
            raise CommandError(503, f"it could not be kept: {error}") from error
