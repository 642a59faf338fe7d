"""Engines that hold only what these tests put there, and the gateway over real HTTP."""

import datetime as dt
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import httpx
import msgspec
import polars as pl
import pytest

from config import manifest
from config.settings import ROOT, Settings
from launcher import engines as embedded
from launcher import migrations
from launcher.report import Silent
from sql import stores
from sql.archive import archive_table
from sql.hot import HotStore
from sql.sync import sync_table
from sql.tables import TICKS, Flag
from sql.tape import Tape
from tests.loopback import free_ports

DAY = dt.date(2026, 11, 18)
KEY = "the-key-of-the-tests-process"
SECRETS = dict.fromkeys(("TRADINGSYSTEM_API_KEY", "TP_CAPITAL_TOKEN_KEY", "TP_CAPITAL_GATEWAY_SECRET"), KEY)
START_SECONDS = 180
SYMBOLS = ("WINZ26", "WDOZ26", "PETR4")


def trades(rows: list[tuple[int, str, int]], day: dt.date = DAY, *, cancelled: frozenset[int] = frozenset()):
    """Trades of (seconds after 13:00 UTC, symbol, trade id); price and quantity follow from the id."""
    start = dt.datetime(day.year, day.month, day.day, 13, tzinfo=dt.UTC)
    filled = [
        {
            "ts": start + dt.timedelta(seconds=second),
            "symbol": symbol,
            "session": day,
            "trade_id": number,
            "price": 100.0 + number,
            "quantity": 1 + number % 7,
            "aggressor": "BUYER" if number % 2 else None,
            "buyer": 3,
            "seller": None,
            "flags": int(Flag.CANCELLED) if number in cancelled else 0,
            "received_at": start,
            "source": "generated",
        }
        for second, symbol, number in rows
    ]
    return pl.DataFrame(filled, schema=TICKS.polars)


def a_day(day: dt.date, count: int = 3000) -> pl.DataFrame:
    """Many trades with many equal times, in no order; every 50th is cancelled."""
    rows = [(number * 7 % 600, SYMBOLS[number % 3], number) for number in range(count)]
    frame = trades(rows, day, cancelled=frozenset(range(0, count, 50)))
    return frame.sample(fraction=1, shuffle=True, seed=1)


@pytest.fixture(scope="package")
def tape_engines(settings_in: Callable[..., Settings], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """Engines of this room alone: other rooms write to the tape of the shared ones.

    Two days are in all three tiers, a third one is in hot alone.
    """
    with embedded.running(settings_in(tmp_path_factory.mktemp("tape")), Silent()) as settings:
        migrations.apply(settings, Silent())
        hot, warm, cold = stores.hot(settings), stores.warm(settings), stores.cold(settings)
        put(hot, a_day(DAY))
        put(hot, a_day(DAY + dt.timedelta(days=1)))
        sync_table(TICKS, hot, warm)
        archive_table(TICKS, warm, cold)
        put(hot, a_day(DAY + dt.timedelta(days=2)))
        hot.close()
        yield settings


@pytest.fixture(scope="package")
def tape(tape_engines: Settings) -> Iterator[Tape]:
    hot = stores.hot(tape_engines)
    yield Tape(hot, stores.warm(tape_engines), stores.cold(tape_engines))
    hot.close()


@pytest.fixture(scope="package")
def url(tape_engines: Settings, process_environment_of: Callable[[Settings], dict[str, str]]) -> Iterator[str]:
    """Address of `python -m api` on those engines."""
    environment = process_environment_of(tape_engines) | {"RATE_LIMIT_MAX": "1000000", **SECRETS}
    with running_api(tape_engines, environment) as address:
        yield address


@pytest.fixture
def gateway_beside(
    tape_engines: Settings, process_environment_of: Callable[[Settings], dict[str, str]]
) -> Callable[..., "running_api"]:
    """Makes a further gateway on the same engines, it and its services on ports of their own, with other variables."""

    def make(**variables: str) -> "running_api":
        mine = [s.id for s in manifest.services() if "api-gateway" in (s.id, s.served_by)]
        ports = dict(zip(mine, free_ports(len(mine)), strict=True))
        settings = msgspec.structs.replace(tape_engines, ports={**tape_engines.ports, **ports})
        return running_api(settings, process_environment_of(settings) | variables)

    return make


@pytest.fixture(scope="session")
def process_environment_of() -> Callable[[Settings], dict[str, str]]:
    from launcher.instance import child_environment

    return child_environment


class running_api:  # noqa: N801 - reads as a statement
    """`python -m api` until the block ends; its exit code is 0."""

    def __init__(self, settings: Settings, environment: dict[str, str]) -> None:
        self.settings, self.environment = settings, environment

    def __enter__(self) -> str:
        try:
            self.start()
        except BaseException:
            self.process.kill()  # an exit of the block would come too late
            self.process.wait()
            raise
        return self.settings.url("api-gateway")

    def start(self) -> None:
        self.process = subprocess.Popen([sys.executable, "-m", "api"], cwd=ROOT, env=self.environment)
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            assert self.process.poll() is None, f"python -m api ended with {self.process.returncode}"
            try:
                if httpx.get(self.settings.url("api-gateway", "/docs"), timeout=2).status_code == 200:
                    return
            except httpx.TransportError:
                time.sleep(0.05)  # nobody listens yet: there is nothing to wait on but the port
        raise AssertionError(f"python -m api did not answer within {START_SECONDS} s")

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM) if os.name != "nt" else self.process.terminate()
        return self.process.wait(timeout=100)

    def __exit__(self, *_: object) -> None:
        self.stop()


def put(hot: HotStore, frame: pl.DataFrame) -> None:
    """Insert and wait until the rows can be seen."""
    hot.insert(TICKS, frame)
    hot.wait_applied(TICKS)


@pytest.fixture
def settings() -> Settings:
    """Settings that read no file and no variable, with the ports of the manifest."""
    from config import settings as configuration

    return configuration.load({"TRADINGSYSTEM_API_KEY": "the-admin-key"}, root=ROOT / "no-such-folder")


@pytest.fixture
def with_access(settings: Settings) -> Callable[..., Settings]:
    """Makes settings with other values in `access`."""

    def make(**values: object) -> Settings:
        environment = values.pop("environment", settings.environment)
        access = msgspec.structs.replace(settings.access, **values)
        return msgspec.structs.replace(settings, access=access, environment=environment)

    return make
