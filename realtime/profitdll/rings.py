"""The rings from Python: market records in place, control records copied out, and the sleep of whoever waits for them.

A symbol's number is announced on the control ring before the first market record that bears it.
"""

import ctypes
from typing import Any

import numpy as np
import numpy.typing as npt

from realtime.records import CONTROL, DROPPED, EVENTS, HEAD, RECORD, RING_HEADER, TAIL, Kind

CAPACITY = 1 << 19  # records: 50 MB, more than two seconds of the fullest feed
UNPUBLISHED = 2  # slots behind the head that the writer may be filling
MARKET, CONTROLS = 1, 2  # bits of what a wait answers
MOST_WAITERS = 8

Records = npt.NDArray[np.void]
_WAIT = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int, ctypes.c_int)
_ARM = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int)


class MarketRing:
    """The market ring. One reader, the spool, moves the tail and so makes room; cursors read without that power."""

    def __init__(self, address: int, capacity: int) -> None:
        self.capacity = capacity
        self._memory = (ctypes.c_char * (RING_HEADER + capacity * RECORD.itemsize)).from_address(address)
        whole = memoryview(self._memory).cast("B")
        self._header = whole[:RING_HEADER].cast("q")
        self._records: Records = np.frombuffer(whole, dtype=RECORD, offset=RING_HEADER, count=capacity)

    @property
    def head(self) -> int:
        """Position behind the newest record."""
        return int(self._header[HEAD // 8])

    @property
    def tail(self) -> int:
        """Position of the oldest record that is kept."""
        return int(self._header[TAIL // 8])

    @property
    def events(self) -> int:
        """Events since the process began, written or dropped: the `seq` of the last one."""
        return int(self._header[EVENTS // 8])

    @property
    def dropped(self) -> int:
        """Events that found the ring full."""
        return int(self._header[DROPPED // 8])

    def dropped_by_kind(self) -> dict[Kind, int]:
        """The same by kind of record, those that are not zero."""
        return {kind: count for kind in Kind if (count := int(self._header[DROPPED // 8 + kind]))}

    def slots(self, position: int, limit: int) -> Records:
        """Up to `limit` published records from `position` on, in place: valid while the tail is not behind them."""
        at = position & (self.capacity - 1)
        count = min(self.head - position, self.capacity - at, limit)
        return self._records[at : at + max(count, 0)]

    def ready(self, limit: int = CAPACITY) -> Records:
        """The oldest records, in place, at most up to the ring's end: call again after `release`."""
        return self.slots(self.tail, limit)

    def release(self, count: int) -> None:
        """Let the writer have the `count` oldest records. Only the spool may."""
        tail = self.tail + count
        if not 0 <= count <= self.head - self.tail:
            raise ValueError(f"expected to release 0 to {self.head - self.tail} records, found {count}")
        self._header[TAIL // 8] = tail

    def cursor(self, position: int | None = None) -> "Cursor":
        """A reader of its own, from `position` or the head on."""
        return Cursor(self, self.head if position is None else position)


class Cursor:
    """Reads market records without holding the writer up; lapped by the ring, it counts and goes on at the oldest."""

    def __init__(self, ring: MarketRing, position: int) -> None:
        self._ring = ring
        self.position = position
        self.lost = 0  # records overwritten before they were read

    def read(self, limit: int = CAPACITY) -> Records:
        """A copy of up to `limit` records, whole ones only."""
        self._skip_overwritten()
        # By way of bytes: numpy's own copy goes field by field, ten times as long, and a strategy waits for it.
        copy = np.frombuffer(self._ring.slots(self.position, limit).tobytes(), RECORD)
        before = self.position
        self._skip_overwritten()  # what the writer reached while it was copied
        torn = self.position - before
        self.position = max(self.position, before + len(copy))
        return copy[torn:]

    def _skip_overwritten(self) -> None:
        oldest = self._ring.head + UNPUBLISHED - self._ring.capacity
        if oldest > self.position:
            self.lost += oldest - self.position
            self.position = oldest


class ControlRing:
    """The control events, copied out once. One reading thread."""

    def __init__(self, rings: Any, at_once: int = 256) -> None:
        self._read = rings.Control.Read
        self._records = np.zeros(at_once, dtype=CONTROL)

    def read(self) -> Records:
        """The oldest events as records (`realtime.records.CONTROL`), in their order; the next call overwrites them."""
        return self._records[: int(self._read(self._records.ctypes.data, len(self._records)))]


class Waiter:
    """A bed to sleep in until records come: for a thread (`wait`) or, with an eventfd, for an event loop (`arm`).

    The writer signals once for each time somebody lay down. `number` is 0 to 7, one for each reader.
    """

    def __init__(self, rings: Any, number: int, eventfd: int = 0) -> None:
        if not 0 <= number < MOST_WAITERS:
            raise ValueError(f"expected a waiter from 0 to {MOST_WAITERS - 1}, found {number}")
        rings.Waiters.Open(number, eventfd)
        self._number = number
        self._call = rings.Waiters.Call
        self._wait, self._arm = _WAIT(rings.Waiters.WaitPointer()), _ARM(rings.Waiters.ArmPointer())

    def wait(self, position: int, seconds: float, *, control: bool) -> int:
        """Sleep until a market record is at `position`, or (`control`) a control event is there; answer with the bits.

        0 means neither came in time. Without the GIL; on the main thread wait at most 0.1 s, for Ctrl-C.
        """
        return int(self._wait(self._number, position, control, max(int(seconds * 1000), 0)))

    def arm(self, position: int, *, control: bool) -> int:
        """0: the eventfd will be written at the next record. Otherwise there is something now and it will not."""
        return int(self._arm(self._number, position, control))

    def wake(self) -> None:
        """End the sleep of whoever sleeps here, from any thread."""
        self._call(self._number)
