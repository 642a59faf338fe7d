import pytest

from tests.api.service import client


def test_an_error_body_has_the_words_of_old_clients_and_the_members_of_rfc_9457(settings):
    with client(settings) as caller:
        answer = caller.get("/api/nothing", headers={"x-correlation-id": "abc-1"})

    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == {
        "success": False,
        "error": "GET /api/nothing does not exist here",
        "message": "GET /api/nothing does not exist here",
        "type": "about:blank",
        "title": "Not Found",
        "status": 404,
        "detail": "GET /api/nothing does not exist here",
        "instance": "/api/nothing",
        "correlationId": "abc-1",
    }


def test_problem_json_is_given_when_asked_for(settings):
    with client(settings) as caller:
        answer = caller.get("/api/nothing", headers={"accept": "application/problem+json"})

    assert answer.headers["content-type"] == "application/problem+json"


def test_a_wrong_method_is_405_with_the_allowed_ones(settings):
    with client(settings) as caller:
        answer = caller.delete("/api/items")

    assert answer.status_code == 405
    assert "POST" in answer.headers["allow"]
    assert "DELETE" in answer.json()["error"]


def test_a_wrong_value_is_400_and_named(settings):
    with client(settings) as caller:
        answer = caller.get("/api/items/1?times=two&_t=17")

    assert answer.status_code == 400
    assert answer.json()["errors"] == [{"field": "times", "message": "Expected `int`, got `str`"}]


@pytest.mark.parametrize("body", [b"{", b'{"a": "\xff"}', b'{"a": ' + b"[" * 100_000])
def test_a_body_that_is_no_json_is_400(settings, body):
    with client(settings) as caller:
        answer = caller.post("/api/items", content=body, headers={"content-type": "application/json"})

    assert answer.status_code == 400
    assert answer.json()["success"] is False


def test_a_body_too_large_is_413(settings):
    with client(settings) as caller:
        answer = caller.post("/api/items", json={"text": "x" * 1_100_000})

    assert answer.status_code == 413


@pytest.mark.parametrize(("name", "status"), [("away", 503), ("suspended", 503), ("refused", 500), ("bug", 500)])
def test_no_body_tells_what_is_inside(settings, name, status):
    with client(settings) as caller:
        answer = caller.get(f"/api/errors/{name}")

    assert answer.status_code == status
    assert "hidden-word" not in answer.text
    assert "Traceback" not in answer.text
    assert ("retry-after" in answer.headers) is (status == 503)
