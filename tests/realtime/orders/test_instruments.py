"""Whose word holds for an instrument: an operator's, our table's, the broker's; and none where two contradict."""

from decimal import Decimal

import pytest

from config.settings import SettingsError
from realtime.orders.instruments import Instruments
from realtime.orders.risk import exact
from realtime.profitdll.messages import AssetInfo
from sql.exchange import SHARE, Instrument, instrument_of
from tests.realtime.orders.scenes import ANA, SYMBOL, rules, scene

LIVE_CATTLE = Instrument(tick_size=0.05, lot=1, point_value=330.0)


def info(ticker: str = SYMBOL, **more: object) -> AssetInfo:
    told = {"lot": 1, "increment": 5.0, "multiplier": 0.2, "security_type": 0, **more}
    texts = dict.fromkeys(("exchange", "name", "description", "expiry", "isin"), "")
    return AssetInfo(seq=1, mono=1, ticker=ticker, sub_type=13, minimum=1, maximum=1, **texts, **told)  # type: ignore[arg-type]


def told(*events: AssetInfo, **said: tuple[float, int, float]) -> Instruments:
    instruments = Instruments(said)
    for event in events:
        instruments.hear(event)
    return instruments


@pytest.mark.parametrize(
    ("event", "ours", "theirs"),
    [
        (info(increment=10.0), "tick 5", "tick 10"),
        (info(lot=5), "lot 1", "lot 5"),
        (info(multiplier=1.0), "point value 0.2", "point value 1"),
        (info(security_type=5), "type future", "type cash"),
        (info("PETR4", lot=1, increment=0.01, multiplier=1.0, security_type=14), "lot 100", "lot 1"),
    ],
)
def test_who_contradicts_the_table_is_named_with_both_values(event, ours, theirs):
    instruments = told(event)

    assert instruments(event.ticker) == instrument_of(event.ticker)
    dispute = instruments.disputes[event.ticker]
    assert (dispute.ours, dispute.theirs) == (ours, theirs)


@pytest.mark.parametrize(
    "event", [info(), info(increment=5.000000001), info(lot=0, increment=0.0), info(multiplier=float("nan"))]
)
def test_what_agrees_or_is_not_said_contradicts_nothing(event):
    instruments = told(event)

    assert (instruments(SYMBOL), instruments.disputes) == (instrument_of(SYMBOL), {})


def test_the_broker_tells_what_the_table_does_not_know(tmp_path):
    future = info("BGIZ26", increment=0.05, multiplier=330.0)
    fund = info("BOVA11", lot=1, increment=0.01, multiplier=1.0, security_type=8)
    instruments = told(future, fund, info("CCMZ26", increment=0.01, multiplier=0.0))

    assert instruments("BGIZ26") == LIVE_CATTLE
    assert instruments("BOVA11") == Instrument(tick_size=0.01, lot=1, point_value=1.0)
    assert instruments("CCMZ26") is None  # nobody says what a point of it is worth
    assert (instruments("TAEE11"), instruments.disputes) == (SHARE, {})


def test_an_operator_is_believed_against_table_and_broker():
    instruments = told(info(increment=10.0), info("PETR4", lot=1, security_type=0), WIN=(10.0, 1, 0.2))

    assert instruments(SYMBOL).tick_size == instruments("WINV26").tick_size == 10.0
    assert instruments.disputes.keys() == {"PETR4"}


def test_orders_of_a_disputed_instrument_are_refused_until_the_broker_says_otherwise(tmp_path):
    with scene(tmp_path) as s:
        s.place(2)
        s.broker.fill("EX1", 2)
        s.loop.step()
        working = s.place(1, "129990")
        s.prices.instruments.hear(info(multiplier=1.0))
        assert s.refusal(1, "129980") == "INSTRUMENT"
        refusal = s.ledger.refusals[-1].refusal
        assert (refusal.limit, refusal.observed) == ("point value 0.2", "point value 1")
        assert s.alter(working, price=Decimal(129_985)).status == 403
        s.cancel(working)
        s.prices.instruments.hear(info())
        s.place(1, "129980")
        s.prices.instruments.hear(info(lot=5))
        assert s.refusal(3, side="SELL") == "INSTRUMENT"
        s.cancel(s.place(1, "130100", side="SELL"))  # what only reduces the position may leave
        s.loop.pull("close it", ANA, flatten=True)  # the switch closes what is open, whoever is right
        s.settle(3)

        assert (s.exchange.arrivals[-1].side, s.exchange.arrivals[-1].quantity) == ("SELL", 2)


def test_what_the_broker_alone_knows_can_be_traded_and_is_reckoned_with_its_point_value(tmp_path):
    with scene(tmp_path, rules=rules()) as s:
        s.tick("300", "BGIZ26")
        assert s.refusal(1, "300", symbol="BGIZ26") == "INSTRUMENT"
        s.prices.instruments.hear(info("BGIZ26", increment=0.05, multiplier=330.0))
        assert s.refusal(1, "300.01", symbol="BGIZ26") == "TICK_SIZE"
        entry = s.place(1, "300", symbol="BGIZ26")
        s.broker.fill(entry.order.exchange_id or "EX1", 1, "300")
        s.loop.step()
        s.restart()

        assert s.ledger.positions["1:0042", "BGIZ26"].point_value == exact(330.0)


def test_an_operators_figures_are_read_or_named(settings_in, tmp_path):
    made = settings_in(tmp_path, TRADINGSYSTEM_INSTRUMENTS="bgi=0.05/1/330, BOVA11=0.01/1/1")
    assert made.orders.instruments == {"BGI": (0.05, 1, 330.0), "BOVA11": (0.01, 1, 1.0)}
    for wrong in ("BGI", "BGI=0.05/1", "BGI=0.05/0/330", "=1/1/1", "BGI=nan/1/1"):
        made = settings_in(tmp_path, TRADINGSYSTEM_INSTRUMENTS=wrong)
        with pytest.raises(SettingsError, match="SYMBOL=TICK/LOT/POINT"):
            _ = made.orders.instruments
