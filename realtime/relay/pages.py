"""The journal's older files: remembered once hot has them, removed a year after all tiers were proven to hold them.

Only a file that nobody needs for a start is removed, and what the rest is chained to is sealed before.
"""

import datetime as dt
from collections.abc import Callable
from pathlib import Path

import msgspec
import structlog

from realtime.orders import chain
from realtime.orders.chain import ACTIVE, ANCHOR, JournalError
from realtime.orders.proof import pages
from sql import durable, journal_segments
from sql.journal_segments import Segment
from sql.tables import ORDER_EVENTS
from sql.warm import WarmStore

KEPT = dt.timedelta(days=ORDER_EVENTS.warm_days)

log = structlog.get_logger("realtime.relay")


class Pages:
    """Looked after by the shipper, now and then."""

    def __init__(self, folder: Path, key: bytes, warm: WarmStore, now: Callable[[], dt.datetime]) -> None:
        self._folder = folder
        self._key = key
        self._warm = warm
        self._now = now
        self._journal = chain.journal_id(key)
        self._known = 0  # first record of the newest file that is remembered

    def look(self, shipped: int) -> None:
        """Remember, prove, remove. Raises StoreError, JournalError, OSError; repeatable."""
        for each in chain.segments(self._folder):
            if each.path.name != ACTIVE and each.first > self._known:
                segment = _segment_of(each.path)
                if segment.last_number > shipped:
                    break
                journal_segments.keep(self._warm, self._journal, segment, self._now())
                self._known = each.first
        journal_segments.prove(self._warm, self._journal, self._now())
        for segment in journal_segments.due(self._warm, self._journal, self._now() - KEPT):
            if not self._removed(segment):
                break

    def _removed(self, segment: Segment) -> bool:
        """Whether the file is away: not while a start would need it."""
        files = chain.segments(self._folder)
        if pages(files)[:1] in ([], files[:1]) or pages(files)[0].first <= segment.last_number:
            return False
        path = chain.segment_path(self._folder, segment.first_number)
        if path.is_file() and chain.last_link(path) != (segment.last_number, segment.mac):
            raise JournalError(
                f"{path} does not end with record {segment.last_number} as warm remembers it: it is kept"
            )
        anchor = chain.placed(segment.last_number, segment.mac, self._key, "anchor")
        durable.replace(self._folder / ANCHOR, msgspec.json.encode(anchor))
        try:
            path.unlink(missing_ok=True)
        except PermissionError as error:  # on Windows somebody reads it: nothing rests on it any more, later will do
            log.info("journal_file_is_read", file=path.name, reason=str(error))
            return False
        durable.sync_folder(self._folder)
        journal_segments.removed(self._warm, self._journal, segment, self._now())
        log.info("journal_file_removed", file=path.name, first=segment.first_number, last=segment.last_number)
        return True


def _segment_of(path: Path) -> Segment:
    first, (last, mac) = next(chain.records(path)), chain.last_record(path)
    return Segment(
        first_number=first.number, last_number=last.number, mac=mac, first_at=first.at, last_at=max(last.at, first.at)
    )
