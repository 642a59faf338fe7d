"""The tables behind the answers: read in threads, tried twice, and kept for a moment however many ask."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

import anyio.to_thread
import msgspec
import stamina

from api.market.shapes import Row, TableHealth
from sql import market
from sql.errors import StoreError, StoreUnavailableError
from sql.hot import HotStore

KEPT_SECONDS = 2.0
MOST_KEPT = 256


class Market:
    """The tables behind the answers: each question is asked again at most every two seconds, however many ask it."""

    def __init__(self, hot: HotStore) -> None:
        self._hot = hot
        self._kept: dict[Any, tuple[float, asyncio.Task[Any]]] = {}
        self._counted: tuple[float, dict[str, TableHealth]] = (float("-inf"), {})
        self._counting = asyncio.Lock()

    async def rows(self, kind: type[Row], question: Callable[..., market.Rows], *args: Any, **wanted: Any) -> list[Any]:
        """What a function of `sql.market` finds, as rows of `kind`. Raises StoreError when it cannot be asked twice."""
        key = (question, args, tuple(sorted(wanted.items())))
        now = time.monotonic()
        if key not in self._kept or now - self._kept[key][0] > KEPT_SECONDS:
            if len(self._kept) >= MOST_KEPT:
                self._kept.clear()
            self._kept[key] = (now, asyncio.create_task(self._asked(kind, question, args, wanted)))
        try:
            return list(await asyncio.shield(self._kept[key][1]))
        except StoreError:
            self._kept.pop(key, None)  # the next one asks anew
            raise

    async def ready(self) -> bool:
        """Whether QuestDB answers."""
        return await anyio.to_thread.run_sync(self._hot.ready)

    async def tables(self) -> dict[str, TableHealth]:
        """What each table holds; counted at most every two seconds."""
        async with self._counting:
            if time.monotonic() - self._counted[0] > KEPT_SECONDS:
                found = await anyio.to_thread.run_sync(market.counts, self._hot)
                held = {name: msgspec.convert(told, TableHealth) for name, told in found.items()}
                self._counted = (time.monotonic(), held)
            return self._counted[1]

    async def _asked(self, kind: type[Row], question: Any, args: Any, wanted: Any) -> list[Row]:
        async for attempt in stamina.retry_context(
            on=StoreUnavailableError, attempts=2, wait_initial=0.1, wait_max=0.3, wait_jitter=0.2
        ):
            with attempt:
                found = await anyio.to_thread.run_sync(lambda: question(self._hot, *args, **wanted))
        return [_shown(row, kind) for row in found]


def _shown(row: dict[str, Any], kind: type[Row]) -> Row:
    values = {_camel(name): value for name, value in row.items()}
    return msgspec.convert({**values, "timestamp": row["ts"]}, kind)


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(part.capitalize() for part in others)
