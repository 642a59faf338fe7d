"""Copies new posts of the source channels into the destination channel. Edits are not copied.

A crash between a copy and its confirmation makes a second copy: Telegram has no name for a copy that was asked for.
"""

import asyncio
from collections.abc import Awaitable, Callable

from telegram import Bot, Update
from telegram.error import TelegramError

from api.tp_capital.diary import Diary
from api.tp_capital.link import pause_after
from api.tp_capital.telegram_client import flood_seconds, is_final, is_ours, kind_of
from config.tp_capital import TpCapital

TRIES = 5


class Forwarding:
    """Takes updates of the forwarder bot."""

    def __init__(
        self, settings: TpCapital, diary: Diary, *, pause: Callable[[float], Awaitable[None]] = asyncio.sleep
    ) -> None:
        self._sources = frozenset(settings.sources)
        self._destination = settings.destination
        self._diary = diary
        self._pause = pause

    async def take(self, bot: Bot, update: Update) -> None:
        """Copy the post of an update when it is a new one of a source channel."""
        message = update.channel_post
        if message is None or message.chat.id not in self._sources or is_ours(message, bot.id):
            return
        for tries in range(1, TRIES + 1):
            try:
                await bot.copy_message(self._destination, message.chat.id, message.message_id)
            except TelegramError as error:
                context = {"chat": message.chat.id, "post": message.message_id, "kind": kind_of(error)}
                if is_final(error) or tries == TRIES:
                    self._diary.tell("error", "post not forwarded", **context)
                    return
                await self._pause(flood_seconds(error) or pause_after(tries))
            else:
                self._diary.tell("info", "post forwarded", chat=message.chat.id, post=message.message_id)
                return
