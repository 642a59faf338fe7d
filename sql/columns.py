"""The column types of stored tables: each knows its Arrow type, its QuestDB type and its PostgreSQL type.

A contract annotates its fields with these; nobody types a column list or a type twice.
"""

import datetime as dt
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, get_args, get_origin, get_type_hints

from msgspec import Meta, Struct

if TYPE_CHECKING:  # who only wants to know the columns does not wait for the libraries that hold rows
    import polars as pl
    import pyarrow as pa


class Kind(Struct, frozen=True, dict=True):
    """One column type, by what each store calls it."""

    name: str
    hot: str  # QuestDB
    warm: str  # PostgreSQL
    cold: str  # Parquet, in the words of Arrow

    @cached_property
    def arrow(self) -> "pa.DataType":
        import pyarrow as pa

        return pa.timestamp("us", "UTC") if self.name == "instant" else pa.type_for_alias(self.cold)

    @cached_property
    def polars(self) -> "pl.DataType":
        import polars as pl
        import pyarrow as pa

        return pl.Series(pa.array([], self.arrow)).dtype


INSTANT = Kind("instant", "TIMESTAMP", "timestamp with time zone", "timestamp[us, tz=UTC]")
DAY = Kind("day", "DATE", "date", "date32[day]")
SYMBOL = Kind("symbol", "SYMBOL", "text", "string")
# Not VARCHAR: where all values of a partition are short, QuestDB 9.3.4 exports them to Parquet as nulls.
TEXT = Kind("text", "STRING", "text", "string")
LONG = Kind("long", "LONG", "bigint", "int64")
INT = Kind("int", "INT", "integer", "int32")
DOUBLE = Kind("double", "DOUBLE", "double precision", "double")

Instant = Annotated[dt.datetime, Meta(tz=True, extra={"kind": INSTANT})]  # aware, UTC, microseconds
Day = Annotated[dt.date, Meta(extra={"kind": DAY})]
Symbol = Annotated[str, Meta(min_length=1, max_length=32, extra={"kind": SYMBOL})]  # few distinct values
Label = Annotated[str, Meta(min_length=1, max_length=128, extra={"kind": SYMBOL})]  # the same, as people name things
Text = Annotated[str, Meta(extra={"kind": TEXT})]
TradeId = Annotated[int, Meta(ge=0, extra={"kind": LONG}, description="unique per symbol and session")]
Price = Annotated[float, Meta(gt=0, extra={"kind": DOUBLE}, description="BRL, or points for index futures")]
Quantity = Annotated[int, Meta(ge=0, extra={"kind": LONG}, description="shares or contracts")]
Broker = Annotated[int, Meta(ge=0, extra={"kind": INT}, description="B3's participant code")]
Flags = Annotated[int, Meta(ge=0, extra={"kind": INT}, description="bits of sql.tables.Flag")]
Small = Annotated[int, Meta(ge=0, extra={"kind": INT})]
Count = Annotated[int, Meta(ge=0, extra={"kind": LONG})]
Signed = Annotated[int, Meta(extra={"kind": LONG})]  # never null: fingerprints write -1 for a null
Balance = Annotated[
    float, Meta(extra={"kind": DOUBLE})
]  # a result, a net position, a figure of any kind: below 0 is normal
Amount = Annotated[float, Meta(ge=0, extra={"kind": DOUBLE})]  # of money, or a price that may be 0


def says(text: str) -> Meta:
    """What the values of one field mean, beside its type."""
    return Meta(description=text)


class Column(Struct, frozen=True):
    """One column of a table."""

    name: str
    kind: Kind
    nullable: bool
    says: str = ""  # what its values mean, for people who look at the table


def columns_of(contract: type[Struct]) -> tuple[Column, ...]:
    """The columns of a contract in the order of its fields. Raises TypeError for a field without a column type."""
    hints = get_type_hints(contract, include_extras=True)
    return tuple(_column(contract, name, hint) for name, hint in hints.items())


def _column(contract: type[Struct], name: str, hint: Any) -> Column:
    choices = [hint] if get_origin(hint) is Annotated else list(get_args(hint))
    nullable = type(None) in choices
    for choice in choices:
        metas = get_args(choice)[1:] if get_origin(choice) is Annotated else ()
        found = [meta for meta in metas if isinstance(meta, Meta)]
        texts = [meta.description for meta in found if meta.description]
        for meta in found:
            if kind := (meta.extra or {}).get("kind"):
                return Column(name, kind, nullable, texts[-1] if texts else "")
    raise TypeError(f"{contract.__name__}.{name} has no column type of sql.columns: {hint!r}")
