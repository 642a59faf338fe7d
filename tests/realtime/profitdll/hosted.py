"""The one ProfitDLL of this test process: the pump behind the adapter."""

import ctypes
import functools
from typing import Any

import numpy as np

from realtime.profitdll.adapter import ProfitDll
from realtime.profitdll.messages import Control
from realtime.profitdll.rings import Records
from tests.realtime.profitdll.pumped import pump

CAPACITY = 1 << 12


class Hosted:
    """The adapter, connected to the pump, and the pump's own functions."""

    def __init__(self) -> None:
        library = pump()
        self.dll = ProfitDll(library, capacity=CAPACITY)
        self.dll.connect("key", "user", "password", routing=True)
        self.pump = ctypes.CDLL(str(library))
        self.pump.PumpStart.argtypes = [ctypes.c_int64, ctypes.c_int64, ctypes.c_int64, ctypes.c_int32]
        self.pump.PumpJoin.restype = self.pump.PumpNow.restype = ctypes.c_int64
        self.pump.PumpControl.argtypes = [ctypes.c_int64]

    def drained(self) -> Records:
        """All market records that wait, as a copy."""
        parts = []
        while len(part := self.dll.market.ready()):
            parts.append(part.copy())
            self.dll.market.release(len(part))
        return np.concatenate(parts) if parts else self.dll.market.ready().copy()

    def events(self) -> list[Control]:
        """All control events that wait."""
        found: list[Control] = []
        while some := list(self.dll.events()):
            found += some
        return found

    def fired(self, what: int) -> tuple[list[dict[str, Any]], list[Control]]:
        """What one event of the pump left in the rings."""
        rows, found = self.left_by(what)
        return [dict(zip(rows.dtype.names, row.tolist(), strict=True)) for row in rows], found

    def left_by(self, what: int) -> tuple[Records, list[Control]]:
        """The same, market records as they are."""
        self.drained(), self.events()
        self.pump.PumpFire(what)
        return self.drained(), self.events()

    def pumped(self, trades: int, *, first: int = 1, nanoseconds: int = 0) -> None:
        """`trades` trades from the pump's thread, ended."""
        self.pump.PumpStart(trades, nanoseconds, first, 0)
        self.pump.PumpJoin()


@functools.cache
def hosted() -> Hosted:
    return Hosted()
