"""From the ring's trade records to rows of `ticks`: whole columns at a time, no row by itself.

Exchange times are the São Paulo clock: its date is the session; its offset, which changes at whole hours, leads to UTC.
`received_at` is the host's wall clock at the frame's commit, led back by the monotonic clock.
"""

import datetime as dt
import zoneinfo
from collections.abc import Mapping
from functools import cache

import numpy as np
import numpy.typing as npt
import polars as pl
from msgspec import Struct

from realtime.records import Kind
from realtime.spool.frames import Asset, Frame, Records, joined
from sql.tables import FOREIGN, TICKS, Flag

SAO_PAULO = zoneinfo.ZoneInfo("America/Sao_Paulo")
HOUR_MS, DAY_MS = 3_600_000, 86_400_000
EDIT = 1  # flag of a trade record
EPOCH = dt.date(1970, 1, 1)
LATEST_DAY = (dt.date(2200, 1, 1) - EPOCH).days

# Facts sheet, trade types: others say nothing about who began.
AGGRESSORS = {2: "BUYER", 3: "SELLER", 4: "AUCTION"}
AGGRESSOR = pl.Series([AGGRESSORS.get(code) for code in range(256)], dtype=pl.String)
VARYING = tuple(name for name in TICKS.names if name not in ("session", "source"))

Longs = npt.NDArray[np.int64]


class Trades(Struct, frozen=True):
    """Trade records of some frames of one run, in their order, with what their frames say about them."""

    records: Records
    received: Longs  # microseconds, UTC
    day: Longs  # of the session, days since 1970
    ts: Longs  # microseconds, UTC

    def where(self, mask: npt.NDArray[np.bool_]) -> "Trades":
        """Those that `mask` chooses."""
        return Trades(self.records[mask], self.received[mask], self.day[mask], self.ts[mask])

    @property
    def past(self) -> npt.NDArray[np.bool_]:
        """Which of them a history answer told."""
        told: npt.NDArray[np.bool_] = self.records["kind"] == Kind.HISTORY_TRADE
        return told

    def __len__(self) -> int:
        return len(self.records)


def trades_of(frames: list[Frame]) -> tuple[Trades, Records]:
    """The trades of RECORDS frames, live and of history, and the records that cannot be trades (no time, no price)."""
    parts, received = [], []
    for frame in frames:
        records = frame.records()
        mask = (records["kind"] == Kind.TRADE) | (records["kind"] == Kind.HISTORY_TRADE)
        chosen = records if mask.all() else records[mask]
        parts.append(chosen)
        received.append(received_of(frame, chosen))
    records = joined(parts)
    usable = sound(records)
    times = np.concatenate(received)
    if usable.all():
        return _timed(records, times), records[:0]
    return _timed(records[usable], times[usable]), records[~usable]


def sound(records: Records) -> npt.NDArray[np.bool_]:
    """Year 0 and price 0 are the DLL's way to say that it knows no trade; an edit without price strikes one."""
    price, time = records["price"], records["time"]
    priced = np.isfinite(price) & ((price > 0) | ((records["flags"] & EDIT) != 0))
    usable: npt.NDArray[np.bool_] = (
        timely(time) & priced & (records["number"] >= 0) & (records["number"] < FOREIGN) & (records["quantity"] >= 0)
    )
    return usable


def timely(time: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """Which exchange times are some."""
    there: npt.NDArray[np.bool_] = (time > 0) & (time < LATEST_DAY * DAY_MS)
    return there


def received_of(frame: Frame, records: Records) -> Longs:
    """The host's time of records of a frame, in microseconds, UTC: the same whenever the frame is read."""
    received: Longs = (frame.wall - frame.mono + records["mono"]) // 1000
    return received


def _timed(records: Records, received: Longs) -> Trades:
    time = np.ascontiguousarray(records["time"])
    return Trades(records, received, time // DAY_MS, utc_of(time))


def utc_of(time: Longs) -> Longs:
    """Exchange times, milliseconds on the São Paulo clock, as microseconds in UTC."""
    hours = time // HOUR_MS
    if len(hours) and hours.min() == hours.max():
        return (time - offset_ms(int(hours[0]))) * 1000
    known, places = np.unique(hours, return_inverse=True)
    offsets = np.array([offset_ms(hour) for hour in known.tolist()], np.int64)
    return (time - offsets[places]) * 1000


@cache
def offset_ms(hour: int) -> int:
    """What the São Paulo clock is ahead of UTC in an hour of its own (hours since 1970); negative."""
    local = dt.datetime(1970, 1, 1) + dt.timedelta(hours=hour)  # noqa: DTZ001 - the zone comes next
    offset = local.replace(tzinfo=SAO_PAULO).utcoffset()
    assert offset is not None
    return int(offset.total_seconds()) * 1000


def frame_of(trades: Trades, names: Mapping[int, Asset]) -> pl.DataFrame:
    """Rows of `ticks` without session and source. Every asset has a name."""
    records = trades.records
    assets = np.ascontiguousarray(records["asset"])
    tickers = pl.Series([names[n].ticker if n in names else None for n in range(int(assets.max(initial=0)) + 1)])
    made = pl.DataFrame(
        {
            "ts": trades.ts,
            "symbol": tickers.cast(pl.String).gather(assets),
            "trade_id": np.ascontiguousarray(records["number"]),
            "price": np.ascontiguousarray(records["price"]),
            "quantity": np.ascontiguousarray(records["quantity"]),
            "aggressor": AGGRESSOR.gather(np.ascontiguousarray(records["action"])),
            "buyer": np.ascontiguousarray(records["buyer"]),
            "seller": np.ascontiguousarray(records["seller"]),
            "flags": _flags(records),
            "received_at": trades.received,
        }
    )
    hidden = [pl.when(pl.col(name) > 0).then(pl.col(name)).alias(name) for name in ("buyer", "seller")]
    instants = [pl.col(name).cast(pl.Datetime("us", "UTC")) for name in ("ts", "received_at")]
    return made.with_columns(*hidden, *instants).select(VARYING)


def _flags(records: Records) -> npt.NDArray[np.int32]:
    """An edit that leaves no quantity or no price takes the trade back."""
    edited = (records["flags"] & EDIT) != 0
    struck = edited & ((records["quantity"] == 0) | (records["price"] <= 0))
    return np.where(struck, np.int32(Flag.CANCELLED), np.int32(0))


def session_of(day: int) -> dt.date:
    """The date of a day number."""
    return EPOCH + dt.timedelta(days=day)
