"""The contracts of the B3 family: settlements, indicators, option levels, dollar index, as collectors bring them.

Times are UTC; what stands under the same time and names is the same fact, and a repeat replaces it.
"""

from typing import Annotated

from msgspec import Struct

from sql.columns import Balance, Day, Instant, Label, Symbol, Text, says
from sql.contract import Table

Contract = Annotated[Symbol, says("month letter and two digits of the year, as X25")]
Ingested = Annotated[Instant, says("when it was written; takes no part in comparisons")]


class MarketSnapshot(Struct, frozen=True, kw_only=True):
    """The settlement of one contract, as a collector saw it at one time of a day."""

    ts: Annotated[Instant, says("when it was collected")]
    coleta_data: Annotated[Day, says("date of `ts` in São Paulo")] | None
    coleta_hora: Annotated[Text, says("clock of `ts` in São Paulo")] | None
    instrument: Annotated[Symbol, says("DI1, DDI, DOL")]
    contract_month: Contract
    price_settlement: Annotated[Balance, says("points, or a rate in percent")] | None
    price_settlement_prev: Annotated[Balance, says("of the session before")] | None
    status: Annotated[Symbol, says("sucesso, falha")] | None
    source: Annotated[Symbol, says("B3, Manual, Fita: computed from our own tape")] | None
    ingested_at: Ingested


class Indicator(Struct, frozen=True, kw_only=True):
    """One figure of the market, with the text that people read."""

    ts: Annotated[Instant, says("when it was collected")]
    name: Annotated[Label, says("which figure")]
    value: Balance | None
    display_value: Annotated[Text, says("as the source writes it, in Brazilian notation")] | None
    updated_at: Annotated[Instant, says("when the source says that it changed")] | None
    ingested_at: Ingested


class VolatilityPoint(Struct, frozen=True, kw_only=True):
    """One point of the volatility surface of an option month."""

    ts: Annotated[Instant, says("the day of the surface")]
    contract_month: Contract
    delta_bucket: Annotated[Symbol, says("delta_1, delta_5 …")]
    volatility: Annotated[Balance, says("percent a year")] | None
    updated_at: Annotated[Instant, says("when the source says that it changed")] | None
    ingested_at: Ingested


class GammaLevels(Struct, frozen=True, kw_only=True):
    """Where the options on one instrument have their walls, in its points."""

    ts: Annotated[Instant, says("when it was collected")]
    instrument: Annotated[Symbol, says("ES_SP500, VIX …")]
    call_wall: Balance | None
    put_wall: Balance | None
    gamma_flip: Balance | None
    raw_payload: Annotated[Text, says("the source's own words, JSON")] | None
    status: Annotated[Symbol, says("sucesso, falha")] | None
    ingested_at: Ingested


class Adjustment(Struct, frozen=True, kw_only=True):
    """The settlement of one contract at the end of a session."""

    ts: Annotated[Instant, says("midnight of the session in São Paulo, or when it was collected")]
    instrument: Annotated[Symbol, says("DI1, DDI, DOL; upper case")]
    contract_month: Contract
    price_settlement: Annotated[Balance, says("points, or a rate in percent")] | None
    price_prev: Annotated[Balance, says("of the session before")] | None
    status: Annotated[Symbol, says("migrado, ajustado, fita: computed from our own tape")] | None
    ingested_at: Ingested


class DailyIndicator(Struct, frozen=True, kw_only=True):
    """One figure of the market on one day."""

    ts: Annotated[Instant, says("midnight of the day in São Paulo")]
    indicator: Annotated[Label, says("which figure")]
    value: Balance | None
    ingested_at: Ingested


class DollarIndex(Struct, frozen=True, kw_only=True):
    """The dollar index at one clock time of a day."""

    ts: Annotated[Instant, says("when it was collected")]
    bucket: Annotated[Symbol, says("dxy_8h50 …")]
    value: Annotated[Balance, says("change in percent")] | None
    ingested_at: Ingested


INTRADAY_DAYS, DAILY_DAYS = 180, 730


def _family(name: str, row: type[Struct], *key: str, days: int) -> Table:
    return Table(
        name=name,
        row=row,
        key=("ts", *key),
        time="ts",
        hot_days=days,
        warm_days=DAILY_DAYS,
        writer="sql.market.store",
        not_compared=frozenset({"ingested_at"}),
    )


SNAPSHOTS = _family("b3_snapshots", MarketSnapshot, "instrument", "contract_month", days=INTRADAY_DAYS)
INDICATORS = _family("b3_indicators", Indicator, "name", days=INTRADAY_DAYS)
VOL_SURFACE = _family("b3_vol_surface", VolatilityPoint, "contract_month", "delta_bucket", days=DAILY_DAYS)
GAMMA_LEVELS = _family("b3_gamma_levels", GammaLevels, "instrument", days=INTRADAY_DAYS)
ADJUSTMENTS = _family("b3_adjustments", Adjustment, "instrument", "contract_month", days=DAILY_DAYS)
INDICATORS_DAILY = _family("b3_indicators_daily", DailyIndicator, "indicator", days=DAILY_DAYS)
DXY = _family("b3_dxy_ticks", DollarIndex, "bucket", days=INTRADAY_DAYS)
MARKET = (SNAPSHOTS, INDICATORS, VOL_SURFACE, GAMMA_LEVELS, ADJUSTMENTS, INDICATORS_DAILY, DXY)
