"""The stream at 10,000 ticks a second: 200 clients of everything against one, in turns over one flow.

Every client holds every sequence number it was told against the spool, and the spool is held against the simulator's
own account. Latency runs from the instant at which a tick's group goes to the disk until the client's socket gives it.
The clients are sockets in one process: with the rest, they share the machine that is measured.
"""

import selectors
import socket
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path

import click
import msgspec
import numpy as np
import numpy.typing as npt

from config.settings import Settings
from launcher import engines, instance, migrations
from launcher.commands.bench import Result, at_most
from launcher.report import Report, Silent
from realtime.records import Kind
from realtime.spool.frames import FrameKind
from realtime.spool.reader import Position, Reader
from tests.benchmarks.capture import process
from tests.faults import emitted
from tests.realtime import raw_socket

STARTS_ENGINES = True
CLIENTS = 200
RATE = 10_000
SECONDS = 8.0
SETTLE_SECONDS = 1.0
PATH = "/ws/trades?symbols=*&batch=true"
SCRIPT = """\
seed 7
handshake 50
symbol WINX99 F price 131250 tick 5 lot 1 rate 9
symbol WDOX99 F price 5412.5 tick 0.5 lot 1 rate 5
symbol DEMO4 B price 38.42 tick 0.01 lot 100 rate 2
emitted {emitted}
rate {rate} for {seconds}
"""
OPTIONS = [
    click.Option(["--rounds"], type=click.IntRange(1), default=3, show_default=True, help="Of each; medians are told."),
    click.Option(["--seconds"], type=float, default=SECONDS, show_default=True, help="Of listening in each round."),
    click.Option(["--clients"], type=int, default=CLIENTS, show_default=True, help="That are held against one."),
    click.Option(["--rate"], type=int, default=RATE, show_default=True, help="Trades a second."),
]
Longs = npt.NDArray[np.int64]


class Heard(msgspec.Struct):
    """What one client was told: numbers of different messages, and when each came."""

    since: int  # told are numbers above this
    messages: list[int] = []
    at: list[int] = []


class Told(msgspec.Struct):
    """What the spool holds: the numbers of its trades, and the instant of each group."""

    trades: Longs
    ids: int  # different trades
    first: Longs
    mono: Longs


def run(settings: Settings, say: Report, *, rounds: int, seconds: float, clients: int, rate: int) -> Result:
    """Measure; engines and processes are ours."""
    with engines.running(settings, Silent()) as known:
        migrations.apply(known, Silent())
        proof, script = known.data_dir / "emitted", known.data_dir / "script.txt"
        flow = rounds * 2 * (seconds + 8) + 10
        script.write_text(SCRIPT.format(emitted=proof, rate=rate, seconds=flow), encoding="utf-8")
        windows: list[tuple[int, Path]] = []
        with process(known, "realtime.relay"), process(known, "realtime", TRADINGSYSTEM_SIMULATOR_SCRIPT=str(script)):
            _await_flow(proof)
            for number in range(rounds):
                for count in (1, clients):
                    path = known.data_dir / f"heard-{number}-{count}"
                    _listen(known, count, seconds, path)
                    windows.append((count, path))
                    say(f"round {number + 1}: {count} clients listened")
            assert emitted.trades(proof) < rate * flow, "the flow ended before the last client"
        told = spooled(known.spool_dir, known.raw_dir)
        assert told.ids == emitted.read(proof).count, f"the spool has {told.ids} of {emitted.read(proof).count} trades"
        found = defaultdict(list)
        for count, path in windows:
            for name, value in figures_of(path, told).items():
                found[f"{name}_{'one' if count == 1 else 'all'}"].append(value)
    ratios = [many / one for many, one in zip(found["p99_ms_all"], found["p99_ms_one"], strict=True)]
    figures = {name: round(statistics.median(values), 3) for name, values in found.items()}
    figures |= {
        "clients": clients,
        "ticks_per_s": round(statistics.median(found["ticks_per_s_all"])),
        "lost_to_prompt_clients": sum(found["lost_all"]) + sum(found["lost_one"]),
        "fanout_p99_vs_one_client": round(statistics.median(ratios), 3),
    }
    return Result(
        name="stream",
        rounds=rounds,
        figures=figures,
        aims={
            "lost_to_prompt_clients": at_most(figures["lost_to_prompt_clients"], 0),
            "fanout_p99_vs_one_client": at_most(figures["fanout_p99_vs_one_client"], 3.0),
        },
    )


def _await_flow(proof: Path) -> None:
    deadline = time.monotonic() + 60
    while not proof.is_file() or emitted.trades(proof) < 1000:
        assert time.monotonic() < deadline, "no trade came within a minute"
        time.sleep(0.05)


def _listen(known: Settings, count: int, seconds: float, path: Path) -> None:
    """Clients in a process of their own; what they heard is in `path`."""
    arguments = map(str, (known.ports["data-capture"], count, seconds, path))
    line = [sys.executable, "-P", "-m", "tests.benchmarks.stream", *arguments]
    environment = instance.child_environment(known)
    done = subprocess.run(
        line, env=environment, cwd=known.root, capture_output=True, text=True, timeout=seconds + 60, check=False
    )
    assert done.returncode == 0, done.stderr[-4000:]


def listen(port: int, count: int, seconds: float) -> tuple[list[bytes], list[Heard], int]:
    """Be clients for some seconds: the different messages, what each heard, and when all were there."""
    selector, messages = selectors.DefaultSelector(), Messages()
    for _ in range(count):
        connection = raw_socket.opened(port, PATH)
        connection.setblocking(False)
        selector.register(connection, selectors.EVENT_READ, Ear(connection, messages))
    ears = [key.data for key in selector.get_map().values()]
    began = time.perf_counter_ns()
    until = time.monotonic() + seconds + SETTLE_SECONDS
    while time.monotonic() < until:
        for key, _ in selector.select(0.05):
            key.data.hear()
    for ear in ears:
        ear.connection.close()
    return messages.texts, [ear.heard for ear in ears], began + int(SETTLE_SECONDS * 1e9)


class Messages:
    """The different messages that came, each once."""

    def __init__(self) -> None:
        self.texts: list[bytes] = []
        self._numbers: dict[bytes, int] = {}

    def number(self, text: bytes, guess: int) -> int:
        """The number of a message; `guess` is mostly right, since all hear the same."""
        if guess < len(self.texts) and self.texts[guess] == text:
            return guess
        found = self._numbers.setdefault(text, len(self.texts))
        if found == len(self.texts):
            self.texts.append(text)
        return found


class Ear:
    """One client."""

    def __init__(self, connection: socket.socket, messages: Messages) -> None:
        self.connection = connection
        self.heard = Heard(-1)
        self._messages = messages
        self._left = b""
        self._guess = 0

    def hear(self) -> None:
        """Take what is there."""
        data = self.connection.recv(1 << 20)
        at = time.perf_counter_ns()
        assert data, "the relay closed the connection"
        data, end = self._left + data if self._left else data, 0
        for first, text, over in raw_socket.frames(data):
            end = over
            if first == raw_socket.PING:
                raw_socket.pong(self.connection, text)
                continue
            assert first == raw_socket.TEXT, f"a frame that begins with {first:#x}: {text[:200]!r}"
            number = self._messages.number(text, self._guess)
            self._guess = number + 1
            self.heard.messages.append(number)
            self.heard.at.append(at)
        self._left = data[end:]


def spooled(*folders: Path) -> Told:
    """Read everything back."""
    reader = Reader(folders, Position())
    numbers, keys, first, mono = [], [], [], []
    while (found := reader.read()).frames:
        assert not found.damages
        for frame in found.frames:
            if frame.kind == FrameKind.RECORDS:
                records = frame.records()
                trades = np.flatnonzero(records["kind"] == Kind.TRADE)
                numbers.append(frame.first + trades)
                keys.append((records["asset"].astype(np.int64)[trades] << 44) + records["number"][trades])
                first.append(frame.first)
                mono.append(frame.mono)
    return Told(np.concatenate(numbers), len(np.unique(np.concatenate(keys))), np.array(first), np.array(mono))


def figures_of(path: Path, told: Told) -> dict[str, float]:
    """What was lost to the clients of one window, and how late they were."""
    texts, everyone, settled = msgspec.msgpack.decode(path.read_bytes(), type=tuple[list[bytes], list[Heard], int])
    parsed = [_parsed(text) for text in texts]
    groups = [_groups(numbers, told) for numbers, _ in parsed]
    lost, delays, weights, rows = 0, [], [], 0
    for heard in everyone:
        since, until = parsed[heard.messages[0]][1], max(parsed[number][1] for number in heard.messages)
        wanted = told.trades[(told.trades > since) & (told.trades <= until)]
        got = np.concatenate([parsed[number][0] for number in heard.messages])
        lost += len(np.setdiff1d(wanted, got)) + (0 if np.array_equal(wanted, got) else 1)
        for number, at in zip(heard.messages, heard.at, strict=True):
            if at >= settled and len(parsed[number][0]):
                delays.append(at - groups[number][0])
                weights.append(groups[number][1])
                rows += len(parsed[number][0])
    late, weight = np.concatenate(delays) / 1e6, np.concatenate(weights)
    p50, p99 = _percentiles(late, weight)
    seconds = (max(heard.at[-1] for heard in everyone) - settled) / 1e9
    return {"p50_ms": p50, "p99_ms": p99, "lost": lost, "ticks_per_s": rows / len(everyone) / seconds}


def _parsed(text: bytes) -> tuple[Longs, int]:
    """Numbers of the trades in a message, and up to which number everything is told."""
    message = msgspec.json.decode(text)
    assert message["type"] in ("trades", "subscribed", "heartbeat"), text[:200]
    return np.array([trade["sequence"] for trade in message.get("data", [])], np.int64), message["sequence"]


def _groups(numbers: Longs, told: Told) -> tuple[Longs, Longs]:
    """The instants at which these records went to the disk, and how many at each."""
    return np.unique(told.mono[np.searchsorted(told.first, numbers, side="right") - 1], return_counts=True)


def _percentiles(values: npt.NDArray[np.float64], weights: Longs) -> tuple[float, float]:
    order = np.argsort(values)
    parts = np.cumsum(weights[order]) / weights.sum()
    p50, p99 = (float(values[order][np.searchsorted(parts, part)]) for part in (0.5, 0.99))
    return p50, p99


if __name__ == "__main__":
    heard = listen(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]))
    Path(sys.argv[4]).write_bytes(msgspec.msgpack.encode(heard))
