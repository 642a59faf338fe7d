"""`/signals` and what belongs to it, as the original's page calls them: answers carry `data`, errors `error`."""

import asyncio
import datetime as dt
from typing import Annotated, Any, Literal

from litestar import Request, delete, get
from litestar.di import NamedDependency
from litestar.exceptions import NotFoundException
from litestar.params import JSONBody, QueryParameter
from msgspec import Struct

from api.kernel.access import actor, address_of, scoped
from api.kernel.bodies import Body
from api.kernel.errors import responses
from api.tp_capital.asked import clamped, ingested_at, instant, local
from api.tp_capital.diary import Diary, Level, Line
from sql import signal_reading
from sql.pool import Pool
from sql.signal_reading import Counted, Filter, Removed, SeenPost, SignalEntry
from sql.signals import SignalStore

READ, DELETE = scoped("tp-capital:read"), scoped("tp-capital:delete")
ERRORS = responses(400, 401, 403, 429, 503)

Limit = Annotated[int, QueryParameter(description="Rows; brought into 1 to 1000.")]
Offset = Annotated[int, QueryParameter(ge=0, le=10_000_000, description="Rows that are left out at the beginning.")]
Exact = Annotated[str | None, QueryParameter(max_length=128)]
Part = Annotated[str | None, QueryParameter(max_length=200, description="Part of asset or text, in capitals or not.")]
MOMENT = "Milliseconds since 1970, or an ISO 8601 date or instant; part of the range."
From = Annotated[str | None, QueryParameter(name="from", description=MOMENT)]
To = Annotated[str | None, QueryParameter(name="to", description=MOMENT)]


class SignalList(Struct, frozen=True, kw_only=True):
    """Signals, the newest first."""

    data: list[SignalEntry]


class Deletion(Struct, frozen=True, kw_only=True, rename="camel"):
    """Which signal is to be deleted."""

    ingested_at: Any = None


class Deleted(Struct, frozen=True, kw_only=True):
    """What a deletion did; 0 when it had been done before."""

    status: Literal["ok"] = "ok"
    deleted: int


class Choices(Struct, frozen=True, kw_only=True):
    """What signals can be filtered by."""

    channels: list[str]
    types: list[str]


class ChoicesAnswer(Struct, frozen=True, kw_only=True):
    data: Choices


class LogAnswer(Struct, frozen=True, kw_only=True):
    """Lines, the newest first."""

    data: list[Line]


class CountedAnswer(Struct, frozen=True, kw_only=True):
    """Channels by their number of signals."""

    data: list[Counted]
    source: Literal["questdb"] = "questdb"
    timestamp: str


class PostAnswer(Struct, frozen=True, kw_only=True):
    """Posts, the newest first, and how many had each outcome."""

    data: list[SeenPost]
    counts: dict[str, int]


class Forwarded(Struct, frozen=True, kw_only=True, rename="camel"):
    """A text of a channel; `status` is what became of it."""

    channel_id: int
    message_id: int
    channel: str
    text: str
    timestamp: str
    received_at: str
    status: str


class ForwardedAnswer(Struct, frozen=True, kw_only=True):
    """Texts, the newest first."""

    data: list[Forwarded]


class RemovedAnswer(Struct, frozen=True, kw_only=True):
    """The archive of deletions, the newest first."""

    data: list[Removed]


@get("/signals", tags=["signals"], summary="Signals, the newest first", opt=READ, responses=ERRORS)
async def list_signals(
    *,
    signals_pool: NamedDependency[Pool],
    limit: Limit = 100,
    offset: Offset = 0,
    channel: Exact = None,
    signal_type: Annotated[str | None, QueryParameter(name="type", max_length=128)] = None,
    search: Part = None,
    since: From = None,
    until: To = None,
) -> SignalList:
    """All filters are applied before the page is cut. What was deleted is left out."""
    asked = Filter(
        channel=channel or None,
        signal_type=signal_type or None,
        search=search or None,
        since=instant("from", since),
        until=instant("to", until),
        limit=clamped(limit),
        offset=offset,
    )
    return SignalList(data=await signal_reading.signals(signals_pool, asked))


@delete(
    "/signals",
    tags=["signals"],
    summary="Delete a signal",
    opt=DELETE,
    status_code=200,
    dto=Body[Deletion],
    responses=responses(400, 401, 403, 404, 429, 503),
)
async def delete_signal(
    request: Request[Any, Any, Any],
    data: JSONBody[Deletion],
    signal_store: NamedDependency[SignalStore],
    diary: NamedDependency[Diary],
) -> Deleted:
    """The signal goes into the archive of deletions with who did it, and is shown no more. Repeatable."""
    at, whole_ms = ingested_at(data.ingested_at)
    by, address = actor(request), address_of(request) or "unknown"
    count = await asyncio.to_thread(signal_store.delete, at, whole_ms=whole_ms, by=by, address=address)
    if count is None:
        raise NotFoundException(f"no signal was ingested at {data.ingested_at}")
    diary.tell("info", "signal deleted", ingested_at=at.isoformat(), by=by, address=address, count=count)
    return Deleted(deleted=count)


@get("/signals/options", tags=["signals"], summary="What signals can be filtered by", opt=READ, responses=ERRORS)
async def signal_options(signals_pool: NamedDependency[Pool]) -> ChoicesAnswer:
    """The channels and types that occur."""
    channels, types = await signal_reading.choices(signals_pool)
    return ChoicesAnswer(data=Choices(channels=channels, types=types))


@get("/signals/deleted", tags=["signals"], summary="Deleted signals", opt=READ, responses=ERRORS)
async def deleted_signals(signals_pool: NamedDependency[Pool], limit: Limit = 100, offset: Offset = 0) -> RemovedAnswer:
    """What was deleted, by whom, when and from where."""
    return RemovedAnswer(data=await signal_reading.removed(signals_pool, clamped(limit), offset))


@get("/signals/posts", tags=["signals"], summary="Posts and what became of them", opt=READ, responses=ERRORS)
async def list_posts(
    *,
    signals_pool: NamedDependency[Pool],
    outcome: Annotated[Literal["stored", "updated", "refused"] | None, QueryParameter()] = None,
    limit: Limit = 100,
    offset: Offset = 0,
) -> PostAnswer:
    """Everything that channels said, those texts included that were refused as signals, with the reason."""
    posts = await signal_reading.posts(signals_pool, outcome=outcome, limit=clamped(limit), offset=offset)
    return PostAnswer(data=posts, counts=await signal_reading.outcomes(signals_pool))


@get("/forwarded-messages", tags=["signals"], summary="Posts of channels", opt=READ, responses=ERRORS)
async def forwarded_messages(
    *,
    signals_pool: NamedDependency[Pool],
    limit: Limit = 100,
    channel_id: Annotated[int | None, QueryParameter(name="channelId", ge=-(2**63) + 1, le=2**63 - 1)] = None,
    since: From = None,
    until: To = None,
) -> ForwardedAnswer:
    """What was read, the newest first, under the names that `/ingest` takes it by; edits are posts of their own."""
    posts = await signal_reading.posts(
        signals_pool,
        chat=channel_id,
        since=instant("from", since),
        until=instant("to", until),
        limit=clamped(limit),
    )
    return ForwardedAnswer(data=[_forwarded(post) for post in posts])


@get("/channels", tags=["signals"], summary="Channels by their signals", opt=READ, responses=ERRORS)
async def list_channels(signals_pool: NamedDependency[Pool]) -> CountedAnswer:
    """Every channel that has signals, the one with most first."""
    return CountedAnswer(data=await signal_reading.channels(signals_pool), timestamp=local(dt.datetime.now(dt.UTC)))


@get("/logs", tags=["signals"], summary="What the service did of late", opt=READ, responses=ERRORS)
async def list_logs(
    *,
    diary: NamedDependency[Diary],
    limit: Annotated[int | None, QueryParameter(ge=1)] = None,
    level: Annotated[Level | None, QueryParameter()] = None,
) -> LogAnswer:
    """From memory: the last 200 lines (LOG_HISTORY_SIZE)."""
    return LogAnswer(data=diary.lines(limit, level))


def _forwarded(post: SeenPost) -> Forwarded:
    return Forwarded(
        channel_id=post.chat_id,
        message_id=post.post_id,
        channel=post.channel,
        text=post.text,
        timestamp=post.ts,
        received_at=post.received_at,
        status=post.outcome,
    )


HANDLERS = [
    *(list_signals, delete_signal, signal_options, deleted_signals),
    *(list_posts, forwarded_messages, list_channels, list_logs),
]
