"""docs/simulator.md names every word of the script, and every example on it is a line that the simulator takes."""

import re
import shutil
import sys
from pathlib import Path

import pytest

from realtime import simulated
from tests.realtime.profitdll.pumped import ROOT, simulator

PAGE = (ROOT / "docs" / "simulator.md").read_text(encoding="utf-8")
SOURCES = ROOT / "realtime" / "profitdll" / "simulator"
SCRIPT = [SOURCES / name for name in ("script.c", "order_lines.c", "faults.c", "trading.c")]
ROWS = re.findall(r"^\| (`[^|]+) \| (`[^|]+) \|", PAGE, re.MULTILINE)


@pytest.mark.parametrize("source", SCRIPT, ids=lambda path: path.name)
def test_every_word_of_the_script_is_on_the_page(source: Path):
    words = set(re.findall(r'"([a-z][a-z-]*[a-z])"', source.read_text("utf-8"))) - {"ab"}  # how a file is opened
    on_the_page = set(re.findall(r"[a-z][a-z-]*[a-z]", PAGE))

    assert words
    assert words - on_the_page == set()


@pytest.mark.skipif(sys.platform != "linux", reason="loads the simulator's Linux build")
def test_every_example_is_a_line_that_the_simulator_takes(tmp_path, monkeypatch):
    examples = [line for _, cell in ROWS for line in re.findall(r"`([^`]+)`", cell)]
    (whole,) = re.findall(r"^```\n(# market.txt.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    script, library = tmp_path / "script.txt", tmp_path / simulator().name
    script.write_text("\n".join([*examples, whole]) + "\n", encoding="utf-8")
    shutil.copy(simulator(), library)
    monkeypatch.chdir(tmp_path)  # an example keeps the broker's state in a file
    simulated.load(library, script)

    assert len(examples) > 60
    script.write_text(f"{simulated.SCRIPT}\nsped 3\n", encoding="utf-8")
    with pytest.raises(simulated.SimulatorError, match='"sped 3": unknown word: sped'):
        simulated.load(library, script)
