"""An event loop whose time passes only while nothing is to be done: bounds on time hold however slow the machine is."""

import asyncio
import selectors


class IdleTime(asyncio.SelectorEventLoop):
    """Waits for no timer: its clock is put forward instead."""

    def __init__(self) -> None:
        self.now = 0.0
        super().__init__(_Forward(self))

    def time(self) -> float:
        return self.now


class _Forward(selectors.SelectSelector):
    def __init__(self, loop: IdleTime) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:  # no timer: what is awaited comes from outside
            return super().select(None)
        found = super().select(0)
        if not found:
            self._loop.now += max(timeout, 0.0)
        return found
