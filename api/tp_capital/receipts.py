"""The silent answer in a channel after its signal was stored. It may fail; it never holds up the next post."""

import asyncio
import datetime as dt
from collections.abc import Awaitable, Callable

from msgspec import Struct
from telegram import Bot
from telegram.error import TelegramError

from api.tp_capital.asked import SAO_PAULO
from api.tp_capital.diary import Diary
from api.tp_capital.link import Link
from api.tp_capital.telegram_client import flood_seconds, kind_of

MOST_WAITING = 100
BETWEEN_SECONDS = 3.0  # in one channel: Telegram lets a bot say twenty things a minute there


class Receipt(Struct, frozen=True):
    """What is to be said, and where."""

    chat_id: int
    text: str


class Receipts:
    """Says receipts one after the other, as slowly as Telegram wants it."""

    def __init__(self, link: Link, diary: Diary, *, pause: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        self._link = link
        self._diary = diary
        self._pause = pause
        self._waiting: asyncio.Queue[Receipt] = asyncio.Queue(MOST_WAITING)
        self._free_at: dict[int, float] = {}

    def of(self, chat_id: int, asset: str) -> None:
        """Ask for the receipt of a signal that is stored now; left out when too many wait."""
        clock = dt.datetime.now(SAO_PAULO)
        try:
            self._waiting.put_nowait(Receipt(chat_id, f"[OK] {asset} processado as {clock:%H:%M:%S}"))
        except asyncio.QueueFull:
            self._diary.tell("warn", "receipt left out: too many wait", chat=chat_id)

    async def run(self, bot: Bot) -> None:
        """Say what is asked for until cancelled."""
        self._link.well()
        while True:
            receipt = await self._waiting.get()
            now = asyncio.get_running_loop().time()
            if (wait := self._free_at.get(receipt.chat_id, now) - now) > 0:
                await self._pause(wait)
            self._free_at[receipt.chat_id] = max(now, now + wait) + BETWEEN_SECONDS
            await self._say(bot, receipt)

    async def _say(self, bot: Bot, receipt: Receipt) -> None:
        for _ in range(2):
            try:
                await bot.send_message(receipt.chat_id, receipt.text, disable_notification=True)
            except TelegramError as error:
                self._diary.tell("warn", "receipt not said", chat=receipt.chat_id, kind=kind_of(error))
                if (wait := flood_seconds(error)) is None:
                    return
                await self._pause(wait)  # everything waits: a bot that goes on is shut out for longer
            else:
                return
