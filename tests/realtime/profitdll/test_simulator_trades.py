"""Trades: subscription rules, translation, poison, determinism, restarts, history, faults and the proof file."""

import ctypes
import datetime as dt
import os
import subprocess
import sys
import time
from ctypes import byref, c_void_p

import pytest

from tests.realtime.profitdll import emitted
from tests.realtime.profitdll.market_client import (
    INVALID_ARGS,
    LEGACY_TRADE,
    OK,
    PERIOD,
    VERSION,
    Trade,
    narrow,
    wide,
)

START = "start 2026-11-20 10:30:00"
FAST = (START, "symbol-rate 200")
SESSION = 20261120


def live(client, ticker="WINX99"):
    """The live trades in order: without the cached one of the subscription."""
    return client.trades(ticker=ticker)[1:]


def numbers(trades):
    return [trade.number for trade in trades]


def test_a_subscription_brings_state_daily_tiny_book_a_cached_trade_then_the_flow(market):
    client = market(*FAST)
    client.set(
        "SetChangeStateTickerCallback", lambda asset, date, state: client.add("asset", narrow(asset.ticker), state)
    )
    client.subscribe("WINX99")
    client.wait(lambda: len(live(client)) > 50)
    kinds = [kind for kind, _ in client.events if kind not in ("state", "progress")]

    assert kinds[:5] == ["asset", "daily", "tiny", "tiny", "trade"]
    assert client.of("asset") == [("WINX99", 0)]
    step = {b - a for a, b in zip(numbers(live(client)), numbers(live(client))[1:], strict=False)}
    assert step == {10}
    assert live(client)[0].number == client.trades()[0].number + 10


def test_trades_are_well_formed(market):
    client = market(*FAST)
    client.subscribe("WINX99", "WINFUT")
    client.subscribe("PETR4", exchange="B")
    client.wait(lambda: len(client.trades()) > 600)

    for trade in client.trades():
        tick, lot, point = (0.01, 100, 1) if trade.ticker == "PETR4" else (5, 1, 0.2)
        assert abs(trade.price / tick - round(trade.price / tick)) < 1e-6
        assert trade.quantity > 0
        assert trade.quantity % lot == 0
        assert trade.volume == pytest.approx(trade.price * trade.quantity * point)
        assert trade.type in (1, 2, 3, 4, 13)
        assert trade.buyer > 0
        assert trade.time.date() == dt.date(2026, 11, 20)
    assert {trade.type for trade in client.trades()} >= {2, 3}


def test_a_second_subscription_makes_no_second_flow_and_the_end_stops_it(market):
    client = market(*FAST)
    client.subscribe("WINX99", "WINX99")
    client.wait(lambda: len(live(client)) > 50)
    assert len(set(numbers(live(client)))) == len(live(client))

    client.dll.UnsubscribeTicker(wide("WINX99"), wide("F"))
    client.wait(lambda: not client.counters().queue_depth)  # what was on its way is there
    before = len(client.trades())
    time.sleep(0.1)
    assert len(client.trades()) == before


def test_before_the_connection_a_subscription_is_accepted_and_yields_nothing(market):
    client = market(*FAST, "handshake 9000", ready=False)
    client.subscribe("WINX99")
    assert client.command("pass 9") == OK
    client.wait(lambda: (2, 4) in client.of("state"))
    client.subscribe("WDOX99")
    client.wait(lambda: len(live(client, "WDOX99")) > 20)

    assert client.trades(ticker="WINX99") == []


def test_an_unknown_ticker_is_told_later(market):
    client = market(START)
    client.set(
        "SetInvalidTickerCallback", lambda asset: client.add("invalid", narrow(asset.ticker), narrow(asset.exchange))
    )
    client.subscribe("WIXX99")

    assert client.wait(lambda: client.of("invalid")) == [("WIXX99", "F")]


def test_a_kept_handle_is_stale_and_kept_text_is_poisoned(market):
    client = market(*FAST)
    kept = []
    client.set("SetTradeCallbackV2", lambda asset, handle, _: kept.append((handle, asset.ticker)))
    client.subscribe("WINX99")
    client.wait(lambda: len(kept) > 200)
    handle, ticker = kept[100]

    assert client.dll.TranslateTrade(c_void_p(handle), byref(Trade())) == INVALID_ARGS
    assert client.counters().stale_translations == 1
    assert ctypes.string_at(ticker, 4) == b"\xdb" * 4


def test_translation_minds_the_version(market):
    client = market(*FAST)
    answers = []
    client.set("SetTradeCallbackV2", lambda _, handle, __: answers.append(
        client.dll.TranslateTrade(c_void_p(handle), byref(Trade(version=1)))))  # fmt: skip
    client.subscribe("WINX99")
    client.wait(lambda: answers)

    assert answers[0] == VERSION
    assert client.counters().version_errors > 0


def test_the_legacy_trade_callback_tells_the_same(market):
    client = market(*FAST)
    client.set("SetTradeCallback", lambda asset, date, number, price, *_: client.add(
        "legacy", narrow(asset.ticker), number, price, narrow(date)))  # fmt: skip
    client.subscribe("WINX99")
    client.wait(lambda: len(client.of("legacy")) > 20)
    _, number, price, date = client.of("legacy")[5]
    trade = client.trades()[5]

    assert (number, price) == (trade.number, trade.price)
    assert date == f"{trade.time:%d/%m/%Y %H:%M:%S}.{trade.time.microsecond // 1000:03d}"


def test_the_legacy_slot_of_the_login_works_too(market):
    told = []
    slot = LEGACY_TRADE(lambda asset, *rest: told.append((narrow(asset.ticker), rest[1])))
    client = market(*FAST, trade=slot)
    client.subscribe("WINX99")
    client.wait(lambda: len(told) > 5)

    assert told[0] == ("WINX99", client.trades()[0].number)


def test_an_aggregated_ticker_shows_the_trades_of_its_current_contract(market):
    client = market(*FAST)
    client.subscribe("WINZ26", "WINFUT", "WDOZ26", "WDOFUT")  # the contracts first: they hold all that is shown
    client.wait(lambda: len(live(client, "WDOFUT")) > 90 and len(live(client, "WINFUT")) > 90)
    for front, contract in (("WINFUT", "WINZ26"), ("WDOFUT", "WDOZ26")):
        shown, told = ([trade[1:] for trade in live(client, ticker)] for ticker in (front, contract))

        assert set(shown) <= set(told)


def test_the_same_seed_tells_the_same_and_another_seed_another(market):
    told = []
    for seed in (7, 7, 8):
        client = market(f"seed {seed}", *FAST, "await 3", "speed max", "stop 2026-11-20 10:30:10", "history-rate 0")
        client.subscribe("WINX99", "WDOX99", "WINFUT")
        client.wait(lambda client=client: client.counters().load_done and not client.counters().queue_depth)
        client.close()  # what is being delivered is there then
        told.append(client.trades())

    assert len(told[0]) > 4000
    assert told[0] == told[1] != told[2]


def test_history_tells_the_very_trades_that_came_live(market):
    client = market(*FAST, "history-rate 0")
    client.subscribe("WINX99")
    client.wait(lambda: len(live(client)) > 500)
    until = client.clock() + dt.timedelta(seconds=5)
    told = client.whole_history("WINX99", "20/11/2026 10:29:00", f"{until:%d/%m/%Y %H:%M:%S}")
    seen = live(client)[:500]
    by_number = {trade.number: trade for trade in told}

    assert [by_number[trade.number]._replace(flags=0) for trade in seen] == seen
    assert numbers(told) == list(range(told[0].number, told[-1].number + 10, 10))
    assert [trade.flags for trade in told] == [0] * (len(told) - 1) + [2]
    assert client.of("progress")[-1] == ("WINX99", 100)


def test_a_restart_continues_as_if_the_process_had_never_died(market):
    first = market(*FAST, "history-rate 0")
    first.subscribe("WINX99")
    first.wait(lambda: len(live(first)) > 300)
    again = market("start 2026-11-20 10:30:03", "symbol-rate 200", "history-rate 0")
    again.subscribe("WINX99")
    again.wait(lambda: len(live(again)) > 50)
    past = again.whole_history("WINX99", "20/11/2026 10:30:00", "20/11/2026 10:30:03")
    by_number = {trade.number: trade for trade in past}
    seen = [trade for trade in live(first) if trade.time < dt.datetime(2026, 11, 20, 10, 30, 3)]

    assert [by_number[trade.number]._replace(flags=0) for trade in seen] == seen
    assert live(again)[0].number == again.trades()[0].number + 10


def test_the_daily_bar_agrees_with_the_sum_of_the_days_trades(market):
    client = market("start 2026-11-20 00:05:00", "history-rate 0", "symbol-rate 20", "daily-every 0.2")
    client.subscribe("WINX99")
    client.wait(lambda: len(client.of("daily")) > 8)
    _, o, h, low, c, volume, *_, quantity, trades, _, bought, sold, buys, sells = client.of("daily")[-1]
    past = client.whole_history("WINX99", "20/11/2026 00:00:00", "20/11/2026 00:10:00")
    day = past[:trades]

    assert numbers(past)[:3] == [10, 20, 30]
    assert [trade.type for trade in past[:3]] == [4, 4, 4]
    assert (o, h, low, c) == (day[0].price, max(t.price for t in day), min(t.price for t in day), day[-1].price)
    assert (quantity, trades) == (sum(t.quantity for t in day), len(day))
    assert volume == pytest.approx(sum(t.volume for t in day))
    assert (bought, buys) == (sum(t.quantity for t in day if t.type == 2), sum(t.type == 2 for t in day))
    assert (sold, sells) == (sum(t.quantity for t in day if t.type == 3), sum(t.type == 3 for t in day))


def test_history_has_the_originals_limits(market):
    client = market(START, "history-rate 0")
    client.subscribe("WINX99", "WINFUT", "WINV26")
    client.subscribe("PETR4", exchange="B")

    assert client.history("PETR4", "20/10/2026 09:00:00", "20/11/2026 09:00:00", "B") == PERIOD
    assert client.history("WINX99", "05/11/2026 09:00:00", "15/11/2026 09:00:00") == INVALID_ARGS
    assert client.history("PETR4", "today", "20/11/2026 09:00:00", "B") == INVALID_ARGS
    assert client.whole_history("WINX99", "20/11/2026", "20/11/2026 10:00:00") == []  # a date without time
    assert client.whole_history("WDOX99", "20/11/2026 09:00:00", "20/11/2026 09:10:00") == []  # not subscribed
    assert client.whole_history("WINV26", "05/11/2026 09:00:00", "05/11/2026 09:10:00") == []  # expired
    assert client.whole_history("WINFUT", "05/11/2026 09:00:00", "05/11/2026 09:10:00") != []
    end = dt.datetime(2026, 11, 20, 9, 1)
    assert max(t.time for t in client.whole_history("WINX99", "20/11/2026 09:00:00", "20/11/2026 09:01:00")) < end


def test_a_first_history_may_be_truncated_and_hold_sentinels(market):
    client = market(
        START, "history-rate 0", "history-truncate 100", "history-sentinels 50", "history-untranslatable 50"
    )
    client.subscribe("WINX99")
    window = ("WINX99", "20/11/2026 09:00:00", "20/11/2026 09:05:00")
    first, second = client.whole_history(*window), client.whole_history(*window)

    assert len([t for t in first if t.time]) == 100
    assert len([t for t in second if t.time]) > 500
    assert [t for t in second if t.time is None and t.price == 0]
    assert client.of("untranslated")


def test_a_market_drop_ends_the_subscriptions_and_loses_and_repeats_exactly(market, tmp_path):
    client = market(*FAST, f"emitted {tmp_path / 'proof'}")
    client.subscribe("WINX99")
    client.wait(lambda: len(live(client)) > 50)
    client.command("market drop for 0.3 lose 20 repeat 15")
    client.wait(lambda: client.of("state").count((2, 4)) == 2)
    before = live(client)
    time.sleep(0.2)
    assert live(client) == before, "nothing is resubscribed by itself"

    client.subscribe("WINX99")
    client.wait(lambda: len(live(client)) > len(before) + 200)
    after = live(client)[len(before) + 1 :]
    states = client.of("state")
    client.close()
    proof = emitted.read(tmp_path / "proof")
    missing, *_ = [fault for fault in proof.faults if fault.kind == "missing"]

    assert states[5:9] == [(2, 0), (2, 1), (2, 2), (2, 4)]
    assert numbers(after[:15]) == numbers(before[-15:])
    assert after[15].number == before[-1].number + 210
    assert (missing.first, missing.last, missing.count) == (before[-1].number + 10, after[15].number - 10, 20)


def test_skipped_and_duplicated_and_edited_trades_are_all_in_the_proof(market, tmp_path):
    client = market(*FAST, f"emitted {tmp_path / 'proof'}")
    client.subscribe("WINX99")
    client.wait(lambda: len(live(client)) > 100)
    for line in ("skip 25 WINX99", "duplicate 10", "edit 3", "cancel 2", "sentinel 1", "untranslatable 2"):
        assert client.command(line) == OK
    count = len(live(client))
    client.wait(lambda: len(live(client)) > count + 150)
    client.close()
    told, proof = live(client), emitted.read(tmp_path / "proof")
    (entry,) = proof.entries
    kinds = {kind: sum(f.count for f in proof.faults if f.kind == kind) for kind in emitted.KINDS[1:]}
    plain = [t for t in told if not t.flags & 1 and t.time]

    assert kinds == {
        "missing": 25,
        "repeated": 10,
        "edited": 5,
        "cached": 1,
        "sentinel": 1,
        "untranslatable": 2,
        "fill": 0,
    }
    assert len(client.of("untranslated")) == 2
    assert [t.quantity for t in told if t.flags & 1].count(0) == 2
    assert entry.count == len(set(numbers(plain)))
    assert entry.quantity == sum({t.number: t.quantity for t in plain}.values())
    assert set(numbers(plain)) == proof.numbers("WINX99", SESSION)
    assert proof.runs[0].finished


def test_the_proof_survives_a_killed_process(market_library, tmp_path):
    program = (
        "import pathlib, sys, time; from tests.realtime.profitdll.market_client import Market\n"
        "c = Market(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), 'emitted ' + sys.argv[3],\n"
        "           'symbol-rate 200', 'start 2026-11-20 10:30:00')\n"
        "c.subscribe('WINX99'); seen = 0\n"
        "while True:\n"
        "    got = c.trades()[1:]; [print(t.number, flush=True) for t in got[seen:]]; seen = len(got); time.sleep(0.01)"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", program, str(market_library), str(tmp_path), str(tmp_path / "proof")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        printed = [int(process.stdout.readline()) for _ in range(200)]
        process.kill()
        printed += [int(line) for line in process.stdout.read().splitlines() if line]
    proof = emitted.read(tmp_path / "proof")

    assert not proof.runs[0].finished
    assert set(printed) <= proof.numbers("WINX99", SESSION)
    assert proof.entries[0].count >= len(printed)


def test_a_day_change_restarts_the_numbers(market):
    client = market(*FAST, "speed 0.1")  # the two seconds before the opening are twenty
    client.subscribe("WINX99")
    client.command("pass 1")
    client.wait(lambda: len(live(client)) > 10)
    client.command("day-change for 0.02")
    client.wait(lambda: client.of("state").count((2, 4)) == 2)
    count = len(client.trades())
    client.subscribe("WINX99")
    client.command("pass 3")
    client.wait(lambda: len(client.trades()) > count + 30)
    cached, *opening = client.trades()[count:]

    assert cached.time.date() == dt.date(2026, 11, 20)
    assert numbers(opening[:4]) == [10, 20, 30, 40]
    assert [trade.type for trade in opening[:3]] == [4, 4, 4]
    assert opening[0].time.date() == dt.date(2026, 11, 21)


def test_an_auction_has_its_states_theoretical_prices_and_no_other_trades(market):
    client = market(*FAST)
    client.set(
        "SetChangeStateTickerCallback", lambda asset, date, state: client.add("asset", narrow(asset.ticker), state)
    )
    client.set(
        "SetTheoreticalPriceCallback", lambda asset, price, q: client.add("theoretical", narrow(asset.ticker), price)
    )
    client.subscribe("WINX99")
    client.command("auction WINX99 for 2")
    client.wait(lambda: client.of("asset") == [("WINX99", 0), ("WINX99", 4), ("WINX99", 0)])
    client.wait(lambda: [t for t in client.trades() if t.type == 4])
    opening = next(k for k, t in enumerate(client.trades()) if t.type == 4)

    assert client.of("theoretical")
    assert client.trades()[opening].number == client.trades()[opening - 1].number + 10
    assert client.trades()[opening].time - client.trades()[opening - 1].time > dt.timedelta(seconds=1.9)


def test_a_rollover_moves_the_aggregated_ticker_to_the_next_contract(market):
    client = market(*FAST)
    client.subscribe("WINFUT", "WING27")
    client.wait(lambda: len(live(client, "WINFUT")) > 20)
    client.command("rollover WIN")
    client.wait(lambda: not client.counters().queue_depth)  # what was on its way is there
    count = len(client.trades(ticker="WINFUT"))
    client.wait(lambda: len(client.trades(ticker="WINFUT")) > count + 50)
    last = client.trades(ticker="WINFUT")[-1]

    assert last[1:] in [trade[1:] for trade in client.trades(ticker="WING27")]


def test_a_slow_consumer_is_told_and_loses_no_trade(market):
    client = market(START, "queue 2000", "slow-consumer 200", "rate 5000 count 5000")
    slow = {"on": True}

    def hold(asset, handle, flags):
        client.translated("trade", asset, handle, flags)
        if slow["on"]:
            time.sleep(0.002)

    client.set("SetTradeCallbackV2", hold)
    client.subscribe("WINX99")
    client.wait(lambda: client.counters().waits > 0)
    slow["on"] = False
    client.wait(lambda: len(client.trades()) == 5000)
    client.wait(lambda: client.of("state")[-2:] == [(2, 6), (2, 4)])

    assert numbers(client.trades()) == list(range(10, 50010, 10))
    assert client.counters().queue_max < 3000


def test_overflow_can_drop_trades_and_counts_them(market, tmp_path):
    client = market(START, "queue 500", "overflow drop", "rate 20000 count 20000", f"emitted {tmp_path / 'proof'}")
    client.set(
        "SetTradeCallbackV2",
        lambda asset, handle, flags: (client.translated("trade", asset, handle, flags), time.sleep(0.0005)),
    )
    client.subscribe("WINX99")
    client.wait(lambda: client.counters().load_done and client.counters().queue_depth == 0, 30)
    dropped = client.counters().dropped[3]
    client.close()
    proof = emitted.read(tmp_path / "proof")

    assert dropped > 0
    assert len(client.trades()) + dropped == 20000
    missing = sum(fault.count for fault in proof.faults if fault.kind == "missing")
    assert missing == proof.entries[0].last // 10 - proof.entries[0].count


def test_a_load_keeps_its_pace_and_ends(market):
    client = market(START, "rate 2000 for 1", "await 2")
    client.subscribe("WINX99", "WDOX99")
    client.wait(lambda: client.counters().load_done)
    client.wait(lambda: len(client.trades()) == 2000)
    spans = [t.time for t in client.trades()]

    assert len(client.trades(ticker="WINX99")) == 1000
    assert dt.timedelta(milliseconds=990) < spans[-1] - spans[0] < dt.timedelta(milliseconds=1010)


def test_corporate_actions_carry_flags_and_multiplier(market):
    client = market(START)
    client.set("SetAdjustHistoryCallbackV2", lambda asset, value, kind, *rest: client.add(
        "adjust", narrow(asset.ticker), value, narrow(kind), *rest[-2:]))  # fmt: skip
    client.command("adjust DEMO4 0.5 type Dividendo flags 3 multiplier -9999")
    client.subscribe("DEMO4", exchange="B")
    client.command("adjust DEMO4 2 type Desdobramento flags 1 multiplier 0.5")
    client.dll.SubscribeAdjustHistory(wide("DEMO4"), wide("B"))
    client.wait(lambda: len(client.of("adjust")) == 2)

    assert client.of("adjust") == [("DEMO4", 0.5, "Dividendo", 3, -9999.0), ("DEMO4", 2.0, "Desdobramento", 1, 0.5)]
