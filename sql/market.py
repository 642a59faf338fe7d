"""The B3 family in hot: its one writer, and what dashboards ask of it. Times are UTC, newest first where it matters."""

import datetime as dt
from typing import Any

import polars as pl
from msgspec import Struct

from sql.contract import Table
from sql.errors import StatementError
from sql.exchange import SAO_PAULO
from sql.hot import HotStore, instant_literal, shaped
from sql.market_tables import (
    ADJUSTMENTS,
    DXY,
    GAMMA_LEVELS,
    INDICATORS,
    INDICATORS_DAILY,
    MARKET,
    SNAPSHOTS,
    VOL_SURFACE,
)

NAMED = {SNAPSHOTS.name: "instrument", INDICATORS.name: "name", GAMMA_LEVELS.name: "instrument", DXY.name: "bucket"}
TOLD_WITHIN = dt.timedelta(days=10)
NO_TABLE = "does not exist"
TAPE = "Fita"  # the source of rows that are computed here

Rows = list[dict[str, Any]]


def store(hot: HotStore, table: Table, rows: pl.DataFrame, now: dt.datetime | None = None) -> int:
    """Write rows of one of the family, without `ingested_at`; how many. The same rows again change nothing that counts.

    No transaction has rows of two UTC hours, so that the sync's windows stay narrow.
    """
    taken = rows.with_columns(pl.lit(now or dt.datetime.now(dt.UTC)).alias("ingested_at"))
    frame = shaped(taken, table).unique(table.key, keep="last", maintain_order=True).sort(str(table.time))
    for _, part in frame.group_by(pl.col("ts").dt.truncate("1h"), maintain_order=True):
        hot.insert(table, part)
    return frame.height


def latest(hot: HotStore, table: Table) -> Rows:
    """The newest row of every name, in the order of names."""
    by = NAMED[table.name]
    return _rows(hot, f"SELECT {_columns(table)} FROM {table.name} LATEST ON ts PARTITION BY {by} ORDER BY {by}")


def adjustments(
    hot: HotStore,
    *,
    limit: int,
    instrument: str | None = None,
    contract: str | None = None,
    since: dt.datetime | None = None,
    until: dt.datetime | None = None,
) -> Rows:
    """Settlements, newest first; `since` and `until` are inclusive."""
    wanted = {"instrument = %s": instrument, "contract_month = %s": contract, "ts >= %s": since, "ts <= %s": until}
    return _newest(hot, ADJUSTMENTS, wanted, "ts DESC, instrument, contract_month", limit)


def vol_surface(hot: HotStore, *, limit: int, contract: str | None = None) -> Rows:
    """Points of the volatility surface, newest first, then in the order of deltas."""
    found = _newest(hot, VOL_SURFACE, {"contract_month = %s": contract}, "ts DESC, contract_month, delta_bucket", limit)
    return sorted(found, key=lambda row: (-row["ts"].timestamp(), row["contract_month"], _delta(row["delta_bucket"])))


def daily_indicators(hot: HotStore, *, limit: int) -> Rows:
    """Figures by day, newest first."""
    return _newest(hot, INDICATORS_DAILY, {}, "ts DESC, indicator", limit)


def counts(hot: HotStore) -> dict[str, dict[str, Any]]:
    """For every table of the family: how many rows, the newest time, or in `error` why nobody knows."""
    found: dict[str, dict[str, Any]] = {}
    for table in MARKET:
        try:
            (row,) = hot.rows(f"SELECT count() AS count, max(ts) AS last FROM {table.name}", reader=True)
        except StatementError:
            found[table.name] = {"ok": False, "count": None, "lastTs": None, "error": "the table cannot be read"}
        else:
            found[table.name] = {"ok": True, "count": row["count"], "lastTs": row["last"]}
    return found


def _newest(hot: HotStore, table: Table, wanted: dict[str, Any], order: str, limit: int) -> Rows:
    asked = {condition: value for condition, value in wanted.items() if value is not None}
    where = f" WHERE {' AND '.join(asked)}" if asked else ""
    statement = f"SELECT {_columns(table)} FROM {table.name}{where} ORDER BY {order} LIMIT {limit:d}"
    return _rows(hot, statement, list(asked.values()))


def _rows(hot: HotStore, statement: str, params: list[Any] | None = None) -> Rows:
    try:
        return hot.rows(statement, params or (), reader=True)
    except StatementError as error:
        if NO_TABLE in str(error):
            return []  # of a store that was never migrated: nothing was collected yet
        raise


def _columns(table: Table) -> str:
    return ", ".join(name for name in table.names if name not in ("ingested_at", "raw_payload"))


def _delta(bucket: str) -> tuple[int, str]:
    number = bucket.rpartition("_")[2]
    return (int(number) if number.isdigit() else 1 << 30, bucket)


class Settled(Struct, frozen=True):
    """What the tape tells of each instrument, and how many rows of it were new."""

    rows: Rows
    stored: int


def settle(hot: HotStore, now: dt.datetime) -> Settled:
    """Store what `from_tape` finds and the newest row of ours does not say already. Repeatable."""
    found = from_tape(hot, now)
    said = [name for name in SNAPSHOTS.names if name.startswith("price_")]
    stored = _rows(
        hot,
        f"SELECT * FROM (SELECT instrument, contract_month, {', '.join(said)} FROM {SNAPSHOTS.name} "
        f"WHERE source = %s AND ts <= {instant_literal(now)} LATEST ON ts PARTITION BY instrument)",
        [TAPE],
    )
    names = ["instrument", "contract_month", *said]
    before = pl.DataFrame(stored, schema={name: found.schema[name] for name in names})
    new = found.join(before, on=names, how="anti", nulls_equal=True)
    return Settled(found.to_dicts(), store(hot, SNAPSHOTS, new, now))


def from_tape(hot: HotStore, now: dt.datetime) -> pl.DataFrame:
    """Snapshots of DI1, DDI and DOL out of our own daily sums: of each the contract with most open interest.

    The settlement is the last one that the exchange told, that before it the one of an earlier session. Rows as
    `store` takes them; none where the tape has no such contract.
    """
    statement = (
        "SELECT symbol, session, last(adjustment) AS settled, last(open_contracts) AS open FROM daily "
        "WHERE ts >= %s AND ts <= %s AND symbol ~ '^(DI1|DDI|DOL)[FGHJKMNQUVXZ][0-9][0-9]$' ORDER BY session"
    )
    told = pl.DataFrame(hot.rows(statement, (now - TOLD_WITHIN, now), reader=True))
    if told.is_empty():
        return pl.DataFrame(schema={c.name: c.kind.polars for c in SNAPSHOTS.columns if c.name != "ingested_at"})
    before = pl.col("settled").get(-2, null_on_oob=True).alias("before")
    by_contract = told.sort("session").group_by("symbol").agg(pl.all().last(), before)
    clock = now.astimezone(SAO_PAULO)
    return (
        by_contract.with_columns(pl.col("symbol").str.head(3).alias("instrument"))
        .sort("open", "symbol", nulls_last=False)
        .group_by("instrument")
        .last()
        .select(
            pl.lit(now).alias("ts"),
            pl.lit(clock.date()).alias("coleta_data"),
            pl.lit(f"{clock:%H:%M:%S}").alias("coleta_hora"),
            "instrument",
            pl.col("symbol").str.tail(3).alias("contract_month"),
            pl.col("settled").alias("price_settlement"),
            pl.col("before").alias("price_settlement_prev"),
            pl.lit("sucesso").alias("status"),
            pl.lit(TAPE).alias("source"),
        )
    )
