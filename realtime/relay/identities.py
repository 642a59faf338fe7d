"""Which trades are stored, per session: asked for when a symbol's session is met, kept up to date after.

Where rows of another source stand, a file that came before, `Beside` says which trades are new; nearly never.
"""

import datetime as dt
from collections.abc import Mapping

import numpy as np

from realtime.relay.rows import Longs, Trades, session_of
from realtime.spool.frames import Asset
from sql import held
from sql.beside import Beside
from sql.held import Below
from sql.hot import HotStore
from sql.tables import TICKS
from sql.ticks import ID_BITS, Known, Mask

KEPT_SESSIONS = 4
ALWAYS_IN_HOT = dt.timedelta(days=2)  # live trades never wait for warm


class Identities:
    """The keys of trades. A session's `Known` is dropped when newer ones have taken its place."""

    def __init__(self, hot: HotStore, below: Below | None = None) -> None:
        self._hot = hot
        self._below = below
        self._beside: dict[tuple[int, int], Beside] = {}  # day and pair
        self._sessions: dict[int, Known] = {}  # day -> what is known of it
        self._loaded: set[tuple[int, str]] = set()

    def forget(self) -> None:
        """Hot is not what it was: ask it again."""
        self._sessions.clear()
        self._loaded.clear()
        self._beside.clear()

    def of(self, day: int) -> Known:
        """What is known of one session."""
        if day not in self._sessions:
            self._sessions[day] = Known()
            for old in sorted(self._sessions)[:-KEPT_SESSIONS]:
                if old != day:
                    del self._sessions[old]
                    self._loaded = {pair for pair in self._loaded if pair[0] != old}
                    self._beside = {pair: each for pair, each in self._beside.items() if pair[0] != old}
        return self._sessions[day]

    def keys(self, trades: Trades, day: int, names: Mapping[int, Asset], source: str) -> Longs:
        """The key of every trade; all are of the session `day`, and every asset has a name. Raises StoreError."""
        known, session = self.of(day), session_of(day)
        assets = np.ascontiguousarray(trades.records["asset"])
        present = np.flatnonzero(np.bincount(assets)).tolist()
        self._load(day, session, sorted({names[number].ticker for number in present}), source)
        pairs = np.zeros(int(assets.max()) + 1, np.int64)
        for number in present:
            pairs[number] = known.pair(names[number].ticker, session)
        keys: Longs = (pairs[assets] << ID_BITS) + trades.records["number"]
        return keys

    def beside(self, day: int, keys: Longs, *, unsettled: bool) -> list[tuple[Beside, Mask]]:
        """The sessions among these keys in which another source's rows stand, and which keys are theirs; `unsettled`:
        only those whose numbering is not shown to be one."""
        pairs = keys >> ID_BITS
        here = [(pair, each) for (of, pair), each in self._beside.items() if of == day]
        found = [(each, pairs == pair) for pair, each in here if not (unsettled and each.one)]
        return [(each, mask) for each, mask in found if mask.any()]

    def learn(self, day: int, beside: Beside, keys: Longs) -> None:
        """These trades are on the tape, and all that others told is, once the numbering is shown to be one."""
        known = self.of(day)
        known.add(keys)
        if beside.one:
            _know(known, beside, known.pair(beside.symbol, session_of(day)))

    def _load(self, day: int, session: dt.date, tickers: list[str], source: str) -> None:
        missing = [ticker for ticker in tickers if (day, ticker) not in self._loaded]
        if not missing:
            return
        known = self.of(day)
        below = self._below if session < dt.datetime.now(dt.UTC).date() - ALWAYS_IN_HOT else None
        self._hot.wait_applied(TICKS)
        told = held.sources(self._hot, below, [session], missing)
        mixed = [ticker for ticker in missing if told.get((ticker, session), set()) - {source}]
        if alone := [ticker for ticker in missing if ticker not in mixed]:
            known.load(self._hot, [session], alone, below)
        for ticker in mixed:
            made = Beside(self._hot, below, ticker, session, source)
            pair = known.pair(ticker, session)
            self._beside[day, pair] = made
            _know(known, made, pair)
        self._loaded |= {(day, ticker) for ticker in missing}


def _know(known: Known, beside: Beside, pair: int) -> None:
    known.add(np.frombuffer(beside.known().to_array(), np.int64) + (pair << ID_BITS))
