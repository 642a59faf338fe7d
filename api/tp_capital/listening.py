"""The bots of the service: one that reads channels (by asking, or by Telegram's calls) and one that copies posts."""

import asyncio
import contextlib
import datetime as dt
import hmac
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from typing import TYPE_CHECKING, Any

from api.tp_capital.diary import Diary
from api.tp_capital.intake import Intake
from api.tp_capital.metrics import SignalMetrics
from config.settings import SettingsError
from config.tp_capital import TpCapital

if TYPE_CHECKING:  # the client is loaded where a token is set
    from telegram import Bot, Update

    from api.tp_capital.link import Link
    from api.tp_capital.polling import Called
    from api.tp_capital.receipts import Receipts

Job = Coroutine[Any, Any, None]


class Listening:
    """Holds the bots that the settings name. Raises SettingsError for settings that cannot go together."""

    def __init__(
        self,
        settings: TpCapital,
        intake: Intake,
        diary: Diary,
        metrics: SignalMetrics,
        *,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        check(settings)
        self.settings = settings
        self._intake = intake
        self._diary = diary
        self._metrics = metrics
        self._pause = pause
        self._links: list[Link] = []
        self._called: Called | None = None
        self._receipts: Receipts | None = None

    def well(self) -> bool | str:
        """Whether every bot that should listen does; in words, why not."""
        ill = [f"{link.name}: {link.trouble}" for link in self._links if link.state == "failing"]
        return "; ".join(ill) or True

    @property
    def states(self) -> dict[str, str]:
        """Bot -> how it stands with Telegram."""
        return {link.name: link.state for link in self._links}

    def opens_with(self, secret: str | None) -> bool:
        """Whether a call carries the secret that Telegram was given; never where nobody is to call."""
        expected = self.settings.webhook_secret if self.settings.webhook else None
        return bool(expected and secret) and hmac.compare_digest(str(expected).encode(), str(secret).encode())

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Listen inside the block; what is being stored when it ends comes again and changes nothing."""
        tasks = [asyncio.create_task(job) for job in self._jobs()]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def called(self, body: dict[str, Any]) -> bool:
        """Take an update that Telegram sent; whether it could be read. Raises StoreError: then it is sent again."""
        from api.tp_capital.telegram_client import update_of

        bot = self._called.bot if self._called else None
        update = update_of(body, bot)
        if update is not None:
            await self._take(bot, update)
        return update is not None

    def _jobs(self) -> list[Job]:
        settings, jobs = self.settings, []
        if settings.ingestion_token is None:
            self._diary.tell("warn", "TELEGRAM_INGESTION_BOT_TOKEN is not set: no channel is read")
        else:
            jobs += self._reading(settings.ingestion_token)
        if settings.forwarder_token and settings.destination:
            jobs.append(self._forwarding(settings.forwarder_token))
        return jobs

    def _reading(self, token: str) -> list[Job]:
        from api.tp_capital.polling import Called, Poller, stay
        from api.tp_capital.receipts import Receipts

        settings, link = self.settings, self._link("ingestion bot")
        if settings.webhook:
            self._called = Called(link, str(settings.webhook_url), str(settings.webhook_secret))
            do = self._called.wait
        else:
            do = Poller(link, self._take, self._diary, self._metrics, pause=self._pause).poll
        jobs = [stay(link, token, settings.api_url, do, self._pause)]
        if settings.receipts:
            answering = self._link("receipts")
            self._receipts = Receipts(answering, self._diary, pause=self._pause)
            jobs.append(stay(answering, token, settings.api_url, self._receipts.run, self._pause))
        return jobs

    def _forwarding(self, token: str) -> Job:
        from api.tp_capital.forwarding import Forwarding
        from api.tp_capital.polling import Poller, stay

        forwarding = Forwarding(self.settings, self._diary, pause=self._pause)
        link = self._link("forwarder bot")
        poller = Poller(link, forwarding.take, self._diary, self._metrics, pause=self._pause)
        return stay(link, token, self.settings.api_url, poller.poll, self._pause)

    def _link(self, name: str) -> "Link":
        from api.tp_capital.link import Link

        link = Link(name, self._diary, self._metrics)
        self._links.append(link)
        return link

    async def _take(self, bot: "Bot | None", update: "Update") -> None:
        from api.tp_capital.telegram_client import heard_in, is_ours, post_in

        message = post_in(update)
        if message is None or is_ours(message, bot.id if bot else None):
            return
        heard = heard_in(message)
        self._metrics.polling_lag.set((dt.datetime.now(dt.UTC) - (heard.edited_at or heard.at)).total_seconds())
        done = await self._intake.take(heard, "ingestion")
        if done.outcome == "stored" and self._receipts is not None:
            self._receipts.of(heard.chat_id, str(done.reading.asset))


def check(settings: TpCapital) -> None:
    """Raise SettingsError for a webhook that anybody could call, and for two bots that are one."""
    if settings.webhook and settings.ingestion_token and not (settings.webhook_url and settings.webhook_secret):
        raise SettingsError(
            "TELEGRAM_MODE=webhook: expected TELEGRAM_WEBHOOK_URL and TELEGRAM_WEBHOOK_SECRET (without a secret "
            "anybody could write signals), found one of them unset"
        )
    if settings.forwarder_token and settings.forwarder_token == settings.ingestion_token:
        raise SettingsError(
            "TELEGRAM_FORWARDER_BOT_TOKEN: expected another bot than TELEGRAM_INGESTION_BOT_TOKEN, found the same; "
            "Telegram tells each update once"
        )
