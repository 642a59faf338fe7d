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
    assert seen["ended_in"] < 12, "the DLL's end is heard of, not waited for until the time is over"
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

    assert (seen["server"], seen["frozen"]) == ("Degraded", "Degraded")
    backwards = seen["words"][::-1]
    assert [backwards[backwards.index(slow) - 1] for slow in (5, 6)] == [4, 4]


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
    assert seen["raised"] == "RestartNeededError: for 4 s while the market trades: the DLL says that it hangs"
    assert back.marks[-1].reason == "stop"
    assert not list((tmp_path / "spool").glob("*.open"))


def test_silence_counts_from_the_opening_and_only_while_the_market_trades(tmp_path):
    seen = played(scenes.silence, tmp_path)

    assert seen["trading"] == [False, True, True, False]
    assert seen["links"] == ["Active", "Active", "Degraded", "Active"]
    assert seen["why"] == "no event arrives while the market trades"


def between_marks(back: Back) -> list[tuple[Mark, list[int], list[int]]]:
    """Each answered mark, with the numbers of the history trades since it was asked, and since the mark before that."""
    found, asked, before, now = [], 0, [], []
    for frame in back.frames:
        if frame.kind == FrameKind.RECORDS:
            records = frame.records()
            now += records["number"][records["kind"] == Kind.HISTORY_TRADE].tolist()
        elif frame.kind == FrameKind.MARK and frame.said(Mark).reason == "history asked":
            asked, before, now = asked + 1, now, []
        elif frame.kind == FrameKind.MARK and frame.said(Mark).reason == "history answered":
            found.append((frame.said(Mark), now, before))
            now = []
    assert not now, "trades behind the last mark"
    assert asked == len(found)
    return found


def test_the_trades_of_an_answer_lie_between_its_marks_with_those_that_were_never_told(tmp_path):
    answers = played(scenes.past_trades, tmp_path)
    back = Back(tmp_path / "spool")
    first, second = between_marks(back)
    names = back.reader.assets
    live = back.records[back.records["kind"] == Kind.TRADE]
    live = {int(row["number"]) for row in live if names[int(row["asset"])].ticker == "WINX99"}

    assert [answer["state"] for answer in answers] == ["complete", "complete"]
    assert [answer["symbol"] for answer in answers] == ["WINX99", "DEMO4"]
    for answer, (mark, numbers, before) in zip(answers, (first, second), strict=True):
        assert mark.detail["trades"] == answer["trades"] == len(numbers) > 40
        assert mark.detail["state"] == "complete"
        assert not before
        assert answer["sentinels"] > 0
        assert answer["untranslated"] > 0
    skipped = set(range(min(live), max(first[1]), 10)) - live
    assert len(skipped) >= 40
    assert skipped <= set(first[1])


def test_a_symbol_that_nobody_wants_is_subscribed_for_its_history_only(tmp_path):
    seen = played(scenes.history_of_others, tmp_path)
    back = Back(tmp_path / "spool")

    assert (seen["other"]["state"], seen["unknown"]["state"]) == ("complete", "refused")
    assert seen["other"]["trades"] > 0
    assert seen["unknown"]["why"].endswith("NL_INVALID_TICKER)") or seen["unknown"]["why"].endswith("know NADA3")
    assert seen["symbols"] == ["WINX99"]
    last = back.records[-20:]
    assert {back.reader.assets[number].ticker for number in np.unique(last["asset"]).tolist()} == {"WINX99"}


def test_an_answer_that_is_cut_off_is_lost_and_one_that_falls_silent_is_not_taken_for_another(tmp_path):
    seen = played(scenes.history_cut_off, tmp_path)
    marks = [mark.detail for mark in Back(tmp_path / "spool").marks if mark.reason == "history answered"]

    assert [seen["lost"]["state"], seen["silent"]["state"]] == ["lost", "silent"]
    assert seen["lost"]["why"] == "the market data was lost meanwhile"
    assert seen["busy"] == "the answer to an earlier request has not fallen silent yet"
    assert [mark["state"] for mark in marks] == ["lost", "silent"]


def test_nothing_is_asked_before_the_link_is_up_and_what_is_in_flight_at_the_end_is_lost(tmp_path):
    seen = played(scenes.history_unready, tmp_path)
    marks = Back(tmp_path / "spool").marks

    assert seen["early"].startswith("no market data yet")
    assert (seen["last"]["state"], seen["last"]["why"]) == ("lost", "the process ends")
    reasons = [mark.reason for mark in marks]
    assert sorted(reasons[-3:-1]) == ["history answered", "market data lost"]
    assert reasons[-1] == "stop"
