import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from litestar import Litestar, Request, get
from litestar.testing import TestClient

from api.kernel.errors import HANDLERS
from api.kernel.telemetry import Metrics, Telemetry
from api.ranges import RangeNotSatisfiableError, begins, file_response, wanted

CONTENT = bytes(range(256)) * 10


@pytest.fixture
def caller(tmp_path):
    path = tmp_path / "file.parquet"
    path.write_bytes(CONTENT)

    @get("/file", sync_to_thread=True)
    def file(request: Request) -> httpx.Response:
        return file_response(request, path, etag='"v1"', media_type="application/x", headers={})

    file.fn.__annotations__["return"] = object
    app = Litestar([file], exception_handlers=HANDLERS)
    app.asgi_handler = Telemetry(app.asgi_handler, Metrics(), "test")
    with TestClient(app) as client:
        yield client


@pytest.mark.parametrize(
    ("asked", "first", "last"),
    [("bytes=0-99", 0, 99), ("bytes=100-", 100, 2559), ("bytes=-4", 2556, 2559), ("bytes=2550-9999", 2550, 2559),
     ("bytes=-99999", 0, 2559), ("bytes=0-0", 0, 0)],
)  # fmt: skip
def test_a_range_is_206_with_exactly_its_bytes(caller, asked, first, last):
    answer = caller.get("/file", headers={"range": asked})

    assert answer.status_code == 206
    assert answer.content == CONTENT[first : last + 1]
    assert answer.headers["content-range"] == f"bytes {first}-{last}/2560"
    assert answer.headers["content-length"] == str(last - first + 1)


@pytest.mark.parametrize("asked", ["", "bytes=5-2", "bytes=-", "lines=1-2", "bytes=0-1,5-6", "bytes=a-b"])
def test_what_is_no_single_range_gets_the_whole_file(caller, asked):
    answer = caller.get("/file", headers={"range": asked})

    assert answer.status_code == 200
    assert answer.content == CONTENT
    assert answer.headers["accept-ranges"] == "bytes"


@pytest.mark.parametrize("asked", ["bytes=2560-", "bytes=-0", "bytes=99999-100000"])
def test_a_range_behind_the_end_is_416_with_the_size(caller, asked):
    answer = caller.get("/file", headers={"range": asked})

    assert answer.status_code == 416
    assert answer.headers["content-range"] == "bytes */2560"


def test_head_tells_the_size(caller):
    answer = caller.head("/file")

    assert answer.status_code == 200
    assert answer.headers["content-length"] == "2560"
    assert answer.content == b""


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"if-none-match": '"v1"'}, 304),
        ({"if-none-match": "*"}, 304),
        ({"if-none-match": '"v0"'}, 200),
        ({"if-match": '"v0"'}, 412),
        ({"if-match": '"v0", "v1"'}, 200),
        ({"range": "bytes=0-9", "if-range": '"v1"'}, 206),
        ({"range": "bytes=0-9", "if-range": '"v0"'}, 200),
    ],
)
def test_conditions_are_kept(caller, headers, status):
    assert caller.get("/file", headers=headers).status_code == status


@given(st.integers(1, 5000), st.integers(0, 6000), st.integers(0, 6000))
def test_a_range_never_leaves_the_file(size, first, last):
    try:
        found = wanted(f"bytes={first}-{last}", size)
    except RangeNotSatisfiableError:
        assert first >= size
        return

    assert found is None if last < first else found == (first, min(last, size - 1))


@pytest.mark.parametrize(
    ("asked", "starts"), [("", True), ("bytes=-262144", True), ("bytes=0-99", True), ("bytes=4-99", False)]
)
def test_a_reading_begins_with_the_whole_the_end_or_the_start(asked, starts):
    assert begins({"range": asked} if asked else {}) is starts
