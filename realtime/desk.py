"""The desk: one thread that makes all requests to the broker's DLL, in order. A request may block for minutes there."""

import queue
import threading
import time
from collections.abc import Callable
from typing import Any

import structlog

HANGS_SECONDS = 30.0

log = structlog.get_logger("capture")


class Desk:
    """Takes requests from any thread and makes them one after the other; says which one hangs."""

    def __init__(self, hangs_seconds: float = HANGS_SECONDS) -> None:
        self.failures = 0
        self._hangs_seconds = hangs_seconds
        self._requests: queue.SimpleQueue[tuple[str, Callable[[], Any], threading.Event] | None] = queue.SimpleQueue()
        self._busy: tuple[str, float] | None = None
        self._pending: dict[str, threading.Event] = {}
        self._thread = threading.Thread(target=self._work, name="desk", daemon=True)

    def start(self) -> None:
        """Begin to work."""
        self._thread.start()

    def stop(self, seconds: float = 1.0) -> bool:
        """End after what was asked; False when a request does not come back: its thread dies with the process."""
        self._requests.put(None)
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def ask(self, name: str, request: Callable[[], Any]) -> threading.Event:
        """Make `request` as soon as those before are done; the event is set then, also when it failed.

        A request whose name waits already is not made twice; both askers get its event.
        """
        if waiting := self._pending.get(name):
            return waiting
        done = self._pending[name] = threading.Event()
        self._requests.put((name, request, done))
        return done

    def busy(self) -> tuple[str | None, float]:
        """The request in progress and for how many seconds; None and 0 when there is none."""
        busy = self._busy
        return (busy[0], time.monotonic() - busy[1]) if busy else (None, 0.0)

    def hanging(self) -> tuple[str | None, float]:
        """The same, for a request that takes too long."""
        name, seconds = self.busy()
        return (name, seconds) if seconds > self._hangs_seconds else (None, 0.0)

    def _work(self) -> None:
        while (asked := self._requests.get()) is not None:
            name, request, done = asked
            self._pending.pop(name, None)
            self._busy = (name, time.monotonic())
            try:
                request()
            except Exception:  # the top of a thread: counted and said, the next request is made all the same
                self.failures += 1
                log.exception("request_failed", request=name)
            finally:
                self._busy = None
                done.set()
