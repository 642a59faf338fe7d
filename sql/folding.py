"""What several reports of the same trade amount to: pure rules, no store. Rows are in the order of arrival.

The first report gives `ts` and `received_at`, a later one of the same source may correct values, a cancellation only
flags, and what is cancelled stays cancelled. Storing reports one by one or all at once ends in the same rows.
"""

import polars as pl
from msgspec import Struct, structs

from sql.tables import TICKS, Flag

IDENTITY = ("symbol", "session", "trade_id")
VALUES = ("price", "quantity")
SAME_PRICE = 5e-7  # far below any tick size
MAY_BE_SILENT = ("aggressor", "buyer", "seller")  # null in a report means that it does not say


class Outcome(Struct, frozen=True):
    """What reports do to the tape. Every report is counted exactly once; `rows` are those to be written.

    `conflicts` are reports of another source whose price or quantity contradicts the stored trade: they change nothing.
    """

    rows: pl.DataFrame
    conflicts: pl.DataFrame
    new: int
    repeated: int
    cancelled: int
    edited: int


def settled(reports: pl.DataFrame, stored: pl.DataFrame) -> Outcome:
    """Reports laid over the stored rows of the same identities; both have the columns of `TICKS`."""
    if not stored.height:
        return _settled(reports, stored)
    loud = _loud(reports, stored)
    outcome = _settled(loud, stored.join(loud, on=IDENTITY, how="semi"))
    return structs.replace(outcome, repeated=outcome.repeated + reports.height - loud.height)


def _loud(reports: pl.DataFrame, stored: pl.DataFrame) -> pl.DataFrame:
    """All reports of the trades of which any report says something new: usually none, and then nothing is folded."""
    names = (*VALUES, *MAY_BE_SILENT, "flags", "source")
    known = stored.select(*IDENTITY, *(pl.col(name).alias(f"{name}_stored") for name in names))
    against = reports.join(known, on=IDENTITY, how="left", maintain_order="left")
    same = pl.all_horizontal(_equal(name) for name in VALUES)
    silent = pl.all_horizontal(
        pl.col(name).is_null() | pl.col(name).eq_missing(pl.col(f"{name}_stored")) for name in MAY_BE_SILENT
    )
    foreign = pl.col("source") != pl.col("source_stored")
    strikes = (pl.col("flags") & ~pl.col("flags_stored") & int(Flag.CANCELLED)) != 0
    news = against.filter(~(same & (silent | foreign) & ~strikes).fill_null(value=False)).select(IDENTITY)
    return reports.join(news, on=IDENTITY, how="semi", maintain_order="left") if news.height else reports.clear()


def _settled(reports: pl.DataFrame, stored: pl.DataFrame) -> Outcome:
    known = stored.select(*IDENTITY, *(pl.col(name).alias(f"{name}_stored") for name in (*VALUES, "source")))
    against = reports.join(known, on=IDENTITY, how="left", maintain_order="left")
    foreign = (pl.col("source") != pl.col("source_stored")).fill_null(value=False)
    contradicts = foreign & ~pl.all_horizontal(_equal(name) for name in VALUES).fill_null(value=True)
    against = against.with_columns(foreign=foreign, contradicts=contradicts)
    accepted = against.filter(~pl.col("contradicts")).select(*TICKS.names, "foreign", kept=pl.lit(value=False))
    before = stored.select(*TICKS.names, foreign=pl.lit(value=False), kept=pl.lit(value=True))
    final = _folded(pl.concat([before, accepted]))
    touched = final.filter(pl.col("trades") + pl.col("cancels") > 0)
    added = touched.filter(~pl.col("was_kept") & pl.col("begins")).height
    struck = touched.filter((pl.col("cancels") > 0) & ~pl.col("was_cancelled")).height
    edited = int(touched["edits"].sum())
    return Outcome(
        rows=touched.filter(_differs()).select(TICKS.names),
        conflicts=against.filter("contradicts"),
        new=added,
        repeated=accepted.height - added - struck - edited,
        cancelled=struck,
        edited=edited,
    )


def _equal(name: str) -> pl.Expr:
    """Whether a report has the stored value; the last bits of a price, in which two sources differ, do not count."""
    here, stored = pl.col(name), pl.col(f"{name}_stored")
    if name == "price":
        return (here - stored).abs() < SAME_PRICE
    return here.eq_missing(stored)


def _folded(reports: pl.DataFrame) -> pl.DataFrame:
    cancels = (pl.col("flags") & int(Flag.CANCELLED)) != 0
    first = pl.struct(IDENTITY).is_first_distinct()
    marked = reports.with_columns(cancels=cancels, first=first)
    marked = marked.with_columns(gives=pl.col("first") | ~(pl.col("cancels") | pl.col("foreign")))
    marked = marked.with_columns(corrects=pl.col("gives") & ~pl.col("first") & _corrected())
    said = pl.col("gives")
    return marked.group_by(IDENTITY, maintain_order=True).agg(
        *(pl.col(name).first() for name in ("ts", "received_at", "source")),
        *(pl.col(name).filter(said).last() for name in VALUES),
        *(pl.col(name).filter(said).drop_nulls().last() for name in MAY_BE_SILENT),
        flags=pl.col("flags").first() | (pl.col("cancels").any().cast(pl.Int32) * int(Flag.CANCELLED)),
        was_kept=pl.col("kept").first(),
        begins=~pl.col("cancels").first(),  # a cancellation of an unknown trade adds a row, not a trade
        was_cancelled=(pl.col("kept") & pl.col("cancels")).any(),
        trades=(~pl.col("kept") & ~pl.col("cancels")).sum(),
        cancels=(~pl.col("kept") & pl.col("cancels")).sum(),
        edits=pl.col("corrects").sum(),
        was=pl.struct(*VALUES, *MAY_BE_SILENT, "flags").first(),
    )


def _corrected() -> pl.Expr:
    """Whether a report says other values than those that stand when it comes."""

    def standing(name: str) -> pl.Expr:
        return pl.when("gives").then(pl.col(name)).forward_fill().shift(1).over(IDENTITY)

    values = [pl.col(name).ne_missing(standing(name)) for name in VALUES]
    silent = [pl.col(name).is_not_null() & pl.col(name).ne_missing(standing(name)) for name in MAY_BE_SILENT]
    return pl.any_horizontal(*values, *silent)


def _differs() -> pl.Expr:
    names = (*VALUES, *MAY_BE_SILENT, "flags")
    return ~pl.col("was_kept") | pl.any_horizontal(
        pl.col(name).ne_missing(pl.col("was").struct.field(name)) for name in names
    )
