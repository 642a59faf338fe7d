"""Asks registered systems whether they answer, through the door that leads to no other place of this network."""

import asyncio
import datetime as dt
import time
from collections.abc import Collection
from http import HTTPStatus
from typing import Any

import httpx
import msgspec

from api.kernel.errors import UpstreamError
from api.kernel.fetch import RefusedTargetError, UnresolvedError, guarded
from sql.documentation.systems import Probed

TIMEOUT_SECONDS = 10.0
AT_A_TIME = 32
DOCUMENT_BYTES = 5_000_000


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

    async def document(self, url: str) -> dict[str, Any]:
        """The OpenAPI document at an address. Raises UpstreamError that says what came instead."""
        async with self._turns:
            try:
                async with asyncio.timeout(self._timeout):
                    content = await self._content(url)
            except RefusedTargetError as error:
                raise UpstreamError(
                    502, f"not asked: {error}; DOCUMENTATION_PROBE_ALLOW names places it may ask"
                ) from error
            except (TimeoutError, httpx.TimeoutException) as error:
                raise UpstreamError(504, f"no answer within {self._timeout:g} s") from error
            except (UnresolvedError, httpx.HTTPError, httpx.InvalidURL) as error:
                raise UpstreamError(502, "the system does not answer") from error
        try:
            found = msgspec.json.decode(content)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            found = None
        if not (isinstance(found, dict) and str(found.get("openapi", "")).startswith("3.")):
            raise UpstreamError(502, "expected an OpenAPI 3 document as JSON, found something else")
        return found

    async def close(self) -> None:
        """Let go of connections."""
        if self._client is not None:
            await self._client.aclose()

    async def _status(self, url: str) -> int:
        async with self._opened().stream("GET", url) as answer:
            return answer.status_code

    async def _content(self, url: str) -> bytes:
        content = bytearray()
        async with self._opened().stream("GET", url) as answer:
            if answer.status_code != HTTPStatus.OK:
                raise UpstreamError(502, f"the system answered {answer.status_code}")
            async for part in answer.aiter_bytes():
                content += part
                if len(content) > DOCUMENT_BYTES:
                    raise UpstreamError(502, f"expected at most {DOCUMENT_BYTES:,} bytes, found more")
        return bytes(content)

    def _opened(self) -> httpx.AsyncClient:
        if self._client is None:
            self._client = guarded(self._allowed, timeout_seconds=self._timeout)
        return self._client


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
