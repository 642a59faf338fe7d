"""A post becomes a signal, or a refusal that is kept and counted. Whichever way it came, it is done once."""

import asyncio
import datetime as dt
import time

from msgspec import Struct
from msgspec.structs import replace

from api.tp_capital import parser
from api.tp_capital.diary import Diary
from api.tp_capital.metrics import SignalMetrics
from api.tp_capital.parser import Reading
from sql.errors import StoreError
from sql.signal_tables import SIGNALS, Post, Signal
from sql.signals import Outcome, SignalStore

LABEL = 128  # characters of a channel's title, as the contract has it
STATUS = {"stored": "published", "updated": "published", "duplicate": "duplicate", "refused": "parse_failed"}


class Heard(Struct, frozen=True, kw_only=True):
    """What a channel said. Times are aware; `edited_at` is null for a post as it was first."""

    at: dt.datetime
    chat_id: int
    post_id: int
    title: str | None
    text: str
    edited_at: dt.datetime | None = None

    @property
    def channel(self) -> str:
        """The name the channel is known by."""
        title = clean(self.title or "").strip()[:LABEL].strip()
        return title or f"channel:{self.chat_id}"


class Done(Struct, frozen=True, kw_only=True):
    """What became of a post."""

    outcome: Outcome
    reading: Reading
    channel: str
    reason: str = ""  # why it was refused


class Intake:
    """Reads and stores what is heard."""

    def __init__(self, store: SignalStore, diary: Diary, metrics: SignalMetrics) -> None:
        self._store = store
        self._diary = diary
        self._metrics = metrics

    async def take(self, heard: Heard, source: str) -> Done:
        """Read a post and store it, visible when this returns; repeatable.

        Raises StoreError when it is not known to be stored: then it must be taken again.
        """
        began = time.perf_counter()
        reading = parser.read(clean(heard.text))
        post, signal = rows_of(heard, reading, source)
        try:
            outcome = await asyncio.to_thread(self._store.keep, post, signal)
        except StoreError as error:
            self._metrics.questdb_errors.inc()
            self._metrics.processed.labels("failed").inc()
            self._diary.tell(
                "error", "post not stored", chat=heard.chat_id, post=heard.post_id, error=type(error).__name__
            )
            raise
        reason = (post.reason or "superseded") if outcome == "refused" else ""
        done = Done(outcome=outcome, reading=reading, channel=heard.channel, reason=reason)
        self._metrics.processing.observe(time.perf_counter() - began)
        self._told(done, heard)
        return done

    def _told(self, done: Done, heard: Heard) -> None:
        reading, metrics = done.reading, self._metrics
        metrics.processed.labels(STATUS[done.outcome]).inc()
        context = {"channel": done.channel, "chat": heard.chat_id, "post": heard.post_id}
        if done.outcome in ("stored", "updated"):
            metrics.ingested.labels(metrics.channel(done.channel), reading.signal_type).inc()
            self._diary.tell("info", f"signal {done.outcome}", asset=reading.asset, **context)
        elif done.outcome == "refused":
            reason = done.reason
            metrics.parse_errors.labels(metrics.channel(done.channel), reason).inc()
            what = "edited post is no signal; the one before stays" if heard.edited_at else "post is no signal"
            self._diary.tell("error" if reason == "empty" else "warn", what, reason=reason, **context)
        else:
            self._diary.tell("debug", "post was known", **context)


def rows_of(heard: Heard, reading: Reading, source: str) -> tuple[Post, Signal | None]:
    """The rows of a post: the text, and the signal where it is one."""
    now = dt.datetime.now(dt.UTC)
    post = Post(
        ts=heard.at,
        chat_id=heard.chat_id,
        post_id=heard.post_id,
        revision=int(heard.edited_at.timestamp()) if heard.edited_at else 0,
        channel=heard.channel,
        text=clean(heard.text)[: parser.MAX_TEXT],
        parser=parser.VERSION,
        outcome="refused",
        reason=reading.reason,
        received_at=now,
    )
    if reading.reason is not None or reading.asset is None:
        return post, None
    if heard.edited_at and (heard.edited_at.date() - heard.at.date()).days >= SIGNALS.hot_days:
        return replace(post, reason="too_old"), None  # whether the signal was deleted meanwhile is known to warm alone
    return post, Signal(
        ts=heard.at,
        channel=heard.channel,
        signal_type=reading.signal_type,
        asset=reading.asset,
        buy_min=reading.buy_min,
        buy_max=reading.buy_max,
        target_1=reading.target_1,
        target_2=reading.target_2,
        target_final=reading.target_final,
        stop=reading.stop,
        raw_message=reading.raw,
        source=source,
        ingested_at=now,
        chat_id=heard.chat_id,
        post_id=heard.post_id,
        edited_at=heard.edited_at,
        deleted_at=None,
    )


def clean(text: str) -> str:
    """Without what PostgreSQL cannot hold in a text."""
    return text.replace("\0", "")
