"""A few of each fault of the spool and the relay; the full count is asked for by `bench faults --suite capture`."""

import random
import time

import numpy as np
import pytest

from config.settings import ROOT
from launcher.report import Lines
from realtime.spool.frames import FrameKind
from realtime.spool.reader import Position, Reader
from tests.faults import spooling
from tests.faults.full_disk import NoPrivateMountError

SEED = 11


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_kills_lose_nothing_and_double_nothing(settings_in, tmp_path):
    figures = spooling.faults(settings_in(tmp_path / "data"), {"writer": 6, "relay": 6, "questdb": 2}, SEED, Lines())

    assert figures["ticks"] > 1000
    assert figures["repeats"] > 0
    assert {name: figures[name] for name in spooling.WRONG} == dict.fromkeys(spooling.WRONG, 0)


def test_a_killed_writer_leaves_all_that_it_said_was_durable(tmp_path):
    chance = random.Random(SEED)
    durable = {}
    for run in range(8):
        first = 1 + run * spooling.RUN_NUMBERS
        writer = spooling.WriterProcess(tmp_path, first, chance.randrange(1 << 30), ROOT)
        until = time.monotonic() + 30
        while writer.durable < first and time.monotonic() < until:
            time.sleep(0.005)
        time.sleep(chance.uniform(0.0, 0.2))
        writer.end(kill=True)
        durable[first] = writer.durable
    reader, numbers = Reader([tmp_path], Position()), []
    while frames := reader.read().frames:
        numbers += [frame.records()["number"] for frame in frames if frame.kind == FrameKind.RECORDS]
    found = np.unique(np.concatenate(numbers))

    for first, last in durable.items():
        assert last > first
        own = found[(found >= first) & (found < first + spooling.RUN_NUMBERS)]
        assert own[-1] >= last
        assert len(own) == own[-1] - first + 1


def test_a_full_disk_costs_what_the_spool_says_and_no_more(tmp_path):
    try:
        found = spooling.full_disk(tmp_path / "disk", ROOT)
    except NoPrivateMountError as error:
        pytest.skip(str(error))

    assert found["told"] == found["counted"] > 0
    assert found["kept"] + found["told"] == found["given"]
    assert (found["twice"], found["damages"]) == (0, 0)
