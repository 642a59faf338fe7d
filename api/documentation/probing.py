"""Asks registered systems whether they answer, through the door that leads to no other place of this network."""

import asyncio
import datetime as dt
import time
from collections.abc import Collection
from http import HTTPStatus

import httpx

from api.kernel.fetch import RefusedTargetError, UnresolvedError, guarded
from sql.documentation.systems import Probed

TIMEOUT_SECONDS = 10.0
AT_A_TIME = 32


class Prober:
    """Asks public addresses, and of this network those in `allowed` (`host:port`). Opens nothing before it is asked."""

    def __init__(self, allowed: Collection[str], *, timeout_seconds: float = TIMEOUT_SECONDS) -> None:
        self._allowed = allowed
        self._timeout = timeout_seconds
        self._turns = asyncio.Semaphore(AT_A_TIME)
        self._client: httpx.AsyncClient | None = None

    async def probed(self, url: str | None) -> Probed:
        """What the address answers. Nothing of a body is read, so none is too large."""
        if url is None:
            return _found("unknown", "no url to ask", None)
        async with self._turns:
            began = time.perf_counter()
            try:
                async with asyncio.timeout(self._timeout):
                    status = await self._status(url)
            except RefusedTargetError as error:
                return _found("unknown", f"not asked: {error}; DOCUMENTATION_PROBE_ALLOW names places it may ask", None)
            except (TimeoutError, httpx.TimeoutException):
                return _found("offline", f"no answer within {self._timeout:g} s", None)
            except (UnresolvedError, httpx.HTTPError, httpx.InvalidURL) as error:
                return _found("offline", f"no answer: {type(error).__name__}", None)
        elapsed = round((time.perf_counter() - began) * 1000)
        if 200 <= status < 300:
            return _found("online", f"answered {status}", elapsed)
        return _found("error", f"answered {status} {_phrase(status)}".rstrip(), elapsed)

    async def close(self) -> None:
        """Let go of connections."""
        if self._client is not None:
            await self._client.aclose()

    async def _status(self, url: str) -> int:
        if self._client is None:
            self._client = guarded(self._allowed, timeout_seconds=self._timeout)
        async with self._client.stream("GET", url) as answer:
            return answer.status_code


def _found(status: str, message: str, response_time_ms: int | None) -> Probed:
    return Probed(
        status=status,  # type: ignore[arg-type]
        message=message,
        response_time_ms=response_time_ms,
        last_checked=dt.datetime.now(dt.UTC),
    )


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""
