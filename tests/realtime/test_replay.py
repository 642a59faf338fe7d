"""Replay: a stored session comes out of interop, ring, capture and spool as it was stored, or it is said why not."""

import datetime as dt
import functools
import json
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import polars as pl
import pytest
from websockets.sync.client import connect

from config.settings import ROOT
from realtime import replay as plans
from realtime.replay import Plan, ReplayError, Told, preparing, read_plan
from realtime.replay.preparing import Asked, Host, Wish, check_symbols
from realtime.replay.proof import Sums, first_difference
from realtime.replay.replaying import place, replay
from realtime.replay.told import LARGEST, Teller
from sql.cold import ColdStore
from sql.session_rows import Chosen, write_archived
from sql.tables import TICKS, Flag
from tests.loopback import free_port
from tests.realtime.profitdll.pumped import DOWNLOADS
from tests.realtime.test_tapes import DAY, day

linux = pytest.mark.skipif(sys.platform != "linux", reason="hosts the simulator's Linux build")
FLOW = "realtime.strategy.flow:AggressorFlow"


class Quiet:
    def __init__(self) -> None:
        self.lines: list[str] = []
        self.done = 0

    def __call__(self, line: str) -> None:
        self.lines.append(line)

    @contextmanager
    def progress(self, what: str, total: int):
        def advance(step: int) -> None:
            self.done += step

        yield advance


def stored(root: Path, rows: pl.DataFrame) -> ColdStore:
    """`rows` as archived files of their UTC days."""
    cold = ColdStore(root / "cold", [TICKS])
    for (date,), own in rows.with_columns(day=pl.col("ts").dt.date()).partition_by("day", as_dict=True).items():
        cold.write(TICKS, date, own.drop("day").sort(TICKS.key).to_arrow().cast(TICKS.arrow).to_batches())
    return cold


def replayed(root: Path, rows: pl.DataFrame, *, chosen: Chosen | None = None, news: Quiet | None = None, **asked):
    cold = stored(root, rows)
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    return replay(
        Asked(chosen=chosen or Chosen(session=DAY), **asked),
        lambda wanted, path: write_archived(cold, wanted, path),
        Host(root, DOWNLOADS, environ),
        news or Quiet(),
    )


@linux
def test_every_trade_comes_back_as_it_was_stored_and_nothing_is_left_behind(tmp_path):
    news = Quiet()
    answer = replayed(tmp_path, day(5000), news=news)

    assert answer.holds
    assert answer.proof.stored == answer.proof.replayed
    assert (answer.proof.stored.trades, answer.proof.stored.cancelled) == (5000, 50)
    assert answer.symbols == {"TAPE3": 2500, "WINZ26": 2500}
    assert answer.tiers == ("cold",)
    assert news.done == 5050
    assert list((tmp_path / "replay").iterdir()) == []
    assert not (tmp_path / "spool").exists()


@linux
def test_the_same_session_twice_gives_a_strategy_the_same_bytes(tmp_path):
    rows = day(9000, price=pl.lit(100.0) + pl.int_range(9000) // 2 % 37)
    out = [tmp_path / "one.jsonl", tmp_path / "two" / "lines.jsonl"]
    wishes = [Wish(strategy=FLOW, output=path, parameters=("trades=5", "share=0.51"), bar="1s") for path in out]
    answers = [replayed(tmp_path, rows, wish=wish) for wish in wishes]

    assert out[0].read_bytes() == out[1].read_bytes()
    assert answers[0].strategy.sha256 == answers[1].strategy.sha256
    assert answers[0].strategy.ticks == 9090
    assert answers[0].strategy.signals == len(out[0].read_bytes().splitlines()) > 100
    assert sorted(path.name for path in out[1].parent.iterdir()) == ["lines.jsonl"]


@linux
def test_a_slow_strategy_loses_nothing_at_full_speed(tmp_path):
    """It begins with its first tick when everything was told, and hears it all."""
    (tmp_path / "slow.py").write_text(
        "import time\n"
        "from realtime.strategy import Signal\n"
        "class Slow:\n"
        "    heard = 0\n"
        "    def on_tick(self, tick):\n"
        "        Slow.heard += 1\n"
        "        time.sleep(0.004 if Slow.heard < 1500 else 0)\n"
        "        return (Signal(symbol=tick.symbol, type='alert', confidence=0, quantity=Slow.heard),)\n"
        "    def on_bar(self, bar): return ()\n",
        encoding="utf-8",
    )
    wish = Wish(strategy=f"{tmp_path}/slow.py:Slow", output=tmp_path / "out.jsonl")
    answer = replayed(tmp_path, day(20_000), wish=wish)
    counted = [json.loads(line)["quantity"] for line in wish.output.read_bytes().splitlines()]

    assert answer.holds
    assert answer.pace.seconds < 5, "it did not wait for the strategy"
    assert counted == list(range(1, 20_201))


@linux
def test_a_strategy_may_print(tmp_path):
    (tmp_path / "loud.py").write_text(
        "class Loud:\n"
        "    def on_tick(self, tick):\n"
        "        print('{', end='')\n"
        "        return ()\n"
        "    def on_bar(self, bar): return ()\n",
        encoding="utf-8",
    )
    answer = replayed(tmp_path, day(100), wish=Wish(strategy=f"{tmp_path}/loud.py:Loud", output=tmp_path / "out.jsonl"))

    assert (answer.holds, answer.strategy.ticks) == (True, 101)


@linux
def test_a_strategy_that_breaks_is_named_with_its_words_and_writes_nothing(tmp_path):
    (tmp_path / "broken.py").write_text(
        "class Broken:\n"
        "    def on_tick(self, tick): raise ZeroDivisionError('of this test')\n"
        "    def on_bar(self, bar): return ()\n",
        encoding="utf-8",
    )
    wish = Wish(strategy=f"{tmp_path}/broken.py:Broken", output=tmp_path / "out.jsonl")
    with pytest.raises(ReplayError, match="of this test"):
        replayed(tmp_path, day(100), wish=wish)

    assert not wish.output.exists()
    assert list((tmp_path / "replay").iterdir()) == []


def awkward() -> pl.DataFrame:
    """What a stored session may hold that the DLL's trades have no room for, and rows of the next UTC date."""
    rows = day(600).with_row_index("n")
    late = dt.datetime(2026, 11, 20, 1, tzinfo=dt.UTC)
    return rows.select(
        ts=pl.when(pl.col("n") >= 500)
        .then(late + pl.duration(milliseconds=pl.col("n") // 3))
        .otherwise(pl.col("ts") + pl.duration(microseconds=pl.col("n") % 2 * 137)),
        symbol="symbol",
        session="session",
        trade_id=pl.when(pl.col("n") % 50 == 7).then(pl.col("trade_id") + 2**43).otherwise(pl.col("trade_id")),
        price="price",
        quantity="quantity",
        aggressor=pl.when(pl.col("n") % 9 == 0)
        .then(pl.lit("OTHER"))
        .when(pl.col("n") % 9 > 2)
        .then(pl.col("aggressor")),
        buyer=pl.when(pl.col("n") % 11 == 0).then(0).otherwise(pl.col("buyer")),
        seller="seller",
        flags=pl.when(pl.col("n") >= 500).then(int(Flag.AFTER_MARKET | Flag.NOMINAL_TIME)).otherwise(pl.col("flags")),
        received_at="received_at",
        source=pl.lit("b3"),
    ).select(pl.col(c.name).cast(c.kind.polars) for c in TICKS.columns)


@linux
def test_after_market_other_numberings_and_rows_without_aggressor_come_right_and_are_counted(tmp_path):
    neighbour = day(50, session=pl.lit(DAY + dt.timedelta(days=1)))
    answer = replayed(tmp_path, pl.concat([awkward(), neighbour]))
    left = answer.simplified

    assert answer.holds
    assert answer.proof.stored.trades == 600
    assert (left.numbers, left.after_market) == (12, 100)
    assert left.times == 250
    assert left.aggressors == 67


@linux
def test_a_part_of_a_session_is_a_session_of_its_own(tmp_path):
    opening = dt.datetime(2026, 11, 19, 12, tzinfo=dt.UTC)
    chosen = Chosen(
        session=DAY,
        symbols=("WINZ26",),
        since=opening + dt.timedelta(seconds=10),
        until=opening + dt.timedelta(seconds=20),
    )
    answer = replayed(tmp_path, day(3000), chosen=chosen)

    assert answer.holds
    assert answer.symbols == {"WINZ26": 60}


@linux
def test_a_paced_replay_keeps_its_pace(tmp_path):
    """Ten times the market's speed: 80 s of it in 8; measured by the market's clock on each record, not by waiting.

    Whatever holds the machine up for two seconds makes a quarter of it late, by no more than that.
    """
    answer = replayed(tmp_path, day(960), speed=10)

    assert answer.holds
    assert answer.pace.seconds == pytest.approx(7.975, abs=2.2)
    assert answer.pace.behind_p50_ms < 20
    assert answer.pace.behind_p99_ms < 2200


@linux
def test_what_was_not_told_is_missed_by_name_and_the_replay_does_not_hold(tmp_path, monkeypatch):
    whole = preparing.tapes.from_ticks
    lost = pl.col("trade_id").is_in([10, 810, 1010])
    fewer = lambda path, parts: whole(path, (part.filter(~lost) for part in parts))  # noqa: E731
    monkeypatch.setattr(preparing.tapes, "from_ticks", fewer)
    answer = replayed(tmp_path, day(900))

    assert not answer.holds
    assert answer.proof.missing == {"WINZ26": 3}
    assert answer.proof.strange == {}
    assert answer.proof.difference.place == 1  # by symbol within a millisecond
    assert answer.proof.replayed.trades == 897


@linux
def test_what_the_simulator_refuses_is_told_with_its_line(tmp_path, monkeypatch):
    monkeypatch.setattr(preparing, "script_of", lambda *_: "nonsense\n")
    with pytest.raises(ReplayError, match="unknown word: nonsense"):
        replayed(tmp_path, day(10))

    assert list((tmp_path / "replay").iterdir()) == []


@linux
def test_a_ring_that_is_small_makes_the_tape_wait_and_loses_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(preparing, "Plan", functools.partial(Plan, ring_records=1 << 12))
    answer = replayed(tmp_path, day(60_000))

    assert answer.holds
    assert answer.proof.replayed.trades == 60_000


def test_what_cannot_be_replayed_is_said_with_what_helps():
    many = {f"S{n}": 100 - n for n in range(40)}
    for found, asked, said in (
        ({}, (), "no tier has a trade"),
        ({"A": 1}, ("A", "B"), "no trades of B"),
        (many, (), r'40 symbols .* 34 at most.*--symbols "S0 S1 .* S33"'),
    ):
        with pytest.raises(ReplayError, match=said):
            check_symbols(DAY, found, asked)


def test_numbers_beyond_32_bits_get_free_ones_or_are_refused():
    rows = day(6).with_columns(trade_id=pl.Series([10, 20, 2**43 + 10, 2**43 + 20, 2**43 + 30, 30]))
    one, parts = Teller(), Teller()
    whole = one.told(rows)["trade_id"].to_list()

    assert whole == [10, 20, LARGEST, LARGEST, LARGEST - 1, 30]
    assert pl.concat([parts.told(rows[:3]), parts.told(rows[3:])])["trade_id"].to_list() == whole
    one.check()
    one.told(day(2).with_columns(trade_id=pl.lit(LARGEST, pl.Int64)))
    with pytest.raises(ReplayError, match="cannot hold both"):
        one.check()


def test_the_first_difference_is_found_across_frames_of_any_size():
    rows = day(100).select("ts", "symbol", "trade_id", "price", "buyer")
    other = rows.with_columns(buyer=pl.when(pl.col("trade_id") == 650).then(None).otherwise(pl.col("buyer") + 0))

    def cut(frame, size):
        return iter([frame[start : start + size] for start in range(0, frame.height, size)])

    assert first_difference(cut(rows, 7), cut(rows, 13)) is None
    found = first_difference(cut(rows, 7), cut(other, 13))
    assert found.place == 64
    assert found.expected.endswith("650 131255.0 4")
    assert found.found.endswith("650 131255.0 -")
    short = first_difference(cut(rows, 7), cut(rows[:99], 13))
    assert (short.place, short.found) == (99, "nothing")


def test_sums_are_exact_where_doubles_are_not():
    rows = day(3).with_columns(price=pl.lit(0.1), quantity=pl.lit(10**7))
    sums = Sums()
    for _ in range(3):
        sums.add(rows, 0)

    assert str(sums.turnover) == "9000000"
    assert sums.quantity == 9 * 10**7


def test_folders_of_killed_replays_are_taken_away_and_living_ones_stay(tmp_path):
    left = tmp_path / "2026-01-01-left"
    left.mkdir()
    (left / "lock").touch()
    with place(tmp_path, DAY, keep=False) as living, place(tmp_path, DAY, keep=True) as kept:
        assert not left.exists()
        assert living.is_dir()

    assert [path.name for path in tmp_path.iterdir()] == [kept.name]
    with place(tmp_path, DAY, keep=False):
        assert kept.is_dir()


@linux
def test_the_playing_process_that_loses_its_listener_ends_in_order(tmp_path):
    """Whoever started it was killed: it must not go on for hours."""
    seen = []

    class KilledError(Exception):
        pass

    class Interrupted(Quiet):
        @contextmanager
        def progress(self, what, total):
            def advance(step):
                (folder,) = [path for path in (tmp_path / "replay").iterdir() if path.is_dir()]
                seen.append(read_plan(folder).records)
                raise KilledError

            yield advance

    with pytest.raises(KilledError):
        replayed(tmp_path, day(2400), speed=1, news=Interrupted())

    assert seen == [2424]
    assert list((tmp_path / "replay").iterdir()) == []


def tradingsystem(*arguments: str, data: Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TRADINGSYSTEM_DOWNLOADS_DIR": str(DOWNLOADS)}
    line = [sys.executable, "-P", "-m", "launcher", "replay", *arguments, "--data", str(data)]
    return subprocess.run(line, env=environment, capture_output=True, text=True, timeout=100, check=False, cwd=cwd)


@linux
def test_the_command_proves_without_any_engine_and_answers_in_json(tmp_path):
    stored(tmp_path, day(3000))
    asked = ("--day", "2026-11-19", "--tier", "cold", "--symbols", "winz26, TAPE3", "--strategy", FLOW, "--json")
    done = tradingsystem(*asked, data=tmp_path, cwd=tmp_path)
    answer = json.loads(done.stdout)

    assert done.returncode == 0, done.stderr
    assert answer["holds"]
    assert answer["proof"]["stored"] == answer["proof"]["replayed"]
    assert answer["strategy"]["output"] == str(tmp_path / "signals-2026-11-19.jsonl")
    assert "replaying" in done.stderr
    assert not (tmp_path / "questdb").exists()


@linux
@pytest.mark.timeout(300)
def test_the_replay_is_served_to_websocket_clients_from_its_first_trade_until_ctrl_c(tmp_path):
    stored(tmp_path, day(3000))
    port = free_port()
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TRADINGSYSTEM_DOWNLOADS_DIR": str(DOWNLOADS)}
    line = [sys.executable, "-P", "-m", "launcher", "replay", "--day", "2026-11-19", "--tier", "cold", "--json"]
    line += ["--data", str(tmp_path), "--serve", str(port)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(line, env=environment, text=True, **pipes) as running:
        try:
            told = heard(f"ws://127.0.0.1:{port}/ws/trades?symbols=*&from_sequence=1", 3030, running)
            while "until Ctrl-C" not in running.stderr.readline():
                assert running.poll() is None
            running.send_signal(signal.SIGINT)
            said, _ = running.communicate(timeout=40)
        finally:
            running.terminate()

    assert running.returncode == 0
    assert json.loads(said)["holds"]
    assert [each["sequence"] for each in told] == sorted({each["sequence"] for each in told})
    assert sum(each.get("revision") == "cancelled" for each in told) == 30
    assert {each["tradeId"] for each in told} == set(range(10, 30_010, 10))
    assert list((tmp_path / "replay").iterdir()) == []


def heard(url: str, count: int, running: subprocess.Popen[str]) -> list[dict[str, object]]:
    """The first so many trades that a client is told, which tries until somebody listens."""
    deadline, found = time.monotonic() + 60, []
    while len(found) < count:
        assert running.poll() is None, running.stderr.read()
        assert time.monotonic() < deadline, f"{len(found)} of {count} trades in a minute"
        try:
            with connect(url, open_timeout=5) as client:
                while len(found) < count:
                    message = json.loads(client.recv(timeout=20))
                    assert message["type"] != "error", message
                    found += [message] if message["type"] == "trade" else []
        except (OSError, TimeoutError):
            time.sleep(0.05)
    return found


def test_a_port_that_is_taken_ends_the_replay_with_its_words(tmp_path):
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        with pytest.raises(ReplayError, match="cannot listen on"):
            replayed(tmp_path, day(2400), speed=1, serve=holder.getsockname()[1])


def test_the_command_refuses_in_one_line(tmp_path):
    for arguments, code, said in (
        (("--day", "2026-11-19", "--tier", "cold"), 1, "no tier has a trade"),
        (("--day", "2026-11-19", "--speed", "fast"), 2, "--speed fast: expected a number"),
        (("--day", "2026-11-19", "--from", "9h"), 2, "expected HH:MM"),
        (("--day", "2026-11-19", "--bar", "7m", "--strategy", FLOW), 2, "expected one of 1s"),
        (("--day", "2026-11-19", "--output", "x"), 2, "need --strategy"),
    ):
        done = tradingsystem(*arguments, data=tmp_path, cwd=tmp_path)

        assert (done.returncode, said in done.stderr) == (code, True), done.stderr
        assert done.stdout == ""


def test_the_plan_says_whole_things():
    text = plans.script_of(Path("/a b/session.tape"), 3, 2.5)

    assert 'source tape "/a b/session.tape"' in text
    assert "speed 2.5\n" in text
    assert Told(trades=1).whole is False
