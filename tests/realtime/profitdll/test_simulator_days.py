"""The simulator's sessions: sums that say what was traded, a close that is final, a clock that outlives the process."""

import datetime as dt
import itertools
from typing import NamedTuple

import pytest

from tests.realtime.profitdll.market_client import DAILY, OK, PERIOD, narrow
from tests.realtime.profitdll.test_simulator_sources import tape

NOT_ALLOWED = -(2**31) + 0x12
WINX99 = "symbol WINX99 F price 131250 tick 5 lot 1 rate 0.5"


class Daily(NamedTuple):
    """One daily aggregate as it was told."""

    date: dt.datetime
    trades: int
    quantity: int
    volume: float


def summed(trades, point=0.2) -> Daily:
    """What the aggregate says of these trades, the last of which it is dated by."""
    volume = sum(round(trade.price / 5) * trade.quantity for trade in trades) * 5 * point
    return Daily(
        trades[-1].time, len(trades), sum(trade.quantity for trade in trades), pytest.approx(volume, rel=1e-12)
    )


@pytest.fixture
def told(market):
    """Logs in; the client's `dailies` are those of WINX99 and of the tape's symbol."""

    def login(*script, **given):
        dailies = []

        def daily(asset, date, *rest):
            date, clock = narrow(date).split()
            when = dt.datetime.fromisoformat(f"{'-'.join(reversed(date.split('/')))} {clock}")
            if narrow(asset.ticker) in ("WINX99", "WINZ26"):
                dailies.append(Daily(when, rest[11], rest[10], rest[4]))

        client = market(*script, daily=DAILY(daily), **given)
        client.dailies = dailies
        return client

    return login


def day(client, date: str, symbol: str = "WINX99"):
    """All trades of a session, by history."""
    until = dt.date(*map(int, reversed(date.split("/")))) + dt.timedelta(days=1)
    told = client.whole_history(symbol, f"{date} 00:00:00", f"{until:%d/%m/%Y} 00:00:00")
    return [trade._replace(flags=0) for trade in told]


def states(client):
    client.set("SetChangeStateTickerCallback", lambda asset, _, state: client.add("asset", narrow(asset.ticker), state))


def live_numbers(client):
    return [trade.number for trade in client.trades()]


QUICK = ("history-rate 0", WINX99, "daily-every 100000")


def test_at_the_close_the_daily_sums_are_those_of_all_trades(told):
    client = told("start 2026-11-20 18:24:30", "hours 09:00-18:25", "symbol-rate 0.5", *QUICK[:1], *QUICK[2:])
    states(client)
    client.subscribe("WINX99")
    client.command("pass 30")
    client.wait(lambda: ("WINX99", 6) in client.of("asset"))
    client.wait(lambda: len(client.dailies) > 1)
    trades = day(client, "20/11/2026")

    assert len(trades) > 10_000
    assert trades[-1].time < dt.datetime(2026, 11, 20, 18, 25)
    assert client.dailies[-1] == summed(trades)


def test_no_daily_has_one_days_date_and_another_days_sums(told):
    client = told("start 2026-11-19 23:58:20", "speed 10", "history-rate 0", WINX99, "daily-every 2")
    client.subscribe("WINX99")
    client.command("pass 60")
    client.wait(lambda: any(daily.trades and daily.date.day == 20 for daily in list(client.dailies)))
    dailies = list(client.dailies)
    first, second = day(client, "19/11/2026"), day(client, "20/11/2026")

    assert summed(first) in dailies
    for daily in dailies:
        assert daily == summed((first if daily.date.day == 19 else second)[: daily.trades])
    assert [daily.date for daily in dailies] == sorted(daily.date for daily in dailies)


def test_the_sums_are_whole_after_a_restart_and_after_a_drop(told):
    script = ("start 2026-11-20 10:30:00", "history-rate 0", "symbol-rate 2")
    first = told(*script)
    first.subscribe("WINX99")
    subscribed = first.clock()
    first.wait(lambda: first.dailies)
    again = told("start 2026-11-20 10:40:00", *script[1:], "daily-every 0.2")
    again.subscribe("WINX99")
    again.wait(lambda: len(again.dailies) > 5)
    again.command("market drop for 0.2")
    again.wait(lambda: again.of("state").count((2, 4)) == 2)
    count = len(again.dailies)
    again.subscribe("WINX99")
    again.wait(lambda: len(again.dailies) > count + 2)
    dailies = list(again.dailies)
    trades = day(again, "20/11/2026")

    assert first.dailies[0] == summed(trades[: first.dailies[0].trades])
    assert first.dailies[0].date <= subscribed
    for daily in dailies:
        assert daily == summed(trades[: daily.trades])


def test_before_the_first_trade_the_daily_is_still_that_of_the_session_before(told):
    client = told("start 2026-11-23 08:59:50", "hours 09:00-18:25 weekdays", "symbol-rate 0.5", *QUICK[:1], *QUICK[2:])
    client.subscribe("WINX99")
    client.wait(lambda: client.dailies)
    friday = day(client, "20/11/2026")

    assert client.dailies[0] == summed(friday)


def test_after_stop_the_market_is_closed_for_good_also_for_a_process_that_begins_later(told):
    script = ("stop 2026-11-20 10:30:20", "symbol-rate 2", *QUICK[:1], *QUICK[2:])
    first = told("start 2026-11-20 10:30:00", *script)
    states(first)
    first.subscribe("WINX99")
    first.command("pass 20")
    first.wait(lambda: ("WINX99", 6) in first.of("asset"))
    first.wait(lambda: len(first.dailies) > 1)
    trades = day(first, "20/11/2026")
    later = told("start 2026-11-20 10:45:00", *script)
    states(later)
    later.subscribe("WINX99")
    later.wait(lambda: later.dailies)
    past = day(later, "20/11/2026")

    assert first.dailies[-1] == later.dailies[0] == summed(trades)
    assert trades == past
    assert trades[-1].time < dt.datetime(2026, 11, 20, 10, 30, 20)
    assert later.of("asset") == [("WINX99", 6)]
    assert [trade.number for trade in later.trades()] == [trades[-1].number]  # the cached one


def test_a_clock_with_an_anchor_goes_on_in_the_next_process(told):
    begun = dt.datetime.now(dt.UTC).replace(microsecond=0) - dt.timedelta(seconds=20)
    script = (f"anchor {begun:%Y-%m-%dT%H:%M:%SZ}", "start 2026-11-19 09:00:00", "speed 60")

    def shown():
        return dt.datetime(2026, 11, 19, 9) + (dt.datetime.now(dt.UTC) - begun) * 60

    for _ in range(2):
        client = told(*script)
        before, clock, after = shown(), client.clock(), shown()

        assert before - dt.timedelta(seconds=30) < clock < after + dt.timedelta(seconds=30)


@pytest.mark.parametrize(
    "script",
    [("anchor 2026-11-20",), ("anchor 2026-11-20T12:00:00Z",), ("anchor 2026-13-20T12:00:00Z", "start 2026-11-20")],
)
def test_an_anchor_needs_an_instant_and_a_start(market, script):
    client = market(*script, ready=False)

    assert client.started != OK
    assert "anchor" in client.last_error() or "no such instant" in client.last_error()


def test_history_goes_back_as_far_as_the_script_lets_it_and_not_for_everybody(market):
    client = market("start 2026-11-20 10:30:00", "history-rate 0", "history-days 2", "history-deny WDOX99")
    client.subscribe("WINX99", "WDOX99")
    window = ("20/11/2026 10:00:00", "20/11/2026 10:10:00")

    assert client.history("WINX99", "17/11/2026 23:59:59", "18/11/2026 00:10:00") == PERIOD
    assert client.whole_history("WINX99", "18/11/2026 10:00:00", "18/11/2026 10:10:00")
    assert client.history("WDOX99", *window) == NOT_ALLOWED
    assert client.whole_history("WINX99", *window)
    nobody = market("start 2026-11-20 10:30:00", "history-deny all")
    nobody.subscribe("WINX99")
    assert nobody.history("WINX99", *window) == NOT_ALLOWED


def test_what_history_has_lost_it_has_lost_in_every_answer_of_every_process(market):
    window = ("WINX99", "20/11/2026 10:00:00", "20/11/2026 10:10:00")
    answers = []
    for script in (("history-lose 50",), ("history-lose 50",), ()):
        client = market("start 2026-11-20 10:30:00", "history-rate 0", *script)
        client.subscribe("WINX99")
        answers += [client.whole_history(*window), client.whole_history(*window)]
    lost = len(answers[4]) - len(answers[0])

    assert all(answer == answers[0] for answer in answers[:4])
    assert set(answers[0]) < set(answers[4])
    assert len(answers[4]) / 100 < lost < len(answers[4]) / 25


def test_what_is_skipped_live_is_in_the_sums_and_in_history(told):
    client = told("start 2026-11-20 10:30:00", "history-rate 0", "symbol-rate 200", "daily-every 0.2")
    client.subscribe("WINX99")
    client.wait(lambda: len(client.trades()) > 10)
    client.command("skip 20 WINX99")
    client.wait(lambda: any(after - before > 10 for before, after in itertools.pairwise(live_numbers(client))))
    count = len(client.dailies)
    client.wait(lambda: len(client.dailies) > count + 1)
    last, live = client.dailies[-1], set(live_numbers(client))
    past = client.whole_history("WINX99", "20/11/2026 10:30:00", "20/11/2026 10:31:00")
    missing = [trade for trade in past if trade.number not in live and min(live) < trade.number < max(live)]

    assert len(missing) == 20
    assert {trade.number: trade.time for trade in past}[last.trades * 10] == last.date


def test_corrections_and_cancellations_are_in_the_sums_and_in_history_and_outlive_the_process(told, tmp_path):
    script = ("start 2026-11-20 00:01:00", "history-rate 0", "symbol-rate 50", "daily-every 0.2")
    proof = f"emitted {tmp_path / 'proof'}"
    client = told(*script, proof)
    client.subscribe("WINX99")
    client.wait(lambda: len(client.trades()) > 60)
    client.command("edit 5 WINX99")
    client.command("cancel 5 WINX99")
    client.wait(lambda: sum(trade.flags & 1 for trade in client.trades()) == 10)
    count = len(client.dailies)
    client.wait(lambda: len(client.dailies) > count + 1)
    last = client.dailies[-1]
    trades = day(client, "20/11/2026")[: last.trades]
    revised = {trade.number: trade.quantity for trade in client.trades() if trade.flags & 1}
    client.close()
    again = told("start 2026-11-20 00:03:00", *script[1:], proof)
    again.subscribe("WINX99")
    again.wait(lambda: again.dailies)
    whole = day(again, "20/11/2026")[: again.dailies[0].trades]

    assert last == summed(trades)
    assert again.dailies[0] == summed(whole)
    assert whole[: len(trades)] == trades
    assert {number for number, quantity in revised.items() if quantity == 0}.isdisjoint(t.number for t in trades)
    by_number = {trade.number: trade.quantity for trade in trades}
    assert {n: by_number[n] for n, quantity in revised.items() if quantity} == {n: q for n, q in revised.items() if q}
    assert 1 <= len([q for q in revised.values() if not q]) <= 5
    assert last.trades == (trades[-1].number // 10) - len([q for q in revised.values() if not q])


def test_the_sums_of_a_tape_are_those_of_each_of_its_days_without_what_was_taken_back(told, tmp_path):
    noon = dt.datetime(2026, 11, 18, 12)
    first = [
        (0, 10 * k, noon + k * dt.timedelta(seconds=1), 131250.0 + 5 * (k % 3), 1 + k % 4, 2) for k in range(1, 201)
    ]
    second = [(s, number, when + dt.timedelta(days=1), *rest) for s, number, when, *rest in first[:120]]
    struck = (*first[49][:4], 0, 2, 1)
    tape(tmp_path / "day.tape", [*first[:50], struck, *first[50:], *second])
    client = told(f"source tape {tmp_path / 'day.tape'}", "speed max", "daily-every 100000")
    client.subscribe("WINZ26")
    client.wait(lambda: client.counters().load_done)
    client.wait(lambda: len(client.dailies) > 2)

    sums = [(len(day), sum(trade[4] for trade in day)) for day in ([*first[:49], *first[50:]], second)]
    assert [(daily.trades, daily.quantity) for daily in client.dailies[1:]] == sums
    assert [daily.date.day for daily in client.dailies[1:]] == [18, 19]


def test_the_sums_of_a_load_are_those_of_the_load(told):
    client = told("start 2026-11-20 10:30:00", "rate 2000 count 1000", "history-rate 0", "daily-every 100000")
    client.subscribe("WINX99")
    client.wait(lambda: client.counters().load_done)
    client.wait(lambda: client.dailies and client.dailies[-1].trades == 1000)
    trades = client.trades()

    assert client.dailies[0].trades == 0
    assert client.dailies[-1] == summed(trades)
    assert [trade.number for trade in trades[:3]] == [10, 20, 30]
