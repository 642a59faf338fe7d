"""What the gateway keeps for a moment, on a clock of the test's own: the file that a reader asks for in parts."""

import datetime as dt
import io

import polars as pl
import pytest
from litestar.testing import TestClient

from api.kernel.application import Service, create_app
from api.snapshots import PAUSE_SECONDS, Snapshots
from api.tape import ticks
from sql.tape import Tape
from tests.api.conftest import DAY, a_day, put, trades


@pytest.fixture
def now():
    return [1000.0]


@pytest.fixture
def http(settings, tape, now, monkeypatch):
    monkeypatch.setattr("sql.tape.FRESH_SECONDS", -1.0)  # what the tiers hold is asked anew each time
    anew = Tape(tape.hot, tape.warm, tape.cold)
    snapshots = Snapshots(clock=lambda: now[0])
    parts = {"tape": anew, "snapshots": snapshots}
    service = Service(id="api-gateway", title="Test", description="A test.", handlers=[ticks], parts=parts)
    with TestClient(create_app(settings, service), base_url="http://127.0.0.1:8000") as client:
        yield client
    snapshots.close()


def test_one_reading_sees_one_file_though_rows_arrive_meanwhile(http, tape, now):
    day = DAY + dt.timedelta(days=40)
    put(tape.hot, a_day(day))
    params = {"from": day.isoformat(), "to": (day + dt.timedelta(days=1)).isoformat(), "format": "parquet"}
    whole = http.get("/api/v1/ticks", params=params)
    put(tape.hot, trades([(1, "LATE", 999_999)], day))
    now[0] += PAUSE_SECONDS
    end = http.get("/api/v1/ticks", params=params, headers={"range": "bytes=-1000"})
    now[0] += PAUSE_SECONDS + 1
    middle = http.get("/api/v1/ticks", params=params, headers={"range": "bytes=1000-1999"})

    assert end.status_code == middle.status_code == 206
    assert end.headers["etag"] == middle.headers["etag"] == whole.headers["etag"]
    assert (end.content, middle.content) == (whole.content[-1000:], whole.content[1000:2000])

    now[0] += PAUSE_SECONDS + 0.01  # without a request for so long the reading is over
    later = http.get("/api/v1/ticks", params=params)
    assert later.headers["etag"] != whole.headers["etag"]
    assert pl.read_parquet(io.BytesIO(later.content)).height == 3001
