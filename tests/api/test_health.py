import threading
import time

from api.kernel import health
from tests.api.service import client


def test_it_is_ok_when_everything_answers(settings):
    with client(settings, probes={"hot": lambda: True}) as caller:
        answer = caller.get("/health")

    body = answer.json()
    assert answer.status_code == 200
    assert (body["status"], body["ok"], body["service"]) == ("ok", True, "api-gateway")
    assert body["checks"]["hot"]["status"] == "ok"


def test_it_is_503_when_something_does_not_answer_and_does_not_tell_secrets(settings):
    def broken():
        raise RuntimeError("postgresql://me:hidden-word@host")

    with client(settings, probes={"hot": lambda: True, "warm": lambda: False, "cold": broken}) as caller:
        answer = caller.get("/health")

    assert answer.status_code == 503
    assert answer.json()["status"] == "unhealthy"
    assert answer.json()["checks"]["warm"]["error"] == "does not answer"
    assert answer.json()["checks"]["cold"]["error"] == "RuntimeError"
    assert "hidden-word" not in answer.text


def test_a_probe_that_hangs_is_given_up_in_time(settings):
    release = threading.Event()
    with client(settings, probes={"hot": lambda: release.wait(30)}) as caller:
        began = time.monotonic()
        answer = caller.get("/health")
        release.set()

    assert answer.status_code == 503
    assert time.monotonic() - began < 20
    assert "no answer within" in answer.json()["checks"]["hot"]["error"]


def test_many_that_ask_at_once_make_one_question(settings, monkeypatch):
    monkeypatch.setattr(health, "FRESH_SECONDS", 600.0)  # "at once", however long this takes
    asked = []
    with client(settings, probes={"hot": lambda: not asked.append(1)}) as caller:
        for _ in range(20):
            caller.get("/health")

    assert len(asked) == 1
