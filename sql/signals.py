"""The one writer of signals, of those that were deleted, and of the posts they came from. One process uses it.

QuestDB deletes no row: a deleted signal is copied into `tp_capital_signals_deleted`, then its row is written again with
`deleted_at`, so that every tier hears of it by the same sync. A post that comes again changes nothing.
"""

import datetime as dt
import threading
from typing import Any, Literal

import polars as pl
from msgspec import Struct
from msgspec.structs import asdict, replace

from sql.contract import Table
from sql.hot import HotStore, instant_literal
from sql.signal_tables import DELETED_SIGNALS, POSTS, SIGNALS, DeletedSignal, Post, Signal

MILLISECOND = dt.timedelta(milliseconds=1)
VISIBLE_SECONDS = 10.0  # a writer of single rows waits no longer for its own row

Outcome = Literal["stored", "updated", "refused", "duplicate"]


class SignalStore:
    """Signals in `hot`. Errors: StoreError; what broke off may be done again."""

    def __init__(self, hot: HotStore) -> None:
        self._hot = hot
        self._turn = threading.Lock()
        self._last = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)

    def keep(self, post: Post, signal: Signal | None) -> Outcome:
        """Store a post and the signal in it, visible when this returns. `post.outcome` and `signal.ingested_at` are
        ours to say; an edit replaces the signal and keeps when it was ingested, and whether it was deleted."""
        with self._turn:
            if self._known(post):
                return "duplicate"
            outcome: Outcome = "refused"
            if signal is not None:
                before = self._signal_of(post)
                if before is not None and said_at(before) > said_at(signal):
                    post = replace(post, reason="superseded")
                else:
                    outcome = "stored" if before is None or post.revision == 0 else "updated"
                    self._write(SIGNALS, merged(signal, before, self._moment()))
            self._write(POSTS, replace(post, outcome=outcome))  # the last: until it is there, the post is done again
            return outcome

    def delete(self, ingested_at: dt.datetime, *, whole_ms: bool, by: str, address: str) -> int | None:
        """Archive and delete the signals ingested at an instant, or in its millisecond (`whole_ms`); how many.

        0: they were deleted before. None: there is none.
        """
        until = ingested_at + (MILLISECOND if whole_ms else dt.timedelta(microseconds=1))
        with self._turn:
            found = self._signals(
                f"ingested_at >= {instant_literal(ingested_at)} AND ingested_at < {instant_literal(until)}"
            )
            live = [signal for signal in found if signal.deleted_at is None]
            if not live:
                return 0 if found else None
            now = dt.datetime.now(dt.UTC)
            self._write(DELETED_SIGNALS, *(archived(signal, now, by, address) for signal in live))
            self._write(SIGNALS, *(replace(signal, deleted_at=now) for signal in live))
            return len(live)

    def _known(self, post: Post) -> bool:
        where = f"ts = {instant_literal(post.ts)} AND chat_id = {post.chat_id} AND post_id = {post.post_id}"
        found = self._hot.rows(f"SELECT text FROM tp_capital_posts WHERE {where} AND revision = {post.revision}")
        return any(row["text"] == post.text for row in found)  # two edits of one second are two edits

    def _signal_of(self, post: Post) -> Signal | None:
        found = self._signals(
            f"ts = {instant_literal(post.ts)} AND chat_id = {post.chat_id} AND post_id = {post.post_id}"
        )
        return found[0] if found else None

    def _signals(self, where: str) -> list[Signal]:
        rows = self._hot.rows(f"SELECT {', '.join(SIGNALS.names)} FROM tp_capital_signals WHERE {where}")
        return [Signal(**row) for row in rows]

    def _moment(self) -> dt.datetime:
        """Now, in whole milliseconds and never twice: clients name a signal by it, some without microseconds."""
        now = dt.datetime.now(dt.UTC)
        self._last = max(now.replace(microsecond=now.microsecond // 1000 * 1000), self._last + MILLISECOND)
        return self._last

    def _write(self, table: Table, *rows: Struct) -> None:
        self._hot.insert(table, frame_of(table, [asdict(row) for row in rows]))
        self._hot.wait_applied(table, VISIBLE_SECONDS)


def frame_of(table: Table, rows: list[dict[str, Any]]) -> pl.DataFrame:
    """Rows as the stores take them."""
    return pl.DataFrame(rows, schema=table.polars)


def merged(signal: Signal, before: Signal | None, now: dt.datetime) -> Signal:
    """`signal` as it is stored where `before` stands: an edit is neither a new row nor an undeletion."""
    if before is None:
        return replace(signal, ingested_at=now)
    return replace(signal, ingested_at=before.ingested_at, deleted_at=before.deleted_at)


def archived(signal: Signal, at: dt.datetime, by: str, address: str) -> DeletedSignal:
    """The archive's row of a signal that is deleted now."""
    kept = {name: value for name, value in asdict(signal).items() if name in DELETED_SIGNALS.names}
    return DeletedSignal(**{**kept, "deleted_at": at, "deleted_by": by, "deleted_from": address})


def said_at(signal: Signal) -> dt.datetime:
    """When the channel said these values."""
    return signal.edited_at or signal.ts
