"""What a source says that a session was, in sums: the judge of a tape that shows the same sums. Cancelled trades do not
count. One row a symbol, session and source; a snapshot gives way to a later one, and everything to a final file.

A file holds its session without the after-market trades, which the next session's file brings: they are a source of
their own (`AFTER`), so that neither file's sums wait for the other.
"""

import datetime as dt
from collections.abc import Iterable, Sequence
from decimal import Decimal

import polars as pl
from msgspec import Struct
from msgspec.structs import astuple

from sql.b3_ledger import Edition
from sql.b3_stage import Staged, standing
from sql.tables import Flag
from sql.ticks import ID_BITS, Known
from sql.warm import WarmStore

B3, AFTER = "b3", "b3-after"
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
    parts = []
    special = pl.Series("key", list(staged.special), dtype=pl.Int64)
    for batch in staged.batches():
        rows = pl.DataFrame(batch.select(SUMMED))
        parts.append(_by_price(rows.join(special.to_frame(), on="key", how="anti") if len(special) else rows))
    if len(special):
        told = standing(staged.spoken_of_again())
        parts.append(_by_price(told.filter((pl.col("flags") & int(Flag.CANCELLED)) == 0)))
    names = {number: pair for pair, number in known.pairs.items()}
    found: dict[tuple[int, bool], list[tuple[float, int, int]]] = {}
    for pair, after, price, trades, quantity in pl.concat(parts).iter_rows() if parts else ():
        found.setdefault((pair, after), []).append((price, trades, quantity))
    return [
        Sums(
            symbol=names[pair][0],
            session=names[pair][1],
            after=after,
            trades=sum(trades for _, trades, _ in rows),
            quantity=sum(quantity for *_, quantity in rows),
            turnover=sum((Decimal(str(price)) * quantity for price, _, quantity in rows), Decimal()),
        )
        for (pair, after), rows in found.items()
    ]


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


def _by_price(rows: pl.DataFrame) -> pl.DataFrame:
    after = (pl.col("flags") & int(Flag.AFTER_MARKET)) != 0
    grouped = rows.group_by(pl.col("key").floordiv(1 << ID_BITS).alias("pair"), after.alias("after"), "price")
    return grouped.agg(trades=pl.len().cast(pl.Int64), quantity=pl.col("quantity").sum())
