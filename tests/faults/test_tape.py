"""A day whose plug was pulled, when history does not give all of it back: that is said. The rest is a journey."""

import pytest

from launcher.report import Lines
from sql import tape_ledger
from tests.faults import tape

SEED = 11


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_what_history_never_has_stays_unproven_and_is_said(settings_in, tmp_path):
    with tape.day(settings_in(tmp_path / "data"), SEED, speed=900, more="history-lose 3") as scene:
        tape.pull_the_plug(scene, kills=1, say=Lines())
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
