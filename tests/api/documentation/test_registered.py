"""API documents of registered systems, through the door of the probes."""

import pytest


def document(http, made, **values):
    return http.get(f"/api/v1/systems/{made('systems', **values)['id']}/openapi")


def test_a_system_s_document_is_that_of_its_url_or_of_its_metadata(http, made, target):
    usual = document(http, made, url=f"{target}/200")
    named = document(http, made, url=target, metadata={"openapi": "/other.json"})

    assert (usual.status_code, usual.json()["info"]["title"]) == (200, "Theirs")
    assert named.json()["info"]["title"] == "Other"


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ("/words", "something else"),
        ("/huge", "at most 5,000,000 bytes"),
        ("/404", "answered 404"),
        ("/302", "not asked"),
        ("/away", "does not answer"),
        ("http://169.254.169.254/openapi.json", "not asked"),
        ("file:///etc/passwd", "not asked"),
    ],
)
def test_what_is_no_document_or_not_of_the_public_internet_is_502(http, made, target, place, words):
    answer = document(http, made, url=target, metadata={"openapi": place})

    assert answer.status_code == 502
    assert words in answer.json()["error"]


def test_a_system_without_an_address_has_none(http, made):
    assert document(http, made).status_code == 404
    assert http.get("/api/v1/systems/00000000-0000-4000-8000-000000000000/openapi").status_code == 404
