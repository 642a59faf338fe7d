"""Two ways to hear Telegram: ask for updates, each confirmed only when it was taken, or be called.

What a crash or a store that is away leaves undone comes again: asked for again, or sent again by Telegram.
"""

import asyncio
from collections.abc import Awaitable, Callable

import structlog
from telegram import Bot, Update
from telegram.error import TelegramError

from api.tp_capital.diary import Diary
from api.tp_capital.link import Link, pause_after
from api.tp_capital.metrics import SignalMetrics
from api.tp_capital.telegram_client import ALLOWED, bot_of, update_of, updates
from sql.errors import StatementError, StoreError, UnfitValueError

logger = structlog.get_logger("api.tp_capital")

PATIENCE = 10  # times that a store may refuse one update before it is left out

Taker = Callable[[Bot, Update], Awaitable[None]]
Pause = Callable[[float], Awaitable[None]]
Entered = Callable[[Bot], Awaitable[None]]


async def stay(link: Link, token: str, api_url: str, do: Entered, pause: Pause) -> None:
    """Be this bot and `do` what it does, again after every error of Telegram, until cancelled."""
    while True:
        try:
            async with bot_of(token, api_url) as bot:
                await do(bot)
        except TelegramError as error:
            await pause(link.failed(error))
        except Exception as error:  # the top of the loop: a bot that ended for good would be missed by nobody
            logger.exception("bot_broke_off", bot=link.name)
            await pause(link.broke(type(error).__name__))


class Poller:
    """Asks for updates and gives each to `take`, in order."""

    def __init__(
        self, link: Link, take: Taker, diary: Diary, metrics: SignalMetrics, *, pause: Pause = asyncio.sleep
    ) -> None:
        self._link = link
        self._take = take
        self._diary = diary
        self._metrics = metrics
        self._pause = pause

    async def poll(self, bot: Bot) -> None:
        """Ask until cancelled. Raises TelegramError."""
        await bot.delete_webhook()  # beside one nothing may be asked for; what waits stays
        offset: int | None = None
        while True:
            found = await updates(bot, offset)
            self._link.well()
            self._metrics.waiting.set(len(found))
            for body in found:
                update = update_of(body, bot)
                if update is None:
                    self._diary.tell("error", "an update of Telegram could not be read", update=body["update_id"])
                else:
                    await self._taken(bot, update)
                offset = body["update_id"] + 1
                self._metrics.waiting.dec()

    async def _taken(self, bot: Bot, update: Update) -> None:
        """Give an update until it is taken; a store that is away is waited for."""
        tries = refusals = 0
        while True:
            try:
                await self._take(bot, update)
            except StoreError as error:
                tries += 1
                refusals += isinstance(error, StatementError | UnfitValueError)
                if refusals >= PATIENCE:
                    self._diary.tell("error", "update left out: the store refuses it", update=update.update_id)
                    return
                await self._pause(pause_after(tries))
            else:
                return


class Called:
    """Tells Telegram where to call."""

    def __init__(self, link: Link, url: str, secret: str) -> None:
        self.bot: Bot | None = None  # while Telegram knows where to call
        self._link = link
        self._url, self._secret = url, secret

    async def wait(self, bot: Bot) -> None:
        """Register and stay registered until cancelled: what nobody answered is sent again. Raises TelegramError."""
        await bot.set_webhook(self._url, secret_token=self._secret, allowed_updates=ALLOWED)
        self._link.well()
        self.bot = bot
        await asyncio.Event().wait()
