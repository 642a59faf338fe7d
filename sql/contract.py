"""What all stores must know of a stored table: its columns, key and time, the tiers it is in, and for how long."""

from functools import cached_property
from typing import TYPE_CHECKING, Literal

from msgspec import Struct

from sql.columns import Column, columns_of

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa

Tier = Literal["hot", "warm", "cold"]


class Table(Struct, frozen=True, kw_only=True, dict=True):
    """A contract and its place: key, time column, tiers, and which columns two tiers must agree on."""

    name: str
    row: type[Struct]
    key: tuple[str, ...]
    time: str | None = None  # the column that partitions are made of, one per UTC day
    tiers: tuple[Tier, ...] = ("hot", "warm", "cold")
    hot_days: int = 30
    warm_days: int = 365
    compress_after_days: int | None = 7  # where warm can compress; None: never
    writer: str  # the one function that writes it
    watched: bool = False  # whether silence in the exchange's hours means that something is broken
    not_compared: frozenset[str] = frozenset()
    rising: tuple[str, ...] = ()  # columns whose values mostly rise from row to row: files keep their steps

    @cached_property
    def direct(self) -> bool:
        """Whether it goes from hot to cold without warm."""
        return "hot" in self.tiers and "warm" not in self.tiers

    @cached_property
    def columns(self) -> tuple[Column, ...]:
        return columns_of(self.row)

    @cached_property
    def names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)

    @cached_property
    def compared(self) -> tuple[Column, ...]:
        """The columns that tell whether two tiers hold the same row."""
        return tuple(column for column in self.columns if column.name not in self.not_compared)

    @cached_property
    def arrow(self) -> "pa.Schema":
        import pyarrow as pa

        return pa.schema([pa.field(c.name, c.kind.arrow, nullable=c.nullable) for c in self.columns])

    @cached_property
    def polars(self) -> "pl.Schema":
        import polars as pl

        return pl.Schema({c.name: c.kind.polars for c in self.columns})

    def hot_ddl(self) -> str:
        """CREATE TABLE for QuestDB: WAL, one partition a UTC day, a repeated key replaces its row."""
        columns = ", ".join(f"{c.name} {c.kind.hot}" for c in self.columns)
        return (
            f"CREATE TABLE IF NOT EXISTS {self.name} ({columns}) TIMESTAMP({self.time}) PARTITION BY DAY WAL "
            f"DEDUP UPSERT KEYS({', '.join(self.key)})"
        )

    def warm_ddl(self, *, hypertable: bool) -> str:
        """CREATE TABLE for PostgreSQL: range partitions by time, or a plain table that becomes a hypertable."""
        columns = ", ".join(f"{c.name} {c.kind.warm}{'' if c.nullable else ' NOT NULL'}" for c in self.columns)
        partitions = f" PARTITION BY RANGE ({self.time})" if self.time and not hypertable else ""
        return f"CREATE TABLE IF NOT EXISTS {self.name} ({columns}, PRIMARY KEY ({', '.join(self.key)})){partitions}"
