import time

import pytest
from litestar.testing import TestClient

from realtime.records import Kind
from realtime.relay import books
from realtime.relay.kept import PATIENCE_SECONDS, Kept, trouble_of
from realtime.relay.sender import Progress
from realtime.relay.server import LATE_SECONDS, relay_app
from sql import stores


@pytest.fixture
def progress(engines):
    engines.spool_dir.mkdir(exist_ok=True)
    return Progress(alive_at=time.monotonic(), stored=5, missing={"ring": 3})


@pytest.fixture
def kept():
    return Kept(gaps={"missing": 2, "filled": 40}, sessions={"proven": 7}, asked=5)


@pytest.fixture
def book_progress():
    return books.Progress(stored={"quotes": 2, "book": 9}, unnamed=1)


@pytest.fixture
def client(engines, progress, kept, book_progress):
    hot = stores.hot(engines)
    app = relay_app(engines, hot, progress, kept, books=book_progress)
    with TestClient(app, base_url="http://127.0.0.1:3100") as made:
        yield made
    hot.close()


def test_it_is_healthy_while_ticks_move(client):
    answer = client.get("/health")

    assert answer.status_code == 200
    assert {name: check["status"] for name, check in answer.json()["checks"].items()} == dict.fromkeys(
        ("questdb", "spool", "lag", "gaps", "books", "journal", "sender"), "ok"
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
    progress.passed_over[Kind.OFFER] += 7
    progress.oldest_wall = int((time.time() - LATE_SECONDS) * 1e9)
    text = client.get("/metrics").text

    assert "datacapture_ticks_stored_total 5.0" in text
    assert 'datacapture_passed_over_total{kind="offer"} 7.0' in text
    assert 'datacapture_missing_records{reason="ring"} 3.0' in text
    assert float(text.split("\ndatacapture_relay_lag_seconds ")[1].split()[0]) >= LATE_SECONDS
    assert 'datacapture_events_stored_total{table="book"} 9.0' in text


def test_gaps_and_sessions_are_counted_by_state(client):
    text = client.get("/metrics").text

    assert 'datacapture_gaps{state="missing"} 2.0' in text
    assert 'datacapture_sessions{state="proven"} 7.0' in text
    assert "datacapture_history_asked_total 5.0" in text


def test_a_keeper_that_cannot_go_on_for_long_shows_with_the_reason(client, kept):
    kept.last_error, kept.failing_since = "PostgreSQL does not answer", 0.0
    answer = client.get("/health")

    assert answer.status_code == 503
    assert "PostgreSQL does not answer" in answer.json()["checks"]["gaps"]["error"]
    assert trouble_of(kept, PATIENCE_SECONDS - 1) is None


@pytest.mark.parametrize("change", [{"oldest_wall": 0}, {"last_error": "hot.book is away"}])
def test_books_that_stand_still_show(client, book_progress, change):
    for name, value in change.items():
        setattr(book_progress, name, value)
    answer = client.get("/health")

    assert answer.status_code == 503
    assert [name for name, found in answer.json()["checks"].items() if found["status"] != "ok"] == ["books"]
