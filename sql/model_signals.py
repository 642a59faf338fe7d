"""Signals that models and people hand in: kept as they came, read newest first, never sent as orders by themselves.

Append-only. One process writes them.
"""

import datetime as dt
import threading
import uuid
from typing import Any

import polars as pl
from msgspec.structs import asdict

from sql.hot import HotStore
from sql.model_tables import MODEL_SIGNALS, ModelSignal

VISIBLE_SECONDS = 10.0  # a writer of single rows waits no longer for its own row


class ModelSignals:
    """Signals in `hot`. Errors: StoreError; what broke off may be handed in again under the same id."""

    def __init__(self, hot: HotStore) -> None:
        self._hot = hot
        self._turn = threading.Lock()

    def add(self, signal: ModelSignal) -> ModelSignal:
        """Store a signal, visible when this returns; of an id that is there, give what was stored first."""
        with self._turn:
            if found := self._read("WHERE id = %s LIMIT 1", signal.id):
                return found[0]
            self._hot.insert(MODEL_SIGNALS, pl.DataFrame([asdict(signal)], schema=MODEL_SIGNALS.polars))
            self._hot.wait_applied(MODEL_SIGNALS, VISIBLE_SECONDS)
            return signal

    def latest(self, limit: int, symbol: str | None = None) -> list[ModelSignal]:
        """The newest first."""
        where, values = ("WHERE symbol = %s ", (symbol,)) if symbol is not None else ("", ())
        return self._read(f"{where}ORDER BY ts DESC, id LIMIT {limit:d}", *values)

    def close(self) -> None:
        """Let go of connections."""
        self._hot.close()

    def _read(self, rest: str, *values: Any) -> list[ModelSignal]:
        rows = self._hot.rows(
            f"SELECT {', '.join(MODEL_SIGNALS.names)} FROM {MODEL_SIGNALS.name} {rest}", values, reader=True
        )
        return [ModelSignal(**row) for row in rows]


def id_of(caller: str, key: str | None) -> str:
    """A new id; the same one for the same caller's idempotency key."""
    return str(uuid.uuid5(uuid.NAMESPACE_OID, f"{caller}\0{key}") if key else uuid.uuid4())


def now() -> dt.datetime:
    """This moment, as a row's time."""
    return dt.datetime.now(dt.UTC)
