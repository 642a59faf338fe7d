"""Capture over the real interop and the simulator: what it does when the broker, the market or a request misbehaves."""

import sys

import numpy as np
import pytest

from realtime.records import Kind
from realtime.spool.frames import FrameKind, Mark
from tests.realtime import capture_scenes as scenes
from tests.realtime.capture_scenes import played
from tests.realtime.spooled import Back

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="hosts the simulator's Linux build")


def traded(back: Back) -> set[str]:
    """The names of the symbols that trades came of."""
    trades = back.records[back.records["kind"] == Kind.TRADE]
    return {back.reader.assets[number].ticker for number in np.unique(trades["asset"]).tolist()}


def came_after(back: Back, reason: str, times: int) -> dict[Kind, set[str]]:
    """Kind -> symbols of the records that follow the mark `reason` when it was made so many times."""
    found: dict[Kind, set[str]] = {}
    for frame in back.frames:
        if frame.kind == FrameKind.MARK and frame.said(Mark).reason == reason:
            times -= 1
        if frame.kind == FrameKind.RECORDS and times <= 0:
            for row in np.unique(frame.records()[["kind", "asset"]]):
                found.setdefault(Kind(row["kind"]), set()).add(back.reader.assets[int(row["asset"])].ticker)
    return found


def test_what_is_called_back_lies_in_a_sealed_spool_after_an_ordered_end(tmp_path):
    seen = played(scenes.steady, tmp_path)
    back = Back(tmp_path / "spool")

    assert seen["raised"] is None
    assert seen["symbols"] == ["WINX99", "DEMO4"]
    assert seen["ended_in"] < 5
    assert len(back.records) == seen["records"] >= 200
    assert np.array_equal(back.records["seq"], np.arange(1, len(back.records) + 1))
    assert traded(back) == {"WINX99", "DEMO4"}
    assert [mark.reason for mark in back.marks] == ["start", "market data up", "market data lost", "stop"]
    assert not list((tmp_path / "spool").glob("*.open"))


def test_everything_is_subscribed_again_when_the_market_data_comes_back(tmp_path):
    seen = played(scenes.drop_and_return, tmp_path)
    back = Back(tmp_path / "spool")

    assert seen["down"] in [[link, f"no market data yet ({link})"] for link in ("Disconnected", "MarketConnecting")]
    assert seen["symbols"] == ["WINX99", "DEMO4"]
    reasons = [mark.reason for mark in back.marks]
    assert reasons == ["start", "market data up", "market data lost", "market data up", "market data lost", "stop"]
    after = came_after(back, "market data up", 2)
    assert after[Kind.TRADE] == {"WINX99", "DEMO4"}
    assert after[Kind.DEPTH] == {"DEMO4"}


def test_a_slow_feed_slow_callbacks_and_a_frozen_dll_are_told(tmp_path):
    seen = played(scenes.slow, tmp_path)

    assert seen["server"] == "the feed is slow"
    assert seen["frozen"] == "the DLL says that it hangs"
    words = seen["words"]
    assert [words[words.index(slow) + 1] for slow in (5, 6)] == [4, 4]


def test_a_symbol_that_the_broker_does_not_know_is_told_and_the_others_flow(tmp_path):
    seen = played(scenes.unknown_symbol, tmp_path)

    assert seen["symbols"] == ["WINX99"]
    assert seen["link"] == "Active"
    assert seen["told"] == [["NADA3"], ["NADA3", "NADA4"], ["NADA4"]]


def test_books_that_are_wanted_no_more_end(tmp_path):
    seen = played(scenes.books_end, tmp_path)
    kinds = Back(tmp_path / "spool").records["kind"].tolist()

    assert seen == {"link": "FullyConnected", "offers": ["WINX99"], "late": 0}
    assert kinds.count(Kind.OFFER) > 50
    assert Kind.DEPTH not in kinds[-50:]


def test_a_series_is_its_contract_and_rolls_with_the_date_of_sao_paulo(tmp_path):
    seen = played(scenes.roll, tmp_path)
    back = Back(tmp_path / "spool")

    assert seen == {"before": ["WINZ26"], "still": ["WINZ26"], "after": ["WING27"]}
    assert traded(back) == {"WINZ26", "WING27"}
    assert "WINFUT" not in {asset.ticker for asset in back.reader.assets.values()}


def test_a_request_that_hangs_is_named_ticks_flow_on_and_in_the_end_a_new_process_is_asked_for(tmp_path):
    seen = played(scenes.hang, tmp_path)
    back = Back(tmp_path / "spool")

    assert seen["request"] == seen["still"] == "subscribe DEMO4"
    assert seen["raised"] == "RestartNeededError: for 2 s while the market trades: the DLL says that it hangs"
    assert back.marks[-1].reason == "stop"
    assert not list((tmp_path / "spool").glob("*.open"))


def test_silence_counts_from_the_opening_and_only_while_the_market_trades(tmp_path):
    seen = played(scenes.silence, tmp_path)

    assert seen["trading"] == [False, True, True, False]
    assert seen["links"] == ["Active", "Active", "Degraded", "Active"]
    assert seen["why"] == "no event arrives while the market trades"
