"""Whether trades of two sources are the same trades: by number where the numbering is shown to be one, otherwise as
multisets by millisecond, price and quantity. Pure rules, no store; frames are rows of `ticks`, one symbol and session.

What is told twice is never stored twice: of equal trades the counts decide, brokers only say which belongs to which.
"""

import datetime as dt

import numpy as np
import numpy.typing as npt
import polars as pl
from msgspec import Struct

from sql.exchange import SAO_PAULO, hours, market_of
from sql.tables import FOREIGN, Flag

ENOUGH = 20  # different trades that agree: then numbers that are equal are no accident
MOST_CONTRADICTIONS = 1000  # one in so many common numbers may be a correction that only one source knows
AFTER_CLOSE = dt.timedelta(minutes=20)  # after-market trading begins later than this; the closing auction ends before
MOMENT = ("at", "millionths", "quantity")
BROKERS = ("buyer", "seller")
CANCELLED = int(Flag.CANCELLED)
NOMINAL = int(Flag.NOMINAL_TIME)
Longs = npt.NDArray[np.int64]


class Placed(Struct, frozen=True):
    """Where trades belong. `under`: trade_id -> the id that they have on the tape, or get; `twins`: trade_id -> the id
    of another source's row that is this trade, and whether that row is still to be struck.
    """

    under: pl.DataFrame  # trade_id, stored_id
    twins: pl.DataFrame  # trade_id, twin, strikes


def after_market(symbol: str, session: dt.date) -> dt.datetime:
    """The instant from which trades of a session may be after-market ones."""
    _, close = hours(session, market_of(symbol))
    return dt.datetime.combine(session, close, SAO_PAULO).astimezone(dt.UTC) + AFTER_CLOSE


def own_number(name: str = "trade_id") -> pl.Expr:
    """The number that the row's own source gave it."""
    return pl.col(name) & (FOREIGN - 1)


def agreeing(trades: pl.DataFrame, others: pl.DataFrame) -> pl.DataFrame:
    """The trades that have the number, the millisecond, the price and the quantity of one of `others`."""
    left = _keyed(trades.filter(_timed()), "trade_id")
    right = _keyed(others.filter((pl.col("flags") & int(Flag.FOREIGN_NUMBER)) == 0), "trade_id")
    return left.join(right.select("trade_id", *MOMENT), on=("trade_id", *MOMENT), how="semi")


def different(agreed: pl.DataFrame) -> int:
    """How many different trades these are: a burst of equal ones at one millisecond proves no numbering."""
    return agreed.select(MOMENT).n_unique()


def is_one_numbering(common: Longs, agreed: Longs, trades: int) -> bool:
    """Whether two sources number trades alike. `common`: sorted numbers that both have; `agreed`: those of them that
    mean the same trade; `trades`: how many different ones.

    A shift somewhere in the session shows as a row of contradictions; a correction that one source did not hear of
    stands alone between numbers that agree.
    """
    if trades < ENOUGH:
        return False
    wrong = np.flatnonzero(~np.isin(common, agreed))
    if not len(wrong):
        return True
    alone = bool(wrong[0] > 0 and wrong[-1] < len(common) - 1 and (np.diff(wrong) > 1).all())
    return alone and len(wrong) * MOST_CONTRADICTIONS <= len(common)


def placed(trades: pl.DataFrame, others: pl.DataFrame, own: Longs, *, native: bool) -> Placed:
    """Place trades of a source whose numbering is not shown to be that of `others`, one row a trade.

    `others` are the stored rows of other sources, at least of the times in question; `own` the ids under which this
    source's trades are stored already. `native`: their own numbers are free, no other source uses any in this session.
    """
    there = _under(trades, own, "stored_id")
    rest = trades.join(there, on="trade_id", how="anti")
    timed, nominal = rest.filter(_timed()), rest.filter(~_timed())
    twins = paired(timed, others)
    if nominal.height:
        late = others.join(twins, left_on="trade_id", right_on="twin", how="anti")
        late = late.filter(pl.col("ts") >= after_market(nominal["symbol"][0], nominal["session"][0]))
        twins = pl.concat([twins, paired(nominal, late, timed=False)])
    new = rest.join(twins, on="trade_id", how="anti").select("trade_id")
    offset = 0 if native else FOREIGN
    return Placed(pl.concat([there, new.select("trade_id", stored_id=pl.col("trade_id") + offset)]), twins)


def placed_by_number(trades: pl.DataFrame, others: pl.DataFrame, own: Longs, elsewhere: Longs) -> Placed:
    """Place trades of a source whose numbering is shown to be that of the others: a number says which trade it is.

    `elsewhere`: ids of other sources' rows that came before that was shown, under foreign numbers.
    """
    there = _under(trades, own, "stored_id")
    rest = trades.join(there, on="trade_id", how="anti")
    twins = _under(rest, elsewhere, "twin")
    flags = others.select(twin="trade_id", other="flags")
    told = twins.join(rest.select("trade_id", "flags"), on="trade_id").join(flags, on="twin", how="left")
    strikes = ((pl.col("flags") & ~pl.col("other") & CANCELLED) != 0).fill_null(value=False)
    new = rest.join(twins, on="trade_id", how="anti").select("trade_id", stored_id="trade_id")
    return Placed(pl.concat([there, new]), told.select("trade_id", "twin", strikes=strikes))


def paired(trades: pl.DataFrame, others: pl.DataFrame, *, timed: bool = True) -> pl.DataFrame:
    """As many trades as can be, each with one of `others`, each of which serves once: columns as `Placed.twins`.

    Of equal ones those with the same brokers come together, then those with the same number: should the numbering turn
    out to be one, each stands for itself and not for its equal. Then those that are both cancelled or both not.
    """
    moment = MOMENT if timed else MOMENT[1:]
    left, right = _keyed(trades, "trade_id"), _keyed(others, "twin")
    found = []
    for alike in ((*BROKERS, "number"), (*BROKERS, "struck"), BROKERS, ("number",), ("struck",), ()):
        if left.is_empty() or right.is_empty():
            break
        by = (*moment, *alike)
        pairs = _turns(left, by).join(_turns(right, by), on=(*by, "turn"), nulls_equal=True, suffix="_other")
        if pairs.height:
            struck = "struck" if "struck" in alike else "struck_other"
            found.append(pairs.select("trade_id", "twin", strikes=pl.col("struck") & ~pl.col(struck)))
            left = left.join(pairs, on="trade_id", how="anti")
            right = right.join(pairs, on="twin", how="anti")
    schema = {"trade_id": pl.Int64, "twin": pl.Int64, "strikes": pl.Boolean}
    return pl.concat([pl.DataFrame(schema=schema), *found])


def marked(rows: pl.DataFrame, under: pl.DataFrame) -> pl.DataFrame:
    """Reports of placed trades with the ids they have on the tape, flagged where that is not their own number."""
    joined = rows.join(under, on="trade_id", how="inner", maintain_order="left")
    foreign = pl.when(pl.col("stored_id") >= FOREIGN).then(int(Flag.FOREIGN_NUMBER)).otherwise(0).cast(pl.Int32)
    return joined.with_columns(trade_id=pl.col("stored_id"), flags=pl.col("flags") | foreign).select(rows.columns)


def _under(trades: pl.DataFrame, ids: Longs, name: str) -> pl.DataFrame:
    """trade_id -> the one of `ids` that stands for this number."""
    known = pl.DataFrame({name: ids}, schema={name: pl.Int64}).select(own_number(name).alias("trade_id"), name)
    return trades.select("trade_id").join(known, on="trade_id")


def _timed() -> pl.Expr:
    return (pl.col("flags") & NOMINAL) == 0


def _keyed(rows: pl.DataFrame, name: str) -> pl.DataFrame:
    """What rows are compared by; a price as millionths, because two readers of a decimal may differ in its last bit."""
    return rows.select(
        pl.col("trade_id").alias(name),
        number=own_number("trade_id"),
        at=pl.col("ts").dt.epoch("ms"),
        millionths=(pl.col("price") * 1_000_000).round().cast(pl.Int64),
        quantity=pl.col("quantity"),
        buyer=pl.col("buyer"),
        seller=pl.col("seller"),
        struck=(pl.col("flags") & CANCELLED) != 0,
    ).sort(name)


def _turns(rows: pl.DataFrame, by: tuple[str, ...]) -> pl.DataFrame:
    return rows.with_columns(turn=pl.int_range(pl.len()).over(by))
