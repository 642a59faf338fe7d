import io
import json
import logging
import logging.handlers
import sys
import time
import uuid

import msgspec
import pytest

from api.kernel.logs import Redaction, configure
from tests.api.service import client


def test_a_correlation_id_is_taken_over(settings):
    with client(settings) as caller:
        answer = caller.get("/api/items/1", headers={"x-correlation-id": "order-42.a:b"})

    assert answer.headers["x-correlation-id"] == "order-42.a:b"


@pytest.mark.parametrize("sent", ["", "x" * 129, "two words", "<script>", 'a"b'])
def test_a_strange_correlation_id_is_replaced(settings, sent):
    with client(settings) as caller:
        answer = caller.get("/api/nothing", headers={"x-correlation-id": sent})

    assert uuid.UUID(answer.headers["x-correlation-id"])


def test_head_answers_as_get_without_a_body(settings):
    with client(settings) as caller:
        answer = caller.head("/api/items/1")

    assert answer.status_code == 200
    assert answer.content == b""
    assert int(answer.headers["content-length"]) > 0


def test_every_answer_is_hardened(settings):
    with client(settings) as caller:
        for path in ("/api/items/1", "/api/nothing", "/docs"):
            headers = caller.get(path).headers

            assert headers["x-content-type-options"] == "nosniff"
            assert "default-src 'self'" in headers["content-security-policy"]


def test_requests_are_counted_by_route_pattern(settings):
    with client(settings) as caller:
        caller.get("/api/items/1")
        caller.get("/api/items/2")
        caller.get("/api/items/2?times=x")
        caller.get("/api/nothing/3")
        caller.request("BREW", "/api/items/1")
        text = caller.get("/metrics").text

    count = "tradingsystem_http_requests_total"
    assert f'{count}{{method="GET",route="/api/items/{{number}}",service="api-gateway",status="200"}} 2.0' in text
    assert f'{count}{{method="GET",route="/api/items/{{number}}",service="api-gateway",status="400"}} 1.0' in text
    assert f'{count}{{method="GET",route="unmatched",service="api-gateway",status="404"}} 1.0' in text
    assert 'method="OTHER"' in text
    assert "BREW" not in text
    assert "tradingsystem_http_request_duration_seconds_bucket" in text


@pytest.fixture
def log_lines(settings):
    """The JSON lines that this process logs, from configuring logs on until asked."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    stream = io.StringIO()
    configure(settings, "api-gateway", stream)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    root.handlers, root.level = handlers, level


def test_a_request_is_one_json_line_with_its_correlation_id(settings, log_lines):
    with client(settings) as caller:
        caller.get("/api/items/7?token=hidden-word", headers={"x-correlation-id": "abc"})

    (line,) = [line for line in log_lines() if line["event"] == "request"]
    assert line.pop("timestamp").endswith("Z")
    assert line.pop("duration_ms") >= 0
    assert line == {
        "level": "info",
        "service": "api-gateway",
        "event": "request",
        "correlation_id": "abc",
        "method": "GET",
        "route": "/api/items/{number}",
        "path": "/api/items/7",
        "status": 200,
    }


def test_what_happens_inside_a_request_carries_its_id_and_no_secret(settings, log_lines):
    with client(settings) as caller:
        caller.get("/api/errors/away", headers={"x-correlation-id": "abc"})
        caller.get("/api/errors/bug", headers={"x-correlation-id": "def"})

    lines = {line["event"]: line for line in log_lines()}
    assert lines["store_unavailable"]["correlation_id"] == "abc"
    assert "hidden-word" not in lines["store_unavailable"]["reason"]
    assert lines["unhandled_error"]["correlation_id"] == "def"
    assert "RuntimeError" in lines["unhandled_error"]["exception"]


@pytest.fixture
def day_file(settings, tmp_path):
    """The file that this process logs into, and its handler."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    configure(msgspec.structs.replace(settings, data_dir=tmp_path), "api-gateway", io.StringIO())
    handler = root.handlers[-1]
    yield tmp_path / "logs" / "api-gateway.jsonl", handler
    handler.close()
    root.handlers, root.level = handlers, level


def test_the_lines_stand_in_a_file_too_which_the_next_day_renames_for_thirty_days(day_file):
    path, handler = day_file
    for day in range(40):
        path.with_name(f"{path.name}.2026-0{1 + day // 28}-{1 + day % 28:02}").write_text("old\n")
    logging.getLogger("somebody").warning("before midnight")
    handler.rolloverAt = time.time() - 1
    logging.getLogger("somebody").warning("after midnight")
    kept = sorted(path.parent.glob("*.jsonl.*"))

    assert [json.loads(line)["event"] for line in path.read_text().splitlines()] == ["after midnight"]
    assert json.loads(kept[-1].read_text())["event"] == "before midnight"
    assert len(kept) == 30


def test_a_disk_that_takes_no_line_stops_nobody(day_file, capsys):
    path, _ = day_file
    path.mkdir()
    logging.getLogger("somebody").warning("lost")

    assert "Traceback" not in capsys.readouterr().err


def test_no_file_is_made_where_there_is_no_data_directory(log_lines):
    assert not [h for h in logging.getLogger().handlers if isinstance(h, logging.handlers.TimedRotatingFileHandler)]


def test_requests_in_progress_are_counted_under_the_services_name(settings):
    with client(settings) as caller:
        assert "api_gateway_active_connections 1.0" in caller.get("/metrics").text


def test_pages_of_others_may_embed_only_what_is_shared(settings):
    for shared, expected in ((False, "same-site"), (True, "cross-origin")):
        with client(settings, shared=shared) as caller:
            assert caller.get("/api/items/1").headers["cross-origin-resource-policy"] == expected


def test_the_standard_library_logs_in_the_same_form(log_lines):
    logging.getLogger("somebody").warning("disk %s is full", "sda")

    (line,) = log_lines()
    assert (line["event"], line["level"], line["service"]) == ("disk sda is full", "warning", "api-gateway")


def test_secrets_are_blanked_wherever_they_stand():
    clean = Redaction(frozenset({"s3cr3t-word"}))
    event = {
        "password": "x",
        "nested": {"api_key": "y", "list": ["postgresql://me:pw@host/db", "about s3cr3t-word"]},
        "event": "ok",
    }

    assert clean(None, "", event) == {
        "password": "***",
        "nested": {"api_key": "***", "list": ["postgresql://me:***@host/db", "about ***"]},
        "event": "ok",
    }


def test_keys_and_tokens_of_callers_are_blanked_in_any_text(tmp_path):
    from api.kernel.directory import made_key
    from api.kernel.tokens import Bearer, Tokens

    token = Tokens(tmp_path).issue(Bearer("p", "s"), "ana", "viewer")
    text = f"sent {made_key()[1]}, Bearer {token} and tsr_{'0' * 32}_{'a-b_' * 10}abc."

    assert Redaction(frozenset()).text(text) == "sent ***, Bearer *** and ***."


def test_the_kernel_is_light_to_import():
    import subprocess

    code = (
        "import sys, api.kernel.application as a; print([m for m in sys.modules if m in {'polars','duckdb','pyarrow'}])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert found.stdout.strip() == "[]"
