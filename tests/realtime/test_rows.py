import datetime as dt
import zoneinfo

import numpy as np
import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from realtime.records import RECORD, Kind
from realtime.relay.rows import AGGRESSOR, EDIT, frame_of, session_of, trades_of
from realtime.spool.frames import Asset, Frame, FrameKind
from sql.tables import Flag
from tests.realtime.spooled import ASSETS, records

NAMES = {asset.number: asset for asset in ASSETS}
WALL, MONO = 1_795_100_400_000_000_000, 5_000_000_000


def framed(made, kind=FrameKind.RECORDS) -> Frame:
    return Frame(kind, 1, 1, len(made), WALL, MONO, np.frombuffer(made.tobytes(), np.uint8), 1, 0)


@given(st.datetimes(dt.datetime(1990, 1, 1), dt.datetime(2040, 1, 1)))
def test_exchange_time_becomes_utc_and_its_date_the_session(local):
    local = local.replace(microsecond=local.microsecond // 1000 * 1000)
    made = records(1)
    made["time"] = (local - dt.datetime(1970, 1, 1)) // dt.timedelta(milliseconds=1)
    trades, refused = trades_of([framed(made)])
    ts = frame_of(trades, NAMES)["ts"][0]

    assert len(refused) == 0
    assert ts == local.replace(tzinfo=zoneinfo.ZoneInfo("America/Sao_Paulo"))
    assert session_of(int(trades.day[0])) == local.date()


def test_hours_on_both_sides_of_a_change_of_the_clock_are_led_back_each_by_its_own():
    local = [dt.datetime(2019, 2, 16, 22, 30), dt.datetime(2019, 2, 17, 0, 30)]
    made = records(2)
    made["time"] = [(at - dt.datetime(1970, 1, 1)) // dt.timedelta(milliseconds=1) for at in local]
    trades, _ = trades_of([framed(made)])

    assert (trades.ts[1] - trades.ts[0]) / 3_600e6 == 3.0


def test_a_record_becomes_the_row_that_the_contract_wants():
    made = records(4)
    made["action"], made["buyer"], made["seller"] = [2, 3, 4, 13], [0, 3, 8, 13], [85, 0, 0, -1]
    made["mono"] = MONO - 2_000_000
    trades, _ = trades_of([framed(made)])
    frame = frame_of(trades, NAMES)

    assert frame["symbol"].to_list() == ["WDOZ26", "PETR4", "WINZ26", "WDOZ26"]
    assert frame["trade_id"].to_list() == [10, 20, 30, 40]
    assert frame["aggressor"].to_list() == ["BUYER", "SELLER", "AUCTION", None]
    assert frame["buyer"].to_list() == [None, 3, 8, 13]
    assert frame["seller"].to_list() == [85, None, None, None]
    assert frame["received_at"].unique().to_list() == [
        dt.datetime.fromtimestamp(WALL // 10**9, dt.UTC) - dt.timedelta(milliseconds=2)
    ]
    assert frame["flags"].to_list() == [0] * 4


def test_what_knows_no_trade_is_set_aside_and_other_kinds_are_passed_over():
    made = records(6)
    made["kind"][5] = Kind.QUOTE
    made["time"][0] = 0
    made["price"][1], made["price"][2] = 0.0, np.nan
    trades, refused = trades_of([framed(made)])

    assert trades.records["number"].tolist() == [40, 50]
    assert refused["number"].tolist() == [10, 20, 30]


def test_an_edit_that_leaves_nothing_takes_the_trade_back():
    made = records(3)
    made["flags"] = EDIT
    made["quantity"][0] = 0
    made["price"][1] = 0.0
    trades, _ = trades_of([framed(made)])

    assert frame_of(trades, NAMES)["flags"].to_list() == [Flag.CANCELLED, Flag.CANCELLED, 0]


def test_every_number_of_a_trade_type_has_an_answer():
    assert len(AGGRESSOR) == 256
    assert AGGRESSOR.dtype == pl.String
    assert RECORD["action"] == np.uint8


def test_an_asset_without_a_name_has_no_symbol():
    trades, _ = trades_of([framed(records(1))])

    assert frame_of(trades, {2: Asset(2, "X", "F")})["symbol"].to_list() == ["X"]
    assert frame_of(trades, {})["symbol"].to_list() == [None]
