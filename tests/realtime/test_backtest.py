"""Backtests: results reckoned by hand, checks and switch of the live loop, the same figures for the same days."""

import datetime as dt
import re
from collections.abc import Callable, Iterable
from decimal import Decimal
from pathlib import Path
from typing import ClassVar

import msgspec
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.settings import Orders
from realtime import tapes
from realtime.backtest import Asked, BacktestError, Host, answering
from realtime.backtest.account import Equity, Fill
from realtime.backtest.answering import Outcome, backtest
from realtime.backtest.figures import drawdown, figures, positions_of, trips
from realtime.backtest.report import page
from realtime.backtest.told import ticks
from realtime.strategy import Bar, Cancel, Change, OrderUpdate, Signal, Tick, Wish
from realtime.strategy.proposing import Wanted, wanted_of
from sql.cold import ColdStore
from sql.session_rows import write_archived
from sql.tables import TICKS
from tests.realtime.test_tapes import DAY, day, read

FLOW = "realtime.strategy.flow:AggressorFlow"
TEN = dt.datetime(2026, 11, 19, 13, tzinfo=dt.UTC)  # 10:00 in São Paulo


class Scripted:
    """Says what its script says for the number of a tick, and keeps what it heard of its orders."""

    script: ClassVar[dict[int, Signal | Callable[[str], Wish]]] = {}  # a wish is told the last order
    heard: ClassVar[list[OrderUpdate]] = []

    def __init__(self) -> None:
        Scripted.heard = []
        self._ticks = 0
        self._order = ""

    def on_tick(self, tick: Tick) -> Iterable[Wish]:
        self._ticks += 1
        said = self.script.get(self._ticks)
        return [] if said is None else [said if isinstance(said, Signal) else said(self._order)]

    def on_bar(self, bar: Bar) -> Iterable[Wish]:
        return ()

    def on_order(self, update: OrderUpdate) -> Iterable[Wish]:
        Scripted.heard.append(update)
        self._order = update.order or self._order
        return ()


def signal(kind: str, **said: object) -> Signal:
    return Signal(**{"symbol": "WINZ26", "type": kind, "confidence": 0.9, **said})


def tape(prices: Iterable[float], *, start: dt.datetime = TEN, seconds: float = 1, quantity: int = 50) -> pl.DataFrame:
    """A session of WINZ26: these prices, one after the other."""
    told = list(prices)
    every = dt.timedelta(seconds=seconds)
    rows = day(len(told)).with_columns(
        ts=pl.Series([start + every * n for n in range(len(told))]),
        symbol=pl.lit("WINZ26"),
        session=pl.lit((start - dt.timedelta(hours=3)).date()),
        price=pl.Series(told, dtype=pl.Float64),
        quantity=pl.lit(quantity),
        flags=pl.lit(0),
    )
    return rows.select(pl.col(c.name).cast(c.kind.polars) for c in TICKS.columns)


def outcome(root: Path, *sessions: pl.DataFrame, **more: object) -> Outcome:
    """What comes of the script, over archived files of the sessions."""
    cold = ColdStore(root / "cold", [TICKS])
    for (date,), own in (
        pl.concat(sessions).with_columns(day=pl.col("ts").dt.date()).partition_by("day", as_dict=True).items()
    ):
        cold.write(TICKS, date, own.drop("day").sort(TICKS.key).to_arrow().cast(TICKS.arrow).to_batches())
    orders, live = more.pop("orders", Orders(contract_costs="WIN=0.25")), bool(more.pop("live", False))
    more.setdefault("strategy", f"{__name__}:Scripted")
    asked = Asked(first=DAY - dt.timedelta(days=3), last=DAY + dt.timedelta(days=1), **more)
    host = Host(orders=orders, folder=root / "backtest", live=live)
    return backtest(asked, lambda chosen, path: write_archived(cold, chosen, path), host, lambda _: None)


@pytest.fixture
def script(monkeypatch):
    def says(**lines: Signal | Callable[[str], Wish]) -> None:
        monkeypatch.setattr(Scripted, "script", {int(name.removeprefix("tick")): each for name, each in lines.items()})

    return says


@pytest.mark.parametrize("delay", [0, 20, 999])
def test_results_are_those_reckoned_by_hand(tmp_path, script, delay):
    """Bought at the market after tick 1: from tick 2 at 130,005 and one tick of slippage, whatever the delay below a
    second. Sold by a limit that rests until the tape trades through it. WIN is 0.20 a point; a contract costs 0.25.
    """
    script(tick1=signal("buy", quantity=2), tick3=signal("sell", quantity=2, price=130_100.0))
    told = tape([130_000, 130_005, 130_020, 130_050, 130_080, 130_110, 130_090])
    found = outcome(tmp_path, told, delay_ms=delay)
    answer, net = found.answer, Decimal("0.20") * 2 * 90 - 4 * Decimal("0.25")
    (trip,) = trips(found.account.fills)

    assert [(f.side, f.quantity, f.price) for f in found.account.fills] == [("BUY", 2, 130_010), ("SELL", 2, 130_100)]
    assert (answer.figures.net, answer.figures.costs, answer.figures.slippage) == (net, 1, 2)
    assert (trip.entry, trip.exit, trip.net, trip.open) == (130_010, 130_100, net, False)
    assert answer.figures.drawdown.amount == Decimal("2.5")  # 130,005 was bought at 130,010: two points, and two costs
    assert [(u.status, u.fill_quantity, u.fill_price, u.signal.type) for u in Scripted.heard if u.fill_quantity] == [
        ("FILLED", 2, 130_010.0, "buy"),
        ("FILLED", 2, 130_100.0, "sell"),
    ]
    assert (answer.orders, answer.fills, answer.refused, answer.open) == (2, 2, {}, ())
    assert list((tmp_path / "backtest").iterdir()) == []


def test_a_strategy_changes_its_order_and_it_fills_where_it_then_stands(tmp_path, script):
    script(
        tick1=signal("sell", quantity=2, price=130_500.0),
        tick3=lambda order: Change(order=order, price=130_100.0, quantity=1),
    )
    told = tape([130_000, 130_005, 130_020, 130_050, 130_080, 130_110, 130_090])
    found = outcome(tmp_path / "one", told)
    updates = [(u.status, u.quantity, u.price, u.fill_quantity) for u in Scripted.heard]

    assert [(f.side, f.quantity, f.price) for f in found.account.fills] == [("SELL", 1, 130_100)]
    assert updates == [
        ("SUBMITTED", 2, 130_500.0, 0),
        ("SUBMITTED", 1, 130_100.0, 0),
        ("FILLED", 1, 130_100.0, 1),
    ]
    assert outcome(tmp_path / "two", told).answer.digest == found.answer.digest


def test_a_strategy_cancels_its_order_and_what_is_over_stays_as_it_is(tmp_path, script):
    cancel = lambda order: Cancel(order=order, reasoning="the other side moved")  # noqa: E731
    script(
        tick1=signal("sell", price=130_500.0), tick3=cancel, tick5=cancel, tick6=lambda o: Change(order=o, quantity=2)
    )
    found = outcome(tmp_path, tape([130_000 + 5 * n for n in range(9)]))

    assert [u.status for u in Scripted.heard] == ["SUBMITTED", "CANCELED"]
    assert (found.answer.ended, found.answer.fills, found.answer.signals) == ({"CANCELED": 1}, 0, 1)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"price": 130_501.0}, "TICK_SIZE: limit multiples of 5"),
        ({"quantity": 9}, "POSITION_LIMIT: limit 5"),
    ],
)
def test_a_change_that_a_check_refuses_is_told_and_the_order_stands(tmp_path, script, change, why):
    script(tick1=signal("sell", price=130_500.0), tick3=lambda order: Change(order=order, **change))
    found = outcome(tmp_path, tape([130_000 + 5 * n for n in range(9)]))
    first, second = Scripted.heard[:2]

    assert (second.order, second.status, second.quantity, second.price) == (first.order, "SUBMITTED", 1, 130_500.0)
    assert second.unfollowed == Change(order=first.order or "", **change)
    assert second.reason.startswith(why)
    assert found.answer.orders == 1


def test_the_same_days_give_the_same_figures_and_empty_days_are_no_sessions(tmp_path):
    rows = day(9000, price=pl.lit(131_250.0) + (pl.int_range(9000) // 2 % 37 - 18).abs() * 5, symbol=pl.lit("WINZ26"))
    wishes = {"strategy": FLOW, "parameters": ("trades=5", "share=0.61"), "bar_seconds": 1}
    one, two = (outcome(tmp_path / name, rows, **wishes) for name in ("one", "two"))
    same = [msgspec.structs.replace(each.answer, pace=one.answer.pace) for each in (one, two)]

    assert same[0] == same[1]
    assert one.answer.fills > 50
    assert [session.day for session in one.answer.sessions] == [DAY]
    assert page(one) == page(two)
    assert one.answer.ticks == 9090  # with the cancellations


def test_ticks_are_told_in_the_order_of_a_replay_whatever_the_frames(tmp_path):
    rows = day(3000).sort(TICKS.key)
    tapes.from_ticks(tmp_path / "day.tape", [rows])
    names, records = read(tmp_path / "day.tape")
    expected = [(names[r["symbol"]], int(r["number"]), "cancellation" if r["flags"] else "trade") for r in records]
    for size in (1, 7, 3000):
        told = list(ticks(rows[n : n + size] for n in range(0, len(rows), size)))

        assert [(t.symbol, t.trade_id, t.what) for t in told] == expected


@pytest.mark.parametrize(
    ("said", "more", "check"),
    [
        ({"confidence": 0.59}, {}, "CONFIDENCE"),
        ({"quantity": 6}, {}, "POSITION_LIMIT"),
        ({"price": 130_001.0}, {}, "TICK_SIZE"),
        ({"price": 150_000.0}, {}, "PRICE_COLLAR"),
        ({"symbol": "DI1F27"}, {}, "INSTRUMENT"),
        ({"lives_ms": 10}, {"delay_ms": 20}, "EXPIRED_SIGNAL"),
        ({}, {"live": True}, "MARGIN"),  # capital and rate are not set
    ],
)
def test_what_a_check_refuses_never_trades_and_the_strategy_is_told_why(tmp_path, script, said, more, check):
    script(tick1=signal("buy", **said))
    found = outcome(tmp_path, tape([130_000] * 4), **more)
    (update,) = Scripted.heard

    assert found.answer.refused == {check: 1}
    assert (found.answer.orders, found.answer.fills) == (0, 0)
    assert (update.status, update.order, update.over) == ("REFUSED", None, True)
    assert check in update.reason
    assert check in page(found)


def test_hours_of_the_exchange_hold_for_its_data_and_not_for_an_invented_market(tmp_path, script):
    script(tick1=signal("buy"))
    early = tape([130_000] * 4, start=TEN.replace(hour=11))  # 08:00

    assert outcome(tmp_path / "b3", early.with_columns(source=pl.lit("b3"))).answer.refused == {"TRADING_HOURS": 1}
    assert outcome(tmp_path / "made", early.with_columns(source=pl.lit("simulator"))).answer.fills == 1


def test_a_signal_that_has_lived_is_cancelled_and_a_day_order_expires_with_its_day(tmp_path, script):
    script(tick1=signal("buy", price=129_000.0, lives_ms=2_500), tick6=signal("sell", price=131_000.0))
    found = outcome(tmp_path, tape([130_000] * 8))
    ended = [(u.ts_ms, u.status) for u in Scripted.heard if u.over]
    start = int(TEN.timestamp() * 1000)

    assert ended[0] == (start + 2_500, "CANCELED")
    assert ended[1][1] == "EXPIRED"
    assert dt.datetime.fromtimestamp(ended[1][0] / 1000, dt.UTC) == TEN.replace(hour=21, minute=25)  # the close
    assert found.answer.ended == {"CANCELED": 1, "EXPIRED": 1}


def test_a_lost_day_pulls_the_switch_and_the_next_session_trades_again(tmp_path, script):
    before = TEN - dt.timedelta(days=1)
    script(tick1=signal("buy", quantity=5), tick6=signal("buy"), tick9=signal("sell", quantity=5), tick10=signal("buy"))
    falls = [130_000, 130_000, 129_800, 129_700, 129_600, 129_600, 129_600]
    orders = Orders(daily_loss=Decimal(100), contract_costs="WIN=0.25")
    found = outcome(tmp_path, tape(falls, start=before), tape([129_600] * 5), orders=orders)
    first, second = found.answer.sessions

    assert first.switch is not None
    assert "limit 100" in first.switch
    assert found.answer.refused == {"KILL_SWITCH": 1}
    assert (second.switch, second.fills) == (None, 2)  # one that closes, one that opens
    assert first.net == -Decimal("0.20") * 5 * 405 - 5 * Decimal("0.25")
    assert second.net == -Decimal("0.20") * (5 * 5 + 5) - 6 * Decimal("0.25")
    assert found.answer.figures.net == first.net + second.net


def test_a_week_later_nothing_old_is_taken_for_an_order_of_somebody_else(tmp_path, script):
    """The paper exchange lists its orders of days ago, which the ledger has let go of."""
    days = [tape([130_000] * 200, start=TEN + dt.timedelta(days=n - 3)) for n in range(4)]
    script(tick1=signal("buy"), tick20=signal("sell", quantity=2), tick601=signal("buy"))
    found = outcome(tmp_path, *days)

    assert (found.answer.orders, found.answer.fills, found.answer.open) == (3, 3, ())
    assert {fill.order[:3] for fill in found.account.fills} == {"ORD"}


def test_nothing_to_test_on_and_what_breaks_are_said(tmp_path, script, monkeypatch):
    with pytest.raises(BacktestError, match="no tier has a trade"):
        outcome(tmp_path / "none", tape([130_000]).with_columns(session=pl.lit(dt.date(2001, 1, 2))))
    script(tick1=signal("buy"))
    monkeypatch.setattr(answering, "positions_of", lambda *_: {})
    with pytest.raises(BacktestError, match="cannot be trusted"):
        outcome(tmp_path / "apart", tape([130_000] * 4))


fills = st.lists(
    st.tuples(
        st.sampled_from(["WINZ26", "WDOZ26"]), st.sampled_from(["BUY", "SELL"]), st.integers(1, 9), st.integers(1, 40)
    ),
    max_size=40,
)


@given(fills)
def test_trips_add_up_to_what_the_ledger_reckons(drawn):
    made = [
        Fill(ts_ms=n, order=f"O{n}", symbol=symbol, side=side, quantity=quantity, price=Decimal(price),
             cost=Decimal(quantity), at_market=n % 2 == 0)
        for n, (symbol, side, quantity, price) in enumerate(drawn)
    ]  # fmt: skip
    done, held = trips(made), positions_of(made, "")

    assert sum(t.costs for t in done) == sum(fill.cost for fill in made)
    assert sum(t.fills for t in done) >= len(made)
    for symbol, position in held.items():
        own = [t for t in done if t.symbol == symbol]
        closed = sum((t.result for t in own if not t.open), Decimal(0))
        if position.net == 0:
            assert abs(closed - position.realised) < Decimal("1e-15")
        assert [t.side for t in own if t.open] == (["BUY" if position.net > 0 else "SELL"] if position.net else [])


def test_a_drawdown_is_measured_from_the_highest_before_it():
    points = [Equity(n, Decimal(net), Decimal(0)) for n, net in enumerate([0, 5, 3, 9, 2, 4, 8, 10, 6])]

    assert (drawdown(points).amount, drawdown(points).peak_ms, drawdown(points).trough_ms) == (7, 3, 4)
    assert drawdown([]).amount == 0
    assert figures([], [], 1).profit_factor is None


def test_a_report_stands_alone_and_takes_nothing_for_markup(tmp_path, script):
    script(tick1=signal("buy"), tick3=signal("sell"))
    found = outcome(tmp_path, tape([130_000, 130_005, 130_050, 130_090] * 3), parameters=())
    name = "<script>alert(1)</script>"
    text = page(msgspec.structs.replace(found, answer=msgspec.structs.replace(found.answer, strategy=name)))

    assert "&lt;script&gt;" in text
    assert not re.findall(r"<script|<link|<img|src=|url\(|https?://|@import", text)
    assert text.count("<svg") == 4  # equity, drawdown, costs, WINZ26
    assert text.count('class="buy"') == text.count('class="sell"') == 1
    assert "one tick" not in text
    assert "1 ticks beyond the tape" in text


def test_a_signal_without_price_goes_to_the_market_and_a_word_of_caution_nowhere():
    assert wanted_of(signal("buy"), 3) == Wanted(symbol="WINZ26", side="BUY", kind="MARKET", quantity=3, price=None)
    assert wanted_of(signal("sell", price=38.42, quantity=7), 3) == Wanted(
        symbol="WINZ26", side="SELL", kind="LIMIT", quantity=7, price=Decimal("38.42")
    )
    assert wanted_of(signal("hold"), 3) is wanted_of(signal("alert"), 3) is None
