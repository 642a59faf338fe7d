"""`/api/v1/ticks`, `/api/v1/candles`, `/api/v1/catalog`: the tape as JSON, Arrow or Parquet."""

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.openapi.spec import Example, OpenAPIMediaType, OpenAPIResponse, OpenAPIType, Operation, Schema
from litestar.params import QueryParameter
from litestar.response import Stream
from msgspec import Struct

from api.asked import (
    ARROW,
    PARQUET,
    Cursor,
    Format,
    continues,
    cursor_of,
    form_of,
    span_of,
    span_of_cursor,
    text_of,
)
from api.catalog import Catalog, CatalogKeeper
from api.kernel.access import scoped
from api.kernel.answers import Ready
from api.kernel.errors import invalid, responses
from api.kernel.limits import FREE
from api.ranges import begins, file_response
from api.snapshots import Answer, Snapshot, Snapshots
from sql.contract import Tier
from sql.coverage import DAY
from sql.tables import TICKS, Tick
from sql.tape import SYMBOL, Candle, Interval, Source, Span, Tape, seconds_of

DEFAULT_LIMIT, MAX_LIMIT = 1_000, 10_000
MAX_CANDLES = 100_000
MAX_FILE_DAYS = 31
BATCH_ROWS = 65_536
VARY = "Accept, Range, User-Agent"
CANDLE_SCHEMA = pa.schema(
    [
        ("ts", pa.timestamp("us", "UTC")),
        *((name, pa.float64()) for name in ("open", "high", "low", "close")),
        *((name, pa.int64()) for name in ("volume", "trades")),
    ]
)


class Ticks(Struct, frozen=True, kw_only=True, rename="camel"):
    """A page of trades in the order (ts, symbol, session, trade_id); `nextCursor` is null at the end of the range."""

    success: bool = True
    data: list[Tick]
    next_cursor: str | None = None


class CandleList(Struct, frozen=True, kw_only=True):
    """Candles by time; `ts` is the first instant of each. Cancelled trades are left out."""

    success: bool = True
    data: list[Candle]


class CatalogAnswer(Struct, frozen=True, kw_only=True):
    """The catalog."""

    success: bool = True
    data: Catalog


# Patterns are told, not enforced by the framework: our own messages say what was expected.
SYMBOL_SHAPE = {"pattern": f"^{SYMBOL.pattern}$"}
INSTANT_SHAPE = {"pattern": r"^\d{4}-\d\d-\d\d([T ]\d\d(:\d\d(:\d\d(\.\d{1,6})?)?)?(Z|[+-]\d\d:\d\d)?)?$"}
SOME_SYMBOL = QueryParameter(description="Exchange code, such as WINZ26; all when left out.", schema_extra=SYMBOL_SHAPE)
ONE_SYMBOL = QueryParameter(description="Exchange code, such as WINZ26.", schema_extra=SYMBOL_SHAPE)
CURSOR = QueryParameter(
    description="`nextCursor` of the page before, unchanged.", schema_extra={"pattern": "^[A-Za-z0-9_-]*$"}
)
FROM = QueryParameter(
    name="from",
    description="First instant: ISO 8601 instant or date, UTC without a zone. Default: the last day that has rows.",
    schema_extra=INSTANT_SHAPE,
    examples=[Example(summary="a day", value="2026-11-19"), Example(summary="an instant", value="2026-11-19T13:00Z")],
)
TO = QueryParameter(
    name="to",
    description="End of the range, not part of it. Default: the end of today, or of the day of `from`.",
    schema_extra=INSTANT_SHAPE,
)
FORMAT = QueryParameter(
    name="format",
    description="Overrides `Accept`. Without either, a byte range or a Parquet reader (polars, DuckDB) gets Parquet.",
)
ERRORS = responses(400, 401, 403, 429, 503)
PART = {206: ResponseSpec(bytes, generate_examples=False, description="Part of the file", media_type=PARQUET)}
FILE_ERRORS = {**ERRORS, **PART, **responses(412, 416)}


@dataclass
class InThreeForms(Operation):
    """OpenAPI entry of a handler that answers in JSON, as an Arrow stream or as a Parquet file."""

    def __post_init__(self) -> None:
        binary = OpenAPIMediaType(schema=Schema(type=OpenAPIType.STRING, content_media_type="application/octet-stream"))
        answer = (self.responses or {}).get("200")
        if isinstance(answer, OpenAPIResponse) and answer.content is not None:
            answer.content |= {ARROW: binary, PARQUET: binary}


@get(
    "/api/v1/ticks",
    tags=["tape"],
    summary="Trades in exact order",
    opt={**scoped("tape:read"), "free_when": continues, "seconds": 300},  # a large day is written before it is sent
    responses=FILE_ERRORS,
    operation_class=InThreeForms,
    sync_to_thread=True,
)
def ticks(
    *,
    request: Request[Any, Any, Any],
    tape: NamedDependency[Tape],
    snapshots: NamedDependency[Snapshots],
    symbol: Annotated[str | None, SOME_SYMBOL] = None,
    since: Annotated[str | None, FROM] = None,
    until: Annotated[str | None, TO] = None,
    limit: Annotated[int | None, QueryParameter(ge=1, le=MAX_LIMIT, description="Rows of a page.")] = None,
    cursor: Annotated[str | None, CURSOR] = None,
    form: Annotated[Format | None, FORMAT] = None,
) -> Response[Ticks]:
    """JSON comes in pages of `limit` rows. Arrow and Parquet hold the whole range unless a `limit` is given; Parquet
    supports byte ranges, so that `polars.read_parquet(url)` reads a day. `X-Tier` says which tiers gave the rows."""
    place = cursor_of(cursor) if cursor else None
    span = span_of_cursor(place, symbol, since, until) if place else span_of(tape, symbol, since, until)
    form = form or form_of(request)
    if form == "json" or limit or place:
        return _page(tape, span, limit or DEFAULT_LIMIT, place, form)
    return _whole(request, snapshots, tape, span, form)


@get(
    "/api/v1/candles",
    opt={**scoped("tape:read"), "seconds": 300},
    tags=["tape"],
    summary="Candles of one symbol",
    responses=FILE_ERRORS,
    operation_class=InThreeForms,
    sync_to_thread=True,
)
def candles(
    *,
    request: Request[Any, Any, Any],
    tape: NamedDependency[Tape],
    snapshots: NamedDependency[Snapshots],
    symbol: Annotated[str, ONE_SYMBOL],
    interval: Annotated[Interval, QueryParameter(description="Length; all divide a UTC day.")] = "1m",
    since: Annotated[str | None, FROM] = None,
    until: Annotated[str | None, TO] = None,
    form: Annotated[Format | None, FORMAT] = None,
) -> Response[CandleList]:
    """Open, high, low, close, volume and number of trades, aligned to UTC midnight; an interval without a trade has
    no candle. Open and close follow time and trade number. `X-Tier` says which tiers gave the rows."""
    span = span_of(tape, symbol, since, until)
    if (span.until - span.since).total_seconds() / seconds_of(interval) > MAX_CANDLES:
        raise invalid("interval", f"this range has more than {MAX_CANDLES:,} candles of {interval}; ask for less")
    form = form or form_of(request)
    if form == "parquet":
        return _file(request, snapshots, _candle_file(tape, span, interval), f"{symbol}-{interval}")
    found = tape.candles(span, interval)
    return _rows(CandleList(data=found.rows), found.rows, CANDLE_SCHEMA, form, found.tiers)


@get(
    "/api/v1/catalog",
    tags=["tape"],
    summary="What there is",
    opt={**scoped("tape:read"), **FREE},
    responses=ERRORS,
    sync_to_thread=True,
)
def catalog(keeper: NamedDependency[CatalogKeeper]) -> CatalogAnswer:
    """Contracts with their columns, what each tier holds and how far it lags, and the symbols in hot."""
    return CatalogAnswer(data=keeper.current())


def _page(tape: Tape, span: Span, limit: int, place: Cursor | None, form: Format) -> Response[Any]:
    page = tape.page(span, limit, place.after if place else None)
    following = text_of(Cursor(1, span, page.after)) if page.after else None
    answer = _rows(Ticks(data=page.rows, next_cursor=following), page.rows, TICKS.arrow, form, page.tiers)
    if following:
        answer.headers["X-Next-Cursor"] = following
    return answer


def _rows(
    body: Struct, rows: Sequence[Struct], schema: pa.Schema, form: Format, tiers: tuple[Tier, ...]
) -> Response[Any]:
    headers = {"X-Tier": ",".join(tiers), "Vary": VARY, "Cache-Control": "no-cache"}
    if form == "json":
        return Ready(body, headers=headers)
    table, sink = _table(rows, schema), io.BytesIO()
    if form == "parquet":
        pq.write_table(table, sink, compression="zstd")
        return Response(sink.getvalue(), media_type=PARQUET, headers=headers)
    with pa.ipc.new_stream(sink, schema) as writer:
        writer.write_table(table)
    return Response(sink.getvalue(), media_type=ARROW, headers=headers)


def _whole(
    request: Request[Any, Any, Any], snapshots: Snapshots, tape: Tape, span: Span, form: Format
) -> Response[Any]:
    if span.until - span.since > MAX_FILE_DAYS * DAY:
        raise invalid("to", f"a file holds at most {MAX_FILE_DAYS} days; ask for less, or for pages with `limit`")
    answer = Answer(
        key=span, source=lambda: tape.source(span), write=lambda source, path: tape.write(span, source, path)
    )
    if form == "parquet":
        return _file(request, snapshots, answer, f"{span.symbol or 'ticks'}-{span.since:%Y%m%d}")
    snapshot = snapshots.of(answer, starts=True)
    return Stream(_arrow(snapshot), media_type=ARROW, headers={"X-Tier": ",".join(snapshot.tiers), "Vary": VARY})


def _candle_file(tape: Tape, span: Span, interval: Interval) -> Answer:
    def write(_: Source, path: Path) -> None:
        pq.write_table(_table(tape.candles(span, interval).rows, CANDLE_SCHEMA), path, compression="zstd")

    return Answer(
        key=(span, interval), source=lambda: msgspec.structs.replace(tape.source(span), file=None), write=write
    )


def _file(request: Request[Any, Any, Any], snapshots: Snapshots, answer: Answer, name: str) -> Response[Any]:
    snapshot = snapshots.of(answer, starts=begins(request.headers))
    headers = {
        "X-Tier": ",".join(snapshot.tiers),
        "Vary": VARY,
        "Content-Disposition": f'inline; filename="{name.replace("/", "_")}.parquet"',
    }
    return file_response(request, snapshot.path, etag=snapshot.etag, media_type=PARQUET, headers=headers)


def _table(rows: Sequence[Struct], schema: pa.Schema) -> pa.Table:
    return pa.Table.from_pylist([msgspec.structs.asdict(row) for row in rows], schema=schema)


def _arrow(snapshot: Snapshot) -> Iterator[bytes]:
    sink = io.BytesIO()
    with pq.ParquetFile(snapshot.path) as file, pa.ipc.new_stream(sink, TICKS.arrow) as writer:
        for batch in file.iter_batches(BATCH_ROWS):
            writer.write_batch(batch.cast(TICKS.arrow))
            yield sink.getvalue()
            sink.seek(0)
            sink.truncate()
    yield sink.getvalue()
