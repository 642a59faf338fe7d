import time

import pytest
from litestar.testing import TestClient

from realtime.records import Kind
from realtime.relay.sender import Progress
from realtime.relay.server import LATE_SECONDS, relay_app
from sql import stores


@pytest.fixture
def progress(engines):
    engines.spool_dir.mkdir(exist_ok=True)
    return Progress(alive_at=time.monotonic(), stored=5, missing={"ring": 3})


@pytest.fixture
def client(engines, progress):
    hot = stores.hot(engines)
    with TestClient(relay_app(engines, hot, progress), base_url="http://127.0.0.1:3100") as made:
        yield made
    hot.close()


def test_it_is_healthy_while_ticks_move(client):
    answer = client.get("/health")

    assert answer.status_code == 200
    assert {name: check["status"] for name, check in answer.json()["checks"].items()} == dict.fromkeys(
        ("questdb", "spool", "lag", "sender"), "ok"
    )


@pytest.mark.parametrize(
    ("check", "change"),
    [
        ("lag", {"oldest_wall": 0}),
        ("sender", {"last_error": "QuestDB does not answer"}),
        ("sender", {"alive_at": float("-inf")}),
        ("spool", {"unread_bytes": 1 << 60}),
    ],
)
def test_what_stands_still_shows(client, progress, check, change):
    for name, value in change.items():
        setattr(progress, name, value)
    answer = client.get("/health")

    assert answer.status_code == 503
    assert [name for name, found in answer.json()["checks"].items() if found["status"] != "ok"] == [check]


def test_metrics_tell_what_moved_and_what_is_missing(client, progress):
    progress.passed_over[Kind.QUOTE] += 7
    progress.oldest_wall = int((time.time() - LATE_SECONDS) * 1e9)
    text = client.get("/metrics").text

    assert "datacapture_ticks_stored_total 5.0" in text
    assert 'datacapture_passed_over_total{kind="quote"} 7.0' in text
    assert 'datacapture_missing_records{reason="ring"} 3.0' in text
    assert float(text.split("\ndatacapture_relay_lag_seconds ")[1].split()[0]) >= LATE_SECONDS
