"""What the paper exchange knows: its orders and holdings, in one file of lines of which the last one of each counts.

A line is written before anybody is told. It is not synced: a killed process loses nothing, a power cut may lose the
last moments, as invented orders may.
"""

import contextlib
import datetime as dt
import os
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path

import msgspec
from msgspec import Struct, structs

from realtime.orders.broker import AccountId
from realtime.orders.matching import Waiting
from realtime.orders.states import Side
from sql import durable
from sql.exchange import SAO_PAULO

KEPT = dt.timedelta(days=7)  # of orders that are over


class Placed(Struct, frozen=True, kw_only=True, tag="order"):
    """An order with what the exchange says of it. `money`: the sum of price times quantity of its fills, in points."""

    exchange_id: str
    account: AccountId
    waiting: Waiting
    status: int
    created: dt.datetime
    updated: dt.datetime
    ends: dt.datetime | None  # None: good until cancelled
    money: Decimal = Decimal(0)
    over: bool = False
    text: str = ""


class Holding(Struct, frozen=True, kw_only=True, tag="holding"):
    """A position with the sums of its last session. Averages in points or BRL."""

    account: AccountId
    symbol: str
    session: dt.date
    quantity: int = 0
    average: Decimal = Decimal(0)
    bought: int = 0
    bought_money: Decimal = Decimal(0)
    sold: int = 0
    sold_money: Decimal = Decimal(0)


class BookError(Exception):
    """The file of the paper exchange cannot be used; the message names it."""


class Book:
    """Orders by number and holdings by account and symbol; with a path, as they were left."""

    def __init__(self, path: Path | None, now: dt.datetime) -> None:
        self.orders: dict[int, Placed] = {}
        self.holdings: dict[tuple[AccountId, str], Holding] = {}
        self._file: int | None = None
        self._length = 0  # of the file, in bytes
        self._encoder = msgspec.json.Encoder()
        if path is not None:
            self._open(path, now)

    def keep(self, *entries: Placed | Holding) -> None:
        """Have them on file, then in memory, in the place of older ones. Raises BookError."""
        if self._file is not None:
            lines = b"".join(self._encoder.encode(entry) + b"\n" for entry in entries)
            try:
                durable.write_all(self._file, memoryview(lines))
                self._length += len(lines)
            except OSError as error:
                self._cut()
                raise BookError(f"the paper exchange's file cannot be written: {error}") from error
        for entry in entries:
            self._take(entry)

    def close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _cut(self) -> None:
        """Take away what a full disk took of a line: the next one would stand behind it, and neither could be read."""
        if self._file is not None:
            with contextlib.suppress(OSError):  # a start reads a torn last line, and names one in the middle
                os.ftruncate(self._file, self._length)

    def _take(self, entry: Placed | Holding) -> None:
        if isinstance(entry, Placed):
            self.orders[entry.waiting.number] = entry
        else:
            self.holdings[entry.account, entry.symbol] = entry

    def _open(self, path: Path, now: dt.datetime) -> None:
        """Read what is there, write it anew without what is old, and go on behind it. A torn last line is left out."""
        try:
            if path.is_file():
                self._read(path)
            self.orders = {
                number: placed
                for number, placed in self.orders.items()
                if not placed.over or placed.updated > now - KEPT or number == max(self.orders)
            }
            whole = b"".join(self._encoder.encode(entry) + b"\n" for entry in self._all())
            durable.replace(path, whole)
            self._length = len(whole)
            self._file = os.open(path, os.O_WRONLY | os.O_APPEND | getattr(os, "O_BINARY", 0))
        except OSError as error:
            raise BookError(f"{path} cannot be used: {error}") from error

    def _read(self, path: Path) -> None:
        decoder = msgspec.json.Decoder(Placed | Holding)
        for number, line in enumerate(path.read_bytes().splitlines(keepends=True), 1):
            if not line.endswith(b"\n"):
                return
            try:
                self._take(decoder.decode(line))
            except msgspec.MsgspecError as error:
                raise BookError(f"{path} line {number}: an order or a holding expected, found {error}") from error

    def _all(self) -> Iterable[Placed | Holding]:
        yield from self.orders.values()
        yield from self.holdings.values()


def filled(holding: Holding, side: Side, quantity: int, price: Decimal, session: dt.date) -> Holding:
    """The holding after a fill. Beyond zero the average begins again; the sums are those of `session` alone."""
    if session != holding.session:
        fresh = Holding(account=holding.account, symbol=holding.symbol, session=session)
        holding = structs.replace(fresh, quantity=holding.quantity, average=holding.average)
    before, change = holding.quantity, quantity if side == "BUY" else -quantity
    after = before + change
    if before * change >= 0:
        average = (holding.average * abs(before) + price * quantity) / abs(after)
    elif before * after < 0:
        average = price
    else:
        average = holding.average if after else Decimal(0)
    bought, sold = (quantity, 0) if side == "BUY" else (0, quantity)
    return structs.replace(
        holding,
        quantity=after,
        average=average,
        bought=holding.bought + bought,
        bought_money=holding.bought_money + bought * price,
        sold=holding.sold + sold,
        sold_money=holding.sold_money + sold * price,
    )


def session_of(instant: dt.datetime) -> dt.date:
    """The São Paulo date of an instant."""
    return instant.astimezone(SAO_PAULO).date()
