"""`/telegram/channels`: the registry of channels, with its history."""

import asyncio
import datetime as dt
from typing import Annotated, Any, Literal

from litestar import Request, delete, get, post, put
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody
from msgspec import UNSET, Meta, Struct, UnsetType
from msgspec.structs import asdict, replace

from api.kernel.access import scoped
from api.kernel.bodies import Body
from api.kernel.errors import invalid
from api.tp_capital.asked import instant
from api.tp_capital.desk import (
    BIGGEST,
    ERRORS,
    MISSING,
    WRONG,
    Desk,
    Done,
    Name,
    Registered,
    Status,
    Words,
    author_of,
    existing,
    first_version,
    now,
    sent,
)
from sql.signal_tables import TelegramChannel
from sql.telegram_registry import new_id

READ, WRITE, DELETE = scoped("tp-capital:read"), scoped("tp-capital:write"), scoped("tp-capital:delete")

ChannelType = Literal["source", "destination"]
ChatNumber = Annotated[int | str, Meta(description="A number, often below zero; as text too.")]


class NewChannel(Struct, frozen=True, kw_only=True):
    """A channel to register."""

    label: Name
    channel_id: ChatNumber
    channel_type: ChannelType = "source"
    description: Words = ""


class ChannelChanges(Struct, frozen=True, kw_only=True):
    """What is to change."""

    label: Name | UnsetType = UNSET
    channel_id: ChatNumber | UnsetType = UNSET
    channel_type: ChannelType | UnsetType = UNSET
    description: Words | UnsetType = UNSET
    status: Status | UnsetType = UNSET
    signal_count: Annotated[int, Meta(ge=0, le=BIGGEST)] | UnsetType = UNSET
    last_signal: str | UnsetType | None = UNSET


class ChannelAnswer(Struct, frozen=True, kw_only=True):
    """Channels, the last changed first."""

    data: list[TelegramChannel]
    timestamp: str


@get("/telegram/channels", tags=["telegram"], summary="Registered channels", opt=READ, responses=ERRORS)
async def list_registered(desk: NamedDependency[Desk]) -> ChannelAnswer:
    """The newest version of each; what was deleted is left out."""
    return ChannelAnswer(data=await asyncio.to_thread(desk.channels.all), timestamp=now())


@post(
    "/telegram/channels",
    tags=["telegram"],
    summary="Register a channel",
    opt=WRITE,
    status_code=200,
    dto=Body[NewChannel],
    responses=WRONG,
)
async def add_channel(
    request: Request[Any, Any, Any], data: JSONBody[NewChannel], desk: NamedDependency[Desk]
) -> Registered:
    """Its counters begin at 0."""
    at = dt.datetime.now(dt.UTC)
    entry_id = new_id("channel", at)
    values = asdict(data) | {"channel_id": chat_number(data.channel_id), "signal_count": 0, "last_signal": None}
    await asyncio.to_thread(desk.channels.add, TelegramChannel(**values, **first_version(request, entry_id, at)))
    desk.told(request, "channel registered", entry_id)
    return Registered(id=entry_id)


@put(
    "/telegram/channels/{channel_id:str}",
    tags=["telegram"],
    summary="Change a channel",
    opt=WRITE,
    dto=Body[ChannelChanges],
    responses=MISSING,
)
async def change_channel(
    request: Request[Any, Any, Any],
    channel_id: FromPath[str],
    data: JSONBody[ChannelChanges],
    desk: NamedDependency[Desk],
) -> Done:
    """What the body leaves out stays; so does `created_at`."""
    values = sent(data)
    if "channel_id" in values:
        values["channel_id"] = chat_number(values["channel_id"])
    if "last_signal" in values:
        values["last_signal"] = instant("last_signal", values["last_signal"])
    by = author_of(request)
    changed = await asyncio.to_thread(desk.channels.change, channel_id, by, lambda entry: replace(entry, **values))
    existing(changed, channel_id)
    desk.told(request, "channel changed", channel_id)
    return Done()


@delete(
    "/telegram/channels/{channel_id:str}",
    tags=["telegram"],
    summary="Remove a channel",
    opt=DELETE,
    status_code=200,
    responses=MISSING,
)
async def remove_channel(
    request: Request[Any, Any, Any], channel_id: FromPath[str], desk: NamedDependency[Desk]
) -> Done:
    """It is shown no more; its counters and its history stay."""
    existing(await asyncio.to_thread(desk.channels.delete, channel_id, author_of(request)), channel_id)
    desk.told(request, "channel removed", channel_id)
    return Done()


@get(
    "/telegram/channels/{channel_id:str}/history",
    tags=["telegram"],
    summary="Who changed a channel",
    opt=READ,
    responses=MISSING,
)
async def channel_history(channel_id: FromPath[str], desk: NamedDependency[Desk]) -> ChannelAnswer:
    """Every version, the newest first: when, by whom, from which address."""
    found = await asyncio.to_thread(desk.channels.history, channel_id)
    existing(found or None, channel_id)
    return ChannelAnswer(data=found, timestamp=now())


def chat_number(value: int | str) -> int:
    """Telegram's number of a chat. Raises InvalidRequestError for anything else."""
    text = str(value).strip()
    digits = text.removeprefix("-")
    if isinstance(value, bool) or not (digits.isascii() and digits.isdigit()) or not 0 < int(digits[:20]) <= BIGGEST:
        raise invalid("channel_id", f"expected a number of 64 bits other than 0, found {text[:40]!r}")
    return int(text)


HANDLERS = [list_registered, add_channel, change_channel, remove_channel, channel_history]
