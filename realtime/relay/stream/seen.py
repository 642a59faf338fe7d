"""Which trades were told, so that what the exchange repeats is told once."""

from itertools import islice

import numpy as np
from pyroaring import BitMap64

from realtime.relay.rows import EDIT, session_of
from realtime.relay.stream.trades import Rows
from sql.ticks import ID_BITS, MAX_TRADE_ID, Known

KEPT_SESSIONS = 8


class Seen:
    """Trades by symbol, session and number, of the sessions met last; and the records that repeated one."""

    def __init__(self) -> None:
        self.repeats = BitMap64()  # sequence numbers
        self._sessions: dict[int, Known] = {}  # day -> its trades

    def fresh(self, rows: Rows) -> Rows:
        """Those that were not seen before, and all corrections; remembers them."""
        if not len(rows):
            return rows
        new = (rows.records["flags"] & EDIT) != 0
        for day in np.unique(rows.day).tolist():
            places = np.flatnonzero(rows.day == day)
            new[places] |= self._new(rows, day, places)
        if new.all():
            return rows
        self.repeats |= BitMap64(rows.sequence[~new].view(np.uint64))
        return rows.where(new)

    def _new(self, rows: Rows, day: int, places: "np.typing.NDArray[np.int64]") -> "np.typing.NDArray[np.bool_]":
        known, records = self._of(day), rows.records[places]
        assets = records["asset"]
        pairs = np.zeros(int(assets.max()) + 1, np.int64)
        for number in np.flatnonzero(np.bincount(assets)).tolist():
            pairs[number] = known.pair(rows.names[number].ticker, session_of(day))
        keys = (pairs[assets] << ID_BITS) + np.minimum(records["number"], MAX_TRADE_ID)
        new = known.fresh(keys)
        known.add(keys)
        return new

    def _of(self, day: int) -> Known:
        """What is known of a session; asked for last, forgotten last."""
        known = self._sessions.pop(day, None) or Known()
        self._sessions[day] = known
        for old in list(islice(self._sessions, max(0, len(self._sessions) - KEPT_SESSIONS))):
            del self._sessions[old]
        return known
