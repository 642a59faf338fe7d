"""Connections that are kept for the next reader: opening one costs more than most questions do."""

import contextlib
import select
import time
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import psycopg

MOST = 8  # that are kept; more are opened when more ask at once, and closed after it
IDLE_SECONDS = 60.0

Connection = psycopg.Connection[dict[str, Any]]


class Kept:
    """Connections in autocommit that `opened` makes, for any number of threads. One that failed is not kept."""

    def __init__(self, opened: Callable[[], Connection]) -> None:
        self._opened = opened
        self._idle: list[tuple[Connection, float]] = []
        weakref.finalize(self, _close, self._idle)  # whoever forgets a store leaves no connection behind

    @contextlib.contextmanager
    def connection(self) -> Iterator[Connection]:
        """One that is not used by anybody else."""
        connection = self._one()
        try:
            yield connection
        except BaseException:
            connection.close()
            raise
        if len(self._idle) < MOST and not connection.closed:
            self._idle.append((connection, time.monotonic()))
        else:
            connection.close()

    def close(self) -> None:
        """Close those that nobody uses."""
        _close(self._idle)

    def _one(self) -> Connection:
        with contextlib.suppress(IndexError):  # none is idle, or another thread was quicker
            while True:
                connection, since = self._idle.pop()
                if time.monotonic() - since < IDLE_SECONDS and not connection.closed and _quiet(connection):
                    return connection
                connection.close()
        return self._opened()


def _quiet(connection: Connection) -> bool:
    """Whether nothing came while it was idle: a server that went has closed its end."""
    number = connection.pgconn.socket
    if not hasattr(select, "poll"):  # Windows
        return not select.select([number], [], [], 0)[0]
    poll = select.poll()
    poll.register(number, select.POLLIN)
    return not poll.poll(0)


def _close(idle: list[tuple[Connection, float]]) -> None:
    with contextlib.suppress(IndexError):
        while True:
            idle.pop()[0].close()
