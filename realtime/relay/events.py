"""From the ring's quote and depth records to rows of `quotes` and `book`: whole columns at a time, no row by itself.

These events have no exchange time: their time is the host's reception, which follows from the frame and is the same
whenever it is read.
"""

import datetime as dt
from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
from msgspec import Struct

from realtime.records import Kind
from realtime.relay.rows import SAO_PAULO, Longs, received_of
from realtime.spool.frames import WHOLE, Asset, Frame, Records, joined
from sql.contract import Table
from sql.tables import BOOK, QUOTES

KINDS: dict[str, tuple[Kind, ...]] = {
    QUOTES.name: (Kind.QUOTE, Kind.THEORETICAL),
    BOOK.name: (Kind.DEPTH,),
}
TAKEN = tuple(kind for kinds in KINDS.values() for kind in kinds)
SAME = ("session", "run", "source")  # in all rows of one hour and one run

# Facts sheet, books: what the DLL's numbers mean. One that it does not name is kept as it is.
ACTIONS = ("ADD", "EDIT", "DELETE", "INSERT", "FULL", "PREPARE", "FLUSH", "THEORETICAL", "DELETE_FROM")
WITH_LEVEL = (1, 3, 4)  # edit, insert, full: the level as the callback found it
WITH_VALUES = (*WITH_LEVEL, 7)  # theoretical: price and quantity of the auction
UNREAD = 4  # flag of a depth record
SIDES: dict[int, str | None] = {0: "BID", 1: "ASK", 254: None, 255: None}
ACTION = pl.Series([ACTIONS[code] if code < len(ACTIONS) else str(code) for code in range(256)], dtype=pl.String)
SIDE = pl.Series([SIDES.get(code, str(code)) for code in range(256)], dtype=pl.String)
QUOTE_SIDE = pl.Series(["AUCTION" if code == 255 else SIDES.get(code, str(code)) for code in range(256)])
HOUR_US = 3_600_000_000
MOST_INT = 2**31 - 1


class Events(Struct, frozen=True):
    """Records of one table out of some frames of one run, in their order."""

    records: Records
    ts: Longs  # microseconds, UTC

    def where(self, mask: npt.NDArray[np.bool_]) -> "Events":
        """Those that `mask` chooses."""
        return Events(self.records[mask], self.ts[mask])

    def __len__(self) -> int:
        return len(self.records)


def events_of(frames: list[Frame], table: Table) -> Events:
    """The records of RECORDS frames that are rows of `table`."""
    parts, times = [], []
    for frame in frames:
        records = frame.records()
        kind = records["kind"]
        mask = kind == KINDS[table.name][0]
        for other in KINDS[table.name][1:]:
            mask |= kind == other
        if mask.any():
            parts.append(records if mask.all() else records.view(WHOLE)[mask].view(records.dtype))
            times.append(received_of(frame, parts[-1]))
    if not parts:
        return Events(np.zeros(0, frames[0].records().dtype if frames else np.uint8), np.zeros(0, np.int64))
    return Events(joined(parts), np.concatenate(times))


def hours_of(events: Events) -> list[tuple[dt.date, Events]]:
    """The events of each UTC hour, with the date in São Paulo: its clock is ahead by whole hours."""
    hours = events.ts // HOUR_US
    present = np.unique(hours).tolist()
    parts = [events] if len(present) == 1 else [events.where(hours == hour) for hour in present]
    return [(date_of(hour), part) for hour, part in zip(present, parts, strict=True)]


@cache
def date_of(hour: int) -> dt.date:
    """The date in São Paulo in a UTC hour, counted since 1970."""
    return dt.datetime.fromtimestamp(hour * 3600, SAO_PAULO).date()


def frame_of(events: Events, table: Table, names: Mapping[int, Asset]) -> pl.DataFrame:
    """Rows of `table` without the columns of SAME. Every asset has a name."""
    records = events.records
    assets = np.ascontiguousarray(records["asset"])
    tickers = pl.Series([names[n].ticker if n in names else None for n in range(int(assets.max(initial=0)) + 1)])
    columns: dict[str, Any] = {
        "ts": pl.Series(events.ts).cast(pl.Datetime("us", "UTC")),
        "symbol": tickers.cast(pl.String).gather(assets),
        "seq": np.ascontiguousarray(records["seq"]),
        **(_quote(records) if table is QUOTES else _change(records)),
    }
    kinds = {column.name: column.kind.polars for column in table.columns}
    chosen = [pl.col(name).cast(kind) for name, kind in kinds.items() if name not in SAME]
    return pl.DataFrame(columns).select(chosen)


def _quote(records: Records) -> dict[str, Any]:
    everywhere = np.ones(len(records), np.bool_)
    return {
        "side": QUOTE_SIDE.gather(np.ascontiguousarray(records["side"])),
        "price": _prices(records, everywhere),
        "quantity": _numbers(records["quantity"], records["quantity"] >= 0),
    }


def _change(records: Records) -> dict[str, Any]:
    action, flags = np.ascontiguousarray(records["action"]), records["flags"]
    read = ((flags & UNREAD) == 0) & (records["position"] >= 0)
    level, values = read & np.isin(action, WITH_LEVEL), read & np.isin(action, WITH_VALUES)
    return {
        "action": ACTION.gather(action),
        "side": SIDE.gather(np.ascontiguousarray(records["side"])),
        "position": _numbers(records["position"], records["position"] >= 0),
        "price": _prices(records, values),
        "quantity": _numbers(records["quantity"], values & (records["quantity"] >= 0)),
        "orders": _numbers(records["count"], level & (records["count"] >= 0)),
        "flags": np.ascontiguousarray(flags & MOST_INT),
    }


def _prices(records: Records, there: npt.NDArray[np.bool_]) -> pl.Series:
    price = records["price"]
    return pl.Series(np.where(there & np.isfinite(price) & (price > 0), price, np.nan)).fill_nan(None)


def _numbers(values: npt.NDArray[Any], there: npt.NDArray[np.bool_]) -> pl.Series:
    series = pl.Series(np.ascontiguousarray(values))
    return series if there.all() else series.set(pl.Series(~there), None)
