"""TP-Capital as a service: port 4005, and the gateway."""

import datetime as dt
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from litestar import Litestar, Response, get
from litestar.di import NamedDependency
from msgspec import Struct

from api.kernel.access import OPEN
from api.kernel.application import Service
from api.kernel.health import Checks, Question
from api.kernel.telemetry import PARAMETER_TYPE
from api.tp_capital import bots, channels, doors, listing
from api.tp_capital.desk import Desk
from api.tp_capital.diary import Diary
from api.tp_capital.intake import Intake
from api.tp_capital.listening import Listening
from api.tp_capital.metrics import SignalMetrics
from api.tp_capital.seals import Seals
from config.settings import Settings
from sql import stores, telegram_registry
from sql.pool import Pool
from sql.signals import SignalStore

ID = "tp-capital-signals"
DESCRIPTION = """Signals that channels of Telegram post, the posts they came from, the registries of bots and channels.

Success is `data`, failure is `error`. Times of signals are ISO 8601, UTC.
"""
HANDLERS = [*listing.HANDLERS, *bots.HANDLERS, *channels.HANDLERS, *doors.HANDLERS]


class Root(Struct, frozen=True, kw_only=True):
    """What this port answers."""

    status: str = "ok"
    endpoints: list[str]
    message: str = "TP-Capital signals"


class SignalHealth(Struct, frozen=True, kw_only=True):
    """The original's answer, and what came on top: `telegram` is null while every bot that should listen does."""

    status: str = "ok"
    ok: bool
    service: str = ID
    questdb: bool
    telegram: str | None
    timestamp: dt.datetime


@get("/", opt=OPEN, tags=["signals"], summary="What this port answers", sync_to_thread=False)
def root() -> Root:
    """Paths and methods."""
    found = {f"{method} {path}" for each in HANDLERS for path in each.paths for method in each.http_methods}
    plain = (PARAMETER_TYPE.sub(r"{\1}", line) for line in found)
    return Root(endpoints=sorted(plain, key=lambda line: line.split(" ")[::-1]))


@get("/health", opt=OPEN, tags=["health"], summary="Health of this service")
async def health(health_checks: NamedDependency[Checks]) -> Response[SignalHealth]:
    """Always 200: whoever waits for the store looks at `questdb`."""
    found = await health_checks.findings()
    questdb, telegram = found["questdb"].status == "ok", found["telegram"].error
    body = SignalHealth(
        ok=questdb and not telegram, questdb=questdb, telegram=telegram, timestamp=dt.datetime.now(dt.UTC)
    )
    return Response(body, headers={"Cache-Control": "no-store"})


def tp_capital(settings: Settings, **listening_with: Any) -> Service:
    """The service on the QuestDB of `settings`. Opens nothing and asks nobody before its lifespan starts."""
    hot = stores.hot(settings)
    metrics, diary = SignalMetrics(), Diary(settings.tp_capital.logs)
    pool = Pool(settings.questdb.pg_dsn(reader=True), f"{ID} (QuestDB)", observe=metrics.asked)
    store = SignalStore(hot)
    intake = Intake(store, diary, metrics)
    listening = Listening(settings.tp_capital, intake, diary, metrics, **listening_with)
    desk = Desk(
        telegram_registry.bots(hot), telegram_registry.channels(hot), Seals(settings.tp_capital.token_key), diary
    )

    def questdb() -> bool:
        answers = hot.ready()
        metrics.questdb_health.set(answers)
        return answers

    async def telegram() -> bool | str:
        return listening.well()

    probes: dict[str, Question] = {"questdb": questdb, "telegram": telegram}

    @asynccontextmanager
    async def life(_: Litestar) -> AsyncIterator[None]:
        try:
            async with listening.running():
                yield
        finally:
            await pool.close()
            hot.close()

    return Service(
        id=ID,
        title="TP-Capital",
        description=DESCRIPTION,
        handlers=HANDLERS,
        own=[root, health],
        parts={
            "signals_pool": pool,
            "signal_store": store,
            "diary": diary,
            "desk": desk,
            "intake": intake,
            "listening": listening,
            "health_checks": Checks(probes),
        },
        probes=probes,
        collectors=metrics.collectors,
        tags={"signals": "What channels recommend", "telegram": "Bots, channels, and the ways in"},
        lifespans=[life],
        counted="/",
        shared=True,
    )
