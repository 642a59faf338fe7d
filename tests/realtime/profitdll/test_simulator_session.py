"""Layouts, life-cycle, logins, entry checks, clock, health and the script's errors."""

import ctypes
import datetime as dt
import itertools
import os
import shutil
import subprocess
import sys
import threading
import time
from ctypes import byref, c_double, c_int32

import pytest

from tests.realtime.profitdll.layouts import LAYOUTS
from tests.realtime.profitdll.market_client import (
    INTERNAL,
    INVALID_ARGS,
    NOT_FOUND,
    NOT_INITIALIZED,
    OK,
    UNKNOWN_EXCHANGE,
    WAITING,
    wide,
)

START = "start 2026-11-20 10:30:00"


def test_every_struct_has_the_sheets_sizes_and_offsets(market_library):
    dll = ctypes.CDLL(str(market_library))
    dll.SimLayout.restype = ctypes.c_char_p
    found, offset, size = {}, c_int32(), c_int32()
    while name := dll.SimLayout(len(found), byref(offset), byref(size)):
        found[name.decode()] = (offset.value, size.value)
    wanted = {name: (0, size) for name, (size, _) in LAYOUTS.items()}
    wanted |= {f"{name}.{field}": place for name, (_, fields) in LAYOUTS.items() for field, place in fields.items()}

    assert found == wanted


@pytest.mark.skipif(sys.platform == "win32", reason="dlclose")
def test_a_host_that_lets_go_of_the_library_does_not_unload_it(market_library, tmp_path):
    """Mono does so at its exit, while threads of the library run that nobody has finalised."""
    path = str(shutil.copy(market_library, tmp_path))
    handle = ctypes.CDLL(path)._handle

    assert ctypes.CDLL(None).dlclose(ctypes.c_void_p(handle)) == 0
    assert ctypes.CDLL(path, mode=os.RTLD_NOLOAD)._handle == handle


def test_nothing_answers_before_the_login_and_nothing_after_the_end(market_library, market):
    fresh = ctypes.CDLL(str(market_library))
    before = [fresh.SubscribeTicker(wide("WINX99"), wide("F")), fresh.GetHealthStatus(byref(c_int32()))]
    client = market(START)
    client.close()
    after = [client.dll.SubscribeTicker(wide("WINX99"), wide("F")), client.dll.DLLFinalize()]

    assert {*before, *after} == {NOT_INITIALIZED}


def test_a_login_goes_through_the_states_and_the_end_repeats_them(market):
    client = market(START)
    client.close()

    states = client.of("state")
    assert states[:6] == [(3, 0), (0, 0), (2, 1), (2, 2), (2, 4), (2, 0)]
    assert states[6:] == [(1, 0), (0, 1)]


def test_a_second_login_of_a_process_is_refused(market):
    client = market(START)

    assert client.dll.DLLInitializeMarketLogin(*[wide("a")] * 3, *[None] * 8) == INTERNAL


def test_a_null_key_is_refused(market):
    assert market(START, key=None, ready=False).started == INVALID_ARGS


@pytest.mark.parametrize(
    ("login", "state"),
    [
        ("bad-user", (0, 1)),
        ("bad-password", (0, 2)),
        ("blocked-password", (0, 3)),
        ("expired-password", (0, 4)),
        ("second-process", (0, 200)),
        ("bad-activation", (3, 1)),
    ],
)
def test_a_refused_login_says_why_and_nothing_follows(market, login, state):
    client = market(f"login {login}", ready=False)
    client.wait(lambda: state in client.of("state"))
    time.sleep(0.06)

    assert client.started == OK
    assert client.of("state")[-1] == state


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("sed 7", "unknown word: sed"),
        ("at 10 market droop for 3", "unknown word: market"),
        ("seed", "expected: seed NUMBER"),
        ("at 5 skip 10 times", "unknown word: times"),
        ("hours 09:00", "expected: hours"),
        ("login never", "expected: login"),
    ],
)
def test_a_script_that_is_not_understood_fails_the_login_with_the_reason(market, line, reason):
    client = market("seed 1", line, ready=False)

    assert client.loaded == INVALID_ARGS
    assert client.started == INVALID_ARGS
    assert reason in client.last_error()
    assert "line 3" in client.last_error()


def test_requests_from_the_connector_thread_are_refused_and_counted(market):
    client = market(START)
    answers = []
    client.set("SetInvalidTickerCallback", lambda _: answers.append(client.dll.SubscribeTicker(wide("A"), wide("F"))))
    client.dll.SubscribeTicker(wide("NOTHING1"), wide("F"))
    client.wait(lambda: answers)

    assert answers == [INTERNAL]
    assert client.counters().connector_requests == 1


def test_strict_mode_ends_the_process_that_asks_inside_a_callback(market_library, tmp_path):
    program = (
        "import pathlib, sys; from tests.realtime.profitdll.market_client import Market, wide\n"
        "c = Market(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), 'strict')\n"
        "c.set('SetInvalidTickerCallback', lambda _: c.dll.SubscribeTicker(wide('A'), wide('F')))\n"
        "c.dll.SubscribeTicker(wide('NOTHING1'), wide('F')); import time; time.sleep(10)"
    )
    command = [sys.executable, "-c", program, str(market_library), str(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60, env=environment)

    assert done.returncode not in (0, 1)
    assert "SubscribeTicker was called inside a callback" in done.stderr


def test_the_clock_has_one_time_in_two_forms(market):
    client = market(START)
    date, parts = c_double(), [c_int32() for _ in range(7)]
    client.dll.GetServerClock(byref(date), *map(byref, parts))
    *whole, ms = (part.value for part in parts)
    shown = dt.datetime(*whole, ms * 1000)

    assert dt.datetime(2026, 11, 20, 10, 30) <= shown < dt.datetime(2026, 11, 20, 10, 30, 5)
    assert abs(dt.datetime(1899, 12, 30) + dt.timedelta(days=date.value) - shown) < dt.timedelta(milliseconds=1)


def test_time_that_passes_at_once_brings_what_was_due_in_its_order(market):
    client = market(START, "at 300 degraded 60", "at 200 second-process")
    assert client.command("pass 400") == OK
    client.wait(lambda: len(client.of("state")) == 7)
    shown = client.clock()
    assert client.command("pass 60") == OK
    client.wait(lambda: len(client.of("state")) == 8)

    assert client.of("state")[5:] == [(0, 200), (2, 5), (2, 4)]
    assert shown - dt.datetime(2026, 11, 20, 10, 30) >= dt.timedelta(seconds=400)


def test_a_long_callback_makes_the_dll_unhealthy_until_it_returns(market):
    client = market(START, "watchdog 50")
    told, long = [], threading.Event()
    client.set("SetHealthCallback", told.append)
    client.set("SetInvalidTickerCallback", lambda _: long.wait(20))
    client.dll.SubscribeTicker(wide("NOTHING1"), wide("F"))
    client.wait(lambda: told[-1:] == [1])
    long.set()
    client.wait(lambda: told[-1:] == [0])

    assert [health for health, later in itertools.pairwise(told) if health == later] == [], "said when it changes"


def test_a_hang_blocks_requests_for_its_time(market):
    client = market(START)
    began = time.monotonic()
    client.command("hang 0.3")
    client.clock()

    assert time.monotonic() - began >= 0.3


def test_a_null_data_callback_can_stall_the_handshake(market):
    client = market("stall", START, ready=False, daily=None)
    client.wait(lambda: (2, 1) in client.of("state"))
    time.sleep(0.1)

    assert client.of("state")[-1] == (2, 1)


def test_agents_have_two_names_of_the_told_length(market):
    dll = market(START).dll
    length = dll.GetAgentNameLength(3, 0)
    text = (ctypes.c_uint16 * length)()

    assert dll.GetAgentName(length, 3, text, 0) == length
    assert "".join(map(chr, text)) == "XP INVESTIMENTOS CCTVM S/A"
    assert dll.GetAgentNameLength(3, 1) == 2
    assert dll.GetAgentNameLength(9999, 0) == NOT_FOUND


def test_exchanges_are_one_letter(market):
    dll = market(START).dll

    assert dll.SubscribeTicker(wide("PETR4"), wide("BOVESPA")) == UNKNOWN_EXCHANGE
    assert dll.SubscribeTicker(wide("PETR4"), wide("Z")) == UNKNOWN_EXCHANGE
    assert dll.SubscribeTicker(None, wide("B")) == INVALID_ARGS


def test_the_last_close_comes_with_the_second_question(market):
    client = market(START)
    close = c_double()
    ask = ("WINX99", "F")
    unsubscribed = client.dll.GetLastDailyClose(*map(wide, ask), byref(close), 0)
    client.subscribe("WINX99")
    first = client.dll.GetLastDailyClose(*map(wide, ask), byref(close), 0)
    second = client.dll.GetLastDailyClose(*map(wide, ask), byref(close), 0)

    assert (unsubscribed, first, second) == (INVALID_ARGS, WAITING, OK)
    assert close.value % 5 == 0
    assert close.value > 100_000
