"""The border to Telegram's Bot API: python-telegram-bot, its updates as posts, its errors as a few words.

Imported where a token is set, and nowhere else: the client takes a second to load.
"""

import datetime as dt
import os
import re
from collections.abc import Mapping
from typing import Any

os.environ.setdefault("PTB_TIMEDELTA", "true")  # the client's coming way; the other one warns at each flood error

from telegram import Bot, Message, Update
from telegram.error import (
    BadRequest,
    Conflict,
    Forbidden,
    InvalidToken,
    NetworkError,
    RetryAfter,
    TelegramError,
    TimedOut,
)
from telegram.request import HTTPXRequest

from api.tp_capital.intake import Heard

ALLOWED = ["channel_post", "edited_channel_post"]
OF_A_POST = {"message_id", "date", "edit_date", "chat", "sender_chat", "from", "via_bot", "text", "caption"}
POLL_SECONDS = 25  # how long Telegram holds a question that has no answer yet
RECEIPT = re.compile(r"\[OK\] \S+ processado as \d\d:\d\d:\d\d")
KINDS: tuple[tuple[type[TelegramError], str], ...] = (  # the first that fits: some are kinds of others
    (RetryAfter, "flood"),
    (Conflict, "conflict"),
    (InvalidToken, "token"),
    (Forbidden, "forbidden"),
    (BadRequest, "refused"),
    (TimedOut, "timeout"),
    (NetworkError, "network"),
)


def bot_of(token: str, api_url: str) -> Bot:
    """A bot that opens nothing before it is entered (`async with`), where it asks who it is."""
    return Bot(
        token,
        base_url=f"{api_url.rstrip('/')}/bot",
        request=HTTPXRequest(connection_pool_size=4, read_timeout=15),
        get_updates_request=HTTPXRequest(connection_pool_size=1),
    )


def kind_of(error: TelegramError) -> str:
    """What went wrong, in a word. The client's own texts may hold the token and are never told."""
    return next((name for kind, name in KINDS if isinstance(error, kind)), "telegram")


def flood_seconds(error: TelegramError) -> float | None:
    """How long Telegram wants us to be silent, when that is what it said."""
    if not isinstance(error, RetryAfter):
        return None
    wait = error.retry_after
    return wait.total_seconds() if isinstance(wait, dt.timedelta) else float(wait)


def is_final(error: TelegramError) -> bool:
    """Whether the same request would be answered the same way again."""
    return isinstance(error, BadRequest | Forbidden)


async def updates(bot: Bot, offset: int | None) -> list[Mapping[str, Any]]:
    """The updates from `offset` on, unread: one that the client cannot read must not hide the others.

    Telegram knows its methods in any case of letters; in small ones the client leaves the answer as it is.
    """
    asked = {"timeout": POLL_SECONDS, "allowed_updates": ALLOWED} | ({} if offset is None else {"offset": offset})
    found: Any = await bot.do_api_request("getupdates", asked, read_timeout=POLL_SECONDS + 10)
    return list(found)


def update_of(body: Mapping[str, Any], bot: Bot | None) -> Update | None:
    """The update in a body, as far as we asked for it: posts with their text. None for what cannot be read."""
    kinds = [kind for kind in ALLOWED if kind in body]
    try:
        posts = {kind: {name: value for name, value in body[kind].items() if name in OF_A_POST} for kind in kinds}
        return Update.de_json({"update_id": body["update_id"], **posts}, bot)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError, OSError):
        return None  # the client says it with whatever its constructors raise


def post_in(update: Update) -> Message | None:
    """The post of a channel that an update tells of, new or edited."""
    return update.channel_post or update.edited_channel_post


def heard_in(message: Message) -> Heard:
    """A post as the intake takes it: its text, else the caption of its media, else nothing."""
    return Heard(
        at=message.date,
        chat_id=message.chat.id,
        post_id=message.message_id,
        title=message.chat.title,
        text=message.text or message.caption or "",
        edited_at=message.edit_date,
    )


def is_ours(message: Message, me: int | None) -> bool:
    """Whether we wrote a post ourselves: a receipt that is read as a post would be answered by a receipt."""
    author = message.from_user or message.via_bot
    return (author is not None and author.id == me) or bool(RECEIPT.fullmatch(message.text or ""))
