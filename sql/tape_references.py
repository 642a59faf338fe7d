"""What a source says that a session was, in sums: the judge of a tape that shows the same sums. Cancelled trades do not
count. One row a symbol, session and source; a snapshot gives way to a later one, and everything to a final file.

A file holds its session without the after-market trades, which the next session's file brings: they are a source of
their own (`AFTER`), so that neither file's sums wait for the other.
"""

import datetime as dt
from collections.abc import Iterable, Sequence
from decimal import Context, Decimal

import numpy as np
import numpy.typing as npt
import polars as pl
from msgspec import Struct
from msgspec.structs import astuple

from sql.b3_ledger import Edition
from sql.b3_stage import Staged, standing
from sql.tables import Flag
from sql.ticks import ID_BITS, Keys, Known, member
from sql.warm import WarmStore

B3, AFTER = "b3", "b3-after"
PLACES = 6  # decimals of a price that count; B3 writes three
Doubles = npt.NDArray[np.float64]
SUMMED = ("key", "price", "quantity", "flags")


class Reference(Struct, frozen=True, kw_only=True):
    """The sums of one symbol's session by one source. `turnover` is the sum of price x quantity, exact."""

    symbol: str
    session: dt.date
    source: str
    trades: int
    quantity: int
    turnover: Decimal
    final: bool
    as_of: dt.datetime
    file: str


class Sums(Struct, frozen=True, kw_only=True):
    """The trades of one symbol and session in a file, and whether they are its after-market ones."""

    symbol: str
    session: dt.date
    after: bool
    trades: int
    quantity: int
    turnover: Decimal


def sums_of(staged: Staged, known: Known) -> list[Sums]:
    """The sums of a staged file, whatever the tape holds. Reads it once, a group at a time."""
    totals = _Totals(len(known.pairs))
    for keys, price, quantity, flags in staged.numbers(SUMMED):
        once = ~member(keys, staged.special)
        totals.add(keys[once], price[once], quantity[once], flags[once])
    if len(staged.special):
        told = standing(staged.spoken_of_again())
        totals.add(*(told.filter((pl.col("flags") & int(Flag.CANCELLED)) == 0)[name].to_numpy() for name in SUMMED))
    return [
        Sums(
            symbol=symbol,
            session=session,
            after=bool(after),
            trades=int(totals.trades[place]),
            quantity=int(totals.quantity[place]),
            turnover=Decimal(int(totals.points[place]))
            + Decimal(int(totals.parts[place])).scaleb(-PLACES, Context(prec=38)),
        )
        for (symbol, session), number in known.pairs.items()
        for after, place in enumerate((2 * number, 2 * number + 1))
        if totals.trades[place]
    ]


class _Totals:
    """Integer sums by pair, its after-market trades apart. Whole points and their fractions are summed apart: neither
    product comes near the end of 64 bits.
    """

    def __init__(self, pairs: int) -> None:
        self.trades, self.quantity, self.points, self.parts = np.zeros((4, 2 * pairs), np.int64)

    def add(self, keys: Keys, price: Doubles, quantity: Keys, flags: Keys) -> None:
        places = (keys >> ID_BITS) * 2 + ((flags & int(Flag.AFTER_MARKET)) != 0)
        exact = np.rint(price * 10.0**PLACES).astype(np.int64)
        points, parts = np.divmod(exact, 10**PLACES)
        np.add.at(self.trades, places, 1)
        np.add.at(self.quantity, places, quantity)
        np.add.at(self.points, places, points * quantity)
        np.add.at(self.parts, places, parts * quantity)


def record(
    warm: WarmStore, sums: Iterable[Sums], editions: Sequence[Edition], *, whole: bool, file: str, at: dt.datetime
) -> None:
    """Write down what a file says, all or nothing; the same again changes nothing but `as_of`.

    Only a `whole` one is final: one of which lines were refused does not say what a session was.
    """
    told = {edition.session: edition for edition in editions}
    rows = [
        Reference(
            symbol=each.symbol,
            session=each.session,
            source=AFTER if each.after else B3,
            trades=each.trades,
            quantity=each.quantity,
            turnover=each.turnover,
            final=whole and edition.final,
            as_of=edition.as_of or at,
            file=file,
        )
        for each in sums
        for edition in (told.get(each.session, editions[-1]),)
    ]
    names = Reference.__struct_fields__
    replaced = ", ".join(f"{name} = excluded.{name}" for name in names[3:])
    with warm.connect() as connection:
        connection.cursor().executemany(
            f"INSERT INTO tape_references AS held ({', '.join(names)}) VALUES ({', '.join(['%s'] * len(names))}) "
            f"ON CONFLICT (symbol, session, source) DO UPDATE SET {replaced} "
            "WHERE excluded.final OR (NOT held.final AND excluded.as_of >= held.as_of)",
            [astuple(row) for row in rows],
        )


def references(warm: WarmStore, session: dt.date, symbol: str | None = None) -> list[Reference]:
    """What is known of a session, of one symbol or of all."""
    names = ", ".join(Reference.__struct_fields__)
    rows = warm.rows(
        f"SELECT {names} FROM tape_references WHERE session = %s AND (%s::text IS NULL OR symbol = %s) "
        "ORDER BY symbol, source",
        (session, symbol, symbol),
    )
    return [Reference(**row) for row in rows]
