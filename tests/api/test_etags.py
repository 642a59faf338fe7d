import datetime as dt

import pytest
from litestar.exceptions import HTTPException

from api.kernel.etags import check_match, etag_of, matches

NOW = dt.datetime(2026, 11, 28, tzinfo=dt.UTC)
TAG = etag_of("id", NOW)


def test_a_tag_is_quoted_and_changes_with_the_state():
    assert etag_of("id", NOW) == TAG
    assert TAG.startswith('"')
    assert etag_of("id", NOW + dt.timedelta(microseconds=1)) != TAG
    assert etag_of("a", "b") != etag_of("ab")


@pytest.mark.parametrize(
    ("header", "expected"),
    [(TAG, True), (f'"x", {TAG}', True), ("*", True), ('"x"', False), (f"W/{TAG}", False), ("", False), (None, False)],
)
def test_a_strong_match(header, expected):
    assert matches(header, TAG) is expected


def test_a_weak_match_takes_weak_tags_and_nothing_matches_what_is_not_there():
    assert matches(f"W/{TAG}", TAG, weak=True)
    assert not matches("*", None)


def test_another_state_is_412_with_the_present_tag_and_no_header_is_taken():
    check_match(None, TAG)
    check_match(TAG, TAG)
    with pytest.raises(HTTPException) as raised:
        check_match('"old"', TAG)

    assert raised.value.status_code == 412
    assert raised.value.headers == {"ETag": TAG}
