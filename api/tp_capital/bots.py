"""`/telegram/bots`: the registry of bots, with its history. A token is sealed when it comes in and never goes out."""

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
from api.tp_capital.desk import (
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
from sql.signal_tables import TelegramBot
from sql.telegram_registry import new_id

READ = scoped("tp-capital:read")
WRITE, DELETE = scoped("tp-capital:write", always=True), scoped("tp-capital:delete", always=True)  # of tokens

Token = Annotated[str, Meta(pattern=r"^\S+$", max_length=200, description="As BotFather gave it.")]
BotType = Literal["Forwarder", "Sender", "Ingestion"]


class NewBot(Struct, frozen=True, kw_only=True):
    """A bot to register."""

    username: Name
    token: Token
    bot_type: BotType = "Sender"
    description: Words = ""


class BotChanges(Struct, frozen=True, kw_only=True):
    """What is to change; without a token, or with the masked one, the stored one stays."""

    username: Name | UnsetType = UNSET
    token: Token | UnsetType = UNSET
    bot_type: BotType | UnsetType = UNSET
    description: Words | UnsetType = UNSET
    status: Status | UnsetType = UNSET


class BotAnswer(Struct, frozen=True, kw_only=True):
    """Bots, the last changed first; tokens masked."""

    data: list[TelegramBot]
    timestamp: str


@get("/telegram/bots", tags=["telegram"], summary="Registered bots", opt=READ, responses=ERRORS)
async def list_bots(desk: NamedDependency[Desk]) -> BotAnswer:
    """The newest version of each; what was deleted is left out."""
    found = await asyncio.to_thread(desk.bots.all)
    return BotAnswer(data=[desk.masked(bot) for bot in found], timestamp=now())


@post(
    "/telegram/bots",
    tags=["telegram"],
    summary="Register a bot",
    opt=WRITE,
    status_code=200,
    dto=Body[NewBot],
    responses=WRONG,
)
async def add_bot(request: Request[Any, Any, Any], data: JSONBody[NewBot], desk: NamedDependency[Desk]) -> Registered:
    """The token is sealed before it is stored."""
    at = dt.datetime.now(dt.UTC)
    entry_id = new_id("bot", at)
    values = asdict(data) | {"token": desk.seals.seal(data.token, entry_id)}
    await asyncio.to_thread(desk.bots.add, TelegramBot(**values, **first_version(request, entry_id, at)))
    desk.told(request, "bot registered", entry_id)
    return Registered(id=entry_id)


@put(
    "/telegram/bots/{bot_id:str}",
    tags=["telegram"],
    summary="Change a bot",
    opt=WRITE,
    dto=Body[BotChanges],
    responses=MISSING,
)
async def change_bot(
    request: Request[Any, Any, Any], bot_id: FromPath[str], data: JSONBody[BotChanges], desk: NamedDependency[Desk]
) -> Done:
    """What the body leaves out stays; so does `created_at`."""
    values = sent(data)

    def changed(bot: TelegramBot) -> TelegramBot:
        token = values.get("token")
        if token is None or token == desk.masked(bot).token:  # a form sends back what it was shown
            return replace(bot, **{**values, "token": bot.token})
        return replace(bot, **{**values, "token": desk.seals.seal(token, bot.id)})

    existing(await asyncio.to_thread(desk.bots.change, bot_id, author_of(request), changed), bot_id)
    desk.told(request, "bot changed", bot_id)
    return Done()


@delete(
    "/telegram/bots/{bot_id:str}",
    tags=["telegram"],
    summary="Remove a bot",
    opt=DELETE,
    status_code=200,
    responses=MISSING,
)
async def remove_bot(request: Request[Any, Any, Any], bot_id: FromPath[str], desk: NamedDependency[Desk]) -> Done:
    """It is shown no more; its history stays."""
    existing(await asyncio.to_thread(desk.bots.delete, bot_id, author_of(request)), bot_id)
    desk.told(request, "bot removed", bot_id)
    return Done()


@get("/telegram/bots/{bot_id:str}/history", tags=["telegram"], summary="Who changed a bot", opt=READ, responses=MISSING)
async def bot_history(bot_id: FromPath[str], desk: NamedDependency[Desk]) -> BotAnswer:
    """Every version, the newest first: when, by whom, from which address."""
    found = await asyncio.to_thread(desk.bots.history, bot_id)
    existing(found or None, bot_id)
    return BotAnswer(data=[desk.masked(bot) for bot in found], timestamp=now())


HANDLERS = [list_bots, add_bot, change_bot, remove_bot, bot_history]
