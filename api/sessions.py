"""`/api/v1/tape/sessions`, `/api/v1/tape/gaps`: what is missing of the tape, whether it is back, what is proven."""

import datetime as dt
from typing import Annotated, Literal

from litestar import get
from litestar.di import NamedDependency
from litestar.params import QueryParameter
from msgspec import Struct

from api.kernel.access import scoped
from api.kernel.errors import invalid, responses
from api.kernel.limits import FREE
from sql import tape_ledger
from sql.tape import SYMBOL, Tape
from sql.warm import WarmStore

MAX_LIMIT = 1_000
ERRORS = responses(400, 401, 403, 429, 503)
SOME_SYMBOL = QueryParameter(
    description="Exchange code, such as WINZ26; all when left out.", schema_extra={"pattern": f"^{SYMBOL.pattern}$"}
)
FROM = QueryParameter(name="from", description="First session, a date in São Paulo.")
TO = QueryParameter(name="to", description="Last session, part of the answer.")
STATE = QueryParameter(name="state", description="Only those in this state.")
LIMIT = QueryParameter(ge=1, le=MAX_LIMIT, description="So many at most, the newest sessions first.")


class Session(Struct, frozen=True, kw_only=True):
    """One symbol's session. `reason` says why it is not proven, or by whose sums it is.

    `captured` false: from before the first day of its capture. `step` null: its numbers follow none. `missing`: trade
    numbers that are missing. `reference…`: what the exchange says; its volume is in BRL, of B3's files the turnover.
    """

    symbol: str
    session: dt.date
    state: Literal["open", "proven", "unproven"]
    reason: str
    captured: bool
    trades: int
    quantity: int
    turnover: float
    first_id: int | None
    last_id: int | None
    first_ts: dt.datetime | None
    last_ts: dt.datetime | None
    step: int | None
    missing: int
    reference_source: str | None
    reference_trades: int | None
    reference_quantity: int | None
    reference_volume: float | None
    reference_at: dt.datetime | None
    judged_at: dt.datetime


class Word(Struct, frozen=True, kw_only=True):
    """One word of a gap's story."""

    at: dt.datetime
    event: str
    words: str


class GapEntry(Struct, frozen=True, kw_only=True):
    """A gap. `ids` numbers were missing when it was found (0: so many are not known), `ids_left` are now.

    `since` and `until`: exchange time of the trades beside it. `story`: what happened to it, in order.
    """

    id: int
    symbol: str
    session: dt.date
    kind: Literal["head", "inner", "tail"]
    state: Literal["missing", "filled", "vacant", "unfillable"]
    first_id: int | None
    last_id: int | None
    ids: int
    ids_left: int
    since: dt.datetime | None
    until: dt.datetime | None
    found_at: dt.datetime
    cause: str
    asked: int
    last_asked: dt.datetime | None
    filled_at: dt.datetime | None
    filled_by: str | None
    note: str
    story: list[Word]


class SessionList(Struct, frozen=True, kw_only=True):
    """Sessions, the newest first."""

    success: bool = True
    data: list[Session]


class GapList(Struct, frozen=True, kw_only=True):
    """Gaps, those of the newest sessions first."""

    success: bool = True
    data: list[GapEntry]


@get(
    "/api/v1/tape/sessions",
    tags=["tape"],
    summary="Which sessions are whole",
    opt={**scoped("tape:read"), **FREE},
    responses=ERRORS,
    sync_to_thread=True,
)
def tape_sessions(
    *,
    tape: NamedDependency[Tape],
    symbol: Annotated[str | None, SOME_SYMBOL] = None,
    since: Annotated[dt.date | None, FROM] = None,
    until: Annotated[dt.date | None, TO] = None,
    chosen: Annotated[Literal["open", "proven", "unproven"] | None, STATE] = None,
    limit: Annotated[int, LIMIT] = 100,
) -> SessionList:
    """Proven: no number is missing, and trades, quantity and volume are those that the exchange told after the close,
    or those of B3's final file. Everything else is unproven, with the reason, or still open."""
    _check(symbol, since, until)
    found = tape_ledger.sessions(
        tape.warm, symbol=symbol, since=since, until=until, state=chosen, limit=limit, reader=True
    )
    return SessionList(data=[session_of(row) for row in found])


@get(
    "/api/v1/tape/gaps",
    tags=["tape"],
    summary="What is missing, and what became of it",
    opt={**scoped("tape:read"), **FREE},
    responses=ERRORS,
    sync_to_thread=True,
)
def tape_gaps(
    *,
    tape: NamedDependency[Tape],
    symbol: Annotated[str | None, SOME_SYMBOL] = None,
    since: Annotated[dt.date | None, FROM] = None,
    until: Annotated[dt.date | None, TO] = None,
    chosen: Annotated[Literal["missing", "filled", "vacant", "unfillable"] | None, STATE] = None,
    limit: Annotated[int, LIMIT] = 100,
) -> GapList:
    """Head: before the first trade of a session; inner: between two; tail: after the last one. Vacant: the exchange
    never used these numbers. Unfillable: neither history nor a file has it so far."""
    _check(symbol, since, until)
    return GapList(data=gaps_of(tape.warm, symbol=symbol, since=since, until=until, state=chosen, limit=limit))


def gaps_of(warm: WarmStore, **asked: object) -> list[GapEntry]:
    """Gaps with their stories."""
    found = tape_ledger.gaps(warm, reader=True, **asked)  # type: ignore[arg-type]
    stories = tape_ledger.story_of(warm, [gap.id for gap in found if gap.id is not None], reader=True)
    names = [name for name in GapEntry.__struct_fields__ if name != "story"]
    return [
        GapEntry(
            **{name: getattr(gap, name) for name in names},
            story=[Word(at=told.at, event=told.event, words=told.words) for told in stories.get(gap.id or 0, [])],
        )
        for gap in found
    ]


def session_of(row: tape_ledger.SessionRow) -> Session:
    """A session as the interface tells it."""
    values = {name: getattr(row, name) for name in Session.__struct_fields__}
    for name in ("turnover", "reference_volume"):
        values[name] = None if values[name] is None else float(values[name])
    return Session(**values)


def _check(symbol: str | None, since: dt.date | None, until: dt.date | None) -> None:
    if symbol is not None and not SYMBOL.fullmatch(symbol):
        raise invalid("symbol", "expected 1 to 32 letters, digits or ._$@:+#/&-")
    if since and until and since > until:
        raise invalid("to", f"expected a date from {since} on, found {until}")
