"""The realtime process from outside: its start and end, its HTTP side, and how it says that something is wrong."""

import datetime as dt
import socket
import sys
import time

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.specs.openapi.checks import positive_data_acceptance

from realtime.records import Kind
from tests.realtime.process import KEY, Realtime
from tests.realtime.profitdll.pumped import simulator
from tests.realtime.spooled import Back

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="hosts the simulator's Linux build")

BUSY = "symbol-rate 100\ndaily-every 100000\n"
QUIET = "daily-every 100000\nsymbol WINX99 F price 131250 tick 5 lot 1 rate 0\n"
HOLDER = {"X-API-Key": KEY}
SUBSCRIPTIONS = "/api/v1/capture/subscriptions"
HISTORY = "/api/v1/capture/history"


@pytest.fixture
def realtime(settings_in, tmp_path):
    """Makes the process, started by whoever asks for it."""

    def make(script: str, **variables: str) -> Realtime:
        return Realtime(settings_in(tmp_path / "data"), script, **variables)

    return make


@pytest.fixture(scope="module")
def busy(settings_in, tmp_path_factory):
    """A running one that several tests only ask."""
    with Realtime(settings_in(tmp_path_factory.mktemp("busy")), BUSY, TRADINGSYSTEM_SYMBOLS="WINX99") as running:
        running.until(lambda now: now["link"] == "Active" and now["records"])
        yield running


def put(running: Realtime, symbol: str, body: object, headers: dict[str, str] | None = None) -> httpx.Response:
    return httpx.put(f"{running.url}{SUBSCRIPTIONS}/{symbol}", json=body, headers=headers or {}, timeout=10)


def delete(running: Realtime, symbol: str, headers: dict[str, str] | None = None) -> httpx.Response:
    return httpx.delete(f"{running.url}{SUBSCRIPTIONS}/{symbol}", headers=headers or {}, timeout=10)


def test_subscriptions_change_what_arrives_and_outlive_a_restart(realtime):
    with realtime(BUSY, TRADINGSYSTEM_SYMBOLS="WINX99 WDOX99") as running:
        running.active()
        assert put(running, "demo4", {"depth": True}, HOLDER).json() == {
            "symbol": "DEMO4",
            "market": "B",
            "depth": True,
            "offers": False,
        }
        assert delete(running, "WDOX99", HOLDER).status_code == 204
        running.until(lambda now: sorted(now["symbols"]) == ["DEMO4", "WINX99"])
        time.sleep(0.3)
        code, first = running.stop(), Back(running.settings.spool_dir)
        running.start()
        again = running.active()
        wanted = running.get(SUBSCRIPTIONS).json()
        running.stop()

    assert code == 0
    kinds = {(Kind(row["kind"]).name, first.reader.assets[int(row["asset"])].ticker) for row in first.records}
    assert {("DEPTH", "DEMO4"), ("TRADE", "DEMO4"), ("TRADE", "WDOX99")} <= kinds
    assert again["symbols"] == [each["symbol"] for each in wanted] == ["WINX99", "DEMO4"]
    second = Back(running.settings.spool_dir)
    assert [mark.reason for mark in second.marks].count("stop") == 2
    assert {asset.ticker for asset in second.reader.assets.values()} == {"WINX99", "DEMO4"}


def test_who_has_no_key_changes_nothing(busy):
    assert put(busy, "PETR4", {}).status_code == 401
    assert delete(busy, "WINX99").status_code == 401
    assert put(busy, "PETR4", {}, {"X-API-Key": "another"}).status_code == 401
    assert [each["symbol"] for each in busy.get(SUBSCRIPTIONS).json()] == ["WINX99"]


@pytest.mark.parametrize(
    ("symbol", "body", "status"),
    [
        ("PETR4", {"deepth": True}, 400),
        ("PETR4", {"market": "X"}, 400),
        ("PETR4", {"depth": "yes"}, 400),
        ("P4", {}, 400),
        ("PETR4;", {}, 400),
        ("A" * 21, {}, 400),
        ("PETR4/F", {}, 404),
    ],
)
def test_what_cannot_be_meant_is_refused(busy, symbol, body, status):
    assert put(busy, symbol, body, HOLDER).status_code == status
    assert [each["symbol"] for each in busy.get(SUBSCRIPTIONS).json()] == ["WINX99"]


def test_what_is_not_wanted_cannot_be_taken_away(busy):
    answer = delete(busy, "PETR4", HOLDER)

    assert answer.status_code == 404
    assert answer.json()["detail"] == "PETR4 is not wanted"


def test_metrics_tell_link_ring_and_spool(busy):
    text = busy.get("/metrics").text

    assert "datacapture_connection_status 1.0" in text
    assert 'datacapture_link{state="Active"} 1.0' in text
    assert 'datacapture_channel{channel="market"} 4.0' in text
    assert "datacapture_spool_refusing 0.0" in text
    assert 'datacapture_history_requests_total{state="lost"} 0.0' in text
    assert float(text.split("\ndatacapture_ticks_received_total ")[1].split()[0]) > 0


def test_every_answer_is_one_that_the_document_foresees(busy):
    document = schemathesis.openapi.from_url(f"{busy.url}/docs/openapi.json")
    operations = [(path, method) for path, known in document.raw_schema["paths"].items() for method in known]
    assert {path for path, _ in operations if path.startswith("/api/v1/capture")} == {
        "/api/v1/capture",
        SUBSCRIPTIONS,
        f"{SUBSCRIPTIONS}/{{symbol}}",
        HISTORY,
    }

    for path, method in operations:

        @settings(max_examples=8, deadline=None, database=None, suppress_health_check=list(HealthCheck))
        @given(case=document[path][method.upper()].as_strategy())
        def every_case(case):
            # No key: what is wanted must stay as it is for the other tests.
            case.call_and_validate(timeout=30, excluded_checks=[positive_data_acceptance])

        every_case()


def test_a_refused_login_is_said_in_words_and_not_tried_again(realtime):
    with realtime("login bad-password\n", TRADINGSYSTEM_CAPTURE_RESTART_SECONDS="1") as running:
        standing = running.until(lambda now: now["link"] == "InvalidCredentials")
        health = running.get("/health")
        time.sleep(2.5)  # longer than a broken feed may stay
        later = running.standing()
        code = running.stop()

    assert standing["trouble"] == "the broker refuses the login: the password is wrong"
    assert health.status_code == 503
    assert health.json()["checks"]["capture"]["error"] == standing["trouble"]
    assert (later["link"], later["login"], later["symbols"]) == ("InvalidCredentials", 2, [])
    assert running.words().count('"event":"login_refused"') == 1
    assert code == 0


def test_a_feed_that_stays_broken_ends_the_process_with_its_spool_closed(realtime):
    patience = {"TRADINGSYSTEM_SILENCE_SECONDS": "1", "TRADINGSYSTEM_CAPTURE_RESTART_SECONDS": "5"}
    code, words = realtime(QUIET, TRADINGSYSTEM_SYMBOLS="WINX99", **patience).ended()
    running = realtime(QUIET)

    assert code == 3, words
    assert "for 5 s while the market trades: no event arrives while the market trades" in words
    assert Back(running.settings.spool_dir).marks[-1].reason == "stop"
    assert not list(running.settings.spool_dir.glob("*.open"))


def test_a_full_spool_is_loud_says_what_it_drops_and_takes_up_again(realtime):
    rate = "symbol-rate 400\ndaily-every 100000\n"
    with realtime(rate, TRADINGSYSTEM_SPOOL_MAX_BYTES=str(1 << 20)) as running:
        full = running.until(lambda now: now["spool_dropped"] > 1000)
        health = running.get("/health")
        metrics = running.get("/metrics").text
        spool, raw = running.settings.spool_dir, running.settings.raw_dir
        raw.mkdir()

        def sent(_: object) -> bool:
            for path in [*spool.glob("*.sealed"), *spool.glob("*.receipt")]:
                path.rename(raw / path.name)  # as the relay does
            return running.get("/health").status_code == 200

        running.until(sent)
        told = running.standing()
        code = running.stop()

    assert full["link"] == "Active"
    assert health.status_code == 503
    assert health.json()["checks"]["spool"]["error"].startswith("drops records: ")
    assert "datacapture_spool_refusing 1.0" in metrics
    assert code == 0
    back = Back(spool, raw)
    dropped = sum(sum(loss.kinds.values()) for loss in back.losses)
    assert dropped >= told["spool_dropped"] > 0
    assert {lost.ticker for loss in back.losses for lost in loss.trades} == set(told["symbols"])
    seqs = back.records["seq"].tolist()
    assert len(set(seqs)) == len(seqs) == max(seqs) - dropped
    assert back.marks[-1].reason == "stop"
    assert "spool_drops_records" in running.words()


def test_a_line_of_the_script_that_is_not_understood_is_named(realtime):
    code, words = realtime("seed 7\nsped 3\n").ended()

    assert code == 2
    assert 'line 3 of the script: "sped 3"' in words


def test_a_port_that_is_taken_is_named_before_anything_begins(realtime):
    running = realtime(BUSY)
    with socket.socket() as other:
        other.bind(("127.0.0.1", running.settings.ports["order-manager"]))
        other.listen()
        code, words = running.ended()

    assert code == 2
    assert "ORDER_MANAGER_PORT" in words
    assert '"event":"state"' not in words


def test_the_broker_needs_its_settings(realtime):
    code, words = realtime("", PROFITDLL_PATH="", PROFITDLL_USER="somebody").ended("--source", "profitdll")

    assert code == 2
    assert "PROFITDLL_PATH, PROFITDLL_ACTIVATION_KEY, PROFITDLL_PASSWORD not set" in words
    assert "somebody" not in words


def test_the_simulator_is_no_broker(realtime):
    account = {"PROFITDLL_ACTIVATION_KEY": "k", "PROFITDLL_USER": "u", "PROFITDLL_PASSWORD": "p"}
    code, words = realtime("", PROFITDLL_PATH=str(simulator()), **account).ended("--source", "profitdll")

    assert code == 2
    assert "a live tape takes no invented ticks" in words


def ask(running: Realtime, headers: dict[str, str] | None = None, **body: object) -> httpx.Response:
    return httpx.post(running.url + HISTORY, json=body, headers=HOLDER if headers is None else headers, timeout=10)


def minute(ago: float = 60.0) -> dict[str, str]:
    """A window of a minute that ended so many seconds ago."""
    until = dt.datetime.now(dt.UTC).replace(microsecond=0) - dt.timedelta(seconds=ago)
    return {"since": (until - dt.timedelta(minutes=1)).isoformat(), "until": until.isoformat()}


def test_past_trades_are_asked_for_and_the_end_is_told(busy):
    answer = ask(busy, symbol="winx99", **minute())
    busy.until(lambda _: busy.get(HISTORY).json()["asking"] is None)
    told = busy.get(HISTORY).json()
    ended = told["ended"][0]

    assert answer.status_code == 202
    assert set(answer.json()) == {
        *("run", "number", "symbol", "market", "since", "until", "asked_at", "percent", "trades", "silent_seconds")
    }
    assert [answer.json()[name] for name in ("run", "symbol", "market")] == [told["run"], "WINX99", "F"]
    assert (ended["state"], ended["number"], ended["why"]) == ("complete", 1, None)
    assert ended["trades"] > 1000
    assert answer.json()["since"] < ended["last_trade_at"] < answer.json()["until"]


def test_who_has_no_key_asks_for_no_history(busy):
    assert ask(busy, {}, symbol="WINX99", **minute()).status_code == 401


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"symbol": "WINFUT", **minute()}, "symbol: WINFUT is a series"),
        ({"symbol": "WINX99", **minute(31 * 86_400)}, "since: the DLL has 30 days"),
        ({"symbol": "WINX99", **minute(), "until": minute(9000)["until"]}, "until: expected an end after"),
        ({"symbol": "WINX99", **minute(), "since": "2026-11-19T12:00:00"}, "since: expected whole seconds with a zone"),
        ({"symbol": "WINX99"}, ""),
        ({"symbol": "WINX99", **minute(), "force": True}, ""),
    ],
)
def test_a_window_that_the_dll_would_refuse_is_refused_with_the_reason(busy, body, says):
    answer = ask(busy, **body)

    assert answer.status_code == 400
    assert answer.json()["detail"].startswith(says)


def test_one_request_is_in_flight_and_none_while_the_link_is_down(realtime):
    with realtime(f"{BUSY}history-rate 100\n", TRADINGSYSTEM_SYMBOLS="WINX99") as running:
        running.active()
        first, second = (ask(running, symbol="WINX99", **minute()) for _ in range(2))
        flight = running.get(HISTORY).json()["asking"]
        running.stop()
    with realtime("login bad-password\n") as running:
        running.until(lambda now: now["link"] == "InvalidCredentials")
        down = ask(running, symbol="WINX99", **minute())

    assert (first.status_code, second.status_code, down.status_code) == (202, 409, 503)
    assert second.json()["detail"] == "request 1 for WINX99 is in flight: one at a time"
    assert flight["number"] == 1
    assert "the password is wrong" in down.json()["detail"] or "no market data" in down.json()["detail"]
