"""Which trades are stored, per session: loaded from hot when a symbol's session is met, kept up to date after."""

import datetime as dt
from collections.abc import Mapping

import numpy as np

from realtime.relay.rows import Longs, Trades, session_of
from realtime.spool.frames import Asset
from sql.hot import HotStore
from sql.ticks import ID_BITS, Known

KEPT_SESSIONS = 4


class Identities:
    """The keys of trades. A session's `Known` is dropped when newer ones have taken its place."""

    def __init__(self, hot: HotStore) -> None:
        self._hot = hot
        self._sessions: dict[int, Known] = {}  # day -> what is known of it
        self._loaded: set[tuple[int, str]] = set()

    def forget(self) -> None:
        """Hot is not what it was: ask it again."""
        self._sessions.clear()
        self._loaded.clear()

    def of(self, day: int) -> Known:
        """What is known of one session."""
        if day not in self._sessions:
            self._sessions[day] = Known()
            for old in sorted(self._sessions)[:-KEPT_SESSIONS]:
                if old != day:
                    del self._sessions[old]
                    self._loaded = {pair for pair in self._loaded if pair[0] != old}
        return self._sessions[day]

    def keys(self, trades: Trades, day: int, names: Mapping[int, Asset]) -> Longs:
        """The key of every trade; all are of the session `day`, and every asset has a name. Raises StoreError."""
        known, session = self.of(day), session_of(day)
        assets = np.ascontiguousarray(trades.records["asset"])
        present = np.flatnonzero(np.bincount(assets)).tolist()
        self._load(known, day, session, sorted({names[number].ticker for number in present}))
        pairs = np.zeros(int(assets.max()) + 1, np.int64)
        for number in present:
            pairs[number] = known.pair(names[number].ticker, session)
        keys: Longs = (pairs[assets] << ID_BITS) + trades.records["number"]
        return keys

    def _load(self, known: Known, day: int, session: dt.date, tickers: list[str]) -> None:
        missing = [ticker for ticker in tickers if (day, ticker) not in self._loaded]
        if missing:
            known.load(self._hot, [session], missing)
            self._loaded |= {(day, ticker) for ticker in missing}
