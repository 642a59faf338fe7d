"""The day is over, its plug was pulled at random: is every trade on the tape, once, and does the ledger tell how?"""

import pytest

from launcher.report import Lines
from sql import tape_ledger
from tests.faults import tape
from tests.faults.tape import SYMBOLS

SEED = 11


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_day_with_its_plug_pulled_is_proven_by_the_morning_without_help(settings_in, tmp_path):
    more = "random market-drop every 4000..9000 for 300"
    with tape.day(settings_in(tmp_path / "data"), SEED, more=more) as scene:
        tape.pull_the_plug(scene, kills=4, say=Lines())
        scene.await_verdict("proven", seconds=150)
        gaps = tape_ledger.gaps(scene.warm)
        stories = tape_ledger.story_of(scene.warm, [gap.id for gap in gaps])
        scene.stop("realtime")
        scene.stop("relay")
        proof = scene.proof()

        assert proof.holds, (proof.differences, proof.sessions)
        assert proof.sessions.proven == len(SYMBOLS)
        assert scene.doubled() == 0
        assert [scene.holes(symbol) for symbol in SYMBOLS] == [0, 0, 0]
    assert len(gaps) >= 5
    assert {gap.state for gap in gaps} == {"filled"}
    assert sum("killed" in gap.cause or "market data" in gap.cause for gap in gaps) > len(gaps) / 2
    for story in stories.values():
        assert story[0].event == "found"
        assert {"asked", "answered", "filled"} <= {word.event for word in story}


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_what_history_never_has_stays_unproven_and_is_said(settings_in, tmp_path):
    with tape.day(settings_in(tmp_path / "data"), SEED, more="history-lose 3") as scene:
        tape.pull_the_plug(scene, kills=2, say=Lines())
        scene.await_verdict("unproven", seconds=150)
        scene.until(lambda: not tape_ledger.gaps(scene.warm, state="missing"), 120, "end of asking")
        scene.stop("realtime")
        scene.stop("relay")
        proof = scene.proof()

    assert not proof.holds
    assert proof.differences == []
    (first, *_) = proof.sessions.unproven
    assert "trades fewer than the exchange says" in first.reason
    assert first.gaps[0].state == "unfillable"
