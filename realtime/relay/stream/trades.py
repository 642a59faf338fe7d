"""From trade records of the spool to trades as they are told: the numbers in numpy, the text by msgspec."""

from collections.abc import Iterable, Mapping
from itertools import repeat
from typing import Any, Literal

import msgspec
import numpy as np
import numpy.typing as npt
from msgspec import Struct

from realtime.records import RECORD, Kind
from realtime.relay.rows import DAY_MS, EDIT, Longs, session_of, sound, utc_of
from realtime.spool.frames import Asset, Frame, FrameKind, Records, joined
from sql.messages import ALL, EXCHANGE, FullTrade, Trade

Shape = Literal["short", "full"]
Symbols = frozenset[str]
EVERYTHING: Symbols = frozenset((ALL,))
BATCH_TRADES = 4_000  # of one message: below the million bytes that common clients take
SIDES = ["B" if code == 2 else "S" if code == 3 else None for code in range(256)]
FULL_SIDES = ["buy" if code == 2 else "sell" if code == 3 else None for code in range(256)]

encode = msgspec.json.Encoder().encode_lines


class Rows(Struct, frozen=True):
    """Trade records in the order of their numbers, all of one run; every asset has a name."""

    sequence: Longs
    records: Records
    day: Longs  # of the session, days since 1970
    ts: Longs  # microseconds, UTC
    names: Mapping[int, Asset]

    def __len__(self) -> int:
        return len(self.sequence)

    def where(self, mask: npt.NDArray[np.bool_]) -> "Rows":
        """Those that `mask` chooses."""
        if mask.all():
            return self
        return Rows(self.sequence[mask], self.records[mask], self.day[mask], self.ts[mask], self.names)

    def of(self, symbols: Symbols) -> "Rows":
        """Those of some symbols."""
        return self if symbols == EVERYTHING else self.where(self.chosen(symbols))

    def chosen(self, symbols: Symbols) -> npt.NDArray[np.bool_]:
        """Which of them are of these symbols."""
        assets = self.records["asset"]
        wanted = np.zeros(int(assets.max(initial=0)) + 1, np.bool_)
        for number, asset in self.names.items():
            if number < len(wanted):
                wanted[number] = asset.ticker in symbols
        found: npt.NDArray[np.bool_] = wanted[assets]
        return found

    def texts(self, shape: Shape) -> list[bytes]:
        """The message of each of them."""
        if not len(self):
            return []
        made: Iterable[Struct] = map(Trade, *self._short()) if shape == "short" else map(FullTrade, *self._full())
        return encode(made).splitlines()

    def _short(self) -> list[Iterable[Any]]:
        sides = [SIDES[code] for code in self.records["action"].tolist()]
        numbers = self.records["number"].tolist()
        price, quantity = self.records["price"].tolist(), self.records["quantity"].tolist()
        millis = (self.ts // 1000).tolist()
        return [self._symbols(), price, quantity, sides, millis, self.sequence.tolist(), numbers, *self._rest()]

    def _full(self) -> list[Iterable[Any]]:
        sides = [FULL_SIDES[code] for code in self.records["action"].tolist()]
        numbers = self.records["number"].tolist()
        price, quantity = self.records["price"].tolist(), self.records["quantity"].tolist()
        instants = np.datetime_as_string((self.ts // 1000).view("M8[ms]"), timezone="UTC").tolist()
        names, sequence = self._symbols(), self.sequence.tolist()
        return [names, repeat(EXCHANGE), price, quantity, instants, numbers, sides, sequence, *self._rest()]

    def _symbols(self) -> list[str]:
        return [self.names[number].ticker for number in self.records["asset"].tolist()]

    def _rest(self) -> list[Iterable[Any]]:
        """Session, filled, revision."""
        first = int(self.day[0])
        days = {first} if (self.day == first).all() else set(self.day.tolist())
        sessions = {day: session_of(day) for day in days}
        filled = self.records["kind"] == Kind.HISTORY_TRADE
        return [
            repeat(sessions[first]) if len(days) == 1 else [sessions[day] for day in self.day.tolist()],
            filled.tolist() if filled.any() else repeat(False),
            _revisions(self.records),
        ]


_NONE = np.zeros(0, np.int64)
NO_ROWS = Rows(_NONE, np.zeros(0, RECORD), _NONE, _NONE, {})


def _revisions(records: Records) -> Iterable[str | None]:
    edited = (records["flags"] & EDIT) != 0
    if not edited.any():
        return repeat(None)
    struck = edited & ((records["quantity"] == 0) | (records["price"] <= 0))
    return [
        "cancelled" if gone else "corrected" if other else None
        for gone, other in zip(struck.tolist(), edited.tolist(), strict=True)
    ]


def rows_of(frames: list[Frame], names: Mapping[int, Asset]) -> Rows:
    """The trades of frames of one run that have a name, a time and a price; asked for or told by themselves."""
    parts, numbers = [np.zeros(0, RECORD)], [np.zeros(0, np.int64)]
    for frame in frames:
        if frame.kind == FrameKind.RECORDS:
            records = frame.records()
            places = np.flatnonzero((records["kind"] == Kind.TRADE) | (records["kind"] == Kind.HISTORY_TRADE))
            parts.append(records if len(places) == len(records) else records[places])
            numbers.append(frame.first + places)
    records, sequence = joined(parts[1:] or parts), np.concatenate(numbers)
    good = sound(records) & _named(records, names)
    if not good.all():
        records, sequence = records[good], sequence[good]
    time = np.ascontiguousarray(records["time"])
    return Rows(sequence, records, time // DAY_MS, utc_of(time), names)


def _named(records: Records, names: Mapping[int, Asset]) -> npt.NDArray[np.bool_]:
    return np.isin(records["asset"], list(names))
