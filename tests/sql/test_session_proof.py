import datetime as dt
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from sql.session_proof import Held, Reference, Sums, captured, is_over, over_at, proof_of

SESSION = dt.date(2026, 11, 19)
EVENING = dt.datetime(2026, 11, 19, 22, 30, tzinfo=dt.UTC)
SUMS = Sums(trades=1000, quantity=3000, turnover=3000 * 130_005 * 10_000)
HELD = Held(
    symbol="WINZ26",
    session=SESSION,
    sums=SUMS,
    told=SUMS,
    last_received=EVENING - dt.timedelta(hours=1),
    sources=("profitdll",),
)
VOLUME = 3000 * 130_005 * 0.2
CLOSING = Reference(source="daily", trades=1000, quantity=3000, volume=VOLUME, at=EVENING, closing=True)
FILE = Reference(
    source="b3:day.zip", trades=1000, quantity=3000, turnover=Decimal(3000 * 130_005), at=EVENING, closing=True
)


def proof(held=HELD, references=(CLOSING,), missing=0, over=True):
    return proof_of(held, list(references), missing=missing, over=over)


@pytest.mark.parametrize("reference", [CLOSING, FILE])
def test_equal_sums_and_no_number_missing_prove_a_session(reference):
    assert proof(references=[reference]).state == "proven"
    assert proof(references=[reference]).by_file == (reference is FILE)
    assert proof(references=[reference], missing=1).state == "unproven"
    assert proof(references=[reference], over=False).state == "open"


@given(
    trades=st.integers(-3, 3),
    quantity=st.integers(-3, 3),
    money=st.integers(-3, 3),
    missing=st.integers(0, 2),
    closing=st.booleans(),
)
def test_nothing_that_differs_is_ever_proven(trades, quantity, money, missing, closing):
    reference = replace(CLOSING, trades=1000 + trades, quantity=3000 + quantity, volume=VOLUME + money, closing=closing)
    found = proof(references=[reference], missing=missing)

    assert (found.state == "proven") == (closing and not (trades or quantity or money or missing))
    assert found.reason


@pytest.mark.parametrize(
    ("references", "words"),
    [
        ([], "no sums of the exchange"),
        ([replace(CLOSING, trades=1007)], "7 trades fewer than the exchange says"),
        ([replace(CLOSING, trades=990)], "older than the last trade"),
        ([replace(CLOSING, quantity=3001)], "quantity 3,000, the exchange says 3,001"),
        ([replace(CLOSING, volume=VOLUME + 1)], "volume"),
        ([replace(CLOSING, closing=False)], "before the close"),
        ([replace(FILE, turnover=Decimal(1))], "turnover"),
    ],
)
def test_the_reason_says_what_is_wrong(references, words):
    found = proof(references=references)

    assert found.state == "unproven"
    assert words in found.reason


def test_a_file_that_is_final_proves_what_an_old_daily_does_not():
    assert proof(references=[replace(CLOSING, trades=900), FILE]).state == "proven"


def test_a_file_without_the_after_market_does_not_hide_what_the_daily_counts():
    short = replace(FILE, trades=990)
    held = replace(HELD, sums=replace(SUMS, trades=990), told=replace(SUMS, trades=990))
    found = proof(held=held, references=[CLOSING, short])

    assert found.state == "unproven"
    assert found.deficit == 10


def test_the_exchange_may_count_cancelled_trades_or_not():
    held = replace(HELD, sums=replace(SUMS, trades=998, quantity=2990))

    assert proof(held=held).state == "proven"
    assert proof(held=held).deficit == 0


def test_a_volume_of_doubles_may_err_by_their_rounding_and_not_by_a_trade():
    near, far = replace(CLOSING, volume=VOLUME + 1e-6), replace(CLOSING, volume=VOLUME + 0.2 * 5)

    assert proof(references=[near]).state == "proven"
    assert proof(references=[far]).state == "unproven"


def test_a_symbol_whose_point_has_no_known_value_is_not_proven_by_its_volume():
    held = replace(HELD, symbol="BGIN26")

    assert "is not known" in proof(held=held).reason
    assert proof(held=held, references=[FILE]).state == "proven"


def test_a_session_is_over_in_the_evening_and_when_its_rows_have_come():
    late = over_at(SESSION, ("profitdll",))

    assert late == dt.datetime(2026, 11, 19, 22, tzinfo=dt.UTC)
    assert over_at(SESSION, ("profitdll", "simulator")) == dt.datetime(2026, 11, 20, 3, tzinfo=dt.UTC)
    assert not is_over(HELD, late - dt.timedelta(seconds=1))
    assert is_over(HELD, late)
    assert not is_over(replace(HELD, last_received=late), late + dt.timedelta(seconds=5))
    assert is_over(replace(HELD, last_received=late, sources=("b3",)), late + dt.timedelta(seconds=5))


def test_a_repeat_of_the_day_before_the_first_is_no_loss_of_ours():
    repeat = replace(HELD, sums=Sums(trades=1), told=Sums(trades=1), last_received=EVENING + dt.timedelta(hours=12))

    assert not captured(repeat, first_of_symbol=True)
    assert captured(repeat, first_of_symbol=False)
    assert captured(replace(repeat, told=Sums(trades=2)), first_of_symbol=True)
    assert captured(replace(repeat, last_received=EVENING - dt.timedelta(hours=6)), first_of_symbol=True)
