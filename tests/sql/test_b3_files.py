"""B3 files on real engines: every line counted once, the same file twice, snapshots, kills."""

import datetime as dt
import itertools
import os
import random
import signal
import subprocess
import sys
import time
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sql import stores
from sql.b3_files import RefusedFileError, StaleFileError, import_file
from sql.tables import TICKS, Flag
from sql.tape_references import references
from tests.benchmarks.b3_day import write_day
from tests.sql.b3_made import line, text, zipped

NUMBER = itertools.count(1)
LATER = dt.datetime(2026, 9, 1, tzinfo=dt.UTC)

MADE_SESSION = dt.date(2026, 3, 11)  # no other test writes it


@pytest.fixture(scope="module")
def hot(engines):
    store = stores.hot(engines)
    yield store
    store.close()


@pytest.fixture(scope="module")
def warm(engines):
    return stores.warm(engines)


@pytest.fixture
def symbol():
    return f"B{next(NUMBER)}X{random.randrange(10**6)}"


@pytest.fixture
def bring(hot, warm, tmp_path):
    """Imports text as a zip."""

    def run(content, member="14-07-2026_X.txt", name="day.zip"):
        path = zipped(tmp_path / name, content, member)
        return import_file(path, hot, warm, tmp_path, now=LATER)

    return run


def stored(hot, symbol):
    hot.wait_applied(TICKS)
    where = f"symbol = '{symbol}' ORDER BY session, trade_id"
    return hot.frame(f"SELECT {', '.join(TICKS.names)} FROM ticks WHERE {where}", TICKS)


def accounted(report):
    return report.new + report.repeated + report.cancelled + report.edited + report.refused + report.empty


def test_a_file_is_stored_exactly_and_again_changes_nothing(hot, symbol, bring):
    content = text(line(symbol, 10), line(symbol, 20, price="41,210", brokers=";"), line(symbol, 20, action=2))
    first = bring(content)
    taken = hot.wait_applied(TICKS).taken
    again = bring(content)

    assert (first.lines, first.new, first.cancelled, first.repeated) == (3, 2, 1, 0)
    assert (again.new, again.cancelled, again.repeated, again.matched) == (0, 0, 3, [])
    assert hot.wal(TICKS).taken == taken
    rows = stored(hot, symbol)
    assert rows.select("trade_id", "price", "quantity", "buyer", "seller", "flags", "source").rows() == [
        (10, 41.2, 5500, 85, 8, 0, "b3"),
        (20, 41.21, 5500, None, None, 1, "b3"),
    ]
    assert rows["ts"][0] == dt.datetime(2026, 7, 14, 13, 7, 19, 126000, dt.UTC)
    assert rows["session"][0] == dt.date(2026, 7, 14)


def test_what_the_file_says_of_the_session_is_kept_beside_the_tape(warm, symbol, bring):
    bring(text(line(symbol, 10), line(symbol, 20, quantity=1), line(symbol, 20, quantity=1, action=2)))
    (found,) = references(warm, dt.date(2026, 7, 14), symbol)

    assert (found.source, found.trades, found.quantity, found.final) == ("b3", 1, 5500, True)
    assert found.turnover == Decimal("226600")


def test_a_trade_and_its_cancellation_are_one_write(hot, symbol, bring):
    before = hot.wait_applied(TICKS).taken
    bring(text(line(symbol, 10), line(symbol, 10, action=2)))

    assert hot.wal(TICKS).taken == before + 1
    assert stored(hot, symbol)["flags"].to_list() == [1]


def test_a_cancellation_of_an_unknown_trade_is_kept_flagged(hot, symbol, bring):
    report = bring(text(line(symbol, 10, action=2)))

    assert (report.new, report.cancelled) == (0, 1)
    assert stored(hot, symbol)["flags"].to_list() == [1]


def test_after_market_rows_belong_to_the_previous_session(hot, symbol, bring):
    bring(text(line(symbol, 205660, kind=6, session="2026-07-13", clock="020118304")))
    row = stored(hot, symbol).row(0, named=True)

    assert row["session"] == dt.date(2026, 7, 13)
    assert row["flags"] == Flag.AFTER_MARKET | Flag.NOMINAL_TIME


def test_an_empty_session_is_no_error(bring):
    assert bring(text()).lines == 0


def test_bad_lines_are_quarantined_and_the_rest_is_stored(hot, symbol, bring):
    report = bring(text(line(symbol, 10), "garbage", line(symbol, 20, price="x"), "", line(symbol, 30)))

    assert (report.lines, report.new, report.refused, report.empty) == (5, 2, 2, 1)
    assert [bad.line for bad in report.refusals] == [3, 4]
    kept = Path(report.quarantine).read_text(encoding="utf-8").splitlines()
    assert kept[0] == "3\texpected 11 columns, found 1\tgarbage"
    assert kept[1].startswith("4\tPrecoNegocio: expected a price")
    assert kept[1].endswith(line(symbol, 20, price="x"))


def test_a_half_line_at_the_end_of_a_text_file_is_quarantined(hot, warm, symbol, tmp_path):
    path = tmp_path / "day.txt"
    path.write_text(text(line(symbol, 10), line(symbol, 20))[:-2])
    report = import_file(path, hot, warm, tmp_path, now=LATER)

    assert (report.new, report.refused) == (1, 1)
    assert "may have been cut" in report.refusals[0].reason


def test_a_last_line_without_end_counts_when_the_zip_is_whole(symbol, bring):
    assert bring(text(line(symbol, 10), line(symbol, 20))[:-1]).new == 2


def test_a_huge_line_is_quarantined(symbol, bring):
    report = bring(text(line(symbol, 10), "x" * 5_000_000, line(symbol, 20)))

    assert (report.lines, report.new, report.refused) == (3, 2, 1)
    assert report.refusals[0].reason == "the line has 5,000,001 characters"


def test_another_layout_is_refused_with_what_was_expected(bring):
    with pytest.raises(RefusedFileError, match="must name the 11 columns"):
        bring("date;close\n2026-07-14;5\n")


def test_nothing_of_a_damaged_zip_is_stored(hot, warm, symbol, tmp_path):
    path = zipped(tmp_path / "day.zip", text(*(line(symbol, 10 * n) for n in range(1, 3000))))
    data = bytearray(path.read_bytes())
    data[data.rfind(b"PK\x01\x02") + 16] ^= 1
    path.write_bytes(data)
    with pytest.raises(RefusedFileError, match=r"damaged.*Nothing of it was stored"):
        import_file(path, hot, warm, tmp_path, now=LATER)

    assert stored(hot, symbol).height == 0


def test_an_older_snapshot_is_refused(hot, symbol, bring):
    name = f"14-07-2026_NEGOCIOSAVISTA_{symbol}_"
    bring(text(line(symbol, 10), line(symbol, 20)), f"{name}1130.txt")
    with pytest.raises(StaleFileError, match=r"until 10:46.*already has it until 11:30"):
        bring(text(line(symbol, 10)), f"{name}1046.txt")
    final = bring(text(line(symbol, 10), line(symbol, 20), line(symbol, 30)), f"{name[:-1]}.txt")
    with pytest.raises(StaleFileError, match="already has it to its end"):
        bring(text(line(symbol, 10), line(symbol, 20)), f"{name}1200.txt")

    assert (final.new, final.repeated, final.final) == (1, 2, True)


made = st.builds(
    lambda trade_id, action, price, clock: {"trade_id": trade_id, "action": action, "price": price, "clock": clock},
    st.integers(1, 12).map(lambda n: n * 10),
    st.sampled_from([0, 0, 0, 2]),
    st.sampled_from(["41,200", "41,210", "bad"]),
    st.sampled_from(["100719126", "164500000"]),
)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(made, max_size=25), st.integers(0, 25))
def test_a_snapshot_and_then_the_whole_end_as_the_whole_alone(hot, bring, rows, cut):
    both, alone = (f"H{next(NUMBER)}X{random.randrange(10**6)}" for _ in range(2))
    early = bring(text(*(line(both, **row) for row in rows[:cut])))
    late = bring(text(*(line(both, **row) for row in rows)))
    whole = bring(text(*(line(alone, **row) for row in rows)))

    assert [accounted(report) for report in (early, late, whole)] == [len(rows[:cut]), len(rows), len(rows)]
    columns = ("session", "trade_id", "ts", "price", "flags")
    if not any(row["price"] == "41,210" for row in rows):  # corrections: the snapshot's lines speak twice
        assert stored(hot, both).select(columns).equals(stored(hot, alone).select(columns))
    assert stored(hot, both)["trade_id"].is_unique().all()


@pytest.mark.timeout(300)
def test_a_killed_import_run_again_is_exact(engines, hot, warm, tmp_path, process_environment):
    path = tmp_path / "day.zip"
    day = write_day(path, 400_000, session=MADE_SESSION)
    code = (
        "import sys, pathlib\nfrom config.settings import load\nfrom sql import stores\n"
        "from sql.b3_files import import_file\nown = load()\n"
        "import_file(pathlib.Path(sys.argv[1]), stores.hot(own), stores.warm(own), pathlib.Path(sys.argv[2]))\n"
    )
    for pause in (0.7, 1.3, 1.9):
        child = subprocess.Popen(
            [sys.executable, "-c", code, str(path), str(tmp_path)], env=process_environment(engines), cwd=engines.root
        )
        time.sleep(pause)
        os.kill(child.pid, signal.SIGKILL)
        child.wait(30)
    report = import_file(path, hot, warm, tmp_path)
    found = hot.rows("SELECT count() AS rows, sum(flags) AS cancelled FROM ticks WHERE session = %s", (MADE_SESSION,))[
        0
    ]
    distinct = hot.frame(
        f"SELECT symbol, trade_id FROM ticks WHERE ts IN '{MADE_SESSION}' AND session = '{MADE_SESSION}'"
    )

    assert accounted(report) == day.lines
    assert (found["rows"], found["cancelled"]) == (day.trades, day.cancelled)
    assert distinct.n_unique() == day.trades
    assert not list(hot.import_dir.glob("b3-*"))
