"""`tradingsystem backtest` over archived files: an object or lines, a report beside it, one line when it cannot."""

import json

import pytest

from sql.cold import ColdStore
from sql.tables import TICKS
from tests.realtime.test_backtest import TEN, tape

LOUD = """\
from realtime.strategy import Signal
class Loud:
    def on_tick(self, tick):
        print("heard", tick.trade_id)
        return [Signal(symbol=tick.symbol, type="buy", confidence=0.7)] if tick.trade_id == 10 else []
    def on_bar(self, bar): return ()
"""


@pytest.fixture
def archived(tmp_path):
    """A data directory with a session of four trades."""
    rows = tape([130_000, 130_005, 130_010, 130_020]).sort(TICKS.key)
    ColdStore(tmp_path / "data" / "cold", [TICKS]).write(
        TICKS, TEN.date(), rows.to_arrow().cast(TICKS.arrow).to_batches()
    )
    (tmp_path / "loud.py").write_text(LOUD, encoding="utf-8")
    return ("--tier", "cold", "--data", tmp_path / "data", "--strategy", f"{tmp_path}/loud.py:Loud")


def test_a_backtest_says_one_object_and_leaves_a_report(tradingsystem, archived, tmp_path):
    page = tmp_path / "out" / "report.html"
    done = tradingsystem("backtest", "--day", "2026-11-18..2026-11-20", *archived, "--output", page, "--json")
    answer = json.loads(done.stdout)

    assert done.returncode == 0, done.stderr
    assert (answer["ticks"], answer["orders"], answer["fills"], answer["report"]) == (4, 1, 1, str(page))
    assert answer["sessions"][0]["day"] == "2026-11-19"
    assert "heard 10" in done.stderr  # what the strategy prints is not the answer
    assert "Backtest of Loud" in page.read_text("utf-8")


@pytest.mark.parametrize(
    ("days", "more", "code", "said"),
    [
        ("2001-01-02", (), 1, "2001-01-02 to 2001-01-02: no tier has a trade of it that was asked for"),
        ("2026-11-19..2026-11-18", (), 2, "expected a first day before the last"),
        ("2026-11-19", ("--strategy", "nobody:Knows"), 2, "cannot be imported"),
    ],
)
def test_what_cannot_be_tested_is_said_in_one_line(tradingsystem, archived, tmp_path, days, more, code, said):
    done = tradingsystem("backtest", "--day", days, *archived, *more, "--output", tmp_path / "none.html")

    assert done.returncode == code, done.stderr
    assert said in done.stderr.splitlines()[-1]
    assert not (tmp_path / "none.html").exists()
