"""The feed writes beside a file, before it and after it: each true trade is on the tape once."""

import itertools
import random
from collections import Counter

import polars as pl
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from sql import held, matching, ticks
from sql.b3_files import import_file
from sql.beside import Beside
from sql.tables import FOREIGN, TICKS, Flag
from tests.sql.b3_made import text, zipped
from tests.sql.test_b3_fill import LATER, SESSION, fed, filed, stored

NUMBER = itertools.count(1)
SOURCE = "profitdll"


@pytest.fixture
def symbol():
    return f"B{next(NUMBER)}Y{random.randrange(10**6)}"


class Feed:
    """The live writer of one symbol: it remembers what it told, and forgets that when it is started anew."""

    def __init__(self, hot, symbol):
        self.hot, self.symbol = hot, symbol
        self.start()

    def start(self):
        self.hot.wait_applied(TICKS)
        told = held.sources(self.hot, None, [SESSION], [self.symbol]).get((self.symbol, SESSION), set())
        self.beside = Beside(self.hot, None, self.symbol, SESSION, SOURCE) if told - {SOURCE} else None

    def tell(self, *rows):
        frame = pl.DataFrame(list(rows), schema=TICKS.polars).unique("trade_id", maintain_order=True)
        if self.beside is not None:
            known = self.beside.known()
            frame = frame.filter(pl.Series([number not in known for number in frame["trade_id"]], dtype=pl.Boolean))
            frame = self.beside.place(frame) if frame.height else frame
        if frame.height:
            ticks.store(self.hot, frame)
        self.hot.wait_applied(TICKS)


@pytest.fixture
def bring(hot, warm, tmp_path):
    def run(*lines):
        path = zipped(tmp_path / "day.zip", text(*lines), "14-07-2026_X.txt")
        return import_file(path, hot, warm, tmp_path, now=LATER)

    return run


def test_after_a_file_with_the_same_numbers_the_feed_fills_by_number(hot, symbol, bring):
    bring(*(filed(symbol, 10 * n, ms=7 * n) for n in range(1, 41)))
    feed = Feed(hot, symbol)
    feed.tell(*(fed(symbol, 10 * n, ms=7 * n) for n in range(15, 41)))

    assert feed.beside.one
    feed.tell(*(fed(symbol, 10 * n, ms=7 * n) for n in range(38, 60)))
    rows = stored(hot, symbol)
    assert rows["trade_id"].to_list() == [10 * n for n in range(1, 60)]
    assert rows["source"].to_list() == ["b3"] * 40 + [SOURCE] * 19
    assert Feed(hot, symbol).beside.one  # told by the tape itself


def test_what_came_before_the_numbering_was_shown_is_not_brought_again(hot, symbol, bring):
    def told(until):
        return [fed(symbol, 10 * n, ms=7 * n) for n in range(1, until)]

    Feed(hot, symbol).tell(*told(11))
    first = bring(*(filed(symbol, 10 * n, ms=7 * n) for n in range(1, 31)))
    Feed(hot, symbol).tell(*told(61))
    last = bring(*(filed(symbol, 10 * n, ms=7 * n) for n in range(1, 61)))

    assert (first.new, last.new, last.repeated) == (20, 0, 60)
    assert stored(hot, symbol).height == 60


def test_beside_other_numbers_the_feed_adds_only_what_the_file_lacks(hot, symbol, bring):
    bring(*(filed(symbol, n, ms=7 * n) for n in range(1, 41)))
    feed = Feed(hot, symbol)
    feed.tell(*(fed(symbol, 10 * n, ms=7 * n) for n in range(30, 45)))
    feed.tell(*(fed(symbol, 10 * n, ms=7 * n) for n in range(30, 46)))

    rows = stored(hot, symbol).filter(pl.col("source") == SOURCE)
    assert rows["trade_id"].to_list() == [10 * n + FOREIGN for n in range(41, 46)]
    assert (rows["flags"] == Flag.FOREIGN_NUMBER).all()


def test_of_equal_trades_each_is_told_once_whatever_batch_it_comes_in(hot, symbol, bring):
    bring(filed(symbol, 1, ms=7), filed(symbol, 2, ms=7))
    feed = Feed(hot, symbol)
    for number in (10, 20, 30):
        feed.tell(fed(symbol, number, ms=7))

    assert stored(hot, symbol)["trade_id"].to_list() == [1, 2, 30 + FOREIGN]


def test_corrections_find_the_row_of_their_trade(hot, symbol, bring):
    bring(filed(symbol, 10, ms=7))
    feed = Feed(hot, symbol)
    feed.tell(fed(symbol, 10, ms=50), fed(symbol, 20, ms=7))
    edits = pl.DataFrame([fed(symbol, n, ms=n, flags=1) for n in (10, 20, 30)], schema=TICKS.polars)

    assert feed.beside.renumbered(edits)["trade_id"].to_list() == [10 + FOREIGN]
    assert Feed(hot, symbol).beside.renumbered(edits)["trade_id"].to_list() == [10 + FOREIGN]


truths = st.lists(
    st.tuples(st.integers(0, 4), st.sampled_from([41.2, 41.3]), st.integers(1, 2)), min_size=1, max_size=12
)
steps = st.lists(
    st.tuples(st.sampled_from(["feed", "start", "file"]), st.integers(0, 12), st.integers(0, 12)), max_size=6
)


@pytest.mark.timeout(300)  # many small imports
@example([(0, 41.2, 1)] * 5 + [(0, 41.2, 2)], [("file", 0, 1), ("feed", 1, 3)], (10, 0), 2)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(truths, steps, st.sampled_from([(10, 0), (10, 10), (7, 3)]), st.sampled_from([2, 20]))
def test_in_any_order_no_trade_is_there_twice_and_the_file_brings_the_rest(hot, bring, truth, order, scheme, enough):
    """`scheme`: how the file numbers what the feed numbers 10, 20, 30 …; the first one numbers alike."""
    symbol, (step, shift) = f"Y{next(NUMBER)}X{random.randrange(10**6)}", scheme
    truth = sorted(truth, key=lambda t: t[0])
    live = [fed(symbol, 10 * n, ms=ms, price=p, quantity=q) for n, (ms, p, q) in enumerate(truth, 1)]
    lines = [
        filed(symbol, step * n + shift, ms=ms, price=f"{p:.3f}".replace(".", ","), quantity=q)
        for n, (ms, p, q) in enumerate(truth, 1)
    ]
    whole = Counter((row["ts"], row["price"], row["quantity"]) for row in live)

    def found():
        return Counter(stored(hot, symbol).select("ts", "price", "quantity").rows())

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(matching, "ENOUGH", enough if scheme == (10, 0) else 20)
        feed = Feed(hot, symbol)
        for what, since, until in order:
            if what == "feed" and live[since:until]:
                feed.tell(*live[since:until])
            elif what == "start":
                feed.start()
            elif what == "file":
                bring(*lines[:until])
                feed.start()  # it sees that another wrote
            assert not found() - whole
        bring(*lines)
        feed.start()
        feed.tell(*live)
        again = bring(*lines)

    assert found() == whole
    assert again.new == 0
    assert stored(hot, symbol)["trade_id"].is_unique().all()
