"""The hot tables as external assets: the realtime process and the imports write them, Dagster only shows them."""

import datetime as dt
from typing import TYPE_CHECKING, ClassVar

import dagster as dg
from msgspec import Struct

from assets.contract import key_of, spec_of
from assets.sessions import has_partition
from sql.contract import Table
from sql.exchange import rows_expected
from sql.tables import MOVING

if TYPE_CHECKING:
    from sql.hot import HotStore

FRESH_WITHIN = dt.timedelta(minutes=5)  # in the hours of a session some instrument trades every second


class Arrival(Struct, frozen=True, kw_only=True):
    """How fresh a hot table is at an instant."""

    SHOWN_EVERY: ClassVar[float] = 240.0  # seconds; the freshness policy warns after ten minutes of silence

    table: Table
    newest: dt.datetime | None
    rows: int  # of the newest row's UTC day
    transactions: int
    at: dt.datetime
    expected: bool  # whether the exchange trades, so that silence means something; ticks speak for the whole feed

    @property
    def lag(self) -> dt.timedelta | None:
        return self.at - self.newest if self.newest else None

    @property
    def fresh(self) -> bool:
        return not self.expected or (self.lag is not None and self.lag <= FRESH_WITHIN)

    @property
    def words(self) -> str:
        expected = "rows are expected" if self.expected else "the exchange does not trade, no rows are expected"
        expected = expected if self.table.watched else "nobody waits for rows"
        newest = f"{self.newest.astimezone(dt.UTC):%Y-%m-%d %H:%M:%S} UTC" if self.newest else "no time"
        return f"newest row at {newest}, {expected}"

    def event(self) -> dg.AssetMaterialization:
        """What freshness counts. The version is the last transaction: silence makes nothing after it out of date."""
        day = (self.newest or self.at).astimezone(dt.UTC).date()
        facts: dict[str, dg.MetadataValue] = {
            "dagster/row_count": dg.MetadataValue.int(self.rows),
            "rows_expected": dg.MetadataValue.bool(self.expected),
            "transactions": dg.MetadataValue.int(self.transactions),
        }
        if self.newest and self.lag is not None:
            facts["newest_row_at"] = dg.MetadataValue.timestamp(self.newest)
            facts["lag_seconds"] = dg.MetadataValue.float(round(self.lag.total_seconds(), 3))
        return dg.AssetMaterialization(
            key_of(self.table, "hot"),
            description=self.words,
            metadata=facts,
            partition=str(day) if has_partition(day) else None,
            tags={"dagster/data_version": str(self.transactions)},
        )


def arrival_of(table: Table, hot: "HotStore", now: dt.datetime) -> Arrival:
    """Three small questions; no row is read. A row of the future does not make a table fresh."""
    from sql.hot import instant_literal

    question = f"SELECT max({table.time}) FROM {table.name} WHERE {table.time} <= {instant_literal(now)}"
    answer = hot.execute(question)["dataset"]  # without rows where the table never had one
    text = answer[0][0] if answer else None
    newest = dt.datetime.fromisoformat(text) if text else None
    day = (newest or now).astimezone(dt.UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return Arrival(
        table=table,
        newest=newest,
        rows=hot.count(table, day, day + dt.timedelta(days=1)),
        transactions=hot.wal(table).taken,
        at=now,
        expected=table.watched and rows_expected(now),
    )


assets = [spec_of(table, "hot") for table in MOVING]
