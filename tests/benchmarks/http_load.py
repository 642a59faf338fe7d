"""Load on an HTTP server from this process: connections that ask again as soon as they were answered.

Answers are read by their Content-Length and nothing of them is decoded, so that the asking costs little beside the
answering.
"""

import asyncio
import json
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from msgspec import Struct

LENGTH = b"content-length: "


class Load(Struct, frozen=True):
    """What was answered. Every answer had the expected status, or there would be none of this."""

    per_second: float
    p50_ms: float
    p99_ms: float
    answers: int


class UnexpectedAnswerError(Exception):
    """A server answered something else than it should."""


def request(method: str, path: str, body: Any = None) -> bytes:
    """The bytes of a request."""
    content = b"" if body is None else json.dumps(body).encode()
    head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: application/json\r\n"
    if body is not None:
        head += f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n"
    return head.encode() + b"\r\n" + content


def load(port: int, requests: Sequence[bytes], status: int, *, seconds: float, connections: int) -> Load:
    """Ask for so many seconds over so many connections, each of the requests in turn."""
    return _runner(_load(port, requests, status, seconds, connections))


def one(port: int, asked: bytes, status: int) -> bytes:
    """The body of one answer."""

    async def ask() -> bytes:
        asker = Asker([asked], status, until=0)
        await asyncio.get_running_loop().create_connection(lambda: asker, "127.0.0.1", port)
        await asker.done
        asker.transport.close()
        return asker.body

    return _runner(ask())


class Asker(asyncio.Protocol):
    """One connection. `done` when the time is over and the last answer is there."""

    def __init__(self, requests: Sequence[bytes], status: int, until: float, start: int = 0) -> None:
        self.requests, self.until, self.turn = requests, until, start
        self.expected = f"HTTP/1.1 {status} ".encode()
        self.took: list[float] = []
        self.held, self.body = b"", b""
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: Any) -> None:
        """Ask the first time."""
        self.transport = transport
        self._ask()

    def data_received(self, data: bytes) -> None:
        """Ask again when an answer is whole."""
        self.held = self.held + data if self.held else data
        end = self.held.find(b"\r\n\r\n")
        if end < 0:
            return
        if not self.held.startswith(self.expected):
            self.connection_lost(UnexpectedAnswerError(self.held[:400].decode(errors="replace")))
            self.transport.close()
            return
        at = self.held[:end].lower().index(LENGTH) + len(LENGTH)
        length = int(self.held[at : (self.held + b"\r").index(b"\r", at)])
        if len(self.held) < end + 4 + length:
            return
        now = time.perf_counter()
        self.took.append(now - self.asked)
        self.body, self.held = self.held[end + 4 :], b""
        if now < self.until:
            self._ask()
        elif not self.done.done():
            self.done.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        """An answer that did not come fails the measurement."""
        if not self.done.done():
            self.done.set_exception(exc or ConnectionError("the server closed the connection"))

    def _ask(self) -> None:
        self.asked = time.perf_counter()
        self.transport.write(self.requests[self.turn % len(self.requests)])
        self.turn += 1


async def _load(port: int, requests: Sequence[bytes], status: int, seconds: float, connections: int) -> Load:
    loop = asyncio.get_running_loop()
    began = time.perf_counter()
    askers = [Asker(requests, status, began + seconds, start) for start in range(connections)]
    for asker in askers:
        await loop.create_connection(lambda asker=asker: asker, "127.0.0.1", port)  # type: ignore[misc]
    await asyncio.gather(*(asker.done for asker in askers))
    took = time.perf_counter() - began
    for asker in askers:
        asker.transport.close()
    each = np.array([value for asker in askers for value in asker.took]) * 1000
    p50, p99 = np.percentile(each, (50, 99))
    return Load(len(each) / took, float(p50), float(p99), len(each))


def _runner(asked: Any) -> Any:
    try:
        import uvloop
    except ImportError:  # there is none for Windows
        return asyncio.run(asked)
    return uvloop.run(asked)
