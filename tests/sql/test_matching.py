"""Two sources of one session: whatever comes in whichever order, each true trade is on the tape once."""

import datetime as dt
import math
from collections import Counter

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sql import matching
from sql.matching import agreeing, different, is_one_numbering, marked, own_number, paired, placed
from sql.tables import FOREIGN, TICKS, Flag

SESSION = dt.date(2026, 11, 18)
OPENING = dt.datetime(2026, 11, 18, 13, tzinfo=dt.UTC)
CANCELLED = int(Flag.CANCELLED)


def trade(number, *, ms=0, price=5.0, quantity=1, buyer=None, seller=None, flags=0, source="b3"):
    return {
        "ts": OPENING + dt.timedelta(milliseconds=ms),
        "symbol": "PETR4",
        "session": SESSION,
        "trade_id": number,
        "price": price,
        "quantity": quantity,
        "aggressor": None,
        "buyer": buyer,
        "seller": seller,
        "flags": flags,
        "received_at": OPENING,
        "source": source,
    }


def frame(*rows):
    return pl.DataFrame(list(rows), schema=TICKS.polars)


def series(count, source="b3", *, first=10, step=10, shift=0):
    return frame(*(trade(first + step * n, ms=7 * (n + shift), price=5.0 + n % 3, source=source) for n in range(count)))


def numbering(left, right):
    agreed = agreeing(left, right)
    common = np.intersect1d(left["trade_id"], right["trade_id"])
    return is_one_numbering(common, agreed["trade_id"].to_numpy(), different(agreed))


def test_enough_numbers_that_mean_the_same_trades_are_one_numbering():
    assert numbering(series(20), series(20, "profitdll"))
    assert not numbering(series(19), series(19, "profitdll"))


def test_nothing_in_common_is_no_numbering():
    assert not numbering(series(50), series(50, "profitdll", first=5))


@pytest.mark.parametrize("since", [10, 29_950, 29_980])
def test_a_shift_from_somewhere_on_is_another_numbering(since):
    here, there = series(3000), series(3000, "profitdll")
    moved = pl.when(pl.col("trade_id") >= since).then(pl.col("trade_id") + 10).otherwise("trade_id")
    shifted = there.with_columns(trade_id=moved)

    assert not numbering(here, shifted)


def test_a_correction_that_one_source_missed_leaves_the_numbering_one():
    here, there = series(3000), series(3000, "profitdll")
    corrected = there.with_columns(price=pl.when(pl.col("trade_id") == 15_000).then(9.0).otherwise("price"))

    assert numbering(here, corrected)
    assert not numbering(here.head(900), corrected.with_columns(price=pl.col("price") + (pl.col("trade_id") == 50)))


def test_a_burst_of_equal_trades_proves_no_numbering():
    burst = [trade(10 * n) for n in range(1, 200)]

    assert not numbering(frame(*burst), frame(*(row | {"source": "profitdll"} for row in burst)))


def test_a_trade_under_a_foreign_number_proves_no_numbering():
    foreign = series(30, "profitdll").with_columns(flags=pl.lit(int(Flag.FOREIGN_NUMBER), pl.Int32))

    assert not numbering(series(30), foreign)


def test_brokers_say_which_of_equal_trades_belong_together():
    ours = frame(trade(10, buyer=3, seller=8), trade(20, buyer=85, seller=8), trade(30))
    theirs = frame(*(trade(n, buyer=b, seller=8, source="x") for n, b in ((7, 85), (8, 3))))
    pairs = paired(ours, theirs)

    assert sorted(pairs.rows()) == [(10, 8, False), (20, 7, False)]


def test_counts_decide_where_brokers_differ():
    """A code may be missing or another one: the same trade would stand twice if that made two of it."""
    pairs = paired(frame(trade(10, buyer=3, seller=8)), frame(trade(7, buyer=90, seller=8, source="x")))

    assert pairs.rows() == [(10, 7, False)]


def test_a_cancellation_that_the_other_source_missed_strikes_its_row():
    pairs = paired(frame(trade(10, flags=CANCELLED), trade(20)), frame(trade(7, source="x")))
    both = paired(frame(trade(10, flags=CANCELLED), trade(20)), frame(trade(7, source="x"), trade(8, source="x")))

    assert pairs.rows() == [(20, 7, False)]
    assert sorted(both.rows()) == [(10, 8, True), (20, 7, False)]


def test_the_last_bit_of_a_price_makes_no_other_trade():
    below = math.nextafter(41.2, 0)

    assert paired(frame(trade(10, price=below)), frame(trade(7, price=41.2, source="x"))).height == 1


def test_an_after_market_trade_of_nominal_time_is_sought_after_the_close():
    after = int(Flag.AFTER_MARKET | Flag.NOMINAL_TIME)
    file = frame(trade(100, ms=12 * 3_600_000, flags=after))
    noon = trade(7, ms=3_600_000, source="x")
    evening = trade(8, ms=9 * 3_600_000, source="x")  # 19:00 in São Paulo
    own = np.array([], dtype=np.int64)

    assert placed(file, frame(noon), own, native=False).twins.is_empty()
    assert placed(file, frame(noon, evening), own, native=False).twins.rows() == [(100, 8, False)]


def test_what_is_stored_keeps_its_number_and_what_is_new_gets_one_that_is_free():
    own = np.array([10, 20 + FOREIGN])
    there = placed(
        frame(trade(10), trade(20), trade(30, ms=3), trade(40, ms=9)), frame(trade(7, ms=9)), own, native=False
    )

    assert sorted(there.under.rows()) == [(10, 10), (20, 20 + FOREIGN), (30, 30 + FOREIGN)]
    assert there.twins.rows() == [(40, 7, False)]
    rows = marked(frame(trade(10), trade(30, flags=CANCELLED), trade(40)), there.under)
    assert rows.select("trade_id", "flags").rows() == [(10, 0), (30 + FOREIGN, int(Flag.FOREIGN_NUMBER) | CANCELLED)]


class Tape:
    """One session, written as the import and the relay write it: by number where it is one, else by `placed`."""

    def __init__(self):
        self.rows = frame()

    def bring(self, trades):
        source = trades["source"][0]
        mine = pl.col("source") == source
        others = self.rows.filter(~mine)
        numbers = others.filter(pl.col("trade_id") < FOREIGN)
        told = pl.concat([trades, self.rows.filter(mine, pl.col("trade_id") < FOREIGN)]).unique("trade_id")
        one = numbering(told, numbers)
        if one:
            known = self.rows.select(own_number().alias("trade_id"))
            new = trades.join(known, on="trade_id", how="anti")
            self.rows = pl.concat([self.rows, new])
            return
        own = self.rows.filter(mine)["trade_id"].to_numpy()
        found = placed(trades, others, own, native=numbers.is_empty())
        new = marked(trades, found.under).join(self.rows, on="trade_id", how="anti")
        struck = pl.col("trade_id").is_in(found.twins.filter("strikes")["twin"].implode()) & ~mine
        flags = pl.when(struck).then(pl.col("flags") | CANCELLED).otherwise("flags")
        self.rows = pl.concat([self.rows.with_columns(flags), new])

    def trades(self):
        return Counter(self.rows.select("ts", "price", "quantity").rows())


truths = st.lists(
    st.tuples(st.integers(0, 6), st.sampled_from([5.0, 5.5]), st.integers(1, 2), st.sampled_from([None, 3, 85])),
    min_size=1,
    max_size=14,
)
steps = st.lists(
    st.tuples(st.sampled_from(["live", "history", "snapshot", "file"]), st.integers(0, 14), st.integers(0, 14)),
    max_size=6,
)


@settings(max_examples=300, deadline=None)
@given(truths, steps, st.sampled_from([(10, 0), (10, 10), (1, 0), (7, 3)]), st.data())
def test_in_any_order_each_true_trade_is_there_once(truth, order, scheme, data):
    """`scheme`: how the file numbers what the feed numbers 10, 20, 30 …; the first one numbers alike."""
    step, shift = scheme
    truth = sorted(truth, key=lambda t: t[0])
    feed = [
        trade(10 * n, ms=ms, price=p, quantity=q, buyer=b, seller=b, source="profitdll")
        for n, (ms, p, q, b) in enumerate(truth, 1)
    ]
    file = [row | {"trade_id": step * n + shift, "source": "b3"} for n, row in enumerate(feed, 1)]
    whole = Counter((row["ts"], row["price"], row["quantity"]) for row in file)
    tape = Tape()
    with pytest.MonkeyPatch.context() as patch:
        enough = data.draw(st.sampled_from([3, 20]))
        patch.setattr(matching, "ENOUGH", enough if scheme == (10, 0) else 20)
        for what, since, until in order:
            rows = {"live": feed, "history": feed[since:until], "snapshot": file[:until], "file": file}[what]
            lost = data.draw(st.sets(st.integers(0, 13))) if what == "live" else ()
            told = [row for n, row in enumerate(rows) if n not in lost]
            if told:
                tape.bring(frame(*told))
            assert not tape.trades() - whole
        tape.bring(frame(*file))
        after = tape.rows
        tape.bring(frame(*file))

    assert tape.trades() == whole
    assert tape.rows.equals(after)
