"""What must be done so that our orders and the broker's list of them agree. Pure: a plan from two lists.

An order carries no name of ours at the broker. It is known by the exchange's id, within one login by the local id, and
otherwise by what it is (account, symbol, side, quantity, prices) and when it was made: one of each alike is a match,
several are not, and then nothing is guessed. The list settles what it lacks only when it was asked long enough after.
"""

import datetime as dt
from collections.abc import Callable, Iterable, Mapping, Sequence

from msgspec import Struct

from realtime.orders.broker import Held, Report
from realtime.orders.states import (
    BROKER_FINAL,
    CLIENT_CREATED,
    FINAL,
    ON_ITS_WAY,
    PENDING_REPLACE,
    Order,
    Reported,
    Status,
    after,
)

LONG_AGO = dt.datetime.min.replace(tzinfo=dt.UTC)


class Own(Struct, frozen=True, kw_only=True):
    """An order of the journal, and what decides whether the list may be about it."""

    order: Order
    made_at: dt.datetime
    this_login: bool  # its local id means something to the broker
    disputed: bool = False  # several at the broker may be it: a list never settles it
    over: bool = False  # its validity has ended
    change_at: dt.datetime | None = None  # when the change was asked for that is on its way


class Rules(Struct, frozen=True, kw_only=True):
    """How near is near."""

    settle: dt.timedelta = dt.timedelta(seconds=10)  # from an unclear send, or the link, to a list that may settle it
    apart: dt.timedelta = dt.timedelta(seconds=60)  # between our clock's time of making and the broker's


class Heard(Struct, frozen=True, tag=True):
    """The broker says something new of an order of ours."""

    order: str
    report: Report


class Adopted(Struct, frozen=True, tag=True):
    """Placed elsewhere: from now on it counts. `maybe`: those of ours that it may be."""

    report: Report
    maybe: tuple[str, ...] = ()


class Disputed(Struct, frozen=True, tag=True):
    """Several orders at the broker may be this one: it stays unknown until its validity ends or a person speaks."""

    order: str
    candidates: tuple[str, ...]


class Lost(Struct, frozen=True, tag=True):
    """The list lacks this order, and was asked late enough to conclude from that."""

    order: str


class Over(Struct, frozen=True, tag=True):
    """The list lacks this order, and its validity has ended."""

    order: str


class Waiting(Struct, frozen=True, tag=True):
    """The list lacks this order or its change, and was asked too early to conclude from that: ask again."""

    order: str


class Unchanged(Struct, frozen=True, tag=True):
    """The list has this order without its change, and was asked late enough to conclude that it never came."""

    order: str


Step = Heard | Adopted | Disputed | Lost | Over | Waiting | Unchanged


class Difference(Struct, frozen=True, kw_only=True):
    """A position that our fills do not explain."""

    symbol: str
    ours: int
    theirs: int


def plan(
    own: Sequence[Own],
    listed: Sequence[Report],
    *,
    asked_at: dt.datetime,
    rules: Rules,
    reached_at: dt.datetime = LONG_AGO,
) -> list[Step]:
    """The steps that make the journal agree with a whole list of one account, in the order in which to take them.

    `asked_at`: when the list was asked for, of our clock; `reached_at`: since when the broker answers. What was sent
    before may have hung on its way until then. Taking the steps twice changes nothing the second time.
    """
    settled = asked_at - rules.settle  # what was asked for until then would have come by now

    def came(at: dt.datetime) -> bool:  # what is of a time to come was asked for before the clock was put back
        return settled >= reached_at and (at <= settled or at > asked_at + rules.apart)

    known, strangers, late = _known(own, listed)
    named = {each.order.id for each, _ in known}
    over, strangers = _over([each for each in own if each.order.id not in named], strangers, rules)
    known += over
    steps: list[Step] = [Heard(each.order.id, report) for each, report in known if tells_more(each.order, report)]
    steps += [step for each, report in known if (step := _unmade(each, report, came)) is not None]
    matched = {each.order.id for each, _ in known}
    missing = [each for each in own if each.order.id not in matched and each.order.status not in FINAL]
    nameless = [each for each in missing if each.order.exchange_id is None]
    steps += _guessed(nameless, strangers, late, rules)
    found = {step.order for step in steps if isinstance(step, Heard | Disputed)}
    steps += [_absent(each, came) for each in missing if each.order.id not in found]
    return steps


def position_differences(ours: Mapping[str, int], held: Iterable[Held]) -> list[Difference]:
    """Where the broker counts another position than our fills add up to; symbols of either side."""
    theirs = {each.symbol: each.quantity for each in held}
    symbols = sorted(ours.keys() | theirs.keys())
    return [
        Difference(symbol=symbol, ours=ours.get(symbol, 0), theirs=theirs.get(symbol, 0))
        for symbol in symbols
        if ours.get(symbol, 0) != theirs.get(symbol, 0)
    ]


def reported(report: Report) -> Reported:
    """The broker's words as an event of the order."""
    return Reported(
        status=report.status,
        traded=report.traded,
        average_price=report.average_price,
        quantity=report.quantity,
        price=report.price,
        stop=report.stop,
        exchange_id=report.key.exchange_id,
        local_id=report.key.local_id,
        at=report.updated,
        text=report.text,
    )


def tells_more(order: Order, report: Report) -> bool:
    """Whether a report changes what is known of its order, or contradicts it."""
    outcome = after(order, reported(report))
    return outcome.order != order or outcome.contradiction is not None


def alike(order: Order, report: Report) -> bool:
    """Whether a report may be about an order by what both are; account, side and prices as they were sent."""
    same = (order.account, order.symbol, order.side, order.quantity) == (
        str(report.account),
        report.symbol,
        report.side,
        report.quantity,
    )
    limited = order.kind in ("LIMIT", "STOP_LIMIT")
    price = not limited or report.price is None or order.price == report.price
    stop = order.stop is None or report.stop is None or order.stop == report.stop
    return same and price and stop


def lives_on(order: Order, report: Report) -> bool:
    """Whether the exchange has an order after all that was ended here without its word: by a list, or by a person.

    What has ended stays ended; what lives on must count, under a name of its own. The news of its way there may come
    after those that the way had failed.
    """
    never_seen = order.status in FINAL and order.exchange_id is None and not order.traded
    on_its_way = report.status == CLIENT_CREATED or (report.status in ON_ITS_WAY and order.status is Status.REJECTED)
    alive = report.status not in BROKER_FINAL and not on_its_way
    return never_seen and report.key.exchange_id is not None and (alive or report.traded > 0)


def _known(
    own: Sequence[Own], listed: Sequence[Report]
) -> tuple[list[tuple[Own, Report]], list[Report], dict[str | None, str]]:
    """The pairs that names connect, the reports of nobody, and what of these lives on: exchange's id -> ours."""
    by_exchange = {each.order.exchange_id: each for each in own if each.order.exchange_id is not None}
    by_local = {each.order.local_id: each for each in own if each.this_login and each.order.local_id is not None}
    pairs, strangers, late = [], [], {}
    for report in listed:
        found = by_exchange.get(report.key.exchange_id) if report.key.exchange_id is not None else None
        local = by_local.get(report.key.local_id) if report.key.local_id is not None else None
        if found is None and local is not None and local.order.exchange_id in (None, report.key.exchange_id):
            if lives_on(local.order, report):
                late[report.key.exchange_id] = local.order.id
            else:
                found = local
        if found is None:
            strangers.append(report)
        else:
            pairs.append((found, report))
    return pairs, strangers, late


def _over(
    own: Sequence[Own], strangers: Sequence[Report], rules: Rules
) -> tuple[list[tuple[Own, Report]], list[Report]]:
    """Ours that ended before the exchange's name of them was known, with their reports.

    Nothing of them can change any more, so that of several alike any will do: what counts is that none counts twice.
    """
    nameless = [e for e in own if e.order.exchange_id is None and e.order.status in FINAL - {Status.FAILED}]
    pairs, left = [], []
    for report in strangers:
        alike_ones = [each for each in nameless if _ended_alike(each, report, rules)]
        if not alike_ones:
            left.append(report)
            continue
        at = report.created
        nearest = min(alike_ones, key=lambda each: abs(each.made_at - at) if at else dt.timedelta())
        nameless.remove(nearest)
        pairs.append((nearest, report))
    return pairs, left


def _unmade(own: Own, report: Report, came: Callable[[dt.datetime], bool]) -> Step | None:
    if own.change_at is None or report.status == PENDING_REPLACE:
        return None
    return Unchanged(own.order.id) if came(own.change_at) else Waiting(own.order.id)


def _ended_alike(own: Own, report: Report, rules: Rules) -> bool:
    order = own.order
    same = order.traded == report.traded and (not order.traded or order.average_price == report.average_price)
    return report.status in BROKER_FINAL and same and _may_be(own, report, rules)


def _guessed(
    nameless: Sequence[Own], strangers: Sequence[Report], late: Mapping[str | None, str], rules: Rules
) -> list[Step]:
    """Matches by what an order is, where there is exactly one of each; everything else is adopted."""
    may_be = {n: [each for each in nameless if _may_be(each, report, rules)] for n, report in enumerate(strangers)}
    candidates: dict[str, list[int]] = {}
    for n, owners in may_be.items():
        for each in owners:
            candidates.setdefault(each.order.id, []).append(n)
    steps: list[Step] = []
    for n, report in enumerate(strangers):
        owners = may_be[n]
        if len(owners) == 1 and candidates[owners[0].order.id] == [n] and not owners[0].disputed:
            steps.append(Heard(owners[0].order.id, report))
        else:
            ended = [late[report.key.exchange_id]] if report.key.exchange_id in late else []
            steps.append(Adopted(report, (*ended, *(each.order.id for each in owners))))
    heard = {step.order for step in steps if isinstance(step, Heard)}
    for order, numbers in candidates.items():
        if order not in heard:
            steps.append(Disputed(order, tuple(strangers[n].key.exchange_id or "" for n in numbers)))
    return steps


def _may_be(own: Own, report: Report, rules: Rules) -> bool:
    near = report.created is None or abs(report.created - own.made_at) <= rules.apart
    other_login = report.key.local_id is None or not own.this_login or own.order.local_id is None
    return alike(own.order, report) and near and (other_login or own.order.local_id == report.key.local_id)


def _absent(own: Own, came: Callable[[dt.datetime], bool]) -> Step:
    if own.over:
        return Over(own.order.id)
    if own.disputed or not came(own.made_at):
        return Waiting(own.order.id)
    settled_by_list = own.order.status in (Status.PENDING, Status.UNKNOWN) or own.order.exchange_id is not None
    return Lost(own.order.id) if settled_by_list else Waiting(own.order.id)
