"""Strategies: bars as the store would make them, repeats told once, lines that are the same for the same tape."""

import datetime as dt
import json
import os
import subprocess
import sys
import time

import msgspec
import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.settings import ROOT
from realtime.records import Kind
from realtime.spool.reader import Position, Reader
from realtime.spool.writer import Spool
from realtime.strategy import Bar, Cancel, Change, OrderUpdate, Signal, StrategyError, Tick
from realtime.strategy.__main__ import main, parameter_of
from realtime.strategy.bars import Bars
from realtime.strategy.flow import AggressorFlow
from realtime.strategy.following import Following
from realtime.strategy.running import Running, fault_of, made
from sql.cold import ColdStore
from sql.tables import TICKS, Flag
from sql.tape import Span, Tape
from tests.realtime.spooled import ASSETS, records

NOON = 1_795_100_400_000  # 2026-11-19 15:00 UTC, noon in São Paulo


def tick(at: int, number: int = 1, **said: object) -> Tick:
    told = {"symbol": "WINZ26", "price": 100.0, "quantity": 2, "aggressor": "BUYER", "buyer": 3, "seller": 85}
    return Tick(ts_ms=NOON + at, trade_id=number, **{**told, **said})


class Echo:
    """Says everything that it heard."""

    def __init__(self, word: str = "heard") -> None:
        self.word = word

    def on_tick(self, tick):
        return [Signal(symbol=tick.symbol, type="alert", confidence=1.0, price=tick.price, reasoning=self.word)]

    def on_bar(self, bar):
        return (Signal(symbol=bar.symbol, type="hold", confidence=0.5, features={"close": bar.close}),)


def heard(ticks: list[Tick], seconds: int = 60) -> list[dict[str, object]]:
    return [json.loads(line) for line in Running(Echo(), seconds).lines(ticks)]


def test_a_bar_is_told_before_the_first_tick_after_its_end_and_the_open_one_never():
    lines = heard([tick(0), tick(59_999, 2, price=101.0), tick(60_000, 3)])

    assert [(line["signalType"], line["timestamp"]) for line in lines] == [
        ("alert", "2026-11-19T15:00:00.000Z"),
        ("alert", "2026-11-19T15:00:59.999Z"),
        ("hold", "2026-11-19T15:01:00.000Z"),
        ("alert", "2026-11-19T15:01:00.000Z"),
    ]
    assert [line["id"] for line in lines[2:]] == [f"Echo-{NOON + 60_000}-0", f"Echo-{NOON + 60_000}-1"]
    assert lines[0]["type"] == "signal"
    assert lines[0]["strategy"] == "Echo"
    assert lines[2]["features"] == {"close": 101.0}


trades = st.lists(
    st.tuples(
        st.integers(0, 400),  # seconds after noon
        st.sampled_from(["WINZ26", "WDOZ26"]),
        st.integers(1, 40),
        st.integers(1, 9),
        st.booleans(),
    ),
    max_size=60,
)


@given(trades)
def test_bars_are_the_candles_of_the_store(drawn):
    """Cancelled trades are played as in a replay: as they were traded, and taken back in the same millisecond."""
    ordered = sorted(drawn)
    bars, found = Bars(60), []
    for number, (second, symbol, price, quantity, cancelled) in enumerate(ordered):
        told = tick(second * 1000, number, symbol=symbol, price=float(price), quantity=quantity)
        found += bars.ended(told.ts_ms)
        bars.add(told)
        if cancelled:
            bars.add(tick(second * 1000, number, symbol=symbol, quantity=0, what="cancellation"))
    found += bars.ended(NOON + 86_400_000)
    rows = pl.DataFrame(
        [(NOON + s * 1000, y, n, float(p), q, c) for n, (s, y, p, q, c) in enumerate(ordered)],
        schema=["ms", "symbol", "id", "price", "quantity", "cancelled"],
        orient="row",
    )
    candles = (
        rows.filter(~pl.col("cancelled").cast(pl.Boolean))
        .with_columns(start=pl.col("ms") // 60_000 * 60_000)
        .group_by("start", "symbol")
        .agg(
            pl.col("price").sort_by("ms", "id").first().alias("open"),
            pl.col("price").max().alias("high"),
            pl.col("price").min().alias("low"),
            pl.col("price").sort_by("ms", "id").last().alias("close"),
            pl.col("quantity").sum().alias("volume"),
            pl.len().alias("trades"),
        )
        .sort("start", "symbol")
        if ordered
        else pl.DataFrame({"start": []})
    )

    assert [(b.start_ms, b.symbol, b.open, b.high, b.low, b.close, b.volume, b.trades) for b in found] == [
        (start, symbol, o, h, low, c, volume, count)
        for start, symbol, o, h, low, c, volume, count in candles.iter_rows()
    ]


def test_a_correction_changes_its_trade_in_the_open_bar_and_a_late_one_nothing():
    bars = Bars(60)
    for each in (tick(0), tick(1, 2, price=90.0), tick(2, 2, price=95.0, what="correction")):
        assert list(bars.ended(each.ts_ms)) == []
        bars.add(each)
    (bar,) = bars.ended(NOON + 60_000)
    bars.add(tick(2, 2, price=1.0, what="correction"))
    bars.add(tick(5, 9, price=1.0))

    assert isinstance(bar, Bar)
    assert (bar.low, bar.close, bar.trades, bar.ts) == (95.0, 95.0, 2, dt.datetime(2026, 11, 19, 15, tzinfo=dt.UTC))
    assert list(bars.ended(NOON + 120_000)) == []


@pytest.mark.parametrize(
    ("signal", "wrong"),
    [
        (Signal(symbol="WINZ26", type="buy", confidence=1.0), None),
        ("buy", "a Signal"),
        (Cancel(order="ORD-1"), None),
        (Cancel(order=""), "name of an order"),
        (Change(order="ORD-1", quantity=2), None),
        (Change(order="ORD-1"), "a price or a quantity"),
        (Change(order="ORD-1", price=float("nan")), "price"),
        (Change(order=None, price=1.0), "name of an order"),
        (Signal(symbol="", type="buy", confidence=1.0), "a symbol"),
        (Signal(symbol="WINZ26", type="all in", confidence=1.0), "buy, sell"),
        (Signal(symbol="WINZ26", type="buy", confidence=1.5), "confidence"),
        (Signal(symbol="WINZ26", type="buy", confidence=float("nan")), "confidence"),
        (Signal(symbol="WINZ26", type="buy", confidence=1.0, price=float("inf")), "price"),
        (Signal(symbol="WINZ26", type="buy", confidence=1.0, quantity=0), "quantity"),
        (Signal(symbol="WINZ26", type="buy", confidence=1.0, features={"x": float("nan")}), "finite"),
    ],
)
def test_what_is_no_signal_is_refused_in_words(signal, wrong):
    found = fault_of(signal)

    assert found == wrong or (wrong is not None and found is not None and wrong in found)


class Silent:
    """Forgets to answer."""

    def on_tick(self, tick):
        return None

    def on_bar(self, bar):
        return ()


def test_a_strategy_that_answers_nothing_is_told_so():
    with pytest.raises(StrategyError, match="Silent: expected signals"):
        list(Running(Silent()).lines([tick(0)]))


def test_strategies_are_found_by_module_and_by_file(tmp_path):
    (tmp_path / "mine.py").write_text("class Mine:\n    def on_tick(self, tick): return ()\n", encoding="utf-8")
    for name, said in (
        ("flow", "expected module:Class"),
        ("no.such.module:X", "cannot be imported"),
        ("realtime.strategy.flow:Nobody", "has no Nobody"),
        (f"{tmp_path}/other.py:Mine", "no file"),
        (f"{tmp_path}/mine.py:Mine", "lacks on_bar"),
    ):
        with pytest.raises(StrategyError, match=said):
            made(name, {})
    with pytest.raises(StrategyError, match="cannot be made"):
        made("realtime.strategy.flow:AggressorFlow", {"unknown": 1})

    assert isinstance(made("realtime.strategy.flow:AggressorFlow", {"trades": 5}), AggressorFlow)
    assert [parameter_of(text) for text in ("a=1", "b=x", "c=null")] == [("a", 1), ("b", "x"), ("c", None)]
    with pytest.raises(StrategyError, match="NAME=VALUE"):
        parameter_of("1a")


def spooled(folder, *batches) -> None:
    spool = Spool.open(folder, source="simulator")
    spool.assets(ASSETS)
    for batch in batches:
        spool.append(batch)
        spool.commit()
    spool.close()


def sound(count: int, first: int = 1):
    made_up = records(count, first)
    made_up["buyer"], made_up["seller"] = 3, 85
    return made_up


def test_a_repeat_is_told_once_an_edit_as_what_it_is_and_a_filled_trade_never(tmp_path):
    first, again = sound(30), sound(10, 21)
    edit, end = sound(1, 5), sound(1, 6)
    edit["flags"], edit["price"] = 1, 99.0
    end["flags"], end["quantity"] = 1, 0
    filled = sound(5, 900)
    filled["kind"] = Kind.HISTORY_TRADE
    spooled(tmp_path / "spool", first, filled, again, edit, end)
    following = Following(Reader([tmp_path / "spool"], Position()))
    ticks = []
    while not following.over:
        ticks += following.read()

    assert (following.ticks, following.repeats, following.lost) == (32, 10, 0)
    assert [each.trade_id for each in ticks[:30]] == (np.arange(1, 31) * 10).tolist()
    assert [(each.what, each.trade_id) for each in ticks[30:]] == [("correction", 50), ("cancellation", 60)]
    assert ticks[30].price == 99.0
    assert ticks[0].ts == dt.datetime(2026, 11, 19, 15, 0, 0, 1000, tzinfo=dt.UTC)


def test_a_record_that_the_spool_could_not_keep_is_counted_and_ends_the_runner_with_1(tmp_path, monkeypatch, capsys):
    unnamed = sound(3)
    unnamed["asset"] = 77
    spooled(tmp_path / "spool", sound(5), unnamed)
    arguments = ["x", "realtime.strategy.flow:AggressorFlow", "--spool", str(tmp_path / "spool"), "--from", "start"]
    monkeypatch.setattr(sys, "argv", [*arguments, "--until-stop", "--output", str(tmp_path / "out.jsonl")])

    assert main() == 1
    assert json.loads(capsys.readouterr().out.splitlines()[-1]) == {"ticks": 5, "repeats": 0, "lost": 3, "signals": 0}


def test_a_live_strategy_hears_what_comes_from_now_on_and_through_a_restart_of_capture(tmp_path):
    """Its process waits at the spool's end, takes the next run as well, and ends in order when asked."""
    folder, output = tmp_path / "spool", tmp_path / "out.jsonl"
    strategy = tmp_path / "mine.py"
    strategy.write_text(
        "from realtime.strategy import Signal\n"
        "class Mine:\n"
        "    def on_tick(self, tick):\n"
        "        return [Signal(symbol=tick.symbol, type='hold', confidence=1, quantity=tick.trade_id)]\n"
        "    def on_bar(self, bar): return ()\n",
        encoding="utf-8",
    )
    first = Spool.open(folder, source="simulator")
    first.assets(ASSETS)
    first.append(sound(20))
    first.commit()
    command = [sys.executable, "-P", "-m", "realtime.strategy", f"{strategy}:Mine", "--spool", str(folder)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen([*command, "--output", str(output)], env=environment, stdout=subprocess.PIPE) as running:
        until(output.exists)  # opened when it stands at the end
        first.append(sound(5, 21))
        first.close()
        spooled(folder, sound(5, 26))
        until(lambda: output.read_bytes().count(b"\n") == 10)
        running.terminate()
        said, _ = running.communicate(timeout=20)

    assert running.returncode == 0
    assert [json.loads(line)["quantity"] for line in output.read_bytes().splitlines()] == list(range(210, 310, 10))
    assert json.loads(said.splitlines()[-1])["signals"] == 10


def until(holds) -> None:
    deadline = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline, "still not true after 30 s"
        time.sleep(0.01)


def test_the_example_speaks_once_a_bar_when_one_side_takes_most():
    flow = AggressorFlow(trades=4, share=0.7)
    rising = Bar(start_ms=0, end_ms=1, symbol="WINZ26", open=1.0, high=2.0, low=1.0, close=2.0, volume=1, trades=1)
    before = [list(flow.on_tick(tick(n, n))) for n in range(4)]
    flow.on_bar(rising)
    (said,) = flow.on_tick(tick(5, 5, price=105.0))

    assert before == [[], [], [], []]
    assert (said.type, said.confidence, said.price, said.features["bought"]) == ("buy", 1.0, 105.0, 8)
    assert list(flow.on_tick(tick(6, 6))) == []
    flow.on_bar(rising)
    assert list(flow.on_tick(tick(7, 7, quantity=30, aggressor="SELLER"))) == []  # the bar went the other way
    assert list(flow.on_tick(tick(7, 7, quantity=0, what="cancellation"))) == []


def test_the_example_goes_by_the_price_where_nobody_says_who_began_and_holds_its_size_either_way():
    flow = AggressorFlow(trades=3, share=0.7, size=2)
    rising = Bar(start_ms=0, end_ms=1, symbol="WINZ26", open=1.0, high=2.0, low=1.0, close=2.0, volume=1, trades=1)
    flow.on_bar(rising)
    prices = (100.0, 105.0, 105.0, 110.0, 110.0)
    said = [list(flow.on_tick(tick(n, n, price=price, aggressor=None))) for n, price in enumerate(prices)]
    (bought,) = said[2]
    update = OrderUpdate(ts_ms=0, signal=bought, order="O", status="FILLED", filled=2, fill_quantity=2)
    working = msgspec.structs.replace(update, status="SUBMITTED", fill_quantity=0)
    falling = msgspec.structs.replace(rising, open=2.0, close=1.0)
    told = {}
    for word, news, bar in (("works", working, falling), ("holds", update, rising), ("turns", None, falling)):
        if news:
            flow.on_order(news)
        flow.on_bar(bar)
        told[word] = [
            list(flow.on_tick(tick(n, n, aggressor="SELLER" if bar is falling else "BUYER"))) for n in range(3)
        ]

    assert [len(each) for each in said] == [0, 0, 1, 0, 0]
    assert (bought.type, bought.quantity) == ("buy", 2)
    assert told["works"] == [[], [], []]  # while its order works there is no other
    assert told["holds"] == [[], [], []]
    assert [(s.type, s.quantity) for each in told["turns"] for s in each] == [("sell", 4)]


def test_candles_of_the_cold_tier_are_the_bars_of_its_replay(tmp_path):
    """The same day by SQL and by ticks."""
    from tests.realtime.test_tapes import day

    rows = day(3000).sort(TICKS.key)
    cold = ColdStore(tmp_path, [TICKS])
    cold.write(TICKS, dt.date(2026, 11, 19), rows.to_arrow().cast(TICKS.arrow).to_batches())
    since = dt.datetime(2026, 11, 19, tzinfo=dt.UTC)
    tape = Tape(None, None, cold, survey=lambda *_: _Cold())
    span = Span("WINZ26", since, since + dt.timedelta(days=1))
    candles = [(c.ts, c.open, c.high, c.low, c.close, c.volume, c.trades) for c in tape.candles(span, "1m").rows]
    bars, found = Bars(60), []
    for row in rows.iter_rows(named=True):
        told = Tick(int(row["ts"].timestamp() * 1000), row["symbol"], row["trade_id"], row["price"], row["quantity"],
                    row["aggressor"], None, None)  # fmt: skip
        found += bars.ended(told.ts_ms)
        if not row["flags"] & int(Flag.CANCELLED):
            bars.add(told)
    found += bars.ended(2**50)

    assert [
        (b.ts, b.open, b.high, b.low, b.close, b.volume, b.trades) for b in found if b.symbol == "WINZ26"
    ] == candles


class _Cold:
    def parts(self, since, until, today):
        from sql.coverage import Part

        return [Part("cold", since, until)]
