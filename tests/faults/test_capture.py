"""The faults of `bench faults --suite capture`, a few of each, over the real processes."""

import random

import pytest

from launcher.report import Lines
from tests.faults import capture

SEED = 5
KILLS = 6
FILLED_KILLS = 3
AWAY_SECONDS = 3.0


@pytest.mark.timeout(400)
def test_every_delivered_trade_is_stored_once_or_known_to_be_missing(settings_in, tmp_path):
    asked = capture.faults(KILLS, AWAY_SECONDS)
    random.Random(SEED).shuffle(asked)
    with capture.scene(settings_in(tmp_path / "data"), SEED, Lines()) as scene:
        for fault in asked:
            fault(scene)
        scene.settle()
        figures = scene.judge()

    assert figures["stored"] > 1000
    assert figures["known_missing"] < figures["stored"] / 10
    assert {name: figures[name] for name in capture.WRONG} == dict.fromkeys(capture.WRONG, 0)


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_every_trade_that_the_market_made_is_back_after_its_close(settings_in, tmp_path):
    asked = capture.faults(FILLED_KILLS, 1.0)
    random.Random(SEED).shuffle(asked)
    with capture.scene(settings_in(tmp_path / "data"), SEED, Lines(), rate=100, filling=True) as scene:
        for fault in asked:
            fault(scene)
        scene.close_market()
        scene.await_proof(200)
        figures = scene.judge_whole()

    assert figures["gaps_found"] >= FILLED_KILLS
    assert {name: figures[name] for name in figures if name not in ("gaps_found", "whole")} == dict.fromkeys(
        ("doubled", "strange", *capture.UNFILLED), 0
    )
